"""The exercises on the learning rate: the linear rule and the gradual warmup.

They are functions of numbers, compared with values that were worked out by hand.

Letters:  as in rules.py and schedules.py; c is a case, with its inputs and its right value.
"""

from math import log2

from .entries import Exercise, Mistake, case

# ---- the linear rule


# (b, b0, factor)
_FACTORS = (
    (128, 64, 2), (8192, 64, 128), (64, 64, 1), (32, 64, 0.5), (96, 64, 1.5), (100, 80, 1.25),
    (300, 200, 1.5), (16, 1, 16), (7, 70, 0.1),
)  # fmt: skip


LINEAR_RULE = Exercise(
    "the linear scaling rule",
    "linear",
    lambda: [case(f"b = {b}, b0 = {b0}", b=b, b0=b0) for b, b0, _ in _FACTORS],
    lambda module, b, b0: {"factor": module.linear(b, b0)},
    lambda b, b0: {"factor": {(b, b0): factor for b, b0, factor in _FACTORS}[b, b0]},
    [
        Mistake(
            "factor",
            lambda c: c.b0 / c.b,
            "It is upside down: your rate falls where the batch grows.",
        ),
        Mistake(
            "factor",
            lambda c: (c.b / c.b0) ** 0.5,
            "That is the other rule of the report, by the square root. It keeps the noise of an "
            "update; here one step is to go as far as the steps that it replaces.",
        ),
        Mistake(
            "factor",
            lambda c: c.b // c.b0,
            "You divided with //, which drops what is behind the point. The factor need not be a "
            "whole number.",
        ),
        Mistake("factor", lambda c: round(c.b / c.b0), "You rounded to a whole number."),
        Mistake(
            "factor",
            lambda c: -(-c.b // c.b0),
            "You rounded up to a whole number.",
        ),
        Mistake(
            "factor",
            lambda c: c.b,
            "You return b, whatever b0 is. How many small batches are as many images as one "
            "large one?",
        ),
        Mistake(
            "factor",
            lambda c: c.b / 64,
            "You divided by 64, which is the usual b0. Use the b0 that is given.",
        ),
        Mistake(
            "factor",
            lambda c: c.b - c.b0,
            "You subtracted. Ask how many times as large the batch is, not by how many images.",
        ),
        Mistake(
            "factor",
            lambda c: (c.b - c.b0) / c.b0,
            "That is by how much the rate grows, in units of the old one. Where b = b0 the factor "
            "should leave the rate as it is.",
        ),
        Mistake(
            "factor",
            lambda c: max(1, c.b / c.b0),
            "It is right for b > b0. For a smaller batch the rate has to be smaller, too.",
        ),
        Mistake(
            "factor",
            lambda c: 0.01 * c.b / c.b0,
            "You put a rate of 0.01 into it. The rate is multiplied by the factor later.",
        ),
        Mistake(
            "factor",
            lambda c: (c.b / c.b0) ** 2,
            "You squared it: for twice the batch your rate is four times as large.",
        ),
        Mistake(
            "factor",
            lambda c: log2(c.b / c.b0),
            "That counts how often the batch has doubled. Where b = b0 the factor should be 1.",
        ),
        Mistake(
            "factor",
            lambda c: 1 + log2(c.b / c.b0),
            "You add 1 for every doubling of the batch. Four times the batch replaces how many "
            "small steps?",
        ),
        Mistake("factor", lambda c: 1, "Your rate does not depend on the batch size."),
        Mistake("factor", lambda c: c.b * c.b0, "You multiplied b by b0."),
    ],
    train="sweep --with {} --rule mine --epochs 5",
    judge="values worked out by hand",
)

# ---- the gradual warmup

# (k, η0, η, the rates of the epochs 1 ... k)
_RATES = (
    (4, 0.1, 0.5, (0.1, 0.2, 0.3, 0.4)),
    (10, 0.01, 1.28, (0.01, 0.137, 0.264, 0.391, 0.518, 0.645, 0.772, 0.899, 1.026, 1.153)),
    (1, 0.02, 0.08, (0.02,)),
    (2, 3, 1, (3, 2)),
    (3, 0.25, 0.25, (0.25, 0.25, 0.25)),
)


WARMUP = Exercise(
    "a gradual warmup",
    "gradual",
    lambda: [
        case(f"i = {i}, k = {k}, η0 = {base}, η = {lr}", i=i, k=k, base_lr=base, lr=lr)
        for k, base, lr, rates in _RATES
        for i in range(1, len(rates) + 1)
    ],
    lambda module, **given: {"rate": module.gradual(**given)},
    lambda i, k, base_lr, lr: {
        "rate": {given[:3]: given[3] for given in _RATES}[k, base_lr, lr][i - 1]
    },
    [
        Mistake(
            "rate",
            lambda c: (c.k - c.i) / c.k * c.base_lr + c.i / c.k * c.lr,
            "Off by one: you are a step ahead. Your first epoch is already above η0, and epoch k "
            "has the full rate, which epoch k + 1 should be the first to have.",
        ),
        Mistake(
            "rate",
            lambda c: (c.k + 2 - c.i) / c.k * c.base_lr + (c.i - 2) / c.k * c.lr,
            "Off by one: you are a step behind. The first epoch, i = 1, should have η0 itself.",
        ),
        Mistake(
            "rate",
            lambda c: c.base_lr + (c.i - 1) / (c.k - 1) * (c.lr - c.base_lr),
            "Your steps are too large: they reach η in epoch k. From η0 in epoch 1 to η in epoch "
            "k + 1, how many steps are there?",
        ),
        Mistake(
            "rate",
            lambda c: (
                c.base_lr + (c.i - 1) / (c.k - 1) * (c.lr - c.base_lr) if c.k > 1 else c.base_lr
            ),
            "Your steps are too large: they reach η in epoch k. From η0 in epoch 1 to η in epoch "
            "k + 1, how many steps are there?",
        ),
        Mistake(
            "rate",
            lambda c: c.base_lr + (c.i - 1) / (c.k - 1) * (c.lr - c.base_lr) if c.k > 1 else c.lr,
            "Your steps are too large: they reach η in epoch k. From η0 in epoch 1 to η in epoch "
            "k + 1, how many steps are there?",
        ),
        Mistake(
            "rate",
            lambda c: c.base_lr + (c.i - 1) / (c.k + 1) * (c.lr - c.base_lr),
            "Your steps are too small: η would be reached in epoch k + 2. From η0 in epoch 1 to η "
            "in epoch k + 1, how many steps are there?",
        ),
        Mistake(
            "rate",
            lambda c: c.base_lr + c.i / (c.k + 1) * (c.lr - c.base_lr),
            "Off by one at the beginning: epoch 1 is already a step above η0. The end is right.",
        ),
        Mistake(
            "rate",
            lambda c: (c.k + 1 - c.i) / c.k * c.lr + (c.i - 1) / c.k * c.base_lr,
            "η0 and η are exchanged: your rate begins at the full one.",
        ),
        Mistake(
            "rate",
            lambda c: c.i / c.k * c.lr,
            "Your rate starts from nothing, whatever η0 is, and epoch k has the full one. It "
            "should start at η0.",
        ),
        Mistake(
            "rate",
            lambda c: (c.i - 1) / c.k * c.lr,
            "Your rate starts from 0, whatever η0 is: it should start at η0.",
        ),
        Mistake(
            "rate",
            lambda c: c.base_lr + (c.i - 1) / c.k * c.lr,
            "Each of your steps is a k-th of η, and they come on top of η0, so that the end is too "
            "high, at η0 + η. How far is it from η0 to η?",
        ),
        Mistake(
            "rate",
            lambda c: c.base_lr,
            "Your rate is η0 in every epoch. If you divided with //, that drops what is behind the "
            "point.",
        ),
        Mistake(
            "rate",
            lambda c: c.lr,
            "Your rate is the full one from the first epoch on.",
        ),
        Mistake(
            "rate",
            lambda c: c.base_lr * (c.lr / c.base_lr) ** ((c.i - 1) / c.k),
            "Your rate is multiplied by the same factor from epoch to epoch. The steps should be "
            "equal amounts.",
        ),
        Mistake(
            "rate",
            lambda c: 1 + (c.i - 1) / c.k * (c.lr / c.base_lr - 1),
            "You return how many times η0 the rate is, and the rate itself is asked for.",
        ),
    ],
    train="sweep --with {} --rule linear --warmup mine --warmup-epochs 3 --epochs 5",
    judge="values worked out by hand",
)
