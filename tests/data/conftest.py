"""What the tests of datasets share."""

import pytest
from small_sets import arrays

from minisgd.data import glyphs


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """The test does not see this machine's data, and does not draw 70,000 digits."""
    monkeypatch.delenv("MINISGD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(glyphs, "make", lambda log=None, bent=1.0: tuple(arrays(3 + (bent > 1))))
