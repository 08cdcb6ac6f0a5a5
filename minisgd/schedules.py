"""How the learning rate changes during a run: warmups at its beginning, decays towards its end.

The rate of an update is a product of plain functions of numbers: the rule's factor of b (rules.py),
a warmup and a decay. A warmup or a decay of your own is one function and one entry in its table.

Letters:  η0 the rate that belongs to the base batch size, η the rate that the rule makes of it,
          i epoch or update of the warmup, from 1, k how many of them it lasts,
          t update after the warmup, from 0, T how many of those there are.
"""

from math import cos, pi

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
    if epoch < 1 or warmup_epochs < 1:
        raise SettingError(
            f"epochs are counted from 1, got epoch {epoch} and {warmup_epochs} warmup epochs"
        )
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


DECAYS = {"none": None, "cosine": cosine, "linear": linear}


def decay_factor(kind, t, T):
    """What the rate is multiplied by at update t of T: 1 at t = 0, and more than 0 at t = T - 1.

    Units:   updates; before the decay begins (t < 0) the factor is 1
    Raises:  SettingError (a ValueError) for an unknown kind
    """
    decay = one_of("decay", DECAYS, kind)
    return 1.0 if decay is None or t < 0 else decay(t, T)
