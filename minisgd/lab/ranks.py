"""Ranks: lanes in other processes, perhaps on other machines, through MPI.

    mpiexec -n 4 python -m mpi4py cli.py train --batch-size 8192

Every rank holds the whole of w and works through its own lanes of every batch; one all-reduce sums
the gradient, the loss and the number of images classified correctly; every rank makes the same
update. Only rank 0 reads and writes results: it leads, the others follow.

The sum is formed in float64. Up to LANES ranks the lanes are the same whoever works on them, and
four float32 numbers add up exactly in float64 unless one is 2^27 times another: so 1, 2, 3 and 4
ranks give the same bits. More ranks cut a batch into more lanes, and the last bits differ; so they
do between different numbers of GPUs, each of which has one lane.

GPUs exchange directly, through NCCL, if every rank has one of its own, and otherwise through the
host's memory.
"""

import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from time import perf_counter

import numpy as np

from .. import backend
from ..backend import array_module, module_of, to_host
from ..errors import SettingError, UserError, install, program
from ..gradient import Alone
from . import own

# What MPI launchers set in the environment: MPICH and Intel, Open MPI, any other that uses PMIx.
STARTED = "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "PMIX_RANK"

PATIENCE = 60  # seconds of waiting for other ranks, before ranks 0 and 1 say that they do
PARTING = 0.5  # seconds between the error message and the abort: mpiexec is still reading it


