"""What the report claims, a rule for each claim, and what the runs say to it.

A rule asks one question of every seed, of numbers that the report's figures show. Where all seeds
answer alike the claim holds, or does not; otherwise it depends on the seed. Seeds are pairs: the
same seed is the same start and the same order of images. A pair that ties, two runs that never get
there for one, says nothing, and a batch size of which less than half the pairs say anything cannot
be told. Single end accuracies decide nothing either: at a large rate they are luck.

The rules were made stricter when one seed of Figures 1 to 4 was there, at 2048 to 8192 of Figures 3
and 4 two; their final accuracies had been seen. All other seeds were trained afterwards. Two things
are younger, made when seeds 0 to 2 had been seen (0 to 5 where the outcome is luck): that half of
the pairs must say something, without which linear scaling "holds" to be sooner at 4096 by the one
pair of three in which either got there; and eight rows, how far each rule keeps the accuracy, sqrt
against linear at 2048, and what scaled momentum brings at 8192.
"""

from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
from math import comb, inf
from operator import gt, lt
from statistics import median
from textwrap import wrap

import numpy as np

from ..settings import Settings
from . import selection
from .experiments import EXPERIMENTS, SIZES

HOLDS = "holds"
FAILS = "does not hold"
DEPENDS = "depends on the seed"
UNDECIDED = "cannot be told"
MISSING = "not tested"

LEARNT = 0.9  # test accuracy; a run whose best is below has not learnt
LEARNING = 0.5  # from here on an accuracy that falls is no wobble of the flat start
FALL = 0.02  # of test accuracy from an epoch to the next: more than that is unstable
CLOSE = 0.005  # test accuracies that differ by no more are the same
GAIN = 0.01  # of test accuracy: an improvement that matters
EARLY = 5  # the epoch at which the speed of convergence is compared
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Verdict:
    """What became of a claim: what was seen, in numbers, and one of the five words: the first of
    those that the batch sizes give, in the order of FAILS, DEPENDS, HOLDS, UNDECIDED.
    """

    claim: str
    section: str
    tested: str
    seen: str
    verdict: str
    where: tuple = ()  # ((word, its batch sizes), ...), if the sizes do not all give the same

    def __str__(self):
        if not self.where:
            return self.verdict
        return "; ".join(f"{word} at {', '.join(map(str, sizes))}" for word, sizes in self.where)


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
        """[(statistic of one place, of the other)] of the seeds that both have. Raises: NoRuns."""
        first, second = statistic if isinstance(statistic, tuple) else (statistic, statistic)
        a, b = self.numbers(first, *one), self.numbers(second, *other)
        both = sorted(a.keys() & b.keys())
        if not both:
            raise NoRuns(one[0])
        return [(a[seed], b[seed]) for seed in both]


# ---- statistics of one run


def _curve(records):
    return [record["test_accuracy"] for record in records]


def best(records):
    """The best test accuracy; 0 if there is none."""
    return max(accuracy or 0.0 for accuracy in _curve(records))


def late(records):
    """The median test accuracy of the last five epochs; 0 for a run that diverged."""
    curve = _curve(records)
    return 0.0 if curve[-1] is None else median(curve[-5:])


def early_loss(records):
    """Running train loss of epoch EARLY; infinite for a run that diverged before."""
    loss = records[EARLY - 1]["train_loss"] if len(records) >= EARLY else None
    return inf if loss is None else loss


def loss_after(epoch):
    """The statistic: test loss after an epoch; infinite for a run that diverged before."""

    def test_loss(records):
        loss = records[epoch - 1]["test_loss"] if len(records) >= epoch else None
        return inf if loss is None else loss

    return test_loss


def epochs_to(target):
    """The statistic: epochs to a test accuracy, the curve being straight between two epochs and
    starting at 1/10; infinite if it never gets there.
    """

    def epochs(records):
        before = 0.1
        for i, accuracy in enumerate(_curve(records)):
            if accuracy is not None and accuracy >= target:
                return i + (target - before) / (accuracy - before)
            before = accuracy
        return inf

    return epochs


