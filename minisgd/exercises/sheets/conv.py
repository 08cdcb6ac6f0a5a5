"""Exercise: the backward pass of a convolution.

    y[f, i, j, n] = sum_{c, k, l} W[f, c, k, l] padded[c, i + k, j + l, n] + b[f]

Every image n has C channels of H rows and columns, x[c, ., ., n], and `padded` is the same with
`pad` rows or columns of zeros on each side. A kernel W[f] has KH rows and KW columns for every
channel. It is laid over the image at every place (i, j) where it fits, and gives one number there.
There are F kernels, each with a bias b[f].

At the end of the network stands one number, the loss L: the mean over the batch. On the way back
from there this layer is told dL/dy. It has to find three derivatives:

    dy[f, i, j, n] = dL/dy[f, i, j, n]        this is given
    dW[f, c, k, l] = dL/dW[f, c, k, l]        by which the kernels will be changed
    db[f]          = dL/db[f]                 by which the biases will be changed
    dx[c, r, s, n] = dL/dx[c, r, s, n]        what the layer before this one is told

All of them follow from the chain rule. Which y does a weight W[f, c, k, l] enter, and what is it
multiplied by there? Which y does a pixel enter, and by which weight is it multiplied in each? The
loops of `forward` go over k and l. The same two loops will do for all that `backward` has to find.

NumPy: np.einsum writes a sum by its indices. np.einsum("ab,bc->ac", A, B) is the matrix product,
because b is missing on the right, and so is summed over. A[:, 1:4] takes columns 1, 2 and 3, also
on the left of = and +=.

Write `backward` where it says so. Whether it is right, or what is wrong, you are told by

    python cli.py exercise --check conv.py
"""

import numpy as np

from minisgd.networks import LENET5, with_layer

EXERCISE = "conv"


class Conv2d:
    def __init__(self, W, b, dW, db, pad=0):
        self.W, self.b, self.pad = W, b, pad  # (F, C, KH, KW), (F,)
        self.dW, self.db = dW, db  # (F, C, KH, KW), (F,): where the derivatives are collected

    def forward(self, x):
        F, C, KH, KW = self.W.shape
        pad = self.pad
        padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))  # (C, H + 2 pad, ..., N)
        OH, OW = padded.shape[1] - KH + 1, padded.shape[2] - KW + 1
        y = np.zeros((F, OH, OW, x.shape[3]), x.dtype)
        y += self.b[:, None, None, None]
        for k in range(KH):
            for l in range(KW):
                seen = padded[:, k : k + OH, l : l + OW]  # (C, OH, OW, N): what W[:, :, k, l] sees
                y += np.tensordot(self.W[:, :, k, l], seen, axes=1)  # the sum over c
        self.padded = padded  # kept for backward
        return y  # (F, OH, OW, N)

    def backward(self, dy):
        """Add the derivatives to self.dW and self.db, and return dx.

        Add them, with +=, because a large batch is sent through in pieces, whose derivatives add
        up. Leave dy and self.padded as they are.

        Shapes:  dy (F, OH, OW, N) -> dx (C, H, W, N), without the padding
        """
        raise NotImplementedError("write this")


# Nothing is left to do below: LeNet-5 with your layer, for `train --with`.
NETWORKS = {"mine": with_layer(LENET5, Conv2d)}
