"""Claims held against made-up results of which the verdict is known."""

from dataclasses import replace
from math import inf

import pytest

from minisgd.data import Dataset
from minisgd.lab import runs
from minisgd.report import selection, verdicts
from minisgd.report.experiments import EXPERIMENTS, SIZES, Kept
from minisgd.report.verdicts import (
    DEPENDS,
    FAILS,
    HOLDS,
    MISSING,
    UNDECIDED,
    agreed,
    chance,
    coin,
    overall,
)
from minisgd.settings import Settings
from minisgd.train import METRICS

MNIST = Dataset("mnist", None, None, "abc", "made up")


def curve(*accuracies, loss=None):
    """30 epochs with these test accuracies, the last one repeated, and 1 - accuracy for losses."""
    whole = (*accuracies, *[accuracies[-1]] * (30 - len(accuracies)))
    return [
        dict.fromkeys(METRICS, a)
        | {"train_loss": (1 - a) if loss is None else loss(i), "epoch": i, "seconds": 1.0}
        | {"lr": 0.1, "status": "ok"}
        for i, a in enumerate(whole, start=1)
    ]


@pytest.fixture
def kept(tmp_path):
    """Add runs with keep(name, {batch size: [a run a seed]}); then it is what `verdicts` takes."""
    kept = Kept(tmp_path)

    def keep(name, runs_by_size, n=0):
        for b, curves in runs_by_size.items():
            settings = [s for s in EXPERIMENTS[name].settings if s.batch_size == b][n]
            done = {replace(settings, seed=seed): records for seed, records in enumerate(curves)}
            kept.add(EXPERIMENTS[name], done, MNIST, {"command": "made up"})

    kept.keep = keep
    return kept


def verdict_on(kept, beginning):
    (found,) = [v for v in verdicts.verdicts(kept) if v.claim.startswith(beginning)]
    return found


def test_without_results_nothing_is_tested(kept):
    found = verdicts.verdicts(kept)
    assert len(found) == len(verdicts.CLAIMS) == 31
    assert {verdict.verdict for verdict in found} == {MISSING}


# -- from answers to words


def test_answers_agree_or_depend_on_the_seed():
    assert agreed([True, True]) == agreed([True, None]) == HOLDS
    assert agreed([False, False]) == agreed([None, False]) == FAILS
    assert agreed([True, False]) == DEPENDS
    assert agreed([None, None]) == agreed([]) == UNDECIDED
    assert agreed([True, None, None]) == agreed(iter([False, None, None])) == UNDECIDED


def test_a_claim_is_as_good_as_at_its_worst_size_and_says_which():
    assert overall({64: HOLDS, 128: HOLDS}) == (HOLDS, ())
    assert overall({64: HOLDS, 128: UNDECIDED}) == (HOLDS, ((HOLDS, (64,)), (UNDECIDED, (128,))))
    assert overall({64: HOLDS, 128: DEPENDS}) == (DEPENDS, ((DEPENDS, (128,)), (HOLDS, (64,))))
    both = (FAILS, (128, 256)), (DEPENDS, (64,))
    assert overall({64: DEPENDS, 128: FAILS, 256: FAILS}) == (FAILS, both)
    assert overall({64: UNDECIDED}) == (UNDECIDED, ())
    shown = verdicts.Verdict("c", "Sec. I", "t", "s", FAILS, both)
    assert str(shown) == "does not hold at 128, 256; depends on the seed at 64"


def test_the_chance_of_a_mean_difference_is_exact():
    """Of the four signs of (1, 2), only ++ sums to 3; +- and -+ give -1 and 1."""
    assert chance([1, 2]) == 1 / 4
    assert chance([-1, 2]) == 2 / 4
    assert chance([-1, -2]) == 1
    assert chance([0.1] * 5) == 1 / 32
    assert chance([0.0, 0.0]) == 1


def test_the_chance_of_many_differences_is_drawn():
    """Twenty seeds: 2^20 signs are too many. By hand: p = 1/2 of a single one that is not 0."""
    assert chance([1] + [0] * 19) == pytest.approx(0.5, abs=0.01)
    assert 0 < chance([1] * 20) < 1e-4
    assert chance([1, -1] * 10) == chance([1, -1] * 10)


