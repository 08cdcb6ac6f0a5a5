"""What counts as a weight: the checker finds it, or is told, and never passes over it in silence.

This file needs NumPy, pytest and gradcheck.py beside it, and nothing else.
"""

from types import SimpleNamespace

import numpy as np
import pytest

try:
    import gradcheck  # copied beside this file
except ImportError:
    from minisgd import gradcheck

check_layer = gradcheck.check_layer


@pytest.fixture
def rng():
    return np.random.default_rng(20210610)


def verdicts(layer, rng, D=4, **words):
    """{name: passed} of every tensor that was checked, on inputs (D, 5)."""
    checks = check_layer(layer, rng.normal(size=(D, 5)), rng, **words)
    return {check.name: check.passed for check in checks}


# ---- The conventions of hand-written layers: y = W x, with dW too large by a `factor` ----


class Layer:
    """y = W x. A convention says with `get` where W is, and with `put` where its gradient goes."""

    def __init__(self, W, factor=1):
        self.factor = factor
        self.make(W)

    def make(self, W):
        self.W = W

    def get(self):
        return self.W

    def forward(self, x):
        self.x = x
        return self.get() @ x

    def backward(self, dy):
        self.put(self.factor * dy @ self.x.T)
        return self.get().T @ dy


def attributes(weight, gradient):
    """The convention of two attributes: weight and weight_grad, say."""
    return {
        "make": lambda self, W: setattr(self, weight, W),
        "get": lambda self: getattr(self, weight),
        "put": lambda self, dW: setattr(self, gradient, dW),
    }


def mappings(weights, gradients, key):
    """The convention of two dicts: params["W"] and grads["W"], say."""

    def make(self, W):
        setattr(self, weights, {"W": W})
        setattr(self, gradients, {})

    return {
        "make": make,
        "get": lambda self: getattr(self, weights)["W"],
        "put": lambda self, dW: getattr(self, gradients).update({key: dW}),
    }


class Parameter:
    """A weight and its gradient in an object of their own."""

    def __init__(self, value):
        self.value, self.grad, self.velocity = value, np.zeros_like(value), np.zeros_like(value)


class Tensor(np.ndarray):
    """An array with a gradient, `weight.grad`."""


