"""The checker passes what is right and, above all, rejects what is wrong: mistakes planted here."""

import doctest

import numpy as np
import pytest

from minisgd import LeNet5, gradcheck
from minisgd.gradcheck import check_layer, check_model
from minisgd.layers import Conv2d, Linear, MaxPool2d, ReLU, raise_back
from minisgd.loss import softmax_cross_entropy


def wrong(checks):
    """The names of the tensors whose gradients were rejected."""
    return {check.name for check in checks if not check.passed}


def test_every_layer_and_the_whole_network_pass():
    checks = list(gradcheck.check_all())
    assert not wrong(checks)
    assert all(check.error < 1e-7 for check in checks), "ten times better than is asked for"
    layers = {check.name.split(".")[0] for check in checks}
    assert layers >= {"Linear", "Conv2d", "ReLU", "MaxPool2d(2)", "Flatten", "LeNet5"}
    assert len([check for check in checks if check.name.startswith("LeNet5.")]) == 10


def test_the_example_in_the_docstring_runs():
    found = doctest.testmod(gradcheck)
    assert found.attempted > 0 and found.failed == 0


class KeepsWhatItSaw(Linear):
    """What a layer keeps for itself may look like a weight: z and dz, x and dx, y and dy."""

    def forward(self, x):
        self.x, self.y = x, super().forward(x)
        self.z = self.y
        return self.y

    def backward(self, dy):
        self.dy = self.dz = dy
        self.dx = super().backward(dy)
        return self.dx


def test_what_a_layer_keeps_is_not_taken_for_a_weight(rng):
    layer = KeepsWhatItSaw(*(rng.normal(size=shape) for shape in ((3, 4), (3,))))
    for _ in range(2):  # the second time it has them from the beginning
        checks = check_layer(layer, rng.normal(size=(4, 5)), rng)
        assert [check.name for check in checks] == ["x", "W", "b"] and not wrong(checks)


# ---- Mistakes that people make, each in a layer that is otherwise right ----


class NoBiasGradient(Linear):
    def backward(self, dy):
        self.dW += dy @ self.cache.T
        return self.W.T @ dy


class NoSumOverTheBatch(Linear):
    def backward(self, dy):
        self.dW += dy @ self.cache.T
        self.db += dy[:, 0]
        return self.W.T @ dy


class MeanTwice(Linear):
    """Divides by N although dy is already the derivative of the mean."""

    def backward(self, dy):
        N = dy.shape[1]
        self.dW += dy @ self.cache.T / N
        self.db += dy.sum(axis=1) / N
        return self.W.T @ dy


class PermutesTheBatch(Linear):
    def backward(self, dy):
        return super().backward(dy)[:, ::-1]


class DoublesByAccumulation(Linear):
    """Hands out a sum that it never sets back."""

    total = 0

    def backward(self, dy):
        self.total = self.total + dy @ self.cache.T
        self.dW[...] = self.total
        self.db += dy.sum(axis=1)
        return self.W.T @ dy


class CountsTwice(Linear):
    def backward(self, dy):
        self.dW += dy @ self.cache.T
        return super().backward(dy)


class OneWrongEntry(Linear):
    def backward(self, dy):
        dx = super().backward(dy)
        self.dW[1, 2] *= 1.0001
        return dx


class OneNaN(Linear):
    def backward(self, dy):
        dx = super().backward(dy)
        dx[0, 1] = np.nan
        return dx


class OneInfinity(Linear):
    def backward(self, dy):
        dx = super().backward(dy)
        self.db[0] = np.inf
        return dx


class NoGradientAtAll(Linear):
    def backward(self, dy):
        return np.zeros_like(self.cache)


class TransposesTheKernel(Conv2d):
    def backward(self, dy):
        before = self.dW.copy()
        dx = super().backward(dy)
        self.dW[...] = before + (self.dW - before).swapaxes(2, 3)
        return dx


class FlipsTheKernel(Conv2d):
    def backward(self, dy):
        before = self.dW.copy()
        dx = super().backward(dy)
        self.dW[...] = before + (self.dW - before)[:, :, ::-1, ::-1]
        return dx


class ForgetsToFlipForDx(Conv2d):
    """dx is a convolution with the kernel turned round; here it is not turned."""

    def backward(self, dy):
        turned = self.W[:, :, ::-1, ::-1].reshape(len(self.W), -1)
        super().backward(dy)
        _, x_shape = self.cache
        dcols = turned.T @ dy.reshape(len(dy), -1)
        return raise_back(dcols, x_shape, *self.W.shape[2:], self.pad)


class PadsOneTooFar(Conv2d):
    def backward(self, dy):
        return np.roll(super().backward(dy), 1, axis=1)


