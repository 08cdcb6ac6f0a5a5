"""The exercises on layers that know nothing of images: linear and ReLU.

Legend:  as in layers.py; c is a case, with its inputs and its right outputs.
"""

import numpy as np

from .. import layers
from .entries import DIVIDED, OPPOSITE, Exercise, Mistake, case, mistakes_of_a_sum, passes, slopes

# ---- linear


def _linear_cases():
    rng = np.random.default_rng(1)
    for D, M, N, words in (
        (3, 4, 5, "5 images, 3 inputs, 4 outputs"),
        (4, 2, 3, "3 images, 4 inputs, 2 outputs"),
        (3, 3, 4, "4 images, 3 inputs and as many outputs"),
        (2, 2, 2, "2 images, 2 inputs, 2 outputs"),
        (3, 2, 1, "a single image, 3 inputs, 2 outputs"),
        (2, 1, 3, "3 images, 2 inputs, a single output"),
        (1, 3, 2, "2 images, a single input, 3 outputs"),
    ):
        W, b, dW, db = (rng.normal(size=shape) for shape in ((M, D), M, (M, D), M))
        x, dy = rng.normal(size=(D, N)), rng.normal(size=(M, N))
        yield case(words, x=x, dy=dy, W=W, b=b, dW_before=dW, db_before=db)


def _ask_linear(module, x, dy, W, b, dW_before, db_before):
    return passes(module.Linear(W, b, dW_before, db_before), x, dy, dW=dW_before, db=db_before)


def _linear_slopes(x, dy, W, b, **before):
    W, b = W.copy(), b.copy()  # differences change them on the way
    return slopes(layers.Linear(W, b), x, dy, dW=W, db=b)


_OF_ONE_IMAGE = (
    "{} is that of the last image alone. Every image adds its share: if you loop over the images, "
    "is the array made anew each time, or is = where += should be?"
)

LINEAR = Exercise(
    "the backward pass of a fully connected layer",
    "Linear.backward",
    _linear_cases,
    _ask_linear,
    _linear_slopes,
    [
        *mistakes_of_a_sum("dW"),
        *mistakes_of_a_sum("db"),
        Mistake(
            "dW",
            lambda c: c.dW.T,
            "dW comes out transposed. Its rows belong to the outputs and its columns to the "
            "inputs, as those of W do: which index comes first in your product?",
        ),
        Mistake(
            "dW",
            lambda c: np.ones_like(c.dy) @ c.x.T,
            "dW has no dy in it: that is by how much y changes with W, not yet the loss. By the "
            "chain rule each term is multiplied by the dy that belongs to it.",
        ),
        Mistake(
            "dW",
            lambda c: np.outer(c.dy[:, -1], c.x[:, -1]),
            _OF_ONE_IMAGE.format("dW"),
        ),
        Mistake(
            "dW",
            lambda c: c.dy @ (c.W @ c.x + c.b[:, None]).T,
            "dW is a product of dy with y, the layer's output. What is a weight multiplied by in "
            "the forward pass?",
        ),
        Mistake(
            "db",
            lambda c: c.dy.sum(axis=0),
            "db is summed over the wrong index of dy: you add up the outputs of every image. A "
            "bias enters its own output, in all of the images.",
        ),
        Mistake(
            "db",
            lambda c: c.dy.sum(),
            "All of db is one and the same number, the sum over all of dy. Every bias enters one "
            "output alone: over which of the two indices is the sum?",
        ),
        Mistake(
            "db",
            lambda c: c.dy,
            "You add dy as it is to db. dy has a column for every image, db has none: each bias "
            "enters the output of all the images, so that something is to be summed.",
        ),
        Mistake(
            "db",
            lambda c: c.db[:, None],
            "db has the right numbers, but as a column (M, 1), where the layer's has the shape "
            "(M,): see what `keepdims` or an index [:, None] does.",
        ),
        Mistake("db", lambda c: c.dy[:, -1], _OF_ONE_IMAGE.format("db")),
        Mistake(
            "db",
            lambda c: np.full(len(c.b), float(c.dy.shape[1])),
            "db is the number of images: y does change by 1 with b in each of them, but the loss "
            "changes by dy. You left out the chain rule.",
        ),
        Mistake(
            "dx",
            lambda c: c.W @ c.dy,
            "dx is made with W as it stands. In the forward pass an output sums over the inputs; "
            "on the way back an input sums over something else. Which index of W is that?",
        ),
        Mistake(
            "dx",
            lambda c: c.dx.T,
            "dx comes out transposed: the images should be its columns, as they are those of x.",
        ),
        Mistake(
            "dx",
            lambda c: c.dy,
            "You return dy as it came. Each input enters every output, with a weight of its own.",
        ),
        DIVIDED,
        OPPOSITE,
        Mistake(
            "dx",
            lambda c: c.W.T @ np.ones_like(c.dy),
            "dx has no dy in it: that is by how much the outputs change with x, not yet the loss.",
        ),
    ],
    train="train --with {} --network mine --epochs 3 --device cpu",
    changes=("dW_before", "db_before"),
    added=("dW", "db"),
    given=("y",),
    shown=("x", "dy", "W", "b"),
)


