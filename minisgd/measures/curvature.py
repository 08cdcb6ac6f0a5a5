"""Sec. IV: what kills the large batches at a linearly scaled rate, and why does warmup not help?

Along real runs, before an update: the largest eigenvalue λ of the train loss's Hessian, the batch
sharpness (the curvature of the coming batch's loss along its own gradient), the critical rate (up
to which a step on that batch does not raise its loss), all to be held against η: gradient descent
is stable below λ = 2/η, with momentum below 2(1+m)/η. And, at far more updates, what a network does
that is thrown: the share of its ReLUs that are dead, the length of its logits, the loss.
"""

from math import ceil, inf

import numpy as np

from ..charts import Curve, Plot
from ..diagnostics import (
    critical_rate,
    hessian_product,
    largest_eigenvalue,
    sharpness_along,
)
from ..layers import ReLU
from ..lenet import P, PlainNetwork
from ..loss import softmax_cross_entropy
from ..plots import batch_color
from ..train import Settings, train
from .common import Landscape, Measured, columned, generator, listed

COLUMNS = (
    "warmup batch_size momentum update epoch lr loss dead_conv dead_fc logits spread gradient "
    "eigenvalue eigenvalue_error bound batch_sharpness critical_low critical_high"
).split()
SIZES = (1024, 2048, 4096, 8192)
STEPS = (1e-3, 1e-2, 3e-2)  # of the difference, w being 9 long at the start; the second is used
ALIKE = 1e-3  # a spread below: all images have the same logits, the network is dead


def curvature(
    data,
    seed,
    threads,
    say,
    sizes=SIZES,
    warmups=("none", "gradual"),
    epochs=11,
    points=4,
    looks=100,
    subset=1_000,
    probe=256,
):
    chosen = generator(seed, 6).permutation(len(data.train.labels))[:subset]
    x, y = data.train.images, data.train.labels
    fixed = Landscape(x[chosen], y[chosen], threads)
    rows, effects = [], []
    for warmup in warmups:
        for b in sizes:
            settings = Settings(b, rule="linear", warmup=warmup, epochs=max(epochs, 10), seed=seed)
            say(f"{settings.warmup} warmup, b = {b}: up to {epochs} epochs")
            walk = Walk(settings, fixed, x, y, epochs, points, looks, probe, threads)
            for record, _ in train(settings, data, threads=threads, watch=walk):
                if record["epoch"] == epochs:
                    break
            rows += walk.rows
            effects += walk.effects
    table = _table(rows, effects, subset)
    return Measured(
        "What kills the large batches? Linear scaling without and with gradual warmup",
        COLUMNS,
        rows,
        table,
        _plots(rows),
        _text(rows),
        height=2.0,
    )


