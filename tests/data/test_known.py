"""The table of known datasets: an entry is enough, and what it says is true of the real files."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_sets import DIGITS, digests, put

import minisgd.data
from minisgd.data import (
    FILES,
    KNOWN,
    NAMES,
    Known,
    MissingError,
    dataset_title,
    load_dataset,
    status,
)
from minisgd.data.known import GLYPHS
from minisgd.data.splits import pixel_statistics

ROOT = Path(__file__).parents[2]
REAL = os.environ.get("MINISGD_DATA")  # read while tests are collected: `alone` hides it later


def test_names_and_titles_follow_from_the_table():
    assert NAMES == ("auto", *KNOWN, *GLYPHS, "idx")
    titles = [dataset_title(name) for name in ("mnist", "fashion-mnist", "glyphs", "idx")]
    assert titles == ["MNIST", "Fashion-MNIST", "glyphs", "idx"]
    assert (KNOWN["mnist"].pixels, KNOWN["fashion-mnist"].pixels) == (
        (0.1307, 0.3081),
        (0.2860, 0.3530),
    )


@pytest.mark.parametrize("name", KNOWN)
def test_an_entry_is_complete(name):
    entry = KNOWN[name]
    assert entry.title and len(entry.digests) == len(FILES) and len(set(entry.digests)) == 4
    assert all(len(digest) == 64 for digest in entry.digests)
    assert all(mirror.endswith("/") for mirror in entry.mirrors)


def test_one_entry_adds_a_dataset(alone, tmp_path):
    known = KNOWN | {"kuzushiji": Known(digests(DIGITS), title="Kuzushiji", pixels=(0.2, 0.3))}
    put(tmp_path / "kuzushiji", DIGITS)
    found = load_dataset("kuzushiji", tmp_path, download=False, known=known)
    assert found.name == "kuzushiji" and found.pixels == (0.2, 0.3)
    assert found.identity == f"{found.digest}, pixels normalised by 0.2 and 0.3"
    assert "20 + 10 images" in status("kuzushiji", tmp_path, known=known)


def test_the_built_in_digits_keep_the_constants_of_mnist(small_data):
    assert small_data.pixels == (0.1307, 0.3081) and small_data.identity == small_data.digest


def test_every_name_of_the_package_is_there():
    assert all(getattr(minisgd.data, name) for name in minisgd.data.__all__)
    assert set(minisgd.data.__all__) <= set(dir(minisgd.data))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        minisgd.data.nothing  # noqa: B018


WITHOUT_NUMPY = """
import sys, types
sys.modules["numpy"] = None  # whoever imports it fails
package = types.ModuleType("minisgd")  # without what its own __init__ imports
package.__path__ = ["minisgd"]
sys.modules["minisgd"] = package
from minisgd.data import folder
from minisgd.data.known import NAMES
"""


def test_the_names_are_known_without_numpy():
    done = subprocess.run([sys.executable, "-c", WITHOUT_NUMPY], cwd=ROOT, check=False)
    assert done.returncode == 0


# ---- the real thing, where it is


@pytest.mark.parametrize("name", KNOWN)
def test_the_constants_are_those_of_the_real_training_images(name):
    try:
        found = load_dataset(name, REAL, download=False)
    except MissingError:
        pytest.skip(f"{name} is not on this machine")
    assert found.pixels == tuple(round(x, 4) for x in pixel_statistics(found.train.images))
    assert len(found.train.labels) == 60_000 and len(found.test.labels) == 10_000


@pytest.mark.skipif(
    not REAL, reason="set MINISGD_DATA to a folder with MNIST to check the real one"
)
def test_real_mnist_is_the_reports():
    try:
        found = load_dataset("mnist", REAL, download=False)
    except MissingError:
        pytest.skip("MINISGD_DATA holds no MNIST")
    assert found.digest == "b2d8f5bf39174ee5ffeefa97e42d673c35432b411bb5d1f74fbbeddae7f1690a"
    assert found.identity == found.digest
    assert np.bincount(found.test.labels)[1] == 1135  # what a stuck network calls everything
