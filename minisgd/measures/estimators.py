"""Estimators: the shape of a loss around a point w, and the noise of its gradients over batches.

They know nothing of networks. A loss is a function f(w) -> (loss, gradient) on vectors of any
length, so that every estimator can be tested on a problem with an answer in closed form. Each gives
an uncertainty with its answer: a bound where there is one, otherwise a standard error.

Legend:  w weights (P,), g gradient (P,), u a unit vector (P,), R draws
"""

from dataclasses import dataclass
from math import inf, sqrt

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """A number and its uncertainty."""

    value: float
    error: float

    def __str__(self):
        error = float(f"{self.error:.2g}")  # 100, and not 1e+02
        return f"{self.value:.4g} ± {error:g}"


def mean(values):
    """The mean of R independent numbers, with its standard error."""
    values = np.asarray(values, float)
    error = values.std(ddof=1) / sqrt(len(values)) if len(values) > 1 else inf
    return Estimate(float(values.mean()), float(error))


def unit(vector):
    """The vector divided by its length.

    Raises:  ValueError if the length is zero or not finite
    """
    length = float(np.linalg.norm(vector))
    if not 0 < length < inf:
        raise ValueError(f"a vector of length {length:g} has no direction")
    return vector / length


# ---- curvature


def hessian_product(f, w, u, h):
    """H u, the Hessian times a unit vector, by a centred difference of gradients.

        H u = (∇f(w + h u) - ∇f(w - h u)) / 2h + O(h²)

    Units:  h in the units of w. The loss of a ReLU network is smooth except for kinks, at which the
            gradient jumps, and a jump is divided by 2h. A small h crosses few kinks, each of great
            weight; a larger one crosses many, and gives the curvature that a step of length h meets
    """
    return (f(w + h * u)[1] - f(w - h * u)[1]) / (2 * h)


def largest_eigenvalue(product, start, steps=12, tolerance=0.01, least=4):
    """The largest eigenvalue of a symmetric matrix A known only by its products with vectors: the
    method of Lanczos, each vector made orthogonal to all before it.

    It stops once the residual |A x - θ x| is estimated to be below tolerance |θ|, but not before
    `least` products, because a start near another eigenvector converges to that one at first; and
    it stops after `steps` products at the latest. Then A x is computed once more. Some eigenvalue
    of a symmetric A lies within |A x - θ x| of θ. Differences of gradients are not exactly products
    with such a matrix, so x'A x may differ from θ. The error is the larger of the two.

    Shapes:  product: (P,) -> (P,), start (P,) -> (Estimate, eigenvector (P,))
    """
    basis, alphas, betas = [unit(start)], [], []
    while True:
        q = product(basis[-1])
        alphas.append(float(basis[-1] @ q))
        for other in basis:  # hundreds of steps would need this twice
            q = q - (other @ q) * other
        beta = float(np.linalg.norm(q))
        T = np.diag(alphas) + np.diag(betas, 1) + np.diag(betas, -1)
        values, vectors = np.linalg.eigh(T)
        near = beta * abs(vectors[-1, -1]) <= tolerance * abs(values[-1])
        done = near and len(alphas) >= least
        if done or beta <= 1e-12 * abs(values).max() or len(alphas) == min(steps, len(start)):
            break
        betas.append(beta)
        basis.append(q / beta)
    theta = float(values[-1])
    x = unit(sum(weight * vector for weight, vector in zip(vectors[:, -1], basis, strict=True)))
    Ax = product(x)
    error = max(np.linalg.norm(Ax - theta * x), abs(x @ Ax - theta))
    return Estimate(theta, float(error)), x


def sharpness_along(f, w, g, h):
    """u' H u with u = g / |g|: the curvature of the loss along g; 0 where g is zero.

    With g = ∇f(w), averaged over batches, it is the batch sharpness, which hovers at 2/η for SGD at
    the edge of stability (Andreyev and Beneventano, arXiv 2412.20553).
    """
    if not np.any(g):
        return 0.0
    u = unit(g)
    return float(u @ hessian_product(f, w, u, h))


