"""The floor: the products that are timed are those of training, and nothing else is done."""

import numpy as np
import pytest

from minisgd.machine import floor, profiling
from minisgd.model import Model
from minisgd.networks import LENET5, Network


def products_found(images, parts=LENET5):
    w = Model(parts).w
    return floor.Products(Network(parts, w, np.zeros_like(w)), images)


def multiply_adds_of(products):
    """From the shapes of the operands."""
    return sum(a.size * (b.shape[1] if b.ndim == 2 else 1) for a, b, _ in products)


def test_the_products_of_a_chunk_by_hand(small_data):
    """Wide kernels: 4 F rows, and patches of 6 x 6 pixels; each bias is a product with ones."""
    n, images = 32, small_data.train.images
    found = products_found(images)
    found.forward(np.arange(n))
    forward, backward = found.known[n]
    convs, linears = 24 * 36 * 196 + 64 * 216 * 25, 400 * 120 + 120 * 84 + 84 * 10
    assert multiply_adds_of(forward) == n * (convs + linears)
    biases = 6 * 196 + 16 * 25 + 120 + 84 + 10
    dx = 64 * 216 * 25 + linears  # none of the image
    assert multiply_adds_of(backward) == n * (convs + linears + dx + biases)


def test_the_same_operands_again_and_again(small_data):
    """A product whose result is the next one's operand would soon be infinite or zero."""
    found = products_found(small_data.train.images)
    found.forward(np.arange(16))
    forward, backward = found.known[16]
    before = [(a.copy(), b.copy()) for a, b, _ in forward + backward]
    for _ in range(3):
        found.forward(np.arange(16))
        found.backward(None)
    for (a, b), (now_a, now_b, _) in zip(before, forward + backward, strict=True):
        assert np.array_equal(a, now_a) and np.array_equal(b, now_b)


def test_the_gradients_of_the_lanes_are_not_added_up():
    gs = [np.ones(3), np.ones(3)]
    assert floor.Unsummed().add(gs, [(0, 0), (0, 0)]) == (0, 0)
    assert np.array_equal(gs, np.ones((2, 3)))


@pytest.mark.parametrize("threads", [1, 2])
def test_every_image_of_an_epoch_goes_through_the_products(small_data, threads, monkeypatch):
    made = []
    monkeypatch.setattr(floor, "multiply", lambda products: made.append(multiply_adds_of(products)))
    train_epoch, forward = floor.products_alone(small_data, threads)
    train_epoch(np.arange(640), 200)
    an_image = 2 * 24 * 36 * 196 + 3 * 64 * 216 * 25 + 3 * 58_920 + 6 * 196 + 16 * 25 + 214
    assert sum(made) == 640 * an_image
    made.clear()
    forward(200)
    assert sum(made) == len(small_data.test.images) * (24 * 36 * 196 + 64 * 216 * 25 + 58_920)


def test_the_arithmetic_is_that_of_the_network(small_data, monkeypatch):
    made = []

    def counted(a, b, out):
        made.append(a.shape[0] * a.shape[1] * b.shape[1])

    train_epoch, forward = floor.arithmetic_at_best(small_data, 2)
    monkeypatch.setattr(floor.np, "matmul", counted)
    train_epoch(np.arange(640), 64)
    needed = 640 * profiling.training_multiply_adds()
    assert sum(made) == pytest.approx(needed, abs=2 * floor.SIDE**2)
    made.clear()
    forward(64)
    needed = len(small_data.test.images) * sum(profiling.multiply_adds())
    assert sum(made) == pytest.approx(needed, abs=2 * floor.SIDE**2)
