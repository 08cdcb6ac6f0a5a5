"""What the measures share: their result, the loss as a function of w, and runs to examine."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count

import numpy as np

from ..data.known import MNIST_PIXELS
from ..gradient import even_bounds
from ..loss import softmax_cross_entropy
from ..model import LeNet5, Model
from ..train import Run
from .hessian import Hessian

PARTS = 4  # into which a pass over the images is cut, whatever the number of threads


@dataclass(frozen=True)
class Measured:
    """The result of a measure: a table, a figure and a paragraph that says what they show."""

    title: str
    columns: tuple
    rows: list  # dicts with these columns
    table: list  # lines for a terminal
    plots: tuple  # what drawing.chart draws
    text: str
    height: float = 2.9  # of a panel, in inches
    draw: object = None  # (title, note) -> a figure of another kind, in place of the plots


def fresh(name, asked, compute):
    """The rows of a run, computed: the `remember` of a measure of whole runs that keeps nothing."""
    return compute()


def generator(seed, *purpose):
    """A random generator for one purpose, independent of what is drawn for the others."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(3, *purpose)))


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
        """The loss alone."""
        self.model.w[...] = w
        z = self.model.logits(self.images).T.astype(np.float64)  # (10, N)
        loss, _, _ = softmax_cross_entropy(z, self.labels, len(self.labels))
        return float(loss)

    def hessian(self, w):
        """The Hessian at w, exact between the kinks of the loss."""
        threads = self.model.lanes.threads
        return Hessian(w, self.images, self.labels, threads, pixels=self.model.pixels)


def passes_over(w, images, labels, threads, pixels=MNIST_PIXELS):
    """The `passes` of estimators.moments: work through the gradients of all images, in pieces."""
    model = LeNet5(dtype=np.float32, pixels=pixels)
    model.w[...] = w

    def part(bounds, work):
        lo, hi = bounds
        total = None
        for G in model.per_example_pieces(images[lo:hi], labels[lo:hi]):
            sums = work(G)
            total = sums if total is None else [a + b for a, b in zip(total, sums, strict=True)]
        return total

    def passes(work):
        bounds = even_bounds(len(labels), min(PARTS, len(labels)))
        with ThreadPoolExecutor(threads) as pool:  # map keeps the order in which parts are summed
            sums = list(pool.map(lambda ends: part(ends, work), bounds))
        return [sum(parts) for parts in zip(*sums, strict=True)]

    return passes


def weights_at(settings, data, updates, threads, log):
    """{update: the weights before it} along one run; update 0 gives the initial weights."""
    weights, last, run = {}, max(updates), Run(settings, data, threads=threads)
    epochs = next(i for i in count(1) if settings.updates_after(i, run.N) >= last)
    for epoch in range(1, epochs + 1):
        for t, lr, batch in run.batches(epoch):
            if t in updates:
                weights[t] = run.model.weights()
            run.update(t, lr, batch)
        log(f"b {settings.batch_size}: epoch {epoch} of {epochs}")
    if last == settings.updates_after(epochs, run.N):
        weights[last] = run.model.weights()
    return dict(sorted(weights.items()))


def weights_after(settings, data, epochs, threads, log):
    """{epoch: w} after these epochs of one run; 0 gives the initial weights."""
    if max(epochs) == 0:
        return {0: Model(settings.network, settings.seed, init=settings.init).weights()}
    N = len(data.train.labels)
    after = {settings.updates_after(i, N): i for i in epochs}
    weights = weights_at(settings, data, list(after), threads, log)
    return {after[t]: w for t, w in weights.items()}


def when(epoch):
    """The epoch in words: "at the start", "after 1 epoch", "after 5 epochs"."""
    return f"after {epoch} epoch{'s' * (epoch > 1)}" if epoch else "at the start"


def as_row(columns, *values):
    """A row of a table: {column: value}."""
    return dict(zip(columns, values, strict=True))


def listed(numbers, form="{:.3g}"):
    """The numbers in words: "1, 2 and 3"."""
    words = [form.format(number) for number in numbers]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def columned(rows, heads):
    """A table as lines of text, its columns aligned to the right."""
    cells = [list(heads), *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[k]) for row in cells) for k in range(len(heads))]
    return [
        "  ".join(c.rjust(width) for c, width in zip(row, widths, strict=True)) for row in cells
    ]
