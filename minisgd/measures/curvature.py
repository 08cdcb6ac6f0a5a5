"""Sec. IV: what kills the large batches at a linearly scaled rate, and why does warmup not help?

Along real runs, before an update: the largest eigenvalue λ of the Hessian of the train loss, the
batch sharpness (the curvature of a batch's loss along its own gradient), the critical rate (up to
which a step on the coming batch does not raise its loss), all to be held against η: on a parabola
gradient descent is stable below a curvature of 2/η, with momentum below 2(1+m)/η.

And, at far more updates, what happens to the network: the loss, the shares of its ReLUs that are
dead, the length of its logits and how far they differ between images, the length of the steps.
Where the loss jumps, or ReLUs die, the updates just before are looked at, too: the cause, not only
the consequence.

And what the account predicts: the runs that die, again, with no step longer than CLIP.
"""

from collections import deque
from math import ceil, isfinite

import numpy as np

from ..drawing.panels import Curve, Plot
from ..drawing.plots import batch_color
from ..layers import ReLU
from ..loss import softmax_cross_entropy
from ..networks import P, PlainNetwork
from ..settings import Settings
from ..train import train
from .common import Landscape, Measured, columned, generator, listed
from .estimators import (
    critical_rate,
    hessian_product,
    largest_eigenvalue,
    mean,
    sharpness_along,
    unit,
)

COLUMNS = (
    "warmup clip batch_size momentum update epoch lr rate_sum loss dead_conv dead_fc logits spread "
    "length step gradient eigenvalue eigenvalue_error eigenvalue_small_h eigenvalue_large_h "
    "eigenvalue_other_images bound batch_sharpness batch_sharpness_error critical_low critical_high"
).split()
SIZES = (1024, 2048, 4096, 8192)
STEPS = (1e-3, 1e-2, 3e-2)  # of the difference, w being 9 long at the start; the second is used
PLATEAU = 2.2  # train loss below which a run has left it
LEARNT = 0.5  # train loss below which a network has learnt
ALIKE = 1e-3  # spread below which all images have the same logits
EVENTS = 2  # in a run, that are looked at from just before
CLIP = 0.5  # the length of a step, in the runs where it is held down
CLIPPED = (8192,)
NAMES = {"none": "no warmup", "gradual": "gradual warmup", "constant": "constant warmup"}
APART = 5  # updates that two events of one run are apart


def curvature(data, seed, threads, say, sizes=SIZES, warmups=("none", "gradual"), epochs=10,
              points=3, looks=120, subset=800, probe=256, clipped=CLIPPED):  # fmt: skip
    x, y = data.train.images, data.train.labels
    Settings(max(sizes)).check(len(y))
    chosen = generator(seed, 6).permutation(len(y))
    fixed, other = (
        Landscape(x[some], y[some], threads) for some in (chosen[:subset], chosen[-subset:])
    )
    walks = []
    kinds = [(warmup, None, b) for warmup in warmups for b in sizes]
    kinds += [("none", CLIP, b) for b in clipped]
    for warmup, clip, b in kinds:
        settings = Settings(b, rule="linear", warmup=warmup, epochs=max(epochs, 10), seed=seed)
        say(f"{_name(warmup, clip)}, b = {b}: {epochs} epochs")
        walk = Walk(settings, (fixed, other), x, y, epochs, points, looks, probe, threads, clip)
        for record, _ in train(settings, data, threads=threads, watch=walk):
            walk.diverged = record.get("update")
            if record["epoch"] == epochs:
                break
        walks.append(walk)
    rows = [row for walk in walks for row in walk.rows]
    return Measured(
        "What kills the large batches? Linear scaling without and with gradual warmup",
        COLUMNS,
        rows,
        _table(rows, subset),
        _plots(rows),
        _text(walks),
        height=1.75,
    )


def _name(warmup, clip):
    return f"{NAMES[warmup]}{f', steps of {clip:g} at most' if clip else ''}"


