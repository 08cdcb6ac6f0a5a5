"""The exercise on convolution.

Legend:  as in layers.py; c is a case, with its inputs and its right outputs.
"""

import numpy as np

from .. import layers
from .entries import DIVIDED, OPPOSITE, Exercise, Mistake, case, mistakes_of_a_sum, passes, slopes


def _conv_cases():
    rng = np.random.default_rng(4)
    for C, F, H, W, KH, KW, pad, N, words in (
        (2, 3, 5, 4, 3, 2, 0, 2, "2 images of 5 x 4 with 2 channels, 3 kernels of 3 x 2"),
        (3, 2, 3, 4, 3, 3, 1, 2, "2 images of 3 x 4 with 3 channels, 2 kernels of 3 x 3, pad 1"),
        (2, 2, 4, 4, 2, 2, 0, 3, "3 images of 4 x 4 with 2 channels, 2 kernels of 2 x 2"),
        (2, 2, 3, 3, 3, 3, 1, 2, "2 images of 3 x 3 with 2 channels, 2 kernels of 3 x 3, pad 1"),
        (1, 2, 4, 3, 2, 3, 2, 1, "a single image of 4 x 3, 2 kernels of 2 x 3, pad 2"),
        (2, 3, 3, 5, 1, 1, 0, 2, "2 images of 3 x 5 with 2 channels, 3 kernels of 1 x 1"),
        (1, 3, 2, 3, 2, 3, 0, 3, "3 images as large as the 3 kernels, 2 x 3"),
    ):
        OH, OW = H + 2 * pad - KH + 1, W + 2 * pad - KW + 1
        kernels, dW = rng.normal(size=(F, C, KH, KW)), rng.normal(size=(F, C, KH, KW))
        b, db = rng.normal(size=F), rng.normal(size=F)
        x, dy = rng.normal(size=(C, H, W, N)), rng.normal(size=(F, OH, OW, N))
        yield case(words, x=x, dy=dy, W=kernels, b=b, dW_before=dW, db_before=db, pad=pad)


def _ask_conv(module, x, dy, W, b, dW_before, db_before, pad):
    layer = module.Conv2d(W, b, dW_before, db_before, pad=pad)
    return passes(layer, x, dy, dW=dW_before, db=db_before)


def _conv_slopes(x, dy, W, b, pad, **before):
    W, b = W.copy(), b.copy()  # differences change them on the way
    return slopes(layers.Conv2d(W, b, pad=pad), x, dy, dW=W, db=b)


def _with(c, **changed):
    """The right outputs, had some of the inputs been others."""
    inputs = {name: getattr(c, name) for name in ("x", "dy", "W", "b", "pad")}
    return _conv_slopes(**inputs | changed)


def _padded(c):
    around = (c.pad, c.pad)
    return np.pad(c.x, ((0, 0), around, around, (0, 0)))


def _last_written(c):
    """dx where each entry of the kernel overwrites what those before it have left."""
    dx, (KH, KW), (OH, OW) = np.zeros_like(_padded(c)), c.W.shape[2:], c.dy.shape[1:3]
    for k in range(KH):
        for l in range(KW):
            dx[:, k : k + OH, l : l + OW] = np.tensordot(c.W[:, :, k, l].T, c.dy, axes=1)
    return dx[:, c.pad : c.pad + c.x.shape[1], c.pad : c.pad + c.x.shape[2]]


def _unless_padded(c, value):
    if c.pad:
        raise ValueError("x is smaller than the loops take it to be")
    return value


