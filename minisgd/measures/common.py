"""What the measures share: what they return, the loss as a function of w, runs to look at."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from ..data.known import MNIST_PIXELS
from ..gradient import even_bounds
from ..loss import softmax_cross_entropy
from ..model import LeNet5
from ..train import Run

PARTS = 4  # that a pass over the images is cut into, whatever the number of threads


@dataclass(frozen=True)
class Measured:
    """A table, a figure and a paragraph that says what is seen."""

    title: str
    columns: tuple
    rows: list  # dicts with these columns
    table: list  # lines for a terminal
    plots: tuple  # for drawing.chart
    text: str
    height: float = 2.9  # inches of a panel


def generator(seed, *what):
    """A generator of this seed and purpose, whatever else is drawn."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(3, *what)))


class Landscape:
    """The mean loss over fixed images as a function of w: f(w) -> (loss, gradient)."""

    def __init__(self, images, labels, threads, dtype=np.float64, pixels=MNIST_PIXELS):
        self.model = LeNet5(dtype=dtype, threads=threads, pixels=pixels)
        self.images, self.labels = images, labels

    def __call__(self, w):
        self.model.w[...] = w
        loss, _ = self.model.gradient(self.images, self.labels)
        return loss, self.model.g.copy()

    def loss(self, w):
        """The same without the gradient."""
        self.model.w[...] = w
        z = self.model.logits(self.images).T.astype(np.float64)  # (10, N)
        loss, _, _ = softmax_cross_entropy(z, self.labels, len(self.labels))
        return float(loss)


def passes_over(w, images, labels, threads, pixels=MNIST_PIXELS):
    """What estimators.moments asks: work on all the images' gradients at w, piece by piece."""
    model = LeNet5(dtype=np.float32, pixels=pixels)
    model.w[...] = w

    def part(bounds, work):
        lo, hi = bounds
        total = None
        for G in model.per_example_pieces(images[lo:hi], labels[lo:hi]):
            found = work(G)
            total = found if total is None else [a + b for a, b in zip(total, found, strict=True)]
        return total

    def passes(work):
        bounds = even_bounds(len(labels), min(PARTS, len(labels)))
        with ThreadPoolExecutor(threads) as pool:  # the parts are summed in their order
            found = list(pool.map(lambda ends: part(ends, work), bounds))
        return [sum(parts) for parts in zip(*found, strict=True)]

    return passes


def weights_at(settings, data, updates, threads, say):
    """{update: w} along one run, before these updates (0 is the start)."""
    found, last = {}, max(updates)
    epochs = max(1, ceil(last / settings.updates_per_epoch(len(data.train.labels))))
    run = Run(replace(settings, epochs=epochs), data, threads=threads)
    for epoch in range(1, epochs + 1):
        for t, lr, batch in run.batches(epoch):
            if t in updates:
                found[t] = run.model.weights()
            run.update(t, lr, batch)
        say(f"b {settings.batch_size}: epoch {epoch} of {epochs}")
    if last == epochs * run.per_epoch:
        found[last] = run.model.weights()
    return dict(sorted(found.items()))


def weights_after(settings, data, epochs, threads, say):
    """{epoch: w} of one run, 0 being the start."""
    if max(epochs) == 0:
        return {0: LeNet5(settings.seed).weights()}
    per_epoch = settings.updates_per_epoch(len(data.train.labels))
    found = weights_at(settings, data, [i * per_epoch for i in epochs], threads, say)
    return {t // per_epoch: w for t, w in found.items()}


def when(epoch):
    """At the start, after 1 epoch, after 5 epochs."""
    return f"after {epoch} epoch{'s' * (epoch > 1)}" if epoch else "at the start"


def as_row(columns, *values):
    """A row of a table: one value a column."""
    return dict(zip(columns, values, strict=True))


def listed(numbers, form="{:.3g}"):
    """1, 2 and 3."""
    words = [form.format(number) for number in numbers]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def columned(rows, heads):
    """Lines of right-aligned columns."""
    cells = [list(heads), *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[k]) for row in cells) for k in range(len(heads))]
    return [
        "  ".join(c.rjust(width) for c, width in zip(row, widths, strict=True)) for row in cells
    ]
