"""Exercise: the backward pass of pooling by the maximum.

    y[c, i, j, n] = the largest of x[c, 2 i + k, 2 j + l, n] for k = 0, 1 and l = 0, 1

Every image n has C channels of H rows and W columns. Each is cut into windows of 2 x 2 numbers, and
of every window only the largest is passed on: it is the winner.

At the end of the network stands one number, the loss L. On the way back from there this layer is
told dL/dy, and has to find dL/dx for the layer before it. Ask of each number in a window: if it
grew a little, by how much would y grow?

If the largest number is in a window more than once, there is no derivative. Then the first of them
in reading order is the winner: the upper row before the lower, and in a row the left before the
right.

NumPy: A.argmax(axis=1) says at which place along the second index the first of the largest numbers
is; np.zeros_like(A) is an array of zeros with A's shape. Four nested loops are slow, but not wrong.

Write `backward` where it says so. Whether it is right, or what is wrong, you are told by

    python cli.py exercise --check maxpool.py
"""

import numpy as np

from minisgd.networks import LENET5, with_layer

EXERCISE = "maxpool"


class MaxPool2d:
    def forward(self, x):
        C, H, W, N = x.shape
        self.x = x  # kept for backward
        windows = x.reshape(C, H // 2, 2, W // 2, 2, N)  # [c, i, k, j, l, n] is x[c, 2i+k, 2j+l, n]
        return windows.max(axis=(2, 4))  # (C, H/2, W/2, N)

    def backward(self, dy):
        """Return dx. Leave dy and self.x as they are.

        Shapes:  dy (C, H/2, W/2, N) -> dx (C, H, W, N)
        """
        raise NotImplementedError("write this")


# Nothing is left to do below: LeNet-5 with your layer, for `train --with`.
NETWORKS = {"mine": with_layer(LENET5, MaxPool2d)}
