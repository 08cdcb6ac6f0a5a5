"""The Hessian of the mean loss times a vector, exactly: forward over backward.

Both passes through the network are differentiated along a vector u. Every quantity q in them gets a
derivative Rq = lim (q(w + εu) - q(w))/ε by the product rule, and that of the gradient is the
product: R{∇f} = H u. With V and c for the entries of u that belong to W and b:

        y = W x + b                   Ry = W Rx + V x + c            Rx = 0 for the images
        dz = (p - e_y)/B              Rdz = (p Rz - p (p'Rz))/B      p Rz element by element
        dx = W' dy                    Rdx = W' Rdy + V' dy
        dW = dy x', db = dy 1         RdW = Rdy x' + dy Rx', Rdb = Rdy 1

with one image a column; a convolution is such a product, too. ReLU and max-pooling let some numbers
through and stop the others, and so they do with the derivatives. Which ones changes only at a kink,
where a ReLU switches or another pixel wins: H is the Hessian of the loss between its kinks. To this
a difference of gradients over a length h adds all kinks within h, each as a jump divided by 2h
(estimators.hessian_product).

Source:  Pearlmutter 1994, Fast Exact Multiplication by the Hessian, whose R{.} this is
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..data.known import MNIST_PIXELS
from ..errors import one_of
from ..gradient import even_bounds
from ..layers import Flatten, MaxPool2d, ReLU
from ..loss import softmax_cross_entropy
from ..networks import NETWORKS, columns, shapes_of, views

PIECE = 100  # images that are worked on at a time, which fit a cache


class Hessian:
    """The Hessian H at w of the mean loss over some images. Both passes are made once; a product
    repeats them with the derivatives.

    network  a name in networks.NETWORKS, or a list of networks.Part
    dtype    of the passes; the pieces are summed in float64

    Shapes:  w (P,), images and labels as in Model.gradient
    """

    def __init__(self, w, images, labels, threads=1, network="lenet5", pixels=MNIST_PIXELS,
                 dtype=np.float32):  # fmt: skip
        named = isinstance(network, str)
        self.parts = one_of("network", NETWORKS, network) if named else network
        self.threads = threads
        self.shapes, N = shapes_of(self.parts), len(labels)
        self.w = w.astype(dtype)
        self.w_without_b = self.w.copy()
        for name, view in views(self.w_without_b, self.shapes).items():
            view[...] *= not name.endswith(".b")
        ends = even_bounds(N, -(-N // PIECE))
        given = [(columns(images[a:b], dtype, pixels), labels[a:b]) for a, b in ends]
        self.pieces = self._on_threads(lambda piece: self._passes(*piece, N), given)

    def product(self, u):
        """H u, (P,) -> (P,)."""
        u = u.astype(self.w.dtype)
        found = self._on_threads(lambda piece: self._product(u, *piece), self.pieces)
        return sum(g.astype(np.float64) for g in found)

    def _on_threads(self, work, items):
        def quietly(item):  # threads do not inherit the caller's errstate
            with np.errstate(all="ignore"):
                return work(item)

        with ThreadPoolExecutor(self.threads) as pool:  # map keeps the order
            return list(pool.map(quietly, items))

    def _layers(self, w, g):
        """The layers over the weights w, with their gradients in g."""
        W, dW = views(w, self.shapes), views(g, self.shapes)
        for part in self.parts:
            names = [f"{part.name}.{kind}" for kind in part.shapes]
            yield part.make(*(own[name] for own in (W, dW) for name in names))

    def _passes(self, x, labels, N):
        """The two passes over a piece of the N images.

        Returns: g, to which the layers add their gradients; (layer with its cache, x, dy) of every
                 layer; p (10, n); N
        """
        g, layers, dys = np.zeros_like(self.w), [], []
        for layer in self._layers(self.w, g):
            layers.append((layer, x))
            x = layer.forward(x)
        _, _, dy = softmax_cross_entropy(x, labels, N)
        _, _, p = softmax_cross_entropy(x, labels, 1)  # p - e_y
        p[labels, np.arange(len(labels))] += 1
        for layer, _ in reversed(layers):
            dys.append(dy)
            dy = layer.backward(dy)
        return g, [(*some, dy) for some, dy in zip(layers, reversed(dys), strict=True)], p, N

    def _product(self, u, g, layers, p, N):
        """The share of a piece in H u."""
        g[...] = 0
        Rx, pairs = np.zeros_like(layers[0][1]), []
        along_u, without_b = self._layers(u, g), self._layers(self.w_without_b, g)
        for part, (layer, x, dy), V, W in zip(self.parts, layers, along_u, without_b, strict=True):
            if part.shapes:
                Rx = W.forward(Rx) + V.forward(x)  # W Rx + V x + c
                V.cache, V.db = W.cache, np.zeros_like(V.db)  # to meet Rx now, and add no dy 1
            else:
                Rx, V = through(layer, Rx), None
            pairs.append((layer, V, dy))
        Rdy = p * (Rx - (p * Rx).sum(axis=0)) / p.dtype.type(N)
        for layer, V, dy in reversed(pairs):
            Rdy = layer.backward(Rdy)  # adds Rdy x' to RdW, and Rdy 1 to Rdb
            if V:
                Rdy = Rdy + V.backward(dy)  # adds dy Rx' to RdW
        return g.copy()


def through(layer, Rx):
    """The derivative of what a layer without weights lets through."""
    if isinstance(layer, ReLU):
        return layer.backward(Rx)  # the same mask both ways
    if isinstance(layer, MaxPool2d):
        winner, _ = layer.cache
        return sum(Rx[:, i, j] * (winner == place) for place, (i, j) in enumerate(layer.places))
    if isinstance(layer, Flatten):
        return layer.forward(Rx)
    raise ValueError(f"the derivative of {type(layer).__name__} along a vector is not known here")
