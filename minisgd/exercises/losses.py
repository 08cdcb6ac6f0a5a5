"""The exercise on the loss.

Legend:  as in loss.py; c is a case, with its inputs and its right outputs.
"""

import numpy as np

from ..gradcheck import STEP, by_differences
from ..loss import softmax_cross_entropy
from .entries import Amiss, Exercise, Mistake, case


def _cases():
    rng = np.random.default_rng(5)
    for K, n, B, words in (
        (4, 3, 3, "a batch of 3 images, 4 classes"),
        (3, 5, 5, "a batch of 5 images, 3 classes"),
        (3, 3, 3, "a batch of 3 images, 3 classes"),
        (10, 2, 6, "2 of the 6 images of a batch"),
        (2, 4, 7, "4 of the 7 images of a batch, 2 classes"),
        (5, 1, 1, "a batch of a single image"),
    ):
        yield case(words, z=2 * rng.normal(size=(K, n)), y=rng.integers(K, size=n), B=B)


def _ask(module, z, y, B):
    found = module.softmax_cross_entropy(z, y, B)
    if not isinstance(found, tuple) or len(found) != 3:
        return {"dz": Amiss("softmax_cross_entropy should return three things: loss, correct, dz.")}
    return dict(zip(("loss", "correct", "dz"), found, strict=True))


class _Loss:
    """The loss as a layer whose output is one number."""

    def __init__(self, y, B):
        self.y, self.B = y, B

    def forward(self, z):
        return softmax_cross_entropy(z, self.y, self.B)[0]


def _right(z, y, B):
    z = z.copy()
    loss, correct, _ = softmax_cross_entropy(z, y, B)
    return {"loss": loss, "correct": correct, "dz": by_differences(_Loss(y, B), z, z, 1.0, STEP)}


def _p(c):
    p = np.exp(c.z)
    return p / p.sum(axis=0)


def _one_hot(c, labels):
    """1 at the label of every image, 0 elsewhere.  -> (K, n)"""
    return 1.0 * (np.arange(len(c.z))[:, None] == labels)


_NUMBER = (
    "You subtracted the numbers of the classes, such as 7, from the probabilities. y_n says which "
    "of the entries in column n is another one, not by how much."
)

SOFTMAX = Exercise(
    "the derivative of softmax with cross-entropy",
    "softmax_cross_entropy",
    _cases,
    _ask,
    _right,
    [
        Mistake(
            "dz",
            lambda c: c.dz * c.B,
            "That is the derivative of the sum over the images. The loss is the mean: what has "
            "become of its 1/B?",
        ),
        Mistake(
            "dz",
            lambda c: c.dz * c.B / c.z.shape[1],
            "You divided by the number of images in z. The loss has 1/B, and B may be larger: the "
            "whole batch, of which z is a piece.",
        ),
        Mistake(
            "dz",
            lambda c: c.dz * c.B / c.z.size,
            "You divided by the number of entries of z, classes times images. The loss is a mean "
            "over the images of the batch alone.",
        ),
        Mistake(
            "dz",
            lambda c: c.dz / c.B,
            "You divided by B twice.",
        ),
        Mistake(
            "dz",
            lambda c: -c.dz,
            "dz has the opposite sign. If the logit of the right class grows, the loss falls: look "
            "at the sign in front of log p.",
        ),
        Mistake(
            "dz",
            lambda c: _p(c) / c.B,
            "That is the derivative of the denominator alone, log sum_j exp z[j, n]. The numerator "
            "of p[y_n, n] depends on z as well.",
        ),
        Mistake(
            "dz",
            lambda c: -_one_hot(c, c.y) / c.B,
            "That is the derivative of the numerator alone. Every z[k, n] is also in the "
            "denominator of p[y_n, n].",
        ),
        Mistake(
            "dz",
            lambda c: _p(c) * (1 - _p(c)) / c.B,
            "p (1 - p) is the derivative of p[k, n] by its own z[k, n]. What is wanted is the "
            "derivative of -log p[y_n, n], by the z of every class.",
        ),
        Mistake(
            "dz",
            lambda c: -_one_hot(c, c.y) / _p(c) / c.B,
            "-1/p is the derivative of the loss by p. It is z that is asked for: one more step of "
            "the chain rule, through the softmax.",
        ),
        Mistake(
            "dz",
            lambda c: (_p(c) - _one_hot(c, c.z.argmax(axis=0))) / c.B,
            "You took the class with the largest logit for the right one: the right one is y_n.",
        ),
        Mistake("dz", lambda c: (_p(c) - c.y) / c.B, _NUMBER),
        Mistake("dz", lambda c: _p(c) - c.y, _NUMBER),
        Mistake(
            "dz",
            lambda c: (_p(c) - 1) / c.B,
            "You treat every class as if it were the right one. The numerator of p[y_n, n] holds "
            "the z of one class alone.",
        ),
        Mistake(
            "dz",
            lambda c: (_p(c) - 1.0 * np.isin(np.arange(len(c.z)), c.y)[:, None]) / c.B,
            "An index `y` alone takes whole rows: the class is changed for all the images, not for "
            "its own. Give the column, too.",
        ),
        Mistake(
            "dz",
            lambda c: _p(c) / c.B - _one_hot(c, c.y),
            "You divided one part by B and not the other: the whole derivative is divided.",
        ),
        Mistake(
            "dz",
            lambda c: _p(c) - _one_hot(c, c.y) / c.B,
            "You divided one part by B and not the other: the whole derivative is divided.",
        ),
        Mistake(
            "dz",
            lambda c: np.where(_one_hot(c, c.y) == 1, -1, _p(c)) / c.B,
            "At the right class you wrote a number over what was there. The denominator depends on "
            "the z of the right class as well, so that something of it remains.",
        ),
        Mistake(
            "dz",
            lambda c: _swapped(c) / c.B,
            "The two indices are exchanged: in z and p the class comes first, then the image.",
        ),
        Mistake(
            "dz",
            lambda c: _p(c),
            "You return the probabilities themselves.",
        ),
    ],
    train="train --with {} --loss mine --epochs 3 --device cpu",
    given=("loss", "correct"),
    shown=("z", "y", "B"),
)


def _swapped(c):
    """p with 1 taken away at [image, class] instead."""
    dz = _p(c)
    dz[np.arange(len(c.y)), c.y] -= 1
    return dz