def largest_fall(records):
    """The largest fall of the test accuracy from an epoch to the next, of a run that has come to
    LEARNING; 1 for a divergence.
    """
    curve = _curve(records)
    if None in curve:
        return 1.0
    begun = next((i for i, accuracy in enumerate(curve) if accuracy >= LEARNING), len(curve))
    return max((a - b for a, b in pairwise(curve[begun:])), default=0.0)


def peak_lost(records):
    """How far the end is below the best test accuracy, for a run that had learnt; else 0."""
    return best(records) - late(records) if best(records) >= LEARNT else 0.0


# ---- from numbers to verdicts: each of these makes a rule,
# results -> (what is seen, verdict, where: as in Verdict)


def agreed(answers):
    """HOLDS if all answers are yes, FAILS if all are no, else DEPENDS; an answer None is none, and
    UNDECIDED if less than half of them are any.
    """
    asked = list(answers)
    answers = [answer for answer in asked if answer is not None]
    if not answers or 2 * len(answers) < len(asked):
        return UNDECIDED
    return HOLDS if all(answers) else DEPENDS if any(answers) else FAILS


def overall(by_size):
    """(verdict, where) of {batch size: verdict}: fails if it fails anywhere, and so on down."""
    where = tuple(
        (verdict, tuple(b for b, word in by_size.items() if word == verdict))
        for verdict in (FAILS, DEPENDS, HOLDS, UNDECIDED)
        if verdict in by_size.values()
    )
    return where[0][0], where if len(where) > 1 else ()


def every(statistic, places, passes):
    """At each place every run's number passes."""

    def rule(results):
        numbers = {place: results.numbers(statistic, *place).values() for place in places}
        seen = "; ".join(
            f"{place[1]}: {_range(values)}, {sum(map(passes, values))} of {len(values)}"
            for place, values in numbers.items()
        )
        return seen, *overall({p[1]: agreed(map(passes, v)) for p, v in numbers.items()})

    return rule


def compared_at(statistic, places, better, ordered=False):
    """At each pair of places one number is better than the other, seed by seed; where two numbers
    that are to differ are equal the seed says nothing. A pair of statistics is one for each place.

    ordered:  the medians of the first places must also each be better than the one before
    """

    def rule(results):
        found = {one[1]: results.pairs(statistic, one, other) for one, other in places}
        ask = lambda x, y: None if x == y and better in (lt, gt) else better(x, y)  # noqa: E731
        answers = {b: [ask(x, y) for x, y in pairs] for b, pairs in found.items()}
        seen = "; ".join(
            f"{b}: {_middle(x for x, _ in pairs)} against {_middle(y for _, y in pairs)}, "
            f"{_count(answers[b])}"
            for b, pairs in found.items()
        )
        by_size = {b: agreed(some) for b, some in answers.items()}
        if ordered:
            medians = {b: median(x for x, _ in pairs) for b, pairs in found.items()}
            for (_, before), (b, after) in pairwise(medians.items()):
                if not better(after, before) and by_size[b] == HOLDS:
                    by_size[b] = DEPENDS
        return seen, *overall(by_size)

    return rule


def compared(statistic, one, other, sizes, better):
    """The same of two experiments, size by size."""
    return compared_at(statistic, [((one, b), (other, b)) for b in sizes], better)


def ordered(statistic, name, better):
    """The same of all sizes with the smallest, seed by seed, the medians being in order, too."""
    smallest = (name, SIZES[0])
    return compared_at(statistic, [((name, b), smallest) for b in SIZES[1:]], better, ordered=True)


def no_gain(statistic, one, other, sizes):
    """At no size does one experiment's number gain on the other's: by GAIN or more in the median,
    and so that chance would do it less often than SIGNIFICANT over the number of sizes.
    """
    limit = SIGNIFICANT / len(sizes)

    def rule(results):
        found = {b: results.pairs(statistic, (one, b), (other, b)) for b in sizes}
        seen, by_size = [], {}
        for b, pairs in found.items():
            gains = [x - y for x, y in pairs]
            p = chance(gains)
            seen.append(
                f"{b}: {_range([x for x, _ in pairs])} against {_range([y for _, y in pairs])}, "
                f"median gain {median(gains):+.3f}, p = {p:.2g} of {len(pairs)}"
            )
            gained = p < limit and median(gains) >= GAIN
            too_few = 0.5 ** len(pairs) >= limit  # to say so of any gain
            by_size[b] = UNDECIDED if too_few else FAILS if gained else HOLDS
        return "; ".join(seen), *overall(by_size)

    return rule


