"""What an update costs: a row for every optimizer, and what the measuring does to the weights."""

import sys
import time

import fake_cupy
import numpy as np
import pytest

from minisgd.machine import updates
from minisgd.optim import OPTIMIZERS, Optimizer


@pytest.fixture
def quick(monkeypatch):
    """A single turn a round, and the fewest steps in a row."""
    monkeypatch.setattr(updates, "SECONDS", 0)
    monkeypatch.setattr(updates, "IN_A_ROW", 2)


def measured(data, sizes=(64,), rounds=2, device="cpu"):
    return updates.measure(data, sizes, rounds, lambda line: None, device)


def test_every_optimizer_has_a_row_and_every_batch_size_a_column(small_data, quick):
    rows = measured(small_data, (64, 200), rounds=3)
    names = [*OPTIMIZERS, "clip"]
    assert [(r["batch_size"], r["update"]) for r in rows] == [
        (size, name) for size in (64, 200) for name in names
    ]
    for row in rows:
        assert len(row["share"]) == len(row["update_seconds"]) == 3
        assert 0 < min(row["share"]) <= max(row["share"]) < 1
    _, head, *lines, takes = updates.table(rows)
    assert head.split() == ["batch", "size", "64", "200"]
    assert [line.split()[0] for line in lines] == names
    assert all(line.count("%") == 2 for line in lines)
    assert [each.split()[-2] for each in takes.split(",")] == names


def test_the_share_is_that_of_an_epoch_with_its_smaller_last_batch():
    class Run:
        class settings:
            batch_size = 40

        N, per_epoch = 100, 3

    row = updates.row(Run, "sgd", [{None: 4.0, "sgd": 2.0}])
    assert row["share"] == [3 * 2 / (3 * 2 + 2.5 * 4)]


def test_a_slow_optimizer_takes_a_larger_share(small_data, quick, monkeypatch):
    def slow(w, g, memory, lr, t, settings, shapes):
        time.sleep(0.002)

    monkeypatch.setitem(OPTIMIZERS, "slow", Optimizer(slow))
    rows = {row["update"]: row for row in measured(small_data)}
    assert min(rows["slow"]["update_seconds"]) >= 0.002
    assert np.median(rows["slow"]["share"]) > np.median(rows["sgd"]["share"])
    assert any(line.startswith("  slow ") for line in updates.table(list(rows.values())))


def test_every_optimizer_starts_from_the_same_weights(small_data, quick, monkeypatch):
    """One that throws the weights away, before and after the others, spoils no step of theirs."""
    seen = []

    def spoil(w, g, memory, lr, t, settings, shapes):
        w[...] = np.nan

    def watch(w, g, memory, lr, t, settings, shapes):
        seen.append((w.copy(), g.copy()))

    for name, step in ("spoils", spoil), ("watches", watch):
        monkeypatch.setitem(OPTIMIZERS, name, Optimizer(step))
    measured(small_data, rounds=3)
    for w, g in seen:
        assert np.array_equal(w, seen[0][0]) and np.isfinite(w).all()
        assert np.isfinite(g).all() and g.any()


def test_on_a_gpu_it_waits_for_the_device_around_every_step(small_data, quick, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy.module())
    monkeypatch.setattr(fake_cupy, "waits", 0)
    rows = measured(small_data, rounds=1, device="cuda")
    steps = (updates.IN_A_ROW * len(rows) + 1) * 2  # a round to warm up, and one that counts
    assert fake_cupy.waits >= 2 * steps and all(0 < row["share"][0] < 1 for row in rows)
