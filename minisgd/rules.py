"""How the learning rate and the momentum follow the batch size: plain functions of numbers.

A rule of your own is one function of b and b0 and one entry in RULES.

Letters:  b batch size, b0 base batch size, η0 the rate that belongs to b0, m momentum.
"""

from math import sqrt as square_root

from .errors import SettingError, one_of
from .schedules import warmup_lr

__all__ = ["RULES", "effective_lr", "scaled_adam", "scaled_lr", "scaled_momentum", "warmup_lr"]

LARGEST = 10**9  # images in a batch


def none(b, b0):
    """The same rate at every batch size."""
    return 1.0


def sqrt(b, b0):
    """√(b/b0)."""
    return square_root(b / b0)  # Report Sec. II, sqrt rule


def linear(b, b0):
    """b/b0."""
    return b / b0  # Report Sec. II, linear rule


# Not in the report: Adam's own rule has the same factor for the rate, and `scaled_adam` besides.
RULES = {"none": none, "sqrt": sqrt, "linear": linear, "adam-sqrt": sqrt}


def _factor(rule, batch_size, base_batch_size):
    """By what factor the rule makes the rate larger at b than at b0."""
    for what, size in (("batch size", batch_size), ("base batch size", base_batch_size)):
        if not 1 <= size <= LARGEST:
            bound = "at least 1" if size < 1 else f"at most {LARGEST:,}"
            raise SettingError(f"a {what} must be {bound}, got {size}")
    return one_of("rule", RULES, rule)(batch_size, base_batch_size)


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
    Raises:  SettingError (a ValueError) for an unknown rule, or a rate or size that is not positive
    Source:  report Sec. II
    """
    _check_lr(lr)
    return lr * _factor(rule, batch_size, base_batch_size)


def effective_lr(lr, momentum):
    """η_eff = η / (1 - m): the rate of one gradient, summed over all the updates that it enters.

    Raises:  SettingError (a ValueError) if η is not positive or m is not in [0, 1)
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


def scaled_adam(rule, beta1, beta2, epsilon, batch_size, base_batch_size):
    """Adam's β1, β2 and ε at a batch size, from those that suit the base batch size.

        adam-sqrt, with κ = b/b0: 1-β1 and 1-β2 times κ, ε/√κ (and the rate times √κ, `scaled_lr`)
        any other rule: unchanged

    Per image, v and u then forget as fast as at b0.

    Returns: (β1, β2, ε)
    Raises:  SettingError (a ValueError) if κ (1-β) reaches 1: v or u would remember nothing
    Source:  Malladi et al. 2022, On the SDEs and Scaling Rules for Adaptive Gradient Algorithms
    """
    if rule != "adam-sqrt":
        return beta1, beta2, epsilon
    kappa = batch_size / base_batch_size
    for name, beta in (("β1 (the momentum)", beta1), ("β2", beta2)):
        if kappa > 1 and kappa * (1 - beta) >= 1:
            raise SettingError(
                f"adam-sqrt makes 1-β {kappa:g} times as large, and {name} is {beta:g}: give more "
                f"than {1 - 1 / kappa:.4g}, or a larger base batch size than {base_batch_size}"
            )
    return 1 - kappa * (1 - beta1), 1 - kappa * (1 - beta2), epsilon / square_root(kappa)