CONVENTIONS = {
    "W and dW": ("W", attributes("W", "dW")),
    "weight and dweight": ("weight", attributes("weight", "dweight")),
    "weight and d_weight": ("weight", attributes("weight", "d_weight")),
    "weight and weight_grad": ("weight", attributes("weight", "weight_grad")),
    "weight and grad_weight": ("weight", attributes("weight", "grad_weight")),
    "weight and weight_gradient": ("weight", attributes("weight", "weight_gradient")),
    "W and W_grad": ("W", attributes("W", "W_grad")),
    "W and grad_W": ("W", attributes("W", "grad_W")),
    "W and gW": ("W", attributes("W", "gW")),
    "w and nabla_w": ("w", attributes("w", "nabla_w")),
    "_W and _dW": ("_W", attributes("_W", "_dW")),
    "_W and dW": ("_W", attributes("_W", "dW")),
    "params and grads": ("params.W", mappings("params", "grads", "W")),
    "params and grads, by dW": ("params.W", mappings("params", "grads", "dW")),
    "params and dparams": ("params.W", mappings("params", "dparams", "W")),
    "parameters and gradients": ("parameters.W", mappings("parameters", "gradients", "W")),
    "weights and weights_grad": ("weights.W", mappings("weights", "weights_grad", "W")),
    "W and dW in one dict": ("params.W", mappings("params", "params", "dW") | {
        "make": lambda self, W: setattr(self, "params", {"W": W}),
    }),
    "an attribute and a dict": ("W", attributes("W", "dW") | {
        "put": lambda self, dW: setattr(self, "grads", {"W": dW}),
    }),
    "a dict and an attribute": ("params.W", mappings("params", "none", "W") | {
        "put": lambda self, dW: setattr(self, "dW", dW),
    }),
    "two lists": ("params.0", {
        "make": lambda self, W: vars(self).update(params=[W], grads=[np.zeros_like(W)]),
        "get": lambda self: self.params[0],
        "put": lambda self, dW: self.grads.__setitem__(0, dW),
    }),
    "a list of pairs": ("params.0.0", {
        "make": lambda self, W: setattr(self, "params", [(W, np.zeros_like(W))]),
        "get": lambda self: self.params[0][0],
        "put": lambda self, dW: self.params[0][1].__iadd__(dW),
    }),
    "a dict of pairs": ("params.W.0", {
        "make": lambda self, W: setattr(self, "params", {"W": [W, None]}),
        "get": lambda self: self.params["W"][0],
        "put": lambda self, dW: self.params["W"].__setitem__(1, dW),
    }),
    "an object of value and grad": ("weight.value", {
        "make": lambda self, W: setattr(self, "weight", Parameter(W)),
        "get": lambda self: self.weight.value,
        "put": lambda self, dW: self.weight.grad.__iadd__(dW),
    }),
    "a list of such objects": ("params.0.value", {
        "make": lambda self, W: setattr(self, "params", [Parameter(W)]),
        "get": lambda self: self.params[0].value,
        "put": lambda self, dW: self.params[0].grad.__iadd__(dW),
    }),
    "a dict of dicts": ("params.W.value", {
        "make": lambda self, W: setattr(self, "params", {"W": {"value": W}}),
        "get": lambda self: self.params["W"]["value"],
        "put": lambda self, dW: self.params["W"].update(grad=dW),
    }),
    "two namespaces": ("p.W", {
        "make": lambda self, W: vars(self).update(p=SimpleNamespace(W=W), dp=SimpleNamespace()),
        "get": lambda self: self.p.W,
        "put": lambda self, dW: setattr(self.dp, "W", dW),
    }),
    "weight.grad": ("weight", attributes("weight", "none") | {
        "make": lambda self, W: setattr(self, "weight", W.view(Tensor)),
        "get": lambda self: self.weight.view(np.ndarray),
        "put": lambda self, dW: setattr(self.weight, "grad", dW),
    }),
    "a layer in a list": ("layers.0.W", {
        "make": lambda self, W: setattr(self, "layers", [
            type("Inner", (Layer,), attributes("W", "dW"))(W, self.factor)
        ]),
        "forward": lambda self, x: self.layers[0].forward(x),
        "backward": lambda self, dy: self.layers[0].backward(dy),
    }),
}  # fmt: skip


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_weight_is_found_wherever_people_keep_it(convention, rng):
    name, methods = CONVENTIONS[convention]
    kind, W = type("Conventional", (Layer,), methods), rng.normal(size=(3, 4))
    assert verdicts(kind(W.copy()), rng) == {"x": True, name: True}
    assert verdicts(kind(W.copy(), factor=7), rng) == {"x": True, name: False}


class Lazy(Layer):
    """Makes its weight in the first forward pass, when the size of x is known."""

    def make(self, W):
        self.W = None

    def forward(self, x):
        if self.W is None:
            self.W = np.random.default_rng(0).normal(size=(3, len(x)))
            self.dW = np.zeros_like(self.W)
        return super().forward(x)

    def put(self, dW):
        self.dW += dW


def test_a_weight_that_is_made_in_the_first_forward_pass_is_checked(rng):
    assert verdicts(Lazy(None), rng) == {"x": True, "W": True}
    assert verdicts(Lazy(None, factor=7), rng) == {"x": True, "W": False}


class Odd(Layer):
    """Keeps its weight and its gradient under names that nobody would guess."""

    def make(self, W):
        self.kernel, self.change = W, {"of it": np.zeros_like(W)}

    def get(self):
        return self.kernel

    def put(self, dW):
        self.change["of it"] += dW


@pytest.mark.parametrize("factor", [1, 7])
def test_the_caller_can_name_a_weight(factor, rng):
    layer = Odd(rng.normal(size=(3, 4)), factor)
    named = {"W": (layer.kernel, lambda: layer.change["of it"])}
    assert verdicts(layer, rng, weights=named) == {"x": True, "W": factor == 1}


def test_the_callers_word_goes_before_a_convention(rng):
    """dW is here something else; without a word it would be taken for the gradient of W."""
    layer = type("Misleading", (Layer,), attributes("W", "change"))(rng.normal(size=(3, 4)))
    layer.dW = np.zeros((3, 4))
    assert verdicts(layer, rng) == {"x": True, "W": False}
    assert verdicts(layer, rng, weights={"W": (layer.W, lambda: layer.change)})["W"]


