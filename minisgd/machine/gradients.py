"""The gradients of the layers, the loss and the network, checked against central differences."""

from dataclasses import replace

import numpy as np

from ..backend import array_module, module_of
from ..gradcheck import check_layer, check_model
from ..lab.names import NETWORK_TITLES
from ..layers import Conv2d, Flatten, LeakyReLU, Linear, MaxPool2d, ReLU
from ..loss import softmax_cross_entropy
from ..model import Model


class _Loss:
    """The loss as a layer, so that it is checked like one: y = loss, dx = dy · dL/dz."""

    def __init__(self, labels):
        self.labels = labels

    def forward(self, z):
        loss, _, self.cache = softmax_cross_entropy(z, self.labels, len(self.labels))
        return module_of(z).asarray(loss)

    def backward(self, dy):
        return dy * self.cache


def _distinct(rng, shape):
    """Random values that are far from each other and from zero: no ties and no kinks."""
    size = int(np.prod(shape))
    return (rng.permutation(size).reshape(shape) - size / 2 + 0.25) / 10


def check_all(seed=0, device="cpu", network="lenet5"):
    """Check every layer on small inputs of unequal sizes, then a whole network; yield each check.

    Raises:  SettingError (a ValueError) for an unknown network, or a device that cannot be used
    """
    rng, xp = np.random.default_rng(seed), array_module(device)

    def normal(*shape):
        return xp.asarray(rng.normal(size=shape))

    def weights(*shape):
        return normal(*shape), normal(shape[0])

    yield from check_layer(Linear(*weights(4, 7)), normal(7, 3), rng, "Linear.")
    yield from check_layer(Conv2d(*weights(3, 2, 3, 2)), normal(2, 6, 5, 4), rng, "Conv2d.")
    padded = Conv2d(*weights(2, 3, 3, 3), pad=1)
    yield from check_layer(padded, normal(3, 4, 5, 2), rng, "Conv2d(pad=1).")
    yield from check_layer(ReLU(), xp.asarray(_distinct(rng, (3, 4, 5, 2))), rng, "ReLU.")
    yield from check_layer(LeakyReLU(), xp.asarray(_distinct(rng, (3, 4, 5, 2))), rng, "LeakyReLU.")
    distinct = xp.asarray(_distinct(rng, (3, 4, 6, 5)))
    yield from check_layer(MaxPool2d(2), distinct, rng, "MaxPool2d(2).")
    yield from check_layer(Flatten(), normal(2, 3, 4, 5), rng, "Flatten.")
    loss = _Loss(xp.asarray(rng.integers(0, 10, size=6)))
    yield from check_layer(loss, normal(10, 6), rng, "softmax_cross_entropy.")
    model = Model(network, seed, device, dtype=np.float64, chunk=3)
    title = NETWORK_TITLES.get(network, network)
    x, y = normal(8, 1, 28, 28), xp.asarray(rng.integers(0, 10, size=8))
    for check in check_model(model, x, y, rng):
        yield replace(check, name=f"{title}.{check.name}")