CONV = Exercise(
    "the backward pass of a convolution",
    "Conv2d.backward",
    _conv_cases,
    _ask_conv,
    _conv_slopes,
    [
        *mistakes_of_a_sum("dW"),
        *mistakes_of_a_sum("db"),
        Mistake(
            "dW",
            lambda c: c.dW[:, :, ::-1, ::-1],
            "dW is turned upside down and left to right: it belongs to a flipped kernel. In the "
            "formula k and l are added to i and j, not subtracted.",
        ),
        Mistake(
            "dW",
            lambda c: c.dW.swapaxes(2, 3),
            "In dW rows and columns of the kernels are exchanged: k goes down, l to the right.",
        ),
        Mistake(
            "dW",
            lambda c: c.dW.swapaxes(0, 1),
            "In dW channels and kernels are exchanged: f, the kernel, is the first index of W.",
        ),
        Mistake(
            "dW",
            lambda c: c.dW / c.dy[0].size,
            "You took the mean of dW over all places and images. A weight is used at every place "
            "of every image, and what it does there adds up.",
        ),
        Mistake(
            "dW",
            lambda c: c.dW[:, :, :1, :1],
            "In dW all entries of a kernel are the same. Each of them sees another part of the "
            "image, moved by k and l: do these occur in your sum?",
        ),
        Mistake(
            "dW",
            lambda c: _unless_padded(c, c.dW),
            "Without padding dW is right. With it you read x, which is smaller, where the forward "
            "pass has read `padded`.",
        ),
        Mistake(
            "dW",
            lambda c: _with(c, x=c.x[..., -1:], dy=c.dy[..., -1:])["dW"],
            "dW is that of the last image alone: every image adds its share.",
        ),
        Mistake(
            "db",
            lambda c: c.dy.sum(axis=3),
            "db is summed over the images, but not over the places: a bias enters y at every place "
            "(i, j) as well.",
        ),
        Mistake(
            "db",
            lambda c: c.dy.sum(axis=(1, 2)),
            "db is summed over the places, but not over the images.",
        ),
        Mistake(
            "db",
            lambda c: c.dy.sum(axis=(0, 1, 2)),
            "db is summed over the kernels and not over the images: a bias enters the output of "
            "its own kernel, in all images.",
        ),
        Mistake(
            "db",
            lambda c: c.db / c.dy[0].size,
            "You took the mean of dy over all places and images; a bias adds to y in each of them, "
            "and all these changes add up.",
        ),
        Mistake(
            "db",
            lambda c: c.dy.sum(),
            "All of db is one and the same number, the sum over all of dy. Every bias belongs to "
            "one kernel: over which indices of dy is the sum?",
        ),
        Mistake(
            "db",
            lambda c: c.db * c.W.shape[2] * c.W.shape[3],
            "db is too large by the number of entries of a kernel: is it added within the loops "
            "over k and l?",
        ),
        Mistake(
            "dx",
            lambda c: _with(c, W=c.W[:, :, ::-1, ::-1])["dx"],
            "The kernel is not flipped. If output i sees pixel i + k, then pixel r is seen by "
            "output r - k: on the way back the kernel lies the other way round.",
        ),
        Mistake(
            "dx",
            lambda c: _with(c, x=_padded(c), pad=0)["dx"],
            "dx still has the padding around it: those zeros are no pixels of x.",
        ),
        Mistake(
            "dx",
            lambda c: _with(c, x=_padded(c), pad=0)["dx"][:, c.pad : -c.pad, c.pad : -c.pad],
            "Without padding your dx is empty. -0 is the same as 0, and A[0:-0] takes nothing: "
            "count the end of what you take from the front.",
        ),
        Mistake(
            "dx",
            _last_written,
            "In dx each entry of the kernel overwrites what the one before it has left. A pixel is "
            "seen by several outputs, and what they tell it adds up.",
        ),
        Mistake(
            "dx",
            lambda c: _with(c, W=c.W.swapaxes(0, 1))["dx"],
            "In dx channels and kernels of W are exchanged. On the way back the sum is over the "
            "kernels: which index of W is that?",
        ),
        Mistake(
            "dx",
            lambda c: _with(c, W=c.W.swapaxes(2, 3))["dx"],
            "In dx rows and columns of W are exchanged: k goes down, l to the right.",
        ),
        DIVIDED,
        OPPOSITE,
        Mistake(
            "dx",
            lambda c: np.zeros_like(c.x),
            "dx is all zeros: nothing has been added to it.",
        ),
    ],
    train="train --with {} --network mine --epochs 3 --device cpu",
    changes=("dW_before", "db_before"),
    added=("dW", "db"),
    given=("y",),
    shown=("x", "dy", "W", "b", "pad"),
)
