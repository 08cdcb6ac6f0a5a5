"""The questions that a claim asks of the runs.

A criterion asks one yes-or-no question of every seed, and judging.py makes a verdict of the
answers. Two experiments are compared in pairs: runs with the same seed start from the same weights
and see the images in the same order. A pair that ties, for instance because neither run reaches the
target, gives no answer, and a batch size at which fewer than half of the pairs give one is left
undecided.

The functions `all_pass`, `compared` and so on each make a criterion, which is a function

    results -> (what was observed, in words; the verdict; the sizes of each verdict if they differ;
                at each size, how many answers were counted; none, if it is not counts that decide)
"""

from dataclasses import replace
from itertools import pairwise
from math import inf
from operator import gt, lt
from statistics import median

from ..settings import Settings
from . import selection
from .experiments import SIZES
from .judging import DEPENDS, FAILS, HOLDS, UNDECIDED, NoRuns, agreement, counted, worst
from .statistics import binomial_tail, sign_flip_p

FEWEST_SEEDS = 3  # that tell which rate is the best


def all_pass(statistic, points, passes):
    """At each point the value of every run passes."""

    def criterion(results):
        values = {point: results.values(statistic, *point).values() for point in points}
        observed = "; ".join(
            f"{point[1]}: {_spread(some)}, {sum(map(passes, some))} of {len(some)}"
            for point, some in values.items()
        )
        by_size = {point[1]: agreement(map(passes, some)) for point, some in values.items()}
        return observed, *worst(by_size), tuple(map(len, values.values()))

    return criterion


def compared(statistic, point_pairs, better, in_order=False, tells=None, closer=None, at_best=None):
    """At the first point of each pair the value is better than at the second, seed by seed.

    better:    a function of both values; with `lt` or `gt`, equal values give no answer
    tells:     a function of both values: whether they give an answer at all
    closer:    (words, a stricter function of both values), whose counts are told as well
    at_best:   (words, points): `better` than the highest median of these points instead of the
               second value, whose counts are told as well if any of them has runs
    in_order:  the median must also be better at each first point than at the one before
    """

    def answer(x, y):
        if (x == y and better in (lt, gt)) or (tells and not tells(x, y)):
            return None
        return better(x, y)

    def criterion(results):
        found = {one[1]: results.pairs(statistic, one, other) for one, other in point_pairs}
        answers = {b: [answer(x, y) for x, y in pairs] for b, pairs in found.items()}
        observed = "; ".join(
            f"{b}: {_median(x for x, _ in pairs)} against {_median(y for _, y in pairs)}, "
            f"{_count(answers[b])}"
            for b, pairs in found.items()
        )
        also = [closer] if closer else []
        if at_best and (bar := _highest(results, statistic, at_best[1])):
            words = f"{at_best[0]}, {_number(bar)},"
            also.append((words, lambda x, y: better(x, bar)))
        for words, is_so in also:
            counts = (
                f"{_count([is_so(x, y) for x, y in pairs])} at {b}" for b, pairs in found.items()
            )
            observed += f"; {words} {', '.join(counts)}"
        by_size = {b: agreement(some) for b, some in answers.items()}
        if in_order:
            medians = {b: median(x for x, _ in pairs) for b, pairs in found.items()}
            for (_, before), (b, after) in pairwise(medians.items()):
                if not better(after, before) and by_size[b] == HOLDS:
                    by_size[b] = DEPENDS
        return observed, *worst(by_size), tuple(map(counted, answers.values()))

    return criterion


def against_best(statistic, groups, best_of, passes, also=()):
    """At each size the highest value of a group of points passes against the best of others.

    groups   {batch size: points}, whose values are compared seed by seed
    best_of  points: the highest median of those that have runs is what the values are held against
    passes   a function of a value and of that best one
    also     (words, another such function), whose counts are told as well
    """

    def criterion(results):
        bar = _highest(results, statistic, best_of)
        if bar is None:
            raise NoRuns(best_of[0][0])
        values = {b: _highest_by_seed(results, statistic, some) for b, some in groups.items()}
        answers = {b: [passes(x, bar) for x in some] for b, some in values.items()}
        observed = "; ".join(
            f"{b}: {_spread(values[b])} against {_number(bar)}, {_count(some)}"
            for b, some in answers.items()
        )
        for words, is_so in [also] if also else []:
            counts = (f"{_count([is_so(x, bar) for x in some])} at {b}"
                      for b, some in values.items())  # fmt: skip
            observed += f"; {words} {', '.join(counts)}"
        by_size = {b: agreement(some) for b, some in answers.items()}
        return observed, *worst(by_size), tuple(map(counted, answers.values()))

    return criterion


def lost_alike(statistic, one, other, smallest, sizes, n, alike):
    """At each size a batch loses as much against the smallest one in both experiments, by seed.

    n        which of the settings of a batch size is meant
    alike    a function of both losses
    """

    def losses(results, b):
        """[(the loss in one experiment, in the other)] of the seeds that all four points have."""
        points = [(name, size, n) for name in (one, other) for size in (smallest, b)]
        found = [results.values(statistic, *point) for point in points]
        ends = ([values[seed] for values in found] for seed in _common_seeds(found, one))
        return [(round(x0 - x, 9), round(y0 - y, 9)) for x0, x, y0, y in ends]

    def criterion(results):
        found = {b: losses(results, b) for b in sizes}
        answers = {b: [alike(x, y) for x, y in pairs] for b, pairs in found.items()}
        observed = "; ".join(
            f"{b}: {_median(x for x, _ in pairs)} lost against {_median(y for _, y in pairs)}, "
            f"{_count(answers[b])}"
            for b, pairs in found.items()
        )
        by_size = {b: agreement(some) for b, some in answers.items()}
        return observed, *worst(by_size), tuple(map(counted, answers.values()))

    return criterion


