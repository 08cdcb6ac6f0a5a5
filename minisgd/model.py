"""The model: a network's weights w, its gradient g, and the gradient of a batch of any size."""

from functools import partialmethod

import numpy as np

from .backend import array_module, to_host
from .errors import SettingError, one_of
from .gradient import CHUNK, LANES, Lanes
from .loss import LOSSES
from .networks import (
    MNIST_PIXELS,
    NETWORKS,
    K,
    Network,
    initial_weights,
    shapes_of,
    views,
)


class Model:
    """A network's weights w, its gradient g, and the gradient of a batch of any size.

    network  a name in networks.NETWORKS, or a list of networks.Part
    plain    use the layers of layers.py as they are, not their fused form
    pixels   mean and standard deviation of the dataset's pixels, for images as stored
    init     a name in inits.INITS: what w is drawn from, by the seed
    loss     a name in loss.LOSSES

    Attributes:  w, g (P,) flat vectors; shapes {"conv1.W": (6, 1, 5, 5), ...}; params, grads: views
                 of w and g by these names
    Units:       chunk in images, None for a size that suits the device; threads of this process
    Raises:      SettingError (a ValueError) for an unknown network, init, loss or device, a missing
                 device, or chunk or threads below 1
    """

    def __init__(
        self,
        network="lenet5",
        seed=0,
        device="cpu",
        dtype=np.float32,
        chunk=None,
        threads=1,
        ranks=None,
        plain=False,
        pixels=MNIST_PIXELS,
        init="uniform",
        loss="softmax",
    ):
        self.parts = one_of("network", NETWORKS, network) if isinstance(network, str) else network
        self.xp = xp = array_module(device)
        chunk = CHUNK["cpu" if xp is np else "cuda"] if chunk is None else chunk
        if chunk < 1 or threads < 1:
            raise SettingError(f"chunk and threads must be at least 1, got {chunk} and {threads}")
        self.pixels, self.shapes = pixels, shapes_of(self.parts)
        self.loss = one_of("loss", LOSSES, loss)
        self.w = xp.asarray(initial_weights(self.parts, np.random.default_rng(seed), dtype, init))
        self.g = xp.zeros_like(self.w)
        self.params, self.grads = views(self.w, self.shapes), views(self.g, self.shapes)
        lanes = LANES if xp is np else 1  # one keeps a GPU busy

        def copy(g, lender):
            return Network(self.parts, self.w, g, plain, lender, pixels)

        self.lanes = Lanes(copy, self.g, self.loss, chunk, threads, lanes, ranks)

    def gradient(self, x, y):
        """The mean loss over a batch and the number of images classified correctly; fills g.

        Shapes:  x (n, 1, 28, 28) float as the network takes it, or uint8 (n, 28, 28) as stored;
                 y (n,) integers 0 ... 9 -> loss (float), correct (int)
        Raises:  ValueError if the shapes do not fit, n is 0 or a label is not 0 ... 9
        Source:  report Sec. I, (1/b) Σ ∇l(x, w)
        """
        x, y = self._images(x), self._labels(x, y)
        loss, correct = self.gradient_at(x, y, self.xp.arange(len(y)))
        return float(loss), int(correct)

    def gradient_at(self, x, y, batch):
        """The same for the images x[batch], without checks and without waiting for the device.

        Shapes:  batch (b,) -> loss, correct (numbers on the device)
        """
        return self.lanes.gradient(x, y, batch)

    def per_example_gradients(self, x, y):
        """The gradient of each image's own loss; their mean is what `gradient` puts into g.

        Shapes:  x, y as in `gradient` -> (n, P): 247 kB per image for LeNet-5. `per_example_pieces`
                 holds only a few at a time
        Raises:  ValueError as `gradient`
        Source:  report Sec. I and II, g_i = ∇l(x_i, w)
        """
        found, start = self.xp.empty((len(x), len(self.w)), self.w.dtype), 0
        for piece in self.per_example_pieces(x, y):
            found[start : start + len(piece)] = piece
            start += len(piece)
        return found

    def per_example_pieces(self, x, y, size=64):
        """The same in pieces of `size` images, one after another: yields (n, P)."""
        x, y = self._images(x), self._labels(x, y)
        g = self.xp.zeros_like(self.w)
        network = Network(self.parts, self.w, g, plain=True, pixels=self.pixels)
        for start in range(0, len(y), size):
            z = network.forward(x[start : start + size])
            _, _, dz = self.loss(z, y[start : start + size], 1)  # each image on its own
            yield network.per_example(dz)

    def logits(self, x):
        """The network's output before the softmax.

        Shapes:  x as in `gradient` -> (n, 10)
        """
        x = self._images(x)
        z = self.xp.empty((K, len(x)), self.w.dtype)
        self.lanes.forward(x, z)
        return z.T  # (n, 10)

    def weights(self):
        """A copy of w in host memory, (P,)."""
        return np.array(to_host(self.w))

    def _labels(self, x, y):
        y = self.xp.asarray(y)
        if y.shape != (len(x),) or not len(y) or y.dtype.kind not in "iu":
            raise ValueError(
                f"y must hold one integer for each of the {len(x)} images, got {y.shape} {y.dtype}"
            )
        if int(y.min()) < 0 or int(y.max()) >= K:
            raise ValueError(f"labels must be 0 ... {K - 1}, got {int(y.min())} ... {int(y.max())}")
        return y

    def _images(self, x):
        x = self.xp.asarray(x)
        if x.shape[1:] not in ((1, 28, 28), (28, 28)):
            raise ValueError(f"images must be of shape (N, 1, 28, 28), got {x.shape}")
        if x.dtype.kind != "f" and x.dtype != np.uint8:
            raise ValueError(f"images must be floats, or uint8 as stored, got {x.dtype}")
        return x


class LeNet5(Model):
    """The report's network: LeNet5(seed=0, device="cpu", ...) is Model("lenet5", ...); P = 61,706.

    Source:  report Sec. I, the network of [2]
    """

    __init__ = partialmethod(Model.__init__, "lenet5")
