"""Exercise: an update with momentum.

    v(t+1) = m v(t) + g(t)
    w(t+1) = w(t) - η v(t+1)

w are all the weights of the network, in one vector, g is the gradient of the loss at w, η the
learning rate and m, from 0 to 1, the momentum. The velocity v is what makes it more than w - η g:
it remembers the gradients of earlier updates, each m times as much as the one after it.

w and v live on from update to update, so they must change in place: the same arrays then hold the
new numbers. In Python `a = a + 1` makes a new array and gives it the name a, inside of your
function alone; `a += 1` and `a[...] = a + 1` change the array that was there.

Write `momentum_step` where it says so. Whether it is right, or what is wrong, you are told by

    python cli.py exercise --check momentum.py
"""

import numpy as np

from minisgd.optim import Optimizer

EXERCISE = "momentum"


def momentum_step(w, v, g, lr, m):
    """Change w and v in place, and leave g as it is; nothing is returned.

    Shapes:  w, v, g (P,); lr (which is η) and m are numbers
    """
    raise NotImplementedError("write this")


# Nothing is left to do below: your update, for `train --with`.
def step(w, g, memory, lr, t, settings, shapes):
    momentum_step(w, memory["v"], g, lr, settings.momentum)


OPTIMIZERS = {"mine": Optimizer(step, memory=("v",))}
