"""Softmax cross-entropy: values by hand, large logits, and the mean that pieces add up to."""

from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisgd.backend import to_host
from minisgd.loss import softmax_cross_entropy


def loss_of(xp, z, y, N=None):
    """loss, correct, dz as NumPy has them; N is the number of images unless given."""
    z, y = np.asarray(z, float), np.asarray(y)
    found = softmax_cross_entropy(xp.asarray(z), xp.asarray(y), N or len(y))
    return float(found[0]), int(found[1]), to_host(found[2])


def test_two_images_by_hand(xp):
    """Image 1: logits 0, log 3, label 1: p = 1/4, 3/4, loss log 4/3, dz = 1/4, -1/4, right.
    Image 2: logits log 4, 0, label 1: p = 4/5, 1/5, loss log 5, dz = 4/5, -4/5, wrong.
    The mean divides all of it by 2."""
    loss, correct, dz = loss_of(xp, [[0, log(4)], [log(3), 0]], [1, 1])
    assert loss == pytest.approx((log(4 / 3) + log(5)) / 2, rel=1e-15)
    assert correct == 1
    np.testing.assert_allclose(dz, [[1 / 8, 4 / 10], [-1 / 8, -4 / 10]], rtol=1e-14)


def test_zero_logits_cost_ln_10(xp):
    loss, _, dz = loss_of(xp, np.zeros((10, 4)), [0, 3, 3, 9])
    assert loss == pytest.approx(log(10), rel=1e-15)
    assert dz[3].tolist() == pytest.approx([0.1 / 4, -0.9 / 4, -0.9 / 4, 0.1 / 4])


def test_stable_at_plus_and_minus_10000(xp):
    """Image 1 is sure and right (loss 0), image 2 sure and wrong (loss 2e4): mean 1e4."""
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        loss, correct, dz = loss_of(xp, [[1e4, -1e4], [-1e4, 1e4]], [0, 0])
    assert loss == 1e4
    assert correct == 1
    assert dz.tolist() == [[0, -0.5], [0, 0.5]]


def test_softmax_does_not_see_a_constant(xp, rng):
    z, y = rng.normal(size=(10, 6)), rng.integers(0, 10, 6)
    near, far = loss_of(xp, z, y), loss_of(xp, z + 1000, y)
    assert far[0] == pytest.approx(near[0], rel=1e-12)
    np.testing.assert_allclose(far[2], near[2], atol=1e-12)


def test_is_the_mean_over_the_batch(xp, rng):
    z, y = rng.normal(size=(10, 6)), np.array([2, 7, 1, 8, 2, 8])
    z[y[:4], range(4)] = 9  # four are told right
    z[y[4:], range(4, 6)] = -9
    by_hand = [log(sum(exp(v) for v in z[:, n])) - z[y[n], n] for n in range(6)]
    loss, correct, dz = loss_of(xp, z, y)
    assert loss == pytest.approx(sum(by_hand) / 6, rel=1e-13)
    assert correct == 4
    twice = loss_of(xp, np.hstack([z, z]), np.hstack([y, y]))
    assert twice[0] == pytest.approx(loss, rel=1e-13)
    np.testing.assert_allclose(twice[2][:, :6], dz / 2, rtol=1e-13)


@given(N=st.integers(2, 30), seed=st.integers(0, 999), data=st.data())
def test_pieces_add_up_to_the_batch(xp, N, seed, data):
    rng = np.random.default_rng(seed)
    z, y = rng.normal(scale=5, size=(10, N)), rng.integers(0, 10, N)
    k = data.draw(st.integers(1, N - 1))
    whole, left, right = (loss_of(xp, z[:, p], y[p], N) for p in np.s_[:, :k, k:])
    assert left[0] + right[0] == pytest.approx(whole[0], rel=1e-12)
    assert left[1] + right[1] == whole[1]
    np.testing.assert_allclose(np.hstack([left[2], right[2]]), whole[2], atol=1e-15)


@given(N=st.integers(1, 20), scale=st.floats(0, 1e4), seed=st.integers(0, 999))
def test_the_gradient_of_every_image_sums_to_zero(xp, N, scale, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 10, N)
    _, _, dz = loss_of(xp, rng.normal(size=(10, N)) * scale, y)
    np.testing.assert_allclose(dz.sum(axis=0), 0, atol=1e-15)
    assert (dz[y, np.arange(N)] <= 0).all()


def test_logits_are_not_changed_and_float32_stays(xp, rng):
    z = rng.normal(size=(10, 6)).astype(np.float32)
    on_device = xp.asarray(z.copy())
    _, _, dz = softmax_cross_entropy(on_device, xp.asarray(rng.integers(0, 10, 6)), 6)
    assert np.array_equal(to_host(on_device), z)
    assert dz.dtype == np.float32


@pytest.mark.parametrize("z_shape, y_shape", [((10, 4), (3,)), ((10, 4), (4, 1)), ((10,), (10,))])
def test_shapes_that_do_not_fit_are_named(z_shape, y_shape):
    with pytest.raises(ValueError) as error:
        softmax_cross_entropy(np.zeros(z_shape), np.zeros(y_shape, int), 4)
    assert str(z_shape) in str(error.value) and str(y_shape) in str(error.value)
