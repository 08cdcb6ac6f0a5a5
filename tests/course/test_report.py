"""One test a formula of the report, named after it, the values worked by hand."""

import numpy as np
import pytest

from minisgd import rules
from minisgd.errors import SettingError
from minisgd.optim import momentum_step, sgd_step

SIZES = [64, 128, 256, 512, 1024, 2048, 4096, 8192]


def test_sec_1_sgd_update():
    """Sec. I: w_{t+1} = w_t - η (1/b) Σ ∇l(x, w_t).

    b = 4 with gradients 1, 2, 3, 6: the mean is 3, and 5 - .5 * 3 = 3.5.
    """
    w = np.array([5.0])
    sgd_step(w, np.array([1 + 2 + 3 + 6]) / 4, 0.5)
    assert w.tolist() == [3.5]


def test_sec_2_sqrt_rule():
    """Sec. II: η = η0 sqrt(b/b0). From .01 at 64: x 2 at 256, x 4 at 1024, x 8 at 4096."""
    rates = [rules.scaled_lr("sqrt", 0.01, b, 64) for b in (64, 256, 1024, 4096)]
    assert rates == pytest.approx([0.01, 0.02, 0.04, 0.08])
    # sqrt(128) = 11.3137; and Fig. 6, from b0 = 2048: sqrt 2 at 4096, 2 at 8192
    assert rules.scaled_lr("sqrt", 0.01, 8192, 64) == pytest.approx(0.113137, abs=1e-6)
    assert rules.scaled_lr("sqrt", 0.01, 4096, 2048) == pytest.approx(0.0141421, abs=1e-7)
    assert rules.scaled_lr("sqrt", 0.01, 8192, 2048) == pytest.approx(0.02)


def test_sec_2_sqrt_rule_keeps_the_covariance_of_the_update():
    """Sec. II: cov(Δw, Δw) ≈ η²/b (...), which the rule holds at .01²/64 for every b."""
    for b in SIZES:
        assert rules.scaled_lr("sqrt", 0.01, b, 64) ** 2 / b == pytest.approx(0.01**2 / 64)


def test_sec_2_linear_rule():
    """Sec. II: η = η0 b/b0, doubling from .01 at 64 to .01 * 128 = 1.28 at 8192."""
    rates = [rules.scaled_lr("linear", 0.01, b, 64) for b in SIZES]
    assert rates == pytest.approx([0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28])


def test_sec_2_linear_rule_is_k_small_steps_in_one():
    """Sec. II: where the gradient stands still, w'_{t+1} = w_{t+k} for η = k η0 and b = k b0."""
    g = np.array([3.0, -1.0])
    small, large = np.array([1.0, 2.0]), np.array([1.0, 2.0])
    for _ in range(8):
        sgd_step(small, g, 0.01)
    sgd_step(large, g, rules.scaled_lr("linear", 0.01, 8 * 64, 64))
    assert large == pytest.approx(small)


def test_fig_1_rule_none():
    """Fig. 1: η = .01 at every batch size."""
    assert [rules.scaled_lr("none", 0.01, b, 64) for b in SIZES] == [0.01] * 8


def test_sec_2_constant_warmup():
    """Sec. II: η0 for the first k = 10 epochs, then the linear rule's 1.28."""
    rates = [rules.warmup_lr("constant", i, 0.01, 1.28, 10) for i in range(1, 14)]
    assert rates == [0.01] * 10 + [1.28] * 3


def test_sec_2_gradual_warmup():
    """Sec. II: η = (k+1-i)/k η0 + (i-1)/k (b/b0) η0 for 1 <= i <= k; k = 10, b = 8192.

    From .01 in steps of (1.28 - .01)/10 = .127; epoch 10 is at 9/10 of the way, epoch 11 there.
    """
    by_hand = [0.01, 0.137, 0.264, 0.391, 0.518, 0.645, 0.772, 0.899, 1.026, 1.153, 1.28, 1.28]
    rates = [rules.warmup_lr("gradual", i, 0.01, 1.28, 10) for i in range(1, 13)]
    assert rates == pytest.approx(by_hand, rel=1e-12)


def test_no_warmup():
    """Fig. 3: the full rate from the first epoch on."""
    assert [rules.warmup_lr("none", i, 0.01, 1.28, 10) for i in (1, 5, 11)] == [1.28] * 3


def test_sec_3_momentum_update():
    """Sec. III: v_{t+1} = m v_t + (1/b) Σ ∇l(x, w_t), w_{t+1} = w_t - η v_{t+1}.

    m = .9, η = .1, g = 1 twice: v = 1, then 1.9; w = 1 - .1 = .9, then .9 - .19 = .71.
    """
    w, v = np.array([1.0]), np.zeros(1)
    momentum_step(w, v, np.ones(1), 0.1, 0.9)
    assert (v[0], w[0]) == pytest.approx((1, 0.9))
    momentum_step(w, v, np.ones(1), 0.1, 0.9)
    assert (v[0], w[0]) == pytest.approx((1.9, 0.71))


