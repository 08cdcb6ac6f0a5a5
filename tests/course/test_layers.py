"""Every layer against the formula of its docstring, written out as loops over single numbers."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisgd.backend import to_host
from minisgd.layers import Conv2d, Flatten, LeakyReLU, Linear, MaxPool2d, ReLU, lower, raise_back


def linear_by_loops(x, W, b, dy):
    (D, N), M = x.shape, len(b)
    y, dx, dW, db = np.zeros((M, N)), np.zeros_like(x), np.zeros_like(W), np.zeros_like(b)
    for m, n in product(range(M), range(N)):
        y[m, n] = b[m] + sum(W[m, d] * x[d, n] for d in range(D))
        db[m] += dy[m, n]
        for d in range(D):
            dW[m, d] += dy[m, n] * x[d, n]
            dx[d, n] += dy[m, n] * W[m, d]
    return y, dx, dW, db


def conv_by_loops(x, W, b, dy, pad):
    (C, H, width, _), (KH, KW) = x.shape, W.shape[2:]
    y, dx, dW, db = np.zeros(dy.shape), np.zeros_like(x), np.zeros_like(W), np.zeros_like(b)
    for f, i, j, n in np.ndindex(dy.shape):
        y[f, i, j, n] += b[f]
        db[f] += dy[f, i, j, n]
        for c, k, l in product(range(C), range(KH), range(KW)):
            row, column = i + k - pad, j + l - pad
            if 0 <= row < H and 0 <= column < width:  # outside, x is zero
                y[f, i, j, n] += W[f, c, k, l] * x[c, row, column, n]
                dW[f, c, k, l] += dy[f, i, j, n] * x[c, row, column, n]
                dx[c, row, column, n] += dy[f, i, j, n] * W[f, c, k, l]
    return y, dx, dW, db


def pool_by_loops(x, dy, size):
    y, dx = np.zeros(dy.shape), np.zeros_like(x)
    for c, i, j, n in np.ndindex(dy.shape):
        window = [(size * i + k, size * j + l) for k in range(size) for l in range(size)]
        row, column = max(window, key=lambda place: x[(c, *place, n)])  # the first of equal ones
        y[c, i, j, n] = x[c, row, column, n]
        dx[c, row, column, n] += dy[c, i, j, n]
    return y, dx


def assert_close(got, wanted):
    assert got.shape == wanted.shape
    np.testing.assert_allclose(to_host(got), wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("D, M, N", [(1, 1, 1), (5, 3, 2), (2, 7, 4)])
def test_linear_is_its_formula(xp, rng, D, M, N):
    x, W, b, dy = (rng.normal(size=size) for size in [(D, N), (M, D), M, (M, N)])
    layer = Linear(xp.asarray(W), xp.asarray(b))
    y = layer.forward(xp.asarray(x))
    dx = layer.backward(xp.asarray(dy))
    for got, wanted in zip((y, dx, layer.dW, layer.db), linear_by_loops(x, W, b, dy), strict=True):
        assert_close(got, wanted)


@pytest.mark.parametrize(
    "x_shape, W_shape, pad",
    [
        ((1, 1, 1, 1), (1, 1, 1, 1), 0),
        ((2, 6, 5, 3), (4, 2, 3, 2), 0),
        ((2, 5, 6, 3), (1, 2, 5, 6), 0),  # the kernel as large as the image
        ((3, 4, 5, 2), (2, 3, 3, 3), 1),
        ((1, 3, 2, 4), (2, 1, 5, 4), 2),  # the kernel larger than the image, padding makes it fit
        ((2, 3, 4, 2), (3, 2, 1, 1), 2),  # windows that see nothing but padding
    ],
)
def test_conv_is_its_formula(xp, rng, x_shape, W_shape, pad):
    x, W, b = rng.normal(size=x_shape), rng.normal(size=W_shape), rng.normal(size=W_shape[0])
    layer = Conv2d(xp.asarray(W), xp.asarray(b), pad=pad)
    y = layer.forward(xp.asarray(x))
    OH, OW = x_shape[1] + 2 * pad - W_shape[2] + 1, x_shape[2] + 2 * pad - W_shape[3] + 1
    assert y.shape == (W_shape[0], OH, OW, x_shape[3])
    dy = rng.normal(size=y.shape)
    dx = layer.backward(xp.asarray(dy))
    wanted = conv_by_loops(x, W, b, dy, pad)
    for got, right in zip((y, dx, layer.dW, layer.db), wanted, strict=True):
        assert_close(got, right)


@pytest.mark.parametrize("size, shape", [(1, (2, 3, 1, 2)), (2, (3, 4, 6, 5)), (3, (2, 3, 6, 4))])
@pytest.mark.parametrize("values", ["distinct", "many ties"])
def test_pool_is_its_formula(xp, rng, size, shape, values):
    x = rng.normal(size=shape) if values == "distinct" else rng.integers(-1, 2, shape).astype(float)
    layer = MaxPool2d(size)
    y = layer.forward(xp.asarray(x))
    assert y.shape == (shape[0], shape[1] // size, shape[2] // size, shape[3])
    dy = rng.normal(size=y.shape)
    dx = layer.backward(xp.asarray(dy))
    for got, wanted in zip((y, dx), pool_by_loops(x, dy, size), strict=True):
        assert_close(got, wanted)


@pytest.mark.parametrize(
    "window, receives",
    [
        ([[5, 5], [5, 5]], [[7, 0], [0, 0]]),
        ([[1, 5], [5, 5]], [[0, 7], [0, 0]]),
        ([[1, 2], [5, 5]], [[0, 0], [7, 0]]),
        ([[-3, -1], [-2, -1]], [[0, 7], [0, 0]]),
    ],
)
def test_pool_gives_the_gradient_to_the_first_of_equal_values(xp, window, receives):
    layer = MaxPool2d(2)
    layer.forward(xp.asarray(np.reshape(window, (1, 2, 2, 1)) * 1.0))
    dx = layer.backward(xp.asarray(np.full((1, 1, 1, 1), 7.0)))
    assert to_host(dx)[0, :, :, 0].tolist() == receives


def test_relu_and_its_derivative_which_is_0_at_0(xp):
    layer = ReLU()
    y = layer.forward(xp.asarray([[-2.0, -0.0, 0.0, 3.0]]))
    dx = layer.backward(xp.asarray([[5.0, 6.0, 7.0, 8.0]]))
    assert to_host(y).tolist() == [[0, 0, 0, 3]]
    assert to_host(dx).tolist() == [[0, 0, 0, 8]]


def test_a_leaky_relu_lets_a_hundredth_through(xp):
    layer = LeakyReLU()
    y = layer.forward(xp.asarray([[-2.0, -0.0, 0.0, 3.0]]))
    dx = layer.backward(xp.asarray([[5.0, 6.0, 7.0, 8.0]]))
    assert to_host(y).tolist() == [[-0.02, 0, 0, 3]]
    assert to_host(dx).tolist() == [[0.05, 0.06, 0.07, 8]]


def test_flatten_keeps_every_image_in_its_column(xp, rng):
    x = rng.normal(size=(2, 3, 4, 5))
    layer = Flatten()
    y = to_host(layer.forward(xp.asarray(x)))
    for n in range(5):
        assert y[:, n].tolist() == x[..., n].ravel().tolist()
    assert to_host(layer.backward(xp.asarray(y))).tolist() == x.tolist()


def every_layer(xp, rng, dtype=np.float64):
    """(layer, x) for each kind, small, of unequal sizes."""

    def array(*shape):
        return xp.asarray(rng.normal(size=shape).astype(dtype))

    yield Linear(array(3, 4), array(3)), array(4, 5)
    yield Conv2d(array(3, 2, 3, 2), array(3)), array(2, 4, 5, 6)
    yield Conv2d(array(3, 2, 3, 2), array(3), pad=1), array(2, 4, 5, 6)
    yield ReLU(), array(2, 4, 6, 5)
    yield LeakyReLU(), array(2, 4, 6, 5)
    yield MaxPool2d(2), array(2, 4, 6, 5)
    yield Flatten(), array(2, 4, 6, 5)


def test_no_layer_changes_its_input(xp, rng):
    for layer, x in every_layer(xp, rng):
        given = to_host(x).copy()
        y = layer.forward(x)
        dy = xp.asarray(rng.normal(size=y.shape))
        given_dy = to_host(dy).copy()
        layer.backward(dy)
        assert np.array_equal(to_host(x), given), type(layer).__name__
        assert np.array_equal(to_host(dy), given_dy), type(layer).__name__


def test_float32_stays_float32(xp, rng):
    for layer, x in every_layer(xp, rng, np.float32):
        y = layer.forward(x)
        assert y.dtype == layer.backward(y).dtype == np.float32, type(layer).__name__


@pytest.mark.parametrize("which", ["Linear", "Conv2d"])
def test_backward_adds_to_the_gradients_it_was_given(xp, rng, which):
    layer, x = next(pair for pair in every_layer(xp, rng) if type(pair[0]).__name__ == which)
    dy = xp.asarray(rng.normal(size=layer.forward(x).shape))
    layer.backward(dy)
    once = to_host(layer.dW).copy(), to_host(layer.db).copy()
    given = xp.full(layer.W.shape, 10.0), xp.full(layer.b.shape, 20.0)
    layer = type(layer)(layer.W, layer.b, *given)
    for _ in range(2):
        layer.forward(x)
        layer.backward(dy)
    assert layer.dW is given[0] and layer.db is given[1]
    assert_close(layer.dW, 10 + 2 * once[0])
    assert_close(layer.db, 20 + 2 * once[1])


@pytest.mark.parametrize(
    "layer, shape, message",
    [
        (Linear(np.ones((3, 4)), np.ones(3)), (5, 2), r"Linear .*\(4, N\), got \(5, 2\)"),
        (Linear(np.ones((3, 4)), np.ones(3)), (4,), r"Linear .*\(4, N\), got \(4,\)"),
        (
            Conv2d(np.ones((2, 6, 5, 5)), np.ones(2)),
            (1, 28, 28, 64),
            r"Conv2d .*\(6, H, W, N\), got \(1, 28, 28, 64\)",
        ),
        (Conv2d(np.ones((2, 6, 5, 5)), np.ones(2)), (6, 28, 28), r"Conv2d .*got \(6, 28, 28\)"),
        (Conv2d(np.ones((2, 1, 5, 3)), np.ones(2)), (1, 4, 9, 2), r"5 x 3 .*\(1, 4, 9, 2\)"),
        (Conv2d(np.ones((2, 1, 5, 5)), np.ones(2), pad=1), (1, 9, 2, 2), r"5 x 5 .*\(1, 9, 2, 2\)"),
        (MaxPool2d(2), (3, 5, 4, 2), r"MaxPool2d .*divisible by 2.*\(3, 5, 4, 2\)"),
        (MaxPool2d(3), (3, 6, 4, 2), r"MaxPool2d .*divisible by 3.*\(3, 6, 4, 2\)"),
        (MaxPool2d(2), (4, 4, 2), r"MaxPool2d .*\(4, 4, 2\)"),
    ],
)
def test_a_wrong_shape_is_named(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer.forward(np.ones(shape))


@st.composite
def convolutions(draw):
    """x_shape, W_shape, pad of a convolution that has at least one output place."""
    C, F, N, KH, KW = (draw(st.integers(1, 4)) for _ in range(5))
    pad = draw(st.integers(0, 2))
    H = draw(st.integers(max(1, KH - 2 * pad), 7))
    W = draw(st.integers(max(1, KW - 2 * pad), 7))
    return (C, H, W, N), (F, C, KH, KW), pad


@given(sizes=convolutions(), seed=st.integers(0, 999))
def test_conv_backward_is_the_adjoint_of_forward(xp, sizes, seed):
    """With b = 0, y is linear in x and in W: <dy, y> = <dx, x> = <dW, W>."""
    x_shape, W_shape, pad = sizes
    rng = np.random.default_rng(seed)
    x, W = xp.asarray(rng.normal(size=x_shape)), xp.asarray(rng.normal(size=W_shape))
    layer = Conv2d(W, xp.zeros(W_shape[0]), pad=pad)
    y = layer.forward(x)
    dy = xp.asarray(rng.normal(size=y.shape))
    dx = layer.backward(dy)
    size = float(abs(dy * y).sum())
    assert float((dx * x).sum()) == pytest.approx(float((dy * y).sum()), abs=1e-12 * size)
    assert float((layer.dW * W).sum()) == pytest.approx(float((dy * y).sum()), abs=1e-12 * size)


@given(sizes=convolutions(), seed=st.integers(0, 999))
def test_lower_and_raise_back_are_transposes(xp, sizes, seed):
    x_shape, (_, _, KH, KW), pad = sizes
    rng = np.random.default_rng(seed)
    x = xp.asarray(rng.normal(size=x_shape))
    cols = lower(x, KH, KW, pad)
    dcols = xp.asarray(rng.normal(size=cols.shape))
    dx = raise_back(dcols, x_shape, KH, KW, pad)
    assert dx.shape == x_shape
    size = float(abs(dcols * cols).sum())
    assert float((dx * x).sum()) == pytest.approx(float((dcols * cols).sum()), abs=1e-12 * size)


@given(size=st.integers(1, 3), shape=st.tuples(*[st.integers(1, 4)] * 4), seed=st.integers(0, 999))
def test_pool_moves_every_gradient_to_exactly_one_place(xp, size, shape, seed):
    C, OH, OW, N = shape
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 3, (C, OH * size, OW * size, N)) * 1.0  # small integers: many ties
    layer = MaxPool2d(size)
    layer.forward(xp.asarray(x))
    dy = rng.uniform(1, 2, shape)
    dx = to_host(layer.backward(xp.asarray(dy)))
    windows = dx.reshape(C, OH, size, OW, size, N)
    assert ((windows != 0).sum(axis=(2, 4)) == 1).all()
    assert np.array_equal(windows.sum(axis=(2, 4)), dy)


@pytest.mark.parametrize("which", ["linear", "conv"])
def test_the_images_parts_are_those_of_batches_of_one(xp, rng, which):
    if which == "linear":
        weights, x = (rng.normal(size=(4, 6)), rng.normal(size=4)), rng.normal(size=(6, 5))
        make = lambda: Linear(*map(xp.asarray, weights))  # noqa: E731
    else:
        weights = rng.normal(size=(3, 2, 3, 2)), rng.normal(size=3)
        x = rng.normal(size=(2, 5, 4, 5))
        make = lambda: Conv2d(*map(xp.asarray, weights), pad=1)  # noqa: E731
    together = make()
    dy = rng.normal(size=together.forward(xp.asarray(x)).shape)
    dW, db = together.per_example(xp.asarray(dy))
    for n in range(5):
        alone = make()
        alone.forward(xp.asarray(x[..., n : n + 1]))
        alone.backward(xp.asarray(dy[..., n : n + 1]))
        np.testing.assert_allclose(to_host(dW[n]), to_host(alone.dW), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(to_host(db[n]), to_host(alone.db), rtol=1e-10, atol=1e-12)
    assert not to_host(together.dW).any()  # nothing was added
