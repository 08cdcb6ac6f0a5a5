"""The exercise on the update: momentum.

Legend:  as in optim.py; c is a case, with its inputs and its right outputs.
"""

import numpy as np

from .entries import Exercise, Mistake, case


def _momentum_cases():
    rng = np.random.default_rng(6)
    yield case(
        "two weights, three updates",
        w0=np.array([1.0, -2.0]),
        v0=np.zeros(2),
        g=np.array([[1.0, 2.0], [0.0, -1.0], [2.0, 0.0]]),
        lrs=(0.1, 0.1, 0.2),
        m=0.5,
    )
    for P, lrs, m, words in (
        (4, (0.1, 0.1, 0.1, 0.1), 0.9, "a constant rate"),
        (3, (0.1, 0.2, 0.4, 0.3), 0.9, "a rate that changes"),
        (5, (0.5, 0.1), 0.0, "m = 0"),
        (1, (0.3, 0.2, 0.1), 0.7, "a single weight"),
    ):
        w, v, g = (rng.normal(size=shape) for shape in (P, P, (len(lrs), P)))
        yield case(words, w0=w, v0=v, g=g, lrs=lrs, m=m)


def _ask_momentum(module, w0, v0, g, lrs, m):
    ws, vs = [], []
    for g_t, lr in zip(g, lrs, strict=True):
        module.momentum_step(w0, v0, g_t, lr, m)
        ws.append(w0.copy())
        vs.append(v0.copy())
    return {"w": np.array(ws), "v": np.array(vs)}


def _momentum_unrolled(w0, v0, g, lrs, m):
    """v(t) = m^t v0 + Σ_s m^(t-s) g(s), w(t) = w0 - Σ_s η(s) v(s), without a recursion."""
    t = np.arange(1, len(lrs) + 1)[:, None]
    ages = t - t.T
    v = m**t * v0 + np.where(ages >= 0, float(m) ** np.maximum(ages, 0), 0) @ g
    return {"w": w0 - np.cumsum(np.array(lrs)[:, None] * v, axis=0), "v": v}


def _after(step):
    """What is returned, w and v, where an update is step(w, v, g, η, m) -> new w, new v."""

    def returns(c):
        w, v, ws, vs = c.w0, c.v0, [], []
        for g, lr in zip(c.g, c.lrs, strict=True):
            w, v = step(w, v, g, lr, c.m)
            ws.append(w)
            vs.append(v)
        return np.array(ws), np.array(vs)

    return returns


MOMENTUM = Exercise(
    "an update with momentum",
    "momentum_step",
    _momentum_cases,
    _ask_momentum,
    _momentum_unrolled,
    [
        Mistake(
            ("w", "v"),
            _after(lambda w, v, g, lr, m: (w - (m * v + lr * g), m * v + lr * g)),
            "The rate is inside v. As long as it is constant w is the same; once it changes, the "
            "older gradients still have the rate of their own time.",
        ),
        Mistake(
            ("w", "v"),
            _after(lambda w, v, g, lr, m: (w + m * v - lr * g, m * v - lr * g)),
            "Your v already holds the rate and the minus sign. Here v remembers the gradients "
            "themselves; rate and sign are applied when w changes.",
        ),
        Mistake(
            ("w", "v"),
            _after(lambda w, v, g, lr, m: (w - lr * (m * v - g), m * v - g)),
            "In v the gradient is subtracted. It is w from which something is subtracted.",
        ),
        Mistake(
            ("w", "v"),
            _after(lambda w, v, g, lr, m: (w + lr * (m * v - g), m * v - g)),
            "Your v has the opposite sign. Where it starts from 0 that leads w to the right place, "
            "but it is not the v of the formula: the minus sign stands where w changes.",
        ),
        Mistake(
            ("w", "v"),
            _after(lambda w, v, g, lr, m: (w - lr * v, m * v + g)),
            "You change w with the velocity from before this update. In the formula it is v(t+1): "
            "which of the two lines has to come first?",
        ),
        Mistake(
            ("w", "v"),
            _after(lambda w, v, g, lr, m: (w - lr * (m * v + (1 - m) * g), m * v + (1 - m) * g)),
            "Your v is a mean, m v + (1 - m) g. In this formula the gradient enters whole.",
        ),
        Mistake(
            ("w", "v"),
            _after(lambda w, v, g, lr, m: (w - lr * (g + m * (m * v + g)), m * v + g)),
            "That is Nesterov's momentum, which looks one step ahead. Here w follows v itself.",
        ),
        Mistake(
            ("w", "v"),
            _after(lambda w, v, g, lr, m: (w + lr * (m * v + g), m * v + g)),
            "You add where w should go down: along the gradient the loss rises.",
        ),
        Mistake(
            ("w", "v"),
            _after(lambda w, v, g, lr, m: (w - lr * (m * v + g), v)),
            "v is as it was: `v = ...` makes a new array and calls that one v, inside your "
            "function alone. Change the numbers in the array that was there.",
        ),
        Mistake(
            ("w", "v"),
            _after(lambda w, v, g, lr, m: (w, m * v + g)),
            "w is as it was: `w = ...` makes a new array and calls that one w, inside your "
            "function alone. Change the numbers in the array that was there.",
        ),
        Mistake(
            ("w", "v"),
            _after(lambda w, v, g, lr, m: (w, v)),
            "w and v are both as they were. Nothing that is returned is looked at: change the "
            "numbers in the two arrays, and mind that `v = ...` makes a new one.",
        ),
        Mistake(
            ("w", "v"),
            _after(lambda w, v, g, lr, m: (w - lr * g, m * v + g)),
            "v is right, but you change w with g: the velocity has no effect.",
        ),
        Mistake(
            ("w", "v"),
            _after(lambda w, v, g, lr, m: (w - lr * (v + g), v + g)),
            "m is missing: your v never forgets anything.",
        ),
        Mistake(
            ("w", "v"),
            _after(lambda w, v, g, lr, m: (w - lr * m * (v + g), m * (v + g))),
            "Here m multiplies the new gradient as well. It belongs to the old velocity alone.",
        ),
        Mistake(
            ("w", "v"),
            _after(lambda w, v, g, lr, m: (w - lr * (v + m * g), v + m * g)),
            "m stands at the gradient. It belongs to the old velocity, which is to fade.",
        ),
        Mistake(
            ("w", "v"),
            _after(lambda w, v, g, lr, m: (w - lr * (m * v + lr * g), m * v + lr * g)),
            "The rate is in both lines, so that it acts twice.",
        ),
        Mistake(
            ("w", "v"),
            _after(lambda w, v, g, lr, m: (w - (m * v + g), m * v + g)),
            "v is right, but the rate is missing where w changes.",
        ),
        Mistake(
            ("w", "v"),
            _after(lambda w, v, g, lr, m: (w - lr * g, g)),
            "Your v is the gradient alone: nothing of the old velocity is left.",
        ),
    ],
    train="train --with {} --optimizer mine --momentum .9 --epochs 3",
    changes=("w0", "v0"),
    judge="the formula, written without a recursion",
)
