"""What more ranks gain and a larger batch costs: the trade-off of Sec. V, in seconds.

An epoch of N images in batches of b on R ranks is U = ⌈N/b⌉ updates, each of which takes

    t(b, R) = c s(b, R) + o + a(R)          computing, the fixed cost of an update, the all-reduce
    a(R) = 2 log2(R) α + 2 (1 - 1/R) β n    an all-reduce of n bytes (Rabenseifner): α per message,
                                            β per byte

where s(b, R) is the number of images on the rank that has the most, for which all others wait. It
is b/R at best: up to four ranks share the lanes of a batch, which are four, so that three ranks are
no faster than two. A batch of fewer than 192 images has two: there four are no faster than two.

c and o are fitted to epochs measured on one rank, α and β to all-reduces measured on as many ranks
as there are cores. What the model says about more ranks than that is a projection: it assumes that
each has the same processor and the same network. A measured all-reduce includes the time spent
waiting for the slowest rank; the model's does not.

speedup_timing.py measures, speedup_results.py shows the results; buying.py says how long a whole
training would take, and buying_shown.py shows it.
"""

from dataclasses import dataclass
from math import ceil, log2
from statistics import median

import numpy as np

from ..errors import SettingError
from ..gradient import LANES, lane_bounds, lanes_for
from ..networks import LENET5, size_of

NUMBERS = size_of(LENET5) + 2  # float64 in an all-reduce: gradient, loss, number correct
MESSAGES = (1, 1024, 16_384, NUMBERS, 4 * NUMBERS)  # float64 in the all-reduces that are timed
WEAK = 64  # images per rank and batch in weak scaling


@dataclass(frozen=True)
class CostModel:
    """The seconds that an epoch takes.

    Units:  seconds: c per image, o per update, alpha per message of an all-reduce, beta per byte
    """

    c: float
    o: float
    alpha: float
    beta: float

    def all_reduce(self, ranks, size=8 * NUMBERS):
        """Seconds of one all-reduce of `size` bytes."""
        if ranks == 1:
            return 0.0
        return 2 * log2(ranks) * self.alpha + 2 * (1 - 1 / ranks) * self.beta * size

    def update(self, batch_size, ranks):
        """Seconds of an update."""
        return self.c * largest_share(batch_size, ranks) + self.o + self.all_reduce(ranks)

    def epoch(self, N, batch_size, ranks):
        """Seconds of an epoch of N images, with a smaller last batch if b does not divide N."""
        whole, rest = divmod(N, batch_size)
        return whole * self.update(batch_size, ranks) + (self.update(rest, ranks) if rest else 0.0)


def largest_share(B, ranks):
    """The number of images on the rank that has the most of a batch of B.

    A lane is never split between ranks (gradient.py).
    """
    if ranks > LANES:
        return ceil(B / ranks)
    lanes = [lane_bounds(B, lanes_for(B), rank, ranks) for rank in range(ranks)]
    return max(sum(hi - lo for lo, hi in bounds) for bounds in lanes)


def sizes_for(batch_sizes, ranks):
    """The batch sizes to measure on so many ranks: these, and the one of weak scaling."""
    return sorted({*batch_sizes, WEAK * ranks})


def check(ranks, batch_sizes, cores):
    """Refuse, before any time is spent, measurements that the model could not be fitted to.

    Raises:  SettingError
    """
    if not any(2 <= R <= cores for R in ranks):
        raise SettingError(
            f"an all-reduce is measured on 2 ranks or more, and no more than the {cores} cores: "
            f"--ranks {','.join(map(str, ranks))} names no such number"
        )
    if len(sizes_for(batch_sizes, 1)) < 2:
        raise SettingError(f"a model needs two batch sizes: give one besides {WEAK}")


def fitted(epochs, messages, N, ranks):
    """The CostModel that fits the measurements best: least squares of the relative errors.

    epochs    {batch size: seconds of an epoch of N images on one rank}
    messages  {bytes: seconds of an all-reduce on `ranks` ranks}
    """
    per_image_and_update = [(N / seconds, ceil(N / b) / seconds) for b, seconds in epochs.items()]
    per_message_and_byte = [
        (2 * log2(ranks) / seconds, 2 * (1 - 1 / ranks) * size / seconds)
        for size, seconds in messages.items()
    ]
    c, o = _non_negative_fit(per_image_and_update)
    alpha, beta = _non_negative_fit(per_message_and_byte)
    return CostModel(c, o, alpha, beta)


def fitted_to(one, widest, N):
    """The CostModel of two jobs measured by speedup_timing.measure.

    one     the job of one rank
    widest  the job of the most ranks that have a core each
    """
    seconds = {}
    for batch_size, took, _ in one["epochs"]:
        seconds.setdefault(batch_size, []).append(took)
    epochs = {batch_size: median(rounds) for batch_size, rounds in seconds.items()}
    return fitted(epochs, dict(widest["messages"]), N, widest["ranks"])


def _non_negative_fit(rows):
    """The x, y >= 0 that bring x a + y b nearest to 1 over the rows (a, b)."""
    A = np.array(rows)
    x, y = np.linalg.lstsq(A, np.ones(len(A)), rcond=None)[0]
    if x < 0 or y < 0:  # then one of them is 0: fit each alone and take the better
        alone = [a.sum() / (a @ a) for a in A.T]
        errors = [np.square(1 - s * a).sum() for s, a in zip(alone, A.T, strict=True)]
        x, y = (alone[0], 0.0) if errors[0] <= errors[1] else (0.0, alone[1])
    # The last digits depend on the BLAS; without them every machine tells the same of kept times.
    return float(f"{x:.12g}"), float(f"{y:.12g}")
