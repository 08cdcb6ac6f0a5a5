"""Muon: its equations by hand, its matrices against the singular value decomposition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisgd.backend import to_host
from minisgd.errors import SettingError
from minisgd.networks import NETWORKS, Part, shapes_of, views
from minisgd.optim import OPTIMIZERS, adam_step, muon_step, orthogonalized
from minisgd.settings import Settings


def five_times(s):
    """What five steps of Newton and Schulz make of a singular value: p(x) = a x + b x³ + c x⁵."""
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return s


def by_the_svd(M):
    """U p(S/|S|) V' of M = U S V'."""
    U, S, V = np.linalg.svd(M, full_matrices=False)
    return U * five_times(S / np.linalg.norm(S)) @ V


@given(
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.integers(0, 2**31),
    st.sampled_from((1e-6, 1.0, 1e6)),
)
def test_newton_and_schulz_change_the_singular_values_alone(shape, seed, scale):
    M = scale * np.random.default_rng(seed).normal(size=shape)
    np.testing.assert_allclose(orthogonalized(M), by_the_svd(M), rtol=1e-9, atol=1e-9)


def test_singular_values_that_are_not_tiny_come_near_one():
    """From a hundredth of the length on."""
    s = five_times(np.geomspace(0.01, 1, 1_000))
    assert 0.68 < s.min() < 0.69 and 1.13 < s.max() < 1.14


def test_the_five_steps_by_hand(xp):
    """p(1) = 3.4445 - 4.7750 + 2.0315 = .701, p(.701) = 2.4146 - 1.6449 + .3439 = 1.1136, and on:
    .7207, 1.0900, .6965. A single row has one singular value, which its length divided by itself
    makes 1."""
    M = xp.asarray([[3.0, 0.0, -4.0]])
    np.testing.assert_allclose(to_host(orthogonalized(M)), [[0.4179, 0, -0.5572]], atol=1e-4)


def test_muon_by_hand(xp):
    """A column of three, m = .5, g = (3, 0, 4): v = g, s = g + v/2 = 1.5 g, s/|s| = (.6, 0, .8).
    Its singular value 1 becomes .6965 as above, and √(3/1) makes the step longer.
    Then g = 0: v = (1.5, 0, 2), and the same step again."""
    w, v = xp.ones((3, 1)), xp.zeros((3, 1))
    muon_step([(w, v, xp.asarray([[3.0], [0.0], [4.0]]))], 0.1, 0.5)
    np.testing.assert_allclose(to_host(w)[:, 0], [0.92762, 1, 0.90349], atol=1e-5)
    assert to_host(v)[:, 0].tolist() == [3, 0, 4]
    muon_step([(w, v, xp.zeros((3, 1)))], 0.1, 0.5)
    np.testing.assert_allclose(to_host(w)[:, 0], [0.85525, 1, 0.80700], atol=1e-5)


def test_a_kernel_is_a_matrix_with_a_row_for_each_of_its_outputs(xp):
    """(F, C, KH, KW) as (F, C KH KW): what is flat, too, takes the same step."""
    rng = np.random.default_rng(0)
    g = rng.normal(size=(4, 3, 2, 2))
    w, v = np.zeros_like(g), np.zeros_like(g)
    muon_step([(w, v, g)], 1.0, 0.9)
    np.testing.assert_allclose(w.reshape(4, 12), -by_the_svd(g.reshape(4, 12)), atol=1e-12)


def test_no_gradient_no_step_and_what_is_not_finite_stays_so():
    for value, finite in ((0.0, True), (np.nan, False), (np.inf, False), (1e200, False)):
        w, v = np.ones((2, 3)), np.zeros((2, 3))
        with np.errstate(all="ignore"):
            muon_step([(w, v, np.full((2, 3), value))], 0.1, 0.9)
        assert np.isfinite(w).all() == finite
        assert not finite or np.array_equal(w, np.ones((2, 3)))


def test_a_matrix_of_one_element_steps_against_its_sign():
    w, v = np.array([[4.0]]), np.zeros((1, 1))
    muon_step([(w, v, np.array([[-9.0]]))], 0.5, 0.9)
    assert w[0, 0] == pytest.approx(4 + 0.5 * 0.6965, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "by_muon"),
    [
        ("muon", {"conv1.W", "conv2.W", "fc1.W", "fc2.W", "fc3.W"}),
        ("muon-inner", {"conv2.W", "fc1.W", "fc2.W"}),
    ],
)
def test_kernels_are_muons_and_the_rest_is_adams_at_its_own_rate(name, by_muon, rng):
    shapes = shapes_of(NETWORKS["lenet5"])
    P = sum(int(np.prod(shape)) for shape in shapes.values())
    settings = Settings(
        optimizer=name, momentum=0.8, beta2=0.9, epsilon=1e-3, adam_factor=0.25, lr=0.1
    )
    w, g = rng.normal(size=(2, P))
    before, memory = w.copy(), {k: np.zeros(P) for k in OPTIMIZERS[name].memory}
    OPTIMIZERS[name].step(w, g, memory, 0.1, 0, settings, shapes)
    for tensor, now in views(w, shapes).items():
        ours, mine = views(before, shapes)[tensor].copy(), views(g, shapes)[tensor]
        v, u = np.zeros_like(ours), np.zeros_like(ours)
        if tensor in by_muon:
            muon_step([(ours, v, mine)], 0.1, 0.8)
        else:
            adam_step(ours, v, u, mine, 0.025, 0, 0.8, 0.9, 1e-3)
        np.testing.assert_allclose(now, ours, rtol=1e-12, err_msg=tensor)
        assert np.array_equal(views(memory["v"], shapes)[tensor], v)


@pytest.mark.parametrize("name", ["lars", "muon", "muon-inner"])
def test_a_network_without_kernels_is_refused(monkeypatch, name):
    shift = Part(lambda b, db: None, "shift", {"b": (10,)})
    monkeypatch.setitem(NETWORKS, "shifts", [shift])
    with pytest.raises(SettingError, match=f"{name} gives every kernel a step .* shifts has none"):
        Settings(optimizer=name, momentum=0.9, network="shifts")
