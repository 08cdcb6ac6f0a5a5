"""Datasets: which are found, which are refused, and when the built-in digits stand in."""

import errno
import gzip
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_sets import CLOTHES, DIGITS, KNOWN, digests, parts, put, unpacked

from minisgd.data import (
    FILES,
    DataError,
    Known,
    MissingError,
    data_folder,
    glyphs,
    idx,
    import_files,
    kept_glyphs,
    load_dataset,
    loading,
    status,
    write_idx,
)
from minisgd.disk.files import StorageError
from minisgd.errors import SettingError

pytestmark = pytest.mark.usefixtures("alone")

# ---- finding


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("place", [".", "mnist"])
def test_four_files_are_found_flat_or_in_a_folder_of_the_name(tmp_path, place, ending):
    put(tmp_path / place, DIGITS, ending)
    found = load_dataset("mnist", tmp_path, download=False, known=KNOWN)
    assert found.name == "mnist"
    np.testing.assert_array_equal(found.train.images, DIGITS[0])
    np.testing.assert_array_equal(found.train.labels, DIGITS[1])
    np.testing.assert_array_equal(found.test.images, DIGITS[2])
    np.testing.assert_array_equal(found.test.labels, DIGITS[3])
    assert found.train.images.dtype == found.test.labels.dtype == np.uint8
    assert found.digest == hashlib.sha256(b"".join(map(unpacked, DIGITS))).hexdigest()
    assert str((tmp_path / place).resolve()) in found.source
    assert not found.train.images.flags.writeable


def test_the_names_with_a_dot_are_found_too(tmp_path):
    put(tmp_path, DIGITS, "")
    for file in FILES:
        (tmp_path / file).rename(tmp_path / file.replace("-idx", ".idx"))
    assert load_dataset("auto", tmp_path, download=False, known=KNOWN).name == "mnist"


def test_the_digest_tells_two_datasets_with_the_same_names_apart(tmp_path):
    put(tmp_path, CLOTHES)
    with pytest.raises(MissingError, match="mnist is not complete in"):
        load_dataset("mnist", tmp_path, download=False, known=KNOWN)
    put(tmp_path / "mnist", DIGITS)
    assert load_dataset("mnist", tmp_path, known=KNOWN).digest != (
        load_dataset("fashion-mnist", tmp_path, known=KNOWN).digest
    )


def test_fashion_mnist_is_found_where_the_system_keeps_it(tmp_path):
    put(tmp_path / "system", CLOTHES)
    known = {"fashion-mnist": Known(digests(CLOTHES), folders=(str(tmp_path / "system"),))}
    assert "system" in load_dataset("fashion-mnist", tmp_path / "empty", known=known).source


