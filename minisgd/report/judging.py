"""From the answers of many seeds to a verdict.

Where so many seeds give the same answer to a yes-or-no question that a fair coin hardly would, a
claim holds, or it does not; otherwise the outcome depends on the seed. The questions are in
criteria.py.
"""

from dataclasses import replace

from .statistics import binomial_tail

HOLDS = "holds"
FAILS = "does not hold"
DEPENDS = "depends on the seed"
UNDECIDED = "cannot be told"
MISSING = "not tested"
CHANCE = 0.05  # what a fair coin would do with a smaller probability is not put down to chance


class NoRuns(Exception):
    """A claim cannot be tested: no complete run of this experiment at this batch size is kept."""


class Results:
    """The complete runs of the experiments, from experiments.Kept: of the report's dataset first,
    and of others.

    A point is one setting of one experiment: (experiment's name, batch size), or (name, batch
    size, n) for the nth setting, from 0, of an experiment that has several of that batch size, as
    Fig. 6 has.
    """

    def __init__(self, kept, *elsewhere):
        self.kept, self.everywhere = kept, (kept, *elsewhere)

    def values(self, statistic, name, batch_size, n=0):
        """{seed: statistic(records)} of the runs at a point. Raises: NoRuns."""
        kept = next((kept for kept in self.everywhere if name in kept.experiments), None)
        if kept is None:
            raise NoRuns(name)
        experiment = kept.experiments[name]
        wanted = [s for s in experiment.settings if s.batch_size == batch_size][n : n + 1]
        cells = [cell for cell in kept.cells(experiment) if replace(cell, seed=0) in wanted]
        if not cells:
            raise NoRuns(name)
        return {cell.seed: statistic(kept.records(cell)) for cell in cells}

    def pairs(self, statistic, one, other):
        """[(value at one point, at the other)] of the seeds that both points have. Raises: NoRuns.

        statistic:  one for both points, or a pair with one for each
        """
        first, second = statistic if isinstance(statistic, tuple) else (statistic, statistic)
        a, b = self.values(first, *one), self.values(second, *other)
        seeds = sorted(a.keys() & b.keys())
        if not seeds:
            raise NoRuns(one[0])
        return [(a[seed], b[seed]) for seed in seeds]


# ---- from answers to a verdict


def agreement(answers):
    """The verdict on one batch size, from an answer per seed: True, False, or None for no answer.

    It is asked of which answer more than half of all seeds would give, by the exact binomial test:
    HOLDS or FAILS where a fair coin would give as many or more of the one answer with a probability
    below CHANCE. With five answers that takes all five, with ten it takes nine. Otherwise DEPENDS
    if both answers are given; UNDECIDED if they are too few, or if fewer than half of the seeds
    give one.

    Source:  C. J. Clopper and E. S. Pearson 1934: the same as whether the one-sided interval of the
             share, of confidence 1 - CHANCE, lies beyond one half
    """
    answers = list(answers)
    yes, n = sum(map(bool, answers)), counted(answers)
    if not n:
        return UNDECIDED
    if binomial_tail(yes, n) < CHANCE:
        return HOLDS
    if binomial_tail(n - yes, n) < CHANCE:
        return FAILS
    return DEPENDS if 0 < yes < n else UNDECIDED


def counted(answers):
    """How many of the answers count: all that are given; 0 if those are fewer than half."""
    given = sum(answer is not None for answer in answers)
    return given if 2 * given >= len(answers) else 0


def by_chance(n):
    """How probable it is that n answers of a fair coin give HOLDS; FAILS is as probable."""
    tails = [binomial_tail(yes, n) for yes in range(n + 1)]
    return max((tail for tail in tails if tail < CHANCE), default=0.0)


def worst(by_size):
    """(the verdict on all sizes, the sizes of each verdict if they differ), from {size: verdict}.

    A claim that fails at one size fails; failing that, if it depends on the seed at one, it does.
    """
    sizes_of = tuple(
        (verdict, tuple(size for size, word in by_size.items() if word == verdict))
        for verdict in (FAILS, DEPENDS, HOLDS, UNDECIDED)
        if verdict in by_size.values()
    )
    return sizes_of[0][0], sizes_of if len(sizes_of) > 1 else ()
