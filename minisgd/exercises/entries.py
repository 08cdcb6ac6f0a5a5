"""What an exercise consists of."""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from ..gradcheck import STEP, by_differences


class Exercise(NamedTuple):
    """How an answer is judged.

    title     what is asked for, in a phrase
    task      the function that is to be written, "Linear.backward"
    cases     () -> [Case]
    ask       (module, **the inputs of a case) -> {output: value}: calls the learner's functions
    right     (**the inputs of a case) -> {output: value}, found without a solution
    mistakes  the known ones; an answer may be wrong in other ways
    train     the command that trains with an answer, {} for the file
    changes   the inputs that may be changed
    added     the outputs that the learner adds to an array: what they are is what was added
    given     the outputs of the part that was given to her
    shown     the inputs whose shapes are told with an error
    judge     what the outputs are compared with
    """

    title: str
    task: str
    cases: object
    ask: object
    right: object
    mistakes: list
    train: str
    changes: tuple = ()
    added: tuple = ()
    given: tuple = ()
    shown: tuple = ()
    judge: str = "central differences"


class Mistake(NamedTuple):
    """A mistake that is recognised when an answer agrees with it in every case.

    output    the output that it spoils, or a tuple of several
    returns   (c) -> what somebody who makes it would return, for these outputs; c holds the inputs
              of a case and its right outputs by name. A shape that does not fit is an error here,
              too
    says      what she did and what to look at, in a sentence or two; not the solution
    """

    output: object
    returns: object
    says: str


class Amiss(str):
    """In place of an output: a sentence on what is wrong with it, where nothing is compared."""


def case(words, **inputs):
    """One call of the learner's code: what is special about it, in words, and its inputs."""
    return SimpleNamespace(words=words, inputs=inputs)


def slopes(layer, x, dy, beside=None, **weights):
    """What a layer's backward pass should give: the derivatives of Σ dy · y by central differences.

    beside   a point near x, where there is no kink or tie: the derivative by x is taken there
    weights  {the name of a derivative: the weight}

    Returns: {"y": the output, the derivatives by the weights, "dx": the one by x}
    """
    x = x.copy()
    at = x if beside is None else beside
    found = {"y": layer.forward(x)}
    found |= {name: by_differences(layer, x, W, dy, STEP) for name, W in weights.items()}
    return found | {"dx": by_differences(layer, at, at, dy, STEP)}


def passes(layer, x, dy, **gradients):
    """The forward and the backward pass of a learner's layer, as `ask` returns it.

    gradients   {name: the array that the layer was given to add to}
    """
    start = {name: array.copy() for name, array in gradients.items()}
    y = layer.forward(x)
    found = {"y": y.copy() if isinstance(y, np.ndarray) else y, "dx": layer.backward(dy)}
    for name, array in gradients.items():
        if getattr(layer, name) is array:
            found[name] = array - start[name]
        else:
            found[name] = Amiss(
                f"`self.{name} = ...` gives the layer a new array, but the network goes on reading "
                "the one that it gave to the layer, in which nothing has changed. "
                f"`self.{name} += ...` changes that one."
            )
    return found


# Mistakes that any layer's dx may have. The images are the last axis of x.
DIVIDED = Mistake(
    "dx",
    lambda c: c.dx / c.x.shape[-1],
    "You divided dx by the number of images. The loss is a mean over the batch, and dy is already "
    "its derivative.",
)
OPPOSITE = Mistake(
    "dx", lambda c: -c.dx, "dx has the opposite sign: the update subtracts, a layer does not."
)


def mistakes_of_a_sum(name):
    """The mistakes that can be made with any derivative that is added up: dW or db."""
    before = f"{name}_before"
    return [
        Mistake(
            name,
            lambda c: getattr(c, name) / c.x.shape[-1],
            f"You divided {name} by the number of images. The loss is a mean over the batch, and "
            "dy is already its derivative: nothing is left to be divided by.",
        ),
        Mistake(
            name,
            lambda c: getattr(c, name) - getattr(c, before),
            f"You overwrote what was in self.{name}: = stands where += should be. A batch may come "
            "in pieces, and what the pieces before this one left there must not be lost.",
        ),
        Mistake(
            name,
            lambda c: -getattr(c, name),
            f"{name} has the opposite sign. A layer finds the derivative as it is; what is "
            "subtracted is subtracted by the update.",
        ),
        Mistake(
            name,
            lambda c: np.zeros_like(getattr(c, name)),
            f"self.{name} is as it was: your backward adds nothing to it.",
        ),
    ]
