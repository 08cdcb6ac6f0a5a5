"""What the tests of the face to Python share: a place of their own, and runs on few images."""

import pytest

import minisgd
from minisgd.lab import own


@pytest.fixture(autouse=True)
def apart(monkeypatch, tmp_path):
    """Every test in an empty folder, with temporary files and data of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.delenv("MINISGD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield
    own.forget()


@pytest.fixture
def train(small_data):
    """minisgd.train on the small dataset, a batch an epoch."""
    few = {"dataset": small_data, "batch_size": 640, "epochs": 2, "device": "cpu"}
    return lambda **given: minisgd.train(**few | given)


@pytest.fixture
def sweep(small_data):
    """minisgd.sweep on the small dataset."""
    few = {"dataset": small_data, "batch_sizes": (320, 640), "epochs": 2, "device": "cpu"}
    return lambda **given: minisgd.sweep(**few | {"jobs": 2} | given)
