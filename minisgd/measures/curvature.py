"""Sec. IV: why do large batches fail at a linearly scaled rate, and why does warmup not help?

At a few updates of real runs, three quantities are compared with the rate η: the largest eigenvalue
λ of the Hessian of the train loss; the batch sharpness, which is the curvature of a batch's loss
along its own gradient; and the critical rate, up to which a step on the coming batch does not raise
its loss. On a parabola, gradient descent is stable while the curvature is below 2/η, and with
momentum below 2(1+m)/η.

At far more updates, a forward pass shows what happens to the network: its loss, the share of its
ReLUs that are dead, the length of its logits, how far they differ between images, and how long the
steps are. Where the loss jumps or ReLUs die, the updates just before are examined as well, to show
the cause and not only the consequence.

To test this explanation, runs that failed are repeated with no step longer than CLIP.
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
STEPS = (1e-3, 1e-2, 3e-2)  # of the differences; |w| is 9 at the start. λ is found with the second
EVENTS = 2  # the most in a run whose preceding updates are examined
CLIP = 0.5  # the longest step in the runs whose steps are clipped
CLIPPED = (8192,)  # the batch sizes of those runs
APART = 5  # updates, at least, between two events of one run


def curvature(data, seed, threads, log, sizes=SIZES, warmups=("none", "gradual"), epochs=10,
              points=3, looks=120, subset=800, probe=256, clipped=CLIPPED):  # fmt: skip
    x, y = data.train.images, data.train.labels
    Settings(max(sizes)).check(len(y))
    chosen = generator(seed, 6).permutation(len(y))
    fixed, other = (
        Landscape(x[part], y[part], threads, pixels=data.pixels)
        for part in (chosen[:subset], chosen[-subset:])
    )
    walks = []
    kinds = [(warmup, None, b) for warmup in warmups for b in sizes]
    kinds += [("none", CLIP, b) for b in clipped]
    for warmup, clip, b in kinds:
        settings = Settings(b, rule="linear", warmup=warmup, epochs=max(epochs, 10), seed=seed)
        log(f"{curvature_shown.named(warmup, clip)}, b = {b}: {epochs} epochs")
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
    """Train `run`, showing the walk every update and clipping the steps if it says so; stop after
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
    """Clip the step from `before` to w, in place, to the length `longest`; None leaves it alone.

    Returns: the length that the step then has
    """
    step = float(np.linalg.norm(w - before))
    if longest and step > longest:
        w[...] = before + w.dtype.type(longest / step) * (w - before)
        return longest
    return step


class Walk:
    """What is observed along a run: something before many of its updates, everything before a few.

    points  how many updates, evenly spaced, are examined closely
    looks   the most updates that are looked at, evenly spaced, besides those
    probe   how many images are used for a look
    clip    the length to which longer steps are shortened; None leaves the run alone
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
        self.vector = self.rng.normal(size=self.P)  # the last eigenvector found
        self.forward = Landscape(None, None, threads, np.float32, pixels)
        self.recent = deque(maxlen=self.every + 2)  # t, lr, Ση, w, batch, last step
        self.rows, self.events, self.rate_sum, self.diverged = [], [], 0.0, None
        self.longest = None  # the longest step since the last look

    def look(self, t, lr, w, batch, step):
        """Look at the run before update t.

        step    the length of the step before this one; None at the first
        """
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
        due = not self.events or t >= self.events[-1][1] + APART
        if before and due and len(self.events) < EVENTS and _has_broken(before, now):
            self.events.append((before["update"], t))
            self._look_back()

    def _look(self, moment):
        """A row with what a forward pass shows; None if the loss is not finite."""
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
        """Examine the last three updates closely: in them something broke."""
        rows = {row["update"]: row for row in self.rows}
        for moment in list(self.recent)[-3:]:
            row = rows.get(moment[0]) or self._look(moment)
            if row and row["eigenvalue"] is None:
                row |= self._closely(moment)
                rows[moment[0]] = row
        self.rows = [rows[t] for t in sorted(rows)]

    def _closely(self, moment):
        """The rest of a row, which takes gradients."""
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
        for _ in range(4096 // len(batch) - 1):  # 4096 images in all, unless a batch is larger
            another = self.rng.choice(len(self.y), len(batch), replace=False)
            self.batch.images, self.batch.labels = self.x[another], self.y[another]
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
    """What one forward pass shows: the loss; the share of channels (conv) and units (fc) that are 0
    for every image; the mean length of the logits, and their mean distance from their mean.
    """
    network = Network(NETWORKS["lenet5"], w, np.empty_like(w), plain=True, pixels=pixels)
    with np.errstate(all="ignore"):
        z = network.forward(images)
        loss, _, _ = softmax_cross_entropy(z, labels, len(labels))
        length = float(np.linalg.norm(z, axis=0).mean())
        spread = float(np.linalg.norm(z - z.mean(axis=1, keepdims=True), axis=0).mean())
    masks = [layer.cache for _, layer in network.layers if isinstance(layer, ReLU)]
    conv = [active.any(axis=(1, 2, 3)) for active in masks if active.ndim == 4]
    fc = [active.any(axis=1) for active in masks if active.ndim == 2]
    dead = [1 - float(np.concatenate(alive).mean()) for alive in (conv, fc)]
    seen = {"loss": float(loss), "logits": length, "spread": spread}
    return seen | {"dead_conv": dead[0], "dead_fc": dead[1]}


def _has_broken(before, now):
    """Whether the run broke between two looks: the loss jumped, ReLUs died, or the logits of all
    images became nearly equal.
    """
    return (
        now["loss"] > before["loss"] + max(0.3, 0.3 * before["loss"])
        or now["dead_conv"] + now["dead_fc"] > before["dead_conv"] + before["dead_fc"] + 0.15
        or now["spread"] < 0.1 * before["spread"]
    )