def test_a_weight_without_a_gradient_is_an_error_that_says_what_to_name(rng):
    layer = Odd(rng.normal(size=(3, 4)), factor=7)
    with pytest.raises(ValueError) as refused:
        verdicts(layer, rng)
    said = str(refused.value)
    assert "\n" not in said and "Odd" in said
    assert "weights={name: (array, function that returns it)}" in said
    assert 'ignore=("kernel",)' in said


@pytest.mark.parametrize("forgets", ["forward", "backward"])
def test_a_weight_that_one_of_the_two_passes_forgets_is_rejected(forgets, rng):
    class Forgetful(Layer):
        def make(self, W):
            self.W, self.b, self.db = W, np.ones(3), np.zeros(3)

        def forward(self, x):
            return super().forward(x) + (self.b[:, None] if forgets != "forward" else 0)

        def put(self, dW):
            self.dW = dW

        def backward(self, dy):
            if forgets != "backward":
                self.db[...] = dy.sum(axis=1)
            return super().backward(dy)

    assert verdicts(Forgetful(rng.normal(size=(3, 4))), rng) == {"x": True, "W": True, "b": False}


def test_weights_that_are_views_of_one_vector_count_once(rng):
    class Flat(Layer):
        def make(self, W):
            self.w = W.ravel().copy()
            self.W = self.w[: W.size].reshape(W.shape)
            self.again = [self.W, self.W.T]

        def put(self, dW):
            self.dW = dW

    assert verdicts(Flat(rng.normal(size=(3, 4))), rng) == {"x": True, "W": True}


# ---- What is no weight ----


class BatchNorm:
    """Over the columns of x, without a scale; in training it only keeps account of the mean."""

    def __init__(self, D, training, in_place):
        self.training, self.in_place, self.running_mean = training, in_place, np.zeros(D)

    def forward(self, x):
        if not self.training:
            return x - self.running_mean[:, None]
        mean = x.mean(axis=1)
        if self.in_place:
            self.running_mean += 0.1 * (mean - self.running_mean)
        else:
            self.running_mean = 0.9 * self.running_mean + 0.1 * mean
        return x - mean[:, None]

    def backward(self, dy):
        return dy - dy.mean(axis=1, keepdims=True) if self.training else dy


@pytest.mark.parametrize("in_place", [True, False], ids=["in place", "rebound"])
def test_a_running_mean_is_a_cache_in_training_and_must_be_named_after_it(in_place, rng):
    assert verdicts(BatchNorm(4, True, in_place), rng) == {"x": True}
    with pytest.raises(ValueError, match=r'ignore=\("running_mean",\)'):
        verdicts(BatchNorm(4, False, in_place), rng)
    layer = BatchNorm(4, False, in_place)
    assert verdicts(layer, rng, ignore=("running_mean",)) == {"x": True}
    assert not layer.running_mean.any(), "what was looked at is put back"


class Masked:
    """Multiplies by a mask or a scale that nobody learns."""

    def __init__(self):
        self.mask = np.array([2.0, 0.0, 2.0, 2.0])

    def forward(self, x):
        return self.mask[:, None] * x

    def backward(self, dy):
        return self.mask[:, None] * dy


@pytest.mark.parametrize("hold", [
    lambda layer: setattr(layer, "mask", layer.mask.copy()),
    lambda layer: setattr(layer, "mask", layer.mask.astype(np.float32)),
    lambda layer: setattr(layer, "mask", np.broadcast_to(2.0, 4)),  # read-only
], ids=["float64", "float32", "read-only"])  # fmt: skip
def test_a_fixed_scale_must_be_named_as_no_weight(hold, rng):
    layer = Masked()
    hold(layer)
    with pytest.raises(ValueError, match=r'ignore=\("mask",\)'):
        verdicts(layer, rng)
    assert verdicts(layer, rng, ignore=("mask",)) == {"x": True}


def test_a_boolean_mask_and_a_number_are_no_weights(rng):
    layer = Masked()
    layer.mask, layer.rate = layer.mask > 0, 0.5
    assert verdicts(layer, rng) == {"x": True}


def test_a_whole_part_can_be_named_as_no_weight(rng):
    class Many(Masked):
        def __init__(self):
            self.buffers = {"mask": np.ones(4), "shift": [np.ones(4), np.ones(4)]}

        def forward(self, x):
            mask, (a, b) = self.buffers.values()
            return (mask * (a + b))[:, None] * x

        def backward(self, dy):
            return 2 * dy

    with pytest.raises(ValueError, match=r'ignore=\("buffers.mask", "buffers.shift.0", "buf'):
        verdicts(Many(), rng)
    assert verdicts(Many(), rng, ignore=("buffers",)) == {"x": True}


