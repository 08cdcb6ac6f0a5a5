"""Claims held against made-up results of which the verdict is known."""

from dataclasses import replace
from math import inf

import pytest

from minisgd import verdicts
from minisgd.experiments import EXPERIMENTS, SIZES, Kept
from minisgd.train import METRICS
from minisgd.verdicts import DEPENDS, FAILS, HOLDS, MISSING, agreed, at_every_size, chance


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
            kept.add(EXPERIMENTS[name], done, {"dataset": "mnist", "digest": "abc"})

    kept.keep = keep
    return kept


def verdict_on(kept, beginning):
    (found,) = [v for v in verdicts.verdicts(kept) if v.claim.startswith(beginning)]
    return found


def test_without_results_nothing_is_tested(kept):
    found = verdicts.verdicts(kept)
    assert len(found) == len(verdicts.CLAIMS) == 19
    assert {verdict.verdict for verdict in found} == {MISSING}


def test_answers_agree_or_depend_on_the_seed():
    assert agreed([True, True]) == HOLDS
    assert agreed([False, False]) == FAILS
    assert agreed([True, False]) == DEPENDS
    assert at_every_size([HOLDS, HOLDS]) == HOLDS
    assert at_every_size([HOLDS, DEPENDS]) == DEPENDS
    assert at_every_size([DEPENDS, FAILS, HOLDS]) == FAILS


def test_the_chance_of_a_mean_difference_is_exact():
    """Of the four signs of (1, 2), only ++ sums to 3; +- and -+ give -1 and 1."""
    assert chance([1, 2]) == 1 / 4
    assert chance([-1, 2]) == 2 / 4
    assert chance([-1, -2]) == 1
    assert chance([0.1] * 5) == 1 / 32
    assert chance([0.0, 0.0]) == 1


def test_an_order_must_hold_in_every_seed(kept):
    falling = {b: [curve(0.9 - i / 20), curve(0.8 - i / 20)] for i, b in enumerate(SIZES)}
    kept.keep("figure1", falling)
    slower = verdict_on(kept, "larger batches at a fixed rate")
    worse = verdict_on(kept, "... and to a worse result")
    assert slower.verdict == worse.verdict == HOLDS
    assert worse.seen == "medians 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5"
    kept.keep("figure1", {256: [curve(0.95)]})
    assert verdict_on(kept, "... and to a worse result").verdict == DEPENDS
    kept.keep("figure1", {256: [curve(0.95), curve(0.95)]})
    assert verdict_on(kept, "... and to a worse result").verdict == FAILS


def test_a_train_loss_that_still_falls_is_not_at_its_minimum(kept):
    kept.keep("figure1", {b: [curve(0.5, loss=lambda i: 0.9**i)] for b in SIZES[4:]})
    assert verdict_on(kept, "... because").verdict == FAILS
    kept.keep("figure1", {b: [curve(0.5, loss=lambda i: 0.999**i)] for b in SIZES[4:]})
    found = verdict_on(kept, "... because")
    assert found.verdict == HOLDS and "1024: 0.001 (0.001 to 0.001), 1 of 1" in found.seen


def test_every_run_must_end_high(kept):
    kept.keep("figure2", {b: [curve(0.97), curve(0.9)] for b in SIZES})
    assert verdict_on(kept, "sqrt scaling keeps").verdict == HOLDS
    kept.keep("figure2", {8192: [curve(0.97), curve(0.89)]})
    assert verdict_on(kept, "sqrt scaling keeps").verdict == DEPENDS


def test_sooner_and_higher_are_asked_seed_by_seed(kept):
    early, late, never = curve(0.5, 0.98), curve(0.5, 0.6, 0.99), curve(0.5)
    kept.keep("figure3", {b: [early, early] for b in SIZES[1:5]})
    kept.keep("figure2", {b: [late, never] for b in SIZES[1:5]})
    sooner = verdict_on(kept, "linear is more efficient")
    assert sooner.verdict == HOLDS and "128: 2 and never, 2 of 2" in sooner.seen
    assert verdict_on(kept, "... and ends higher").verdict == DEPENDS  # .98 > .5, but < .99
    kept.keep("figure2", {256: [early, late]})
    assert verdict_on(kept, "linear is more efficient").verdict == DEPENDS