class KeepsTheLastPatchOnly(Conv2d):
    """`dx[patch] = ...` where it should be +=."""

    def backward(self, dy):
        super().backward(dy)
        (_, (C, H, W, N)), (_, _, KH, KW), p = self.cache, self.W.shape, self.pad
        padded = np.zeros((C, H + 2 * p, W + 2 * p, N))
        for i, j in np.ndindex(dy.shape[1:3]):
            padded[:, i : i + KH, j : j + KW] = np.einsum("fckl,fn->ckln", self.W, dy[:, i, j])
        return padded[:, p : p + H, p : p + W]


class MasksTheWrongSign(ReLU):
    def backward(self, dy):
        return dy * ~self.cache


class ForgetsTheMask(ReLU):
    def backward(self, dy):
        return dy


class PoolsToEveryEntry(MaxPool2d):
    def backward(self, dy):
        return dy.repeat(self.size, axis=1).repeat(self.size, axis=2)


class PoolsToTheLastEntry(MaxPool2d):
    def backward(self, dy):
        _, x_shape = self.cache
        dx = np.zeros(x_shape)
        dx[:, self.size - 1 :: self.size, self.size - 1 :: self.size] = dy
        return dx


class PoolsTransposed(MaxPool2d):
    """Takes row for column inside the window."""

    def backward(self, dy):
        places, self.places = self.places, [(columns, rows) for rows, columns in self.places]
        dx = super().backward(dy)
        self.places = places
        return dx


class Loss:
    """The loss as a layer, with what somebody did to its gradient."""

    labels = np.array([3, 0, 9, 3, 7])

    def __init__(self, spoil=lambda dz: dz):
        self.spoil = spoil

    def forward(self, z):
        loss, _, self.dz = softmax_cross_entropy(z, self.labels, len(self.labels))
        return np.asarray(loss)

    def backward(self, dy):
        return dy * self.spoil(self.dz)


def linear(kind, rng):
    return kind(rng.normal(size=(4, 6)), rng.normal(size=4)), rng.normal(size=(6, 3))


def conv(kind, rng):
    layer = kind(rng.normal(size=(3, 2, 3, 3)), rng.normal(size=3), pad=1)
    return layer, rng.normal(size=(2, 4, 5, 3))


def apart(kind, rng):
    """Distinct inputs at least .1 from each other and .05 from zero."""
    return kind(), (rng.permutation(2 * 4 * 6 * 3).reshape(2, 4, 6, 3) - 71.5) / 10


MISTAKES = [
    (linear, NoBiasGradient, {"b"}),
    (linear, NoSumOverTheBatch, {"b"}),
    (linear, MeanTwice, {"W", "b"}),
    (linear, PermutesTheBatch, {"x"}),
    (linear, DoublesByAccumulation, {"W"}),
    (linear, CountsTwice, {"W"}),
    (linear, OneWrongEntry, {"W"}),
    (linear, OneNaN, {"x"}),
    (linear, OneInfinity, {"b"}),
    (linear, NoGradientAtAll, {"x", "W", "b"}),
    (conv, TransposesTheKernel, {"W"}),
    (conv, FlipsTheKernel, {"W"}),
    (conv, ForgetsToFlipForDx, {"x"}),
    (conv, PadsOneTooFar, {"x"}),
    (conv, KeepsTheLastPatchOnly, {"x"}),
    (apart, MasksTheWrongSign, {"x"}),
    (apart, ForgetsTheMask, {"x"}),
    (apart, PoolsToEveryEntry, {"x"}),
    (apart, PoolsToTheLastEntry, {"x"}),
    (apart, PoolsTransposed, {"x"}),
]


@pytest.mark.parametrize("make, kind, rejected", MISTAKES, ids=lambda v: getattr(v, "__name__", ""))
@pytest.mark.filterwarnings("ignore:invalid value encountered")  # inf/inf in OneInfinity
def test_a_planted_mistake_is_rejected(make, kind, rejected, rng):
    layer, x = make(kind, rng)
    assert wrong(check_layer(layer, x, rng)) == rejected

    right, x = make(kind.__base__, rng)  # and what it was planted in passes
    assert not wrong(check_layer(right, x, rng))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda dz: dz * 5,  # without the 1/N
        lambda dz: dz / 5,  # with it twice
        lambda dz: -dz,
        lambda dz: dz + (dz < 0) / 5,  # without the one for the label
        lambda dz: dz[:, ::-1],
    ],
    ids=["no 1/N", "1/N twice", "sign", "no label", "batch permuted"],
)
def test_a_loss_with_a_wrong_gradient_is_rejected(spoil, rng):
    z = rng.normal(size=(10, 5))
    assert not wrong(check_layer(Loss(), z, rng))
    assert wrong(check_layer(Loss(spoil), z, rng)) == {"x"}


class Ones:
    """A generator that is not random."""

    def normal(self, size):
        return np.ones(size)


