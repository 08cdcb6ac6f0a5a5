"""The exercise on pooling by the maximum.

Legend:  as in layers.py; c is a case, with its inputs and its right outputs.
"""

import numpy as np

from .. import layers
from .entries import OPPOSITE, Exercise, Mistake, case, passes, slopes


def _maxpool_cases():
    rng = np.random.default_rng(3)
    for x, words in (
        (rng.normal(size=(2, 4, 6, 3)), "3 images of 4 x 6"),
        (rng.normal(size=(1, 6, 2, 1)), "a single image of 6 x 2"),
        (rng.normal(size=(3, 2, 2, 4)), "4 images of one window each"),
        (-rng.uniform(1, 2, size=(2, 4, 4, 2)), "only negative numbers"),
        (rng.choice((0.0, 1.0), (2, 6, 4, 5)), "ties: the largest is in a window more than once"),
        (np.ones((1, 2, 4, 3)), "ties: all numbers are the same"),
    ):
        C, H, W, N = x.shape
        yield case(words, x=x, dy=rng.normal(size=(C, H // 2, W // 2, N)))


def _ask_maxpool(module, x, dy):
    return passes(module.MaxPool2d(), x, dy)


def _maxpool_slopes(x, dy):
    order = np.arange(x.shape[1] * x.shape[2]).reshape(1, *x.shape[1:3], 1)  # that of reading
    return slopes(layers.MaxPool2d(), x, dy, beside=x - 1e-5 * order)  # the first is the largest


def _windows(a):
    """The windows of images, their two places last.  (C, H, W, N) -> (C, OH, OW, N, 2, 2)"""
    C, H, W, N = a.shape
    return a.reshape(C, H // 2, 2, W // 2, 2, N).transpose(0, 1, 3, 5, 2, 4)


def _images(windows):
    """The images that have these windows: the way back from `_windows`."""
    C, OH, OW, N, _, _ = windows.shape
    return windows.transpose(0, 1, 4, 2, 5, 3).reshape(C, 2 * OH, 2 * OW, N)


def _spread(dy):
    """Every dy at all four places of its window."""
    return dy.repeat(2, axis=1).repeat(2, axis=2)


def _largest(x):
    """1 where x is the largest in its window, also if there are several, and 0 elsewhere."""
    windows = _windows(x)
    return _images(1.0 * (windows == windows.max(axis=(4, 5), keepdims=True)))


def _at(place, dy):
    """dy at one place of every window, (C, OH, OW, N) numbers from 0 to 3, and 0 elsewhere."""
    places = np.arange(4).reshape(2, 2)
    return _images((place[..., None, None] == places) * dy[..., None, None])


def _flat(x):
    """The four numbers of every window, in reading order.  -> (C, OH, OW, N, 4)"""
    return _windows(x).reshape(*_windows(x).shape[:4], 4)


MAXPOOL = Exercise(
    "the backward pass of pooling by the maximum",
    "MaxPool2d.backward",
    _maxpool_cases,
    _ask_maxpool,
    _maxpool_slopes,
    [
        Mistake(
            "dx",
            lambda c: _spread(c.dy) * _largest(c.x),
            "In a tie you give all of dy to every winner, so that more comes out than went in. "
            "Only one of them may have it: the first in reading order.",
        ),
        Mistake(
            "dx",
            lambda c: _spread(c.dy) * _largest(c.x) / _spread(_flat(_largest(c.x)).sum(axis=4)),
            "In a tie you share dy equally among the winners. That is a fair choice, but the "
            "exercise asks for another: the first in reading order has all of it.",
        ),
        Mistake(
            "dx",
            lambda c: _at(3 - _flat(c.x)[..., ::-1].argmax(axis=4), c.dy),
            "In a tie you give dy to the last of the winners, the exercise asks for the first. Is "
            ">= where > should be?",
        ),
        Mistake(
            "dx",
            lambda c: _images(
                _windows(_at(_flat(c.x)[..., [0, 2, 1, 3]].argmax(axis=4), c.dy)).swapaxes(4, 5)
            ),
            "In a tie you go through the window column by column. Reading order takes the upper "
            "row first, and in it the left number before the right.",
        ),
        Mistake(
            "dx",
            lambda c: _spread(c.dy),
            "You give dy to all four numbers of the window: the mask is missing. When a number "
            "that is not the largest changes a little, y stays the same.",
        ),
        Mistake(
            "dx",
            lambda c: _spread(c.dy) / 4,
            "You give a quarter of dy to each of the four: that is pooling by the mean. Here y is "
            "the largest of them and depends on no other.",
        ),
        Mistake(
            "dx",
            lambda c: _images(_windows(c.dx).swapaxes(4, 5)),
            "Within the window rows and columns are exchanged: a winner at the upper right has its "
            "dy at the lower left. Which place is k, and which is l?",
        ),
        Mistake(
            "dx",
            lambda c: 1.0 * (c.dx != 0),
            "You return 1 at the winner: that is the derivative of y by x. The chain rule "
            "multiplies it by the dy of the window.",
        ),
        Mistake(
            "dx",
            lambda c: c.dx * c.x,
            "At the winner stands dy times x. If the winner grows by a little, y grows by the same "
            "amount: is its size of importance?",
        ),
        Mistake(
            "dx",
            lambda c: _at(_flat(-c.x).argmax(axis=4), c.dy),
            "You give dy to the smallest number of the window.",
        ),
        Mistake(
            "dx",
            lambda c: c.dx * (c.x > 0),
            "Windows in which no number is positive get nothing. Does your search for the largest "
            "begin at 0? It can be negative, too.",
        ),
        Mistake(
            "dx",
            lambda c: c.dy,
            "You return dy as it came, with one number for a window. dx has the shape of x: the "
            "winner has its place in the window, and the other three places count as well.",
        ),
        Mistake(
            "dx",
            lambda c: _at(np.zeros(c.dy.shape), c.dy),
            "You give dy to the upper left number of every window, whichever is the largest.",
        ),
        OPPOSITE,
    ],
    train="train --with {} --network mine --epochs 3 --device cpu",
    given=("y",),
    shown=("x", "dy"),
)
