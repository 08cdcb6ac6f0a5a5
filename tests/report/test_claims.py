"""Claims held against made-up runs of which the verdict is known."""

import re

import pytest
from made_up_runs import MadeUpTrials, curve

from minisgd.disk.formats import DamagedError, write_json, write_table
from minisgd.report import answer, selection
from minisgd.report.answer import METHODS
from minisgd.report.answer_plan import plan
from minisgd.report.experiments import EXPERIMENTS, SIZES
from minisgd.report.judging import DEPENDS, FAILS, HOLDS, MISSING, UNDECIDED
from minisgd.report.verdicts import verdicts
from minisgd.settings import Settings


def test_the_batch_sizes_at_which_each_claim_is_tested(kept):
    for name, experiment in EXPERIMENTS.items():
        for b in SIZES:
            for n in range(sum(settings.batch_size == b for settings in experiment.settings)):
                kept.keep(name, {b: [curve(0.5)]}, n)
    sizes = {v.claim: re.findall(r"(?:^|; )(\d+):", v.observed) for v in verdicts(kept)}
    doubled = "128 256 512 1024 2048 4096 8192"
    expected = {
        "sqrt scaling keeps": f"64 {doubled}",
        "momentum improves": f"64 {doubled}",
        "at equal effective rate": f"64 {doubled}",
        "larger batches": doubled,
        "... and to a worse result": doubled,
        "... because": doubled,
        "the purpose": doubled,
        "... with sqrt": doubled,
        "... with linear scaling and": doubled,
        "... with momentum": doubled,
        "... with as large a rate": doubled,
        "linear is more efficient": "128 256 512 1024",
        "... and ends higher": "128 256 512 1024",
        "sqrt scaling makes": "2048 4096 8192",
        "... and so does linear": "2048 4096 8192",
        "beyond 1024": "2048 4096 8192",
        "gradual warmup": "2048 4096 8192",
        "nor does constant warmup": "2048 4096 8192",
        "sqrt is better": "4096 8192",
        "with it large batches": "4096 8192",
        "... and at 2048": "2048",
        "with it 2048": "2048",
        "... and 4096 is not": "4096",
        "raising the rate helps": "4096",
        "raising the rate makes": "8192",
        "scaling the momentum": "8192",
        "... and unstable": "8192",
        "rate and momentum by the sqrt rule": "8192",
        "... with m = .9": "4096 8192",
        "... with 1/(1-m)": "8192",
    }
    for beginning, listed in expected.items():
        (found,) = (sizes[claim] for claim in sizes if claim.startswith(beginning))
        assert (beginning, found) == (beginning, listed.split())
    assert sizes["... with linear scaling"] == doubled.split()
    (fewer,) = (v for v in verdicts(kept) if v.claim.startswith("... and what it adds"))
    assert "0 and 0 of 40 runs" in fewer.observed


def test_sizes_are_compared_with_the_smallest_and_medians_in_order(kept):
    falling = {b: [curve(0.9 - i / 20), curve(0.8 - i / 20)] for i, b in enumerate(SIZES)}
    kept.keep("figure1", falling)
    slower = kept.verdict_on("larger batches at a fixed rate")
    worse = kept.verdict_on("... and to a worse result")
    assert slower.verdict == worse.verdict == HOLDS
    assert worse.observed.startswith("128: 0.8 against 0.85, 10 of 10; 256: 0.75 against 0.85")
    others = f"{HOLDS} at 128, 512, 1024, 2048, 4096, 8192"
    for at_256, verdict in (
        ((0.95, 0.7), DEPENDS),  # above 64 in one seed
        ((0.95, 0.95), FAILS),  # in both
        ((0.86, 0.79), DEPENDS),  # below 64 in both, but not below 128
    ):
        kept.keep("figure1", {256: [curve(accuracy) for accuracy in at_256]})
        assert str(kept.verdict_on("... and to a worse result")) == f"{verdict} at 256; {others}"


def test_minima_are_compared_after_as_many_updates(kept):
    """A loss of .2 after epoch 15 of b/2, of .1 in the epochs around it, and the last of b."""

    def ends(loss):
        return curve(*[0.9] * 14, 0.8, *[0.9] * 14, 1 - loss)

    kept.keep("figure1", {b: [ends(0.21)] for b in SIZES})
    assert kept.verdict_on("... because").verdict == HOLDS
    kept.keep("figure1", {512: [ends(0.19)]})
    assert str(kept.verdict_on("... because")) == (
        f"{FAILS} at 512; {HOLDS} at 128, 256, 1024, 2048, 4096, 8192"
    )


