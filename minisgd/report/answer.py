"""The answer to the title's question: five methods at seven batch sizes, tuned alike.

At some sizes the numbers of a method are searched on held-out images. At the sizes in between each
of them follows the power of the batch size that leads through the two nearest, which the results
then test. All runs are made again on the whole training set, with seeds that no search has seen.
"""

from dataclasses import dataclass, replace
from math import log
from shlex import quote

from ..errors import UserError, program
from ..settings import Settings
from .search import DISTANCE_FROM_ONE, EFFECTIVE, Range, Search, value_of, winner

SIZES = (64, 512, 2048, 8192, 16384, 32768, 60000)
SEARCHED = (64, 8192, 60000)
RULED = 512  # searched as well, for Adam's rule and the promise of LARS
LARGE = 8192  # where the methods are taken apart
HELD_OUT = 5_000  # images that the searches choose on
LEFT = 60_000 - HELD_OUT  # to train on meanwhile: there, the largest batch is of so many
# (trials, halvings) of every search: 276 epochs in all. At 60,000 a short run would be of a few
# updates and end on the plateau, where luck decides: 9 whole runs, 270 epochs.
BUDGET = {64: (12, 2), 512: (12, 2), 8192: (12, 2), 60000: (9, 0)}
FIRST_SEED = 1  # of the runs on all images: the searches have seen seed 0
WIDE = 30  # the upper end of the range of a rate over its lower one
# The report's own ways to choose the rate, whose runs are kept already.
REPORTED = {
    "η = .01": "figure1", "sqrt rule": "figure2", "linear rule, warmup": "figure4",
    "momentum, η = .01": "figure5",
}  # fmt: skip


@dataclass(frozen=True)
class Method:
    """One way to train, and where its numbers are looked for.

    title    in the words of a legend
    base     its settings, whatever the batch size
    rate     "lr" or "effective_lr": which of the two is searched
    guesses  {batch size: the middle of its range}, which is WIDE for every method and size
    ranges   those of the other numbers
    """

    title: str
    base: Settings
    rate: str
    guesses: dict
    ranges: tuple

    def search(self, b, ranges=None):
        """The Search at a batch size."""
        ends = (float(f"{self.guesses[b] * WIDE**x:.3g}") for x in (-0.5, 0.5))
        trials, halvings = BUDGET[b]
        base = replace(self.base, batch_size=min(b, LEFT))
        return Search(base, (Range(self.rate, *ends), *(ranges or self.ranges)), trials, halvings)

    @property
    def names(self):
        """Of the numbers that are searched."""
        return (self.rate, *(each.name for each in self.ranges))


def _base(optimizer, **settings):
    return Settings(optimizer=optimizer, momentum=0.9, decay="cosine", **settings)


# The guesses come from a few short runs on the held-out images. Where a search ends at an edge of
# its range, the guess is moved there and the search made again.
METHODS = {
    "nesterov": Method(
        "SGD, clipped, Nesterov", _base("nesterov", clip=1.0), EFFECTIVE,
        {64: 0.6, 8192: 4.0, 60000: 8.0},
        (Range("momentum", 0.7, 0.98), Range("clip", 0.1, 2.0)),
    ),
    "adam": Method(
        "Adam", _base("adam"), "lr",
        {64: 0.001, 512: 0.003, 8192: 0.012, 60000: 0.02},
        (Range("momentum", 0.7, 0.97), Range("beta2", 0.9, 0.999)),
    ),
    "lars": Method(
        "LARS", _base("lars"), EFFECTIVE,
        {64: 1.0, 512: 6.0, 8192: 30.0, 60000: 25.0},
        (Range("momentum", 0.7, 0.97), Range("trust", 0.002, 0.02)),
    ),
    "lamb": Method(
        "LAMB", _base("lamb"), "lr",
        {64: 0.004, 8192: 0.06, 60000: 0.15},
        (Range("momentum", 0.7, 0.97), Range("beta2", 0.9, 0.999)),
    ),
    "muon": Method(
        "Muon", _base("muon", beta2=0.95), "lr",
        {64: 0.004, 8192: 0.07, 60000: 0.2},
        (Range("momentum", 0.6, 0.95), Range("adam_factor", 0.01, 0.5)),
    ),
}  # fmt: skip
# From 512 to 8192 Adam's rule multiplies 1 - β1 and 1 - β2 by 16: they must stay below 1.
REMEMBERING = Range("momentum", 0.95, 0.995), Range("beta2", 0.95, 0.999)
SEARCHES = {
    **{(name, b): m.search(b) for b in (8192, 60000, 64) for name, m in METHODS.items()},
    ("adam", RULED): METHODS["adam"].search(RULED, REMEMBERING),
    ("lars", RULED): METHODS["lars"].search(RULED),
}


def between(one, other, b, names):
    """Settings at a batch size between those of two others, which are alike but for these numbers.

    x = x1 (x2/x1)^s with s = log(b/b1) / log(b2/b1), of 1 - m and 1 - β2 instead of m and β2.
    """
    s = log(b / one.batch_size) / log(other.batch_size / one.batch_size)
    values = {}
    for name in names:
        ends = value_of(name, one), value_of(name, other)
        x1, x2 = (1 - x if name in DISTANCE_FROM_ONE else x for x in ends)
        x = float(f"{x1 * (x2 / x1) ** s:.3g}")
        values[name] = round(1 - x, 12) if name in DISTANCE_FROM_ONE else x
    if EFFECTIVE in values:
        values["lr"] = float(f"{values.pop(EFFECTIVE) * (1 - values['momentum']):.3g}")
    return replace(one, batch_size=b, **values)


class NoSearch(UserError):
    """The settings that a search would choose are not known: it is not kept."""


def winners(trials, searches, command=None):
    """{(method, batch size): the settings that its search chose}, of {(method, size): Search}.

    command  what makes the searches, in the words of a command line; None for `answer trials`
    Raises:  NoSearch if a search is missing from trials.Trials
    """
    kept = {key: trials.of(search) for key, search in searches.items()}
    if missing := [f"{name} at {b}" for (name, b), found in kept.items() if not found]:
        command = command or f"answer trials --out {quote(str(trials.folder))}"
        raise NoSearch(
            f"{trials.folder} lacks {len(missing)} of {len(searches)} searches, such as that of "
            f"{missing[0]}: run `{program()} {command}` first"
        )
    return {
        (name, b): replace(winner(found).settings, batch_size=b)
        for (name, b), found in kept.items()
    }


def at_sizes(tuned, methods, sizes):
    """{(method, batch size): settings} at any sizes from the smallest to the largest in SEARCHED:
    those tuned there, or `between` those tuned at the two nearest.
    """
    found = {}
    for name in methods:
        for b in sizes:
            below = max(size for size in SEARCHED if size <= b)
            above = min(size for size in SEARCHED if size >= b)
            one, other = tuned[name, below], tuned[name, above]
            exact = below == above
            found[name, b] = one if exact else between(one, other, b, METHODS[name].names)
    return found
