"""A few of the faults that `python tests/endurance.py --faults` tries one by one."""

import pytest
from endurance import make_data
from forks import Forks
from power_loss import PowerLosses
from system_calls import Faults, Mirror, commands, library

from minisgd.page.library import available


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("system-calls")
    built, why = library(folder)
    if built is None:
        pytest.skip(f"no system call can be made to fail: {why}")
    make_data(folder / "data")
    return folder


@pytest.fixture(scope="module")
def small(work):
    mirror = Mirror(work / "data")
    yield commands(work / "data", mirror)
    mirror.server.shutdown()
    mirror.server.server_close()


@pytest.fixture(scope="module")
def forks(work):
    made = Forks(work / "faults", work / "system_calls.c.so")
    yield made
    made.end()


@pytest.mark.parametrize(
    ("name", "kind", "share"),
    [
        ("train", "short", 0.5),
        ("sweep", "kill -9", 0.45),
        ("page", "EIO", 0.5),
        ("figures", "kill -9", 0.9),
        ("tune", "ENOSPC", 0.8),
        ("download", "kill -9", 0.4),
    ],
)
def test_a_system_call_that_fails_costs_nothing(small, forks, name, kind, share):
    if name == "page" and not available():
        pytest.skip("the library that draws pages is not installed")
    faults = Faults(forks, small[name], forks.work / name)
    assert len(faults.calls) > 100
    places = faults.places(kind, 1)
    assert faults.one(places[round(len(places) * share)], kind) is None
    assert not faults.missed


def test_a_power_loss_costs_nothing_that_was_told(work, small):
    built, _ = library(work, "trace.c")
    power = PowerLosses(built, "download", small["download"], work / "power")
    count, losses = power.all(step=19)
    # A body that comes in more pieces takes more writes.
    assert power.made > 30 and count >= 6 and count % 3 == 0 and losses == []
