"""A student's own ideas, one of each kind: what `--with` takes."""

from minisgd.layers import ReLU
from minisgd.loss import softmax_cross_entropy
from minisgd.networks import FLATTEN, Part, linear
from minisgd.optim import Optimizer


def cube_root(b, b0):
    """A rule: η = η0 (b/b0)^(1/3)."""
    return (b / b0) ** (1 / 3)


def half(i, k, base_lr, lr):
    """A warmup: half the rate."""
    return lr / 2


def staircase(t, T):
    """A decay: a third of the rate in the second half."""
    return 1 if 2 * t < T else 1 / 3


def two_speeds(w, g, memory, lr, t, settings, shapes):
    """An optimizer with two memories, a short one and a long one."""
    fast, slow = memory["fast"], memory["slow"]
    fast *= 0.5
    fast += g
    slow *= 0.9
    slow += g
    w -= lr * (fast + slow) / 2


class LeakyReLU(ReLU):
    """y = x where x > 0, else x/100."""

    def forward(self, x):
        super().forward(x)
        return x * (self.cache + ~self.cache * x.dtype.type(0.01))

    def backward(self, dy):
        return dy * (self.cache + ~self.cache * dy.dtype.type(0.01))


def normal(rng, shape, fan_in):
    """An init: He's variance, but normally distributed, and for the biases as well."""
    return rng.normal(0, (2 / fan_in) ** 0.5, shape)


def smoothed(z, y, B):
    """A loss: with a tenth of the label spread over all classes."""
    loss, correct, dz = softmax_cross_entropy(z, y, B)
    K = len(z)
    spread = z.mean(axis=0) - z[y, range(len(y))]
    dspread = 0 * z + z.dtype.type(1 / K)
    dspread[y, range(len(y))] -= 1
    return loss - 0.1 * spread.sum() / B, correct, dz - z.dtype.type(0.1 / B) * dspread


RULES = {"cube-root": cube_root}
WARMUPS = {"half": half}
DECAYS = {"staircase": staircase}
OPTIMIZERS = {"two-speeds": Optimizer(two_speeds, memory=("fast", "slow"))}
NETWORKS = {
    "leaky": [FLATTEN, linear("fc1", 784, 30), Part(LeakyReLU), linear("fc2", 30, 10)],
}
INITS = {"normal": normal}
LOSSES = {"smoothed": smoothed}
