"""The checker passes what is right and, above all, rejects what is wrong: mistakes planted here.

This file needs NumPy, pytest and gradcheck.py beside it, and nothing else. It brings layers of its
own, as plain as possible, and MISTAKES: a table of what learners do wrong in a backward pass. To
test another checker, give it `planted(mistake)` and an input from EXAMPLES.

Legend:  N images, innermost; C channels in, F filters, H W height and width, KH KW kernel,
         D features in, M features out, K classes.
"""

import doctest
from collections import namedtuple

import numpy as np
import pytest

try:
    import gradcheck  # copied beside this file
except ImportError:
    from minisgd import gradcheck

check_layer, check_model = gradcheck.check_layer, gradcheck.check_model


@pytest.fixture
def rng():
    return np.random.default_rng(20210610)


def wrong(checks):
    """The names of the tensors whose gradients were rejected."""
    return {check.name for check in checks if not check.passed}


# ---- Layers that are right ----


class Linear:
    """y = W x + b.  Shapes: x (D, N) -> y (M, N)"""

    def __init__(self, W, b):
        self.W, self.b, self.dW, self.db = W, b, np.zeros_like(W), np.zeros_like(b)

    def forward(self, x):
        self.cache = x
        return self.W @ x + self.b[:, None]

    def backward(self, dy):
        self.dW += dy @ self.cache.T
        self.db += dy.sum(axis=1)
        return self.W.T @ dy


class Conv:
    """Cross-correlation with a zero padding of 1, patch by patch.

    Shapes:  x (C, H, W, N), W (F, C, KH, KW) -> y (F, H - KH + 3, W - KW + 3, N)
    """

    def __init__(self, W, b):
        self.W, self.b, self.dW, self.db = W, b, np.zeros_like(W), np.zeros_like(b)

    def patches(self, padded):
        """((i, j), the view of the patch under that output place) for every output place."""
        KH, KW = self.W.shape[2:]
        for i, j in np.ndindex(padded.shape[1] - KH + 1, padded.shape[2] - KW + 1):
            yield (i, j), padded[:, i : i + KH, j : j + KW]

    def forward(self, x):
        self.cache = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        (F, _, KH, KW), (_, H, W, N) = self.W.shape, x.shape
        y = np.empty((F, H - KH + 3, W - KW + 3, N))
        for (i, j), patch in self.patches(self.cache):
            y[:, i, j] = np.einsum("fckl,ckln->fn", self.W, patch) + self.b[:, None]
        return y

    def backward(self, dy):
        dpadded = np.zeros_like(self.cache)
        for (i, j), patch in self.patches(self.cache):
            self.dW += np.einsum("fn,ckln->fckl", dy[:, i, j], patch)
        for (i, j), dpatch in self.patches(dpadded):
            dpatch += np.einsum("fckl,fn->ckln", self.W, dy[:, i, j])
        self.db += dy.sum(axis=(1, 2, 3))
        return dpadded[:, 1:-1, 1:-1]


class ReLU:
    """y = max(x, 0).  Shapes: x (any) -> y (the same)"""

    def forward(self, x):
        self.cache = x > 0
        return np.maximum(x, 0)

    def backward(self, dy):
        return dy * self.cache