def critical_rate(loss_at, start=0.01, ratio=1.1, largest=1e4):
    """The largest η for which a step along some direction does not raise the loss, by doubling from
    `start` and then bisection (arXiv 2601.16979). A rise between two doublings goes unnoticed.

    loss_at:  a function of η: the loss after a step of η, and loss_at(0) before it
    Returns:  (low, high): a step of low does not raise the loss, one of high does, and
              high <= ratio low; (0, tiny) if every step raises it; (the last η tried, inf) if none
    """
    before = loss_at(0.0)
    rises = lambda rate: not loss_at(rate) <= before  # noqa: E731 (NaN counts as risen)
    low, high = 0.0, start
    while not rises(high):
        low, high = high, 2 * high
        if high > largest:
            return low, inf
    while low == 0 and high > start * 1e-6:
        if rises(high / 2):
            high /= 2
        else:
            low = high / 2
    while low and high > ratio * low:
        middle = sqrt(low * high)
        low, high = (low, middle) if rises(middle) else (middle, high)
    return low, high


# ---- the noise of gradients


def noise_from_two_sizes(small, large, b, B):
    """B_noise = tr Σ / |G|², from the squared lengths of the gradients of batches of two sizes.

        |G|² = (B |g_B|² - b |g_b|²) / (B - b),   tr Σ = (|g_b|² - |g_B|²) / (1/b - 1/B)

    Numerator and denominator are averaged over the draws before the division. The errors are those
    of the jackknife, which leaves out each draw in turn.

    Shapes:  small, large (R,), R draws of |g_b|² and |g_B|² at the same w
    Returns: tr Σ, |G|² and B_noise, each an Estimate; B_noise is inf where |G|² is not positive
    Source:  McCandlish et al. 2018, An Empirical Model of Large-Batch Training, appendix A
    """
    small, large = np.asarray(small, float), np.asarray(large, float)

    def answer(s, l):
        squared = (B * l - b * s) / (B - b)
        trace = (s - l) / (1 / b - 1 / B)
        return np.array([trace, squared, trace / squared if squared > 0 else inf])

    R = len(small)
    if R < 2:
        raise ValueError(f"an uncertainty needs at least 2 draws, got {R}")
    whole = answer(small.mean(), large.mean())
    without = np.array(
        [answer(np.delete(small, k).mean(), np.delete(large, k).mean()) for k in range(R)]
    )
    with np.errstate(invalid="ignore"):
        errors = np.sqrt((R - 1) * ((without - without.mean(axis=0)) ** 2).mean(axis=0))
    errors[~np.isfinite(errors)] = inf  # |G|² was not positive without some draw
    return [Estimate(float(v), float(e)) for v, e in zip(whole, errors, strict=True)]


def covariance_factor(M, N, form="exact"):
    """What (1/N) Σ g_i g_i' is multiplied by to give the covariance of the mean of M out of N
    gradients, drawn without replacement.

        report:  1/M - 1/N                        for Σ g_i g_i' as it stands
        exact:   (1/M - 1/N) N/(N - 1)            for Σ (g_i - ḡ)(g_i - ḡ)'

    Source:  report Sec. II, from Hoffer et al. 2017; the exact one is in any book on sampling
    """
    return (1 / M - 1 / N) * (N / (N - 1) if form == "exact" else 1)  # Report Sec. II, covariance


def quadratic_path(curvature, lr, momentum, steps):
    """w_t / w_0 for t = 0 ... steps on the loss curvature w² / 2, in closed form.

        (w, v)_{t+1} = A (w, v)_t,   A = [[1 - η c, -η m], [c, m]],   v_0 = 0

    It takes powers of A's eigenvalues. Without momentum the answer is (1 - η c)^t.
    """
    A = np.array([[1 - lr * curvature, -lr * momentum], [curvature, momentum]], complex)
    values, vectors = np.linalg.eig(A + np.diag([0, 1e-12]))  # keeps equal eigenvalues apart
    share = np.linalg.solve(vectors, [1, 0])
    t = np.arange(steps + 1)[:, None]
    return ((values**t * share) @ vectors[0]).real


