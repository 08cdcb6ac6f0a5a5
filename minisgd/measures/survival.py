"""Sec. IV: which runs survive linear scaling, and what would have saved the others?

Every run is watched before each of its updates: has it left the initial plateau, and how often is
it thrown back to one (following.thrown)? It has learnt if its test accuracy at the end is at least
LEARNT. Over several seeds, the runs as they are in the report are compared with runs in which one
thing is different:

    no longer step   a step of w that is longer than c is shortened to c. For SGD that is a smaller
                     rate in this update
    its rates        the rates that such a run of the next seed came to, without shortening any
                     step: is it the length of the steps that saves a run, or a small enough rate
                     at about the right time?
    released         no longer step only until the run has left the plateau, or has learnt
    leaky            LeNet-5 with leaky ReLUs, of which none is ever off for good
    revived          before each update, the units of all layers that are off for every image of
                     the probe are given their initial weights and biases back
    calm             η/16 until the rates add up to CALM, past the exit from the plateau and what
                     follows it; then a ramp to η over as many updates as the report's warmup has
"""

from dataclasses import asdict, dataclass, replace
from math import isfinite

import numpy as np

from ..networks import NETWORKS, views
from ..settings import Settings
from ..train import Run, evaluate
from . import survival_shown
from .common import Measured, fresh
from .curvature import SIZES
from .following import DEAD, network_at, passed, thrown

COLUMNS = (
    "kind batch_size seed epochs exit exit_rate_sum thrown thrown_low thrown_high step dead_conv1 "
    "dead_conv2 dead_fc diverged accuracy"
).split()
LARGEST = SIZES[2:]
LEARNT = 0.9  # test accuracy
CAPS = (0.25, 0.5, 1.0, 2.0, 4.0)
CAP = 0.5  # of the runs whose rates are used again, and of those that are released
CALM = 6.0
SHARE = 1 / 16  # of η, before the ramp of a calm run
THRESHOLDS = {"thrown": (0.5, 0.1), "thrown_low": (0.3, 0.05), "thrown_high": (0.8, 0.2)}


@dataclass(frozen=True)
class Change:
    """What is different in a run, by the words of the module's docstring.

    cap      the longest step
    until    "left" or "learnt": when steps are no longer shortened; "" for never
    rates    use those of the run of the next seed with this cap
    """

    cap: float | None = None
    until: str = ""
    rates: bool = False
    revived: bool = False
    calm: bool = False


def kinds(seeds, more_seeds):
    """{(kind in words, batch size): (Settings with seed 0, Change, number of seeds)}."""
    found = {}

    def add(kind, sizes, change=None, seeds=seeds, **settings):
        for b in sizes:
            base = Settings(b, rule="linear", **({"epochs": 10} | settings))
            found[kind, b] = base, change or Change(), seeds

    add("no warmup", SIZES, seeds=more_seeds)
    add("gradual warmup", SIZES, seeds=more_seeds, warmup="gradual", epochs=15)
    for cap in CAPS:
        add(f"no step over {cap:g}", LARGEST, Change(cap))
    add(f"the rates of a run with no step over {CAP:g}", LARGEST, Change(CAP, rates=True))
    add(f"no step over {CAP:g} until it has left", LARGEST, Change(CAP, "left"))
    add(f"no step over {CAP:g} until it has learnt", LARGEST, Change(CAP, "learnt"))
    add("leaky ReLUs", LARGEST, network="lenet5-leaky")
    add("dead units revived", LARGEST, Change(revived=True))
    add("η/16 to a sum of 6, then a ramp", SIZES[1:], Change(calm=True), epochs=30)
    return found


def survival(data, seed, threads, log, remember=fresh, kinds=kinds, seeds=5, more_seeds=10,
             probe=256):  # fmt: skip
    runs, kept = kinds(seeds, more_seeds), {}

    def made(kind, b, k):
        """What is kept of the run of the kth seed: its row, with its rates."""
        if (kind, b, k) not in kept:
            settings, change, n = runs[kind, b]
            settings = replace(settings, seed=seed + k)
            rates = None
            if change.rates:
                rates = made(f"no step over {change.cap:g}", b, (k + 1) % n)["rates"]
            log(f"b = {b}, {kind}, seed {settings.seed}")
            asked = {"settings": settings.differing(), "change": asdict(change), "probe": probe}
            asked |= {"rates": rates, "learnt": LEARNT, "calm": CALM, "share": SHARE}
            (kept[kind, b, k],) = remember(
                f"{survival_shown.file_name(kind)}-{b}-{settings.seed}",
                asked | {"thresholds": THRESHOLDS},
                lambda: [watched(Run(settings, data, threads=threads), change, probe, rates)],
            )
        return kept[kind, b, k]

    rows = [
        {"kind": kind, "batch_size": b, "seed": seed + k, "epochs": settings.epochs}
        | {name: value for name, value in made(kind, b, k).items() if name != "rates"}
        for (kind, b), (settings, _, n) in runs.items()
        for k in range(n)
    ]
    return Measured(
        "Which large batches survive linear scaling, and what would have saved them?",
        COLUMNS,
        rows,
        survival_shown.table(rows, LEARNT),
        (),
        survival_shown.text(rows, LEARNT),
        draw=lambda title, note: survival_shown.figure(rows, title, note, LEARNT),
    )


