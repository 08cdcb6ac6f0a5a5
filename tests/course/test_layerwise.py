"""Adam, LARS and LAMB: one test an equation, by hand; zero lengths, NaN, resuming."""

import math

import numpy as np
import pytest

from minisgd.backend import to_host
from minisgd.errors import SettingError
from minisgd.optim import OPTIMIZERS, adam_step, lamb_step, lars_step
from minisgd.settings import Settings
from minisgd.train import Run, train


def test_adam_by_hand(xp):
    """β1 = .5, β2 = .75, g = 2, 0:
    v = 1, u = 1;  v̂ = 1/.5 = 2, û = 1/.25 = 4;  2/√4 = 1, w = 3 - .1.
    v = .5, u = .75;  v̂ = .5/.75 = 2/3, û = .75/.4375 = 12/7;  w falls by .1 (2/3)/√(12/7)."""
    w, v, u = xp.asarray([3.0]), xp.zeros(1), xp.zeros(1)
    adam_step(w, v, u, xp.asarray([2.0]), 0.1, 0, 0.5, 0.75, 0.0)
    assert (float(v[0]), float(u[0]), float(w[0])) == pytest.approx((1, 1, 2.9))
    adam_step(w, v, u, xp.zeros(1), 0.1, 1, 0.5, 0.75, 0.0)
    assert float(w[0]) == pytest.approx(2.9 - 0.1 * (2 / 3) / math.sqrt(12 / 7))


def test_the_epsilon_of_adam_stands_outside_the_root(xp):
    """g = 2, u = 4: 2/(2 + 2) = .5; inside the root it would be 2/√6."""
    w, v, u = xp.zeros(1), xp.zeros(1), xp.zeros(1)
    adam_step(w, v, u, xp.asarray([2.0]), 1.0, 0, 0.0, 0.0, 2.0)
    assert float(w[0]) == -0.5


def test_lars_by_hand(xp):
    """|w| = 5, |g| = 2, τ = .1, d = .5: λ = .5/(2 + 2.5) = 1/9; g + d w = (1.5, 4); η = .9:
    v = (.15, .4). Then g = -d w, so that g + d w = 0: v halves. The bias: v = .9 * 2."""
    w, v = xp.asarray([[3.0, 4.0]]), xp.zeros((1, 2))
    b, vb = xp.asarray([1.0]), xp.zeros(1)
    layers = [(w, v, xp.asarray([[0.0, 2.0]])), (b, vb, xp.asarray([2.0]))]
    lars_step(layers, 0.9, 0.5, 0.1, 0.5)
    assert to_host(w).tolist() == [pytest.approx([2.85, 3.6])]
    assert to_host(b).tolist() == pytest.approx([-0.8])
    lars_step([(w, v, -0.5 * w)], 0.9, 0.5, 0.1, 0.5)
    assert to_host(w).tolist() == [pytest.approx([2.85 - 0.075, 3.6 - 0.2])]


def test_the_rate_of_lars_is_inside_v(xp):
    """With η = 1, then 0: v is what the first update left, times m, and goes on moving w."""
    w, v = xp.asarray([[1.0]]), xp.zeros((1, 1))
    lars_step([(w, v, xp.asarray([[1.0]]))], 1.0, 0.5, 0.1, 0.0)  # λ = .1
    lars_step([(w, v, xp.asarray([[1.0]]))], 0.0, 0.5, 0.1, 0.0)
    assert float(w[0, 0]) == pytest.approx(1 - 0.1 - 0.05)


def one_tensor_lamb(w, v, u, g, *numbers):
    """LAMB on one tensor w; numbers are η, t, β1, β2, ε and d."""
    flat = [x.ravel() for x in (w, v, u, g)]
    lamb_step(*flat, {"W": w.shape}, *numbers)


def test_lamb_by_hand(xp):
    """β = 0: r = sign g, so |r| = √2; |w| = 5 and η = .2 √2 make a step of 1 along each sign."""
    w, v, u = xp.asarray([[3.0, 4.0]]), xp.zeros((1, 2)), xp.zeros((1, 2))
    g = xp.asarray([[2.0, -7.0]])
    one_tensor_lamb(w, v, u, g, 0.2 * math.sqrt(2), 0, 0.0, 0.0, 0.0, 0.0)
    assert to_host(w).tolist() == [pytest.approx([2, 5])]


def test_the_decay_of_lamb_is_part_of_r(xp):
    """g = (3, 4), so sign g = (1, 1); d = 1 adds w = (2, -1): r = (3, 0), |w|/|r| = √5/3."""
    w, v, u = xp.asarray([[2.0, -1.0]]), xp.zeros((1, 2)), xp.zeros((1, 2))
    one_tensor_lamb(w, v, u, xp.asarray([[3.0, 4.0]]), 1.0, 0, 0.0, 0.0, 0.0, 1.0)
    assert to_host(w).tolist() == [pytest.approx([2 - math.sqrt(5), -1])]


def steps(w, g):
    """Each optimizer's first step on one tensor: (name, w after it)."""
    for name in ("lars", "lamb"):
        now = w.copy()
        memory = [np.zeros_like(w) for _ in OPTIMIZERS[name].memory]
        with np.errstate(all="ignore"):
            if name == "lars":
                lars_step([(now, *memory, g)], 0.1, 0.9, 0.001, 0.0)
            else:
                one_tensor_lamb(now, *memory, g, 0.1, 0, 0.9, 0.999, 1e-8, 0.0)
        yield name, now