def test_every_run_must_end_high(kept):
    kept.keep("figure2", {b: [curve(0.97), curve(0.9)] for b in SIZES})
    assert kept.verdict_on("sqrt scaling keeps").verdict == HOLDS
    kept.keep("figure2", {8192: [curve(0.97), curve(0.89)]})
    found = kept.verdict_on("sqrt scaling keeps")
    assert str(found) == f"{DEPENDS} at 8192; {HOLDS} at 64, 128, 256, 512, 1024, 2048, 4096"
    assert found.observed.endswith("8192: 0.93 (0.89 to 0.97), 5 of 10")


def test_sooner_and_higher_are_asked_seed_by_seed(kept):
    early, late, never = curve(0.5, 0.97), curve(0.5, 0.6, 0.97), curve(0.5)
    kept.keep("figure3", {b: [early, early] for b in SIZES[1:5]})
    kept.keep("figure2", {b: [late, never] for b in SIZES[1:5]})
    sooner = kept.verdict_on("linear is more efficient")
    assert sooner.verdict == HOLDS and "128: 2 against never, 10 of 10" in sooner.observed
    higher = kept.verdict_on("... and ends higher")
    assert higher.verdict == HOLDS and "5 of 5 (5 tell nothing)" in higher.observed  # .97 and .97
    kept.keep("figure2", {256: [early, late]})  # a tie and a win
    assert kept.verdict_on("linear is more efficient").verdict == HOLDS
    kept.keep("figure2", {256: [curve(0.97), late]})
    assert str(kept.verdict_on("linear is more efficient")) == (
        f"{DEPENDS} at 256; {HOLDS} at 128, 512, 1024"
    )


def test_a_pair_of_which_neither_gets_there_gives_no_answer(kept):
    kept.keep("figure1", {b: [curve(0.5)] for b in SIZES})
    kept.keep("figure2", {b: [curve(0.95 if b < 8192 else 0.5)] for b in SIZES})
    found = kept.verdict_on("sqrt scaling makes")
    assert str(found) == f"{HOLDS} at 2048, 4096; {UNDECIDED} at 8192"
    assert found.observed.endswith("8192: never against never, no seed tells")
    kept.keep("figure2", {b: [curve(0.5)] for b in SIZES})
    assert kept.verdict_on("sqrt scaling makes").verdict == UNDECIDED


def test_only_seeds_that_both_experiments_have_are_compared(kept):
    kept.keep("figure2", {b: [curve(0.97), curve(0.98)] * 3 + [curve(0.96)] for b in SIZES[5:]})
    kept.keep("figure3", {b: [curve(0.96), curve(0.97)] * 3 for b in SIZES[5:]})
    assert kept.verdict_on("... and at 2048").observed == "2048: 0.975 against 0.965, 6 of 6"


def test_that_none_learns_is_refuted_where_all_do(kept):
    learnt_once = curve(0.1, 0.95, 0.1)  # where it ends does not matter
    kept.keep("figure3", {2048: [curve(0.98)] * 3, 4096: [curve(0.1), learnt_once, curve(0.1)]})
    assert kept.verdict_on("beyond 1024").verdict == MISSING  # 8192 is not there
    kept.keep("figure3", {8192: [curve(0.1)] * 3})
    found = kept.verdict_on("beyond 1024")
    assert str(found) == f"{FAILS} at 2048; {DEPENDS} at 4096; {HOLDS} at 8192"
    assert "4096: 0.1 (0.1 to 0.95), 10 of 15" in found.observed
    kept.keep("figure3", {2048: [curve(0.1)] * 3})
    assert str(kept.verdict_on("beyond 1024")) == f"{DEPENDS} at 4096; {HOLDS} at 2048, 8192"


