"""The update equations, on the whole vector of weights.

An optimizer is a function that changes w in place and an entry in OPTIMIZERS, which names the
vectors that it remembers from update to update. These are as long as w, zero at the start, and
saved in the checkpoint by name.

Letters:  w weights, g gradient of the mean loss of the batch, v velocity: vectors of length P;
          η learning rate, m momentum: numbers.
"""

from functools import partial
from typing import NamedTuple

from .backend import module_of
from .errors import SettingError
from .networks import NETWORKS, shapes_of, views


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

    A gradient that is not finite, or too long for its square to be a number, makes it NaN: a run
    that diverges must not look as if it stood still. The norm stays on the device: nothing waits
    for it.

    Shapes:  g (P,)
    Source:  Pascanu et al. 2013, On the Difficulty of Training Recurrent Neural Networks
    """
    g *= module_of(g).minimum(1.0, c / norms([g])).astype(g.dtype)


def adam_step(w, v, u, g, lr, t, beta1, beta2, epsilon):
    """w <- w - η v̂ / (√û + ε), the velocity divided by the size of the gradient, weight by weight.

    Shapes, units and source as in `adam_direction`.
    """
    w -= lr * adam_direction(v, u, g, t, beta1, beta2, epsilon)


def adam_direction(v, u, g, t, beta1, beta2, epsilon):
    """v <- β1 v + (1-β1) g, u <- β2 u + (1-β2) g², and what comes of them: v̂ / (√û + ε).

    v̂ = v/(1-β1^(t+1)) and û = u/(1-β2^(t+1)) make up for v and u being zero at first.

    Shapes:  v, u, g (P,), v and u zero before the first update -> (P,)
    Units:   t counts the updates from 0; the paper counts from 1. ε stands outside the root
    Source:  Kingma and Ba 2015, Adam, algorithm 1
    """
    v *= beta1
    v += (1 - beta1) * g
    u *= beta2
    u += (1 - beta2) * (g * g)
    # v̂ / (√û + ε) without dividing each weight's v and u: the fraction is multiplied by √c2
    c1, root = 1 - beta1 ** (t + 1), (1 - beta2 ** (t + 1)) ** 0.5
    return (root / c1) * v / (module_of(u).sqrt(u) + epsilon * root)


def lars_step(layers, lr, m, trust, decay):
    """λ = τ|w| / (|g| + d|w|), v <- m v + η λ (g + d w), w <- w - v, for every layer's w, v and g.

    The rate is inside v here. Kernels and matrices only: a vector (a bias) has λ = 1 and no decay,
    as in most implementations. λ is 1, too, where |w| or |g| is zero.

    Shapes:  layers [(w, v, g)], the views of each tensor, v zero before the first update
    Units:   trust is τ, which the paper calls η; decay is d, which it calls β
    Source:  You, Gitman and Ginsburg 2017, Large Batch Training of Convolutional Networks
    """
    kernels = [(w, g) for w, _, g in layers if w.ndim > 1]
    length, slope = norms([w for w, _ in kernels]), norms([g for _, g in kernels])
    ratios = iter(one_if_zero(length, slope, trust * length / (slope + decay * length)))
    for w, v, g in layers:
        v *= m
        v += lr * (next(ratios) * (g + decay * w if decay else g) if w.ndim > 1 else g)
        w -= v


def lamb_step(w, v, u, g, shapes, lr, t, beta1, beta2, epsilon, decay):
    """r = v̂ / (√û + ε) + d w, then w_l <- w_l - η |w_l|/|r_l| r_l for every layer's tensor l.

    φ is the identity, v̂ and û are corrected as Adam's, and biases are treated as kernels are. Where
    |w_l| or |r_l| is zero the ratio is 1.

    Shapes:  w, v, u, g (P,), shapes {name: that of a tensor}
    Source:  You et al. 2020, Large Batch Optimization for Deep Learning, algorithm 2
    """
    r = adam_direction(v, u, g, t, beta1, beta2, epsilon)
    if decay:
        r += decay * w
    layers = tensors(shapes, w, r)
    length, size = norms([w_l for w_l, _ in layers]), norms([r_l for _, r_l in layers])
    ratios = one_if_zero(length, size, length / size)
    for (w_l, r_l), ratio in zip(layers, ratios, strict=True):
        w_l -= lr * ratio * r_l


def muon_step(kernels, lr, m):
    """v <- m v + g, then w <- w - η √max(1, rows/columns) O(g + m v), for every kernel's w, v, g.

    O is `orthogonalized`: a step of about the same length in every direction that the gradient has.
    A kernel (F, C, KH, KW) is taken as a matrix (F, C KH KW).

    Shapes:  kernels [(w, v, g)], the views of each tensor that has two axes or more, v zero before
             the first update
    Source:  Jordan et al. 2024, Muon: An Optimizer for Hidden Layers
    """
    for w, v, g in kernels:
        v *= m
        v += g
        rows, columns = len(w), w.size // len(w)
        step = orthogonalized((g + m * v).reshape(rows, columns)).reshape(w.shape)
        w -= lr * max(1.0, rows / columns) ** 0.5 * step


def orthogonalized(M):
    """U V' of M = U S V', roughly: X = M/|M|, then five times A = X X', X <- a X + (b A + c A²) X.

    Each of these steps of Newton and Schulz takes a singular value s to a s + b s³ + c s⁵. Five of
    them bring every one from a hundredth of |M| on to between .68 and 1.14: the coefficients are
    chosen for speed, not to reach 1. M is transposed first if it has more rows than columns, so
    that A is the smaller square. Zeros stay zeros; what is not finite stays so.

    Shapes:  M (rows, columns) -> the same
    Source:  Jordan et al. 2024, (a, b, c) = (3.4445, -4.7750, 2.0315)
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = M.shape[0] > M.shape[1]
    X = M.T if tall else M
    length = norms([M])
    X = X * one_if_zero(length, length, 1 / length)
    for _ in range(5):
        A = X @ X.T
        X = a * X + (b * A + c * (A @ A)) @ X
    return X.T if tall else X


