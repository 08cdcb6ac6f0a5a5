"""The update equations, on the whole vector of weights.

An optimizer is a function that changes w in place and an entry in OPTIMIZERS, which names the
vectors that it remembers from update to update. These are as long as w, zero at the start, and
saved in the checkpoint by name.

Letters:  w weights, g gradient of the mean loss of the batch, v velocity: vectors of length P;
          η learning rate, m momentum: numbers.
"""

from typing import NamedTuple

import numpy as np

from .backend import module_of
from .errors import SettingError


def sgd_step(w, g, lr):
    """w <- w - η g.

    Shapes:  w, g (P,)
    Source:  report Sec. I: w_{t+1} = w_t - η (1/b) Σ ∇l(x, w_t)
    """
    w -= lr * g  # Report Sec. I, SGD


def momentum_step(w, v, g, lr, m):
    """v <- m v + g, then w <- w - η v: the rate is outside v.

    With the rate inside v, the result differs once the rate changes, as it does in a warmup.

    Shapes:  w, v, g (P,), v zero before the first update
    Source:  report Sec. III: v_{t+1} = m v_t + (1/b) Σ ∇l(x, w_t), w_{t+1} = w_t - η v_{t+1}
    """
    v *= m  # Report Sec. III, momentum
    v += g
    w -= lr * v


# Not in the report, from here on: what else may be adjusted for a large batch.


def nesterov_step(w, v, g, lr, m):
    """v <- m v + g, then w <- w - η (g + m v): momentum that looks one step ahead.

    At a constant rate this is Sutskever's form, which takes the gradient at the point ahead.

    Shapes:  w, v, g (P,), v zero before the first update
    Source:  Sutskever et al. 2013, On the Importance of Initialization and Momentum
    """
    v *= m
    v += g
    w -= lr * (g + m * v)


def clip_by_norm(g, c):
    """g <- g min(1, c/|g|), where g is the whole vector: no gradient is longer than c.

    A gradient that is not finite stays so: a run that diverges must not look as if it stood
    still. The norm stays on the device: nothing waits for it.

    Shapes:  g (P,)
    Source:  Pascanu et al. 2013, On the Difficulty of Training Recurrent Neural Networks
    """
    xp = module_of(g)
    norm = xp.sqrt(xp.square(g.astype(np.float64)).sum())  # in float32 the square may overflow
    g *= xp.minimum(1.0, c / norm).astype(g.dtype)


# ---- the table of optimizers


class Optimizer(NamedTuple):
    """How an update is made.

    step    (w, g, memory, lr, t, settings, shapes): changes w, and the vectors in `memory`, in
            place. t counts the updates from 0; shapes {"conv1.W": (6, 1, 5, 5), ...} are those of
            the weights, in their order in w: `networks.views(w, shapes)` gives them by name
    memory  the names of its vectors
    check   (settings): raises SettingError for settings that do not suit it
    """

    step: object
    memory: tuple = ()
    check: object = None


def _sgd(w, g, memory, lr, t, settings, shapes):
    sgd_step(w, g, lr)


def _momentum(w, g, memory, lr, t, settings, shapes):
    momentum_step(w, memory["v"], g, lr, settings.momentum)


def _nesterov(w, g, memory, lr, t, settings, shapes):
    nesterov_step(w, memory["v"], g, lr, settings.momentum)


def _needs_momentum(settings):
    if not settings.momentum:
        raise SettingError(f"{settings.optimizer} needs a momentum above 0, such as 0.9")


OPTIMIZERS = {
    "sgd": Optimizer(_sgd),
    "momentum": Optimizer(_momentum, ("v",)),
    "nesterov": Optimizer(_nesterov, ("v",), _needs_momentum),
}