def fewer(statistic, one, other, sizes, counts):
    """Over all sizes and seeds fewer of one experiment's runs count than of the other's: a sign
    test on the pairs of which one alone counts.
    """

    def rule(results):
        pairs = [pair for b in sizes for pair in results.pairs(statistic, (one, b), (other, b))]
        counted = [(counts(x), counts(y)) for x, y in pairs]
        a, b = (sum(values) for values in zip(*counted, strict=True))
        ours, theirs = counted.count((True, False)), counted.count((False, True))
        p, contrary = (coin(heads, ours + theirs) for heads in (theirs, ours))
        word = HOLDS if p < SIGNIFICANT else FAILS if contrary < SIGNIFICANT else UNDECIDED
        return f"{a} and {b} of {len(pairs)} runs, p = {p:.2g}", word, ()

    return rule


def chosen_rate(lr):
    """This rate has the best test accuracy of the grid in every seed (tune.csv)."""

    def rule(results):
        tried = selection.read_tried(results.kept.folder)
        if not tried or replace(tried[0].settings, lr=Settings.lr) != Settings():
            raise NoRuns("tune")
        by_rate = {one.settings.lr: one.test for one in tried}
        seeds = sorted(set.intersection(*(set(one.test) for one in tried)))
        firsts = [max(by_rate, key=lambda rate: by_rate[rate][seed]) for seed in seeds]
        top = sorted(by_rate, key=lambda rate: -median(by_rate[rate].values()))[:3]
        shown = [*top, *([lr] if lr in by_rate and lr not in top else [])]
        seen = "; ".join(f"{rate:g}: {_range(by_rate[rate].values())}" for rate in shown)
        won = [first == lr for first in firsts]
        return f"{seen}; {lr:g} is first in {sum(won)} of {len(won)}", agreed(won), ()

    return rule


def chance(differences):
    """How likely a mean difference at least as large is if every sign were a coin's.

    Exact up to 16 differences; for more, 2^16 draws from a fixed seed, the real one among them.
    """
    differences, n = np.asarray(differences, float), len(differences)
    if n <= 16:
        signs = 1 - 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
    else:
        signs = np.random.default_rng(0).choice((-1, 1), (2**16, n))
        signs[0] = 1
    return float(np.mean(signs @ differences >= differences.sum() - 1e-12))


def coin(heads, throws):
    """How likely so many heads or more are in fair throws."""
    return sum(comb(throws, k) for k in range(heads, throws + 1)) / 2**throws


def _show(number):
    return "never" if number == inf else f"{number:.4g}"


def _count(answers):
    """2 of 3; an answer None is none."""
    told = [answer for answer in answers if answer is not None]
    if not told:
        return "no seed tells"
    silent = len(answers) - len(told)
    return f"{sum(told)} of {len(told)}" + (f" ({silent} tell nothing)" if silent else "")


def _middle(values):
    return _show(median(values))


def _range(values):
    if len(values) == 1:
        return _middle(values)
    return f"{_middle(values)} ({_show(min(values))} to {_show(max(values))})"


# ---- the claims, in the order of the text

LARGE = SIZES[5:]  # 2048 to 8192


def accuracy_kept(name, label):
    """(how it is tested, its rule) of: at the end every size is as accurate as 64 at η = .01."""
    places = [((name, b), ("figure1", 64)) for b in SIZES[1:]]
    return (
        f"{label}: test accuracy at the end, no more than {CLOSE} below that of 64 at η = .01",
        compared_at(late, places, lambda x, y: y - x <= CLOSE),
    )