# ---- ReLU


def _relu_cases():
    rng = np.random.default_rng(2)
    for shape, kinks, words in (
        ((3, 4), 0, "3 numbers for each of 4 images"),
        ((2, 3, 4, 5), 0, "5 images of 2 channels"),
        ((4, 1), 0, "a single image"),
        ((3, 5), 6, "some x exactly 0"),
        ((2, 2, 3, 2), 8, "images, some x exactly 0"),
    ):
        x = rng.choice((-1, 1), size=shape) * rng.uniform(0.1, 2, size=shape)
        x.reshape(-1)[rng.choice(x.size, kinks, replace=False)] = 0
        yield case(words, x=x, dy=rng.normal(size=shape))


def _ask_relu(module, x, dy):
    return passes(module.ReLU(), x, dy)


def _relu_slopes(x, dy):
    return slopes(layers.ReLU(), x, dy, beside=x - 1e-3)  # the slope on the left of the kink


RELU = Exercise(
    "the backward pass of max(x, 0)",
    "ReLU.backward",
    _relu_cases,
    _ask_relu,
    _relu_slopes,
    [
        Mistake(
            "dx",
            lambda c: c.dy,
            "You return dy as it came: the mask is missing. Where x is negative, y stays 0 when x "
            "changes a little.",
        ),
        Mistake(
            "dx",
            lambda c: 1.0 * (c.x > 0),
            "You return the derivative of y by x, which is 1 or 0. The chain rule multiplies it by "
            "dy.",
        ),
        Mistake(
            "dx",
            lambda c: c.dy * (c.x >= 0),
            "Everything is right except where x is exactly 0. The exercise asks for 0 there, the "
            "slope on the left.",
        ),
        Mistake(
            "dx",
            lambda c: c.dx + c.dy / 2 * (c.x == 0),
            "Everything is right except where x is exactly 0: you take 1/2 for the slope, the "
            "exercise asks for 0.",
        ),
        Mistake(
            "dx",
            lambda c: c.dy * (c.dy > 0),
            "You set dy to 0 where dy itself is negative. What lets a derivative through is the "
            "sign of another array.",
        ),
        Mistake(
            "dx",
            lambda c: c.dy * (c.x < 0),
            "It is the wrong way round: dy passes where x is negative, and is stopped where x is "
            "positive.",
        ),
        Mistake(
            "dx",
            lambda c: c.dy * (c.x <= 0),
            "It is the wrong way round: dy passes where x is negative or 0, and is stopped where x "
            "is positive.",
        ),
        Mistake(
            "dx",
            lambda c: c.dy * np.maximum(c.x, 0),
            "You multiplied dy by y, the output. By the chain rule the factor is the derivative of "
            "y: how steep is max(x, 0) where x is positive?",
        ),
        Mistake(
            "dx",
            lambda c: np.maximum(c.x, 0),
            "You return the forward pass once more; dy does not occur in it.",
        ),
        Mistake(
            "dx",
            lambda c: c.dy * np.sign(c.x),
            "Where x is negative your dx is -dy: that is the derivative of |x|.",
        ),
        Mistake(
            "dx",
            lambda c: c.dy * c.x,
            "You multiplied dy by x. By the chain rule the factor is the derivative of y by x.",
        ),
        OPPOSITE,
    ],
    train="train --with {} --network mine --epochs 3 --device cpu",
    given=("y",),
    shown=("x", "dy"),
)