def _highest_by_seed(results, statistic, points):
    """The highest value of any of these points, for each seed that all of them have."""
    found = [results.values(statistic, *point) for point in points]
    seeds = _common_seeds(found, points[0][0])
    return [max(values[seed] for values in found) for seed in seeds]


def _common_seeds(found, name):
    """The seeds that all of these {seed: value} have, in order. Raises: NoRuns of this name."""
    seeds = sorted(set.intersection(*map(set, found)))
    if not seeds:
        raise NoRuns(name)
    return seeds


def _highest(results, statistic, points):
    """The highest median of a value at any of these points; None if none of them has runs."""
    medians = []
    for point in points:
        try:
            medians.append(median(results.values(statistic, *point).values()))
        except NoRuns:
            continue
    return max(medians, default=None)


def compared_by_size(statistic, one, other, sizes, better):
    """As `compared`: one experiment with another, at each size."""
    return compared(statistic, [((one, b), (other, b)) for b in sizes], better)


def ordered_by_size(statistic, name, better):
    """As `compared`: each size with the smallest, and the medians must be in order, too."""
    smallest = (name, SIZES[0])
    return compared(statistic, [((name, b), smallest) for b in SIZES[1:]], better, in_order=True)


def no_gain(statistic, one, other, sizes, gain, significance):
    """At no size is one experiment's value above the other's by a gain that matters.

    Two sign-flip tests of the mean difference at every size. That it is above 0, and at least
    `gain`, refutes the claim; that it is below `gain` supports it; a difference that neither test
    can tell from chance does not. The significance is divided by the number of sizes (Bonferroni's
    correction).
    """
    limit = significance / len(sizes)

    def criterion(results):
        found = {b: results.pairs(statistic, (one, b), (other, b)) for b in sizes}
        observed, by_size = [], {}
        for b, pairs in found.items():
            gains = [x - y for x, y in pairs]
            mean = sum(gains) / len(gains)
            p, p_of_less = sign_flip_p(gains), sign_flip_p([gain - some for some in gains])
            observed.append(
                f"{b}: {_spread([x for x, _ in pairs])} against {_spread([y for _, y in pairs])}, "
                f"mean gain {mean:+.3f}, p = {p:.2g} and {p_of_less:.2g} of {len(pairs)}"
            )
            gained = p < limit and mean >= gain
            by_size[b] = FAILS if gained else HOLDS if p_of_less < limit else UNDECIDED
        return "; ".join(observed), *worst(by_size), ()

    return criterion


def fewer_runs(statistic, one, other, sizes, counts, significance):
    """In more seeds than not, fewer of one experiment's runs count than of the other's.

    A sign test over the seeds, each with its runs of all sizes together: the runs of one seed start
    from the same weights and are no independent tosses.
    """

    def criterion(results):
        found = [[results.values(statistic, name, b) for b in sizes] for name in (one, other)]
        seeds = _common_seeds([values for some in found for values in some], one)
        a, b = ([sum(counts(v[seed]) for v in some) for seed in seeds] for some in found)
        fewer, more = sum(map(lt, a, b)), sum(map(gt, a, b))
        p, p_of_more = binomial_tail(fewer, fewer + more), binomial_tail(more, fewer + more)
        verdict = HOLDS if p < significance else FAILS if p_of_more < significance else UNDECIDED
        observed = (
            f"{sum(a)} and {sum(b)} of {len(seeds) * len(sizes)} runs; fewer in {fewer} of "
            f"{len(seeds)} seeds, p = {p:.2g}"
        )
        return observed, verdict, (), ()

    return criterion


def best_rate_is(lr):
    """Of the rates in tune.csv this one has the highest test accuracy, seed by seed.

    HOLDS if it is first in every seed, FAILS if in none, DEPENDS otherwise. All of selection.RATES
    must be there, each in the same FEWEST_SEEDS or more. These are few, but no coin: of nine rates
    alike, one would be first in all three in 1 of 729 cases.
    """

    def criterion(results):
        trials = selection.read_trials(results.kept.folder, results.kept.digest)
        by_rate = {
            trial.settings.lr: trial.test
            for trial in trials
            if replace(trial.settings, lr=Settings.lr) == Settings()
        }
        if not by_rate.keys() >= set(selection.RATES):
            raise NoRuns("tune")
        seeds = _common_seeds(by_rate.values(), "tune")
        if len(seeds) < FEWEST_SEEDS:
            raise NoRuns("tune")
        winners = [max(by_rate, key=lambda rate: by_rate[rate][seed]) for seed in seeds]
        top = sorted(by_rate, key=lambda rate: -median(by_rate[rate].values()))[:3]
        shown = [*top, *([lr] if lr in by_rate and lr not in top else [])]
        observed = "; ".join(f"{rate:g}: {_spread(by_rate[rate].values())}" for rate in shown)
        won = [winner == lr for winner in winners]
        verdict = HOLDS if all(won) else DEPENDS if any(won) else FAILS
        return f"{observed}; {lr:g} is first in {sum(won)} of {len(won)}", verdict, (), ()

    return criterion


# ---- numbers in words


def _number(value):
    return "never" if value == inf else f"{value:.4g}"


def _median(values):
    return _number(median(values))


def _spread(values):
    """The median and, of several values, the smallest and the largest."""
    if len(values) == 1:
        return _median(values)
    return f"{_median(values)} ({_number(min(values))} to {_number(max(values))})"


def _count(answers):
    """How many of the answers given are yes, and how many seeds give none."""
    given = [answer for answer in answers if answer is not None]
    if not given:
        return "no seed tells"
    silent = len(answers) - len(given)
    return f"{sum(given)} of {len(given)}" + (f" ({silent} tell nothing)" if silent else "")