def test_where_a_length_is_zero_the_ratio_is_one():
    for name, now in steps(np.zeros((2, 2)), np.full((2, 2), 3.0)):
        wanted = -0.3 if name == "lars" else -0.1  # η g, and η v̂/√û
        np.testing.assert_allclose(now, wanted, rtol=1e-6)
    for _, now in steps(np.ones((2, 2)), np.zeros((2, 2))):
        assert np.array_equal(now, np.ones((2, 2)))


def test_without_a_gradient_the_decay_of_lars_is_not_magnified():
    """g = 0: λ = 1, not τ/d = 50: w falls by η d w = .1 * .002 * 1."""
    w, v, g = np.ones((1, 1)), np.zeros((1, 1)), np.zeros((1, 1))
    lars_step([(w, v, g)], 0.1, 0.9, 0.1, 0.002)
    assert float(w[0, 0]) == pytest.approx(1 - 0.0002)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_is_a_divergence(value):
    for _, now in steps(np.ones((2, 2)), np.array([[1.0, value], [0.0, 2.0]])):
        assert not np.isfinite(now).all()


def test_a_tensor_of_one_element_is_stepped(xp):
    w = xp.asarray([[4.0]])
    one_tensor_lamb(w, xp.zeros((1, 1)), xp.zeros((1, 1)), xp.asarray([[-9.0]]), 0.5, 0, 0, 0, 0, 0)
    assert float(w[0, 0]) == 6.0  # a step of η |w| against the sign


@pytest.mark.parametrize("name", ["adam", "lars", "lamb", "muon", "muon-inner"])
def test_training_is_the_equations_and_goes_on_from_its_state_to_the_same_bits(small_data, name):
    settings = Settings(
        160, lr=0.01, momentum=0.9, optimizer=name, epochs=3, trust=0.02, weight_decay=0.01
    )
    found = list(train(settings, small_data))
    assert found[-1][0]["train_loss"] < found[0][0]["train_loss"]
    assert set(found[0][1].memory) == set(OPTIMIZERS[name].memory)
    (_, rest), *_ = [(r, s) for r, s in train(settings, small_data, state=found[1][1])]
    assert np.array_equal(rest.w, found[2][1].w)
    assert all(np.array_equal(rest.memory[k], found[2][1].memory[k]) for k in rest.memory)
    assert found[0][1].w.dtype == np.float32
    run = Run(settings, small_data)
    assert run.memory.keys() == found[0][1].memory.keys()


def test_settings_that_an_optimizer_does_not_use_mean_nothing():
    assert Settings(beta2=0.5, trust=1.0).key() == Settings().key()
    given = dict(optimizer="lamb", momentum=0.9)
    assert Settings(beta2=0.5, **given).key() != Settings(**given).key()
    assert Settings(trust=0.5, **given).key() == Settings(**given).key()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (dict(beta2=1.0), "beta2 must be at least 0 and below 1, got 1"),
        (dict(epsilon=-1.0), "epsilon must be a number of at least 0, got -1"),
        (dict(weight_decay=math.inf), "weight_decay must be a number of at least 0, got inf"),
        (dict(trust=math.nan), "trust must be a positive number"),
        (dict(trust=0.0), "trust must be a positive number, got 0"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(wrong, said):
    with pytest.raises(SettingError, match=said):
        Settings(optimizer="lamb", **wrong)


# -- Adam's rule


def test_adams_rule_by_hand():
    """From 512 to 2048, κ = 4: η √4, 1-β1 from .05 to .2, 1-β2 from .01 to .04, ε/√4."""
    s = Settings(
        2048, lr=0.01, rule="adam-sqrt", base_batch_size=512, optimizer="adam",
        momentum=0.95, beta2=0.99, epsilon=1e-6,
    )  # fmt: skip
    assert s.scaled_lr == 0.02
    assert s.scaled_adam() == pytest.approx((0.8, 0.96, 5e-7))
    back = Settings(
        512, lr=0.02, rule="adam-sqrt", base_batch_size=2048, optimizer="adam",
        momentum=0.8, beta2=0.96, epsilon=5e-7,
    )  # fmt: skip
    assert back.scaled_lr == 0.01 and back.scaled_adam() == pytest.approx((0.95, 0.99, 1e-6))


def test_at_its_base_batch_size_adams_rule_changes_nothing():
    s = Settings(64, rule="adam-sqrt", optimizer="adam", momentum=0.0, beta2=0.5)
    assert (s.scaled_lr, *s.scaled_adam()) == (0.01, 0.0, 0.5, 1e-8)


def test_adams_rule_is_what_the_run_takes_its_steps_by(small_data):
    """The same weights as with the scaled numbers given as they are."""
    given = dict(optimizer="adam", epochs=1)
    ruled = Settings(
        256, lr=0.001, momentum=0.95, beta2=0.99, rule="adam-sqrt", base_batch_size=64, **given
    )
    plain = Settings(256, lr=0.002, momentum=0.8, beta2=0.96, epsilon=5e-9, **given)
    ((_, one),), ((_, other),) = train(ruled, small_data), train(plain, small_data)
    np.testing.assert_allclose(one.w, other.w, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (dict(momentum=0.9), r"16 times as large, and β1 \(the momentum\) is 0.9: give more than"),
        (dict(beta2=0.9), "β2 is 0.9: give more than 0.9375, or a larger base batch size than 512"),
        (dict(optimizer="lamb"), "adam-sqrt scales β1, β2 and ε of Adam as well"),
    ],
)  # fmt: skip
def test_a_rule_that_leaves_nothing_to_remember_is_refused(wrong, said):
    given = dict(rule="adam-sqrt", base_batch_size=512, optimizer="adam", momentum=0.95) | wrong
    with pytest.raises(SettingError, match=said):
        Settings(8192, **given)
