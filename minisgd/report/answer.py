"""The answer to the title's question: five methods at seven batch sizes, tuned alike.

At some sizes the numbers of a method are searched on held-out images. At the sizes in between each
of them follows the power of the batch size that leads through the two nearest, which the results
then test. All runs are made again on the whole training set, with seeds that no search has seen.
"""

from dataclasses import dataclass, field, replace
from math import log

from ..errors import UserError, program
from ..settings import Settings
from .experiments import EXPERIMENTS, Experiment
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
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the rate, to see how forgiving a method is
RAMP = 24  # updates of a warmup: a tenth of those at LARGE
WARM = 5  # epochs of the warmup of LARS
# Along the report's run of 64, `measure noise-scale` finds 260, 636, 630 and 1,542 images after 1,
# 3, 10 and 20 epochs: of whole factors those that reach 256, 512 and 1,536.
FOLLOWING = "x4@2,x2@4,x3@21"
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


def winners(trials, searches, command="answer"):
    """{(method, batch size): the settings that its search chose}, of {(method, size): Search}.

    Raises:  UserError if a search is missing from trials.Trials; the command makes it
    """
    kept = {key: trials.of(search) for key, search in searches.items()}
    if missing := [f"{name} at {b}" for (name, b), found in kept.items() if not found]:
        raise UserError(
            f"{trials.folder} lacks the searches of {', '.join(missing)}: run `{program()} "
            f"{command}` first"
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


@dataclass(frozen=True)
class Plan:
    """Which runs the answer needs, once the searches are done: {what tells a run apart: settings}.

    sizes    by (method, batch size)
    short    by method: the best of the shortest trials at LARGE, as long as they were
    changes  by what was changed, at LARGE
    rates    by (method, factor of its rate), at LARGE
    rules    by the rule that took a method from RULED to LARGE
    grown    by what takes the noise away, a rate that falls or a batch that grows
    """

    sizes: dict
    short: dict
    changes: dict
    rates: dict
    rules: dict
    grown: dict
    experiments: dict = field(init=False)  # the same runs by name, as Kept knows them

    def __post_init__(self):
        found = {
            name: Experiment(
                name, title, tuple(dict.fromkeys(cells.values())), first_seed=FIRST_SEED
            )
            for name, title, cells in (
                ("answer", "How large a batch does each method carry?", self.sizes),
                ("answer-short", f"Batch size {LARGE:,} in a few epochs", self.short),
                ("answer-changes", f"What did the work at {LARGE:,}?", self.changes),
                ("answer-rates", f"How forgiving is each method at {LARGE:,}?", self.rates),
                ("answer-rules", "Numbers carried from one batch size to another", self.rules),
                ("answer-grown", "A batch that grows instead of a rate that falls", self.grown),
            )
        }
        object.__setattr__(self, "experiments", found)


def plan(trials):
    """The Plan that follows from trials.Trials.

    Raises:  UserError if a search is missing
    """
    tuned = winners(trials, SEARCHES)
    sizes = at_sizes(tuned, METHODS, SIZES)
    short = {}
    for name in METHODS:
        found = trials.of(SEARCHES[name, LARGE])
        shortest = min(trial.settings.epochs for trial in found)
        these = [trial for trial in found if trial.settings.epochs == shortest]
        short[name] = winner(these).settings
    at_large = {name: sizes[name, LARGE] for name in METHODS}
    rates = {
        (name, factor): replace(settings, lr=float(f"{settings.lr * factor:.3g}"))
        for name, settings in at_large.items()
        for factor in FACTORS
    }
    return Plan(sizes, short, changes(at_large), rates, rules(tuned, sizes), grown(sizes))


def changes(at_large):
    """{what is changed: settings}. Nothing is tuned again after a change."""
    whole = at_large["nesterov"]
    report = Settings(LARGE, lr=0.01, momentum=0.9)
    faster = replace(report, lr=whole.lr, momentum=whole.momentum)
    warm = {"warmup": "ramp", "warmup_updates": RAMP}
    return {
        "the report's momentum, η = .01": report,
        "it, and clipping": replace(report, clip=whole.clip),
        "it, and Nesterov's form": replace(report, optimizer="nesterov"),
        "it, and the decay": replace(report, decay=whole.decay),
        f"it, and a warmup of {RAMP} updates": replace(report, **warm),
        "it, and the rate and m of the whole": faster,
        "... and clipping": replace(faster, clip=whole.clip),
        "... and Nesterov's form": replace(faster, optimizer="nesterov"),
        "... and the decay": replace(faster, decay=whole.decay),
        f"... and a warmup of {RAMP} updates": replace(faster, **warm),
        "the whole: rate, clipping, Nesterov, decay, tuned": whole,
        "the whole without its rate and m": replace(whole, lr=0.01, momentum=0.9),
        "the whole without clipping": replace(whole, clip=None),
        "the whole without Nesterov's form": replace(whole, optimizer="momentum"),
        "the whole without the decay": replace(whole, decay="none"),
        "the whole with the warmup": replace(whole, **warm),
        "a rate for every layer: LARS, tuned": at_large["lars"],
        "LARS without the decay": replace(at_large["lars"], decay="none"),
        "a rate for every weight: Adam, tuned": at_large["adam"],
        "both: LAMB, tuned": at_large["lamb"],
        "orthogonal updates: Muon, tuned": at_large["muon"],
        "Muon without the decay": replace(at_large["muon"], decay="none"),
        "Muon, Adam for the first and last layer": replace(
            at_large["muon"], optimizer="muon-inner"
        ),
    }


def rules(tuned, sizes):
    """{rule: settings}: at LARGE from those tuned at RULED, and at RULED by the power of the batch
    size that leads through those tuned at the sizes around it.
    """
    there = {"batch_size": LARGE, "base_batch_size": RULED}
    adam, lars = tuned["adam", RULED], tuned["lars", RULED]
    linear = replace(lars, rule="linear", **there)
    return {
        "Adam by its square-root rule": replace(adam, rule="adam-sqrt", **there),
        "Adam tuned there": tuned["adam", LARGE],
        "LARS by the linear rule": linear,
        "LARS by the linear rule, with warmup": replace(
            linear, warmup="gradual", warmup_epochs=WARM
        ),
        "LARS tuned there": tuned["lars", LARGE],
        f"Adam at {RULED}, on the line between": sizes["adam", RULED],
        f"Adam at {RULED}, tuned (other ranges)": adam,
        f"LARS at {RULED}, on the line between": sizes["lars", RULED],
        f"LARS at {RULED}, tuned": lars,
    }


def grown(sizes):
    """{what takes the noise away: settings}, of clipped SGD in Nesterov's form as it was tuned.

    The noise of an update goes with η/b. A batch that grows as the rate would fall takes it away
    with fewer updates (Smith et al. 2018), and one that follows the noise scale is as large as is
    worth its images (McCandlish et al. 2018).
    """
    found = {}
    for b in (SIZES[0], SIZES[2], LARGE):
        falling = sizes["nesterov", b]
        constant = replace(falling, decay="none")
        found[f"{b:,}, the rate falls by the cosine"] = falling
        found[f"{b:,}, the batch grows by it"] = replace(constant, batch_schedule="cosine")
        found[f"{b:,}, neither"] = constant
        if b == SIZES[0]:
            found[f"{b}, the rate falls by 5, twice"] = replace(falling, decay="steps")
            found[f"{b}, the batch grows by 5, twice"] = replace(constant, batch_schedule="steps")
            found[f"{b}, the batch follows the noise scale"] = replace(
                constant, batch_schedule=FOLLOWING
            )
            found[f"{b}, it follows it, and the rate falls"] = replace(
                falling, batch_schedule=FOLLOWING
            )
    return found


def watched(trials):
    """The runs that `measure methods` follows: the linear rule, which fails at LARGE, then every
    method there, then Muon with the whole training set.
    """
    sizes = plan(trials).sizes
    methods = [sizes[name, LARGE] for name in METHODS]
    return [Settings(LARGE, rule="linear"), *methods, sizes["muon", SIZES[-1]]]


def known(trials):
    """All experiments whose runs a folder may hold: the report's, and the answer's if the searches
    are there, as trials.Trials.
    """
    try:
        return EXPERIMENTS | plan(trials).experiments
    except UserError:
        return EXPERIMENTS
