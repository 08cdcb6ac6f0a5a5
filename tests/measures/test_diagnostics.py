"""Estimators held against problems whose answers are known in closed form."""

from math import inf, sqrt

import numpy as np
import pytest

from minisgd.measures import estimators as d


def quadratic(H, w0=0.0):
    """f(w) = (w - w0)' H (w - w0) / 2: its Hessian is H everywhere."""
    return lambda w: (float((w - w0) @ H @ (w - w0)) / 2, H @ (w - w0))


def with_eigenvalues(values, rng):
    Q = np.linalg.qr(rng.normal(size=(len(values), len(values))))[0]
    return Q @ np.diag(values) @ Q.T, Q


def test_the_mean_has_its_standard_error():
    """Of 1, 2, 3: the deviation is 1, so 1/√3."""
    found = d.mean([1, 2, 3])
    assert found.value == 2 and found.error == pytest.approx(1 / sqrt(3))
    assert d.mean([5]).error == inf
    assert str(d.Estimate(123.456, 0.789)) == "123.5 ± 0.79"
    assert str(d.Estimate(295.2, 101.3)) == "295.2 ± 100"  # and not 1e+02


def test_a_vector_without_direction_is_refused():
    for vector in (np.zeros(3), np.array([1.0, np.nan])):
        with pytest.raises(ValueError, match="has no direction"):
            d.unit(vector)


# -- curvature


@pytest.mark.parametrize("h", [1e-5, 1e-3, 0.1])
def test_a_hessian_product_is_exact_on_a_quadratic(rng, h):
    H, _ = with_eigenvalues(rng.normal(size=7), rng)
    w, u = rng.normal(size=7), d.unit(rng.normal(size=7))
    np.testing.assert_allclose(d.hessian_product(quadratic(H), w, u, h), H @ u, atol=1e-9)


def test_a_hessian_product_is_of_second_order_in_h():
    """f = w^4: f'' = 12 w²; the centred difference gives 12 w² + 4 h²."""
    f = lambda w: (float(w[0] ** 4), 4 * w**3)  # noqa: E731
    found = d.hessian_product(f, np.array([2.0]), np.array([1.0]), 0.1)
    assert found[0] == pytest.approx(48 + 4 * 0.01)


def test_the_largest_eigenvalue_and_its_bound(rng):
    values = np.concatenate([[10.0, 7.0, -12.0], rng.uniform(-1, 3, 57)])
    H, Q = with_eigenvalues(values, rng)
    found, vector = d.largest_eigenvalue(lambda u: H @ u, rng.normal(size=60), 30, 1e-6)
    assert abs(found.value - 10) <= found.error + 1e-9 and found.error <= 1e-5
    assert abs(vector @ Q[:, 0]) == pytest.approx(1, abs=1e-5)  # the largest, not the -12
    rough, _ = d.largest_eigenvalue(lambda u: H @ u, rng.normal(size=60), 4, 1e-6)
    assert rough.error > 0.01  # it says that it has not got there
    assert min(abs(values - rough.value)) <= rough.error


def test_few_dimensions_end_the_search(rng):
    H, _ = with_eigenvalues([3.0, 1.0], rng)
    found, _ = d.largest_eigenvalue(lambda u: H @ u, rng.normal(size=2), 30, 0)
    assert found.value == pytest.approx(3) and found.error < 1e-9


def test_a_start_near_another_eigenvector_is_not_believed(rng):
    """9.9 along the start, 20 elsewhere: four products at least, and the random part finds it."""
    values = np.concatenate([[20.0, 10.0], rng.uniform(-1, 3, 58)])
    H, Q = with_eigenvalues(values, rng)
    start = Q[:, 1] + d.unit(rng.normal(size=60))
    found, _ = d.largest_eigenvalue(lambda u: H @ u, start, 12, 0.05)
    assert found.value == pytest.approx(20, rel=0.05)


def test_an_eigenvector_needs_no_more_products_than_two(rng):
    """One to find that nothing is left over, and one to check."""
    H, Q = with_eigenvalues([5.0, 2.0, 1.0], rng)
    calls = []
    found, _ = d.largest_eigenvalue(lambda u: calls.append(u) or H @ u, Q[:, 0] * 7)
    assert found.value == pytest.approx(5) and len(calls) == 2