def test_a_size_at_which_all_learn_refutes_that_none_does(kept):
    kept.keep("figure3", {2048: [curve(0.98)] * 3, 4096: [curve(0.1), curve(0.95), curve(0.1)]})
    assert verdict_on(kept, "beyond 1024").verdict == MISSING  # 8192 is not there
    kept.keep("figure3", {8192: [curve(0.1)] * 3})
    found = verdict_on(kept, "beyond 1024")
    assert found.verdict == FAILS and "4096: 0.1 (0.1 to 0.95), 2 of 3" in found.seen
    kept.keep("figure3", {2048: [curve(0.1)] * 3})
    assert verdict_on(kept, "beyond 1024").verdict == DEPENDS


def test_a_significant_gain_refutes_that_there_is_none(kept):
    without = {b: [curve(0.1 + s / 100) for s in range(5)] for b in SIZES[5:]}
    kept.keep("figure3", without)
    kept.keep("figure4", without)
    assert verdict_on(kept, "gradual warmup gives no").verdict == HOLDS
    kept.keep("figure4", {4096: [curve(0.5)] * 5})  # all five better: p = 1/32
    found = verdict_on(kept, "gradual warmup gives no")
    assert found.verdict == FAILS and "p = 0.031" in found.seen
    kept.keep("figure4", {4096: [curve(0.5)] * 4 + [curve(0.13)]})  # one worse by .01
    assert verdict_on(kept, "gradual warmup gives no").verdict == HOLDS


def test_to_learn_and_lose_it(kept):
    kept.keep("figure4", {4096: [curve(0.95, 0.1)], 8192: [curve(0.92, 0.97, 0.2)]})
    assert verdict_on(kept, "with it large batches").verdict == HOLDS
    kept.keep("figure4", {8192: [curve(0.1)]})  # never learnt
    assert verdict_on(kept, "with it large batches").verdict == FAILS


def test_the_two_runs_of_8192_in_figure_6_are_told_apart(kept):
    steady, falls = curve(0.5, 0.97), curve(0.98, 0.9, 0.98)
    kept.keep("figure6", {8192: [steady, steady]}, n=0)
    kept.keep("figure6", {8192: [falls, falls]}, n=1)
    assert verdict_on(kept, "raising the rate makes 8192").verdict == FAILS
    assert verdict_on(kept, "... and very unstable").verdict == HOLDS
    faster = verdict_on(kept, "scaling the momentum instead")
    assert faster.verdict == HOLDS and faster.seen == "8192: 1 and 2, 2 of 2"


def test_fewer_falls_are_counted_over_all_runs(kept):
    steady, falls = curve(0.9, 0.95), curve(0.9, 0.8, 0.95)
    kept.keep("figure5", {b: [steady, falls if b == 64 else steady] for b in SIZES})
    kept.keep("effective-rate", {b: [falls, steady] for b in SIZES})
    found = verdict_on(kept, "... and what it adds")
    assert (found.seen, found.verdict) == ("1 and 8 of 16 runs", HOLDS)
    assert verdict_on(kept, "at equal effective rate").verdict == HOLDS


def test_a_run_that_diverged_never_got_there(kept):
    records = curve(0.5)[:3]
    records[-1] |= dict.fromkeys(METRICS) | {"status": "diverged"}
    assert verdicts.final(records) == 0 and verdicts.soon(records) == inf
    assert verdicts.largest_fall(records) == 1 and verdicts.early_loss(records) == inf
    assert verdicts.peak_lost(records) == 0 == verdicts.descent(records)
    late = curve(0.5)[:20]
    late[-1] |= dict.fromkeys(METRICS) | {"status": "diverged"}
    assert verdicts.descent(late) == 0
