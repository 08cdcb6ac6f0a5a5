"""Runs in which one thing is different: that it is, and nothing else."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from minisgd.disk.formats import remembered
from minisgd.measures import MEASURES, survival
from minisgd.measures.following import passed
from minisgd.measures.survival import Change, Walk, kinds, shorten, watched
from minisgd.measures.survival_shown import file_name
from minisgd.settings import Settings
from minisgd.train import Run, train

LIVELY = Settings(100, lr=0.5, epochs=3)


def watch(data, settings, change=None, rates=None):
    return watched(Run(settings, data), change or Change(), 40, rates)


def walked(data, settings, change, rates=None):
    """The Walk at the end, and the weights before every update and at last."""
    run = Run(settings, data)
    walk, weights = Walk(run, change, 40, rates), [run.model.weights()]
    for epoch in range(1, settings.epochs + 1):
        for t, lr, batch in run.batches(epoch):
            walk.update(t, lr, batch)
            weights.append(run.model.weights())
    return walk, weights


def test_a_run_without_a_change_is_that_of_train(data):
    row = watch(data, LIVELY)
    *_, (record, _) = train(LIVELY, data)
    assert row["accuracy"] == record["test_accuracy"] and row["diverged"] is None
    assert row["rates"] == [0.5] * 12


def test_steps_that_are_shortened_keep_their_direction(data):
    run, lengths = Run(LIVELY, data), []
    for epoch in (1, 2, 3):
        for t, lr, batch in run.batches(epoch):
            last = run.model.weights()
            run.update(t, lr, batch)
            wanted = run.model.weights()
            assert shorten(run.model.w, last, None) == np.linalg.norm(wanted - last)
            assert np.array_equal(run.model.w, wanted)
            length = shorten(run.model.w, last, 0.25)
            free, made = wanted - last, run.model.w - last
            assert made @ free == pytest.approx(np.linalg.norm(made) * np.linalg.norm(free))
            assert length == min(0.25, np.linalg.norm(free))
            assert np.linalg.norm(made) == pytest.approx(length, rel=1e-4)
            lengths.append(np.linalg.norm(free))
    assert min(lengths) < 0.25 < max(lengths)  # both happen


def test_a_capped_run_makes_no_longer_step_and_its_rates_make_it_again(data):
    walk, weights = walked(data, LIVELY, Change(0.25))
    lengths = [np.linalg.norm(b - a) for a, b in pairwise(weights)]
    assert max(lengths) == pytest.approx(0.25, rel=1e-4) and walk.longest <= 0.25
    assert min(walk.used) < 0.5 and max(walk.used) == 0.5
    _, same = walked(data, LIVELY, Change(0.25, rates=True), rates=walk.used)
    np.testing.assert_allclose(same[-1], weights[-1], atol=1e-3)
    other, _ = walked(data, replace(LIVELY, seed=1), Change(0.25, rates=True), rates=walk.used)
    assert other.used == pytest.approx(walk.used) and other.longest != walk.longest


@pytest.mark.parametrize("until", ["left", "learnt"])
def test_steps_are_free_again_from_where_it_is_said(data, until, monkeypatch):
    """Whatever the images are: the third update is taken for the one where it leaves, or learns."""
    spreads = iter([0.1, 0.1, 0.6] + [0.1] * 20)
    if until == "left":
        seen = survival.network_at
        monkeypatch.setattr(survival, "network_at", lambda *a: seen(*a) | {"spread": next(spreads)})
    else:
        made = Run.update
        monkeypatch.setattr(
            Run, "update", lambda run, t, *a: (made(run, t, *a)[0], 90 if t == 2 else 89)
        )
    walk, weights = walked(data, replace(LIVELY, lr=2.0), Change(0.01, until))
    lengths = [np.linalg.norm(b - a) for a, b in pairwise(weights)]
    free = next(t for t, length in enumerate(lengths) if length > 0.011)
    after = walk.used[free:]  # it may diverge once it is free
    assert after and after == pytest.approx([2.0] * len(after)) and walk.cap is None
    assert max(walk.used[:free]) < 2.0
    assert free == 3


def test_dead_units_get_their_first_weights_back(data):
    run = Run(LIVELY, data)
    first, walk = run.model.weights(), Walk(run, Change(revived=True), 40, None)
    w = run.model.params
    w["conv2.W"][...] += 0.01
    w["conv2.b"][:5] = -1e6
    kept = w["conv2.W"][5:].copy()
    walk.revive()
    _, on = passed(run.model.w, walk.probe)
    assert on[1].all()
    fresh = dict(zip(w, np.split(first, np.cumsum([v.size for v in w.values()])[:-1]), strict=True))
    assert np.array_equal(w["conv2.W"][:5], fresh["conv2.W"].reshape(16, 6, 5, 5)[:5])
    assert np.array_equal(w["conv2.b"][:5], fresh["conv2.b"][:5])
    assert np.array_equal(w["conv2.W"][5:], kept)


def test_a_calm_run_waits_for_the_sum_of_its_rates(data, monkeypatch):
    """η = .5: .03125 until the sum is .1, after four updates; then up within 2 epochs of 4."""
    monkeypatch.setattr(survival, "CALM", 0.1)
    settings = Settings(100, lr=0.5, rule="linear", base_batch_size=100, warmup_epochs=2, epochs=4)
    used = watch(data, settings, Change(calm=True))["rates"]
    assert used[:4] == [1 / 32] * 4
    assert used[4] == pytest.approx(1 / 32 + 15 / 32 / 8) and used[11:] == [0.5] * 5
    np.testing.assert_allclose(np.diff(used[3:12]), 15 / 32 / 8)


def test_the_rates_of_a_run_that_diverged_go_on_with_the_last(data):
    walk, _ = walked(data, LIVELY, Change(0.25, rates=True), rates=[0.1, 0.2])
    assert walk.used == pytest.approx([0.1] + [0.2] * 11) and walk.longest > 0


def test_a_run_that_diverges_is_told(data):
    row = watch(data, Settings(100, lr=1e6, epochs=3))
    assert row["diverged"] == len(row["rates"]) > 0 and row["accuracy"] == 0


def test_the_runs_that_are_compared():
    runs = kinds(5, 10)
    assert sum(n for _, _, n in runs.values()) == 8 * 10 + 2 * 10 * 5 + 3 * 5
    for (_, b), (settings, change, _) in runs.items():
        assert settings.batch_size == b and settings.rule == "linear"
        assert not (change.until and change.rates)
    assert len({file_name(kind) for kind, _ in runs}) == len({kind for kind, _ in runs})
    assert all("/" not in file_name(kind) for kind, _ in runs)


CAPPED, REPLAYED = "no step over 0.25", "the rates of a run with no step over 0.25"


def few(seeds, more):
    """The kinds of a run without a change, of one with a cap, and of one with the other's rates."""
    return {
        ("no warmup", 100): (LIVELY, Change(), more),
        (REPLAYED, 100): (LIVELY, Change(0.25, rates=True), seeds),
        (CAPPED, 100): (LIVELY, Change(0.25), seeds),
    }


