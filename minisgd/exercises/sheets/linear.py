"""Exercise: the backward pass of a fully connected layer.

    y[m, n] = sum_d W[m, d] x[d, n] + b[m]

A batch of N images comes in as the columns of x: x[d, n] is the d-th of the D numbers that describe
image n. The layer makes M numbers of them, y[m, n], and the sum over d is a matrix product.

At the end of the network stands one number, the loss L: the mean over the batch. On the way back
from there this layer is told dL/dy. It has to find three derivatives:

    dy[m, n] = dL/dy[m, n]      this is given
    dW[m, d] = dL/dW[m, d]      by which the weights will be changed
    db[m]    = dL/db[m]         by which the biases will be changed
    dx[d, n] = dL/dx[d, n]      what the layer before this one is told

All of them follow from the chain rule. For a weight it says

    dL/dW[m, d] = the sum over all i and n of  dy[i, n] times the derivative of y[i, n] by W[m, d]

and most terms of this sum are zero. Write down with indices which are left, for all three; then
find the sums or matrix products that are the same.

NumPy: A @ B is the matrix product, A.T the transpose, A.sum(axis=0) and A.sum(axis=1) are the sums
over the first and over the second index, and A.shape says how large A is.

Write `backward` where it says so. Whether it is right, or what is wrong, you are told by

    python cli.py exercise --check linear.py
"""

import numpy as np

from minisgd.networks import LENET5, with_layer

EXERCISE = "linear"


class Linear:
    def __init__(self, W, b, dW, db):
        self.W, self.b = W, b  # (M, D), (M,)
        self.dW, self.db = dW, db  # (M, D), (M,): where the derivatives are collected

    def forward(self, x):
        self.x = x  # (D, N), kept for backward
        return self.W @ x + self.b[:, None]  # (M, N)

    def backward(self, dy):
        """Add the derivatives to self.dW and self.db, and return dx.

        Add them, with +=, because a large batch is sent through in pieces, whose derivatives add
        up. Leave dy and self.x as they are.

        Shapes:  dy (M, N) -> dx (D, N)
        """
        raise NotImplementedError("write this")


# Nothing is left to do below: LeNet-5 with your layer, for `train --with`.
NETWORKS = {"mine": with_layer(LENET5, Linear)}