@dataclass(frozen=True)
class Moments:
    """Of the gradients g_i of N images: their mean ḡ, their mean square (1/N) Σ |g_i|², and the
    largest eigenvalues and eigenvectors (as rows) of S = (1/N) Σ (g_i - ḡ)(g_i - ḡ)'.
    """

    N: int
    mean: np.ndarray  # (P,)
    squared: float
    values: np.ndarray  # (k,), the largest first
    errors: np.ndarray  # (k,), |S u - λ u|: an eigenvalue of S lies this near λ
    vectors: np.ndarray  # (k, P)

    @property
    def trace(self):
        """tr S = (1/N) Σ |g_i|² - |ḡ|²."""
        return self.squared - float(self.mean @ self.mean)


def moments(passes, N, P, k, rng, iterations=3):
    """The Moments of N gradients that are not stored: subspace iteration, a pass over all gradients
    for each iteration.

    A block of k + 4 random vectors is repeatedly multiplied by S and made orthonormal. The values
    are the eigenvalues of S within the last span, which never exceed those of S itself.

    passes:  a function of `work` that calls work(G) for pieces G (n, P) of all gradients, and sums
             the tuples that it returns, item by item
    """
    V = np.linalg.qr(rng.normal(size=(P, k + 4)))[0].astype(np.float32)  # (P, k + 4)
    for _ in range(iterations):

        def work(G, V=V):
            squares = np.einsum("np,np->n", G, G)  # |g_i|²
            sums = G.sum(axis=0).astype(np.float64), (G @ V).T @ G  # (P,), (k + 4, P)
            return sums[0], squares.sum(dtype=np.float64), sums[1].astype(np.float64)

        total, squared, SV = passes(work)
        mean = total / N  # (P,)
        SV = SV.T / N - np.outer(mean, mean @ V)  # S V, (P, k + 4)
        small = V.T.astype(np.float64) @ SV  # S within the span of V
        Q, _ = np.linalg.qr(SV)
        last, V = V, Q.astype(np.float32)
    values, inside = np.linalg.eigh((small + small.T) / 2)
    values, inside = values[::-1][:k], inside[:, ::-1][:, :k]
    vectors, products = (last @ inside).T, (SV @ inside).T  # u and S u, (k, P)
    errors = np.linalg.norm(products - values[:, None] * vectors, axis=1)
    return Moments(N, mean, squared / N, values, errors, vectors)


# ---- sharpness of a minimum


def keskar_sharpness(f, w, rng, epsilon=1e-3, A=None, steps=12):
    """100 (max f - f(w)) / (1 + f(w)) over a box around w: how far the loss can rise nearby.

        w + A z,  |z_j| <= ε (|A⁺ w|_j + 1);  A the identity if none is given

    The maximum is sought by ascent along the sign of the gradient, in steps of a quarter of the box
    that end at its sides: once from w, and once from half-way to a random corner. The result is a
    lower bound; its error is the difference between the two.

    Shapes:  w (P,), A (P, p) with independent columns
    Returns: Estimate of the sharpness, in percent
    Source:  Keskar et al. 2016, On Large-Batch Training, metric 2.1
    """
    coordinates = w if A is None else np.linalg.solve(A.T @ A, A.T @ w)  # A⁺ w
    box = epsilon * (np.abs(coordinates) + 1)
    before, found = f(w)[0], []
    for z in (np.zeros_like(box), box * (rng.integers(0, 2, len(box)) - 0.5).astype(box.dtype)):
        best = before
        for _ in range(steps + 1):
            loss, g = f(w + (z if A is None else A @ z))
            best = max(best, loss)
            along = np.where(
                (g if A is None else A.T @ g) >= 0, 1, -1
            )  # any direction where it is zero
            z = np.clip(z + box / 4 * along, -box, box)
        found.append(100 * (best - before) / (1 + before))
    return Estimate(max(found), abs(found[0] - found[1]))
