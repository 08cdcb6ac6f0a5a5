"""fused.py computes what layers.py computes: outputs and gradients to 1e-10, ties included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisgd.fused import ConvReLUPool, LinearReLU
from minisgd.layers import Conv2d, Linear, MaxPool2d, ReLU
from minisgd.model import LeNet5, Model
from minisgd.networks import (
    LENET5,
    MNIST_PIXELS,
    NETWORKS,
    Network,
    initial_weights,
    shapes_of,
    size_of,
    views,
)
from minisgd.workspaces import KEPT

SHAPES_OF_CONVOLUTIONS = {  # F, C, KH, KW, H, W, pad
    "conv1": (6, 1, 5, 5, 28, 28, 2),
    "conv2": (16, 6, 5, 5, 14, 14, 0),
    "unequal": (3, 2, 3, 5, 6, 8, 2),
    "low": (2, 3, 1, 3, 4, 6, 0),
    "one window": (2, 2, 3, 3, 4, 4, 0),
    "a pixel": (4, 3, 1, 1, 2, 4, 0),
}


def same(ours, wanted):
    assert ours.shape == wanted.shape
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-10 * max(1, np.abs(wanted).max()))


def random(rng, ties, *shape):
    """Normal values, or small integers: many ties, and many outputs that are exactly zero."""
    return rng.integers(-1, 2, shape).astype(float) if ties else rng.normal(size=shape)


def plain_layers(params, pad=0):
    return [Conv2d(*params, pad=pad), ReLU(), MaxPool2d(2)]


def through(layers, x):
    for layer in layers:
        x = layer.forward(x)
    return x


def back_through(layers, dy):
    for layer in reversed(layers):
        dy = layer.backward(dy)
    return dy


@settings(max_examples=60, deadline=None)
@given(
    shape=st.sampled_from(list(SHAPES_OF_CONVOLUTIONS)),
    chunks=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    ties=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_convolution_relu_and_pooling_equal_the_three_layers(shape, chunks, ties, seed):
    F, C, KH, KW, H, W, pad = SHAPES_OF_CONVOLUTIONS[shape]
    rng = np.random.default_rng(seed)
    params = random(rng, ties, F, C, KH, KW), random(rng, ties, F)
    dW, db = np.full(params[0].shape, np.nan), np.full(F, np.nan)  # finish fills them
    fused, plain = ConvReLUPool(*params, dW, db, (H, W), pad), plain_layers(params, pad)
    fused.begin()
    for n in chunks:
        x = random(rng, ties, C, H, W, n)
        y = through(plain, x)
        same(fused.forward(x), y)
        dy = rng.normal(size=y.shape)
        same(fused.backward(dy), back_through(plain, dy))
    fused.finish()
    same(dW, plain[0].dW)
    same(db, plain[0].db)


@settings(max_examples=30, deadline=None)
@given(
    D=st.integers(1, 9),
    M=st.integers(1, 9),
    chunks=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    ties=st.booleans(),
    relu=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_fully_connected_equals_linear_and_relu(D, M, chunks, ties, relu, seed):
    rng = np.random.default_rng(seed)
    params = random(rng, ties, M, D), random(rng, ties, M)
    dW, db = np.full((M, D), np.nan), np.full(M, np.nan)
    fused, plain = LinearReLU(*params, dW, db, relu), [Linear(*params)] + [ReLU()] * relu
    fused.begin()
    for n in chunks:
        x, dy = random(rng, ties, D, n), rng.normal(size=(M, n))
        same(fused.forward(x), through(plain, x))
        same(fused.backward(dy), back_through(plain, dy))
    same(dW, plain[0].dW)
    same(db, plain[0].db)


def fused_conv(F=3, C=2, K=3, size=(6, 8), pad=0, seed=0):
    rng = np.random.default_rng(seed)
    W, b = rng.normal(size=(F, C, K, K)), rng.normal(size=F)
    return ConvReLUPool(W, b, np.zeros_like(W), np.zeros_like(b), size, pad), rng


def test_on_a_tie_the_first_in_reading_order_takes_the_gradient():
    W, b = np.ones((1, 1, 1, 1)), np.zeros(1)
    layer = ConvReLUPool(W, b, np.zeros_like(W), np.zeros_like(b), (2, 2))
    for window, winner in [
        ([1, 1, 1, 1], 0), ([0, 1, 1, 1], 1), ([0, 0, 1, 1], 2), ([0, 1, 1, 0], 1),
        ([1, 0, 1, 0], 0), ([1, 0, 0, 1], 0), ([0, 1, 0, 1], 1), ([0, 0, 0, 1], 3),
    ]:  # fmt: skip
        layer.begin()
        layer.forward(np.array(window, float).reshape(1, 2, 2, 1))
        dx = layer.backward(np.full((1, 1, 1, 1), 7.0)).ravel()
        assert dx.tolist() == [7.0 * (k == winner) for k in range(4)], window


def test_relu_has_the_derivative_zero_at_zero():
    W, b = np.ones((1, 1, 1, 1)), np.zeros(1)
    layer = ConvReLUPool(W, b, np.zeros_like(W), np.zeros_like(b), (2, 2))
    layer.begin()
    layer.forward(np.zeros((1, 2, 2, 1)))
    assert not layer.backward(np.ones((1, 1, 1, 1))).any()
    layer.finish()
    assert not layer.dW.any() and not layer.db.any()


def test_a_batch_starts_from_zero_and_reads_the_weights_anew():
    layer, rng = fused_conv()
    x, dy = rng.normal(size=(2, 6, 8, 3)), rng.normal(size=(3, 2, 3, 3))

    def batch():
        layer.begin()
        y = layer.forward(x).copy()
        layer.backward(dy)
        layer.finish()
        return y, layer.dW.copy(), layer.db.copy()

    first, second = batch(), batch()
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    layer.W *= 2
    layer.b *= 2
    np.testing.assert_allclose(batch()[0], 2 * first[0])


def test_forward_and_backward_leave_their_inputs_alone():
    layer, rng = fused_conv()
    x, dy = rng.normal(size=(2, 6, 8, 3)), rng.normal(size=(3, 2, 3, 3))
    given = x.copy(), dy.copy()
    layer.begin()
    layer.forward(x)
    layer.backward(dy)
    np.testing.assert_array_equal(x, given[0])
    np.testing.assert_array_equal(dy, given[1])


def test_only_a_few_workspaces_are_kept():
    layer, rng = fused_conv()
    layer.begin()
    for n in range(1, 3 * KEPT):
        layer.forward(rng.normal(size=(2, 6, 8, n)))
    assert len(layer.spaces) == KEPT and 3 * KEPT - 1 in layer.spaces


def test_the_workspace_that_is_used_most_stays():
    """b = 999 makes lanes of 249 and 250, so chunks of 121, 122 and, between them, 128."""
    (layer, rng), made = fused_conv(), []
    make = layer._workspace
    layer._workspace = lambda n: made.append(n) or make(n)
    layer.begin()
    for n in range(1, 3 * KEPT):
        for size in (40, n):
            layer.forward(rng.normal(size=(2, 6, 8, size)))
    assert made.count(40) == 1


@pytest.mark.parametrize(
    "wrong", [{"K": 2}, {"size": (5, 8)}, {"size": (6, 7)}, {"pad": 1}], ids=str
)
def test_shapes_whose_parities_do_not_line_up_are_refused(wrong):
    with pytest.raises(ValueError, match="odd kernel, even pad and even height and width"):
        fused_conv(**wrong)


@settings(max_examples=15, deadline=None)
@given(
    name=st.sampled_from(list(NETWORKS)),
    chunks=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    ties=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_network_equals_its_plain_layers(name, chunks, ties, seed):
    rng = np.random.default_rng(seed)
    parts = NETWORKS[name]
    P = size_of(parts)
    w = random(rng, True, P) if ties else initial_weights(parts, rng, np.float64)
    network = Network(parts, w, g := np.full(P, np.nan))
    plain = Network(parts, w, wanted := np.full(P, np.nan), plain=True)
    network.begin()
    plain.begin()
    for n in chunks:
        images = random(rng, ties, n, 1, 28, 28)
        z = plain.forward(images)
        same(network.forward(images), z)
        dz = rng.normal(size=z.shape)
        plain.backward(dz)
        network.backward(dz)
    network.finish()
    shapes = shapes_of(parts)
    for name in shapes:
        same(views(g, shapes)[name], views(wanted, shapes)[name])


def test_stored_images_are_normalised_and_padded_with_zero_after_that():
    rng = np.random.default_rng(0)
    model = LeNet5(dtype=np.float64)
    stored = rng.integers(0, 256, (5, 28, 28), dtype=np.uint8)
    mean, deviation = MNIST_PIXELS
    x = ((stored / 255 - mean) / deviation).reshape(5, 1, 28, 28)
    same(model.logits(stored), model.logits(x))
    same(model.logits(stored), Network(LENET5, model.w, model.g, plain=True).forward(x).T)


def test_each_dataset_is_normalised_by_its_own_mean_and_deviation():
    stored = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    x = ((stored / 255 - 0.25) / 0.5).reshape(5, 1, 28, 28)
    for plain in (False, True):
        model = Model(dtype=np.float64, pixels=(0.25, 0.5), plain=plain)
        same(model.logits(stored), model.logits(x))
        same(model.logits(stored), LeNet5(dtype=np.float64).logits(x))


def test_float32_is_kept_all_the_way():
    model = LeNet5()
    stored = np.zeros((3, 28, 28), np.uint8)
    assert model.logits(stored).dtype == np.float32
    for layer in model.lanes.networks[0].steps:
        for space in layer.spaces.values():
            kinds = {a.dtype for a in vars(space).values() if isinstance(a, np.ndarray)}
            assert kinds <= {np.dtype(np.float32), np.dtype(bool)}
