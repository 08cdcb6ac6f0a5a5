"""The gradient of a batch is the sum of the gradients of its pieces.

    g = (1/B) Σ_{x in batch} ∇l(x, w) = Σ_pieces (1/B) Σ_{x in piece} ∇l(x, w)

That is the report's reason for large batches (data parallelism), and it is how a batch is
processed here:

    chunks   about 128 images: a batch of 8,192 needs no more memory than one of 512. Smaller chunks
             fit a cache better, but threads wait for the interpreter at every call, and larger
             chunks mean fewer calls. On a GPU thousands of images, to keep it busy
    lanes    runs of chunks. A lane is a copy of the network that shares w and adds into a g of its
             own. Each thread works on several lanes, which share a workspace because they take
             turns. How a batch is cut into lanes depends on its size alone, and the lanes' vectors
             are summed in order: the bits of the result do not depend on the number of threads
    ranks    lanes in other processes (lab/ranks.py)

Only the mean in the loss divides by the batch size, which is passed down to every piece.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from .backend import give_back_memory, module_of, out_of_memory
from .errors import UserError

CHUNK = {"cpu": 128, "cuda": 4096}  # images: what fits a cache, what keeps a GPU busy
SHRUNK = 8  # a GPU without room for a chunk is given chunks this many times smaller
LANES = 4  # at most; threads beyond this many have nothing to do


def lanes_for(B):
    """How many lanes a batch is cut into: 1, or 2 from 64 images on, or 4 from 192 on.

    Two lanes of 32 images take a tenth longer than one of 64, which only a second thread makes up
    for: so 64 images are halved, but 128 are not quartered.
    """
    return 1 if B < 64 else 2 if B < 192 else LANES


def even_bounds(N, parts):
    """Bounds of `parts` pieces of 0 ... N-1, in order, whose sizes differ by at most one."""
    return [(N * k // parts, N * (k + 1) // parts) for k in range(parts)]


def lane_bounds(N, lanes, rank, ranks, most=LANES):
    """Bounds of the lanes of one rank, none of them empty.

    The lanes of all ranks together depend on N alone, as long as there are no more ranks than a
    network has lanes, `most`; with more ranks, each has one lane.
    """
    lanes = ranks if ranks > most else min(most, lanes)
    first, last = rank * lanes // ranks, (rank + 1) * lanes // ranks
    return [(lo, hi) for lo, hi in even_bounds(N, lanes)[first:last] if lo < hi]


class Alone:
    """The only process: no other follows it, and its lanes are summed in order."""

    rank, size, local, place, seconds = 0, 1, 1, None, 0.0

    def link(self, device):
        """Nothing to do: there are no other ranks."""

    def add(self, gs, results):
        """Sum the gradients of all lanes of all ranks into gs[0].

        Returns: the sums of the lanes' results, (loss, correct)
        """
        for g in gs[1:]:  # in this order, whichever finished first
            gs[0] += g  # Report Sec. I, the sum over the batch
        return sum(loss for loss, _ in results), sum(correct for _, correct in results)

    def join(self, z):
        """Complete z, in which every rank has filled its own columns and left the rest at 0."""

    def together(self):
        """Wait for all ranks."""

    def tell(self, what):
        """As rank 0: send something to all other ranks, which `hear` it."""

    @contextmanager
    def or_abort(self):
        """An error that ends one rank ends all of them."""
        yield


class Lanes:
    """The copies of a network, the threads that drive them, and the sum of their gradients.

    loss    (z, y, B) -> loss, correct, dz, as loss.softmax_cross_entropy

    Shapes:  g (P,), where the gradient of the batch arrives; w (P,) belongs to the networks
    """

    def __init__(self, make_network, g, loss, chunk, threads=1, lanes=LANES, ranks=None):
        xp = module_of(g)
        self.gs = [g, *(xp.zeros_like(g) for _ in range(lanes - 1))]  # the first becomes the sum
        self.shrunk, self.loss = False, loss
        self.chunk, self.threads, self.ranks = chunk, min(threads, lanes), ranks or Alone()
        self.networks = []
        for k, g in enumerate(self.gs):
            lender = self.networks[k - self.threads] if k >= self.threads else None
            self.networks.append(make_network(g, lender))  # the lender is on the same thread
        self.pool = ThreadPoolExecutor(self.threads - 1) if self.threads > 1 else None

    def gradient(self, x, y, index):
        """Fill g with the gradient of the mean loss over x[index], y[index].

        Shapes:  index (B,) -> loss, correct (numbers, on the device of g)
        """
        bounds = self._bounds(len(index), lanes_for(len(index)))
        results = self._within_memory(self._gradients_of, x, y, index, bounds)
        if not bounds:
            self.gs[0][...] = 0
        return self.ranks.add(self.gs[: max(1, len(bounds))], results)

    def _gradients_of(self, x, y, index, bounds):
        """[(loss, correct)] for these lanes, whose gradients are left in gs."""
        B = len(index)

        def one_lane(k):
            network = self.networks[k]
            network.begin()
            loss = correct = 0
            for piece in self._chunks(index[slice(*bounds[k])]):
                z = network.forward(x[piece])  # (K, n)
                piece_loss, piece_correct, dz = self.loss(z, y[piece], B)
                network.backward(dz)
                loss, correct = loss + piece_loss, correct + piece_correct
            network.finish()
            return loss, correct

        return self._on_threads(one_lane, len(bounds))

    def _within_memory(self, work, *given):
        """work(*given), and again with smaller chunks if the device has no room for one."""
        try:
            return work(*given)
        except out_of_memory(self.gs[0]) as error:
            if self.shrunk or self.chunk < SHRUNK:
                raise UserError(
                    f"the GPU has no room for chunks of {self.chunk} images ({error}): free some "
                    "of its memory, or use --device cpu"
                ) from None
        self.shrunk, self.chunk = True, self.chunk // SHRUNK
        print(f"The GPU is short of memory: {self.chunk} images at a time now.", file=sys.stderr)
        for network in self.networks:
            network.forget()
        give_back_memory()
        return work(*given)

    def _bounds(self, N, lanes):
        """Bounds of this rank's lanes."""
        return lane_bounds(N, lanes, self.ranks.rank, self.ranks.size, len(self.networks))

    def forward(self, x, z):
        """Fill z with the logits of all the images of x.

        Shapes:  x (N, ...), z (K, N)
        """
        bounds = self._bounds(len(x), len(self.networks))
        if self.ranks.size > 1:
            z[...] = 0
        self._within_memory(self._logits_of, x, z, bounds)
        self.ranks.join(z)

    def _logits_of(self, x, z, bounds):
        def one_lane(k):
            lo, hi = bounds[k]
            self.networks[k].begin()
            for start in range(lo, hi, self.chunk):
                stop = min(start + self.chunk, hi)
                z[:, start:stop] = self.networks[k].forward(x[start:stop])

        self._on_threads(one_lane, len(bounds))

    def _chunks(self, index):
        return (index[start : start + self.chunk] for start in range(0, len(index), self.chunk))

    def _on_threads(self, work, lanes):
        """[work(0), ..., work(lanes - 1)]: thread t takes lanes t, t + threads, ..."""

        def one_thread(t):
            # Divergence shows in the loss. Threads do not inherit the caller's errstate.
            with np.errstate(all="ignore"):
                return [work(k) for k in range(t, lanes, self.threads)]

        others = [self.pool.submit(one_thread, t) for t in range(1, min(self.threads, lanes))]
        results = [one_thread(0), *(other.result() for other in others)]
        return [results[k % self.threads][k // self.threads] for k in range(lanes)]
