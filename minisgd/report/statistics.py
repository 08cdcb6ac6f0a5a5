"""Statistics of one run, and the chance of what is seen over many.

A run is the list of its records, one per epoch and as in metrics.csv. A run that diverged ends
early: its last record holds None in place of every loss and accuracy. Accuracies here are test
accuracies, as fractions of 1, and epochs count from 1.

A statistic with a parameter is returned as a function of the records: `epochs_to(0.97)(records)`.
"""

from itertools import pairwise
from math import comb, inf
from statistics import median

import numpy as np

FINAL_EPOCHS = 5  # whose median is the final accuracy: a single epoch may be a lucky one
LOST = 0.5  # a run that falls to no more of its best so far has lost what it had learnt
GUESSING = 0.1  # the accuracy before any training: ten classes, one guess
EXACT_UP_TO = 16  # differences of which all 2^n signs are tried


def accuracies(records):
    """The test accuracy after each epoch; None in the epoch of a divergence."""
    return [record["test_accuracy"] for record in records]


def best_accuracy(records):
    """The highest test accuracy of any epoch; 0 if there is none."""
    return max(accuracy or 0.0 for accuracy in accuracies(records))


def final_accuracy(records):
    """The median test accuracy of the last five epochs; 0 for a run that diverged.

    A run that ends at no more than half of its best accuracy has lost what it had learnt, however
    late: it has no more than its last accuracy.
    """
    curve = accuracies(records)
    if curve[-1] is None:
        return 0.0
    late, end = median(curve[-FINAL_EPOCHS:]), curve[-1]
    return min(late, end) if end <= LOST * max(curve) else late


def last_accuracy(records):
    """The test accuracy after the last epoch; 0 for a run that diverged. For runs of few epochs."""
    return accuracies(records)[-1] or 0.0


def loss_at(epoch, column):
    """The statistic: the loss at an epoch; infinite for a run that had diverged by then.

    column:  "train_loss", the running loss of that epoch, or "test_loss", the loss after it
    """

    def loss(records):
        value = records[epoch - 1][column] if len(records) >= epoch else None
        return inf if value is None else value

    return loss


def epochs_to(target):
    """The statistic: epochs until the test accuracy reaches a target; infinite if it never does.

    Between two epochs the accuracy is taken to change linearly; it starts at that of guessing.
    """

    def epochs(records):
        before = GUESSING
        for i, accuracy in enumerate(accuracies(records)):
            if accuracy is not None and accuracy >= target:
                return i + (target - before) / (accuracy - before)
            before = accuracy
        return inf

    return epochs


def largest_fall(begun):
    """The statistic: the largest fall of the test accuracy from one epoch to the next.

    Only falls after the accuracy has first reached `begun` count, so that the wobble of a flat
    start does not. A divergence counts as a fall of 1.
    """

    def fall(records):
        curve = accuracies(records)
        if None in curve:
            return 1.0
        start = next((i for i, accuracy in enumerate(curve) if accuracy >= begun), len(curve))
        return max((a - b for a, b in pairwise(curve[start:])), default=0.0)

    return fall


def left_after_rise(risen):
    """The statistic: the lowest share of its best accuracy so far that a run falls to, once that
    best is at least `risen`; infinite for a run that never gets there. A divergence leaves nothing.
    """

    def share(records):
        best, lowest = 0.0, inf
        for accuracy in accuracies(records):
            if best >= risen:
                lowest = min(lowest, (accuracy or 0.0) / best)
            best = max(best, accuracy or 0.0)
        return lowest

    return share


def sign_flip_p(differences):
    """The p-value of the sign-flip test: is the mean of paired differences above zero by chance?

    Without an effect every difference is as likely to be negative as positive. The p-value is the
    fraction of all 2^n choices of the signs whose mean is at least the observed one. Beyond 16
    differences it is estimated from 2^16 choices drawn with a fixed seed, one of which is replaced
    by the observed signs, so that it is never 0.

    Source:  R. A. Fisher, The Design of Experiments (1935), chapter III
    """
    differences, n = np.asarray(differences, float), len(differences)
    if n <= EXACT_UP_TO:
        signs = 1 - 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)  # (2^n, n), of -1 and 1
    else:
        signs = np.random.default_rng(0).choice((-1, 1), (2**16, n))
        signs[0] = 1
    rounding = 1e-12  # equal sums may differ by this much
    return float(np.mean(signs @ differences >= differences.sum() - rounding))


def binomial_tail(heads, throws):
    """The probability of `heads` or more heads in so many throws of a fair coin."""
    return sum(comb(throws, k) for k in range(heads, throws + 1)) / 2**throws