def norms(tensors):
    """The lengths of tensors, as one array on their device. One too long for its square to be a
    number is NaN, not infinite: divided by it, nothing may look as if it stood still.
    """
    xp = module_of(tensors[0])
    length = xp.sqrt(xp.stack([x.ravel() @ x.ravel() for x in tensors]))
    return length + 0 * length  # 0 * infinity is NaN


def one_if_zero(a, b, ratio):
    """The ratio, or 1 where the length a or b is zero. What is not finite stays so: it is a
    divergence.
    """
    return module_of(ratio).where((a == 0) | (b == 0), 1.0, ratio).astype(ratio.dtype)


# ---- the table of optimizers


class Optimizer(NamedTuple):
    """How an update is made.

    step    (w, g, memory, lr, t, settings, shapes): changes w, and the vectors in `memory`, in
            place. t counts the updates from 0; shapes {"conv1.W": (6, 1, 5, 5), ...} are those of
            the weights, in their order in w: `networks.views(w, shapes)` gives them by name
    memory  the names of its vectors
    check   (settings): raises SettingError for settings that do not suit it
    uses    the names of the settings that only some optimizers use and this one does; to the
            others they mean nothing
    """

    step: object
    memory: tuple = ()
    check: object = None
    uses: tuple = ()


def _sgd(w, g, memory, lr, t, settings, shapes):
    sgd_step(w, g, lr)


def _momentum(w, g, memory, lr, t, settings, shapes):
    momentum_step(w, memory["v"], g, lr, settings.momentum)


def _nesterov(w, g, memory, lr, t, settings, shapes):
    nesterov_step(w, memory["v"], g, lr, settings.momentum)


def _needs_momentum(settings):
    if not settings.momentum:
        raise SettingError(f"{settings.optimizer} needs a momentum above 0, such as 0.9")


def _needs_kernels(settings):
    shapes = shapes_of(NETWORKS[settings.network]).values()
    if all(len(shape) < 2 for shape in shapes):
        raise SettingError(
            f"{settings.optimizer} gives every kernel a step of its own, and the network "
            f"{settings.network} has none: give another --optimizer"
        )


def _adam(w, g, memory, lr, t, s, shapes):
    adam_step(w, memory["v"], memory["u"], g, lr, t, *s.scaled_adam())


def _lars(w, g, memory, lr, t, s, shapes):
    lars_step(tensors(shapes, w, memory["v"], g), lr, s.momentum, s.trust, s.weight_decay)


def _lamb(w, g, memory, lr, t, s, shapes):
    v, u = memory["v"], memory["u"]
    lamb_step(w, v, u, g, shapes, lr, t, s.momentum, s.beta2, s.epsilon, s.weight_decay)


def _muon(w, g, memory, lr, t, s, shapes, inner=False):
    """Muon on the kernels and Adam on the biases; if `inner`, Adam on the first and the last layer
    as well, as in its authors' own code.
    """
    layers = list(dict.fromkeys(name.split(".")[0] for name in shapes))
    ends = (layers[0], layers[-1]) if inner else ()
    kernels, others = [], []
    for name, (w_l, v, u, g_l) in zip(
        shapes, tensors(shapes, w, memory["v"], memory["u"], g), strict=True
    ):
        if w_l.ndim > 1 and name.split(".")[0] not in ends:
            kernels.append((w_l, v, g_l))
        else:
            others.append((w_l, v, u, g_l))
    muon_step(kernels, lr, s.momentum)
    for w_l, v, u, g_l in others:
        adam_step(w_l, v, u, g_l, s.adam_factor * lr, t, s.momentum, s.beta2, s.epsilon)


def tensors(shapes, *vectors):
    """[(view of the first vector, of the second, ...)] of every tensor of the layers."""
    return list(zip(*(views(vector, shapes).values() for vector in vectors), strict=True))


OPTIMIZERS = {
    "sgd": Optimizer(_sgd),
    "momentum": Optimizer(_momentum, ("v",)),
    "nesterov": Optimizer(_nesterov, ("v",), _needs_momentum),
    "adam": Optimizer(_adam, ("v", "u"), None, ("beta2", "epsilon")),
    "lars": Optimizer(_lars, ("v",), _needs_kernels, ("trust", "weight_decay")),
    "lamb": Optimizer(_lamb, ("v", "u"), None, ("beta2", "epsilon", "weight_decay")),
    "muon": Optimizer(_muon, ("v", "u"), _needs_kernels, ("beta2", "epsilon", "adam_factor")),
    "muon-inner": Optimizer(
        partial(_muon, inner=True), ("v", "u"), _needs_kernels, ("beta2", "epsilon", "adam_factor")
    ),
}
