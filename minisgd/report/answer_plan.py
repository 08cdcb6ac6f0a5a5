"""Which runs the answer needs once its searches are done: every method at every batch size, and at
8,192 the methods taken apart.
"""

from dataclasses import dataclass, field, replace

from ..settings import Settings
from .answer import FIRST_SEED, LARGE, METHODS, RULED, SEARCHES, SIZES, NoSearch, at_sizes, winners
from .experiments import EXPERIMENTS, Experiment
from .search import winner

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the rate, to see how forgiving a method is
RAMP = 24  # updates of a warmup: a tenth of those at LARGE
WARM = 5  # epochs of the warmup of LARS
# Along the report's run of 64, `measure noise-scale` finds 260, 636, 630 and 1,542 images after 1,
# 3, 10 and 20 epochs: of whole factors those that reach 256, 512 and 1,536.
FOLLOWING = "x4@2,x2@4,x3@21"


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

    Raises:  NoSearch if a search is missing
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
        found[f"{b:,}, the batch grows by the cosine"] = replace(constant, batch_schedule="cosine")
        found[f"{b:,}, neither"] = constant
        if b == SIZES[0]:
            found[f"{b}, the rate falls by 5, twice"] = replace(falling, decay="steps")
            found[f"{b}, the batch grows by 5, twice"] = replace(constant, batch_schedule="steps")
            found[f"{b}, the batch follows the noise scale"] = replace(
                constant, batch_schedule=FOLLOWING
            )
            found[f"{b}, noise scale, falling rate"] = replace(falling, batch_schedule=FOLLOWING)
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
    except NoSearch:
        return EXPERIMENTS