def test_the_argument_goes_before_the_environment_before_the_cache(tmp_path, monkeypatch):
    for name in ("argument", "environment", "cache/minisgd"):
        put(tmp_path / name, DIGITS)
    load = lambda folder=None: load_dataset("mnist", folder, known=KNOWN).source  # noqa: E731
    if sys.platform == "linux":
        assert "cache" in load()
    monkeypatch.setenv("MINISGD_DATA", str(tmp_path / "environment"))
    assert "environment" in load()
    assert "argument" in load(str(tmp_path / "argument"))


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/minisgd"),
        ("linux", {"XDG_CACHE_HOME": "not/absolute", "HOME": "/h"}, "/h/.cache/minisgd"),
        ("darwin", {"HOME": "/h"}, "/h/Library/Caches/minisgd"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/minisgd"),
        ("linux", {"MINISGD_DATA": "~/d", "HOME": "/h"}, "/h/d"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="plays the other systems with POSIX paths")
def test_every_platform_has_its_cache(monkeypatch, platform, variables, expected):
    monkeypatch.setattr(sys, "platform", platform)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(data_folder()) == expected


def test_an_unknown_name_is_a_setting_error(tmp_path):
    for call in (load_dataset, status):
        with pytest.raises(SettingError, match=r"dataset must be one of auto, mnist.*got 'cifar'"):
            call("cifar", tmp_path)


# ---- damaged files


@pytest.mark.parametrize("name", ["auto", "mnist"])
@pytest.mark.parametrize("place", [".", "mnist"])
def test_a_wrong_digest_is_named_and_never_used(tmp_path, name, place):
    put(tmp_path / place, DIGITS)
    bad = DIGITS[2].copy()
    bad[3, 4, 5] ^= 1
    path = tmp_path / place / f"{FILES[2]}.gz"
    write_idx(path, bad)
    with pytest.raises(DataError) as error:
        load_dataset(name, tmp_path, known=KNOWN)
    assert not isinstance(error.value, MissingError)  # so "auto" does not turn to the glyphs
    found = hashlib.sha256(unpacked(bad)).hexdigest()[:12]
    for part in (str(path), found, KNOWN["mnist"].digests[2][:12], "python cli.py data"):
        assert part in str(error.value)
    with pytest.raises(DataError):
        status(name, tmp_path, known=KNOWN)


def test_the_other_datasets_file_in_this_ones_folder_is_refused(tmp_path):
    put(tmp_path / "mnist", CLOTHES)
    with pytest.raises(DataError, match="belongs to fashion-mnist"):
        load_dataset("mnist", tmp_path, known=KNOWN)


def test_a_truncated_file_is_named(tmp_path):
    put(tmp_path, DIGITS)
    path = tmp_path / f"{FILES[0]}.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"train-images.* is truncated; move it away and run"):
        load_dataset("mnist", tmp_path, known=KNOWN)


def test_the_advice_names_the_dataset(tmp_path):
    put(tmp_path, CLOTHES)
    path = tmp_path / f"{FILES[0]}.gz"
    for content in (b"", gzip.compress(unpacked(CLOTHES[0][:5]))):
        path.write_bytes(content)
        place = tmp_path / "fashion-mnist"
        place.mkdir(exist_ok=True)
        (place / path.name).write_bytes(content)
        with pytest.raises(DataError, match=r"run `python cli.py data --dataset fashion-mnist`$"):
            load_dataset("fashion-mnist", tmp_path, known=KNOWN)


def test_labels_and_images_must_agree(tmp_path):
    odd = [DIGITS[0], DIGITS[1][:-1], *DIGITS[2:]]
    put(tmp_path, odd)
    with pytest.raises(DataError, match=r"expected images \(N, 28, 28\)"):
        load_dataset("mnist", tmp_path, known={"mnist": Known(digests(odd))})


# ---- auto and glyphs


def test_auto_says_unmissably_that_it_is_not_mnist(tmp_path, capsys):
    found = load_dataset("auto", tmp_path, download=False, known=KNOWN)
    assert found.name == "glyphs"
    told = capsys.readouterr()
    assert told.out == ""
    assert "NOT MNIST" in told.err and "mnist is not complete in" in told.err


def test_mnist_never_falls_back(tmp_path):
    with pytest.raises(MissingError, match="--from DIR"):
        load_dataset("mnist", tmp_path, download=False, known=KNOWN)


def test_what_is_missing_says_how_to_get_it(tmp_path):
    known = {"clothes": Known(digests(CLOTHES), package="dataset-clothes")}
    with pytest.raises(MissingError) as refused:
        load_dataset("clothes", tmp_path, download=False, known=known)
    assert str(refused.value).endswith(
        "run `python cli.py data --dataset clothes` to download it; to work offline run `python "
        "cli.py data --dataset clothes --from DIR` on the four files, or install the package "
        "dataset-clothes of Debian"
    )


def test_glyphs_are_kept_in_the_cache_and_verified(tmp_path, monkeypatch):
    said, kept = [], data_folder() / "glyphs"
    first = load_dataset("glyphs", log=said.append)
    assert f"kept in {kept}" in first.source and not parts(kept)
    with monkeypatch.context() as patch:
        patch.setattr(glyphs, "make", None)
        assert load_dataset("glyphs", log=said.append).digest == first.digest
    assert said == []
    assert "20 + 10 images, verified" in status("glyphs")
    write_idx(kept / f"{FILES[1]}.gz", DIGITS[1][::-1])
    with pytest.raises(DataError, match="damaged"):
        status("glyphs")
    assert load_dataset("glyphs", log=said.append).digest == first.digest
    assert "drawing the digits again" in said[0]
    assert status("glyphs")


def test_glyphs_are_not_made_beside_the_data_in_a_named_folder(tmp_path, monkeypatch):
    named = tmp_path / "named"
    put(named, DIGITS)
    monkeypatch.setenv("MINISGD_DATA", str(named))
    before = sorted(named.rglob("*"))
    first = load_dataset("glyphs")
    assert sorted(named.rglob("*")) == before and "cache" in first.source
    assert "cache" in status("glyphs", named)
    # An earlier version made them there. They are found there, and mended there.
    (tmp_path / "cache" / "minisgd" / "glyphs").rename(named / "glyphs")
    assert str(named) in load_dataset("glyphs", named).source
    write_idx(named / "glyphs" / f"{FILES[1]}.gz", DIGITS[1][::-1])
    assert load_dataset("glyphs", log=lambda line: None).digest == first.digest
    assert str(named) in status("glyphs") and not any(tmp_path.glob("cache/minisgd/*"))


def test_another_folder_of_the_name_is_neither_read_nor_written(tmp_path):
    other = tmp_path / "named" / "glyphs"
    other.mkdir(parents=True)
    (other / "readme").write_text("mine")
    assert "cache" in load_dataset("glyphs", tmp_path / "named").source
    assert "cache" in status("glyphs", tmp_path / "named")
    assert [path.name for path in other.iterdir()] == ["readme"]


@pytest.mark.parametrize("name", ["glyphs", "bent-glyphs"])
def test_where_a_named_folder_with_older_digits_is_read_only_the_cache_is_used(
    tmp_path, monkeypatch, name
):
    def read_only(path, array):
        if named in path.parents:
            raise StorageError("cannot write") from OSError(errno.EROFS, "Read-only file system")
        write_idx(path, array)

    named, said = tmp_path / "named", []
    (named / name).mkdir(parents=True)
    (named / name / "digests.json").write_text('{"recipe": 0}')
    monkeypatch.setattr(kept_glyphs, "write_idx", read_only)
    assert f"kept in {tmp_path / 'cache'}" in load_dataset(name, named, log=said.append).source
    monkeypatch.setattr(glyphs, "make", None)
    assert f"kept in {tmp_path / 'cache'}" in load_dataset(name, named, log=said.append).source
    assert "cache" in status(name, named) and said == []


def test_glyphs_are_made_in_the_named_folder_where_there_is_no_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_glyphs, "cache_folder", _no_home)
    assert str(tmp_path) in load_dataset("glyphs", tmp_path).source
    assert status("glyphs", tmp_path)


