"""What the report claims, a rule for each claim, and what the runs say to it.

A rule is fixed here in code, before its result is looked at. It asks one question of every seed,
of numbers that the report's figures show: the test accuracy, its falls, how soon it reaches 97 %,
and the train loss. Where all seeds answer alike the claim holds, or does not; otherwise it depends
on the seed. Seeds are pairs: the same seed is the same start and the same order of images.
"""

from dataclasses import dataclass, replace
from itertools import pairwise, product
from math import inf
from operator import gt, lt
from statistics import median

from .experiments import EXPERIMENTS, SIZES
from .summary import epochs_to

HOLDS, FAILS, DEPENDS, MISSING = (
    "holds",
    "does not hold",
    "depends on the seed",
    "not tested: its runs are not here",
)
LEARNT = 0.9  # test accuracy; a run that ends below has not learnt
FALL = 0.02  # of test accuracy from an epoch to the next: more than that is unstable
EARLY = 5  # the epoch at which the speed of convergence is compared
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Verdict:
    """What became of a claim: what was seen, in numbers, and one of the four words."""

    claim: str
    section: str
    tested: str
    seen: str
    verdict: str


class NoRuns(Exception):
    """A claim cannot be tested: there is no whole run of this experiment at this batch size."""


class Results:
    """The whole runs of the experiments. A place is (name, batch size), or (name, batch size, n)
    where an experiment has several runs of that size (Fig. 6).
    """

    def __init__(self, kept):
        self.kept = kept

    def numbers(self, statistic, name, batch_size, n=0):
        """{seed: statistic(records)} at a place. Raises: NoRuns."""
        experiment = EXPERIMENTS[name]
        wanted = [s for s in experiment.settings if s.batch_size == batch_size][n : n + 1]
        cells = [cell for cell in self.kept.cells(experiment) if replace(cell, seed=0) in wanted]
        if not cells:
            raise NoRuns(name)
        return {cell.seed: statistic(self.kept.records(cell)) for cell in cells}

    def pairs(self, statistic, one, other):
        """[(statistic of one place, of the other)] of the seeds that both have."""
        a, b = self.numbers(statistic, *one), self.numbers(statistic, *other)
        both = sorted(a.keys() & b.keys())
        if not both:
            raise NoRuns(one[0])
        return [(a[seed], b[seed]) for seed in both]


# ---- statistics of one run


def final(records):
    """Test accuracy after the last epoch; 0 for a run that diverged."""
    return records[-1]["test_accuracy"] or 0.0


def early_loss(records):
    """Running train loss of epoch EARLY; infinite for a run that diverged before."""
    loss = records[EARLY - 1]["train_loss"] if len(records) >= EARLY else None
    return inf if loss is None else loss


def soon(records):
    """Epochs to 97 % test accuracy; infinite if it never gets there."""
    return epochs_to(records) or inf


def largest_fall(records):
    """The largest fall of the test accuracy from an epoch to the next; 1 for a divergence."""
    curve = [record["test_accuracy"] for record in records]
    return 1.0 if None in curve else max((a - b for a, b in pairwise(curve)), default=0.0)


def descent(records):
    """The share by which the train loss still falls an epoch, over the last five epochs.

    0, which is no fall, for a run that diverged or has fewer than six epochs.
    """
    if len(records) < 6 or records[-1]["train_loss"] is None:
        return 0.0
    return 1 - (records[-1]["train_loss"] / records[-6]["train_loss"]) ** 0.2


def peak_lost(records):
    """How far the end is below the best test accuracy, for a run that had learnt; else 0."""
    peak = max(record["test_accuracy"] or 0.0 for record in records)
    return peak - final(records) if peak >= LEARNT else 0.0


# ---- from numbers to verdicts: each of these makes a rule, results -> (what is seen, verdict)


def agreed(answers):
    """HOLDS if all answers are yes, FAILS if all are no, else DEPENDS."""
    answers = list(answers)
    return HOLDS if all(answers) else DEPENDS if any(answers) else FAILS


def at_every_size(verdicts):
    """HOLDS if it holds at each size, FAILS if it fails at one, else DEPENDS."""
    verdicts = list(verdicts)
    return FAILS if FAILS in verdicts else DEPENDS if DEPENDS in verdicts else HOLDS