def test_products_that_are_no_matrix_have_a_larger_error(rng):
    """A product that is a tenth larger every second time: x'A x is not θ, and the error says so."""
    H, calls = with_eigenvalues(np.arange(1.0, 31.0), rng)[0], []

    def product(u):
        calls.append(u)
        return H @ u * (1.1 if len(calls) % 2 else 1.0)

    found, _ = d.largest_eigenvalue(product, rng.normal(size=30), 30, 1e-9)
    assert found.error > 0.3
    assert abs(found.value - 30) < found.error + 3.5


def test_a_kink_counts_one_over_2h():
    """max(0, w) at 0: the gradient jumps by 1 across it; at 1 the nearest kink is 1 away."""
    f = lambda w: (max(0.0, float(w[0])), (w > 0).astype(float))  # noqa: E731
    u = np.ones(1)
    assert d.hessian_product(f, np.zeros(1), u, 0.01)[0] == pytest.approx(50)
    assert d.hessian_product(f, np.ones(1), u, 0.01)[0] == 0


def test_sharpness_along_the_gradient_by_hand():
    """H = diag(4, 1), w = (1, 2): g = (4, 2), g'Hg / g'g = (64 + 4) / 20."""
    f, w = quadratic(np.diag([4.0, 1.0])), np.array([1.0, 2.0])
    assert d.sharpness_along(f, w, f(w)[1], 1e-4) == pytest.approx(3.4)
    assert d.sharpness_along(f, w, np.zeros(2), 1e-4) == 0


@pytest.mark.parametrize("curvature", [1e-3, 0.5, 3.0, 4000.0])
def test_the_critical_rate_of_a_parabola_is_2_over_its_curvature(curvature):
    """w²c/2 after a step of η along the gradient: (1 - ηc)² must be at most 1."""
    low, high = d.critical_rate(lambda rate: ((1 - rate * curvature) * 3) ** 2)
    assert low <= 2 / curvature * (1 + 1e-9) and high >= 2 / curvature and high <= 1.1 * low


def test_a_critical_rate_where_nothing_or_everything_raises_the_loss():
    assert d.critical_rate(lambda rate: -rate, largest=100) == (81.92, inf)
    low, high = d.critical_rate(lambda rate: rate)
    assert low == 0 and high < 1e-7
    # Up at .3 and down again: not seen from .01, whose doublings are .16, .32.
    bump = lambda rate: 1.0 if 0.29 < rate < 0.31 else -rate  # noqa: E731
    assert d.critical_rate(bump, largest=100) == (81.92, inf)
    low, high = d.critical_rate(lambda rate: np.nan if rate > 1 else -rate)
    assert low <= 1 <= high <= 1.1 * low
    assert d.critical_rate(lambda rate: np.nan)[0] == 0


# -- noise


def draws(rng, G, deviations, sizes, R):
    """|g|² of R batches of each size, of gradients ~ N(G, diag(deviations²))."""
    return [
        ((G + rng.normal(size=(R, len(G))) * deviations / sqrt(b)) ** 2).sum(axis=1) for b in sizes
    ]


def test_the_noise_scale_of_a_known_distribution(rng):
    """tr Σ = Σ σ² and |G|² are given; the answers are within four of their stated errors."""
    G, deviations = rng.normal(size=50) / 10, rng.uniform(0.5, 2, 50)
    trace, squared = (deviations**2).sum(), (G**2).sum()
    small, large = draws(rng, G, deviations, (16, 512), 400)
    found = d.noise_from_two_sizes(small, large, 16, 512)
    for estimate, truth in zip(found, (trace, squared, trace / squared), strict=True):
        assert abs(estimate.value - truth) < 4 * estimate.error
        assert estimate.error < 0.1 * truth


def test_the_stated_errors_of_the_noise_scale_are_those_that_are_made(rng):
    """Over 200 repetitions the truth is within one stated error in about 68 of 100."""
    G, deviations = np.full(20, 0.2), np.full(20, 1.0)
    hits = 0
    for _ in range(200):
        small, large = draws(rng, G, deviations, (8, 128), 60)
        estimate = d.noise_from_two_sizes(small, large, 8, 128)[2]
        hits += abs(estimate.value - 20 / 0.8) < estimate.error
    assert 0.58 < hits / 200 < 0.78


