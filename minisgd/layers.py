"""The layers, each with its forward and backward pass side by side: the version to read.

Every image is a column: arrays are (C, H, W, N), with the batch last, so that a layer is
y = W x + b, as in the mathematics. A layer is made from its weights; `backward` takes dy, the
derivative of the mean loss with respect to y, *adds* to dW and db, and returns dx. Adding is what
lets a batch be the sum of its pieces (gradient.py). `per_example` returns what each image would add
on its own. `forward` keeps one cache, which the other two read. None of them changes its input.

These layers can train, too: `--plain` uses them exactly as they are here.

Legend:  N images, C channels in, F filters out, H W height and width, KH KW kernel,
         OH OW height and width out, D features in, M features out.
"""

from .backend import module_of


class Linear:
    """Fully connected layer: every image is a column.

        y[m, n] = sum_d W[m, d] x[d, n] + b[m]

    Shapes:  x (D, N), W (M, D), b (M,) -> y (M, N)
    Raises:  ValueError if x is not (D, N)
    Source:  report Sec. I, the network of [2]
    """

    def __init__(self, W, b, dW=None, db=None):
        xp = module_of(W)
        self.W, self.b = W, b
        self.dW = xp.zeros_like(W) if dW is None else dW
        self.db = xp.zeros_like(b) if db is None else db

    def forward(self, x):
        D = self.W.shape[1]
        if x.ndim != 2 or x.shape[0] != D:
            raise ValueError(f"Linear expected x of shape ({D}, N), got {x.shape}")
        self.cache = x
        return self.W @ x + self.b[:, None]  # (M, N)

    def backward(self, dy):
        x = self.cache
        self.dW += dy @ x.T  # (M, D)
        self.db += dy.sum(axis=1)  # (M,)
        return self.W.T @ dy  # (D, N)

    def per_example(self, dy):
        """What each image on its own adds to dW and db.  -> (N, M, D), (N, M)"""
        x = self.cache
        return dy.T[:, :, None] * x.T[:, None, :], dy.T


class Conv2d:
    """Convolution with stride 1: one matrix product over all the patches, laid out as columns.

        y[f, i, j, n] = sum_{c, k, l} W[f, c, k, l] x[c, i + k - pad, j + l - pad, n] + b[f]

    with x zero outside the image. As in every framework, W is not flipped: a cross-correlation.

    Shapes:  x (C, H, W, N), W (F, C, KH, KW), b (F,) -> y (F, OH, OW, N),
             OH = H + 2 pad - KH + 1, OW = W + 2 pad - KW + 1
    Raises:  ValueError if x is not (C, H, W, N), or with its padding is smaller than the kernel
    Source:  report Sec. I, the network of [2]
    """

    def __init__(self, W, b, dW=None, db=None, pad=0):
        xp = module_of(W)
        self.W, self.b, self.pad = W, b, pad
        self.dW = xp.zeros_like(W) if dW is None else dW
        self.db = xp.zeros_like(b) if db is None else db

    def forward(self, x):
        F, C, KH, KW = self.W.shape
        if x.ndim != 4 or x.shape[0] != C:
            raise ValueError(f"Conv2d expected x of shape ({C}, H, W, N), got {x.shape}")
        OH, OW = x.shape[1] + 2 * self.pad - KH + 1, x.shape[2] + 2 * self.pad - KW + 1
        if OH < 1 or OW < 1:
            raise ValueError(f"Conv2d has a {KH} x {KW} kernel, larger than x of shape {x.shape}")
        cols = lower(x, KH, KW, self.pad)  # (C KH KW, OH OW N)
        self.cache = cols, x.shape
        y = self.W.reshape(F, -1) @ cols + self.b[:, None]  # (F, OH OW N)
        return y.reshape(F, OH, OW, -1)  # (F, OH, OW, N)

    def backward(self, dy):
        cols, x_shape = self.cache
        F, C, KH, KW = self.W.shape
        dy = dy.reshape(F, -1)  # (F, OH OW N)
        self.dW += (dy @ cols.T).reshape(F, C, KH, KW)  # (F, C, KH, KW)
        self.db += dy.sum(axis=1)  # (F,)
        dcols = self.W.reshape(F, -1).T @ dy  # (C KH KW, OH OW N)
        return raise_back(dcols, x_shape, KH, KW, self.pad)  # (C, H, W, N)

    def per_example(self, dy):
        """What each image on its own adds to dW and db.  -> (N, F, C, KH, KW), (N, F)"""
        xp, (cols, _), (F, C, KH, KW) = module_of(dy), self.cache, self.W.shape
        N = dy.shape[-1]
        dy = dy.reshape(F, -1, N).transpose(2, 0, 1)  # (N, F, OH OW)
        cols = cols.reshape(C * KH * KW, -1, N).transpose(2, 1, 0)  # (N, OH OW, C KH KW)
        # All the patches of an image at once:
        dW = xp.ascontiguousarray(dy) @ xp.ascontiguousarray(cols)  # (N, F, C KH KW)
        return dW.reshape(N, F, C, KH, KW), dy.sum(axis=2)