class MaxPool:
    """The first largest value of every 2 x 2 window.  Shapes: x (C, H, W, N) -> (C, H/2, W/2, N)"""

    def windows(self, x):
        """A copy of x with the four places of every window in a row.  -> (C, H/2, W/2, 4, N)"""
        C, H, W, N = x.shape
        split = x.reshape(C, H // 2, 2, W // 2, 2, N)
        return split.transpose(0, 1, 3, 2, 4, 5).reshape(C, H // 2, W // 2, 4, N)

    def forward(self, x):
        windows = self.windows(x)
        self.cache = windows.argmax(axis=3)
        return windows.max(axis=3)

    def backward(self, dy, winner=None):
        winner = self.cache if winner is None else winner
        dwindows = dy[:, :, :, None] * (winner[:, :, :, None] == np.arange(4)[:, None])
        C, PH, PW, N = dy.shape
        split = dwindows.reshape(C, PH, PW, 2, 2, N).transpose(0, 1, 3, 2, 4, 5)
        return split.reshape(C, 2 * PH, 2 * PW, N)


class SoftmaxLoss:
    """The mean of -log softmax(z) at the labels, as a layer.  Shapes: z (K, N) -> y ()"""

    labels = np.array([3, 0, 9, 3, 7])

    def forward(self, z):
        p = np.exp(z - z.max(axis=0))
        p /= p.sum(axis=0)
        self.cache = p.copy()
        columns = np.arange(len(self.labels))
        self.cache[self.labels, columns] -= 1
        self.cache /= len(self.labels)  # dL/dz
        return -np.log(p[self.labels, columns]).mean()

    def backward(self, dy):
        return dy * self.cache


def distinct(rng):
    """Values at least .1 from each other and .05 from zero: no ties, and no kinks nearby."""
    return (rng.permutation(2 * 4 * 6 * 3).reshape(2, 4, 6, 3) - 71.5) / 10


EXAMPLES = {  # kind: (arguments, x) from a random generator, of unequal sizes
    Linear: lambda rng: ((rng.normal(size=(4, 6)), rng.normal(size=4)), rng.normal(size=(6, 3))),
    Conv: lambda rng: (
        (rng.normal(size=(3, 2, 3, 3)), rng.normal(size=3)),
        rng.normal(size=(2, 4, 5, 3)),
    ),
    ReLU: lambda rng: ((), distinct(rng)),
    MaxPool: lambda rng: ((), distinct(rng)),
    SoftmaxLoss: lambda rng: ((), rng.normal(size=(10, 5))),
}


# ---- What learners do wrong: backward passes, each wrong in one way ----


def no_bias_gradient(self, dy):
    self.dW += dy @ self.cache.T
    return self.W.T @ dy


def one_image_for_the_bias(self, dy):
    self.dW += dy @ self.cache.T
    self.db += dy[:, 0]
    return self.W.T @ dy


def mean_twice(self, dy):
    self.dW += dy @ self.cache.T / dy.shape[1]
    self.db += dy.sum(axis=1) / dy.shape[1]
    return self.W.T @ dy


def batch_reversed(self, dy):
    return Linear.backward(self, dy)[:, ::-1]


def sum_never_reset(self, dy):
    self.total = getattr(self, "total", 0) + dy @ self.cache.T
    self.dW[...] = self.total
    self.db += dy.sum(axis=1)
    return self.W.T @ dy


def counted_twice(self, dy):
    self.dW += dy @ self.cache.T
    return Linear.backward(self, dy)


def one_entry_slightly_off(self, dy):
    dx = Linear.backward(self, dy)
    self.dW[1, 2] *= 1.0001
    return dx


def one_nan(self, dy):
    dx = Linear.backward(self, dy)
    dx[0, 1] = np.nan
    return dx


def one_infinity(self, dy):
    dx = Linear.backward(self, dy)
    self.db[0] = np.inf
    return dx


def no_gradient_at_all(self, dy):
    return np.zeros_like(self.cache)


def kernel_gradient_transposed(self, dy):
    before = self.dW.copy()
    dx = Conv.backward(self, dy)
    self.dW[...] = before + (self.dW - before).swapaxes(2, 3)
    return dx


def kernel_gradient_flipped(self, dy):
    before = self.dW.copy()
    dx = Conv.backward(self, dy)
    self.dW[...] = before + (self.dW - before)[:, :, ::-1, ::-1]
    return dx


def kernel_turned_for_dx(self, dy):
    W, self.W = self.W, self.W[:, :, ::-1, ::-1]
    dx = Conv.backward(self, dy)
    self.W = W
    return dx


def padding_cut_one_too_far(self, dy):
    return np.roll(Conv.backward(self, dy), 1, axis=1)


def last_patch_only(self, dy):
    Conv.backward(self, dy)
    dpadded = np.zeros_like(self.cache)
    for (i, j), dpatch in self.patches(dpadded):
        dpatch[...] = np.einsum("fckl,fn->ckln", self.W, dy[:, i, j])
    return dpadded[:, 1:-1, 1:-1]


def mask_of_the_wrong_sign(self, dy):
    return dy * ~self.cache


def mask_forgotten(self, dy):
    return dy


def all_of_the_window(self, dy):
    return dy.repeat(2, axis=1).repeat(2, axis=2)


def last_of_the_window(self, dy):
    return MaxPool.backward(self, dy, np.full_like(self.cache, 3))


def window_transposed(self, dy):
    return MaxPool.backward(self, dy, np.array([0, 2, 1, 3])[self.cache])


def not_divided_by_N(self, dy):
    return dy * self.cache * len(self.labels)


def divided_by_N_twice(self, dy):
    return dy * self.cache / len(self.labels)


def sign_of_the_loss(self, dy):
    return -dy * self.cache


def label_forgotten(self, dy):
    return dy * (self.cache + (self.cache < 0) / len(self.labels))


def loss_batch_reversed(self, dy):
    return dy * self.cache[:, ::-1]


Mistake = namedtuple("Mistake", "kind backward rejected what")
MISTAKES = [
    Mistake(Linear, no_bias_gradient, "b", "The bias gets no gradient."),
    Mistake(Linear, one_image_for_the_bias, "b", "db is not summed over the batch."),
    Mistake(Linear, mean_twice, "W b", "Divides by N, though dy is already that of the mean."),
    Mistake(Linear, batch_reversed, "x", "dx has the images in another order."),
    Mistake(Linear, sum_never_reset, "W", "Hands out a sum over all batches so far."),
    Mistake(Linear, counted_twice, "W", "Adds to dW twice."),
    Mistake(Linear, one_entry_slightly_off, "W", "One entry of dW is off by 0.01 %."),
    Mistake(Linear, one_nan, "x", "One entry of dx is not a number."),
    Mistake(Linear, one_infinity, "b", "One entry of db is infinite."),
    Mistake(Linear, no_gradient_at_all, "x W b", "Returns zeros and computes nothing."),
    Mistake(Conv, kernel_gradient_transposed, "W", "Takes rows of the kernel for columns."),
    Mistake(Conv, kernel_gradient_flipped, "W", "Turns dW round, as for a true convolution."),
    Mistake(Conv, kernel_turned_for_dx, "x", "dx is computed with the kernel turned round."),
    Mistake(Conv, padding_cut_one_too_far, "x", "Cuts the padding off one row too far."),
    Mistake(Conv, last_patch_only, "x", "Overwrites overlapping patches: = instead of +=."),
    Mistake(ReLU, mask_of_the_wrong_sign, "x", "Lets dy pass where x is negative."),
    Mistake(ReLU, mask_forgotten, "x", "Lets dy pass everywhere."),
    Mistake(MaxPool, all_of_the_window, "x", "Gives dy to every entry of the window."),
    Mistake(MaxPool, last_of_the_window, "x", "Gives dy to the last entry of the window."),
    Mistake(MaxPool, window_transposed, "x", "Takes row for column inside the window."),
    Mistake(SoftmaxLoss, not_divided_by_N, "x", "The loss is a mean, its gradient a sum."),
    Mistake(SoftmaxLoss, divided_by_N_twice, "x", "Divides by N twice."),
    Mistake(SoftmaxLoss, sign_of_the_loss, "x", "Goes uphill."),
    Mistake(SoftmaxLoss, label_forgotten, "x", "Forgets to subtract 1 at the label."),
    Mistake(SoftmaxLoss, loss_batch_reversed, "x", "The images are in another order."),
]


def planted(mistake, rng):
    """A layer with the mistake in it, and an input to check it on."""
    arguments, x = EXAMPLES[mistake.kind](rng)
    name = mistake.backward.__name__
    return type(name, (mistake.kind,), {"backward": mistake.backward})(*arguments), x


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.backward.__name__)
@pytest.mark.filterwarnings("ignore:invalid value encountered")  # inf/inf in one_infinity
def test_a_planted_mistake_is_rejected(mistake, rng):
    layer, x = planted(mistake, rng)
    assert wrong(check_layer(layer, x, rng)) == set(mistake.rejected.split())


@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_layers_that_they_are_planted_in_pass(kind, rng):
    arguments, x = EXAMPLES[kind](rng)
    checks = check_layer(kind(*arguments), x, rng)
    assert [check.name for check in checks] == (["x", "W", "b"] if arguments else ["x"])
    assert all(check.passed and check.error < 1e-7 for check in checks)


def test_the_example_in_the_docstring_runs():
    found = doctest.testmod(gradcheck)
    assert found.attempted > 0 and found.failed == 0


# ---- Why it is done as it is ----


class Ones:
    """A generator that is not random."""

    def normal(self, size):
        return np.ones(size)


def test_a_random_dy_sees_what_ones_would_not(rng):
    """With dy = 1 every column of dx is the same, in any order."""
    layer, x = planted(next(m for m in MISTAKES if m.backward is batch_reversed), rng)
    assert not wrong(check_layer(layer, x, Ones()))
    assert wrong(check_layer(layer, x, rng)) == {"x"}


def test_on_a_tie_the_two_sides_differ_and_the_check_fails(rng):
    """Two equal values share the window: raised by h either wins, lowered neither loses anything.

    The central difference is dy/2 for both; by hand the first has dy and the second 0: half of dy
    is missing in one or the other.
    """
    tied = np.array([[4.0, 4.0], [1.0, 2.0]]).reshape(1, 2, 2, 1)
    (check,) = check_layer(MaxPool(), tied, rng)
    assert not check.passed
    assert check.error == pytest.approx(0.5)


# ---- Somebody else's layer ----


class Scale:
    """A weight with a name of its own; `adds` says what backward does with the gradient."""

    def __init__(self, adds):
        self.adds, self.gamma, self.dgamma = adds, np.array([2.0, -3.0]), np.zeros(2)

    def forward(self, x):
        self.x = x
        return self.gamma[:, None] * x

    def backward(self, dy):
        gradient = (dy * self.x).sum(axis=1)
        self.dgamma = self.dgamma + gradient if self.adds else gradient
        return self.gamma[:, None] * dy


@pytest.mark.parametrize("adds", [True, False], ids=["adds", "overwrites"])
def test_a_layer_may_add_to_its_gradients_or_overwrite_them(adds, rng):
    layer, x = Scale(adds), rng.normal(size=(2, 5))
    given = x.copy()
    checks = check_layer(layer, x, rng, "Scale.")
    assert [(check.name, check.entries, check.passed) for check in checks] == [
        ("Scale.x", 10, True),
        ("Scale.gamma", 2, True),
    ]
    assert layer.gamma.tolist() == [2, -3], "the weights are put back"
    assert np.array_equal(x, given)


def example(kind, rng, **methods):
    arguments, x = EXAMPLES[kind](rng)
    return type("Changed", (kind,), methods)(*arguments), x


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_x_that_is_not_finite_is_refused(bad, rng):
    layer, x = example(Linear, rng)
    x[1, 1] = bad
    with pytest.raises(ValueError, match="x must be finite"):
        check_layer(layer, x, rng)


def test_float32_is_refused(rng):
    layer, x = example(Linear, rng)
    with pytest.raises(TypeError, match="float64, got x of float32"):
        check_layer(layer, x.astype(np.float32), rng)


def add_to_x(self, x):
    y = Linear.forward(self, x)
    x += 1
    return y


def double_dy(self, dy):
    dx = Linear.backward(self, dy)
    dy *= 2
    return dx


def relu_in_place(self, x):
    """Changes x only the first time it sees it, as the usual ReLU in place does."""
    self.cache = x > 0
    x *= self.cache
    return x.copy()


def mask_in_place(self, dy):
    """The backward that goes with it: dx is right, but the caller's dy is gone."""
    dy *= self.cache
    return dy


@pytest.mark.parametrize("kind, methods", [
    (Linear, {"forward": add_to_x}),
    (Linear, {"backward": double_dy}),
    (ReLU, {"forward": relu_in_place}),
    (ReLU, {"backward": mask_in_place}),
])  # fmt: skip
def test_a_layer_that_changes_its_input_is_refused(kind, methods, rng):
    layer, x = example(kind, rng, **methods)
    with pytest.raises(ValueError, match="Changed changed its input"):
        check_layer(layer, x, rng)


def test_a_gradient_of_the_wrong_shape_is_named(rng):
    layer, x = example(Linear, rng, backward=lambda self, dy: Linear.backward(self, dy).sum(axis=1))
    with pytest.raises(ValueError, match=r"the gradient of x is \(6,\), expected \(6, 3\)"):
        check_layer(layer, x, rng)


# ---- A whole model, and what a person reads ----


class Model:
    """Linear and softmax over one vector w, whose gradient is g."""

    def __init__(self, rng, dtype=np.float64):
        self.w, self.g = rng.normal(size=70).astype(dtype), np.zeros(70)
        self.params, self.grads = (
            {"W": v[:60].reshape(10, 6), "b": v[60:]} for v in (self.w, self.g)
        )

    def gradient(self, x, y):
        layer, loss = Linear(self.params["W"], self.params["b"]), SoftmaxLoss()
        loss.labels = y
        value = loss.forward(layer.forward(x))
        layer.backward(loss.backward(1))
        self.grads["W"][...], self.grads["b"][...] = layer.dW, layer.db
        return value, None


@pytest.mark.parametrize("spoilt", ["", "b", "W", "W b"])
def test_a_model_with_wrong_gradients_is_rejected(spoilt, rng):
    class Spoilt(Model):
        def gradient(self, x, y):
            result = super().gradient(x, y)
            for name in spoilt.split():
                self.grads[name].flat[3] += 1e-3
            return result

    model, x, y = Spoilt(rng), rng.normal(size=(6, 5)), rng.integers(0, 10, 5)
    w = model.w.copy()
    checks = check_model(model, x, y, rng, directions=4)
    assert [(check.name, check.entries) for check in checks] == [("W", 4), ("b", 4)]
    assert wrong(checks) == set(spoilt.split())
    assert np.array_equal(model.w, w), "the weights are put back"


def test_a_model_of_float32_is_refused(rng):
    model = Model(rng, np.float32)
    with pytest.raises(TypeError, match="float64, got a model of float32"):
        check_model(model, rng.normal(size=(6, 5)), rng.integers(0, 10, 5), rng)


def test_a_line_says_ok_or_wrong_with_both_numbers(rng):
    layer, x = planted(MISTAKES[0], rng)
    lines = {check.name: check for check in check_layer(layer, x, rng, "Linear.")}
    assert str(lines["Linear.x"]).startswith("Linear.x")
    assert "18 derivatives" in str(lines["Linear.x"]) and str(lines["Linear.x"]).endswith("ok")
    bad = lines["Linear.b"]
    assert bad.error == 1 and bad.analytic == 0
    assert str(bad).endswith(f"WRONG: 0 by hand, {bad.numeric:.9g} by differences")
