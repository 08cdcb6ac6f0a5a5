"""One run: settings and a dataset in, one record an epoch out. There is no other training loop."""

from dataclasses import dataclass
from math import isfinite
from time import perf_counter

import numpy as np

from .backend import out_of_memory, to_host
from .data import epoch_order
from .errors import UserError
from .loss import softmax_cross_entropy
from .model import LeNet5
from .optim import momentum_step, sgd_step

STUCK_AFTER = 3  # epochs in a row in which every test image was given one and the same class


@dataclass(frozen=True)
class State:
    """Where a run stands after an epoch: all that is needed to go on as if it had never stopped.

    No generator is in it: the order of an epoch is drawn anew from (seed, epoch).

    Shapes:  w, v (61,706,) in the host's memory
    """

    epoch: int
    w: np.ndarray
    v: np.ndarray
    told: int | None = None  # the class that every test image was given; None if there were several
    frozen: int = 0  # epochs in a row, up to this one, with that class for every test image


def train(
    settings, data, device="cpu", threads=1, dtype=np.float32, state=None, watch=None, ranks=None
):
    """Train LeNet-5, yielding (record, state) after every epoch; from a State, go on after it.

    `watch(t, lr, w, v, batch)` is called before every update t (from 0): it may look at the weights
    and the velocity, and at the indices of the images of the batch that comes. What it writes into
    w, to intervene, the run goes on with.

    A record holds epoch, lr (the rate in force), train_loss and train_accuracy (running: every
    batch is judged before its own update), test_loss, test_accuracy, seconds and status:

        ok         it trains
        stuck      every test image was given one class, the same in this epoch and the two before
        diverged   the loss of update t (from 0, in the record as `update`) was not finite; its
                   metrics are None and the run ends

    ranks    of an MPI job, all of which call this alike and are given the same records

    Raises:  SettingError if the batch is larger than the training set; UserError if a GPU has no
             room
    """
    N, B = len(data.train.labels), settings.batch_size
    settings.check(N)
    model = LeNet5(settings.seed, device, dtype, threads=threads, ranks=ranks)
    xp, w = model.xp, model.w
    v = xp.zeros_like(w)
    if state is None:
        state = State(0, model.weights(), to_host(v))
    w[...], v[...] = xp.asarray(state.w), xp.asarray(state.v)
    try:
        train_x, train_y = xp.asarray(data.train.images), xp.asarray(data.train.labels)
        test_x, test_y = xp.asarray(data.test.images), xp.asarray(data.test.labels)
    except out_of_memory(w) as error:
        raise UserError(
            f"the GPU has no room for {N:,} images ({error}): use --device cpu"
        ) from None
    updates = -(-N // B)  # an epoch

    for epoch in range(state.epoch + 1, settings.epochs + 1):
        began, lr = perf_counter(), settings.lr_at(epoch)
        order, first = xp.asarray(epoch_order(N, settings.seed, epoch)), (epoch - 1) * updates
        with np.errstate(all="ignore"):  # a run that diverges is told by its loss, not by warnings
            seen = watch and (lambda k, piece: watch(first + k, lr, w, v, piece))  # noqa: B023
            losses, correct = one_epoch(
                model, v, train_x, train_y, order, B, lr, settings.momentum, seen
            )
            test_loss, test_correct, told = evaluate(model, test_x, test_y)

        record = {"epoch": epoch, "lr": lr}
        bad = np.flatnonzero(~np.isfinite(losses))
        if len(bad) or not isfinite(test_loss):
            t = int(bad[0]) if len(bad) else updates
            record |= dict.fromkeys(METRICS)
            record |= {"status": "diverged", "update": first + t}
            told, frozen = None, 0
        else:
            sizes = np.minimum(B, N - B * np.arange(updates))
            frozen = 0 if told is None else state.frozen + 1 if told == state.told else 1
            record |= {
                "train_loss": float(losses @ sizes / N),
                "train_accuracy": correct / N,
                "test_loss": test_loss,
                "test_accuracy": test_correct / len(test_y),
                "status": "stuck" if frozen >= STUCK_AFTER else "ok",
            }
        state = State(epoch, model.weights(), np.array(to_host(v)), told, frozen)
        yield record | {"seconds": perf_counter() - began}, state
        if record["status"] == "diverged":
            return


def one_epoch(model, v, x, y, order, batch_size, lr, momentum=0.0, watch=None):
    """All the updates of an epoch, on the model's w and the velocity v; `watch(k, batch)` before
    the k-th.

    Shapes:  x, y all the images and labels; order (N,), all three on the model's device
    Returns: the batches' mean losses (updates,) on the host, the number of images told right
    """
    losses, correct = [], 0
    for start in range(0, len(order), batch_size):  # the last batch is what is left
        batch = order[start : start + batch_size]
        if watch:
            watch(start // batch_size, batch)
        loss, right = model.lanes.gradient(x, y, batch)
        if momentum:
            momentum_step(model.w, v, model.g, lr, momentum)
        else:
            sgd_step(model.w, model.g, lr)
        losses.append(loss)
        correct = correct + right
    return to_host(model.xp.stack(losses)).astype(np.float64), int(correct)


METRICS = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")


def evaluate(model, x, y):
    """Mean loss, number correct, and the class given to every image (None if there are several).

    Shapes:  x as in LeNet5.gradient, y (N,), both on the model's device
    """
    z = model.logits(x).T  # (10, N)
    loss, correct, _ = softmax_cross_entropy(z, y, len(y))
    told = z.argmax(axis=0)  # (N,)
    first, last = int(told.min()), int(told.max())
    return float(loss), int(correct), first if first == last else None