def test_the_chance_of_a_coin_is_exact():
    assert coin(0, 0) == coin(0, 3) == 1
    assert coin(3, 3) == 1 / 8 and coin(2, 3) == 4 / 8
    assert coin(5, 5) == 1 / 32


# -- statistics of one run


def test_statistics_of_a_run_by_hand():
    run = curve(0.1, 0.3, 0.2, 0.8, 0.95, 0.91, 0.98)
    assert verdicts.best(run) == 0.98 == verdicts.late(run)
    assert verdicts.late(curve(*[0.9] * 27, 0.1, 0.8, 0.2)) == 0.8  # of .9 .9 .1 .8 .2
    assert verdicts.early_loss(run) == pytest.approx(0.05)
    assert verdicts.loss_after(4)(run) == 0.8
    # Between epoch 3 at .2 and epoch 4 at .8, half-way.
    assert verdicts.epochs_to(0.5)(run) == pytest.approx(3.5)
    assert verdicts.epochs_to(0.5)(curve(0.9)) == pytest.approx(0.5)  # from 1/10 at the start
    assert verdicts.epochs_to(0.99)(run) == inf
    # The fall from .3 to .2 is on the flat start, before .5.
    assert verdicts.largest_fall(run) == pytest.approx(0.04)
    assert verdicts.largest_fall(curve(0.1, 0.3, 0.2)) == 0
    assert verdicts.peak_lost(curve(0.95, 0.2)) == pytest.approx(0.75)
    assert verdicts.peak_lost(curve(0.85, 0.2)) == 0


def test_a_run_that_diverged_never_got_there():
    records = curve(0.5)[:3]
    records[-1] |= dict.fromkeys(METRICS) | {"status": "diverged"}
    assert verdicts.late(records) == 0 and verdicts.best(records) == 0.5
    assert verdicts.epochs_to(0.97)(records) == inf
    assert verdicts.largest_fall(records) == 1 and verdicts.early_loss(records) == inf
    assert verdicts.loss_after(30)(records) == verdicts.loss_after(3)(records) == inf
    assert verdicts.peak_lost(records) == 0


# -- rules


def test_an_order_is_asked_of_the_smallest_and_of_the_medians(kept):
    falling = {b: [curve(0.9 - i / 20), curve(0.8 - i / 20)] for i, b in enumerate(SIZES)}
    kept.keep("figure1", falling)
    slower = verdict_on(kept, "larger batches at a fixed rate")
    worse = verdict_on(kept, "... and to a worse result")
    assert slower.verdict == worse.verdict == HOLDS
    assert worse.seen.startswith("128: 0.8 against 0.85, 2 of 2; 256: 0.75 against 0.85, 2 of 2")
    kept.keep("figure1", {256: [curve(0.95)]})  # above 64 in one seed
    assert (
        str(verdict_on(kept, "... and to a worse result"))
        == f"{DEPENDS} at 256; {HOLDS} at 128, 512, 1024, 2048, 4096, 8192"
    )
    kept.keep("figure1", {256: [curve(0.95), curve(0.95)]})  # in both
    assert (
        str(verdict_on(kept, "... and to a worse result"))
        == f"{FAILS} at 256; {HOLDS} at 128, 512, 1024, 2048, 4096, 8192"
    )
    # Below 64 in both, but not below 128.
    kept.keep("figure1", {256: [curve(0.86), curve(0.79)]})
    assert (
        str(verdict_on(kept, "... and to a worse result"))
        == f"{DEPENDS} at 256; {HOLDS} at 128, 512, 1024, 2048, 4096, 8192"
    )


def test_a_minimum_is_judged_after_as_many_updates(kept):
    """The made-up test loss is .2 after 15 epochs of b, and the last number after 30 of 2b."""
    ends = lambda loss: curve(*[0.2] * 29, loss)  # noqa: E731
    kept.keep("figure1", {b: [ends(0.9)] for b in SIZES})
    assert verdict_on(kept, "... because").verdict == HOLDS
    kept.keep("figure1", {512: [ends(0.1)]})
    assert str(verdict_on(kept, "... because")) == (
        f"{FAILS} at 512; {HOLDS} at 128, 256, 1024, 2048, 4096, 8192"
    )