def test_that_there_is_no_gain_is_refuted_by_a_significant_one(kept):
    without = {b: [curve(0.1 + s / 100) for s in range(6)] for b in SIZES[5:]}
    kept.keep("figure3", without)
    kept.keep("figure4", without)
    claim = "gradual warmup gives no"
    assert kept.verdict_on(claim).verdict == HOLDS
    kept.keep("figure4", {4096: [curve(0.5)] * 6})  # all six better: p = 1/64 < .05/3
    found = kept.verdict_on(claim)
    assert str(found) == f"{FAILS} at 4096; {HOLDS} at 2048, 8192"
    assert "mean gain +0.375, p = 0.016 and 1 of 6" in found.observed
    kept.keep("figure4", {4096: [curve(0.5)] * 5 + [curve(0.14)]})  # one worse by .01
    assert str(kept.verdict_on(claim)) == f"{HOLDS} at 2048, 8192; {UNDECIDED} at 4096"


def test_few_seeds_cannot_show_that_there_is_no_gain(kept):
    """Of five seeds the smallest p-value is 1/32, above .05/3."""
    for name in ("figure3", "figure4"):
        kept.keep(name, {b: [curve(0.1)] * 5 for b in SIZES[5:]})
    assert kept.verdict_on("gradual warmup gives no").verdict == UNDECIDED


def test_to_learn_and_to_lose_it(kept):
    kept.keep("figure4", {4096: [curve(0.95, 0.1)], 8192: [curve(0.92, 0.97, 0.2)]})
    assert kept.verdict_on("with it large batches").verdict == HOLDS
    kept.keep("figure4", {8192: [curve(0.1)]})  # never learnt
    assert kept.verdict_on("with it large batches").verdict == FAILS


def test_the_two_runs_of_8192_in_figure_6_are_kept_apart(kept):
    steady, falls = curve(0.5, 0.97), curve(0.97, 0.9, 0.97)
    kept.keep("figure5", {8192: [steady, steady]})
    kept.keep("figure6", {8192: [steady, steady]}, n=0)
    kept.keep("figure6", {8192: [falls, falls]}, n=1)
    assert kept.verdict_on("raising the rate makes 8192").verdict == FAILS
    assert kept.verdict_on("... and unstable").verdict == HOLDS
    faster = kept.verdict_on("scaling the momentum instead")
    assert faster.verdict == HOLDS and faster.observed == "8192: 1 against 2, 10 of 10"
    kept.keep("figure5", {8192: [curve(0.97, 0.8, 0.97)] * 2})  # the control falls further
    assert kept.verdict_on("... and unstable").verdict == FAILS


def test_fewer_falls_are_counted_over_all_runs_and_judged_by_seed(kept):
    steady, falls = curve(0.9, 0.95), curve(0.9, 0.8, 0.95)
    kept.keep("figure5", {b: [steady, falls if b == 64 else steady] for b in SIZES})
    kept.keep("effective-rate", {b: [falls, steady] for b in SIZES})
    found = kept.verdict_on("... and what it adds")
    observed = "5 and 40 of 80 runs; fewer in 5 of 10 seeds, p = 0.62"
    assert (found.observed, found.verdict) == (observed, UNDECIDED)
    assert kept.verdict_on("at equal effective rate").verdict == HOLDS
    kept.keep("effective-rate", {b: [steady, steady] for b in SIZES})
    assert kept.verdict_on("... and what it adds").verdict == FAILS  # 5 seeds to 0
    kept.keep("figure5", {b: [falls] * 5 for b in SIZES})
    kept.keep("effective-rate", {b: [steady] * 5 for b in SIZES})
    assert kept.verdict_on("... and what it adds").verdict == FAILS


def keep_trials(kept, test_accuracies, asked=None, **more):
    """A tune.csv with the test accuracies {rate: (a seed each)} or {rate: {seed: accuracy}}."""
    trials = []
    for lr, test in test_accuracies.items():
        test = test if isinstance(test, dict) else dict(enumerate(test))
        trials.append(selection.Trial(Settings(lr=lr, **more), dict.fromkeys(test, 0.5), test))
    write_table(kept.folder / "tune.csv", selection.COLUMNS, selection.rows(trials))
    write_json(kept.folder / "tune.json", {"asked": {"digest": kept.digest} | (asked or {})})
    return trials