def _no_home():
    raise RuntimeError("Could not determine home directory.")


@pytest.mark.parametrize("name", ["glyphs", "bent-glyphs"])
@pytest.mark.parametrize("unreadable", ["digests.json", "images"])
def test_kept_glyphs_that_cannot_be_read_for_a_moment_are_not_drawn_again(
    monkeypatch, name, unreadable
):
    def refused(path, *_):
        raise PermissionError(errno.EACCES, "Permission denied")

    first = load_dataset(name)
    monkeypatch.setattr(glyphs, "make", None)
    with monkeypatch.context() as patch:
        if unreadable == "digests.json":
            patch.setattr(Path, "read_bytes", refused)
        else:
            patch.setattr(idx, "open", refused, raising=False)
        for call in (load_dataset, status):
            with pytest.raises(StorageError, match=rf"cannot read .*{unreadable}.*: Permission"):
                call(name)
    assert load_dataset(name).digest == first.digest


def test_a_cache_that_one_may_not_look_into_holds_no_glyphs(monkeypatch):
    """As that in root's home folder, which some containers leave in HOME."""
    kept, exists, stat = data_folder() / "glyphs", os.path.exists, Path.stat
    load_dataset("glyphs")

    def hidden(path, **options):
        if str(path).startswith(str(kept.parent)):
            raise PermissionError(errno.EACCES, "Permission denied")
        return stat(path, **options)

    monkeypatch.setattr(os.path, "exists", lambda path: path != kept and exists(path))
    monkeypatch.setattr(Path, "stat", hidden)
    said = []
    assert "not kept" in load_dataset("glyphs", log=said.append).source
    assert "Permission denied" in said[0]


@pytest.mark.parametrize(
    "note", ["", "{", "[]", "null", '{"recipe": 0}', "[" * 9999, '"x"', "\xff"]
)
def test_glyphs_of_another_recipe_or_unfinished_are_drawn_again(note):
    load_dataset("glyphs")
    (data_folder() / "glyphs" / "digests.json").write_text(note, encoding="latin-1")
    assert status("glyphs") is None
    load_dataset("glyphs")
    assert status("glyphs")