def test_every_run_must_end_high(kept):
    kept.keep("figure2", {b: [curve(0.97), curve(0.9)] for b in SIZES})
    assert verdict_on(kept, "sqrt scaling keeps").verdict == HOLDS
    kept.keep("figure2", {8192: [curve(0.97), curve(0.89)]})
    found = verdict_on(kept, "sqrt scaling keeps")
    assert str(found) == f"{DEPENDS} at 8192; {HOLDS} at 64, 128, 256, 512, 1024, 2048, 4096"
    assert found.seen.endswith("8192: 0.93 (0.89 to 0.97), 1 of 2")


def test_sooner_and_higher_are_asked_seed_by_seed(kept):
    early, late, never = curve(0.5, 0.97), curve(0.5, 0.6, 0.97), curve(0.5)
    kept.keep("figure3", {b: [early, early] for b in SIZES[1:5]})
    kept.keep("figure2", {b: [late, never] for b in SIZES[1:5]})
    sooner = verdict_on(kept, "linear is more efficient")
    assert sooner.verdict == HOLDS and "128: 2 against never, 2 of 2" in sooner.seen
    assert verdict_on(kept, "... and ends higher").verdict == HOLDS  # .97 = .97 says nothing
    kept.keep("figure2", {256: [early, late]})  # a tie and a win
    assert verdict_on(kept, "linear is more efficient").verdict == HOLDS
    kept.keep("figure2", {256: [curve(0.97), late]})
    assert str(verdict_on(kept, "linear is more efficient")) == (
        f"{DEPENDS} at 256; {HOLDS} at 128, 512, 1024"
    )


def test_two_that_never_get_there_say_nothing(kept):
    kept.keep("figure1", {b: [curve(0.5)] for b in SIZES})
    kept.keep("figure2", {b: [curve(0.95 if b < 8192 else 0.5)] for b in SIZES})
    assert str(verdict_on(kept, "sqrt scaling makes")) == (
        f"{HOLDS} at 2048, 4096; {UNDECIDED} at 8192"
    )
    kept.keep("figure2", {b: [curve(0.5)] for b in SIZES})
    assert verdict_on(kept, "sqrt scaling makes").verdict == UNDECIDED


def test_a_size_at_which_all_learn_refutes_that_none_does(kept):
    learnt_once = curve(0.1, 0.95, 0.1)  # what it ends at does not matter
    kept.keep("figure3", {2048: [curve(0.98)] * 3, 4096: [curve(0.1), learnt_once, curve(0.1)]})
    assert verdict_on(kept, "beyond 1024").verdict == MISSING  # 8192 is not there
    kept.keep("figure3", {8192: [curve(0.1)] * 3})
    found = verdict_on(kept, "beyond 1024")
    assert str(found) == f"{FAILS} at 2048; {DEPENDS} at 4096; {HOLDS} at 8192"
    assert "4096: 0.1 (0.1 to 0.95), 2 of 3" in found.seen
    kept.keep("figure3", {2048: [curve(0.1)] * 3})
    assert str(verdict_on(kept, "beyond 1024")) == f"{DEPENDS} at 4096; {HOLDS} at 2048, 8192"


def test_a_significant_gain_refutes_that_there_is_none(kept):
    without = {b: [curve(0.1 + s / 100) for s in range(6)] for b in SIZES[5:]}
    kept.keep("figure3", without)
    kept.keep("figure4", without)
    claim = "gradual warmup gives no"
    assert verdict_on(kept, claim).verdict == HOLDS
    kept.keep("figure4", {4096: [curve(0.5)] * 6})  # all six better: p = 1/64 < .05/3
    found = verdict_on(kept, claim)
    assert (
        str(found) == f"{FAILS} at 4096; {HOLDS} at 2048, 8192" and "p = 0.016 of 6" in found.seen
    )
    kept.keep("figure4", {4096: [curve(0.5)] * 5 + [curve(0.14)]})  # one worse by .01
    assert verdict_on(kept, claim).verdict == HOLDS
    kept.keep("figure4", {4096: [curve(0.105 + s / 100) for s in range(6)]})  # better by .005
    assert verdict_on(kept, claim).verdict == HOLDS


def test_with_few_seeds_no_gain_can_be_denied(kept):
    for name in ("figure3", "figure4"):
        kept.keep(name, {b: [curve(0.1)] * 5 for b in SIZES[5:]})
    assert verdict_on(kept, "gradual warmup gives no").verdict == UNDECIDED