def ordered(statistic, name, follows):
    """Along all batch sizes every number follows the one before, seed by seed."""

    def rule(results):
        by_size = [results.numbers(statistic, name, b) for b in SIZES]
        seeds = set.intersection(*map(set, by_size))
        curves = [[numbers[seed] for numbers in by_size] for seed in sorted(seeds)]
        if not curves:
            raise NoRuns(name)
        seen = ", ".join(_show(median(numbers.values())) for numbers in by_size)
        return f"medians {seen}", agreed(
            all(follows(b, a) for a, b in pairwise(curve)) for curve in curves
        )

    return rule


def every(statistic, places, passes):
    """At each place every run's number passes."""

    def rule(results):
        numbers = {place: results.numbers(statistic, *place).values() for place in places}
        seen = ", ".join(
            f"{place[1]}: {_show(median(values))} ({_show(min(values))} to {_show(max(values))}), "
            f"{sum(map(passes, values))} of {len(values)}"
            for place, values in numbers.items()
        )
        return seen, at_every_size(agreed(map(passes, values)) for values in numbers.values())

    return rule


def compared(statistic, one, other, sizes, better):
    """At each size one experiment's number is better than the other's, seed by seed."""
    return compared_at(statistic, [((one, b), (other, b)) for b in sizes], better)


def compared_at(statistic, places, better):
    """The same, of any two places."""

    def rule(results):
        found = {one[1]: results.pairs(statistic, one, other) for one, other in places}
        seen = ", ".join(
            f"{b}: {_show(median(x for x, _ in pairs))} and {_show(median(y for _, y in pairs))}, "
            f"{sum(better(x, y) for x, y in pairs)} of {len(pairs)}"
            for b, pairs in found.items()
        )
        return seen, at_every_size(
            agreed(better(x, y) for x, y in pairs) for pairs in found.values()
        )

    return rule


def no_gain(statistic, one, other, sizes):
    """At no size is one experiment's number significantly higher than the other's."""

    def rule(results):
        found = {b: results.pairs(statistic, (one, b), (other, b)) for b in sizes}
        chances = {b: chance([x - y for x, y in pairs]) for b, pairs in found.items()}
        seen = ", ".join(
            f"{b}: {_show(median(x for x, _ in pairs))} and {_show(median(y for _, y in pairs))}, "
            f"p = {chances[b]:.2g}"
            for b, pairs in found.items()
        )
        return seen, FAILS if min(chances.values()) < SIGNIFICANT else HOLDS

    return rule


def fewer(statistic, one, other, sizes, counts):
    """Over all sizes and seeds fewer of one experiment's runs count than of the other's."""

    def rule(results):
        pairs = [pair for b in sizes for pair in results.pairs(statistic, (one, b), (other, b))]
        a, b = (sum(map(counts, values)) for values in zip(*pairs, strict=True))
        return f"{a} and {b} of {len(pairs)} runs", HOLDS if a < b else FAILS

    return rule


def chance(differences):
    """How likely a mean difference at least as large is if every sign were a coin's: exact."""
    seen, n = sum(differences), len(differences)
    signs = product((1, -1), repeat=n)
    sums = (sum(s * d for s, d in zip(some, differences, strict=True)) for some in signs)
    return sum(total >= seen - 1e-12 for total in sums) / 2**n


def _show(number):
    return "never" if number == inf else f"{number:.4g}"


# ---- the claims, in the order of the text

LARGE = SIZES[5:]  # 2048 to 8192

