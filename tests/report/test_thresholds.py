"""Every threshold of the claims, from both sides.

A test accuracy is counted on 10,000 images and so moves in steps of .0001. The runs here lie at a
threshold or one step to either side of it.
"""

import pytest
from made_up_runs import curve

from minisgd.report.experiments import SIZES
from minisgd.report.judging import FAILS, HOLDS, UNDECIDED
from minisgd.report.verdicts import verdicts

STEADY = curve(0.97)


@pytest.mark.parametrize(
    ("accuracy", "verdict", "opposite"), [(0.9, HOLDS, FAILS), (0.8999, FAILS, HOLDS)]
)
def test_an_accuracy_of_90_percent_is_learnt(kept, accuracy, verdict, opposite):
    kept.keep("figure2", {b: [curve(accuracy)] for b in SIZES})
    assert kept.verdict_on("sqrt scaling keeps").verdict == verdict
    kept.keep("figure3", {b: [curve(0.1, accuracy, 0.1)] for b in SIZES[5:]})
    assert kept.verdict_on("beyond 1024").verdict == opposite


def test_convergence_is_the_epoch_of_90_percent(kept):
    kept.keep("figure1", {b: [curve(0.8999, 0.8999, 0.8999, 0.9)] for b in SIZES})
    for name, claim in (("figure2", "sqrt scaling makes"), ("figure3", "... and so does linear")):
        kept.keep(name, {b: [curve(0.1, 0.1, 0.9)] for b in SIZES})
        found = kept.verdict_on(claim)
        assert found.verdict == HOLDS and "8192: 3 against 4, 5 of 5" in found.observed


@pytest.mark.parametrize(
    ("claim", "sizes", "faster", "slower"),
    [
        ("linear is more efficient", SIZES[1:5], ("figure3", 0), ("figure2", 0)),
        ("raising the rate helps", (4096,), ("figure6", 0), ("figure5", 0)),
        ("scaling the momentum instead", (8192,), ("figure6", 1), ("figure6", 0)),
        ("rate and momentum by the sqrt rule", (8192,), ("figure6", 1), ("figure5", 0)),
    ],
)
def test_the_end_of_convergence_is_the_epoch_of_97_percent(kept, claim, sizes, faster, slower):
    for (name, n), run in ((faster, (0.1, 0.1, 0.97)), (slower, (*[0.9699] * 3, 0.97))):
        kept.keep(name, {b: [curve(*run)] for b in sizes}, n)
    found = kept.verdict_on(claim)
    assert found.verdict == HOLDS and found.observed.endswith(f"{sizes[-1]}: 3 against 4, 5 of 5")


@pytest.mark.parametrize(("claim", "n"), [("raising the rate makes", 0), ("... and unstable", 1)])
@pytest.mark.parametrize(
    ("run", "verdict"),
    [
        ((0.97, 0.9501, 0.97), FAILS),  # falls by .0199
        ((0.97, 0.9499, 0.97), HOLDS),  # by .0201
        ((0.5, 0.4, 0.97), HOLDS),  # by .1 from an accuracy of .5
        ((0.4999, 0.4, 0.97), FAILS),  # by .1 before one of .5
    ],
)
def test_a_fall_of_2_percent_after_one_half_is_an_instability(kept, claim, n, run, verdict):
    kept.keep("figure5", {8192: [STEADY]})
    kept.keep("figure6", {8192: [curve(*run)]}, n)
    assert kept.verdict_on(claim).verdict == verdict


@pytest.mark.parametrize(
    ("to", "counted"), [(0.9501, "0 and 0 of 48 runs"), (0.9499, "0 and 48 of 48 runs")]
)
def test_a_fall_of_2_percent_is_counted(kept, to, counted):
    kept.keep("figure5", {b: [STEADY] * 6 for b in SIZES})
    kept.keep("effective-rate", {b: [curve(0.97, to, 0.97)] * 6 for b in SIZES})
    assert kept.verdict_on("... and what it adds").observed.startswith(counted)


@pytest.mark.parametrize(
    ("below", "verdict", "opposite"), [(0.0049, HOLDS, FAILS), (0.0051, FAILS, HOLDS)]
)
def test_accuracies_within_half_a_percent_are_the_same(kept, below, verdict, opposite):
    best, worse = curve(0.99), curve(0.99 - below)
    kept.keep("figure1", {b: [best if b == 64 else worse] for b in SIZES})
    for name in ("figure2", "figure3", "figure4", "figure5"):
        kept.keep(name, {b: [best if b == 64 else worse] for b in SIZES})
    kept.keep("effective-rate", {b: [worse if b == 64 else best] for b in SIZES})  # to either side
    found = {v.claim: str(v) for v in verdicts(kept)}
    (first,) = (i for i, claim in enumerate(found) if claim.startswith("the purpose"))
    kept_by = list(found.values())[first : first + 6]
    assert kept_by == [verdict] * 5 + [HOLDS]
    assert found["with it 2048 is as good as any"] == verdict
    assert found["... and 4096 is not"] == opposite
    equal = "at equal effective rate, momentum ends the same (not tested in the text)"
    assert found[equal] == verdict


def test_half_a_percent_below_is_the_same_whatever_its_binary_fraction(kept):
    """.975 - .97 is .0050000000000000044."""
    assert 0.975 - 0.97 > 0.005
    kept.keep("figure1", {b: [curve(0.975 if b == 64 else 0.97)] for b in SIZES})
    assert kept.verdict_on("the purpose").verdict == HOLDS


CLAIMS_OF_NO_GAIN = pytest.mark.parametrize(
    ("claim", "name"),
    [("gradual warmup gives no", "figure4"), ("nor does constant", "constant-warmup")],
)


