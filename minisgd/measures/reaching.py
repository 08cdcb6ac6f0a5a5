"""How many updates does a run need to reach an accuracy on held-out images?

A large batch makes few updates per epoch and a small one crosses 97 % within its first, so the run
is looked at between updates: after every LOOK of the updates made so far, and never so often that
looking costs more than training. In between, accuracy is taken to change linearly.
"""

from itertools import chain, count
from math import ceil, inf, isfinite

import numpy as np

from ..report.statistics import GUESSING
from ..train import Run, evaluate

LOOK = 0.05  # of the updates so far, to the next look: interpolated, a count is right to half of it
FORWARD = 1 / 3  # of the cost of a gradient is the forward pass, which is all that a look needs


def next_look(made, b, held_out):
    """After how many updates in all to look again, when so many of batch size b have been made."""
    as_costly = ceil(FORWARD * held_out / b)  # as many updates cost what a look costs
    return made + max(as_costly, ceil(LOOK * made), 1)


def reach(data, settings, targets, bounds):
    """Train until the last target is reached, or one of the others is not within its bound.

    data     that of selection.hold_out: its test images are the held-out ones
    targets  accuracies, from the lowest to the highest
    bounds   {target: updates after which the run ends if it has not reached it}

    Returns: a row: "steps", the updates to each target, None where it was not reached; "updates"
             that were made; "cost", training and looks, in epochs; the best "accuracy"; and
             "ended": "reached", "bound" or "diverged"
    """
    run = Run(settings, data)
    held_out, b = len(run.test[1]), settings.batch_size
    steps, before, best, ended = dict.fromkeys(targets), (0, GUESSING), 0.0, None
    images, looks, look = 0, 0, next_look(0, b, held_out)
    with np.errstate(all="ignore"):  # a run that diverges shows in its loss, not in warnings
        for t, lr, batch in chain.from_iterable(run.batches(epoch) for epoch in count(1)):
            run.update(t, lr, batch)
            images += len(batch)
            if t + 1 < look:
                continue
            loss, correct, _ = evaluate(run.model, *run.test)
            looks, look = looks + 1, next_look(t + 1, b, held_out)
            accuracy = correct / held_out
            best = max(best, accuracy)
            ended = _seen(steps, before, (t + 1, accuracy), bounds, isfinite(loss))
            before = t + 1, accuracy
            if ended:
                break
    cost = (images + FORWARD * held_out * looks) / run.N
    found = {"steps": [*steps.values()], "updates": t + 1, "cost": cost}
    return found | {"accuracy": best, "ended": ended}


def _seen(steps, before, now, bounds, finite):
    """Enter the targets that have been reached into `steps`.

    before, now     (updates, accuracy) at the last look and at this one
    Returns: how the run ends here; None if it goes on
    """
    if not finite:
        return "diverged"
    (t0, a0), (t1, a1) = before, now
    for target, reached in steps.items():
        if reached is None and a1 >= target:
            steps[target] = t0 + (target - a0) / (a1 - a0) * (t1 - t0)
    if None not in steps.values():
        return "reached"
    late = any(reached is None and t1 >= bounds[target] for target, reached in steps.items())
    return "bound" if late else None


def race(best, limit, slack):
    """{target: bound} of the next trial, given the {target: steps} of the best so far.

    A trial ends once it cannot win any more: after the steps in which the best reached the last
    target. It ends before if it needs more than `slack` times the best's steps to one of the
    others, on the guess that so slow a start is not made up for. The limit holds where nothing was
    reached yet.
    """
    *early, last = best
    bounds = {target: slack * best[target] for target in early} | {last: best[last]}
    return {target: min(limit, bound) if bound < inf else limit for target, bound in bounds.items()}