CLAIMS = (
    ("larger batches at a fixed rate converge more slowly", "Sec. II",
     f"Fig. 1: train loss of epoch {EARLY} rises with every doubling, in every seed",
     ordered(early_loss, "figure1", gt)),
    ("... and to a worse result", "Sec. II",
     "Fig. 1: final test accuracy falls with every doubling, in every seed",
     ordered(final, "figure1", lt)),
    ("... because what they converge to is a less good minimum", "Sec. II",
     "Fig. 1, 1024 up: at the end the train loss falls by less than 1 % an epoch",
     every(descent, [("figure1", b) for b in SIZES[4:]], lambda share: share < 0.01)),
    ("sqrt scaling keeps all sizes training", "Sec. IV",
     f"Fig. 2: every run ends at {LEARNT} or above",
     every(final, [("figure2", b) for b in SIZES], lambda accuracy: accuracy >= LEARNT)),
    ("scaling makes the large batches converge much sooner", "Sec. IV",
     "Fig. 2 and Fig. 1, 512 up: epochs to 97 %, fewer in every seed",
     compared(soon, "figure2", "figure1", SIZES[3:], lt)),
    ("linear is more efficient than sqrt up to 1024", "Sec. IV",
     "Fig. 3 and Fig. 2, 128 to 1024: epochs to 97 %, fewer in every seed",
     compared(soon, "figure3", "figure2", SIZES[1:5], lt)),
    ("... and ends higher (what the figures suggest)", "Sec. IV",
     "Fig. 3 and Fig. 2, 128 to 1024: final test accuracy, higher in every seed",
     compared(final, "figure3", "figure2", SIZES[1:5], gt)),
    ("beyond 1024 linear prevents any convergence", "Sec. IV",
     f"Fig. 3, 2048 to 8192: every run ends below {LEARNT}",
     every(final, [("figure3", b) for b in LARGE], lambda accuracy: accuracy < LEARNT)),
    ("sqrt is better than linear at 4096 and 8192", "Sec. IV",
     "Fig. 2 and Fig. 3: final test accuracy, higher in every seed",
     compared(final, "figure2", "figure3", SIZES[6:], gt)),
    ("gradual warmup gives no significant improvement", "Sec. IV",
     f"Fig. 4 and Fig. 3, 2048 to 8192: final test accuracy; p < {SIGNIFICANT} at no size",
     no_gain(final, "figure4", "figure3", LARGE)),
    ("with it large batches learn, then diverge as the rate grows", "Sec. IV",
     f"Fig. 4, 4096 and 8192: every run reaches {LEARNT} and ends more than .5 below its best",
     every(peak_lost, [("figure4", b) for b in SIZES[6:]], lambda lost: lost > 0.5)),
    ("nor does constant warmup (not in the text)", "Sec. II",
     f"against Fig. 3, 2048 to 8192: final test accuracy; p < {SIGNIFICANT} at no size",
     no_gain(final, "constant-warmup", "figure3", LARGE)),
    ("momentum improves convergence at every size", "Sec. IV",
     f"Fig. 5 and Fig. 1: train loss of epoch {EARLY}, lower in every seed",
     compared(early_loss, "figure5", "figure1", SIZES, lt)),
    ("raising the rate helps at 4096", "Sec. IV",
     "Fig. 6 and Fig. 5: epochs to 97 %, fewer in every seed",
     compared(soon, "figure6", "figure5", (4096,), lt)),
    ("raising the rate makes 8192 unstable", "Sec. IV",
     f"Fig. 6, η = .02 and m = .9: every run falls by more than {FALL} in some epoch",
     every(largest_fall, [("figure6", 8192, 0)], lambda fall: fall > FALL)),
    ("scaling the momentum instead is faster", "Sec. IV",
     "Fig. 6, m = .929 and η = .02: epochs to 97 %, fewer in every seed",
     compared_at(soon, [(("figure6", 8192, 1), ("figure6", 8192, 0))], lt)),
    ("... and very unstable", "Sec. IV",
     f"Fig. 6, m = .929: every run falls by more than {FALL} in some epoch",
     every(largest_fall, [("figure6", 8192, 1)], lambda fall: fall > FALL)),
    ("at equal effective rate, momentum ends the same (not tested in the text)", "Sec. III",
     "Fig. 5 and η = .1 without momentum: final test accuracy within .005 in every seed",
     compared(final, "figure5", "effective-rate", SIZES, lambda x, y: abs(x - y) <= 0.005)),
    ("... and what it adds is fewer falls (not tested in the text)", "Sec. III",
     f"the same runs: fewer of them fall by more than {FALL} in some epoch",
     fewer(largest_fall, "figure5", "effective-rate", SIZES, lambda fall: fall > FALL)),
)  # fmt: skip


def verdicts(kept):
    """A Verdict for every claim, in the order of the text, from the results of experiments.Kept."""
    results, found = Results(kept), []
    for claim, section, tested, rule in CLAIMS:
        try:
            seen, verdict = rule(results)
        except NoRuns:
            seen, verdict = "", MISSING
        found.append(Verdict(claim, section, tested, seen, verdict))
    return found
