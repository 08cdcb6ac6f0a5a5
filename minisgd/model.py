"""The model: a network's weights w, its gradient g, and the gradient of a batch of any size."""

import numpy as np

from .backend import array_module, to_host
from .errors import SettingError
from .gradient import CHUNK, LANES, Lanes
from .loss import softmax_cross_entropy
from .networks import K, Network, P, PlainNetwork, initial_weights, views


class LeNet5:
    """The model: its weights w, its gradient g, and the gradient of a batch of any size.

    Attributes:  w, g (61,706,) flat vectors; params, grads: their named views ("conv1.W", ...)
    Units:       chunk in images, None for what suits the device; threads of this process
    Raises:      SettingError (a ValueError) for an unknown device, or one that is not there
    Source:      report Sec. I, the network of [2]
    """

    def __init__(self, seed=0, device="cpu", dtype=np.float32, chunk=None, threads=1, ranks=None):
        self.xp = xp = array_module(device)
        chunk = CHUNK["cpu" if xp is np else "cuda"] if chunk is None else chunk
        if chunk < 1 or threads < 1:
            raise SettingError(f"chunk and threads must be at least 1, got {chunk} and {threads}")
        self.w = xp.asarray(initial_weights(np.random.default_rng(seed), dtype))
        self.g = xp.zeros_like(self.w)
        self.params, self.grads = views(self.w), views(self.g)
        lanes = LANES if xp is np else 1  # a GPU is wide by itself
        make = lambda g, host: Network(self.w, g, host)  # noqa: E731
        self.lanes = Lanes(make, self.g, chunk, threads, lanes, ranks)

    def gradient(self, x, y):
        """Mean loss over a batch and number of images told right; fills g with the gradient.

        Shapes:  x (N, 1, 28, 28) float as the network takes it, or uint8 (N, 28, 28) as stored;
                 y (N,) integers 0 ... 9 -> loss (float), correct (int)
        Raises:  ValueError if the shapes do not fit, N is 0 or a label is not 0 ... 9
        Source:  report Sec. I, (1/b) Σ ∇l(x, w)
        """
        x, y = self._images(x), self._labels(x, y)
        loss, correct = self.lanes.gradient(x, y, self.xp.arange(len(y)))
        return float(loss), int(correct)

    def per_example_gradients(self, x, y):
        """The gradient of every image's own loss; their mean is what `gradient` puts into g.

        Shapes:  x, y as in `gradient` -> (N, 61,706): 247 kB an image; the next keeps few
        Raises:  ValueError as `gradient`
        Source:  report Sec. I and II, g_i = ∇l(x_i, w)
        """
        each, start = self.xp.empty((len(x), P), self.w.dtype), 0
        for piece in self.per_example_pieces(x, y):
            each[start : start + len(piece)] = piece
            start += len(piece)
        return each

    def per_example_pieces(self, x, y, size=64):
        """The same in pieces of so many images, one after the other: yields (n, 61,706)."""
        x, y = self._images(x), self._labels(x, y)
        network = PlainNetwork(self.w, self.xp.zeros_like(self.w))
        for start in range(0, len(y), size):
            z = network.forward(x[start : start + size])
            _, _, dz = softmax_cross_entropy(z, y[start : start + size], 1)  # every image by itself
            yield network.each(dz)

    def _labels(self, x, y):
        y = self.xp.asarray(y)
        if y.shape != (len(x),) or not len(y) or y.dtype.kind not in "iu":
            raise ValueError(
                f"y must hold one integer for each of the {len(x)} images, got {y.shape} {y.dtype}"
            )
        if int(y.min()) < 0 or int(y.max()) >= K:
            raise ValueError(f"labels must be 0 ... {K - 1}, got {int(y.min())} ... {int(y.max())}")
        return y

    def logits(self, x):
        """The network's output before the softmax.

        Shapes:  x as in `gradient` -> (N, 10)
        """
        x = self._images(x)
        z = self.xp.empty((K, len(x)), self.w.dtype)
        self.lanes.forward(x, z)
        return z.T  # (N, 10)

    def weights(self):
        """A copy of w in the host's memory, (61,706,)."""
        return np.array(to_host(self.w))

    def _images(self, x):
        x = self.xp.asarray(x)
        if x.shape[1:] not in ((1, 28, 28), (28, 28)):
            raise ValueError(f"images must be of shape (N, 1, 28, 28), got {x.shape}")
        if x.dtype.kind != "f" and x.dtype != np.uint8:
            raise ValueError(f"images must be floats, or uint8 as stored, got {x.dtype}")
        return x