def test_sec_3_effective_rate():
    """Sec. III: η_eff = η/(1-m); .01/(1 - .9) = .1."""
    assert rules.effective_lr(0.01, 0.9) == pytest.approx(0.1)
    assert rules.effective_lr(0.01, 0.0) == 0.01
    # the linear rule on η is the linear rule on η_eff: .1 * 128 = 12.8
    lr = rules.scaled_lr("linear", 0.01, 8192, 64)
    assert rules.effective_lr(lr, 0.9) == pytest.approx(12.8)


def test_sec_3_effective_rate_is_what_one_gradient_adds_up_to():
    """Sec. III: one gradient, then none: its steps sum to the geometric series η/(1-m) g."""
    w, v = np.zeros(1), np.zeros(1)
    momentum_step(w, v, np.array([2.0]), 0.01, 0.9)
    for _ in range(400):
        momentum_step(w, v, np.zeros(1), 0.01, 0.9)
    assert -w[0] == pytest.approx(rules.effective_lr(0.01, 0.9) * 2.0)


def test_sec_4_momentum_whose_effective_rate_follows_sqrt():
    """Sec. IV: 1/(1-m) follows the sqrt rule, from 10 at 2048.

    4096: 10 sqrt 2, m = 1 - .1/1.41421 = .929289;  8192: 20, m = .95.
    """
    momenta = [rules.scaled_momentum("sqrt", 0.9, b, 2048) for b in (2048, 4096, 8192)]
    assert momenta == pytest.approx([0.9, 0.929289, 0.95], abs=1e-6)


def test_fig_6_momentum_of_the_last_run():
    """Fig. 6: 8192 keeps the rate of 4096, .01414, and doubles b only in m: 1/(1-m) = 10 sqrt 2."""
    m = rules.scaled_momentum("sqrt", 0.9, 8192, 4096)
    assert 1 / (1 - m) == pytest.approx(10 * 2**0.5)
    assert rules.effective_lr(0.01 * 2**0.5, m) == pytest.approx(0.2)


def test_sec_4_momentum_under_the_other_rules():
    """none leaves .9; linear: 1/(1-m) = 10 * 4, m = .975. A smaller b: 10/2 = 5, m = .8."""
    assert rules.scaled_momentum("none", 0.9, 8192, 2048) == pytest.approx(0.9)
    assert rules.scaled_momentum("linear", 0.9, 8192, 2048) == pytest.approx(0.975)
    assert rules.scaled_momentum("linear", 0.9, 1024, 2048) == pytest.approx(0.8)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: rules.scaled_lr("cubic", 0.01, 64, 64), "cubic"),
        (lambda: rules.scaled_lr("linear", 0.0, 64, 64), "got 0"),
        (lambda: rules.scaled_lr("linear", -0.01, 64, 64), "-0.01"),
        (lambda: rules.scaled_lr("linear", float("nan"), 64, 64), "nan"),
        (lambda: rules.scaled_lr("linear", float("inf"), 64, 64), "inf"),
        (lambda: rules.scaled_lr("linear", 0.01, 0, 64), "got 0"),
        (lambda: rules.scaled_lr("sqrt", 0.01, 64, -1), "-1"),
        (lambda: rules.warmup_lr("slow", 1, 0.01, 1.28), "slow"),
        (lambda: rules.warmup_lr("gradual", 0, 0.01, 1.28), "epoch 0"),
        (lambda: rules.warmup_lr("gradual", 1, 0.01, 1.28, 0), "at least 1 epoch, got 0"),
        (lambda: rules.effective_lr(0.01, 1.0), "got 1"),
        (lambda: rules.effective_lr(0.01, -0.1), "-0.1"),
        (lambda: rules.effective_lr(0.0, 0.9), "got 0"),
        (lambda: rules.scaled_momentum("sqrt", 1.0, 128, 64), "got 1"),
        (lambda: rules.scaled_momentum("cubic", 0.9, 128, 64), "cubic"),
        (lambda: rules.scaled_momentum("linear", 0.9, 0, 64), "got 0"),
        # 1/(1-m) = 2 * 64/512 = .25 would need m = -3
        (lambda: rules.scaled_momentum("linear", 0.5, 64, 512), "0.25"),
    ],
)
def test_settings_that_make_no_sense_are_refused(call, message):
    with pytest.raises(SettingError, match=message) as error:
        call()
    assert isinstance(error.value, ValueError)