def test_a_gradient_lost_in_the_noise_has_no_noise_scale():
    assert d.noise_from_two_sizes([4.0, 4.0], [0.1, 0.1], 1, 2)[2].value == inf
    # Without the first draw |G|² is not positive: the error is not known, and not small.
    _, squared, noise = d.noise_from_two_sizes([1.0, 4.0, 4.0], [2.0, 1.9, 1.9], 1, 2)
    assert squared.value > 0 and noise.error == inf > squared.error
    with pytest.raises(ValueError, match="at least 2 draws, got 1"):
        d.noise_from_two_sizes([1.0], [1.0], 1, 2)


@pytest.mark.parametrize(("pieces", "iterations"), [(1, 3), (4, 8)])
def test_moments_of_gradients_that_are_not_kept(rng, pieces, iterations):
    """Against the covariance matrix itself: an eigenvalue within the error, and exact after many
    passes.
    """
    N, P, k = 200, 30, 3
    scale = np.array([9.0, 6.0, 4.0, *[0.5] * (P - 3)])
    G = (rng.normal(size=(N, P)) * scale + rng.normal(size=P)).astype(np.float32)

    def passes(work):
        return [sum(parts) for parts in zip(*map(work, np.array_split(G, pieces)), strict=True)]

    found = d.moments(passes, N, P, k, rng, iterations)
    S = np.cov(G.astype(float).T, ddof=0)
    values, vectors = np.linalg.eigh(S)
    np.testing.assert_allclose(found.mean, G.mean(axis=0), rtol=1e-4, atol=1e-5)
    assert found.trace == pytest.approx(np.trace(S), rel=1e-5)
    for value, error in zip(found.values, found.errors, strict=True):
        assert min(abs(values - value)) <= error + 1e-4 * values[-1]
    if iterations == 8:
        np.testing.assert_allclose(found.values, values[::-1][:k], rtol=1e-4)
        overlap = np.abs(found.vectors @ vectors[:, ::-1][:, :k])
        np.testing.assert_allclose(overlap, np.eye(k), atol=0.02)


# -- sharpness of a minimum


def test_keskars_sharpness_of_a_bowl_by_hand(rng):
    """f = 1 + w'w/2 at its minimum: the corner of |z| <= ε is P ε²/2 higher; over 1 + f = 2."""
    f = lambda w: (1 + float(w @ w) / 2, w)  # noqa: E731
    found = d.keskar_sharpness(f, np.zeros(4), rng, 0.1)
    assert found.value == pytest.approx(100 * 4 * 0.1**2 / 2 / 2)
    assert found.error == pytest.approx(0)  # every corner is as high


def test_keskars_box_grows_with_the_weights(rng):
    """f = w1 at w = (3,): |z| <= ε (3 + 1); f rises by 4 ε from 3, over 1 + 3."""
    f = lambda w: (float(w[0]), np.ones(1))  # noqa: E731
    found = d.keskar_sharpness(f, np.array([3.0]), rng, 0.01)
    assert found.value == pytest.approx(100 * 0.04 / 4)


def test_two_hills_are_told_by_the_error():
    """From 0 the ascent goes right, to the lower hill; the random start finds the higher one."""
    f = lambda w: (5 + float(max(w[0], -3 * w[0] - 0.001)), np.where(w > -0.00025, 1.0, -3.0))  # noqa: E731
    starts = [d.keskar_sharpness(f, np.zeros(1), np.random.default_rng(s), 0.001) for s in range(8)]
    assert max(one.error for one in starts) > 0.01
    assert max(one.value for one in starts) == pytest.approx(100 * 0.002 / 6)


def test_in_a_subspace_the_maximum_is_known_for_a_plane(rng):
    """f = c'w over w0 + A z: the maximum is Σ_j ε (|A⁺ w0|_j + 1) |A'c|_j."""
    A, c, w0 = rng.normal(size=(6, 2)), rng.normal(size=6), rng.normal(size=6)
    f = lambda w: (5 + float(c @ (w - w0)), c)  # noqa: E731
    box = 1e-3 * (np.abs(np.linalg.pinv(A) @ w0) + 1)
    wanted = 100 * (box @ np.abs(A.T @ c)) / 6
    assert d.keskar_sharpness(f, w0, rng, A=A).value == pytest.approx(wanted)