@pytest.mark.parametrize(("gain", "verdict"), [(0.0101, FAILS), (0.0099, HOLDS)])
@CLAIMS_OF_NO_GAIN
def test_a_mean_gain_of_1_percent_matters(kept, claim, name, gain, verdict):
    """Six seeds that all gain as much: p = 1/64, whether it is above 0 or below .01."""
    kept.keep("figure3", {b: [curve(0.5)] * 6 for b in SIZES[5:]})
    kept.keep(name, {b: [curve(0.5 + gain)] * 6 for b in SIZES[5:]})
    assert kept.verdict_on(claim).verdict == verdict


@pytest.mark.parametrize(("more", "verdict"), [(0.1, FAILS), (0.04, UNDECIDED)])
@CLAIMS_OF_NO_GAIN
def test_a_gain_at_three_sizes_is_significant_from_a_third_of_5_percent(
    kept, claim, name, more, verdict
):
    """Ten seeds gain .02 five times, lose .04 once, and gain .1 three times and `more` once.

    A choice of signs has at least the observed mean if what turns negative sums to .04 or less:
    nothing, one .02 (5 ways), two of them (10), or the .04: 17 of 1024, which is below .05/3. A
    gain of .04 is one way more: 18 of 1024, above.
    """
    gains = [0.02] * 5 + [-0.04] + [0.1] * 3 + [more]
    kept.keep("figure3", {b: [curve(0.5)] * 10 for b in SIZES[5:]})
    kept.keep(name, {b: [curve(0.5 + gain) for gain in gains] for b in SIZES[5:]})
    found = kept.verdict_on(claim)
    assert found.verdict == verdict
    assert f"p = {17 / 1024 if verdict == FAILS else 18 / 1024:.2g} and " in found.observed


@CLAIMS_OF_NO_GAIN
def test_a_gain_that_is_not_significant_is_not_shown_to_be_none(kept, claim, name):
    """Of six seeds one gains .3: p = 1/2 for a gain, and 63/64 for none of .01."""
    kept.keep("figure3", {b: [curve(0.5)] * 6 for b in SIZES[5:]})
    kept.keep(name, {b: [curve(0.8), *[curve(0.5)] * 5] for b in SIZES[5:]})
    found = kept.verdict_on(claim)
    assert found.verdict == UNDECIDED and "mean gain +0.050, p = 0.5 and " in found.observed


@pytest.mark.parametrize(("end", "verdict"), [(0.475, HOLDS), (0.4751, FAILS)])
def test_a_run_has_lost_what_it_had_learnt_at_half_of_its_best(kept, end, verdict):
    kept.keep("figure4", {b: [curve(0.95, end)] for b in SIZES[6:]})
    assert kept.verdict_on("with it large batches").verdict == verdict


@pytest.mark.parametrize(("best", "verdict"), [(0.2, HOLDS), (0.1999, FAILS)])
def test_a_run_that_rises_to_20_percent_has_begun_to_learn(kept, best, verdict):
    kept.keep("figure4", {b: [curve(best, 0.09)] for b in SIZES[6:]})
    assert kept.verdict_on("with it large batches").verdict == verdict


def test_convergence_is_compared_at_epoch_5(kept):
    """A training loss that is lower in the fifth epoch alone."""
    losses = [2.0, 2.0, 2.0, 2.0, 0.5, *[2.0] * 25]
    kept.keep("figure1", {b: [curve(0.9, train_losses=[1.0] * 30)] for b in SIZES})
    kept.keep("figure5", {b: [curve(0.9, train_losses=losses)] for b in SIZES})
    assert kept.verdict_on("momentum improves").verdict == HOLDS
    for i, b in enumerate(SIZES):
        rising = [0.0, 0.0, 0.0, 0.0, 1.0 + i / 10, *[0.0] * 25]
        kept.keep("figure1", {b: [curve(0.9, train_losses=rising)]})
    assert kept.verdict_on("larger batches at a fixed rate").verdict == HOLDS


@pytest.mark.parametrize(
    ("fewer", "more", "verdict"),
    [
        (5, 0, HOLDS),  # p = 1/32
        (4, 0, UNDECIDED),  # 1/16
        (7, 1, HOLDS),  # 9/256 = .035
        (6, 1, UNDECIDED),  # 8/128 = .0625
        (0, 5, FAILS),
    ],
)
def test_fewer_falls_are_significant_from_5_percent_by_seed(kept, fewer, more, verdict):
    """So many seeds in which fewer runs fall with momentum, so many in which more do, and a seed
    without a difference. However many sizes a seed falls at, it is one toss.
    """
    falls = curve(0.97, 0.9, 0.97)
    with_momentum = [STEADY] * fewer + [falls] * more + [falls]
    without = [falls] * fewer + [STEADY] * more + [falls]
    for b in SIZES:
        kept.keep("figure5", {b: with_momentum})
        kept.keep("effective-rate", {b: without})
    found = kept.verdict_on("... and what it adds")
    n, counted = fewer + more + 1, (8 * (more + 1), 8 * (fewer + 1))
    assert found.observed.startswith(f"{counted[0]} and {counted[1]} of {8 * n} runs; fewer in")
    assert found.verdict == verdict


@pytest.mark.parametrize(("loss", "verdict"), [(1.4999, FAILS), (1.5, UNDECIDED)])
def test_losses_on_the_plateau_tell_of_no_minimum(kept, loss, verdict):
    """After 15 epochs the smaller batch has the higher loss, but neither has gone anywhere."""
    run = [{**record, "test_loss": loss if k == 29 else 2.0} for k, record in enumerate(curve(0.3))]
    kept.keep("figure1", {b: [run] * 3 for b in SIZES})
    assert kept.verdict_on("... because what they converge").verdict == verdict
