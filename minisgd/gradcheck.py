"""Is a backward pass the derivative of its forward pass? Central differences tell.

For any layer with `forward(x) -> y` and `backward(dy) -> dx`. With a random dy, the number
φ = Σ dy · y has the derivative dx with respect to x, and dW with respect to a weight W. Each is
held against

    (φ(θ + h e) - φ(θ - h e)) / 2h      for every entry e of θ = x, W, b, ...

A random dy matters: with dy = 1 a backward that permutes the batch would pass. Weights are the
arrays that a layer has before it works, that forward leaves alone, and that have a gradient beside
them: `W` and `dW`, `gamma` and `dgamma` (not `z` and `dz`, which it keeps for itself). A layer may
add to its gradients or overwrite them. Use float64, and keep the inputs away from kinks and ties,
where there is no derivative.

>>> import numpy as np
>>> class Scale:                                    # a stranger's layer
...     def __init__(self, gamma):
...         self.gamma = gamma
...     def forward(self, x):
...         self.x = x
...         return self.gamma[:, None] * x
...     def backward(self, dy):
...         self.dgamma = (dy * self.x).sum(axis=1)
...         return self.gamma[:, None] * dy
>>> rng = np.random.default_rng(0)
>>> checks = check_layer(Scale(rng.normal(size=3)), rng.normal(size=(3, 5)), rng)
>>> [(check.name, check.entries, check.passed) for check in checks]
[('x', 15, True), ('gamma', 3, True)]
"""

from dataclasses import dataclass

import numpy as np

from .backend import array_module, module_of, to_host
from .layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU
from .loss import softmax_cross_entropy
from .model import LeNet5
from .networks import SHAPES

STEP = 1e-6  # the step: in float64 cutting off and rounding then cost about 1e-10 each
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Check:
    """One tensor's verdict: its gradient by hand against the one by central differences.

    error is max |by hand - by differences| over the largest magnitude in either of the two.
    """

    name: str
    error: float
    entries: int
    analytic: float  # by hand, and
    numeric: float  # by differences, at the entry where they differ most
    passed: bool

    def __str__(self):
        verdict = "ok" if self.passed else "WRONG"
        return (
            f"{self.name:<24} {self.entries:>6} derivatives   relative error {self.error:.1e}   "
            f"{verdict}"
            + ("" if self.passed else f" (by hand {self.analytic:.9g}, {self.numeric:.9g})")
        )


def compare(name, analytic, numeric, tolerance=TOLERANCE, floor=1e-9):
    """Hold derivatives by hand against those by differences; all below `floor` count as zero."""
    if analytic.shape != numeric.shape:
        raise ValueError(f"the gradient of {name} is {analytic.shape}, wanted {numeric.shape}")
    analytic, numeric = to_host(analytic).ravel(), to_host(numeric).ravel()
    difference = np.abs(analytic - numeric)
    worst = int(difference.argmax())  # the first NaN counts as the largest
    scale = max(np.abs(analytic).max(), np.abs(numeric).max(), floor)
    error = float(difference[worst] / scale)
    return Check(
        name, error, analytic.size, float(analytic[worst]), float(numeric[worst]), error < tolerance
    )


def check_layer(layer, x, rng, name="", h=STEP, tolerance=TOLERANCE):
    """Check dx and the gradient of every weight of a layer, entry by entry.

    Shapes:  x (any that the layer takes), float64
    Raises:  TypeError if x or a weight is not float64; ValueError if x is not finite, if a gradient
             has not its tensor's shape, or if forward or backward changed its input
    """
    if x.dtype != np.float64:
        raise TypeError(f"gradients are checked in float64, got x of {x.dtype}")
    if not bool(module_of(x).isfinite(x).all()):
        raise ValueError("x must be finite where gradients are checked")
    xp, given_x = module_of(x), x.copy()
    held = {n: (W, W.copy()) for n, W in vars(layer).items() if hasattr(W, "shape")}
    y = layer.forward(x)
    dy = xp.asarray(rng.normal(size=y.shape))
    given_dy = dy.copy()
    layer.backward(dy)  # once to see which gradients there are,
    weights = [
        n
        for n, (W, before) in held.items()
        if hasattr(layer, "d" + n) and getattr(layer, n) is W and bool((W == before).all())
    ]
    for n in weights:
        if getattr(layer, n).dtype != np.float64:
            raise TypeError(f"gradients are checked in float64, got {n} of a narrower type")
        getattr(layer, "d" + n)[...] = 0
    layer.forward(x)
    dx = layer.backward(dy)  # and once from zero, in case the layer adds to them
    if not (bool((x == given_x).all()) and bool((dy == given_dy).all())):
        raise ValueError(f"{type(layer).__name__} changed its input: work on a copy")

    tensors = {"x": (x.copy(), dx.copy())}
    tensors |= {n: (getattr(layer, n), getattr(layer, "d" + n).copy()) for n in weights}
    inside = tensors["x"][0]
    return [
        compare(name + n, analytic, _by_differences(layer, inside, tensor, dy, h), tolerance)
        for n, (tensor, analytic) in tensors.items()
    ]