def lower(x, KH, KW, pad):
    """Copy the patch under each output position into a column (im2col): a slab per kernel position.

        cols[c, k, l, i, j, n] = x[c, i + k - pad, j + l - pad, n], zero outside the image

    Shapes:  x (C, H, W, N) -> cols (C KH KW, OH OW N)
    """
    xp = module_of(x)
    C, H, W, N = x.shape
    OH, OW = H + 2 * pad - KH + 1, W + 2 * pad - KW + 1
    padded = xp.zeros((C, H + 2 * pad, W + 2 * pad, N), x.dtype)
    padded[:, pad : pad + H, pad : pad + W] = x
    cols = xp.empty((C, KH, KW, OH, OW, N), x.dtype)
    for k in range(KH):
        for l in range(KW):
            cols[:, k, l] = padded[:, k : k + OH, l : l + OW]
    return cols.reshape(C * KH * KW, OH * OW * N)  # (C KH KW, OH OW N)


def raise_back(dcols, x_shape, KH, KW, pad):
    """The transpose of `lower` (col2im): add every entry back to where it was copied from.

    Shapes:  dcols (C KH KW, OH OW N) -> dx (C, H, W, N)
    """
    xp = module_of(dcols)
    C, H, W, N = x_shape
    OH, OW = H + 2 * pad - KH + 1, W + 2 * pad - KW + 1
    dcols = dcols.reshape(C, KH, KW, OH, OW, N)
    padded = xp.zeros((C, H + 2 * pad, W + 2 * pad, N), dcols.dtype)
    for k in range(KH):
        for l in range(KW):
            padded[:, k : k + OH, l : l + OW] += dcols[:, k, l]
    return padded[:, pad : pad + H, pad : pad + W]  # (C, H, W, N)


class ReLU:
    """y = max(x, 0); at x = 0, the kink, the derivative is taken as 0.

    Shapes:  x (any shape) -> y (the same)
    """

    def forward(self, x):
        self.cache = x > 0
        return module_of(x).maximum(x, 0)

    def backward(self, dy):
        positive = self.cache
        return dy * positive


class LeakyReLU(ReLU):
    """y = max(x, a x) with a = .01: a unit that is off for every image still has a gradient.

    Shapes:  x (any shape) -> y (the same)
    Source:  Maas, Hannun and Ng 2013, Rectifier Nonlinearities Improve Neural Network Acoustic
             Models. Not in the report
    """

    slope = 0.01

    def forward(self, x):
        super().forward(x)
        return module_of(x).maximum(x, self.slope * x)

    def backward(self, dy):
        positive = self.cache
        return module_of(dy).where(positive, dy, self.slope * dy)


class MaxPool2d:
    """The largest value in each size x size window; in a tie, the first in reading order wins.

        y[c, i, j, n] = max_{k, l < size} x[c, size i + k, size j + l, n]

    Shapes:  x (C, H, W, N) -> y (C, H/size, W/size, N)
    Raises:  ValueError if x is not (C, H, W, N), or size does not divide H and W
    """

    def __init__(self, size=2):
        self.places = [
            (slice(k, None, size), slice(l, None, size)) for k in range(size) for l in range(size)
        ]
        self.size = size

    def forward(self, x):
        if x.ndim != 4 or x.shape[1] % self.size or x.shape[2] % self.size:
            raise ValueError(
                f"MaxPool2d expected x of shape (C, H, W, N), H and W divisible by {self.size}, "
                f"got {x.shape}"
            )
        xp = module_of(x)
        y = x[:, self.places[0][0], self.places[0][1]]  # (C, OH, OW, N)
        winner = xp.zeros(y.shape, xp.uint8)  # which position in the window holds the largest value
        for place, (rows, columns) in enumerate(self.places):
            candidate = x[:, rows, columns]
            winner = xp.where(candidate > y, xp.uint8(place), winner)
            y = xp.maximum(y, candidate)
        self.cache = winner, x.shape
        return y  # (C, OH, OW, N)

    def backward(self, dy):
        winner, x_shape = self.cache
        dx = module_of(dy).empty(x_shape, dy.dtype)
        for place, (rows, columns) in enumerate(self.places):
            dx[:, rows, columns] = dy * (winner == place)
        return dx  # (C, H, W, N)


class Flatten:
    """Every image becomes one column.

    Shapes:  x (C, H, W, N) -> y (C H W, N)
    """

    def forward(self, x):
        self.cache = x.shape
        return x.reshape(-1, x.shape[-1])  # (C H W, N)

    def backward(self, dy):
        return dy.reshape(self.cache)  # (C, H, W, N)