def watched(run, change, probe, rates=None):
    """Train a run with this change, watching it, until it diverges or ends.

    rates    of its updates, in place of its own; if that run diverged, its last one goes on
    Returns: a row, from "exit" on, and the "rates" that its updates came to
    """
    walk = Walk(run, change, probe, rates)
    with np.errstate(all="ignore"):  # a run that diverges shows in its loss, not in warnings
        for epoch in range(1, run.settings.epochs + 1):
            for t, lr, batch in run.batches(epoch):
                if walk.diverged is None:
                    walk.update(t, lr, batch)
        return walk.row()


class Walk:
    """A run with a change, and what has been seen of it so far."""

    def __init__(self, run, change, probe, rates):
        self.run, self.change, self.rates, self.probe = run, change, rates, run.x[:probe]
        self.labels, self.first = run.y[:probe], views(run.model.weights(), run.model.shapes)
        self.cap = None if change.rates else change.cap
        self.diverged, self.longest = None, 0.0
        self.spreads, self.used, self.rising = [], [], 0  # `rising`: updates of the ramp so far

    def update(self, t, lr, batch):
        """Make update t, unless it diverges."""
        run, w = self.run, self.run.model.w
        if self.change.revived:
            self.revive()
        seen = network_at(w, self.probe, self.labels, run.model.pixels, run.settings.network)
        lr, before = self.rate(t, lr), run.model.weights()
        loss, correct = run.update(t, lr, batch)
        wanted = float(np.linalg.norm(w - before))
        if not isfinite(loss) or not isfinite(wanted):
            self.diverged = t
            return
        step = shorten(w, before, self.cap)
        self.longest = max(self.longest, step)
        self.spreads.append(seen["spread"])
        self.used.append(lr * step / wanted if wanted else lr)
        left = seen["spread"] > THRESHOLDS["thrown"][0]
        learnt = correct >= LEARNT * len(batch)
        if {"left": left, "learnt": learnt}.get(self.change.until):
            self.cap = None

    def rate(self, t, lr):
        """The rate of update t, which the schedule would make with lr."""
        if self.rates:
            return self.rates[min(t, len(self.rates) - 1)]
        if not self.change.calm:
            return lr
        small = SHARE * lr
        if sum(self.used) < CALM:
            return small
        self.rising += 1
        updates = self.run.settings.warmup_epochs * self.run.per_epoch
        return small + (lr - small) * min(1.0, self.rising / updates)

    def revive(self):
        """Give the units that are off for every image of the probe their first weights back."""
        model, network = self.run.model, self.run.settings.network
        _, alive = passed(model.w, self.probe, model.pixels, network)
        names = [part.name for part in NETWORKS[network] if part.shapes]
        for name, on in zip(names, alive, strict=False):  # the last layer has no ReLUs
            for tensor in (f"{name}.W", f"{name}.b"):
                model.params[tensor][~on] = self.first[tensor][~on]

    def row(self):
        run, (left, _) = self.run, thrown(self.spreads)
        end = network_at(
            run.model.w, self.probe, self.labels, run.model.pixels, run.settings.network
        )
        _, right, _ = evaluate(run.model, *run.test)
        return {
            "exit": left[0] if left else None,
            "exit_rate_sum": sum(self.used[: left[0]]) if left else None,
            **{name: len(thrown(self.spreads, *at)[1]) for name, at in THRESHOLDS.items()},
            "step": self.longest,
            **{name: end[name] for name in DEAD},
            "diverged": self.diverged,
            "accuracy": int(right) / len(run.test[1]) if self.diverged is None else 0.0,
            "rates": self.used,
        }


def shorten(w, before, longest):
    """Shorten the step from `before` to w, in place, to the length `longest`; None leaves it alone.

    Returns: the length that the step then has
    """
    step = float(np.linalg.norm(w - before))
    if longest and step > longest:
        w[...] = before + w.dtype.type(longest / step) * (w - before)
        return longest
    return step