def test_a_table_of_tune_that_answers_another_question_is_not_taken_for_the_reports(kept):
    trials = keep_trials(kept, {0.01: (0.98, 0.97)})
    assert selection.read_trials(kept.folder, kept.digest) == trials
    assert selection.read_trials(kept.folder, "another dataset") == []
    keep_trials(kept, {0.01: (0.98, 0.97)}, asked={"momentum": 0.9, "optimizer": "nesterov"})
    assert selection.read_trials(kept.folder, kept.digest) == []


def test_a_row_of_tune_that_is_of_no_run_is_damage(kept):
    keep_trials(kept, {0.01: (0.98, 0.97)})
    path = kept.folder / "tune.csv"
    path.write_text(path.read_text().replace("0.97", ""))
    with pytest.raises(DamagedError, match=r"tune\.csv is damaged in line 3 \(a cell is empty\)"):
        selection.read_trials(kept.folder, kept.digest)
    path.write_text(path.read_text().replace("64,0.01,0.0,", "64,0.01,1.5,", 1))
    with pytest.raises(DamagedError, match=r"tune\.csv is damaged in line 2 \(the momentum must"):
        selection.read_trials(kept.folder, kept.digest)


NINE = {lr: (0.9, 0.9, 0.9) for lr in selection.RATES}


@pytest.mark.parametrize("wrong", ["0.", "nan", "-7\n", "97\n"])
def test_a_table_of_tune_that_is_cut_off_or_holds_no_accuracy_is_damaged(kept, wrong):
    keep_trials(kept, {0.01: (0.98, 0.97)})
    path = kept.folder / "tune.csv"
    path.write_text(path.read_text().removesuffix("0.97\n") + wrong)
    with pytest.raises(DamagedError, match=r"tune\.csv is damaged.* \(.*: bring back a copy"):
        selection.read_trials(kept.folder, kept.digest)


def test_the_rate_is_judged_by_the_table_of_tune(kept):
    some = {0.01: (0.98, 0.97, 0.97), 0.05: (0.95, 0.95, 0.95), 0.1: (0.96, 0.98, 0.96)}
    keep_trials(kept, NINE | some)
    found = kept.verdict_on("η0 = .01")
    assert found.verdict == DEPENDS
    assert found.observed == (
        "0.01: 0.97 (0.97 to 0.98); 0.1: 0.96 (0.96 to 0.98); 0.05: 0.95 (0.95 to 0.95); "
        "0.01 is first in 2 of 3"
    )
    keep_trials(kept, {lr: (1 - lr, 1 - lr, 1 - lr) for lr in selection.RATES})
    found = kept.verdict_on("η0 = .01")
    assert found.verdict == FAILS  # and the claim's own rate is shown after the best three
    assert found.observed.endswith(
        "0.005: 0.995 (0.995 to 0.995); 0.01: 0.99 (0.99 to 0.99); 0.01 is first in 0 of 3"
    )


FIRST = {0.01: (0.98, 0.98, 0.98)}  # in every seed


@pytest.mark.parametrize(
    "rates",
    [
        FIRST,
        {lr: test for lr, test in (NINE | FIRST).items() if lr != 0.5},
        {lr: test for lr, test in NINE.items() if lr != 0.01},
        {lr: test[:2] for lr, test in (NINE | FIRST).items()},
        NINE | {0.01: {2: 0.98, 3: 0.98, 4: 0.98}},
        NINE | {0.01: {3: 0.98, 4: 0.98, 5: 0.98}},
    ],
    ids=["one rate", "eight", "another eight", "two seeds", "one in common", "none in common"],
)
def test_the_rate_is_judged_by_all_rates_and_three_seeds_or_not_at_all(kept, rates):
    keep_trials(kept, NINE | FIRST)
    assert kept.verdict_on("η0 = .01").verdict == HOLDS
    keep_trials(kept, rates)
    assert kept.verdict_on("η0 = .01").verdict == MISSING


def test_a_table_of_tune_for_other_settings_or_data_does_not_count(kept):
    keep_trials(kept, NINE | FIRST, momentum=0.9)
    assert kept.verdict_on("η0 = .01").verdict == MISSING
    keep_trials(kept, NINE | FIRST, asked={"digest": "of another dataset"})
    assert kept.verdict_on("η0 = .01").verdict == MISSING


# -- beyond the report


@pytest.fixture
def tuned(kept):
    kept.experiments = EXPERIMENTS | plan(MadeUpTrials()).experiments
    return kept