class Workspace:
    """ReLU with arrays that are kept from pass to pass, among them a constant."""

    def __init__(self):
        self.spaces = {}

    def forward(self, x):
        if x.shape not in self.spaces:
            self.spaces[x.shape] = SimpleNamespace(y=np.empty_like(x), zero=np.zeros(x.shape))
        self.cache = s = self.spaces[x.shape]
        return np.maximum(x, s.zero, out=s.y)

    def backward(self, dy):
        self.dy = dy * (self.cache.y > 0)
        return self.dy


class ScratchRows:
    """y = x in float64 by way of a matrix that forward fills in part, the rest being zero."""

    def __init__(self):
        self.wide = np.zeros((2, 4, 5))

    def forward(self, x):
        self.wide[0] = 1
        return x * self.wide.sum(axis=0)

    def backward(self, dy):
        return dy * self.wide.sum(axis=0)


@pytest.mark.parametrize("kind", [Workspace, ScratchRows])
def test_working_memory_is_no_weight(kind, rng):
    layer = kind()
    for _ in range(2):  # the second time it is there from the beginning
        assert verdicts(layer, rng) == {"x": True}


class KeepsWhatItSaw(Layer):
    """What a layer keeps for itself may look like a weight: z and dz, x and dx, y and dy."""

    def forward(self, x):
        self.y = self.z = super().forward(x)
        self.params = {"x": x}
        return self.y

    def put(self, dW):
        self.dW = dW

    def backward(self, dy):
        self.dy = self.dz = dy
        self.dx = super().backward(dy)
        self.grads = {"x": self.dx}
        return self.dx


def test_what_a_layer_keeps_of_a_pass_is_no_weight(rng):
    layer = KeepsWhatItSaw(rng.normal(size=(3, 4)))
    for _ in range(2):  # the second time it is there from the beginning
        assert verdicts(layer, rng) == {"x": True, "W": True}


# ---- Layers of which nothing can be said ----


class Dropout:
    def forward(self, x):
        self.mask = np.random.default_rng().uniform(size=x.shape)
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


class LearnsByItself(Layer):
    """Makes its update inside backward."""

    def put(self, dW):
        self.dW = dW
        self.W = self.W - 0.1 * dW


@pytest.mark.parametrize(
    "layer",
    [Dropout(), LearnsByItself(np.ones((3, 4)))],
    ids=lambda layer: type(layer).__name__,
)
def test_a_forward_that_does_not_repeat_itself_is_refused(layer, rng):
    with pytest.raises(ValueError, match=f"{type(layer).__name__} gave two different outputs"):
        verdicts(layer, rng)


def test_a_weight_that_is_a_plain_number_is_refused(rng):
    class Leaky:
        def __init__(self):
            self.alpha, self.dalpha = 0.25, 0.0

        def forward(self, x):
            self.x = x
            return np.where(x > 0, x, self.alpha * x)

        def backward(self, dy):
            self.dalpha = float((dy * self.x * (self.x < 0)).sum())
            return np.where(self.x > 0, dy, self.alpha * dy)

    layer = Leaky()
    with pytest.raises(TypeError, match="alpha and its gradient must be arrays, got 0"):
        verdicts(layer, rng)
    layer.alpha = np.array(0.25)
    with pytest.raises(TypeError, match="alpha and its gradient must be arrays"):
        verdicts(layer, rng)


def test_a_narrow_weight_is_refused(rng):
    layer = type("Narrow", (Layer,), attributes("W", "dW"))(np.ones((3, 4), np.float32))
    with pytest.raises(TypeError, match="in float64, got W of float32"):
        verdicts(layer, rng)


def test_a_pass_must_return_one_array(rng):
    layer = Masked()
    layer.backward = lambda dy: (dy, dy)
    with pytest.raises(TypeError, match="backward must return one array, got tuple"):
        verdicts(layer, rng, ignore=("mask",))
    layer.forward = lambda x: None
    with pytest.raises(TypeError, match="forward must return one array, got NoneType"):
        verdicts(layer, rng)


@pytest.mark.filterwarnings("ignore:invalid value encountered")
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_output_that_is_not_finite_does_not_pass(bad, rng):
    layer = Masked()
    layer.forward = lambda x: x * bad
    assert verdicts(layer, rng) == {"x": False}
