"""What is adjusted beyond the report, one test a formula, the values worked by hand."""

import numpy as np
import pytest

from minisgd.errors import SettingError
from minisgd.optim import nesterov_step, sgd_step
from minisgd.settings import Settings

# ---- Nesterov


def test_nesterov_by_hand(xp):
    """m = .5, g = 4, 2, 0 and η = .5, .25, .25:
    v = 4, 4, 2;  g + m v = 6, 4, 1;  w = 10 - 3 = 7, 7 - 1 = 6, 6 - .25 = 5.75."""
    w, v = xp.asarray([10.0]), xp.zeros(1)
    seen = []
    for g, lr in [(4.0, 0.5), (2.0, 0.25), (0.0, 0.25)]:
        nesterov_step(w, v, xp.asarray([g]), lr, 0.5)
        seen.append((float(v[0]), float(w[0])))
    assert seen == [(4, 7), (4, 6), (2, 5.75)]


def test_nesterov_is_sutskevers_form_seen_from_the_point_ahead(rng):
    """u <- m u - η ∇f(θ + m u), θ <- θ + u: at a constant rate w is θ + m u, at every update."""
    A = rng.normal(size=(6, 6))
    A = A @ A.T / 6
    w, v = rng.normal(size=6), np.zeros(6)
    theta, u = w.copy(), np.zeros(6)
    for _ in range(20):
        nesterov_step(w, v, A @ w, 0.05, 0.9)
        u = 0.9 * u - 0.05 * A @ (theta + 0.9 * u)
        theta = theta + u
        np.testing.assert_allclose(w, theta + 0.9 * u, rtol=1e-12, atol=1e-12)


def test_nesterov_without_momentum_is_sgd(rng):
    plain, ahead, v = np.ones(5), np.ones(5), np.zeros(5)
    for _ in range(3):
        g = rng.normal(size=5)
        sgd_step(plain, g, 0.1)
        nesterov_step(ahead, v, g, 0.1, 0.0)
    assert np.array_equal(plain, ahead)


def test_nesterov_wants_a_momentum():
    with pytest.raises(SettingError, match=r"nesterov needs a momentum above 0, such as 0\.9"):
        Settings(optimizer="nesterov")
