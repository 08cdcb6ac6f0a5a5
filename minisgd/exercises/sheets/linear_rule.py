"""Exercise: how the learning rate should follow the batch size, by the linear scaling rule.

    w <- w - η (the mean of the gradients of b images)

Say that a rate η0 suits batches of b0 images. Now the batches are to be larger, b images each. One
of them holds as many images as b/b0 of the small ones, so there are fewer updates by that factor.
If the gradient hardly changes on the way, then one large step should go as far as all the small
steps that it replaces. What must its rate η be?

    η = factor(b, b0) η0

The factor is the same for a smaller batch, b < b0, and need not be a whole number.

Write `linear` where it says so. Whether it is right, or what is wrong, you are told by

    python cli.py exercise --check linear_rule.py
"""

EXERCISE = "linear-rule"


def linear(b, b0):
    """By what factor the rate at batch size b is larger than the one at b0: a number."""
    raise NotImplementedError("write this")


# Nothing is left to do below: your rule, for `sweep --with`.
RULES = {"mine": linear}
