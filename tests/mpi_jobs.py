"""Jobs of several ranks: whether there is MPI, how a job is started, and what it left behind."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minisgd.lab.checkpoints import read_checkpoint

ROOT = Path(__file__).parents[1]


def why_no_mpi():
    # In another process, because MPI, once loaded, stays loaded.
    script = "from mpi4py import MPI"
    asked = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    if asked.returncode:
        return f"mpi4py cannot be used: {asked.stderr.splitlines()[-1]}"
    if sys.platform != "linux":
        return "these tests find and kill processes as Linux shows them"
    return None if starter() else "there is no mpiexec"


def starter():
    beside = Path(sys.executable).with_name("mpiexec")
    return str(beside) if beside.exists() else shutil.which("mpiexec")


needs_mpi = pytest.mark.skipif(why_no_mpi() is not None, reason=str(why_no_mpi()))


def start(ranks, folder, *more, runner=("-m", "mpi4py"), command="train", program=ROOT / "cli.py"):
    command = [starter(), "-n", str(ranks), sys.executable, *runner, program, command]
    command += ["--dataset", "glyphs", "--data-dir", folder, "--threads", "1", "--device", "cpu"]
    command += more  # if an option is given twice, the last one counts
    # Open MPI wants root to confirm twice, and to be told that there are more ranks than cores.
    more = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    more |= {"PYTHONPATH": str(ROOT)}
    more |= {"PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe"}
    return subprocess.Popen(
        [str(part) for part in command], cwd=ROOT, text=True, start_new_session=True,
        env=os.environ | more, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def finished(process, timeout=100):
    """(exit code, stdout, stderr); a job that hangs fails the test."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return process.returncode, out, err


def weights(out):
    (run,) = (p for p in out.iterdir() if p.is_dir())
    _, records, state = read_checkpoint(run / "checkpoint.npz")
    memory = {name: vector.tobytes() for name, vector in state.memory.items()}
    kept = [{k: v for k, v in record.items() if k != "seconds"} for record in records]
    return state.w.tobytes(), memory, kept


class Pretended:
    """One of several ranks that sends nothing: what it would send is kept."""

    def __init__(self, rank, size):
        self.rank, self.size, self.sent = rank, size, None

    def add(self, gs, results):
        self.sent = np.sum(gs, axis=0, dtype=float), results
        return sum(loss for loss, _ in results), sum(right for _, right in results)

    def join(self, z):
        self.sent = z.copy()
