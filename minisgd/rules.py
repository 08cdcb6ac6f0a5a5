"""How the learning rate and the momentum follow the batch size: functions of numbers.

Letters:  b batch size, b0 base batch size, η0 the rate that belongs to b0, m momentum,
          i epoch from 1, k warmup epochs.
"""

from math import sqrt

from .errors import SettingError

RULES = ("none", "sqrt", "linear")
WARMUPS = ("none", "constant", "gradual")
LARGEST = 10**9  # images in a batch


def _factor(rule, batch_size, base_batch_size):
    """How much larger the rule makes the rate at b than at b0."""
    for size in (batch_size, base_batch_size):
        if not 1 <= size <= LARGEST:
            bound = "at least 1" if size < 1 else f"at most {LARGEST:,}"
            raise SettingError(f"batch sizes must be {bound}, got {size}")
    if rule == "none":
        return 1.0
    if rule == "sqrt":
        return sqrt(batch_size / base_batch_size)  # Report Sec. II, sqrt rule
    if rule == "linear":
        return batch_size / base_batch_size  # Report Sec. II, linear rule
    raise SettingError(f"rule must be one of {', '.join(RULES)}, got {rule!r}")


def _check_lr(lr):
    if not 0 < lr < float("inf"):
        raise SettingError(f"the learning rate must be a positive number, got {lr:g}")


def _check_momentum(momentum):
    if not 0 <= momentum < 1:
        raise SettingError(f"the momentum must be at least 0 and below 1, got {momentum:g}")


def scaled_lr(rule, lr, batch_size, base_batch_size=64):
    """The learning rate of a batch size, from the rate that suits the base batch size.

        none: η = η0     sqrt: η = η0 sqrt(b/b0)     linear: η = η0 b/b0

    Units:   rate per update
    Raises:  SettingError (a ValueError) for an unknown rule, a rate or batch size not positive
    Source:  report Sec. II
    """
    _check_lr(lr)
    return lr * _factor(rule, batch_size, base_batch_size)


def warmup_lr(kind, epoch, base_lr, lr, warmup_epochs=10):
    """The learning rate of one epoch, on the way from base_lr (η0) to the scaled rate lr (η).

        constant: η_i = η0                                 for i <= k, then η
        gradual:  η_i = (k+1-i)/k η0 + (i-1)/k η           for i <= k, then η

    The gradual one starts at η0 in epoch 1 and is still (k-1)/k of the way in epoch k.

    Units:   epochs counted from 1; the rate stands for the whole epoch
    Raises:  SettingError (a ValueError) for an unknown kind, epoch < 1, warmup_epochs < 1
    Source:  report Sec. II, warmup. The authors' code is at the full rate in epoch k; we follow
             the text.
    """
    if kind not in WARMUPS:
        raise SettingError(f"warmup must be one of {', '.join(WARMUPS)}, got {kind!r}")
    if epoch < 1 or warmup_epochs < 1:
        raise SettingError(
            f"epochs are counted from 1, got epoch {epoch} and {warmup_epochs} warmup epochs"
        )
    i, k = epoch, warmup_epochs
    if kind == "none" or i > k:
        return lr
    if kind == "constant":
        return base_lr  # Report Sec. II, constant warmup
    return (k + 1 - i) / k * base_lr + (i - 1) / k * lr  # Report Sec. II, gradual warmup


def effective_lr(lr, momentum):
    """η_eff = η / (1 - m): what all the steps that one gradient takes part in add up to.

    Raises:  SettingError (a ValueError) if m is not in [0, 1)
    Source:  report Sec. III
    """
    _check_lr(lr)
    _check_momentum(momentum)
    return lr / (1 - momentum)  # Report Sec. III, effective learning rate


def scaled_momentum(rule, momentum, batch_size, base_batch_size):
    """The momentum whose 1/(1-m) follows the rule, from the one that suits the base batch size.

        sqrt: 1/(1-m) = sqrt(b/b0) / (1-m0)     linear: 1/(1-m) = b/b0 / (1-m0)

    From m0 = .9 at 2048, sqrt gives .929 at 4096 and .95 at 8192.

    Raises:  SettingError (a ValueError) if m0, or the m that the rule gives, is not in [0, 1)
    Source:  report Sec. IV
    """
    _check_momentum(momentum)
    factor = _factor(rule, batch_size, base_batch_size)
    scaled = 1 - (1 - momentum) / factor  # Report Sec. IV, 1/(1-m) follows the rule
    if scaled < 0:
        raise SettingError(
            f"no momentum of at least 0 has 1/(1-m) = {factor / (1 - momentum):g} "
            f"(batch size {batch_size}, base batch size {base_batch_size})"
        )
    return scaled
