"""Tuning several numbers at once on held-out images: quasi-random trials, then halving.

The numbers are drawn all at once, spread more evenly than at random, so that no two trials tell the
same about any one of them. Short runs come first; the better half goes on to runs twice as long. A
short run is a whole run: its decay ends where it ends.
"""

from dataclasses import dataclass, replace
from math import ceil, inf, isfinite, log

from ..errors import SettingError, UserError, install
from ..rules import effective_lr
from ..settings import DEFAULTS, KINDS, Settings
from .selection import Trial

DISTANCE_FROM_ONE = ("momentum", "beta2")  # what counts of these is 1 - m and 1 - β2
EDGE = 0.05  # of a range, at either end: a best trial there asks for a wider range
EFFECTIVE = "effective_lr"
NOT_SEARCHED = ("batch_size", "base_batch_size", "epochs", "warmup_epochs", "seed")


@dataclass(frozen=True)
class Range:
    """The values among which a search looks for one setting, evenly on a logarithmic scale.

    name    of a setting that is a number, or effective_lr, whose value η/(1-m) gives η by m

    Raises:  SettingError in one sentence for a name or ends that make no sense
    """

    name: str
    low: float
    high: float

    def __post_init__(self):
        numbers = [n for n in DEFAULTS if KINDS[n] in ("int", "float") and n not in NOT_SEARCHED]
        if self.name not in (*numbers, EFFECTIVE):
            raise SettingError(
                f"{self.name!r} is no number to search: give one of "
                f"{', '.join([*numbers, EFFECTIVE])}"
            )
        top = 1 if self.name in DISTANCE_FROM_ONE else inf
        if not (isfinite(self.high) and 0 < self.low < self.high < top):
            below = " and below 1" if top == 1 else ""
            raise SettingError(
                f"a range goes from a number above 0 to a larger one{below}, got "
                f"{self.name}={self.low:g}:{self.high:g}"
            )

    def _ends(self):
        ends = self.low, self.high
        return tuple(1 - end for end in ends) if self.name in DISTANCE_FROM_ONE else ends

    def at(self, place):
        """The value at a place from 0 (low) to 1 (high), to three digits, as one would type it."""
        first, last = self._ends()
        value = float(f"{first * (last / first) ** place:.3g}")
        if self.name in DISTANCE_FROM_ONE:
            return round(1 - value, 12)
        return round(value) if KINDS.get(self.name) == "int" else value

    def place(self, settings):
        """Where the value of these settings lies: 0 at the low end, 1 at the high one."""
        value = value_of(self.name, settings)
        first, last = self._ends()
        value = 1 - value if self.name in DISTANCE_FROM_ONE else value
        return log(value / first) / log(last / first)


def value_of(name, settings):
    """A searched number of some settings; that of effective_lr is η/(1-m)."""
    if name == EFFECTIVE:
        return effective_lr(settings.lr, settings.momentum)
    return getattr(settings, name)