def test_a_random_dy_sees_what_ones_would_not(rng):
    """Why dy is random: with dy = 1 every column of dx is the same, in any order."""
    layer, x = linear(PermutesTheBatch, rng)
    assert not wrong(check_layer(layer, x, Ones()))
    assert wrong(check_layer(layer, x, rng)) == {"x"}


def test_on_a_tie_the_two_sides_differ_and_the_check_fails(rng):
    """Two equal values share the window: raised by h either wins, lowered neither loses anything.

    The central difference is dy/2 for both; by hand the first has dy and the second 0: half of dy
    is missing in one or the other.
    """
    tied = np.array([[4.0, 4.0], [1.0, 2.0]]).reshape(1, 2, 2, 1)
    (check,) = check_layer(MaxPool2d(2), tied, rng)
    assert not check.passed
    assert check.error == pytest.approx(0.5)


# ---- A stranger's layer ----


class Scale:
    """A weight with a name of its own; `adds` says what its backward does with the gradient."""

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
def test_a_strangers_layer_may_add_or_overwrite(adds, rng):
    layer, x = Scale(adds), rng.normal(size=(2, 5))
    given = x.copy()
    checks = check_layer(layer, x, rng, "Scale.")
    assert [(check.name, check.entries, check.passed) for check in checks] == [
        ("Scale.x", 10, True),
        ("Scale.gamma", 2, True),
    ]
    assert layer.gamma.tolist() == [2, -3], "the weights are put back"
    assert np.array_equal(x, given)


def test_float32_is_refused(rng):
    layer, x = linear(Linear, rng)
    with pytest.raises(TypeError, match="float64, got x of float32"):
        check_layer(layer, x.astype(np.float32), rng)
    with pytest.raises(TypeError, match="float64, got a model of float32"):
        check_model(LeNet5(), np.zeros((2, 1, 28, 28)), np.array([1, 2]), rng)


class AddsToItsInput(Linear):
    def forward(self, x):
        y = super().forward(x)
        x += 1
        return y


class ScalesDy(Linear):
    def backward(self, dy):
        dx = super().backward(dy)
        dy *= 2
        return dx


class InPlaceReLU(ReLU):
    """Changes x only the first time it sees it, as the usual ReLU in place does."""

    def forward(self, x):
        self.cache = x > 0
        x *= self.cache
        return x.copy()


class InPlaceMask(ReLU):
    """The backward that goes with it: dx is right, but the caller's dy is gone."""

    def backward(self, dy):
        dy *= self.cache
        return dy


@pytest.mark.parametrize(
    "kind",
    [
        AddsToItsInput,
        ScalesDy,
        InPlaceReLU,
        InPlaceMask,
    ],
)
def test_a_layer_that_changes_its_input_is_refused(kind, rng):
    layer, x = (linear if issubclass(kind, Linear) else apart)(kind, rng)
    with pytest.raises(ValueError, match=f"{kind.__name__} changed its input"):
        check_layer(layer, x, rng)


class SumsTooMuch(Linear):
    def backward(self, dy):
        return super().backward(dy).sum(axis=1)


def test_a_gradient_of_the_wrong_shape_is_named(rng):
    layer, x = linear(SumsTooMuch, rng)
    with pytest.raises(ValueError, match=r"the gradient of x is \(6,\), wanted \(6, 3\)"):
        check_layer(layer, x, rng)


# ---- A whole model, and what a person reads ----


class SpoiltLeNet5(LeNet5):
    def gradient(self, x, y):
        told = super().gradient(x, y)
        self.grads["fc2.b"][3] += 1e-3
        self.grads["conv1.W"] *= 2
        return told


def test_a_model_with_wrong_gradients_is_rejected(rng):
    x, y = rng.normal(size=(3, 1, 28, 28)), rng.integers(0, 10, 3)
    model = SpoiltLeNet5(dtype=np.float64)
    w = model.w.copy()
    checks = check_model(model, x, y, rng, directions=4)
    assert [check.name for check in checks] == list(model.params)
    assert wrong(checks) == {"fc2.b", "conv1.W"}
    assert np.array_equal(model.w, w), "the weights are put back"


def test_a_line_says_ok_or_wrong_with_both_numbers(rng):
    layer, x = linear(NoBiasGradient, rng)
    lines = {check.name: check for check in check_layer(layer, x, rng, "Linear.")}
    assert str(lines["Linear.x"]).startswith("Linear.x")
    assert "18 derivatives" in str(lines["Linear.x"]) and str(lines["Linear.x"]).endswith("ok")
    bad = lines["Linear.b"]
    assert bad.error == 1 and bad.analytic == 0
    assert str(bad).endswith(f"WRONG (by hand 0, {bad.numeric:.9g})")
