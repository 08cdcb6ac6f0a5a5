"""Beyond Sec. V: how many steps and epochs does a batch need, if everything is tuned at its size?

For every method and batch size, trials of the rate and the momentum are made one after the other on
held-out images, each until it reaches the harder of two accuracies or cannot win any more
(reaching.race). The first size has the range of its rate around a guess, and each further one
around the best trial of the size before, moved as the guesses go. For each accuracy the settings
that took the fewest steps are then run again from seeds that no trial has seen: these runs alone
count. The rate is constant throughout, with no warmup: a decay would need to know the end, and a
warmup would be a fixed cost that weighs most on the largest batch, where a run is shortest.

Source:  Shallue et al. 2019, Measuring the Effects of Data Parallelism on Neural Network Training
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from math import exp, inf, log
from typing import NamedTuple

import numpy as np

from ..lab.calls import calls
from ..report.search import EFFECTIVE, Range, Search, value_of
from ..report.selection import hold_out
from ..settings import Settings
from . import steps_shown
from .common import Measured, as_row, fresh
from .reaching import LOOK, race, reach

TARGETS = (0.97, 0.985)  # accuracies on the held-out images
COLUMNS = (
    "method batch_size kind target seed lr momentum steps epochs updates cost accuracy ended"
).split()


class Method(NamedTuple):
    """A way to train, and where its rate and momentum are looked for.

    base     its settings, whatever the batch size
    rate     "lr" or "effective_lr": which of the two is searched
    guesses  {batch size: rate}; in between, the power of b that leads from one to the next
    momenta  the range of the momentum
    """

    base: Settings
    rate: str
    guesses: dict
    momenta: tuple

    def guess(self, b):
        sizes = list(self.guesses)
        return exp(np.interp(log(b), np.log(sizes), np.log(list(self.guesses.values()))))


# The guesses come from a few short runs on the held-out images. What is clipped is so because
# without it the exit from the initial plateau throws a large batch at any rate that is fast later.
# Those of LAMB were lowered once: around .04 at 4,096 and .06 at 60,000, as good with a decay, no
# trial beyond 1,024 came to the first accuracy.
METHODS = {
    "momentum": Method(
        Settings(optimizer="momentum", momentum=0.9, clip=0.4),
        EFFECTIVE, {64: 0.8, 4096: 4.0, 60000: 4.0}, (0.7, 0.95),
    ),
    "nesterov": Method(
        Settings(optimizer="nesterov", momentum=0.9, clip=0.4),
        EFFECTIVE, {64: 1.0, 4096: 7.0, 60000: 8.0}, (0.7, 0.95),
    ),
    "lamb": Method(
        Settings(optimizer="lamb", momentum=0.9, beta2=0.99),
        "lr", {64: 0.004, 4096: 0.012, 60000: 0.03}, (0.7, 0.95),
    ),
    "muon": Method(
        Settings(optimizer="muon", momentum=0.9, beta2=0.95, adam_factor=0.1),
        "lr", {64: 0.004, 4096: 0.05, 60000: 0.08}, (0.6, 0.95),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What is run.

    limits    {batch size: epochs after which a run ends in any case}; the last size is that of all
              images that are left to train on, if it is larger
    trials    of every method and size
    seeds     of the settings that were chosen
    held_out  images that accuracies are taken on
    wide      the upper end of the range of a rate over its lower one
    pace      an accuracy on the way to the targets, at which trials are compared as well
    slack     a trial ends if it needs so many times the best's steps to it, or to any target but
              the last
    """

    methods: dict
    limits: dict
    trials: int = 4
    seeds: int = 3
    held_out: int = 5_000
    wide: float = 6.0
    pace: float = 0.9
    slack: float = 1.2
    targets: tuple = TARGETS

    def sizes(self, N):
        """{batch size: limit in updates}, where N images are left to train on.

        Raises:  SettingError if there are too few of them
        """
        *smaller, largest = self.limits
        Settings(max(smaller)).check(N)
        sizes = *smaller, min(largest, N)
        return {b: k * -(-N // b) for b, k in zip(sizes, self.limits.values(), strict=True)}

    def candidates(self, method, b, middle):
        """The settings of the trials, the nearest to the middle first: a good early trial makes all
        later ones short.
        """
        rate, momentum = ranges = (
            Range(method.rate, *(float(f"{middle * self.wide**x:.3g}") for x in (-0.5, 0.5))),
            Range("momentum", *method.momenta),
        )
        found = Search(replace(method.base, batch_size=b), ranges, self.trials, 0).candidates()
        return sorted(
            found, key=lambda s: (rate.place(s) - 0.5) ** 2 + (momentum.place(s) - 0.5) ** 2
        )

    def most(self):
        """(runs, epochs) that the plan takes at most."""
        each = self.trials + self.seeds * len(self.targets)
        runs = each * len(self.methods) * len(self.limits)
        return runs, each * len(self.methods) * sum(self.limits.values())


PLAN = Plan(METHODS, {64: 6, 256: 6, 1024: 8, 4096: 12, 16384: 36, 60000: 60})


def steps(data, seed, threads, log, remember=fresh, plan=PLAN, noise=()):
    """The measure. `threads` is how many runs are made side by side, each in a process of one.

    noise    rows of the noise scale (measure-noise-scale.csv) that B_crit is held against
    """
    split = hold_out(data, plan.held_out)
    N = len(split.train.labels)
    sizes = plan.sizes(N)
    runs, most = plan.most()
    log(f"{runs} runs, {most:,} epochs at most; a run ends where it has reached its accuracy")
    spent, shifts = [], dict.fromkeys(plan.methods, 1.0)

    def run(name, kind, settings, targets, bounds):
        asked = {"settings": settings.differing(), "targets": [*targets]}
        asked |= {"bounds": [*bounds.values()], "held out": plan.held_out, "look": LOOK}
        key = f"{name}-{settings.batch_size}-{kind}"
        (found,) = remember(key, asked, lambda: [call(reach, settings, targets, bounds)])
        spent.append(found["cost"])
        log(f"{key}: {told(found, targets)}; {sum(spent):,.0f} epochs so far")
        return found

    def at(b, name):
        """All rows of a method at a size: its trials, then the runs of fresh seeds."""
        method, limit = plan.methods[name], sizes[b]
        best, made, rows = dict.fromkeys((plan.pace, *plan.targets), inf), {}, []
        for k, candidate in enumerate(plan.candidates(method, b, shifts[name] * method.guess(b))):
            settings = replace(candidate, seed=seed)
            found = run(name, f"trial{k}-seed{seed}", settings, best, race(best, limit, plan.slack))
            reached = {t: s or inf for t, s in zip(best, found["steps"], strict=True)}
            best = {t: min(s, reached[t]) for t, s in best.items()}
            made[candidate] = reached
            rows += rows_of(name, "trial", settings, plan.targets, reached, found, N)
        chosen = choose(made, plan.targets)
        if chosen:
            shifts[name] = value_of(method.rate, chosen[max(chosen)]) / method.guess(b)
        for candidate in dict.fromkeys(chosen.values()):
            targets = [target for target in chosen if chosen[target] == candidate]
            bounds = {t: min(limit, 2 * made[candidate][t]) for t in targets}
            to = "-".join(f"{target:g}" for target in targets)
            for k in range(1, plan.seeds + 1):
                settings = replace(candidate, seed=seed + k)
                found = run(name, f"to-{to}-seed{settings.seed}", settings, targets, bounds)
                reached = {t: s or inf for t, s in zip(targets, found["steps"], strict=True)}
                rows += rows_of(name, "seed", settings, targets, reached, found, N)
        return rows

    jobs, rows = min(threads, len(plan.methods)), []
    with ThreadPoolExecutor(jobs) as pool, calls(split, jobs) as call:
        for b in sizes:
            for found in (pool.map if jobs > 1 else map)(partial(at, b), plan.methods):
                rows += found
    places = list(plan.methods)
    rows.sort(key=lambda row: places.index(row["method"]))  # stable: by size within a method
    return measured(rows, noise)


def measured(rows, noise):
    """What these rows with COLUMNS show, and the rows of the noise scale beside them."""
    targets = sorted({row["target"] for row in rows})
    return Measured(
        f"How many steps to {' and '.join(map(steps_shown.percent, targets))} of held-out "
        "images, tuned at every batch size?",
        COLUMNS,
        rows,
        steps_shown.table(rows),
        steps_shown.plots(rows, noise),
        steps_shown.text(rows, noise),
    )


def choose(made, targets):
    """{target: the settings that took the fewest steps to it}, without targets that none reached.

    Those of the last target are also taken for another one if they need no more than LOOK of the
    steps more, which is how well the steps are known.

    made     {settings: {target: steps, infinite if it was not reached}}
    """
    chosen = {}
    for target in reversed(targets):
        fewest = min(made, key=lambda settings: made[settings][target])
        for settings in [*chosen.values(), fewest]:
            if made[settings][target] <= (1 + LOOK) * made[fewest][target] < inf:
                chosen[target] = settings
                break
    return dict(sorted(chosen.items()))


def rows_of(name, kind, settings, targets, reached, found, N):
    """A row with COLUMNS for each of these targets of a run."""
    b, rows = settings.batch_size, []
    for target in targets:
        steps = reached[target] if reached[target] < inf else None
        values = name, b, kind, target, settings.seed, settings.lr, settings.momentum, steps
        ends = steps and steps * b / N, *(found[key] for key in COLUMNS[-4:])
        rows.append(as_row(COLUMNS, *values, *ends))
    return rows


def told(found, targets):
    """How a run ended, in words."""
    reached = [
        f"{target:.1%} after {steps:.0f}"
        for target, steps in zip(targets, found["steps"], strict=True)
        if steps
    ]
    return f"{', '.join(reached) or 'no target'} of {found['updates']} updates ({found['ended']})"