def _by_differences(layer, x, tensor, dy, h):
    """dφ/dθ for every entry of the tensor, φ = Σ dy · layer.forward(x)."""
    xp = module_of(tensor)
    numeric = xp.empty_like(tensor)
    for place in np.ndindex(tensor.shape):
        middle = tensor[place].copy()
        tensor[place] = middle + h
        above = layer.forward(x).copy()
        tensor[place] = middle - h
        below = layer.forward(x)
        numeric[place] = (dy * (above - below)).sum() / (2 * h)
        tensor[place] = middle
    return numeric


def check_model(model, x, y, rng, directions=10, h=STEP, tolerance=TOLERANCE):
    """Check model.gradient for every named tensor, along random directions.

    Along u, which is random within one tensor and zero elsewhere, the derivative of the loss is
    g · u by hand and (L(w + h u) - L(w - h u)) / 2h by differences.

    Shapes:  model: a float64 LeNet5, or anything with w, g, params, grads and gradient(x, y)
    """
    if model.w.dtype != np.float64:
        raise TypeError(f"gradients are checked in float64, got a model of {model.w.dtype}")
    xp = module_of(model.w)
    model.gradient(x, y)
    grads = {name: grad.copy() for name, grad in model.grads.items()}
    checks = []
    for name, W in model.params.items():
        middle = W.copy()
        analytic, numeric = np.empty(directions), np.empty(directions)
        for k in range(directions):
            u = xp.asarray(rng.normal(size=W.shape))
            analytic[k] = (grads[name] * u).sum()
            W[...] = middle + h * u
            above, _ = model.gradient(x, y)
            W[...] = middle - h * u
            below, _ = model.gradient(x, y)
            numeric[k] = (above - below) / (2 * h)
        W[...] = middle
        checks.append(compare(name, analytic, numeric, tolerance))
    return checks


class _Loss:
    """The loss as a layer, so that it is checked like one: y = loss, dx = dy · dL/dz."""

    def __init__(self, labels):
        self.labels = labels

    def forward(self, z):
        loss, _, self.cache = softmax_cross_entropy(z, self.labels, len(self.labels))
        return module_of(z).asarray(loss)

    def backward(self, dy):
        return dy * self.cache


def _apart(rng, shape):
    """Random values that are nowhere near each other or zero: no ties, no kinks."""
    size = int(np.prod(shape))
    return (rng.permutation(size).reshape(shape) - size / 2 + 0.25) / 10


def check_all(seed=0, device="cpu"):
    """Every layer on small inputs of unequal sizes, then LeNet-5 whole: yields the checks."""
    rng, xp = np.random.default_rng(seed), array_module(device)

    def normal(*shape):
        return xp.asarray(rng.normal(size=shape))

    def weights(*shape):
        return normal(*shape), normal(shape[0])

    yield from check_layer(Linear(*weights(4, 7)), normal(7, 3), rng, "Linear.")
    yield from check_layer(Conv2d(*weights(3, 2, 3, 2)), normal(2, 6, 5, 4), rng, "Conv2d.")
    padded = Conv2d(*weights(2, 3, 3, 3), pad=1)
    yield from check_layer(padded, normal(3, 4, 5, 2), rng, "Conv2d(pad=1).")
    yield from check_layer(ReLU(), xp.asarray(_apart(rng, (3, 4, 5, 2))), rng, "ReLU.")
    apart = xp.asarray(_apart(rng, (3, 4, 6, 5)))
    yield from check_layer(MaxPool2d(2), apart, rng, "MaxPool2d(2).")
    yield from check_layer(Flatten(), normal(2, 3, 4, 5), rng, "Flatten.")
    loss = _Loss(xp.asarray(rng.integers(0, 10, size=6)))
    yield from check_layer(loss, normal(10, 6), rng, "softmax_cross_entropy.")
    model = LeNet5(seed, device, dtype=np.float64, chunk=3)
    x, y = normal(8, 1, 28, 28), xp.asarray(rng.integers(0, 10, size=8))
    checks = check_model(model, x, y, rng)
    assert [check.name for check in checks] == list(SHAPES)
    for check in checks:
        yield Check("LeNet5." + check.name, *list(vars(check).values())[1:])
