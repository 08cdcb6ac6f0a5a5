"""optax as an independent oracle for the updates of each layer: ten of them, in float64."""

import multiprocessing
from importlib.util import find_spec

import numpy as np
import pytest

from minisgd.networks import views
from minisgd.optim import OPTIMIZERS, orthogonalized
from minisgd.settings import Settings

pytestmark = pytest.mark.skipif(
    find_spec("optax") is None, reason="optax, an independent oracle, is not installed"
)
SHAPES = {"conv.W": (3, 2, 2, 2), "conv.b": (3,), "fc.W": (5, 12), "fc.b": (5,), "one.W": (1, 1)}
P = 24 + 3 + 60 + 5 + 1
NS = (3.4445, -4.7750, 2.0315)


def updates_of_optax(name, options, w, gradients):
    import jax
    import optax

    jax.config.update("jax_enable_x64", True)
    if name == "lars":
        options = options | {"trust_ratio_mask": {n: n.endswith("W") for n in SHAPES}}
    optimizer = getattr(optax, name)(0.05, **options)
    parameters = {k: jax.numpy.asarray(v.copy()) for k, v in views(w, SHAPES).items()}
    state = optimizer.init(parameters)
    for g in gradients:
        given = {k: jax.numpy.asarray(v) for k, v in views(g, SHAPES).items()}
        changes, state = optimizer.update(given, state, parameters)
        parameters = optax.apply_updates(parameters, changes)
    return np.concatenate([np.asarray(parameters[k]).ravel() for k in SHAPES])


def orthogonal_by_optax(matrices):
    import jax
    from optax.contrib import _muon

    jax.config.update("jax_enable_x64", True)
    numbers = jax.numpy.asarray(NS)
    orthogonal = _muon.orthogonalize_via_newton_schulz
    return [np.asarray(orthogonal(jax.numpy.asarray(M), numbers, eps=0.0)) for M in matrices]


def elsewhere(function, *given):
    """What a function returns, called in a process of its own: JAX's threads and forks, which other
    tests need, do not go together.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, given)


@pytest.mark.parametrize(
    ("name", "settings", "options"),
    [
        # optax divides by |g + d w| where the paper divides by |g| + d|w|: without decay.
        ("lars", dict(trust=0.02), dict(trust_coefficient=0.02, momentum=0.9, weight_decay=0.0)),
        (
            "lamb",
            dict(beta2=0.99, epsilon=1e-3, weight_decay=0.1),
            dict(b1=0.9, b2=0.99, eps=1e-3, weight_decay=0.1),
        ),
        ("adam", dict(beta2=0.99, epsilon=1e-3), dict(b1=0.9, b2=0.99, eps=1e-3)),
    ],
)
def test_ten_updates_agree(rng, name, settings, options):
    w, gradients = rng.normal(size=P), rng.normal(size=(10, P))
    wanted = elsewhere(updates_of_optax, name, options, w.copy(), gradients)
    settings = Settings(optimizer=name, momentum=0.9, lr=0.05, **settings)
    start, memory = w.copy(), {k: np.zeros(P) for k in OPTIMIZERS[name].memory}
    for t, g in enumerate(gradients):
        OPTIMIZERS[name].step(w, g, memory, 0.05, t, settings, SHAPES)
    assert np.abs(w - start).max() > 0.1
    np.testing.assert_allclose(w, wanted, rtol=1e-12)


def test_matrices_are_made_orthogonal_alike(rng):
    """Newton and Schulz alone: optax's Muon weights the first gradients by bias corrections."""
    matrices = [rng.normal(size=shape) for shape in ((3, 8), (8, 3), (5, 5), (1, 4))]
    for M, theirs in zip(matrices, elsewhere(orthogonal_by_optax, matrices), strict=True):
        np.testing.assert_allclose(orthogonalized(M), theirs, rtol=1e-9, atol=1e-12)
