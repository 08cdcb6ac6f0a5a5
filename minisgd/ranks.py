"""Ranks: lanes in other processes, on other machines, through MPI.

    mpiexec -n 4 python -m mpi4py cli.py train --batch-size 8192

Every rank holds the whole of w and works through its own lanes of every batch; one all-reduce sums
the gradient, the loss and the number of images told right; every rank makes the same update. Only
rank 0 reads and writes results: it leads, the others follow.

The sum is formed in float64. Up to LANES ranks the lanes are the same whoever works on them, and
four float32 numbers add up exactly in float64 unless one is 2^27 times another: so 1, 2, 3 and 4
ranks give the same bits. More ranks cut a batch into more lanes, and the last bits differ.
"""

import os
import sys
import time
from contextlib import contextmanager
from time import perf_counter

import numpy as np

from .backend import module_of, to_host
from .errors import SettingError, UserError

# What MPI's starters tell a process: MPICH's and Intel's, Open MPI's, any other by PMIx.
STARTED = "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "PMIX_RANK"

PARTING = 0.5  # seconds between the last words and the end of all: mpiexec is still reading them


class Alone:
    """One process: it leads nobody, and its lanes are summed in order."""

    rank, size, local, seconds = 0, 1, 1, 0.0

    def add(self, gs, told):
        """Sum the gradients of all lanes of all ranks into gs[0].

        Returns: the sum of what the lanes told, (loss, correct)
        """
        for g in gs[1:]:  # in this order, whoever finished first
            gs[0] += g  # Report Sec. I, the sum over the batch
        return sum(loss for loss, _ in told), sum(correct for _, correct in told)

    def join(self, z):
        """Fill z, of which every rank has filled its own columns, the rest being 0."""

    def together(self):
        """Wait for all ranks."""

    def tell(self, what):
        """As rank 0: say something to all others, who `hear` it."""

    @contextmanager
    def or_abort(self):
        """What ends one rank ends all of them."""
        yield


class Ranks:
    """The ranks of an MPI job; the same face as Alone.

    Attributes:  local, how many of them are on this machine; seconds spent in all-reduces so far
    """

    def __init__(self, mpi):
        self.mpi, self.comm = mpi, mpi.COMM_WORLD
        self.rank, self.size = self.comm.Get_rank(), self.comm.Get_size()
        self.local = self.comm.Split_type(mpi.COMM_TYPE_SHARED).Get_size()
        self.seconds, self.sum = 0.0, None

    def add(self, gs, told):
        g, P = gs[0], len(gs[0])
        if self.sum is None:
            self.sum = np.empty(P + 2)
        self.sum[:P] = 0
        for lane in gs:
            self.sum[:P] += to_host(lane)
        self.sum[P:] = sum(float(loss) for loss, _ in told), sum(int(right) for _, right in told)
        self.all_reduce(self.sum)
        with np.errstate(over="ignore"):  # what is too large for float32 is infinite there, too
            g[...] = module_of(g).asarray(self.sum[:P].astype(g.dtype))
        return module_of(g).asarray(self.sum[P]), int(self.sum[P + 1])

    def join(self, z):
        whole = np.ascontiguousarray(to_host(z))
        self.all_reduce(whole)
        z[...] = module_of(z).asarray(whole)

    def together(self):
        """Wait for all ranks."""
        self.comm.Barrier()

    def all_reduce(self, array):
        """Put the sum over the ranks into the array of each."""
        began = perf_counter()
        self.comm.Allreduce(self.mpi.IN_PLACE, array)
        self.seconds += perf_counter() - began

    def tell(self, what):
        self.comm.bcast(what)

    def hear(self):
        """As another rank: what rank 0 tells."""
        return self.comm.bcast(None)

    @contextmanager
    def or_abort(self):
        try:
            yield
        except BaseException as error:
            said = (
                str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            )
            code = 2 if isinstance(error, SettingError) else 1
            if isinstance(error, SystemExit):  # what had to be said has been said
                if not error.code:
                    raise
                code = error.code if isinstance(error.code, int) else 1
            else:
                print(f"Error: {said} (rank {self.rank} of {self.size})", file=sys.stderr)
            sys.stdout.flush()
            sys.stderr.flush()
            time.sleep(PARTING)
            self.comm.Abort(code)


def world():
    """The ranks that this process is one of: Alone, unless MPI started it.

    Raises:  SettingError if MPI did, and mpi4py is not there or finds no MPI
    """
    started = any(name in os.environ for name in STARTED)
    if not started and "mpi4py" not in sys.modules:
        return Alone()
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # the latter: there is no MPI library
        raise SettingError(
            f"started by mpiexec, but mpi4py cannot be used ({' '.join(str(error).split())}): "
            'python -m pip install -e ".[mpi]"'
        ) from None
    if not started and (not MPI.Is_initialized() or MPI.COMM_WORLD.Get_size() == 1):
        return Alone()  # it was only imported
    if "mpi4py.futures" in sys.modules:
        raise SettingError(
            "mpi4py.futures is for sweeps: one run over many ranks is started by "
            "mpiexec -n 4 python -m mpi4py cli.py train"
        )
    return Ranks(MPI)
