"""What happens along a run, update by update, without changing it."""

from dataclasses import dataclass
from math import isfinite

import numpy as np

from ..data.known import MNIST_PIXELS
from ..layers import ReLU
from ..loss import softmax_cross_entropy
from ..networks import NETWORKS, Network

DEAD = ("dead_conv1", "dead_conv2", "dead_fc")  # the layers whose dead units are told


@dataclass(frozen=True)
class Moment:
    """An update of a run: the indices of its images, their mean loss and the share of them that was
    classified correctly, the length of the gradient and the share of it that clipping kept, and w
    before and after.
    """

    t: int
    epoch: int
    lr: float
    batch: np.ndarray
    loss: float
    accuracy: float
    gradient: float
    kept: float
    before: np.ndarray
    after: np.ndarray


def followed(run):
    """Make the updates of a run, yielding a Moment of each; stop before the first whose loss or
    step is not finite. While the generator waits, run.model.g and run.memory are of that update.
    """
    settings, model = run.settings, run.model
    for epoch in range(1, settings.epochs + 1):
        for t, lr, batch in run.batches(epoch):
            before, kept = model.weights(), 1.0
            if settings.clip is not None:  # the update leaves only what is clipped
                model.gradient_at(run.x, run.y, batch)
                kept = float(min(1.0, settings.clip / np.linalg.norm(model.g)))
            loss, correct = run.update(t, lr, batch)
            after, loss = model.weights(), float(loss)
            if not isfinite(loss) or not np.isfinite(after).all():
                return
            gradient = float(np.linalg.norm(model.g)) / kept
            accuracy = int(correct) / len(batch)
            yield Moment(t, epoch, lr, batch, loss, accuracy, gradient, kept, before, after)


def passed(w, images, pixels=MNIST_PIXELS, network="lenet5"):
    """A forward pass.

    Returns: the logits (10, n); for every layer of ReLUs, which of its units, or channels of a
             convolution, are on for at least one image
    """
    net = Network(NETWORKS[network], w, np.empty_like(w), plain=True, pixels=pixels)
    z = net.forward(images)
    masks = [layer.cache for _, layer in net.layers if isinstance(layer, ReLU)]
    return z, [mask.any(axis=tuple(range(1, mask.ndim))) for mask in masks]


def network_at(w, images, labels, pixels=MNIST_PIXELS, network="lenet5"):
    """What one forward pass through LeNet-5 shows: the loss; the share of the channels of conv1 and
    of conv2, and of the units of fc1 and fc2 together, that are off for every image; the mean
    length of the logits, and their mean distance from their mean over the images (spread).
    """
    with np.errstate(all="ignore"):
        z, alive = passed(w, images, pixels, network)
        loss, _, _ = softmax_cross_entropy(z, labels, len(labels))
        length = float(np.linalg.norm(z, axis=0).mean())
        spread = float(np.linalg.norm(z - z.mean(axis=1, keepdims=True), axis=0).mean())
    parts = alive[0], alive[1], np.concatenate(alive[2:])
    dead = {name: 1 - float(on.mean()) for name, on in zip(DEAD, parts, strict=True)}
    return {"loss": float(loss), "logits": length, "spread": spread} | dead


def thrown(spreads, out=0.5, back=0.1):
    """When a run left the plateau and when it was thrown back to one, by the spread of its logits
    before every update.

    It is on a plateau at first. It has left once the spread is above `out`, and is thrown back once
    it is then below `back`, from where it may leave again.

    Returns: [updates of leaving], [updates of being thrown]: the second list is as long as the
             first, or one shorter
    """
    left, back_at = [], []
    for t, spread in enumerate(spreads):
        if len(left) == len(back_at):
            if spread > out:
                left.append(t)
        elif spread < back:
            back_at.append(t)
    return left, back_at
