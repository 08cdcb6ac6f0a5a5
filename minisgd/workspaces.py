"""Memory for the steps of fused.py: arrays allocated once and reused for every chunk."""

from math import prod

import numpy as np

KEPT = 4  # chunk sizes whose workspaces are kept: the usual one and a few last chunks
BLOCK = 8 << 20  # bytes
LINE = 64  # bytes in a cache line


def add_product(xp, a, b, total, first):
    """total = a @ b for the first chunk of a batch, total += a @ b for the others."""
    if first:
        xp.matmul(a, b, out=total)
    else:
        total += a @ b


def kept(spaces, N, make):
    """The workspace for N images, made if need be; the KEPT most recently used are kept."""
    space = spaces.pop(N, None)
    if space is None:
        if len(spaces) == KEPT:
            del spaces[next(iter(spaces))]  # the least recently used
        space = make(N)
    spaces[N] = space
    return space


class Cutter:
    """Cuts arrays out of large blocks of memory, each starting on a cache line.

    NumPy asks the system for huge pages for a block of this size, but not for single arrays.
    """

    def __init__(self, xp):
        self.xp, self.rest = xp, xp.empty(0, xp.uint8)

    def empty(self, shape, dtype):
        size = prod(shape) * np.dtype(dtype).itemsize
        rounded = -(-size // LINE) * LINE  # up to whole lines
        if len(self.rest) < rounded:
            block = self.xp.empty(max(BLOCK, rounded + LINE), self.xp.uint8)
            start = -block.ctypes.data % LINE if self.xp is np else 0  # CuPy's are aligned
            self.rest = block[start:]
        array, self.rest = self.rest[:size], self.rest[rounded:]
        return array.view(dtype).reshape(shape)
