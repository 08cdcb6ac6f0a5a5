"""One run: settings and a dataset in, one record per epoch out. Every update is made here."""

import sys
from dataclasses import dataclass, field
from math import isfinite
from time import perf_counter

import numpy as np

from . import CallableModule
from .backend import out_of_memory, to_host
from .data import epoch_order
from .disk.formats import METRICS
from .errors import UserError
from .model import Model
from .optim import OPTIMIZERS, clip_by_norm

STUCK_AFTER = 3  # epochs in a row in which every test image was assigned the same class


def update(model, memory, x, y, batch, lr, t, settings):
    """Make update t, counted from 0: the gradient of the batch x[batch], then the optimizer's step.

    memory  {name: vector (P,)}: what the optimizer remembers, see `new_memory`

    Shapes:  x, y all the images and labels, batch (b,), all on the model's device
    Returns: the mean loss of the batch before the update, and how many of its images were
             classified correctly: numbers on the device
    """
    loss, correct = model.gradient_at(x, y, batch)  # fills model.g
    if settings.clip is not None:
        clip_by_norm(model.g, settings.clip)
    step = OPTIMIZERS[settings.optimizer].step
    step(model.w, model.g, memory, lr, t, settings, model.shapes)
    return loss, correct


def new_memory(model, settings):
    """What the optimizer remembers before the first update: zeros, by name."""
    return {name: model.xp.zeros_like(model.w) for name in OPTIMIZERS[settings.optimizer].memory}


@dataclass(frozen=True)
class State:
    """Where a run stands after an epoch: all it needs to continue as if it had never stopped.

    It holds no random generator: the order of each epoch is drawn afresh from (seed, epoch).

    Shapes:  w and every vector of the optimizer's memory (P,), in host memory
    """

    epoch: int
    w: np.ndarray
    memory: dict = field(default_factory=dict)
    predicted_class: int | None = None  # assigned to every test image; None if there are several
    frozen: int = 0  # epochs in a row, up to this one, with that class for every test image


class Run:
    """A run under way: its model, the optimizer's memory, and the images on the device.

    `train` drives it. To look at it between two updates, drive it yourself:

        for t, lr, batch in run.batches(epoch):
            ...                             # look at run.model.w
            run.update(t, lr, batch)        # or make another step

    Raises:  SettingError if the batch is larger than the training set; UserError if a GPU has no
             room for the images
    """

    def __init__(
        self, settings, data, device="cpu", threads=1, dtype=np.float32, state=None, ranks=None
    ):
        self.settings, self.N = settings, len(data.train.labels)
        settings.check(self.N)
        self.model = model = Model(
            settings.network, settings.seed, device, dtype, threads=threads, ranks=ranks,
            plain=settings.plain, pixels=data.pixels, init=settings.init, loss=settings.loss,
        )  # fmt: skip
        self.memory, xp = new_memory(model, settings), model.xp
        if state is not None:
            model.w[...] = xp.asarray(state.w)
            for name, vector in self.memory.items():
                vector[...] = xp.asarray(state.memory[name])
        try:
            self.x, self.y = xp.asarray(data.train.images), xp.asarray(data.train.labels)
            self.test = xp.asarray(data.test.images), xp.asarray(data.test.labels)
        except out_of_memory(model.w) as error:
            raise UserError(
                f"the GPU has no room for {self.N:,} images ({error}): use --device cpu"
            ) from None
        self.per_epoch = settings.updates_per_epoch(self.N)  # while the batch has not grown

    def batches(self, epoch, order=None):
        """Yield (t, lr, batch) for every update of an epoch: its number from 0, its rate and the
        indices of its images. The last batch holds whatever is left.

        order   of the images, (N,); None: drawn from (seed, epoch)
        """
        if order is None:
            order = epoch_order(self.N, self.settings.seed, epoch)
        order, s, N = self.model.xp.asarray(order), self.settings, self.N
        first, b = s.updates_after(epoch - 1, N), s.batch_size_at(epoch, N)
        for k, start in enumerate(range(0, len(order), b)):
            yield first + k, s.rate_in(epoch, k, N), order[start : start + b]

    def update(self, t, lr, batch):
        """Make update t.  Returns: as the function `update`"""
        return update(self.model, self.memory, self.x, self.y, batch, lr, t, self.settings)

    def epoch(self, epoch, order=None):
        """Make all the updates of an epoch.

        Returns: the mean losses of the batches (updates,) on the host, and the number of images
                 classified correctly
        """
        losses, correct = [], 0
        for t, lr, batch in self.batches(epoch, order):
            loss, right = self.update(t, lr, batch)
            losses.append(loss)
            correct = correct + right
        return to_host(self.model.xp.stack(losses)).astype(np.float64), int(correct)

    def state(self, epoch, predicted_class=None, frozen=0):
        """The State after an epoch."""
        w = self.model.w
        for name, vector in self.memory.items():  # what is kept must be fit to go on from
            if (vector.shape, vector.dtype) != (w.shape, w.dtype):
                raise ValueError(
                    f"{self.settings.optimizer} made its memory {name!r} {vector.shape} "
                    f"{vector.dtype}, wanted {w.shape} {w.dtype} as w is"
                )
        memory = {name: np.array(to_host(vector)) for name, vector in self.memory.items()}
        return State(epoch, self.model.weights(), memory, predicted_class, frozen)


