"""What is seen along a run of linear scaling: held against the run itself, and by hand."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisgd.measures import MEASURES, curvature
from minisgd.measures.common import Landscape, generator
from minisgd.measures.curvature import COLUMNS, LEAST, Look
from minisgd.measures.curvature_shown import summed_up
from minisgd.measures.following import followed, network_at, passed, thrown
from minisgd.model import LeNet5
from minisgd.settings import Settings
from minisgd.train import Run, train


@pytest.fixture(autouse=True)
def few_batches(monkeypatch):
    monkeypatch.setattr(curvature, "SHARPENED", 200)


def look(data, settings, window=(0.0, 1.0)):
    return Look(settings, data, 1, window, subset=40, probe=40)


# -- following


@pytest.mark.parametrize(
    ("spreads", "left", "back"),
    [
        ([0.05, 0.3, 0.49], [], []),  # never out
        ([0.05, 0.6, 0.09, 0.3, 0.2], [1], [2]),  # thrown, and not out again
        ([0.6, 0.11, 0.6, 0.09], [0], [3]),  # .11 is not far enough down
        ([0.6, 0.05, 0.01, 0.7, 0.02, 0.9], [0, 3, 5], [1, 4]),  # thrown twice; it ends outside
    ],
)
def test_leaving_and_being_thrown_by_hand(spreads, left, back):
    assert thrown(spreads) == (left, back)


@given(st.lists(st.floats(0, 2)), st.floats(0.5, 1), st.floats(0, 0.5))
def test_every_throw_follows_a_leaving(spreads, out, back):
    left, at = thrown(spreads, out, back)
    assert len(left) - len(at) in (0, 1)
    both = sorted(left + at)
    assert both[::2] == left and both[1::2] == at and len(set(both)) == len(both)


def test_following_does_not_change_the_run(data):
    settings = Settings(100, lr=0.3, epochs=2)
    run = Run(settings, data)
    moments = list(followed(run))
    *_, (_, alone) = train(settings, data)
    assert np.array_equal(run.model.w, alone.w) and [m.t for m in moments] == list(range(8))
    for before, after in pairwise(moments):
        assert np.array_equal(before.after, after.before)


def test_a_network_whose_units_are_off_is_seen_to_be_dead(data):
    model, images, labels = LeNet5(seed=0), data.train.images[:40], data.train.labels[:40]
    alive = network_at(model.w, images, labels)
    assert alive["dead_fc"] < 0.5 and alive["dead_conv1"] <= 1 / 6
    model.params["conv1.b"][:3] = -1e6
    assert network_at(model.w, images, labels)["dead_conv1"] == 0.5
    model.params["conv2.b"][:4] = -1e6
    model.params["fc1.b"][...] = -1e6
    dead = network_at(model.w, images, labels)
    assert (dead["dead_conv1"], dead["dead_conv2"]) == (0.5, 0.25) and dead["dead_fc"] > 0.58
    assert dead["spread"] < 1e-6 < alive["spread"] < alive["logits"]
    _, on = passed(model.w, images)
    assert [len(layer) for layer in on] == [6, 16, 120, 84]
    assert on[0].tolist() == [False] * 3 + [True] * 3 and not on[2].any()


# -- looking


def test_every_update_within_the_window_is_looked_at(data):
    """16 updates at .01 to .1: those with a sum from .3 to .6, and the first."""
    settings = Settings(100, rule="none", lr=0.1, epochs=4)
    rows = look(data, settings, (0.3, 0.6)).rows()
    assert [row["update"] for row in rows] == [0, 3, 4, 5, 6, 7, 8, 9, 10]  # LEAST besides it
    assert LEAST == 8 and rows[1]["rate_sum"] == pytest.approx(0.3)
    long = look(data, settings, (0.0, 1.2)).rows()
    assert [row["update"] for row in long] == list(range(13))
    assert all(list(row) == COLUMNS for row in rows)


def test_the_numbers_of_a_look_are_those_of_the_run(data):
    settings = Settings(100, rule="linear", warmup="gradual", warmup_epochs=2, epochs=2)
    rows = look(data, settings).rows()
    run, rate_sum = Run(settings, data), 0.0
    chosen = generator(0, 6).permutation(400)
    f = Landscape(data.train.images[chosen[:40]], data.train.labels[chosen[:40]], 1)
    for epoch in (1, 2):
        for t, lr, batch in run.batches(epoch):
            row, w = rows[t], run.model.weights()
            assert row["lr"] == lr and row["bound"] == 2 / lr and row["epoch"] == t / 4
            assert row["rate_sum"] == pytest.approx(rate_sum)
            assert row["length"] == pytest.approx(np.linalg.norm(w))
            run.update(t, lr, batch)
            assert row["step"] == pytest.approx(np.linalg.norm(run.model.w - w), rel=1e-5)
            assert row["step"] == pytest.approx(lr * row["gradient"], rel=1e-3)
            g = f(w.astype(float))[1]
            u = g / np.linalg.norm(g)  # λ is at least what any direction has
            assert row["eigenvalue"] + row["eigenvalue_error"] > u @ f.hessian(w).product(u)
            rate_sum += lr
    seen = network_at(LeNet5(0).w, data.train.images[:40], data.train.labels[:40])
    assert {k: rows[0][k] for k in seen} == pytest.approx(seen, rel=1e-4)
    assert rows[0]["spread_other_images"] != rows[0]["spread"]


def test_the_critical_rate_is_where_the_batchs_loss_is_back(data):
    (first, *_) = look(data, Settings(100, rule="linear", epochs=3)).rows()
    _, _, batch = next(Run(Settings(100, rule="linear", epochs=1), data).batches(1))
    f = Landscape(data.train.images[batch], data.train.labels[batch], 1)
    w = LeNet5(0, dtype=np.float64).w
    before, g = f(w)
    assert f.loss(w - 0.97 * first["critical_low"] * g) <= before
    assert f.loss(w - 1.03 * first["critical_high"] * g) > before


def test_what_a_run_meets_is_summed_up_by_hand():
    names = "update loss spread eigenvalue bound eigenvalue_kinks lr critical_low step rate_sum"
    seen = [
        (5, 2.25, 0.2, 10.0, 20.0, 14.0, 0.1, 0.2, 0.1, 1.0),
        (6, 2.1, 0.8, 60.0, 20.0, 61.0, 0.1, 0.05, 0.9, 1.1),
        (7, 2.6, 0.05, 20.0, 20.0, 30.0, 0.1, 0.0, 0.2, 1.2),  # every step raises its loss
    ]
    run = [dict(zip(names.split(), row, strict=True)) for row in seen]
    for row, dead in zip(run, (0.0, 0.25, 0.5), strict=True):
        row |= {"dead_conv1": 0.0, "dead_conv2": dead, "dead_fc": 0.1}
    s = summed_up(run)
    assert (s["exit"], s["exit_lr"]) == (1.1, 0.1) and s["thrown"] == [1.2]
    assert (s["top"], s["over"], s["top_at"], s["kinks"]) == (60, 3, 1.1, 61)
    assert s["critical"] == pytest.approx(2) and s["step"] == 0.9 and s["loss"] == 2.6
    assert s["dead"] == [0, 0.5, 0.1]


def test_the_measure_shows_all_runs_and_looks_at_none_twice(data):
    kept = {}

    def remember(name, asked, compute):
        kept[name] = kept.get(name) or compute()
        return kept[name]

    which = {"sizes": (100, 200), "warmups": ("none",), "seeds": 2, "window": (0.0, 0.1),
             "subset": 30, "probe": 20, "remember": remember}  # fmt: skip
    log = []
    found = MEASURES["curvature"](data, 3, 1, log.append, **which)
    assert list(kept) == ["none-100-3", "none-100-4", "none-200-3", "none-200-4"]
    assert len(found.rows) == sum(map(len, kept.values())) and len(log) == 4
    assert len(found.table) == 1 + 4 + 3 and "Before the first update λ is" in found.table[-2]
    assert len(found.plots) == 3 and len(found.plots[0].curves) == 5  # the limit, too
    assert "b = 200 does not leave" in found.text
    kept = {name: rows[:3] for name, rows in kept.items()}
    again = MEASURES["curvature"](data, 3, 1, log.append, **which)
    assert len(again.rows) == 12


def test_a_run_that_diverges_is_looked_at_up_to_there(data):
    rows = look(data, Settings(100, lr=1e6, epochs=3), (0.0, 1e8)).rows()
    assert 0 < len(rows) < 12 and all(np.isfinite(row["loss"]) for row in rows)
