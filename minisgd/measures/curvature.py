"""Sec. IV: what does a large batch at a linearly scaled rate meet when it begins to learn?

A run leaves its initial plateau when its rates have added up to about 2. From a sum of 1 to one of
6, every single update is looked at, and its rate η compared with three quantities: the largest
eigenvalue λ of the Hessian of the train loss; the batch sharpness, which is the curvature of a
batch's loss along its own gradient; and the critical rate, up to which a step on the coming batch
does not raise its loss. On a parabola, gradient descent is stable while the curvature is below 2/η,
and with momentum below 2(1+m)/η.

λ is given twice: without the kinks of the ReLUs and of the pooling, by the exact product with the
Hessian; and with those within .01, which a step of this length meets, by differences of gradients.
A forward pass shows what happens to the network: its loss, the shares of its units that are dead,
the length of its logits, and how far they differ between images.
"""

import numpy as np

from ..settings import Settings
from ..train import Run
from . import curvature_shown
from .common import Landscape, Measured, fresh, generator
from .estimators import critical_rate, hessian_product, largest_eigenvalue, mean, sharpness_along
from .following import followed, network_at

COLUMNS = (
    "warmup batch_size seed update epoch lr rate_sum loss accuracy dead_conv1 dead_conv2 dead_fc "
    "logits spread spread_other_images length step gradient bound eigenvalue eigenvalue_error "
    "eigenvalue_other_images eigenvalue_kinks eigenvalue_kinks_error kinks_small_h kinks_large_h "
    "batch_sharpness batch_sharpness_error critical_low critical_high"
).split()
SIZES = (1024, 2048, 4096, 8192)
WARMUPS = ("none", "gradual")
WINDOW = (1.0, 6.0)  # of the sum of the rates before an update
LEAST = 8  # updates that are looked at, even where few lead through the window
SHARPENED = 4096  # images in all, over whose batches the batch sharpness is averaged
STEPS = (1e-3, 1e-2, 3e-2)  # of the differences; |w| is 9 at the start. λ is found with the second


def curvature(data, seed, threads, log, remember=fresh, sizes=SIZES, warmups=WARMUPS, seeds=3,
              window=WINDOW, subset=800, probe=256):  # fmt: skip
    """remember  (name, what is asked, a function) -> the rows of a run, from the function or kept
    subset    images for λ, drawn from the training set
    probe     of the training images, for the forward passes
    """
    Settings(max(sizes)).check(len(data.train.labels))
    rows = []
    for warmup in warmups:
        for b in sizes:
            for k in range(seeds):
                settings = Settings(b, rule="linear", warmup=warmup, seed=seed + k)
                log(f"{curvature_shown.NAMES[warmup]}, b = {b}, seed {seed + k}")
                asked = {"window": window, "subset": subset, "probe": probe}
                look = Look(settings, data, threads, window, subset, probe)
                rows += remember(f"{warmup}-{b}-{seed + k}", asked, look.rows)
    return Measured(
        "What do large batches meet as they begin to learn? Linear scaling",
        COLUMNS,
        rows,
        curvature_shown.table(rows, subset, STEPS),
        curvature_shown.plots(rows),
        curvature_shown.text(rows),
        height=2.2,
    )


class Look:
    """What is looked at along one run."""

    def __init__(self, settings, data, threads, window, subset, probe):
        x, y = data.train.images, data.train.labels
        self.settings, self.data, self.threads, self.window = settings, data, threads, window
        chosen = generator(settings.seed, 6).permutation(len(y))
        parts = (chosen[:subset], chosen[-subset:], [])
        self.fixed, self.other, self.batch = (
            Landscape(x[part], y[part], threads, np.float32, data.pixels) for part in parts
        )
        self.probes = [(x[part], y[part]) for part in (slice(probe), slice(-probe, None))]
        self.rng = generator(settings.seed, 7)
        self.last = {}  # the eigenvectors found last, from which the next search starts

    def rows(self):
        """A row for every update before which the rates add up to a sum within the window, and for
        the very first.
        """
        found, rate_sum = [], 0.0
        run = Run(self.settings, self.data, threads=self.threads)
        with np.errstate(all="ignore"):  # a run that diverges shows in its loss, not in warnings
            for moment in followed(run):
                if rate_sum > self.window[1] and len(found) > LEAST:
                    break
                if rate_sum >= self.window[0] or moment.t == 0:
                    found.append(self.row(moment, rate_sum, run.per_epoch))
                rate_sum += moment.lr
        return found

    def row(self, moment, rate_sum, per_epoch):
        s, w, lr = self.settings, moment.before, moment.lr
        pixels = self.data.pixels
        seen, elsewhere = (network_at(w, *probe, pixels) for probe in self.probes)
        row = {"warmup": s.warmup, "batch_size": s.batch_size, "seed": s.seed}
        row |= {"update": moment.t, "epoch": moment.t / per_epoch, "lr": lr, "rate_sum": rate_sum}
        row |= seen | {"spread_other_images": elsewhere["spread"], "accuracy": moment.accuracy}
        row |= {"length": float(np.linalg.norm(w)), "gradient": moment.gradient}
        row |= {"step": float(np.linalg.norm(moment.after - w)), "bound": 2 * (1 + s.momentum) / lr}
        row |= self.eigenvalues(w) | self.of_the_batch(moment)
        return {column: row[column] for column in COLUMNS}

    def eigenvalues(self, w):
        """λ without and with kinks, and how far it depends on h and on the images."""
        H, h = self.fixed.hessian(w).product, STEPS[1]
        exact, u = self.search("exact", H, len(w))
        w = w.astype(np.float64)
        kinks, v = self.search("kinks", lambda q: hessian_product(self.fixed, w, q, h), len(w))
        small, large = (float(v @ hessian_product(self.fixed, w, v, step)) for step in STEPS[::2])
        return {
            "eigenvalue": exact.value,
            "eigenvalue_error": exact.error,
            "eigenvalue_other_images": float(u @ self.other.hessian(w).product(u)),
            "eigenvalue_kinks": kinks.value,
            "eigenvalue_kinks_error": kinks.error,
            "kinks_small_h": small,
            "kinks_large_h": large,
        }

    def search(self, kind, product, P):
        start = self.rng.normal(size=P) / np.sqrt(P)  # of length 1, as the eigenvectors are
        start = start + self.last.get(kind, 0)
        found, self.last[kind] = largest_eigenvalue(product, start, steps=8, tolerance=0.05)
        return found, self.last[kind]

    def of_the_batch(self, moment):
        """The critical rate and the batch sharpness, the latter over SHARPENED images in all if a
        batch is no larger.
        """
        f, (x, y) = self.batch, (self.data.train.images, self.data.train.labels)
        w, batch = moment.before.astype(np.float64), moment.batch
        f.images, f.labels = x[batch], y[batch]
        g = f(w)[1].astype(np.float64)
        low, high = critical_rate(lambda rate: f.loss(w - rate * g), 0.02, 1.25)
        sharp = [sharpness_along(f, w, g, STEPS[1])]
        for _ in range(SHARPENED // len(batch) - 1):
            another = self.rng.choice(len(y), len(batch), replace=False)
            f.images, f.labels = x[another], y[another]
            g = f(w)[1].astype(np.float64)
            sharp.append(sharpness_along(f, w, g, STEPS[1]))
        sharp = mean(sharp)
        return {
            "batch_sharpness": sharp.value,
            "batch_sharpness_error": sharp.error if np.isfinite(sharp.error) else None,
            "critical_low": low,
            "critical_high": high if np.isfinite(high) else None,
        }