def train(settings, data, device="cpu", threads=1, dtype=np.float32, state=None, ranks=None):
    """Train, yielding (record, state) after every epoch; given a State, continue from it.

    A record holds epoch, lr (the rate of the epoch's last update), train_loss and train_accuracy
    (running: each batch is judged before its own update), test_loss, test_accuracy, seconds and
    status; if the batch grows, also batch_size and updates (made so far, of all epochs):

        ok         neither of these:
        stuck      every test image was assigned one class, the same as in the two epochs before
        diverged   the loss of update t (`update` in the record, from 0), or the test loss before
                   it, was not finite; the metrics are None and the run ends

    ranks    those of an MPI job, which all call this alike and get the same records

    Raises:  as Run
    """
    run = Run(settings, data, device, threads, dtype, state, ranks)
    N = run.N
    frozen, before, done, start = 0, None, 0, run.model.weights()
    if state is not None:
        frozen, before, done = state.frozen, state.predicted_class, state.epoch

    for epoch in range(done + 1, settings.epochs + 1):
        began, b = perf_counter(), settings.batch_size_at(epoch, N)
        first, made = (settings.updates_after(i, N) for i in (epoch - 1, epoch))
        updates = made - first
        with np.errstate(all="ignore"):  # divergence shows in the loss, not in warnings
            losses, correct = run.epoch(epoch)
            test_loss, test_correct, predicted_class = evaluate(run.model, *run.test)

        record = {"epoch": epoch, "lr": settings.rate_in(epoch, updates - 1, N)}
        if settings.batch_schedule:
            record |= {"batch_size": b, "updates": made}
        bad = np.flatnonzero(~np.isfinite(losses))
        if len(bad) or not isfinite(test_loss):
            t = int(bad[0]) if len(bad) else updates
            record |= dict.fromkeys(METRICS)
            record |= {"status": "diverged", "update": first + t}
            predicted_class, frozen = None, 0
        else:
            sizes = np.minimum(b, N - b * np.arange(updates))
            same = predicted_class is not None and predicted_class == before
            frozen = frozen + 1 if same else int(predicted_class is not None)
            record |= {
                "train_loss": float(losses @ sizes / N),
                "train_accuracy": correct / N,
                "test_loss": test_loss,
                "test_accuracy": test_correct / len(run.test[1]),
                "status": "stuck" if frozen >= STUCK_AFTER else "ok",
            }
        before = predicted_class
        after = run.state(epoch, predicted_class, frozen)
        if epoch == 1 and settings.own and np.array_equal(after.w, start):
            raise UserError(
                f"the optimizer {settings.optimizer} left every weight as it was: it should change "
                "w in place, as in w -= lr * g"
            )
        yield record | {"seconds": perf_counter() - began}, after
        if record["status"] == "diverged":
            return


def evaluate(model, x, y):
    """The mean loss, the number of images classified correctly, and the class assigned to every
    image (None if there are several).

    Shapes:  x as in Model.gradient, y (N,), both on the model's device
    """
    z = model.logits(x).T  # (10, N)
    loss, correct, _ = model.loss(z, y, len(y))
    predicted = z.argmax(axis=0)  # (N,)
    first, last = int(predicted.min()), int(predicted.max())
    return float(loss), int(correct), first if first == last else None


sys.modules[__name__].__class__ = CallableModule  # for the call see commands/from_python.py
