"""LeNet-5: the report's network, its layers reading one vector w and adding into one vector g.

image   1 x 28 x 28
conv1   6 kernels of 5 x 5, pad 2 -> 6 x 28 x 28, ReLU, max-pool 2 -> 6 x 14 x 14
conv2   16 kernels of 5 x 5       -> 16 x 10 x 10, ReLU, max-pool 2 -> 16 x 5 x 5
fc1     400 -> 120, ReLU
fc2     120 -> 84, ReLU
fc3     84 -> 10 logits
"""

from functools import partial
from math import prod, sqrt

import numpy as np

from .backend import module_of
from .fused import ConvReLUPool, LinearReLU
from .layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU

SHAPES = {  # PyTorch's shapes and order, so that weights can be exchanged; the order in w is this
    "conv1.W": (6, 1, 5, 5),
    "conv1.b": (6,),
    "conv2.W": (16, 6, 5, 5),
    "conv2.b": (16,),
    "fc1.W": (120, 400),
    "fc1.b": (120,),
    "fc2.W": (84, 120),
    "fc2.b": (84,),
    "fc3.W": (10, 84),
    "fc3.b": (10,),
}
P = sum(prod(shape) for shape in SHAPES.values())  # 61,706
K = 10  # classes

# Mean and standard deviation of MNIST's pixels: the input is (x/255 - mean) / std.
PIXEL_MEAN, PIXEL_STD = 0.1307, 0.3081


def views(vector):
    """Named views of a flat vector (61,706,), in the order and of the shapes of SHAPES."""
    named, start = {}, 0
    for name, shape in SHAPES.items():
        named[name] = vector[start : start + prod(shape)].reshape(shape)
        start += prod(shape)
    return named


def initial_weights(rng, dtype=np.float32):
    """Weights and biases of every layer ~ U(-1/sqrt(fan_in), 1/sqrt(fan_in)), as one vector.

    Drawn on the host and in float64, so that every device and dtype starts from the same numbers.

    Shapes:  -> w (61,706,)
    Source:  the authors' code, which leaves PyTorch's default in place. The long flat start of the
             large batches depends on it.
    """
    w = np.empty(P)
    for name, view in views(w).items():
        fan_in = prod(SHAPES[name.split(".")[0] + ".W"][1:])
        bound = 1 / sqrt(fan_in)
        view[...] = rng.uniform(-bound, bound, view.shape)
    return w.astype(dtype)


def columns(images, dtype):
    """Images as the network takes them, in columns.

    Shapes:  images (N, 1, 28, 28) float, or uint8 (N, 28, 28) as stored -> x (1, 28, 28, N)
    """
    x = images.astype(dtype).reshape(-1, 1, 28, 28)
    if images.dtype == np.uint8:
        x *= 1 / (255 * PIXEL_STD)
        x -= PIXEL_MEAN / PIXEL_STD
    return x.transpose(1, 2, 3, 0)


def layer_of(params, grads, layer):
    """W, b, dW, db of a layer."""
    return [named[f"{layer}.{kind}"] for named in (params, grads) for kind in "Wb"]


class PlainNetwork:
    """LeNet-5 of the layers of layers.py, over the vectors w and g: the version to read, and the
    one that tells the images of a batch apart.

    Shapes:  w, g (61,706,)
    """

    def __init__(self, w, g):
        of = partial(layer_of, views(w), views(g))
        self.layers = [
            Conv2d(*of("conv1"), pad=2), ReLU(), MaxPool2d(2),
            Conv2d(*of("conv2")), ReLU(), MaxPool2d(2), Flatten(),
            Linear(*of("fc1")), ReLU(), Linear(*of("fc2")), ReLU(), Linear(*of("fc3")),
        ]  # fmt: skip
        self.dtype = w.dtype

    def forward(self, images):
        """The logits.  Shapes: images as in `columns` -> z (10, N)"""
        y = columns(images, self.dtype)
        for layer in self.layers:
            y = layer.forward(y)
        return y

    def backward(self, dz):
        """Add to g.  Shapes: dz (10, N), of the images that went forward last"""
        for layer in reversed(self.layers):
            dz = layer.backward(dz)

    def each(self, dz):
        """The gradient of every image, in the order of w. What is in g after it means nothing.

        Shapes:  dz (10, N), of the images that went forward last -> (N, 61,706)
        """
        parts = []
        for layer in reversed(self.layers):
            if hasattr(layer, "each"):
                dW, db = layer.each(dz)
                parts += [db, dW.reshape(len(db), -1)]
            if layer is not self.layers[0]:  # the images' own derivative is nobody's
                dz = layer.backward(dz)
        return module_of(parts[0]).concatenate(parts[::-1], axis=1)


class Network:  # Report Sec. I, LeNet-5
    """The layers over the vectors w and g: for a batch `begin`, then forward to the logits and
    backward for every chunk, then `finish`, after which g holds the sum over the chunks. Networks
    that take turns may share the workspaces of one of them, `host`.

    Shapes:  w, g (61,706,)
    """

    def __init__(self, w, g, host=None):
        of = partial(layer_of, views(w), views(g))
        self.conv1 = ConvReLUPool(*of("conv1"), size=(28, 28), pad=2)
        self.conv2 = ConvReLUPool(*of("conv2"), size=(14, 14))
        self.fc1, self.fc2 = LinearReLU(*of("fc1")), LinearReLU(*of("fc2"))
        self.fc3 = LinearReLU(*of("fc3"), relu=False)
        self.layers = self.conv1, self.conv2, self.fc1, self.fc2, self.fc3
        if host:
            for layer, theirs in zip(self.layers, host.layers, strict=True):
                layer.spaces = theirs.spaces
        self.dtype = w.dtype

    def begin(self):
        """Read w, and forget the last batch's gradient."""
        for layer in self.layers:
            layer.begin()

    def forward(self, images):
        """The logits of a chunk; they are overwritten by the next chunk of the same size.

        Shapes:  images as in `columns` -> z (10, N)
        """
        y = self.conv1.forward(columns(images, self.dtype))  # (6, 14, 14, N)
        y = self.conv2.forward(y).reshape(400, -1)  # (400, N)
        return self.fc3.forward(self.fc2.forward(self.fc1.forward(y)))  # (10, N)

    def backward(self, dz):
        """Add the chunk's part of the gradient.

        Shapes:  dz (10, N), of the chunk that went forward last
        """
        dy = self.fc1.backward(self.fc2.backward(self.fc3.backward(dz)))  # (400, N)
        dy = self.conv2.backward(dy)  # (6, 14, 14, N)
        self.conv1.backward(dy, wants_dx=False)

    def forget(self):
        """Give back the memory of the workspaces."""
        for layer in self.layers:
            layer.spaces.clear()
            layer.cache = None

    def finish(self):
        """Complete g with what the convolutions keep in another form."""
        self.conv1.finish()
        self.conv2.finish()
