"""Convolution, ReLU and pooling as one matrix product: the mathematics of layers.py, but fast.

The arithmetic on a chunk of images is cheap; moving the data is what takes time. So three layers
become one step with one product, and every array that it needs is allocated once per chunk size and
written with out=. `fuse` replaces the layers of a network by such steps.

**One product per pooling window.** The four outputs of a 2 x 2 window see almost the same pixels:
with a 3 x 3 kernel, a 4 x 4 patch. Copy that patch into a column, and put four shifted copies of
the kernel into four rows of a wide matrix that is zero elsewhere (k the kernel, . zero):

        k k k .    . k k k    . . . .    . . . .
        k k k .    . k k k    k k k .    . k k k
        k k k .    . k k k    k k k .    . k k k
        . . . .    . . . .    k k k .    . k k k
         (0,0)      (0,1)      (1,0)      (1,1)      the positions in the window

One column now serves four outputs, where im2col would copy four columns. Some products are with
zeros, but the matrix is four times as tall, a shape that suits a BLAS.

**Pooling is a maximum of blocks.** The rows of the product are ordered by position in the window:
y is (2, 2, F, ...), and the pooled output is max(y[:, 0], y[:, 1]), then the larger of those two,
all over contiguous memory. Bias and ReLU come after pooling, on a quarter of the numbers; neither
changes which position wins. The backward pass is the tournament in reverse: the winner of each
match takes the whole gradient; in a tie, that is the one that comes first in reading order.

**Even before odd.** Windows are two pixels apart, so position (k, l) of the patch sees, over all
the windows, every second row and column. x is therefore stored by parity,

        0 1 2 3 4 5   ->   0 2 4 | 1 3 5        for rows and for columns,

and what position (k, l) sees is a contiguous slab.

Legend: as in layers.py; PH PW height and width after pooling; 2, 2 rows and columns of its window.
"""

from types import SimpleNamespace

from .backend import module_of
from .layers import Conv2d, Linear, MaxPool2d, ReLU
from .workspaces import Cutter, add_product, kept


def fuse(layers, gradients, inputs):
    """The steps of a network: fused where the layers allow it, otherwise each layer as it is.

    layers     [(name, layer)]; only the classes of layers.py themselves are replaced: a class
               derived from one of them may do something else
    gradients  for each layer, the list of its gradients
    inputs     for each layer, the shape of its input for one image
    """
    steps, k = [], 0
    while k < len(layers):
        name, layer = layers[k]
        kinds = [type(near) for _, near in layers[k : k + 3]]
        size = inputs[k][1:]
        if kinds == [Conv2d, ReLU, MaxPool2d] and _fits(layer, layers[k + 2][1], size):
            taken = 3
            step = ConvReLUPool(layer.W, layer.b, *gradients[k], size, layer.pad)
        elif kinds[:1] == [Linear]:
            taken = 2 if kinds[1:2] == [ReLU] else 1
            step = LinearReLU(layer.W, layer.b, *gradients[k], relu=taken == 2)
        else:
            taken, step = 1, Plain(name, layer, gradients[k])
        step.name = name or type(layer).__name__
        steps.append(step)
        k += taken
    return steps


def _fits(conv, pool, size):
    """Whether ConvReLUPool takes these layers, for images of this size."""
    return pool.size == 2 and _lines_up(conv.W.shape[2:], size, conv.pad)


def _lines_up(kernel, size, pad):
    """Whether the parities line up: an odd kernel, an even pad, an even height and width."""
    return all(n % 2 == 1 for n in kernel) and all(n % 2 == 0 for n in (*size, pad))


class Step:
    """What the steps share: spaces, the workspaces by the size of a chunk, and cache, what forward
    left to backward.
    """

    def finish(self):
        """Nothing is left to do: the gradients are complete."""

    def forget(self):
        """Free the memory of the workspaces."""
        self.spaces.clear()
        self.cache = None


class Plain(Step):
    """A layer used as it is: its backward adds to its gradients, which `begin` clears."""

    def __init__(self, name, layer, gradients):
        self.name, self.layer, self.gradients = name, layer, gradients
        self.has_weights, self.spaces = bool(gradients), {}

    def begin(self):
        for dW in self.gradients:
            dW[...] = 0

    def forward(self, x):
        return self.layer.forward(x)

    def backward(self, dy, wants_dx=True):
        return self.layer.backward(dy)

    def forget(self):
        self.layer.cache = None


