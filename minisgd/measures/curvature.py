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

from ..data.known import MNIST_PIXELS
from ..layers import ReLU
from ..loss import softmax_cross_entropy
from ..networks import NETWORKS, Network
from ..settings import Settings
from ..train import Run
from . import curvature_shown
from .common import Landscape, Measured, generator
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
EVENTS = 2  # in a run, that are looked at from just before
CLIP = 0.5  # the length of a step, in the runs where it is held down
CLIPPED = (8192,)
APART = 5  # updates that two events of one run are apart


def curvature(data, seed, threads, say, sizes=SIZES, warmups=("none", "gradual"), epochs=10,
              points=3, looks=120, subset=800, probe=256, clipped=CLIPPED):  # fmt: skip
    x, y = data.train.images, data.train.labels
    Settings(max(sizes)).check(len(y))
    chosen = generator(seed, 6).permutation(len(y))
    fixed, other = (
        Landscape(x[some], y[some], threads, pixels=data.pixels)
        for some in (chosen[:subset], chosen[-subset:])
    )
    walks = []
    kinds = [(warmup, None, b) for warmup in warmups for b in sizes]
    kinds += [("none", CLIP, b) for b in clipped]
    for warmup, clip, b in kinds:
        settings = Settings(b, rule="linear", warmup=warmup, epochs=max(epochs, 10), seed=seed)
        say(f"{curvature_shown.named(warmup, clip)}, b = {b}: {epochs} epochs")
        walk = Walk(settings, (fixed, other), x, y, epochs, points, looks, probe, threads, clip)
        with np.errstate(all="ignore"):  # a run that diverges shows in its loss, not in warnings
            along(walk, Run(settings, data, threads=threads), epochs)
        walks.append(walk)
    rows = [row for walk in walks for row in walk.rows]
    return Measured(
        "What kills the large batches? Linear scaling without and with gradual warmup",
        COLUMNS,
        rows,
        curvature_shown.table(rows, subset, STEPS),
        curvature_shown.plots(rows),
        curvature_shown.text(walks),
        height=1.75,
    )


def along(walk, run, epochs):
    """Train, looking before every update, and shorten the steps if they are to be short; stop after
    the epoch in which the loss ceases to be finite.
    """
    w, step = run.model.w, None
    for epoch in range(1, epochs + 1):
        for t, lr, batch in run.batches(epoch):
            walk.look(t, lr, w, batch, step)
            before = w.copy()
            loss, _ = run.update(t, lr, batch)
            step = shorten(w, before, walk.clip)
            if walk.diverged is None and not isfinite(loss):
                walk.diverged = t
        if walk.diverged is not None:
            return


def shorten(w, before, longest):
    """Shorten the step from `before` to w, in place, to the length `longest`; None: leave it.

    Returns: the length of the step then
    """
    step = float(np.linalg.norm(w - before))
    if longest and step > longest:
        w[...] = before + w.dtype.type(longest / step) * (w - before)
        return longest
    return step


class Walk:
    """What is seen along a run before its updates: a little at many of them, closely at few.

    clip    the length to which longer steps are shortened. None: nothing is touched
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
        pixels = landscapes[0].model.pixels
        self.batch = Landscape(None, None, threads, pixels=pixels)
        self.P = len(self.batch.model.w)
        self.vector = self.rng.normal(size=self.P)  # the eigenvector so far
        self.forward = Landscape(None, None, threads, np.float32, pixels)
        self.recent = deque(maxlen=self.every + 2)  # t, lr, Ση, w, batch, length of the last step
        self.rows, self.events, self.rate_sum, self.diverged = [], [], 0.0, None
        self.longest = None  # step since the last look

    def look(self, t, lr, w, batch, step):
        """Look before update t, the last step having been so long; None before the first."""
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
        seen = network_at(w, *self.probe, self.fixed.model.pixels)
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
        start = unit(self.vector) + unit(self.rng.normal(size=self.P))
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


def network_at(w, images, labels, pixels=MNIST_PIXELS):
    """Of one forward pass: the loss; the shares of channels (conv) and units (fc) that are 0 for
    every image; the mean length of the logits, and how far they are from their mean over images.
    """
    network = Network(NETWORKS["lenet5"], w, np.empty_like(w), plain=True, pixels=pixels)
    with np.errstate(all="ignore"):
        z = network.forward(images)
        loss, _, _ = softmax_cross_entropy(z, labels, len(labels))
        length = float(np.linalg.norm(z, axis=0).mean())
        spread = float(np.linalg.norm(z - z.mean(axis=1, keepdims=True), axis=0).mean())
    on = [layer.cache for _, layer in network.layers if isinstance(layer, ReLU)]
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