def test_a_tuned_method_keeps_the_accuracy_of_its_own_small_batch(tuned):
    """Within .005 of 64 at every size up to 60,000; the others' runs do not count."""
    muon = list(METHODS).index("muon")
    close, far = curve(0.986), curve(0.984)
    runs = {b: [curve(0.99), curve(0.99)] if b == 64 else [close, close] for b in answer.SIZES}
    tuned.keep("answer", runs, muon)
    assert str(tuned.verdict_on("... by Muon")) == "holds"
    assert tuned.verdict_on("... by LAMB").verdict == "not tested"
    tuned.keep("answer", {60000: [close, far], 512: [far, far]}, muon)
    shown = str(tuned.verdict_on("... by Muon"))
    assert shown.startswith("does not hold at 512; depends on the seed at 60000; holds at 2048")


@pytest.mark.parametrize(
    ("claim", "scaled", "there"),
    [("numbers of Adam", 0, 1), ("a rate for every layer", 3, 4), ("... and without warmup", 2, 4)],
)
def test_scaled_numbers_must_be_as_good_as_those_tuned_there(tuned, claim, scaled, there):
    tuned.keep("answer-rules", {8192: [curve(0.99), curve(0.98)]}, there)
    tuned.keep("answer-rules", {8192: [curve(0.986), curve(0.99)]}, scaled)
    assert str(tuned.verdict_on(claim)) == "holds"
    tuned.keep("answer-rules", {8192: [curve(0.98), curve(0.99)]}, scaled)
    assert str(tuned.verdict_on(claim)) == "depends on the seed"
    tuned.keep("answer-rules", {8192: [curve(0.98), curve(0.97)]}, scaled)
    assert str(tuned.verdict_on(claim)) == "does not hold"


def test_a_growing_batch_must_keep_all_but_a_fifth_of_the_errors(tuned):
    """Within .002 of the falling rate at 64, 2048 and 8192; with neither it must be further off."""
    claims = "a batch that grows", "... and with neither"
    same = {b: [curve(0.99), curve(0.99)] for b in (64, 2048, 8192)}
    tuned.keep("answer-grown", same, 0)
    tuned.keep("answer-grown", {b: [curve(0.988), curve(0.992)] for b in same}, 1)
    tuned.keep("answer-grown", same, 2)
    assert [str(tuned.verdict_on(claim)) for claim in claims] == ["holds", "does not hold"]
    tuned.keep("answer-grown", {8192: [curve(0.9879), curve(0.9879)]}, 1)
    tuned.keep("answer-grown", {b: [curve(0.9879), curve(0.9)] for b in same}, 2)
    assert str(tuned.verdict_on(claims[0])) == "does not hold at 8192; holds at 64, 2048"
    assert str(tuned.verdict_on(claims[1])) == "holds"


def test_how_closely_the_accuracy_is_kept_is_told_beside_the_verdict(kept):
    kept.keep("figure1", {64: [curve(0.99), curve(0.991)], 128: [curve(0.989), curve(0.987)]})
    runs = {b: [curve(0.989), curve(0.987)] for b in SIZES[1:]}
    kept.keep("figure1", runs)
    found = kept.verdict_on("the purpose")
    assert found.verdict == HOLDS  # .001 and .004 below
    assert "; within 0.002 5 of 10 at 128, 5 of 10 at 256, " in found.observed


def test_it_is_told_against_64_at_its_best_as_well(tuned):
    """The best of what `answer` has at 64: .993 and .995 of Muon, .994 as the median."""
    tuned.keep("figure1", {64: [curve(0.99), curve(0.99)]})
    tuned.keep("figure1", {b: [curve(0.989), curve(0.987)] for b in SIZES[1:]})
    assert "at its best" not in tuned.verdict_on("the purpose").observed
    tuned.keep("answer", {64: [curve(0.993), curve(0.995)]}, list(answer.METHODS).index("muon"))
    tuned.keep("answer", {64: [curve(0.98), curve(0.98)]}, list(answer.METHODS).index("adam"))
    found = tuned.verdict_on("the purpose")
    assert "; within 0.005 of 64 at its best, 0.994, 5 of 10 at 128, " in found.observed
    assert found.verdict == HOLDS  # which is against 64 at η = .01
