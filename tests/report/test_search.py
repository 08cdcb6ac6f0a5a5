"""Searching several numbers at once: the ranges, the trials, the halving, the edges."""

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisgd.drawing import chart
from minisgd.errors import SettingError, UserError
from minisgd.report import search_shown
from minisgd.report.search import (
    Range,
    Search,
    edges_told,
    halve,
    lengths,
    trials_of,
    value_of,
    winner,
)
from minisgd.report.selection import Trial
from minisgd.settings import Settings

BASE = Settings(8192, optimizer="nesterov", momentum=0.9, clip=1.0, epochs=30)
RANGES = (Range("effective_lr", 0.1, 10), Range("momentum", 0.8, 0.98), Range("clip", 0.1, 2))
needs_scipy = pytest.mark.skipif(
    subprocess.run([sys.executable, "-c", "import scipy.stats"]).returncode != 0,
    reason="SciPy, which draws the trials, is not installed",
)


def test_a_range_is_even_on_a_logarithmic_scale():
    lr = Range("lr", 0.01, 1)
    assert [lr.at(x) for x in (0, 0.25, 0.5, 1)] == [0.01, 0.0316, 0.1, 1]


def test_of_a_momentum_the_distance_from_one_counts():
    """1 - m from .2 to .002: halfway is √(.2 .002) = .02."""
    assert [Range("momentum", 0.8, 0.998).at(x) for x in (0, 0.5, 1)] == [0.8, 0.98, 0.998]
    assert Range("beta2", 0.9, 0.999).at(0.5) == 0.99


def test_whole_numbers_stay_whole():
    assert Range("warmup_updates", 1, 100).at(0.5) == 10
    assert isinstance(Range("warmup_updates", 1, 100).at(0.3), int)


@given(st.floats(0, 1), st.sampled_from(RANGES))
def test_a_value_tells_its_place(x, each):
    if each.name == "effective_lr":
        settings = replace(BASE, lr=each.at(x) * (1 - BASE.momentum))
    else:
        settings = replace(BASE, **{each.name: each.at(x)})
    assert each.place(settings) == pytest.approx(x, abs=0.02)  # three digits


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("batch_size", 1, 2), "'batch_size' is no number to search: give one of lr, momentum"),
        (("rule", 1, 2), "'rule' is no number"),
        (("lr", 0.1, 0.1), "above 0 to a larger one, got lr=0.1:0.1"),
        (("lr", 0.0, 0.1), "above 0 to a larger one, got lr=0:0.1"),
        (("lr", 0.1, math.inf), "got lr=0.1:inf"),
        (("lr", math.nan, 1.0), "got lr=nan:1"),
        (("momentum", 0.5, 1.0), "a larger one and below 1, got momentum=0.5:1"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(given, said):
    with pytest.raises(SettingError, match=said):
        Range(*given)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(base=replace(BASE, epochs=3)), "3 epochs cannot be halved 2 times: give more epochs"),
        (dict(ranges=(Range("trust", 0.1, 1),)), r"trust means nothing to these runs \(nesterov"),
        (dict(ranges=(Range("warmup_updates", 1, 9),)), "warmup_updates means nothing to these"),
        (
            dict(base=replace(BASE, warmup="gradual", warmup_epochs=10)),
            "a warmup of 10 epochs is longer than the run of 8",
        ),
        (dict(ranges=(RANGES[1], RANGES[1])), "two ranges of momentum"),
        (dict(ranges=(RANGES[0], Range("lr", 1, 2))), "both lr and effective_lr have a range"),
        (dict(trials=3), "3 trials cannot be halved 2 times"),
        (
            dict(base=replace(BASE, warmup="ramp", warmup_updates=5),
                 ranges=(Range("warmup_updates", 0.1, 9),)),
            "a warmup needs at least 1 update",
        ),
    ],
)  # fmt: skip
def test_a_search_that_makes_no_sense_is_refused(changes, said):
    with pytest.raises(SettingError, match=said):
        Search(**dict(base=BASE, ranges=RANGES) | changes)


@needs_scipy
def test_trials_are_spread_over_all_ranges_at_once():
    """Every third of every range has trials, and the same search draws the same ones."""
    candidates = Search(BASE, RANGES, trials=12).candidates()
    assert candidates == Search(BASE, RANGES, trials=12).candidates()
    places = np.array([[each.place(c) for each in RANGES] for c in candidates])
    assert places.min() > -0.01 and places.max() < 1.01
    for column in places.T:
        assert np.histogram(column, 3, (0, 1))[0].min() >= 3
    assert all(c.batch_size == 8192 and c.optimizer == "nesterov" for c in candidates)
    first = candidates[0]
    assert value_of("effective_lr", first) == pytest.approx(first.lr / (1 - first.momentum))