def measure(data, seed, remember, seeds=2, more_seeds=3):
    how = {"remember": remember, "kinds": few, "probe": 40}
    return MEASURES["survival"](
        data, seed, 1, lambda line: None, **how, seeds=seeds, more_seeds=more_seeds
    )


def test_a_run_with_the_rates_of_another_is_made_again_where_these_are_others(data, tmp_path):
    """Of two seeds the second has the rates of the first; from the next seed on it is the first,
    and has those of a third.
    """

    def rows(seed, folder):
        return measure(
            data, seed, lambda name, *rest: remembered(tmp_path / folder / name, *rest), 2, 1
        ).rows

    rows(0, "kept")
    assert rows(1, "kept") == rows(1, "afresh")


def test_what_is_kept_was_made_with_the_same_constants(data, monkeypatch):
    asked, row = [], watch(data, replace(LIVELY, epochs=1))

    def remember(_, question, compute):
        asked.append(json.dumps(question))
        return [row]

    lower = survival.THRESHOLDS | {"thrown_low": (0.2, 0.1)}
    changes = {"LEARNT": 0.5, "CALM": 1.0, "SHARE": 0.5, "THRESHOLDS": lower}
    for name, value in ({"CAP": survival.CAP} | changes).items():  # the first changes nothing
        with monkeypatch.context() as patch:
            patch.setattr(survival, name, value)
            measure(data, 0, remember, 0, 1)
    assert len(asked) == len(set(asked)) == 5


def test_the_measure_uses_the_rates_of_the_next_seed_and_says_what_lives(data):
    kept = {}

    def remember(name, asked, compute):
        assert name not in kept
        kept[name] = compute()
        return kept[name]

    found = measure(data, 0, remember)
    assert len(found.rows) == 7 and all(set(row) == set(found.columns) for row in found.rows)
    for k in (0, 1):
        (its,), (of,) = (kept[f"{file_name(kind)}-100-{seed}"] for kind, seed in
                         ((REPLAYED, k), (CAPPED, 1 - k)))  # fmt: skip
        assert its["rates"] == pytest.approx(of["rates"])
    assert len(found.table) == 1 + 3 + 1 and "no warmup" in found.text
    figure = found.draw(found.title, "NOT MNIST")
    assert figure.axes[0].get_yticklabels()[0].get_text() == "100: no warmup"