class Walk:
    """Looks at a run from within `train`, before its updates."""

    def __init__(self, settings, fixed, x, y, epochs, points, looks, probe, threads):
        self.settings, self.fixed, self.x, self.y = settings, fixed, x, y
        self.per_epoch = ceil(len(y) / settings.batch_size)
        last = epochs * self.per_epoch
        self.every = ceil(last / looks)
        whole = set(range(0, last, max(1, last // points)))
        self.whole = whole | {round(t) for t in np.geomspace(1, last - 1, points)}
        self.probe, self.last = (x[:probe], y[:probe]), None
        self.extra, self.seen = points, 0
        self.start, self.rows, self.effects = generator(settings.seed, 7).normal(size=P), [], []
        self.batch = Landscape(None, None, threads)
        self.forward = Landscape(None, None, threads, np.float32)

    def __call__(self, t, lr, w, v, batch):
        if t % self.every and t not in self.whole:
            return
        look = _look(w, *self.probe)
        s = self.settings
        row = dict.fromkeys(COLUMNS) | look
        row |= {"warmup": s.warmup, "batch_size": s.batch_size, "momentum": s.momentum}
        row |= {"update": t, "epoch": t / self.per_epoch, "lr": lr}
        row["bound"] = 2 * (1 + s.momentum) / lr
        if (t in self.whole or self._moved(look)) and np.isfinite(w).all():
            row |= self._curved(w.astype(np.float64), self.x[batch], self.y[batch])
            self.last = look
        self.rows.append(row)

    def _moved(self, look):
        """Whether much has happened since the last whole look; a few times a run at most."""
        before, moved = self.last, False
        if before and self.extra:
            moved = abs(look["dead_fc"] - before["dead_fc"]) > 0.1
            moved = moved or not look["loss"] < max(before["loss"] + 0.5, 1.5 * before["loss"])
            self.extra -= moved
        return moved

    def _curved(self, w, images, labels):
        h = STEPS[1]
        found, self.start = largest_eigenvalue(
            lambda u: hessian_product(self.fixed, w, u, h), self.start, steps=8, tolerance=0.05
        )
        self.seen += 1
        if self.seen % 4 == 1:  # what another step would have given, along the same vector
            along = [
                float(self.start @ hessian_product(self.fixed, w, self.start, h)) for h in STEPS
            ]
            self.effects.append((self.settings, along))
        for landscape in (self.batch, self.forward):
            landscape.images, landscape.labels = images, labels
        _, g = self.batch(w)
        if not g.any():
            low, high, sharp = inf, inf, 0.0
        else:
            sharp = sharpness_along(self.batch, w, g, h)
            direction = g.astype(np.float32)
            w32 = w.astype(np.float32)
            low, high = critical_rate(
                lambda rate: self.forward.loss(w32 - np.float32(rate) * direction),
                1 / max(1, sharp),
                1.2,
            )
        return {
            "gradient": float(np.linalg.norm(g)),
            "eigenvalue": found.value,
            "eigenvalue_error": found.error,
            "batch_sharpness": sharp,
            "critical_low": low if low < inf else None,
            "critical_high": high if high < inf else None,
        }


def _look(w, images, labels):
    """Of one forward pass: the shares of channels (conv) and units (fc) that are 0 for every image,
    the mean length of the logits, how far they are from their mean over the images, and the loss.
    """
    network = PlainNetwork(w, np.empty_like(w))
    with np.errstate(all="ignore"):
        z = network.forward(images)
        loss, _, _ = softmax_cross_entropy(z, labels, len(labels))
    on = [layer.cache for layer in network.layers if isinstance(layer, ReLU)]
    conv = [active.any(axis=(1, 2, 3)) for active in on if active.ndim == 4]
    fc = [active.any(axis=1) for active in on if active.ndim == 2]
    dead = [1 - float(np.concatenate(some).mean()) for some in (conv, fc)]
    length = float(np.linalg.norm(z, axis=0).mean())
    spread = float(np.linalg.norm(z - z.mean(axis=1, keepdims=True), axis=0).mean())
    found = {"loss": float(loss), "logits": length, "spread": spread}
    return found | {"dead_conv": dead[0], "dead_fc": dead[1]}


def _runs(rows):
    """{(warmup, batch size): rows}."""
    found = {}
    for row in rows:
        found.setdefault((row["warmup"], row["batch_size"]), []).append(row)
    return found


def _table(rows, effects, subset):
    lines = []
    for (warmup, b), some in _runs(rows).items():
        for r in some:
            if r["eigenvalue"] is not None:
                lines.append(
                    [
                        warmup,
                        b,
                        r["update"],
                        f"{r['epoch']:.2f}",
                        f"{r['lr']:.3g}",
                        f"{r['loss']:.3g}",
                        f"{r['eigenvalue']:.3g} ± {r['eigenvalue_error']:.1g}",
                        f"{r['batch_sharpness']:.3g}",
                        f"{r['bound']:.3g}",
                        "-" if r["critical_low"] is None else f"{r['critical_low']:.3g}",
                        f"{r['dead_conv']:.2f}",
                        f"{r['dead_fc']:.2f}",
                        f"{r['logits']:.3g}",
                    ]
                )
    table = columned(
        lines,
        [
            "warmup",
            "b",
            "update",
            "epoch",
            "η",
            "loss",
            "λ",
            "batch sharpness",
            "2(1+m)/η",
            "critical η",
            "dead conv",
            "dead fc",
            "|z|",
        ],
    )
    table += [
        "",
        f"λ on {subset:,} training images. u' H u along λ's vector by the step of the "
        f"difference, h = {listed(STEPS, '{:g}')}:",
    ]
    for settings, along in effects:
        table.append(f"  {settings.warmup}, b = {settings.batch_size}: {listed(along)}")
    return table


def _plots(rows):
    warmups = list(dict.fromkeys(row["warmup"] for row in rows))
    names = {"none": "no warmup", "gradual": "gradual warmup", "constant": "constant warmup"}
    plots = []
    for name, title, y, logy, far in (  # what is beyond `far` leaves the panel
        ("batch_sharpness", "η × batch sharpness", "unstable above 2", True, 1e3),
        ("eigenvalue", "η × λ", "unstable above 2", True, 1e3),
        ("critical_low", "η / critical rate", "overshoots above 1", True, 1e2),
        ("loss", "train loss", "cross-entropy", True, 30),
        ("dead_conv", "dead channels, conv layers", "share", False, 1),
        ("dead_fc", "dead ReLUs, fc layers", "share", False, 1),
        ("logits", "length of the logits", "|z|", True, 1e2),
    ):
        for warmup in warmups:
            curves = []
            for (kind, b), some in _runs(rows).items():
                here = [r for r in some if kind == warmup and r[name] is not None]
                if not here:
                    continue
                if name == "critical_low":
                    values = [r["lr"] / r[name] if r[name] else None for r in here]
                elif name in ("batch_sharpness", "eigenvalue"):
                    values = [r[name] * r["lr"] / (1 + r["momentum"]) for r in here]
                else:
                    values = [r[name] for r in here]
                curves.append(
                    Curve(
                        f"b = {b}",
                        tuple(r["epoch"] for r in here),
                        tuple(values),
                        color=batch_color(b),
                        marker="o" if len(here) < 40 else "",
                    )
                )
            limit = {"batch_sharpness": 2, "eigenvalue": 2, "critical_low": 1}.get(name)
            if limit and curves:
                ends = max(c.x[-1] for c in curves)
                curves.append(
                    Curve("the limit", (0, ends), (limit, limit), color="0.35", dash="--")
                )
            values = [y for c in curves for y in c.y if y is not None and 0 < y < far]
            ylim = (0.7 * min(values), 1.4 * max(values)) if logy and values else (-0.05, 1.05)
            panel = Plot(f"{title}, {names[warmup]}", "epoch", y, tuple(curves), False, logy, ylim)
            plots.append(panel)
    return tuple(plots)


def died(some):
    """The first look from which on all images have the same logits; None if there is none."""
    for place, row in enumerate(some):
        if all(r["spread"] < ALIKE for r in some[place:]):
            return row
    return None


def _text(rows):
    parts = []
    for (warmup, b), some in _runs(rows).items():
        whole = [r for r in some if r["eigenvalue"] is not None]
        end, last = died(some), some[-1]
        kind = "Without warmup" if warmup == "none" else f"With {warmup} warmup"
        said = [f"{kind}, b = {b}:"]
        for name, what in (("batch_sharpness", "the batch sharpness"), ("eigenvalue", "λ")):
            over = [r for r in whole if r[name] > r["bound"]]
            said.append(f"{what} is above 2/η at {len(over)} of {len(whole)} looks")
            first = (
                f" (first at update {over[0]['update']}, η = {over[0]['lr']:.3g})" if over else ""
            )
            said[-1] += first + ","
        if end:
            said.append(
                f"and from update {end['update']} (epoch {end['epoch']:.1f}, η = {end['lr']:.3g}) "
                f"on all images have the same logits, {last['dead_conv']:.0%} of the channels and "
                f"{last['dead_fc']:.0%} of the fc ReLUs being dead."
            )
        else:
            said.append(
                f"and at the end the loss is {last['loss']:.3g}, {last['dead_conv']:.0%} of the "
                f"channels and {last['dead_fc']:.0%} of the fc ReLUs being dead."
            )
        parts.append(" ".join(said))
    return " ".join(parts)