def test_without_scipy_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(UserError, match=r"SciPy, which is not installed: python -m pip install"):
        Search(BASE, RANGES).candidates()


def test_a_short_run_is_a_half_or_a_quarter_of_the_whole():
    assert lengths(30, 2) == [8, 15, 30]
    assert lengths(30, 0) == [30] and lengths(1, 2) == [1, 1, 1]


def candidates(*rates):
    return [Settings(64, lr=lr, epochs=30) for lr in rates]


def test_the_better_half_goes_on_to_runs_twice_as_long():
    """The closer to .3 the better; whoever is best after 8 epochs need not be after 30."""
    asked = []

    def run(cells):
        asked.append([(c.lr, c.epochs) for c in cells])
        good = {c: 1 - abs(c.lr - (0.3 if c.epochs == 30 else 0.2)) for c in cells}
        return {c: [{"test_accuracy": 0.0}, {"test_accuracy": good[c]}] for c in cells}

    rivals = {"a": candidates(0.1, 0.2, 0.3, 0.4, 0.5), "b": candidates(0.25)}
    ends = halve(run, rivals, seeds=(0,), halvings=2)
    assert asked == [
        [(0.1, 8), (0.2, 8), (0.3, 8), (0.4, 8), (0.5, 8), (0.25, 8)],
        [(0.1, 15), (0.2, 15), (0.3, 15), (0.25, 15)],
        [(0.1, 30), (0.2, 30), (0.25, 30)],
    ]
    trials = {search: trials_of(these) for search, these in ends.items()}
    assert [t.settings.epochs for t in trials["a"]] == [8] * 5 + [15] * 3 + [30] * 2
    best = winner(trials["a"])
    assert (best.settings.lr, best.settings.epochs, best.median) == (0.2, 30, pytest.approx(0.9))
    assert winner(trials["b"]).settings.lr == 0.25


def test_equal_candidates_are_one():
    """Rounded to three digits, two draws may be the same."""

    def run(cells):
        return {c: [{"test_accuracy": c.lr}] for c in cells}

    rivals = {"": candidates(0.1, 0.1, 0.2, 0.3)}
    ends = halve(run, rivals, (0,), 1)[""]
    assert [(c.lr, c.epochs) for c, _ in ends] == [
        (0.1, 15), (0.2, 15), (0.3, 15), (0.2, 30), (0.3, 30),
    ]  # fmt: skip


def test_the_median_over_seeds_decides_and_a_divergence_is_nothing():
    scores = {(0.1, 0): 0.9, (0.1, 1): None, (0.1, 2): None, (0.2, 0): 0.5, (0.2, 1): 0.5}

    def run(cells):
        return {c: [{"test_accuracy": scores.get((c.lr, c.seed), 0.6)}] for c in cells}

    (ends,) = halve(run, {"": candidates(0.1, 0.2)}, (0, 1, 2), 1).values()
    first, second, last = trials_of(ends)
    assert first.validation == {0: 0.9, 1: 0.0, 2: 0.0} and (first.median, second.median) == (
        0,
        0.5,
    )
    assert last.settings.lr == 0.2


def test_a_winner_at_the_end_of_a_range_is_told():
    best = replace(BASE, lr=0.1, momentum=0.8, clip=0.5)  # η/(1-m) = .5, in the middle
    (clause,) = edges_told(best, RANGES)
    assert clause == "the best momentum, 0.8, is at the edge of its range, 0.8 to 0.98"
    search = Search(BASE, RANGES)
    lines, advice = search_shown.table(search, [Trial(best, {0: 0.9})])
    assert lines[-1] == "chosen on held-out images: effective_lr 0.5, momentum 0.8, clip 0.5"
    (sentence,) = advice
    assert sentence.startswith("The best momentum, 0.8, is at the edge of its range, 0.8 to 0.98")


def test_the_panels_show_the_trials_near_the_best_and_the_text_counts_the_others():
    search = Search(BASE, RANGES[1:])
    trials = [
        Trial(replace(BASE, momentum=m, epochs=epochs), {0: accuracy})
        for m, epochs, accuracy in ((0.8, 8, 0.2), (0.85, 8, 0.95), (0.9, 8, 0.96), (0.9, 15, 0.97))
    ]
    momentum, clip = search_shown.plots(search, trials)
    assert (momentum.title, clip.title) == ("momentum", "clip")
    assert {c.label: (c.x, c.y) for c in momentum.curves} == {
        "8 epochs": ((0.85, 0.9), (0.95, 0.96)), "15 epochs": ((0.9,), (0.97,)),
        "chosen": ((0.9,), (0.97,)),
    }  # fmt: skip
    assert search_shown.text(trials) == "1 of 4 trials ended more than 0.06 below the best."
    assert search_shown.text(trials[1:]) == ""
    chart((momentum, clip), "a title")