@dataclass(frozen=True)
class Search:
    """What is searched, and how much is spent on it.

    base      the settings that all trials share; its epochs are those of the longest
    ranges    of the numbers that differ
    trials    how many there are in the first and shortest round
    halvings  how often the better half goes on to runs twice as long
    seeds     of every trial: the median decides

    Raises:   SettingError for ranges that do not go together or too few trials
    """

    base: Settings
    ranges: tuple
    trials: int = 12
    halvings: int = 2
    seeds: tuple = (0,)

    def __post_init__(self):
        names = [each.name for each in self.ranges]
        if twice := [name for name in names if names.count(name) > 1]:
            raise SettingError(f"there are two ranges of {twice[0]}: leave one of them out")
        if {"lr", EFFECTIVE} <= set(names):
            raise SettingError(f"both lr and {EFFECTIVE} have a range: leave one of them out")
        if self.halvings < 0 or self.trials < 2**self.halvings:
            raise SettingError(
                f"{self.trials} trials cannot be halved {self.halvings} times: give more trials"
            )
        if self.base.epochs < 2**self.halvings:
            raise SettingError(
                f"{self.base.epochs} epochs cannot be halved {self.halvings} times: give more "
                "epochs or fewer halvings"
            )
        for name in names:
            if name != EFFECTIVE and name not in self.base.what_matters():
                raise SettingError(
                    f"{name} means nothing to these runs ({self.base.optimizer}, warmup "
                    f"{self.base.warmup}): give what it belongs to, or leave out its range"
                )
        for place in (0.0, 1.0):  # what makes no sense is refused before anything is trained
            end = self._candidate([place] * len(names))
            replace(end, epochs=lengths(end.epochs, self.halvings)[0])

    def asked(self):
        """What is asked besides the settings of `base`, as a JSON file holds it."""
        ranges = {each.name: [each.low, each.high] for each in self.ranges}
        budget = {"trials": self.trials, "halvings": self.halvings, "seeds": list(self.seeds)}
        return {"ranges": ranges} | budget

    @property
    def cost(self):
        """(runs, epochs) in all."""
        count, runs, epochs = self.trials, 0, 0
        for length in lengths(self.base.epochs, self.halvings):
            runs += count * len(self.seeds)
            epochs += count * len(self.seeds) * length
            count = ceil(count / 2)
        return runs, epochs

    def candidates(self):
        """The settings of the first round, with all epochs.

        Their numbers are the points of a scrambled Halton sequence, which SciPy draws.

        Raises:  UserError if SciPy is not installed
        """
        try:
            from scipy.stats import qmc
        except ImportError:
            raise UserError(
                "a search draws its trials with SciPy, which is not installed: " + install("search")
            ) from None
        halton = qmc.Halton(len(self.ranges), scramble=True, rng=0)
        return [self._candidate(point) for point in halton.random(self.trials).tolist()]

    def _candidate(self, point):
        values = {each.name: each.at(x) for each, x in zip(self.ranges, point, strict=True)}
        if EFFECTIVE in values:
            momentum = values.get("momentum", self.base.momentum)
            values["lr"] = float(f"{values.pop(EFFECTIVE) * (1 - momentum):.3g}")
        return replace(self.base, **values)


def lengths(epochs, halvings):
    """The epochs of a trial in each round: 8, 15 and 30 for 30 epochs and two halvings."""
    return [ceil(epochs / 2 ** (halvings - k)) for k in range(halvings + 1)]


def halve(run, rivals, seeds, halvings):
    """Try every candidate in short runs, then the better half of them in runs twice as long.

    run      a function that makes complete runs of a list of settings on the dataset of
             selection.hold_out and returns {settings: records}
    rivals   {a search: its candidates}; the runs of several searches are made side by side

    Returns: {the search: [(settings, last record) of every run]}, the longest runs last
    """
    ends = {search: [] for search in rivals}
    left = {search: list(dict.fromkeys(candidates)) for search, candidates in rivals.items()}
    for k in range(halvings + 1):
        cells = {
            search: [
                replace(c, epochs=lengths(c.epochs, halvings)[k], seed=seed)
                for c in candidates
                for seed in seeds
            ]
            for search, candidates in left.items()
        }
        records = run([cell for some in cells.values() for cell in some])
        for search, candidates in left.items():
            these = [(cell, records[cell][-1]) for cell in cells[search]]
            ends[search] += these
            found = trials_of(these)
            ranks = sorted(range(len(found)), key=lambda i: -found[i].median)  # ties stay in order
            left[search] = [candidates[i] for i in sorted(ranks[: ceil(len(found) / 2)])]
    return ends


def trials_of(ends):
    """A Trial for every setting, in the order of the runs [(settings, last record)]."""
    found = {}
    for settings, record in ends:
        values = found.setdefault(replace(settings, seed=0), {})
        values[settings.seed] = record["test_accuracy"] or 0.0
    return [Trial(settings, values) for settings, values in found.items()]


def winner(trials):
    """The Trial that won a search: the best of those with the most epochs."""
    longest = max(trial.settings.epochs for trial in trials)
    finalists = [trial for trial in trials if trial.settings.epochs == longest]
    return max(finalists, key=lambda trial: trial.median)


def edges_told(settings, ranges):
    """A clause for every range at whose ends these settings lie, to within EDGE of its width."""
    return [
        f"the best {each.name}, {value_of(each.name, settings):.4g}, is at the edge of its range, "
        f"{each.low:g} to {each.high:g}"
        for each in ranges
        if not EDGE <= each.place(settings) <= 1 - EDGE
    ]
