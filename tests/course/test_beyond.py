"""What goes beyond the report: a test for each formula, with values worked out by hand."""

import math

import numpy as np
import pytest

from minisgd.backend import to_host
from minisgd.errors import SettingError
from minisgd.optim import clip_by_norm, nesterov_step, sgd_step
from minisgd.settings import Settings
from minisgd.train import Run, train

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
    """u <- m u - η ∇f(θ + m u), θ <- θ + u: at a constant rate, w is always θ + m u."""
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
    """|(3, 4)| = 5: c = 2.5 leaves half of it, c = 5 or 6 leaves all of it."""
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


def test_a_gradient_too_long_for_its_square_is_a_divergence(xp):
    """In float32 the square of 1e20 is no number: what is divided by it must not look at rest."""
    g = xp.asarray([3e30, 4e30], np.float32)
    with np.errstate(all="ignore"):
        clip_by_norm(g, 5.0)
    assert np.isnan(to_host(g)).all() and g.dtype == np.float32


def test_the_clip_comes_before_the_momentum(small_data):
    """No gradient that enters v is longer than c, so |v| <= c (1 + m + m² + ...) < c/(1 - m)."""
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


# ---- decays, and warmups counted in updates


def rates(N, **settings):
    settings = Settings(batch_size=10, lr=1.0, **settings)
    per_epoch = settings.updates_per_epoch(N)
    return [settings.rate(t, per_epoch) for t in range(settings.epochs * per_epoch)]


def test_cosine_as_a_full_list():
    """2 epochs of 3 updates, T = 6: (1 + cos π t/6)/2; the cosines are 1, √3/2, 1/2, 0, ..."""
    half_root = math.sqrt(3) / 2
    cosines = [1, half_root, 0.5, 0, -0.5, -half_root]
    wanted = [(1 + c) / 2 for c in cosines]
    assert rates(25, decay="cosine", epochs=2) == pytest.approx(wanted, abs=1e-15)


def test_linear_decay_as_a_full_list():
    assert rates(25, decay="linear", epochs=2) == pytest.approx(
        [1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]
    )


def test_steps_as_a_full_list():
    """A fifth from T/3 on, a twenty-fifth from 2T/3 on: at t = 2 and 4 of 6, at 3 and 5 of 7."""
    assert rates(25, decay="steps", epochs=2) == [1, 1, 1 / 5, 1 / 5, 1 / 25, 1 / 25]
    found = rates(65, decay="steps", epochs=1)
    assert found == [1, 1, 1, 1 / 5, 1 / 5, 1 / 25, 1 / 25]


def test_a_decay_begins_where_the_warmup_ends():
    """A ramp of 2 updates, then T = 4: 1/2, 1, then 1, 3/4, 2/4, 1/4."""
    found = rates(25, warmup="ramp", warmup_updates=2, decay="linear", epochs=2)
    assert found == [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    found = rates(25, warmup="ramp", warmup_epochs=1, decay="linear", epochs=2)
    assert found == pytest.approx([1, 1, 1, 1, 2 / 3, 1 / 3])  # one epoch of 3 updates


def test_the_reports_warmup_counted_in_updates():
    """η0 = 1, η = 4 (b/b0 = 4), k = 3: the formula at i = 1, 2, 3, then η."""
    given = dict(rule="linear", batch_size=40, base_batch_size=10, lr=1.0, epochs=2)
    for warmup, wanted in (("gradual", [1, 2, 3, 4, 4]), ("constant", [1, 1, 1, 4, 4])):
        settings = Settings(warmup=warmup, warmup_updates=3, **given)
        assert [settings.rate(t, 4) for t in range(5)] == wanted
    # The number of warmup epochs then means nothing.
    other = Settings(warmup="constant", warmup_updates=3, warmup_epochs=99, **given)
    assert other.key() == settings.key()


def test_a_run_that_is_longer_is_another_run():
    """T depends on the updates of the whole run."""
    assert Settings(decay="cosine", epochs=9).key() != Settings(decay="cosine").key()
    assert rates(25, decay="cosine", epochs=2)[5] != rates(25, decay="cosine", epochs=3)[5]


def test_the_recorded_rate_is_that_of_the_epochs_last_update(small_data):
    settings = Settings(320, lr=1e-9, decay="linear", epochs=2)
    found = [record["lr"] for record, _ in train(settings, small_data)]
    assert found == pytest.approx([0.75e-9, 0.25e-9])


def test_warmups_and_decays_that_make_no_sense_are_refused(small_data):
    with pytest.raises(SettingError, match="decay must be one of none, cosine, linear"):
        Settings(decay="steep")
    with pytest.raises(SettingError, match="at least 1 update, got 0"):
        Settings(warmup="gradual", warmup_updates=0)
    with pytest.raises(SettingError, match="warmup of 9 updates is longer than the run of 8"):
        Settings(320, warmup="gradual", warmup_updates=9, epochs=4).check(640)
