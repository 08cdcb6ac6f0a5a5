"""How the steps to an accuracy fall with the batch size: the law, its fit, and where it bends.

    S = S_min (1 + B_crit / b),     images = S b = S_min (b + B_crit)

Far below B_crit, b times as large means as many times fewer steps, and the same images: perfect
scaling. Far above it, no batch saves a step. The fit is of least squares in log S.

Source:  McCandlish et al. 2018, An Empirical Model of Large-Batch Training, equation 2.11
"""

from dataclasses import dataclass
from math import inf

import numpy as np

GRID = np.geomspace(1, 1e6, 6001)  # of B_crit, a quarter of a percent apart
PERFECT = 1.25  # times as many images as the least: so far, scaling is called perfect
GAIN = 0.9  # of the steps: four times the batch that leaves more gains nothing
T_975 = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306)  # Student's, of 1, 2, ... degrees


@dataclass(frozen=True)
class Law:
    """S_min, B_crit and the ends of its 95 % interval, and the largest relative miss of the fit."""

    least: float
    critical: float
    low: float
    high: float
    miss: float

    def steps(self, b):
        return self.least * (1 + self.critical / b)

    @property
    def in_words(self):
        """(B_crit with its interval, S_min)."""
        low, high = (_rounded(end) if 1 < end < 1e6 else "?" for end in (self.low, self.high))
        return f"{_rounded(self.critical)} ({low} to {high})", f"{self.least:.3g}"

    def __str__(self):
        return "B_crit = {}, S_min = {}".format(*self.in_words)


def _rounded(value):
    """Three digits of a number: 5.07 and 5,070."""
    return f"{value:.3g}" if value < 1000 else f"{float(f'{value:.3g}'):,.0f}"


def fitted(steps):
    """The Law of {batch size: steps}, of which there must be three or more.

    The interval is the profile's: all B_crit whose best fit has a sum of squares of at most
    (1 + t²/(n - 2)) times the least, where t is Student's of n - 2 degrees of freedom. It thus
    holds what the law does not describe as well as what the seeds scatter.

    Raises:  ValueError if there are fewer
    """
    b, s = (np.array(values, float) for values in (list(steps), list(steps.values())))
    n = len(b)
    if n < 3:
        raise ValueError(f"two numbers are fitted to three or more, got {n}")
    shapes = np.log(s) - np.log1p(GRID[:, None] / b)  # (B_crit, b): log S_min if the law were exact
    off = shapes - shapes.mean(axis=1, keepdims=True)
    squares = (off**2).sum(axis=1)
    k = int(squares.argmin())
    bound = squares[k] * (1 + T_975[min(n - 2, len(T_975)) - 1] ** 2 / (n - 2))
    within = GRID[squares <= bound]
    low = 0.0 if within[0] == GRID[0] else float(within[0])
    high = inf if within[-1] == GRID[-1] else float(within[-1])
    miss = float(np.abs(np.expm1(off[k])).max())
    return Law(float(np.exp(shapes[k].mean())), float(GRID[k]), low, high, miss)


def perfect_until(steps):
    """The largest of the batch sizes up to which every one needs at most PERFECT times as many
    images as the size that needs fewest; None if the smallest does not.
    """
    images = {b: b * s for b, s in sorted(steps.items())}
    least, last = min(images.values()), None
    for b, needed in images.items():
        if needed > PERFECT * least:
            break
        last = b
    return last


def nothing_from(steps, growth=4):
    """The smallest batch size from which on no `growth` times larger one needs less than GAIN of
    its steps; None if the last one still does.

    Between two sizes whose ratio is not `growth`, the saving counts for its share of the way, on a
    logarithmic scale.
    """
    sizes, found = sorted(steps), None
    for b, larger in zip(sizes[-2::-1], sizes[:0:-1], strict=True):
        way = np.log(larger / b) / np.log(growth)
        if steps[larger] < GAIN**way * steps[b]:
            break
        found = b
    return found
