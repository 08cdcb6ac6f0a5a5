"""The updates by hand, for several steps, with a rate that stands still and with one that moves."""

import numpy as np
import pytest

from minisgd.backend import to_host
from minisgd.optim import momentum_step, sgd_step


def test_sgd_by_hand(xp):
    """w: 1 - .5 * 2 = 0, 0 - .25 * 4 = -1;  and  2 - .5 * -2 = 3, 3 - .25 * 8 = 1."""
    w = xp.asarray([1.0, 2.0])
    sgd_step(w, xp.asarray([2.0, -2.0]), 0.5)
    assert to_host(w).tolist() == [0, 3]
    sgd_step(w, xp.asarray([4.0, 8.0]), 0.25)
    assert to_host(w).tolist() == [-1, 1]


def test_momentum_by_hand(xp):
    """m = .5, g = 4, 2, 0 and η = .5, .25, .25:
    v = 4, .5 * 4 + 2 = 4, .5 * 4 + 0 = 2;  w = 10 - 2 = 8, 8 - 1 = 7, 7 - .5 = 6.5."""
    w, v = xp.asarray([10.0]), xp.zeros(1)
    seen = []
    for g, lr in [(4.0, 0.5), (2.0, 0.25), (0.0, 0.25)]:
        momentum_step(w, v, xp.asarray([g]), lr, 0.5)
        seen.append((float(v[0]), float(w[0])))
    assert seen == [(4, 8), (4, 7), (2, 6.5)]


def test_momentum_zero_is_sgd(xp, rng):
    w = rng.normal(size=50)
    plain, heavy, v = xp.asarray(w), xp.asarray(w.copy()), xp.zeros(50)
    for lr in (0.1, 0.3, 0.2):
        g = xp.asarray(rng.normal(size=50))
        sgd_step(plain, g, lr)
        momentum_step(heavy, v, g, lr, 0.0)
    assert np.array_equal(to_host(plain), to_host(heavy))


def test_the_rate_stands_outside_v(xp):
    """On x²/2 from x = 1, m = .9, 20 steps, the rate rising as .1 (t+1)/10 over the first ten.

    With the rate outside v, as in the report, x ends at .439; inside v it would end at .114.
    """
    rates = [0.1 * min(1, (t + 1) / 10) for t in range(20)]
    x, v = xp.ones(1), xp.zeros(1)
    for lr in rates:
        momentum_step(x, v, x.copy(), lr, 0.9)
    inside, u = 1.0, 0.0
    for lr in rates:
        u = 0.9 * u + lr * inside
        inside -= u
    assert float(x[0]) == pytest.approx(0.439, abs=5e-4)
    assert inside == pytest.approx(0.114, abs=5e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("number", [float, np.float64], ids=lambda kind: kind.__name__)
def test_updates_are_in_place_and_keep_the_dtype(xp, dtype, number):
    """The views of w (params) stay valid only if w stays where it is."""
    w, v, g = (xp.full(6, value, dtype) for value in (1, 0, 2))
    view = w[2:4]
    sgd_step(w, g, number(0.25))
    momentum_step(w, v, g, number(0.25), number(0.5))
    assert to_host(view).tolist() == [0, 0]
    assert to_host(v).tolist() == [2] * 6
    assert to_host(g).tolist() == [2] * 6, "the gradient is not the update's to change"
    assert w.dtype == v.dtype == dtype