def test_bent_glyphs_are_mapped_and_verified(tmp_path):
    kept, named = data_folder() / "bent-glyphs", tmp_path / "named"
    drawn = load_dataset("bent-glyphs", named)
    assert isinstance(drawn.train.images, np.memmap) and not parts(kept)
    assert (kept / FILES[0]).exists() and not named.exists()  # not packed
    again = load_dataset("bent-glyphs", named)
    assert again.name == "bent-glyphs" and again.digest == drawn.digest
    assert again.digest != load_dataset("glyphs", named).digest
    write_idx(kept / FILES[1], DIGITS[1][::-1])
    with pytest.raises(DataError, match="damaged"):
        status("bent-glyphs", named)
    assert load_dataset("bent-glyphs", named, log=print).digest == drawn.digest


def test_bent_glyphs_that_cannot_be_kept_are_refused(tmp_path):
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(DataError, match=r"cannot be written .* XDG_CACHE_HOME"):
        load_dataset("bent-glyphs", log=print)


def test_glyphs_that_cannot_be_kept_are_used_all_the_same(tmp_path):
    (tmp_path / "cache").write_text("in the way")
    said = []
    found = load_dataset("glyphs", tmp_path / "named", log=said.append)
    assert found.name == "glyphs" and "not kept" in found.source
    assert "not kept" in said[0] and "XDG_CACHE_HOME" in said[0]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_read_only_folder_is_read(tmp_path):
    put(tmp_path, DIGITS)
    (tmp_path / "glyphs").mkdir()
    (tmp_path / "glyphs" / "digests.json").touch()
    (tmp_path / "glyphs").chmod(0o555)
    (tmp_path / "cache").mkdir()
    tmp_path.chmod(0o555)
    try:
        assert load_dataset("mnist", tmp_path, known=KNOWN).name == "mnist"
        assert "cache" in load_dataset("glyphs", tmp_path).source
    finally:
        tmp_path.chmod(0o755)
        (tmp_path / "glyphs").chmod(0o755)


def test_reading_writes_nothing(tmp_path, monkeypatch):
    put(tmp_path, DIGITS)
    for room in (loading, kept_glyphs):
        monkeypatch.setattr(room, "write_aside", None)
    monkeypatch.setattr(os, "replace", None)
    before = sorted(tmp_path.rglob("*"))
    load_dataset("auto", tmp_path, known=KNOWN)
    assert status("mnist", tmp_path, known=KNOWN).startswith("20 + 10 images, verified")
    assert status("fashion-mnist", tmp_path, known=KNOWN) is None
    assert sorted(tmp_path.rglob("*")) == before


def test_importing_the_room_does_not_import_matplotlib():
    code = "import sys, minisgd.data; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- import


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_import_copies_verified_files(tmp_path, ending):
    put(tmp_path / "mine", DIGITS, ending)
    found = import_files("mnist", tmp_path / "mine", tmp_path / "data", known=KNOWN)
    np.testing.assert_array_equal(found.train.images, DIGITS[0])
    copies = sorted(path.name for path in (tmp_path / "data" / "mnist").iterdir())
    assert copies == sorted(f"{file}{ending}" for file in FILES)
    import_files(
        "mnist", tmp_path / "data" / "mnist", tmp_path / "data", known=KNOWN
    )  # onto itself


def test_import_refuses_what_is_missing_wrong_or_nowhere(tmp_path):
    mine, target = tmp_path / "mine", tmp_path / "data"
    for source in (tmp_path / "nowhere", "~nobody/at/home", mine):
        with pytest.raises(DataError, match="holds no train-images"):
            import_files("mnist", source, target, known=KNOWN)
    put(mine, CLOTHES)
    with pytest.raises(DataError, match=r"belongs to fashion-mnist: SHA-256 .* not imported"):
        import_files("mnist", mine, target, known=KNOWN)
    for name in ("glyphs", "auto", "cifar"):
        with pytest.raises(SettingError, match=f"got '{name}'"):
            import_files(name, mine, target, known=KNOWN)
    assert not target.exists()
    target.mkdir()
    (target / "fashion-mnist").write_text("in the way")
    with pytest.raises(DataError, match="cannot be written"):
        import_files("fashion-mnist", mine, target, known=KNOWN)
    with pytest.raises(DataError, match="is a file: give the folder in which datasets are to be"):
        import_files("fashion-mnist", mine, target / "fashion-mnist", known=KNOWN)
