"""The networks, each a list of layers, over one vector w of weights and one vector g of gradients.

A network of your own is one list and one entry in NETWORKS. It is made of the layers of layers.py,
or of your own with the same two passes; fused.py replaces those that it knows by faster steps.

Legend:  as in layers.py; P weights of a network, K classes, n images.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from math import prod

import numpy as np

from .backend import module_of
from .data.known import MNIST_PIXELS
from .errors import SettingError, one_of
from .fused import Plain, fuse
from .inits import INITS
from .layers import Conv2d, Flatten, LeakyReLU, Linear, MaxPool2d, ReLU

K = 10  # classes
IMAGE = (1, 28, 28)
MOST = 16_000_000  # weights: a checkpoint that is read back holds 64 MiB of them


@dataclass(frozen=True)
class Part:
    """One layer of a network, before it is given its weights.

    make    the function that makes the layer from its weights and then their gradients, which are
            views of w and g: (W, b, dW, db). The layer's backward adds to the gradients
    shapes  {"W": ..., "b": ...}, in the order of `make`; the fan-in is the product of the first
            shape without its first axis
    """

    make: object
    name: str = ""
    shapes: dict = field(default_factory=dict)


def conv(name, C, F, size, pad=0):
    """F kernels of size x size over C channels."""
    return Part(partial(Conv2d, pad=pad), name, {"W": (F, C, size, size), "b": (F,)})


def linear(name, D, M):
    """A fully connected layer with D inputs and M outputs."""
    return Part(Linear, name, {"W": (M, D), "b": (M,)})


RELU, MAX_POOL, FLATTEN = Part(ReLU), Part(MaxPool2d), Part(Flatten)

# ---- the networks: from images (1, 28, 28, n) to logits (10, n)

LENET5 = (  # Report Sec. I, LeNet-5
    conv("conv1", 1, 6, 5, pad=2), RELU, MAX_POOL,  # (6, 14, 14, n)
    conv("conv2", 6, 16, 5), RELU, MAX_POOL,  # (16, 5, 5, n)
    FLATTEN,  # (400, n)
    linear("fc1", 400, 120), RELU,
    linear("fc2", 120, 84), RELU,
    linear("fc3", 84, 10),
)  # fmt: skip

MLP = (FLATTEN, linear("fc1", 784, 300), RELU, linear("fc2", 300, 10))

LENET5_WIDE = (  # LeNet-5 with twice the channels
    conv("conv1", 1, 12, 5, pad=2), RELU, MAX_POOL,  # (12, 14, 14, n)
    conv("conv2", 12, 32, 5), RELU, MAX_POOL,  # (32, 5, 5, n)
    FLATTEN,  # (800, n)
    linear("fc1", 800, 120), RELU,
    linear("fc2", 120, 84), RELU,
    linear("fc3", 84, 10),
)  # fmt: skip

LENET5_LEAKY = tuple(Part(LeakyReLU) if part is RELU else part for part in LENET5)


def with_layer(parts, own):
    """The same network with a class `own` in place of the layer of that name.

    Raises:  SettingError if the network has no such layer
    """
    changed = []
    for part in parts:
        known, given = getattr(part.make, "func", part.make), getattr(part.make, "keywords", {})
        make = partial(own, **given) if known.__name__ == own.__name__ else part.make
        changed.append(replace(part, make=make))
    if changed == list(parts):
        raise SettingError(f"the network has no layer that is called {own.__name__}")
    return changed


NETWORKS = {
    "lenet5": LENET5,
    "mlp": MLP,
    "lenet5-wide": LENET5_WIDE,
    "lenet5-leaky": LENET5_LEAKY,
}


# ---- the weights


def shapes_of(parts):
    """{"conv1.W": (6, 1, 5, 5), ...}: in the order of the weights in w. Order and shapes are
    PyTorch's, so that weights can be exchanged.

    Raises:  SettingError if two layers share a name, or if none has weights
    """
    named = [part.name for part in parts if part.shapes]
    if not named:
        raise SettingError("a network needs a layer that has weights")
    if twice := [name for name in named if named.count(name) > 1]:
        raise SettingError(f"two layers of the network are called {twice[0]!r}: rename one of them")
    return {f"{part.name}.{kind}": shape for part in parts for kind, shape in part.shapes.items()}


def size_of(parts):
    """P, the number of weights."""
    return sum(map(prod, shapes_of(parts).values()))


def views(vector, shapes):
    """Named views of a flat vector (P,), in the order and with the shapes of `shapes`."""
    named, start = {}, 0
    for name, shape in shapes.items():
        named[name] = vector[start : start + prod(shape)].reshape(shape)
        start += prod(shape)
    return named


def initial_weights(parts, rng, dtype=np.float32, init="uniform"):
    """The weights and biases of every layer, drawn as an entry of INITS says, as one vector.

    Drawn on the host and in float64, so that every device and dtype starts from the same numbers.

    Shapes:  -> w (P,)
    Raises:  SettingError for an unknown init
    """
    draw, drawn = one_of("init", INITS, init), []
    for part in parts:
        for shape in part.shapes.values():
            fan_in = prod(next(iter(part.shapes.values()))[1:])
            drawn.append(np.ravel(draw(rng, shape, fan_in)))
    return np.concatenate(drawn).astype(dtype)


# ---- the passes


def columns(images, dtype, pixels=MNIST_PIXELS):
    """Images as the network takes them, as columns.

    Shapes:  images (n, 1, 28, 28) float, or uint8 (n, 28, 28) as stored -> x (1, 28, 28, n)
    Units:   pixels: mean and standard deviation of the dataset's pixels, scaled to 0 ... 1:
             stored images become (x/255 - mean) / deviation
    """
    mean, deviation = pixels
    x = images.astype(dtype).reshape(-1, *IMAGE)
    if images.dtype == np.uint8:
        x *= 1 / (255 * deviation)
        x -= mean / deviation
    return x.transpose(1, 2, 3, 0)


class Network:
    """The layers over the vectors w and g. For each batch: `begin`; `forward` to the logits and
    `backward` for every chunk; `finish`, after which g holds the sum over the chunks.

    plain   use the layers of layers.py one by one, not fused.py's steps where those fit
    lender  another network like this one, whose workspaces this one uses: the two must take turns

    Attributes:  steps, in order; layers, the (name, layer) that they are made from
    Shapes:      w, g (P,)
    Raises:      SettingError if a layer does not fit the one before it (unless plain)
    """

    def __init__(self, parts, w, g, plain=False, lender=None, pixels=MNIST_PIXELS):
        shapes = shapes_of(parts)
        weights, gradients = views(w, shapes), views(g, shapes)
        self.layers, self.dtype, self.pixels = [], w.dtype, pixels
        for part in parts:
            names = [f"{part.name}.{kind}" for kind in part.shapes]
            given = [named[name] for named in (weights, gradients) for name in names]
            self.layers.append((part.name, part.make(*given)))
        own = [[gradients[f"{part.name}.{kind}"] for kind in part.shapes] for part in parts]
        if plain:
            self.steps = [Plain(*one, dWs) for one, dWs in zip(self.layers, own, strict=True)]
        else:
            self.steps = fuse(self.layers, own, inputs_of(parts))
        with_weights = (k for k, step in enumerate(self.steps) if step.has_weights)
        self.lowest = next(with_weights)  # below it no derivative is needed
        if lender:
            for step, other in zip(self.steps, lender.steps, strict=True):
                step.spaces = other.spaces

    def begin(self):
        """Read w, and discard the gradient of the batch before."""
        for step in self.steps:
            step.begin()

    def forward(self, images):
        """The logits of a chunk; they may be overwritten by the next chunk of the same size.

        Shapes:  images as in `columns` -> z (10, n)
        """
        y = columns(images, self.dtype, self.pixels)
        for step in self.steps:
            y = step.forward(y)
        return y

    def backward(self, dz):
        """Add the chunk's share of the gradient.

        Shapes:  dz (10, n), of the last chunk given to `forward`
        """
        for k in range(len(self.steps) - 1, self.lowest - 1, -1):
            dz = self.steps[k].backward(dz, wants_dx=k > self.lowest)

    def finish(self):
        """Complete g: some steps keep their gradient in another form until now."""
        for step in self.steps:
            step.finish()

    def forget(self):
        """Free the memory of the workspaces."""
        for step in self.steps:
            step.forget()

    def per_example(self, dz):
        """The gradient of each image on its own, in the order of w. The network must be plain; what
        g holds afterwards means nothing.

        Shapes:  dz (10, n), of the last images given to `forward` -> (n, P)
        """
        parts = []
        for k in range(len(self.layers) - 1, self.lowest - 1, -1):
            _, layer = self.layers[k]
            if self.steps[k].has_weights:
                gradients = layer.per_example(dz)
                parts += [dW.reshape(len(dW), -1) for dW in gradients[::-1]]
            if k > self.lowest:
                dz = layer.backward(dz)
        return module_of(parts[0]).concatenate(parts[::-1], axis=1)


def inputs_of(parts):
    """The shape of each part's input for one image, found by sending one through.

    Raises:  SettingError naming the part that does not accept the output of the one before it, or
             for a network that is too large
    """
    if (P := size_of(parts)) > MOST:
        raise SettingError(f"a network has at most {MOST:,} weights, this one {P:,}")
    x, found = np.zeros((*IMAGE, 1)), []
    for k, part in enumerate(parts, 1):
        weights = [np.zeros(shape) for shape in (*part.shapes.values(),) * 2]
        found.append(x.shape[:-1])
        try:
            x = part.make(*weights).forward(x)
        except ValueError as error:
            raise SettingError(
                f"layer {k} of the network, {part.name or 'which has no weights'}, does not "
                f"accept the output of the one before it: {error}"
            ) from None
    if x.shape != (K, 1):
        raise SettingError(
            f"a network must end in {K} logits per image, this one in {x.shape[:-1]}"
        )
    return found