CLAIMS = (
    ("η0 = .01 gives the best test accuracy at b = 64", "Sec. II",
     "tune: the highest test accuracy of nine rates from .001 to .5",
     chosen_rate(0.01)),
    ("larger batches at a fixed rate converge more slowly", "Sec. II",
     f"Fig. 1: train loss of epoch {EARLY}, above that of 64, medians rising with every doubling",
     ordered(early_loss, "figure1", gt)),
    ("... and to a worse result", "Sec. II",
     "Fig. 1: test accuracy at the end, below that of 64, medians falling with every doubling",
     ordered(late, "figure1", lt)),
    ("... because what they converge to is a less good minimum", "Sec. II",
     "Fig. 1: test loss after as many updates, b at epoch 30 above b/2 at epoch 15",
     compared_at((loss_after(30), loss_after(15)),
                 [(("figure1", b), ("figure1", b // 2)) for b in SIZES[1:]], gt)),
    ("sqrt scaling makes the large batches converge sooner", "Sec. IV",
     "Fig. 2 and Fig. 1, 2048 up: fewer epochs to 90 %",
     compared(epochs_to(LEARNT), "figure2", "figure1", LARGE, lt)),
    ("... and so does linear scaling", "Sec. IV",
     "Fig. 3 and Fig. 1, 2048 up: fewer epochs to 90 %",
     compared(epochs_to(LEARNT), "figure3", "figure1", LARGE, lt)),
    ("sqrt scaling keeps all sizes training", "Sec. IV",
     f"Fig. 2: at the end {LEARNT} or above",
     every(late, [("figure2", b) for b in SIZES], lambda accuracy: accuracy >= LEARNT)),
    ("linear is more efficient than sqrt up to 1024", "Sec. IV",
     "Fig. 3 and Fig. 2, 128 to 1024: fewer epochs to 97 %",
     compared(epochs_to(0.97), "figure3", "figure2", SIZES[1:5], lt)),
    ("... and ends higher (what the figures suggest)", "Sec. IV",
     "Fig. 3 and Fig. 2, 128 to 1024: higher test accuracy at the end",
     compared(late, "figure3", "figure2", SIZES[1:5], gt)),
    ("beyond 1024 linear prevents any convergence", "Sec. IV",
     f"Fig. 3, 2048 up: best test accuracy below {LEARNT}",
     every(best, [("figure3", b) for b in LARGE], lambda accuracy: accuracy < LEARNT)),
    ("sqrt is better than linear at 4096 and 8192", "Sec. IV",
     "Fig. 2 and Fig. 3: higher test accuracy at the end",
     compared(late, "figure2", "figure3", SIZES[6:], gt)),
    ("... and at 2048 (not in the text)", "Sec. IV",
     "the same",
     compared(late, "figure2", "figure3", SIZES[5:6], gt)),
    ("gradual warmup gives no significant improvement", "Sec. IV",
     f"Fig. 4 and Fig. 3, 2048 up: test accuracy at the end, no gain of {GAIN} with p < .05/3",
     no_gain(late, "figure4", "figure3", LARGE)),
    ("with it large batches learn, then diverge as the rate grows", "Sec. IV",
     f"Fig. 4, 4096 and 8192: best at {LEARNT} or above, the end more than .5 below it; how far "
     "below, 0 where the best is less",
     every(peak_lost, [("figure4", b) for b in SIZES[6:]], lambda lost: lost > 0.5)),
    ("nor does constant warmup (not in the text)", "Sec. II",
     "constant warmup and Fig. 3, 2048 up: as gradual warmup",
     no_gain(late, "constant-warmup", "figure3", LARGE)),
    ("momentum improves convergence at every size", "Sec. IV",
     f"Fig. 5 and Fig. 1: lower train loss of epoch {EARLY}",
     compared(early_loss, "figure5", "figure1", SIZES, lt)),
    ("with it 2048 is as good as any", "Sec. IV",
     f"Fig. 5: test accuracy at the end, no more than {CLOSE} below that of 64",
     compared_at(late, [(("figure5", 2048), ("figure5", 64))], lambda x, y: y - x <= CLOSE)),
    ("... and 4096 is not", "Sec. IV",
     f"Fig. 5: at 4096 more than {CLOSE} below",
     compared_at(late, [(("figure5", 4096), ("figure5", 64))], lambda x, y: y - x > CLOSE)),
    ("raising the rate helps at 4096", "Sec. IV",
     "Fig. 6 and Fig. 5: fewer epochs to 97 %",
     compared(epochs_to(0.97), "figure6", "figure5", (4096,), lt)),
    ("raising the rate makes 8192 unstable", "Sec. IV",
     f"Fig. 6, η = .02 and m = .9, and Fig. 5: largest fall, above {FALL} and larger",
     compared_at(largest_fall, [(("figure6", 8192, 0), ("figure5", 8192))],
                 lambda x, y: x > FALL and x > y)),
    ("scaling the momentum instead is faster", "Sec. IV",
     "Fig. 6, m = .929 and η = .0141 against m = .9 and η = .02: fewer epochs to 97 %",
     compared_at(epochs_to(0.97), [(("figure6", 8192, 1), ("figure6", 8192, 0))], lt)),
    ("... and unstable", "Sec. IV",
     f"Fig. 6, m = .929, and Fig. 5: largest fall, above {FALL} and larger",
     compared_at(largest_fall, [(("figure6", 8192, 1), ("figure5", 8192))],
                 lambda x, y: x > FALL and x > y)),
    ("rate and momentum by the sqrt rule improve the convergence up to 8192", "Sec. VI",
     "Fig. 6, m = .929 and η = .0141, and Fig. 5: fewer epochs to 97 %",
     compared_at(epochs_to(0.97), [(("figure6", 8192, 1), ("figure5", 8192))], lt)),
    ("at equal effective rate, momentum ends the same (not tested in the text)", "Sec. III",
     f"Fig. 5 and η = .1 without momentum: test accuracies at the end, within {CLOSE}",
     compared(late, "figure5", "effective-rate", SIZES, lambda x, y: abs(x - y) <= CLOSE)),
    ("... and what it adds is fewer falls (not tested in the text)", "Sec. III",
     f"the same runs: fewer with a fall above {FALL}, p < {SIGNIFICANT}",
     fewer(largest_fall, "figure5", "effective-rate", SIZES, lambda fall: fall > FALL)),
    ("the purpose: a larger batch, the accuracy kept, no more epochs. At a fixed rate", "Sec. II",
     *accuracy_kept("figure1", "Fig. 1")),
    ("... with sqrt scaling", "Sec. II", *accuracy_kept("figure2", "Fig. 2")),
    ("... with linear scaling", "Sec. II", *accuracy_kept("figure3", "Fig. 3")),
    ("... with linear scaling and gradual warmup", "Sec. II", *accuracy_kept("figure4", "Fig. 4")),
    ("... with momentum at a fixed rate", "Sec. III", *accuracy_kept("figure5", "Fig. 5")),
    ("... with as large a rate instead (not in the text)", "Sec. III",
     *accuracy_kept("effective-rate", "η = .1 without momentum")),
)  # fmt: skip


def verdicts(kept):
    """A Verdict for every claim, in the order of the text, from the results of experiments.Kept."""
    results, found = Results(kept), []
    for claim, section, tested, rule in CLAIMS:
        try:
            seen, verdict, where = rule(results)
        except NoRuns:
            seen, verdict, where = "its runs are not here", MISSING, ()
        found.append(Verdict(claim, section, tested, seen, verdict, where))
    return found


WIDTHS = 26, 8, 28, 34, 15


def table(found):
    """The lines of the table of verdicts, for a terminal."""
    lines = []
    for cells in [HEAD, *map(_cells, found)]:
        folded = [wrap(cell, width) for cell, width in zip(cells, WIDTHS, strict=True)]
        for parts in zip_longest(*folded, fillvalue=""):
            padded = (part.ljust(width) for part, width in zip(parts, WIDTHS, strict=True))
            lines.append("  ".join(padded).rstrip())
        lines.append("")
    return lines[:-1]


def markdown_table(found):
    """The same, for a README."""
    return [
        "| the report says | seen here | verdict |",
        "|---|---|---|",
        *(f"| {v.claim} ({v.section}) | {v.tested}. {v.seen} | **{v}** |" for v in found),
    ]


HEAD = ("the report's claim", "where", "how it was tested", "seen", "verdict")


def _cells(v):
    return v.claim, v.section, v.tested, v.seen, str(v)
