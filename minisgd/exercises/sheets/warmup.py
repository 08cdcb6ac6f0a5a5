"""Exercise: a gradual warmup of the learning rate.

A large batch wants a large rate η, but at the beginning of a run such a rate does harm. So the
first k epochs lead up to it, from the rate η0 of a small batch:

    epoch       1     2     ...     k       k + 1     k + 2    ...
    rate        η0    from epoch to epoch     η         η      ...
                      by equal amounts

Epoch k + 1 is the first with the full rate; the last epoch of the warmup, k, is one step short of
it. With k = 4, η0 = 0.1 and η = 0.5 the rates are 0.1, 0.2, 0.3 and 0.4, and then 0.5.

    η_i = ?     for i = 1, 2, ..., k

Write `gradual` where it says so. Whether it is right, or what is wrong, you are told by

    python cli.py exercise --check warmup.py
"""

EXERCISE = "warmup"


def gradual(i, k, base_lr, lr):
    """The rate in epoch i of the k epochs of the warmup, from base_lr (η0) towards lr (η).

    It is asked for i = 1, 2, ..., k alone.
    """
    raise NotImplementedError("write this")


# Nothing is left to do below: your warmup, for `train --with`.
WARMUPS = {"mine": gradual}