class Ranks:
    """The ranks of an MPI job, with the same interface as Alone.

    Attributes:  local, how many of them are on this machine; place, which of those this one is;
                 machine, the rank of the first of those; seconds spent in all-reduces so far (those
                 between GPUs are neither waited for nor counted)
    """

    def __init__(self, mpi):
        self.mpi, self.comm = mpi, mpi.COMM_WORLD
        self.rank, self.size = self.comm.Get_rank(), self.comm.Get_size()
        here = self.comm.Split_type(mpi.COMM_TYPE_SHARED)
        self.local, self.place = here.Get_size(), here.Get_rank()
        self.machine = here.bcast(self.rank)
        self.seconds, self.sum, self.began = 0.0, None, None
        if self.rank < 2 <= self.size:  # if one of these two is stopped, the other says so
            threading.Thread(target=self._tell_long_waits, daemon=True).start()
        self.nccl = self.gpus = None  # CuPy's module, and the communicator of all ranks' GPUs

    def link(self, device):
        """Let the GPUs exchange directly if every rank has one of its own.

        All ranks call this alike, each on the GPU that it uses.

        Returns: how they exchange, in words; None without GPUs, or with only one rank
        Raises:  UserError if NCCL is installed but does not start
        """
        if device != "cuda" or self.size == 1:
            return None
        nccl, xp = backend.nccl(), array_module(device)
        bus = xp.cuda.runtime.deviceGetPCIBusId(xp.cuda.runtime.getDevice())
        found = self.comm.allgather(((self.machine, bus), nccl is not None))
        if len({gpu for gpu, _ in found}) < self.size:
            return "ranks that share a GPU exchange through the host's memory"
        if not all(able for _, able in found):
            return (
                "the GPUs exchange through the host's memory, for CuPy finds no NCCL "
                "(python -m pip install nvidia-nccl-cu12, or -cu13)"
            )
        try:
            job = self.comm.bcast(None if self.rank else nccl.get_unique_id())
            self.gpus = nccl.NcclCommunicator(self.size, job, self.rank)
        except Exception as error:  # no path between two GPUs, too old a driver: it may be anything
            raise UserError(
                f"the GPUs cannot exchange through NCCL ({error}): NCCL_DEBUG=INFO says more; "
                "where NCCL is not installed they exchange through the host's memory"
            ) from None
        self.nccl = nccl
        return "the GPUs exchange through NCCL"

    def add(self, gs, results):
        g, P, xp = gs[0], len(gs[0]), module_of(gs[0])
        if self.sum is None:
            self.sum = xp.empty(P + 2)
        self.sum[...] = 0
        for lane in gs:
            self.sum[:P] += lane
        for loss, correct in results:
            self.sum[P] += loss
            self.sum[P + 1] += correct
        self.all_reduce(self.sum)
        with np.errstate(over="ignore"):  # too large for float32: infinite, as in one process
            g[...] = self.sum[:P].astype(g.dtype)
        return self.sum[P].copy(), self.sum[P + 1].copy()

    def join(self, z):
        whole = module_of(z).ascontiguousarray(z)
        self.all_reduce(whole)
        z[...] = whole

    def together(self):
        """Wait for all ranks."""
        self._wait(self.comm.Barrier)

    def all_reduce(self, array):
        """Replace every rank's array by the sum over the ranks.

        Shapes:  any, contiguous; float32 or float64
        """
        xp, nccl = module_of(array), self.nccl
        if self.size == 1:
            return
        if nccl:  # queued behind what fills the array: nothing waits
            kind = nccl.NCCL_FLOAT32 if array.itemsize == 4 else nccl.NCCL_FLOAT64
            data, stream = array.data.ptr, xp.cuda.get_current_stream().ptr
            self.gpus.allReduce(data, data, array.size, kind, nccl.NCCL_SUM, stream)
            return
        whole = to_host(array)
        began = perf_counter()
        self._wait(self.comm.Allreduce, self.mpi.IN_PLACE, whole)
        self.seconds += perf_counter() - began
        if xp is not np:
            array[...] = xp.asarray(whole)

    def _wait(self, call, *given):
        """call(*given), which waits for other ranks."""
        self.began = perf_counter()
        result = call(*given)
        self.began = None
        return result

    def _tell_long_waits(self):
        """MPI notices a rank that is killed, but not one that is stopped or cut off."""
        told = None
        while True:
            time.sleep(PATIENCE / 4)
            began = self.began
            if began not in (None, told) and perf_counter() - began > PATIENCE:
                told = began
                print(
                    f"Rank {self.rank} has waited {PATIENCE:.0f} s for the other {self.size - 1}: "
                    "one may be stopped or cut off. Wait on, or end it by Ctrl-C: all whole epochs "
                    "are kept.",
                    file=sys.stderr, flush=True,
                )  # fmt: skip

    def tell(self, what):
        self._wait(self.comm.bcast, what)

    def hear(self):
        """As another rank: receive what rank 0 sends."""
        return self._wait(self.comm.bcast, None)

    @contextmanager
    def or_abort(self):
        try:
            yield
        except BaseException as error:
            message = str(error) if isinstance(error, UserError) else own.sentence(error)
            code = 2 if isinstance(error, SettingError) else 1
            if isinstance(error, SystemExit):  # its message has already been printed
                if not error.code:
                    raise
                code = error.code if isinstance(error.code, int) else 1
            elif isinstance(error, KeyboardInterrupt):  # rank 0 says what is kept
                code = 128 + (error.args or (signal.SIGINT,))[0]
            else:
                print(f"Error: {message} (rank {self.rank} of {self.size})", file=sys.stderr)
            sys.stdout.flush()
            sys.stderr.flush()
            time.sleep(PARTING)
            self.comm.Abort(code)


def world():
    """The ranks that this process belongs to: Alone, unless MPI started it.

    Raises:  SettingError if MPI did, but mpi4py is missing or finds no MPI, or is for sweeps here
    """
    started = any(name in os.environ for name in STARTED)
    if not started and "mpi4py" not in sys.modules:
        return Alone()
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # the latter: there is no MPI library
        raise SettingError(
            f"started by mpiexec, but mpi4py cannot be used ({' '.join(str(error).split())}): "
            f"{install('mpi')}"
        ) from None
    if not started and (not MPI.Is_initialized() or MPI.COMM_WORLD.Get_size() == 1):
        return Alone()  # mpi4py was merely imported
    if "mpi4py.futures" in sys.modules:
        raise SettingError(
            "mpi4py.futures is for sweeps: one run over many ranks is started by "
            f"{over_mpi('mpi4py')} train"
        )
    return Ranks(MPI)


def over_mpi(module):
    """How this program is started over MPI, by mpi4py or mpi4py.futures."""
    return f"mpiexec -n 4 python -m {module} {'cli.py' if 'cli' in program() else '-m minisgd'}"
