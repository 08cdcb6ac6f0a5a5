"""What is adjusted beyond the report, one test a formula, the values worked by hand."""

import math

import numpy as np
import pytest

from minisgd.backend import to_host
from minisgd.errors import SettingError
from minisgd.optim import clip_by_norm, nesterov_step, sgd_step
from minisgd.settings import Settings
from minisgd.train import Run

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


# ---- clipping by the norm


def test_clipping_by_hand(xp):
    """|(3, 4)| = 5: with c = 2.5 half of it is left, with c = 5 or 6 all of it."""
    for c, wanted in ((2.5, [1.5, 2.0]), (5.0, [3.0, 4.0]), (6.0, [3.0, 4.0])):
        g = xp.asarray([3.0, 4.0])
        clip_by_norm(g, c)
        assert to_host(g).tolist() == wanted


def test_a_gradient_of_zero_stays_zero(xp):
    g = xp.zeros(3)
    with np.errstate(all="ignore"):
        clip_by_norm(g, 1.0)
    assert to_host(g).tolist() == [0, 0, 0]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_stays_a_divergence(xp, value):
    g = xp.asarray([1.0, value])
    with np.errstate(all="ignore"):
        clip_by_norm(g, 1.0)
    assert not np.isfinite(to_host(g)).all()


def test_a_float32_gradient_whose_square_overflows_is_clipped(xp):
    g = xp.asarray([3e30, 4e30], np.float32)
    clip_by_norm(g, 5.0)
    np.testing.assert_allclose(to_host(g), [3, 4], rtol=1e-6)
    assert g.dtype == np.float32


def test_the_clip_comes_before_the_momentum(small_data):
    """Each gradient enters v no longer than c: |v| <= c (1 + m + m² + ...) < c/(1 - m)."""
    run = Run(Settings(64, lr=1e-6, momentum=0.5, clip=0.01, epochs=1), small_data)
    for t, lr, batch in run.batches(1):
        before = run.memory["v"].copy()
        run.update(t, lr, batch)
        added = np.linalg.norm(run.memory["v"] - 0.5 * before)
        assert added == pytest.approx(0.01, rel=1e-3)  # the gradient is far longer


@pytest.mark.parametrize("clip", [0.0, -1.0, math.nan, math.inf])
def test_a_clip_that_makes_no_sense_is_refused(clip):
    with pytest.raises(SettingError, match="clip must be a positive number"):
        Settings(clip=clip)