class Walk:
    """Looks at a run from within `train`, before its updates: a little at many, closely at few.

    clip    no step is longer: what is longer is shortened to it. None: nothing is touched
    """

    def __init__(
        self, settings, landscapes, x, y, epochs, points, looks, probe, threads, clip=None
    ):
        self.settings, self.x, self.y, self.clip = settings, x, y, clip
        self.fixed, self.other = landscapes
        self.per_epoch = ceil(len(y) / settings.batch_size)
        updates = epochs * self.per_epoch
        self.every = ceil(updates / looks)
        self.closely = {round(t) for t in np.linspace(0, updates - 1, points)}
        self.probe = x[:probe], y[:probe]
        self.rng = generator(settings.seed, 7)
        self.vector = self.rng.normal(size=P)  # the eigenvector so far
        self.batch = Landscape(None, None, threads)
        self.forward = Landscape(None, None, threads, np.float32)
        self.recent = deque(maxlen=self.every + 2)  # t, lr, Ση, w, batch, length of the last step
        self.rows, self.events, self.rate_sum, self.diverged = [], [], 0.0, None
        self.longest = None  # step since the last look

    def __call__(self, t, lr, w, v, batch):
        step = None
        if self.recent:
            before = self.recent[-1][3]
            step = float(np.linalg.norm(w - before))
            if self.clip and step > self.clip:
                w[...] = before + w.dtype.type(self.clip / step) * (w - before)
                step = self.clip
        self.recent.append((t, lr, self.rate_sum, np.array(w), np.array(batch), step))
        self.rate_sum += lr
        if step is not None:
            self.longest = max(step, self.longest or 0.0)
        if (t % self.every and t not in self.closely) or not np.isfinite(w).all():
            return
        before, now = self.rows[-1] if self.rows else None, self._look(self.recent[-1])
        if now is None:
            return
        now["step"], self.longest = self.longest, None
        self.rows.append(now)
        if t in self.closely:
            now |= self._closely(self.recent[-1])
        free = not self.events or t >= self.events[-1][1] + APART
        if before and free and len(self.events) < EVENTS and _thrown(before, now):
            self.events.append((before["update"], t))
            self._look_back()

    def _look(self, moment):
        """One row, of what a forward pass tells; None where its loss is not finite."""
        t, lr, rate_sum, w, _, step = moment
        seen = network_at(w, *self.probe)
        if not isfinite(seen["loss"]):
            return None
        s = self.settings
        row = dict.fromkeys(COLUMNS) | seen
        row |= {
            "warmup": s.warmup,
            "clip": self.clip,
            "batch_size": s.batch_size,
            "momentum": s.momentum,
        }
        row |= {"update": t, "epoch": t / self.per_epoch, "lr": lr, "rate_sum": rate_sum}
        row |= {"bound": 2 * (1 + s.momentum) / lr, "length": float(np.linalg.norm(w))}
        return row | {"step": step}

    def _look_back(self):
        """Look closely at the last updates, in which something has happened."""
        rows = {row["update"]: row for row in self.rows}
        for moment in list(self.recent)[-3:]:
            row = rows.get(moment[0]) or self._look(moment)
            if row and row["eigenvalue"] is None:
                row |= self._closely(moment)
                rows[moment[0]] = row
        self.rows = [rows[t] for t in sorted(rows)]

    def _closely(self, moment):
        """The rest of a row: what gradients tell."""
        w, batch, h = moment[3].astype(np.float64), moment[4], STEPS[1]
        for landscape in (self.batch, self.forward):
            landscape.images, landscape.labels = self.x[batch], self.y[batch]
        _, g = self.batch(w)
        if not np.isfinite(g).all() or not np.any(g):
            return {"gradient": 0.0} if np.isfinite(g).all() else {}
        start = unit(self.vector) + unit(self.rng.normal(size=P))
        found, u = largest_eigenvalue(
            lambda u: hessian_product(self.fixed, w, u, h), start, steps=8, tolerance=0.05
        )
        self.vector = u
        small, large = (float(u @ hessian_product(self.fixed, w, u, step)) for step in STEPS[::2])
        elsewhere = float(u @ hessian_product(self.other, w, u, h))
        direction, w32 = g.astype(np.float32), moment[3]
        low, high = critical_rate(
            lambda rate: self.forward.loss(w32 - np.float32(rate) * direction), 0.02, 1.25
        )
        sharp = [sharpness_along(self.batch, w, g, h)]
        for _ in range(4096 // len(batch) - 1):  # as many images at every size
            some = self.rng.choice(len(self.y), len(batch), replace=False)
            self.batch.images, self.batch.labels = self.x[some], self.y[some]
            sharp.append(sharpness_along(self.batch, w, self.batch(w)[1], h))
        sharp = mean(sharp)
        return {
            "gradient": float(np.linalg.norm(g)),
            "eigenvalue": found.value,
            "eigenvalue_error": found.error,
            "eigenvalue_small_h": small,
            "eigenvalue_large_h": large,
            "eigenvalue_other_images": elsewhere,
            "batch_sharpness": sharp.value,
            "batch_sharpness_error": sharp.error if isfinite(sharp.error) else None,
            "critical_low": low,
            "critical_high": high if isfinite(high) else None,
        }


def network_at(w, images, labels):
    """Of one forward pass: the loss; the shares of channels (conv) and units (fc) that are 0 for
    every image; the mean length of the logits, and how far they are from their mean over images.
    """
    network = PlainNetwork(w, np.empty_like(w))
    with np.errstate(all="ignore"):
        z = network.forward(images)
        loss, _, _ = softmax_cross_entropy(z, labels, len(labels))
        length = float(np.linalg.norm(z, axis=0).mean())
        spread = float(np.linalg.norm(z - z.mean(axis=1, keepdims=True), axis=0).mean())
    on = [layer.cache for layer in network.layers if isinstance(layer, ReLU)]
    conv = [active.any(axis=(1, 2, 3)) for active in on if active.ndim == 4]
    fc = [active.any(axis=1) for active in on if active.ndim == 2]
    dead = [1 - float(np.concatenate(some).mean()) for some in (conv, fc)]
    found = {"loss": float(loss), "logits": length, "spread": spread}
    return found | {"dead_conv": dead[0], "dead_fc": dead[1]}


def _thrown(before, now):
    """Whether something broke between two looks: the loss jumped, ReLUs died, or logits merged."""
    return (
        now["loss"] > before["loss"] + max(0.3, 0.3 * before["loss"])
        or now["dead_conv"] + now["dead_fc"] > before["dead_conv"] + before["dead_fc"] + 0.15
        or now["spread"] < 0.1 * before["spread"]
    )


def _runs(rows):
    """{(warmup, clip, batch size): rows}."""
    found = {}
    for row in rows:
        found.setdefault((row["warmup"], row["clip"], row["batch_size"]), []).append(row)
    return found


def _close(rows):
    return [row for row in rows if row["eigenvalue"] is not None]


def _table(rows, subset):
    heads = (
        "warmup,clip,b,update,epoch,η,loss,λ,batch sharpness,2(1+m)/η,critical η,η|g|,dead conv,"
    )
    heads = [*(heads + "dead fc,|z|,spread").split(",")]
    lines = []
    for r in _close(rows):
        error = r["batch_sharpness_error"]
        lines.append(
            [
                r["warmup"],
                r["clip"] or "-",
                r["batch_size"],
                r["update"],
                f"{r['epoch']:.2f}",
                f"{r['lr']:.3g}",
                f"{r['loss']:.3g}",
                f"{r['eigenvalue']:.3g} ± {r['eigenvalue_error']:.1g}",
                f"{r['batch_sharpness']:.3g}" + ("" if error is None else f" ± {error:.1g}"),
                f"{r['bound']:.3g}",
                f"{r['critical_low']:.3g}",
                f"{r['lr'] * r['gradient']:.2g}",
                f"{r['dead_conv']:.2f}",
                f"{r['dead_fc']:.2f}",
                f"{r['logits']:.3g}",
                f"{r['spread']:.2g}",
            ]
        )
    return [
        *columned(lines, heads),
        f"λ on {subset:,} training images, by differences over h = {STEPS[1]:g}; loss, ReLUs, "
        "logits on 256.",
        _step_effect(rows),
    ]


def _step_effect(rows):
    """What h and the choice of images do to u' H u along the vector that was found."""
    said = []
    for name, what in (
        ("small_h", f"h = {STEPS[0]:g}"),
        ("large_h", f"h = {STEPS[2]:g}"),
        ("other_images", "as many other images"),
    ):
        ratios = [r[f"eigenvalue_{name}"] / r["eigenvalue"] for r in _close(rows)]
        low, middle, high = np.percentile(ratios, (10, 50, 90)) if ratios else (1, 1, 1)
        said.append(f"{what}: {middle:.2f} of λ ({low:.2f} to {high:.2f} from tenth to tenth)")
    return "Along the same vector, " + "; ".join(said) + "."


def _plots(rows):
    warmups = list(dict.fromkeys(row["warmup"] for row in rows))
    plots = []
    for name, title, y, logy, far in (  # what is beyond `far` leaves the panel
        ("batch_sharpness", "η × batch sharpness", "unstable above 2", True, 1e3),
        ("eigenvalue", "η × λ", "unstable above 2", True, 1e3),
        ("critical_low", "η / critical rate", "overshoots above 1", True, 1e2),
        ("loss", "train loss", "cross-entropy", True, 30),
        ("step", "longest step since the last look", "|Δw|", True, 1e2),
        ("dead_conv", "dead channels, conv layers", "share", False, 1),
        ("dead_fc", "dead ReLUs, fc layers", "share", False, 1),
        ("logits", "length of the logits", "|z|", True, 1e2),
    ):
        for warmup in warmups:
            curves = []
            for (kind, clip, b), some in _runs(rows).items():
                here = [r for r in some if kind == warmup and r[name] is not None]
                if here:
                    values = tuple(_shown(name, r) for r in here)
                    at, marker = tuple(r["epoch"] for r in here), "o" if len(here) < 40 else ""
                    look = {"color": batch_color(b), "marker": marker, "dash": ":" if clip else "-"}
                    label = f"b = {b}" + (f", |Δw| ≤ {clip:g}" if clip else "")
                    curves.append(Curve(label, at, values, **look))
            limit = {"batch_sharpness": 2, "eigenvalue": 2, "critical_low": 1}.get(name)
            if limit and curves:
                ends = 0, max(c.x[-1] for c in curves)
                curves.append(Curve("the limit", ends, (limit,) * 2, color="0.35", dash="--"))
            values = [y for c in curves for y in c.y if y is not None and 0 < y < far]
            ylim = (0.7 * min(values), 1.4 * max(values)) if logy and values else (-0.05, 1.05)
            panel = Plot(f"{title}, {NAMES[warmup]}", "epoch", y, tuple(curves), False, logy, ylim)
            plots.append(panel)
    return tuple(plots)


def _shown(name, row):
    if name == "critical_low":
        return row["lr"] / row[name] if row[name] else None
    if name in ("batch_sharpness", "eigenvalue"):
        return row["lr"] * row[name] / (1 + row["momentum"])
    return row[name]


def fate(walk):
    """How a run ends, in words."""
    last = walk.rows[-1]
    if walk.diverged is not None:
        return f"it diverges at update {walk.diverged}"
    for place, row in enumerate(walk.rows):
        if all(r["spread"] < ALIKE for r in walk.rows[place:]):
            return f"from update {row['update']} to the end all images have the same logits"
    return f"it ends at a loss of {last['loss']:.2g}"


def _text(walks):
    parts = []
    for walk in walks:
        rows, close = walk.rows, _close(walk.rows)
        warmup, b = walk.settings.warmup, walk.settings.batch_size
        kind = "Without warmup" if warmup == "none" else f"With {warmup} warmup"
        if walk.clip:
            kind += f", no step being longer than {walk.clip:g},"
        said = [f"{kind} b = {b}"]
        left = next((r for r in rows if r["loss"] < PLATEAU), None)
        if left:
            said.append(
                f"leaves the plateau at update {left['update']}, Ση = {left['rate_sum']:.2g}, "
                f"η = {left['lr']:.2g} (2/η = {left['bound']:.2g});"
            )
        if close:
            top = max(close, key=lambda r: r["eigenvalue"])
            said.append(
                f"λ is largest at update {top['update']}, {top['eigenvalue']:.3g} for a 2/η of "
                f"{top['bound']:.3g};"
            )
        for before, at in walk.events:
            some = [r for r in close if before <= r["update"] <= at]
            thrown = [r for r in rows if before < r["update"] <= at + 1 and r["step"]]
            if len(some) > 1 and thrown:
                first, far = some[0], max(thrown, key=lambda r: r["step"])
                ratio = max(r["lr"] / r["critical_low"] for r in some if r["critical_low"])
                said.append(
                    f"at update {at} η had been up to {ratio:.2g} critical rates, the loss went "
                    f"from {first['loss']:.2g} to {max(r['loss'] for r in some):.2g}, a step was "
                    f"{far['step']:.2g} long (w {far['length']:.2g}), and "
                    f"{thrown[-1]['dead_conv']:.0%} of the channels were dead;"
                )
        parts.append(" ".join([*said, fate(walk) + "."]))
    learnt = [r for walk in walks for r in _close(walk.rows) if r["loss"] < LEARNT]
    if learnt:
        least = min(learnt, key=lambda r: r["eigenvalue"])
        rates = sorted({walk.settings.scaled_lr for walk in walks})
        parts.append(
            f"Of the {len(learnt)} close looks at a loss below {LEARNT} the least λ is "
            f"{least['eigenvalue']:.2g}, stable up to η = {2 / least['eigenvalue']:.2g}; the rates "
            f"are {listed(rates)}."
        )
    return " ".join(parts)
