"""How the learning rate changes during a run: warmups at its beginning, decays towards its end.
And how the batch may grow instead.

The rate of an update is a product of plain functions of numbers: the rule's factor of b (rules.py),
a warmup and a decay. A warmup or a decay of your own is one function and one entry in its table.

Letters:  η0 the rate that belongs to the base batch size, η the rate that the rule makes of it,
          i epoch or update of the warmup, from 1, k how many of them it lasts,
          t update after the warmup, from 0, T how many of those there are, b the batch size that a
          run begins with, N the images of the training set.
"""

import re
from math import cos, pi, prod

from .errors import SettingError, one_of

# ---- warmups: (i, k, η0, η) -> the rate, for 1 <= i <= k


def constant(i, k, base_lr, lr):
    """η_i = η0."""
    return base_lr  # Report Sec. II, constant warmup


def gradual(i, k, base_lr, lr):
    """η_i = (k+1-i)/k η0 + (i-1)/k η: from η0, and only (k-1)/k of the way at i = k."""
    return (k + 1 - i) / k * base_lr + (i - 1) / k * lr  # Report Sec. II, gradual warmup


def ramp(i, k, base_lr, lr):
    """η_i = i/k η: from nearly nothing, whatever η0 is. Not in the report."""
    return i / k * lr


WARMUPS = {"none": None, "constant": constant, "gradual": gradual, "ramp": ramp}


def warmup_lr(kind, epoch, base_lr, lr, warmup_epochs=10):
    """The learning rate during a warmup, on the way from base_lr (η0) to the scaled rate lr (η).

        constant: η_i = η0                                 for i <= k, then η
        gradual:  η_i = (k+1-i)/k η0 + (i-1)/k η           for i <= k, then η
        ramp:     η_i = i/k η                              for i <= k, then η

    Units:   epochs counted from 1, each at one rate; or updates counted from 1, if both numbers are
             in updates
    Raises:  SettingError (a ValueError) for an unknown kind, epoch < 1, warmup_epochs < 1
    Source:  report Sec. II. The authors' code already has the full rate in epoch k; this is the
             text's formula.
    """
    warmup = one_of("warmup", WARMUPS, kind)
    if epoch < 1:
        raise SettingError(f"epochs are counted from 1, got epoch {epoch}")
    if warmup_epochs < 1:
        raise SettingError(f"a warmup needs at least 1 epoch, got {warmup_epochs}")
    if warmup is None or epoch > warmup_epochs:
        return lr
    return warmup(epoch, warmup_epochs, base_lr, lr)


# ---- decays: (t, T) -> what the rate is multiplied by, for 0 <= t < T


def cosine(t, T):
    """(1 + cos π t/T) / 2.  Source: Loshchilov and Hutter 2017, SGDR, without restarts"""
    return (1 + cos(pi * t / T)) / 2


def linear(t, T):
    """1 - t/T."""
    return 1 - t / T


def steps(t, T):
    """1/5^k, where k is 0, 1 and 2 in the three thirds of the run.

    Source:  Smith, Kindermans, Ying and Le 2018, Don't decay the learning rate, increase the batch
             size. They divide by 5, too, but three times, after 60, 120 and 160 of 200 epochs
    """
    return 1 / 5 ** (3 * t // T)


DECAYS = {"none": None, "cosine": cosine, "linear": linear, "steps": steps}


def decay_factor(kind, t, T):
    """What the rate is multiplied by at update t of T: 1 at t = 0, and more than 0 at t = T - 1.

    Units:   updates; before the decay begins (t < 0) the factor is 1
    Raises:  SettingError (a ValueError) for an unknown kind
    """
    decay = one_of("decay", DECAYS, kind)
    return 1.0 if decay is None or t < 0 else decay(t, T)


# ---- batches that grow: the noise of an update goes with η/b, so that either may change


def batch_size_at(schedule, epoch, epochs, batch_size, N, warm=0):
    """The batch size of an epoch: b = batch_size, or larger as the schedule says, N at most.

        "":              b
        "x5@11,x5@21":   b, 5 b from epoch 11 on, 25 b from epoch 21 on
        a decay's name:  b/d, rounded, with the factor d of the decay at the middle one of the
                         updates that the epoch has at batch size b

    The middle, because then η/b, averaged over an epoch, is the same as with this decay at a fixed
    b, but for the rounding: exactly for "linear", for "steps" if no step falls within the epoch,
    and to within π²/(48 epochs²) of its first value for "cosine". The beginning of an epoch would
    leave too much noise, by half of what the decay takes away in an epoch.

    Units:   epoch from 1; warm, how long the warmup lasts, in updates of batch size b
    Raises:  SettingError (a ValueError) for a schedule that makes no sense
    Source:  Smith, Kindermans, Ying and Le 2018. There the batch grows until it is N/10, from where
             the rate falls again; here it grows to N, and --decay makes the rate fall as well
    """
    if not schedule:
        return batch_size
    if "@" in schedule:
        factors = [factor for first, factor in batch_steps(schedule, epochs) if first <= epoch]
        return min(batch_size * prod(factors), N)
    per_epoch = -(-N // batch_size)
    t = (epoch - 1) * per_epoch + (per_epoch - 1) / 2
    d = decay_factor(schedule, t - warm, epochs * per_epoch - warm)
    if not 0 < d <= 1:
        raise SettingError(
            f"the decay {schedule} is {d:g} in epoch {epoch}: a batch grows only by a decay that "
            "is above 0 and at most 1"
        )
    return round(min(batch_size / d, N))


def batch_steps(schedule, epochs):
    """[(epoch, factor)] of a schedule such as "x5@11,x5@21"; [] of a decay's name.

    Raises:  SettingError (a ValueError) if it is neither, or its epochs are not in order
    """
    if DECAYS.get(schedule):
        return []
    found, last = [], 1
    for step in schedule.split(","):
        match = re.fullmatch(r"x((?:0|[1-9][0-9]{,8})(?:\.[0-9]+)?)@([1-9][0-9]{,8})", step)
        if not match:
            decays = ", ".join(name for name in DECAYS if name != "none")
            raise SettingError(
                f"a batch schedule must be a decay ({decays}) or steps such as x5@11,x5@21, "
                f"got {schedule!r}"
            )
        factor, epoch = match.groups()
        if not factor.isdigit() or int(factor) < 2:
            raise SettingError(f"a batch grows by a whole factor of at least 2, got {step}")
        if not last < int(epoch) <= epochs:
            raise SettingError(
                f"a batch grows at epochs in order, from 2 to the last, which is {epochs}, got "
                f"{schedule}"
            )
        last = int(epoch)
        found.append((last, int(factor)))
    return found
