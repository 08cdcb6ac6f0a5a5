"""A few of the faults that `python tests/endurance.py --faults` tries one by one."""

import pytest
from endurance import make_data
from power_loss import power_losses
from system_calls import Faults, commands, library


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    work = tmp_path_factory.mktemp("system-calls")
    built, why = library(work)
    if built is None:
        pytest.skip(f"no system call can be made to fail: {why}")
    make_data(work / "data")
    return Faults(built, commands(work / "data")["train"], work)


@pytest.mark.parametrize(
    ("kind", "share"),
    [("kill -9", 0.45), ("ENOSPC", 0.65), ("short", 0.5)],
)
def test_a_system_call_that_fails_costs_nothing(faults, kind, share):
    assert faults.calls > 50
    assert faults.one(round(faults.calls * share), kind) is None
    assert not faults.missed


def test_a_power_loss_costs_no_epoch_that_was_told(faults, tmp_path):
    made, count, losses = power_losses(faults.work / "data", tmp_path, step=29)
    assert made > 60 and count >= 6 and losses == []
