"""How near is an epoch to the arithmetic? What an epoch would take if it did nothing else.

Two contenders of the benchmark, which take turns with the others:

    the matrix products alone    those of minisgd, at its shapes, chunk sizes, lanes and threads,
                                 on arrays that are there: nothing is moved, compared or added up
    the multiply-adds at best    as many multiply-adds as the network needs, without the zeros of
                                 the wide matrices, in large square products

What is between minisgd and the first is moving data; what is between the first and the second are
the zeros of the wide matrices and the shapes of the products. Each builder returns (train_epoch,
forward) as those of rivals.py do.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from ..gradient import Alone, Lanes
from ..model import Model
from ..networks import Network
from .profiling import SIDE, multiply_adds, training_multiply_adds

PRODUCTS, ARITHMETIC = "the matrix products alone", "the multiply-adds at best"


def products_alone(data, threads):
    """The matrix products of training and of the test set, and nothing else."""
    threadpool_limits(1, user_api="blas")  # of this process, as in training
    model, images = Model(threads=threads, pixels=data.pixels), data.train.images

    def copy(g, lender):
        network = Network(model.parts, model.w, g, lender=lender and lender.network)
        return Products(network, images, lender)

    lanes = Lanes(
        copy, model.g, lambda z, y, B: (0, 0, None), model.lanes.chunk, threads, ranks=Unsummed()
    )
    numbers = np.arange(len(images))  # in place of the images: only how many there are counts
    z = np.empty((1, len(data.test.images)), model.w.dtype)

    def train_epoch(order, batch_size):
        for start in range(0, len(order), batch_size):
            lanes.gradient(numbers, numbers, order[start : start + batch_size])

    def forward(batch_size):
        lanes.forward(numbers[: z.shape[1]], z)

    return train_epoch, forward


def arithmetic_at_best(data, threads):
    """As many multiply-adds as training and the test set need, in large products on all threads."""
    threadpool_limits(1, user_api="blas")  # of this process: the threads are those of the pool
    a = np.random.default_rng(0).normal(size=(SIDE, SIDE)).astype(np.float32)
    outs, pool = [np.empty_like(a) for _ in range(threads)], ThreadPoolExecutor(threads)
    of_training, of_forward = training_multiply_adds(), sum(multiply_adds())  # of an image

    def multiply_add(count):
        """`count` of them on every thread, to the nearest row of a product."""
        rows = round(count / SIDE**2)

        def one_thread(out):
            for start in range(0, rows, SIDE):
                n = min(SIDE, rows - start)
                np.matmul(a[:n], a, out=out[:n])

        list(pool.map(one_thread, outs))

    def train_epoch(order, batch_size):
        multiply_add(len(order) * of_training / threads)

    def forward(batch_size):
        multiply_add(len(data.test.images) * of_forward / threads)

    return train_epoch, forward


class Unsummed(Alone):
    """The lanes' gradients are not added up: that is no product."""

    def add(self, gs, results):
        return 0, 0


class Products:
    """The products that a Network makes for a chunk, in the same order and on the same operands.

    They are found in a pass over real images when a chunk of that size first comes. Their results
    go where nobody reads them: fed to the next, they would soon be zeros or infinite, which some
    processors are slower with.
    """

    def __init__(self, network, images, lender=None):
        self.network, self.images = network, images
        self.known, self.noted, self.room = {}, [], lender.room if lender else [np.empty(0)]
        for step in network.steps:
            if hasattr(step, "xp"):
                step.xp = Noting(step.xp, self.noted)

    def begin(self):
        """Nothing is to be done here, nor in `finish`."""

    finish = begin

    def forward(self, numbers):
        n = len(numbers)
        if n not in self.known:
            self.known[n] = self._found(n)
        products, self.backwards = self.known[n]
        multiply(products)
        return 0.0

    def backward(self, dz):
        multiply(self.backwards)

    def _found(self, n):
        """The products of a pass over n images: [(a, b, out)] of forward, and of backward."""
        self.network.begin()
        z = self.network.forward(self.images[:n])
        forward = self._taken()
        self.network.backward(z)
        return forward, self._taken()

    def _taken(self):
        taken = [(a, b, self._place(out)) for a, b, out in self.noted]
        self.noted.clear()
        return taken

    def _place(self, out):
        """An array like `out` in the room that is used again and again."""
        if self.room[0].size < out.size:
            self.room[0] = np.empty(out.size, out.dtype)
        return self.room[0][: out.size].reshape(out.shape)


class Noting:
    """An array module that notes the operands of every matmul, and the array of its result."""

    def __init__(self, xp, noted):
        self.xp, self.noted = xp, noted

    def matmul(self, a, b, out):
        self.noted.append((a, b, out))
        return self.xp.matmul(a, b, out=out)

    def __getattr__(self, name):
        return getattr(self.xp, name)


def multiply(products):
    for a, b, out in products:
        np.matmul(a, b, out=out)
