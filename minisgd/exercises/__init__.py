"""Exercises that answer back: a file to finish for each, and what is wrong with an answer.

`sheets` holds the files. dense.py, pooling.py, convolution.py, losses.py, updates.py and rates.py
say how an answer is judged and which mistakes are known. asking.py runs a learner's file in a
process of its own, and judging.py compares what it returned. No solution is in this folder: what is
right comes from central differences of the forward passes, or was worked out by hand.
"""

from pathlib import Path

from . import convolution, dense, losses, pooling, rates, updates

EXERCISES = {
    "linear": dense.LINEAR,
    "relu": dense.RELU,
    "maxpool": pooling.MAXPOOL,
    "conv": convolution.CONV,
    "softmax": losses.SOFTMAX,
    "momentum": updates.MOMENTUM,
    "linear-rule": rates.LINEAR_RULE,
    "warmup": rates.WARMUP,
}


def sheet(name):
    """The file of an exercise, as it is before it is done: a Path."""
    return Path(__file__).parent / "sheets" / f"{name.replace('-', '_')}.py"