class ConvReLUPool(Step):
    """MaxPool2d(2) of ReLU of Conv2d with stride 1.

        y[f, i, j, n] = max(0, b[f] + max_{p, q < 2} sum_{c, k, l} W[f, c, k, l] x[c, r, s, n]),
        r = 2 i + p + k - pad,   s = 2 j + q + l - pad

    Call `begin` before the first chunk of a batch and `finish` after the last: between them the
    kernel and its gradient are in the wide form. What forward and backward return is overwritten by
    the next chunk of the same size.

    Shapes:  x (C, H, W, N), W (F, C, KH, KW), b (F,) -> y (F, PH, PW, N),
             PH = (H + 2 pad - KH + 1) / 2, PW = (W + 2 pad - KW + 1) / 2
    Raises:  ValueError if KH or KW is even, or pad, H or W is odd: parities would not line up
    """

    has_weights = True

    def __init__(self, W, b, dW, db, size, pad=0):
        self.W, self.b, self.dW, self.db = W, b, dW, db
        self.F, self.C, KH, KW = W.shape
        self.size, self.pad = size, pad
        if not _lines_up((KH, KW), size, pad):
            raise ValueError(
                "ConvReLUPool expected an odd kernel, even pad and even height and width, got "
                f"{KH} x {KW}, {pad} and {size[0]} x {size[1]}"
            )
        self.PH, self.PW = ((n + 2 * pad - k + 1) // 2 for n, k in zip(size, (KH, KW), strict=True))
        self.spaces = {}

        self.xp = xp = module_of(W)
        wide = xp.zeros((2, 2, self.F, KH + 1, KW + 1, self.C), W.dtype)
        dwide = xp.zeros((KH + 1, KW + 1, self.C, 2, 2, self.F), W.dtype)
        self.wide = wide.reshape(4 * self.F, -1)  # (4 F, (KH+1) (KW+1) C)
        self.dwide = dwide.reshape(-1, 4 * self.F)  # ((KH+1) (KW+1) C, 4 F)
        # The four copies: one step in the window is also one step in the patch.
        p, q, f, k, l, c = wide.strides
        self.copies = xp.lib.stride_tricks.as_strided(
            wide, (2, 2, self.F, KH, KW, self.C), (p + k, q + l, f, k, l, c)
        )
        k, l, c, p, q, f = dwide.strides
        self.dcopies = xp.lib.stride_tricks.as_strided(
            dwide, (2, 2, KH, KW, self.C, self.F), (p + k, q + l, k, l, c, f)
        )

    def begin(self):
        """Copy the kernel to its four positions in the wide matrix."""
        self.copies[...] = self.xp.ascontiguousarray(self.W.transpose(0, 2, 3, 1))
        self.first = True

    def finish(self):
        """Sum the gradients of the four copies of the kernel into its own."""
        self.dW[...] = self.dcopies.sum(axis=(0, 1)).transpose(3, 2, 0, 1)  # (F, C, KH, KW)

    def forward(self, x):
        xp, s = self.xp, kept(self.spaces, x.shape[-1], self._workspace)
        s.inside[...] = x.reshape(s.inside.shape)  # (C, H/2, 2, W/2, 2, N)
        s.cols[...] = s.patches
        xp.matmul(self.wide, s.flat_cols, out=s.flat_y)  # (4 F, PH PW N)

        y, of_rows = s.y, s.of_rows  # (2, 2, F, PH PW N), (2, F, PH PW N)
        xp.maximum(y[:, 0], y[:, 1], out=of_rows)
        xp.maximum(of_rows[0], of_rows[1], out=s.pooled)  # (F, PH PW N)
        s.pooled += self.b[:, None]
        xp.maximum(s.pooled, s.zero, out=s.pooled)  # twice as fast as with a number
        self.cache = s
        return s.pooled.reshape(self.F, self.PH, self.PW, -1)  # (F, PH, PW, N)

    def backward(self, dy, wants_dx=True):
        xp, s = self.xp, self.cache
        xp.greater(s.pooled, 0, out=s.positive)
        d_pooled = s.d_pooled  # (F, PH PW N)
        xp.multiply(dy.reshape(d_pooled.shape), s.positive, out=d_pooled)
        add_product(xp, d_pooled, s.ones, self.db, self.first)  # (F,)
        self._unpool(s, d_pooled)  # s.y now holds dy before pooling, (4 F, PH PW N)

        add_product(xp, s.flat_cols, s.flat_y.T, self.dwide, self.first)
        self.first = False
        if not wants_dx:
            return None
        xp.matmul(self.wide.T, s.flat_y, out=s.flat_cols)  # overwrites those of x, now used
        s.d_parity[...] = 0
        for slab, part in s.slabs:
            slab += part
        s.dx[...] = s.d_inside
        return s.dx.reshape(self.C, *self.size, -1)  # (C, H, W, N)

    def _unpool(self, s, d_pooled):
        """Pass each gradient to the winner of its window, overwriting y; the others get zero."""
        xp, y, of_rows = self.xp, s.y, s.of_rows
        xp.greater_equal(of_rows[0], of_rows[1], out=s.upper)
        xp.greater_equal(y[:, 0], y[:, 1], out=s.left)
        xp.multiply(d_pooled, s.upper, out=of_rows[0])
        xp.subtract(d_pooled, of_rows[0], out=of_rows[1])
        xp.multiply(of_rows, s.left, out=y[:, 0])
        xp.subtract(of_rows, y[:, 0], out=y[:, 1])

    def _workspace(self, N):
        """All the arrays that a chunk of N images needs, and views of them."""
        xp, dtype = self.xp, self.W.dtype
        C, F, (H, W), PH, PW = self.C, self.F, self.size, self.PH, self.PW
        s, empty = SimpleNamespace(), Cutter(xp).empty
        R, S = (self.W.shape[2] + 1) // 2, (self.W.shape[3] + 1) // 2  # the patch is 2R x 2S

        def inside(parity):  # without padding, rows and columns in natural order
            edge = self.pad // 2
            ordered = parity.transpose(2, 3, 0, 4, 1, 5)
            return ordered[:, edge : edge + H // 2, :, edge : edge + W // 2]

        parity = empty((2, 2, C, PH + R - 1, PW + S - 1, N), dtype)
        parity[...] = 0
        s.inside = inside(parity)  # (C, H/2, 2, W/2, 2, N)
        u, v, c, i, j, n = parity.strides
        s.patches = xp.lib.stride_tricks.as_strided(
            parity, (R, 2, S, 2, C, PH, PW, N), (i, u, j, v, c, i, j, n)
        )
        s.cols = empty(s.patches.shape, dtype)
        s.flat_cols = s.cols.reshape(4 * R * S * C, PH * PW * N)

        s.y = empty((2, 2, F, PH * PW * N), dtype)
        s.flat_y = s.y.reshape(4 * F, -1)
        s.of_rows = empty((2, F, PH * PW * N), dtype)
        s.pooled = empty((F, PH * PW * N), dtype)
        s.zero, s.ones = xp.zeros(PH * PW * N, dtype), xp.ones(PH * PW * N, dtype)

        s.d_pooled = empty(s.pooled.shape, dtype)
        s.left = empty(s.of_rows.shape, bool)
        s.upper, s.positive = empty(s.pooled.shape, bool), empty(s.pooled.shape, bool)
        s.d_parity = empty(parity.shape, dtype)
        s.d_inside = inside(s.d_parity)
        s.slabs = [
            (s.d_parity[:, :, :, a : a + PH, b : b + PW], s.cols[a, :, b])
            for a in range(R)
            for b in range(S)
        ]
        s.dx = empty(s.inside.shape, dtype)
        return s


class LinearReLU(Step):
    """A fully connected layer followed by ReLU, or by nothing if relu is False.

        y[m, n] = max(0, sum_d W[m, d] x[d, n] + b[m])

    Call `begin` before the first chunk of a batch. What forward and backward return is overwritten
    by the next chunk of the same size.

    Shapes:  x (D, N), W (M, D), b (M,) -> y (M, N)
    """

    has_weights = True

    def __init__(self, W, b, dW, db, relu=True):
        self.W, self.b, self.dW, self.db, self.relu = W, b, dW, db, relu
        self.spaces, self.xp = {}, module_of(W)

    def begin(self):
        self.first = True

    def forward(self, x):
        xp, s = self.xp, kept(self.spaces, x.shape[-1], self._workspace)
        xp.matmul(self.W, x, out=s.y)  # (M, N)
        s.y += self.b[:, None]
        if self.relu:
            xp.maximum(s.y, 0, out=s.y)
        self.cache = x, s
        return s.y  # (M, N)

    def backward(self, dy, wants_dx=True):
        xp, (x, s) = self.xp, self.cache
        if self.relu:
            xp.greater(s.y, 0, out=s.positive)
            dy = xp.multiply(dy, s.positive, out=s.dy)  # (M, N)
        add_product(xp, dy, x.T, self.dW, self.first)  # (M, D)
        add_product(xp, dy, s.ones, self.db, self.first)  # (M,)
        self.first = False
        return xp.matmul(self.W.T, dy, out=s.dx) if wants_dx else None  # (D, N)

    def _workspace(self, N):
        xp, dtype, (M, D) = self.xp, self.W.dtype, self.W.shape
        return SimpleNamespace(
            y=xp.empty((M, N), dtype),
            dy=xp.empty((M, N), dtype),
            positive=xp.empty((M, N), bool),
            dx=xp.empty((D, N), dtype),
            ones=xp.ones(N, dtype),
        )