def test_to_learn_and_lose_it(kept):
    kept.keep("figure4", {4096: [curve(0.95, 0.1)], 8192: [curve(0.92, 0.97, 0.2)]})
    assert verdict_on(kept, "with it large batches").verdict == HOLDS
    kept.keep("figure4", {8192: [curve(0.1)]})  # never learnt
    assert verdict_on(kept, "with it large batches").verdict == FAILS


def test_the_two_runs_of_8192_in_figure_6_are_told_apart(kept):
    steady, falls = curve(0.5, 0.97), curve(0.97, 0.9, 0.97)
    kept.keep("figure5", {8192: [steady, steady]})
    kept.keep("figure6", {8192: [steady, steady]}, n=0)
    kept.keep("figure6", {8192: [falls, falls]}, n=1)
    assert verdict_on(kept, "raising the rate makes 8192").verdict == FAILS
    assert verdict_on(kept, "... and unstable").verdict == HOLDS
    faster = verdict_on(kept, "scaling the momentum instead")
    assert faster.verdict == HOLDS and faster.seen == "8192: 1 against 2, 2 of 2"
    kept.keep("figure5", {8192: [curve(0.97, 0.8, 0.97)] * 2})  # the control falls further
    assert verdict_on(kept, "... and unstable").verdict == FAILS


def test_the_largest_batch_that_is_as_good(kept):
    kept.keep("figure5", {64: [curve(0.99)], 2048: [curve(0.987)], 4096: [curve(0.98)]})
    assert verdict_on(kept, "with it 2048 is as good").verdict == HOLDS
    assert verdict_on(kept, "... and 4096 is not").verdict == HOLDS
    kept.keep("figure5", {4096: [curve(0.986)]})
    assert verdict_on(kept, "... and 4096 is not").verdict == FAILS


def test_fewer_falls_are_counted_over_all_runs(kept):
    steady, falls = curve(0.9, 0.95), curve(0.9, 0.8, 0.95)
    kept.keep("figure5", {b: [steady, falls if b == 64 else steady] for b in SIZES})
    kept.keep("effective-rate", {b: [falls, steady] for b in SIZES})
    found = verdict_on(kept, "... and what it adds")  # 8 to 1: (9 + 1) of 2^9
    assert (found.seen, found.verdict) == ("1 and 8 of 16 runs, p = 0.02", HOLDS)
    assert verdict_on(kept, "at equal effective rate").verdict == HOLDS
    kept.keep("effective-rate", {b: [steady, steady] for b in SIZES})
    assert verdict_on(kept, "... and what it adds").verdict == UNDECIDED  # 1 to 0
    kept.keep("figure5", {b: [falls] for b in SIZES})
    assert verdict_on(kept, "... and what it adds").verdict == FAILS


def test_the_rate_is_judged_by_the_table_of_tune(kept):
    def tune(**more):
        tried = [
            selection.Tried(Settings(lr=lr, **more), {0: 0.5, 1: 0.5}, {0: a, 1: b})
            for lr, a, b in ((0.001, 0.9, 0.9), (0.01, 0.98, 0.97), (0.1, 0.96, 0.99))
        ]
        path = kept.folder / "tune.csv"
        runs.write_table(path, selection.COLUMNS, selection.rows(tried))
        assert selection.read_tried(kept.folder) == tried

    tune()
    found = verdict_on(kept, "η0 = .01")
    assert found.verdict == DEPENDS and found.seen.endswith("0.01 is first in 1 of 2")
    tune(momentum=0.9)  # of another question
    assert verdict_on(kept, "η0 = .01").verdict == MISSING


# -- shown


def test_the_tables_have_every_claim(kept):
    kept.keep("figure2", {b: [curve(0.97)] for b in SIZES})
    found = verdicts.verdicts(kept)
    markdown = verdicts.markdown_table(found)
    assert len(markdown) == 2 + len(found) and {row.count("|") for row in markdown} == {4}
    lines = verdicts.table(found)
    assert max(map(len, lines)) <= 120
    words = " ".join(" ".join(lines).split())
    assert "sqrt scaling keeps all" in words and "not tested" in words and "1 of 1" in words
