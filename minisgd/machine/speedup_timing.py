"""Jobs of several ranks that measure how long epochs and all-reduces take: see speedup.py.

`start` runs such a job through MPI. The ranks run this module:

    mpiexec -n R python -m mpi4py -m minisgd.machine.speedup_timing '{"dataset": "mnist", ...}'
"""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from ..data import epoch_order, load_dataset
from ..errors import SettingError, UserError, install
from ..lab.ranks import world
from ..settings import Settings
from ..train import Run
from .speedup import MESSAGES

REPEATS, SKIPPED = 40, 5  # all-reduces of each size, and how many at first do not count


def start(ranks, dataset, data_dir, batch_sizes, rounds, log=print):
    """What `measure` returns on so many ranks of this machine.

    log    is told what the ranks say meanwhile, such as that they wait for one that is stopped

    Raises:  UserError if the job fails; SettingError if there is no MPI
    """
    beside = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    if mpiexec is None or find_spec("mpi4py") is None:
        raise SettingError(f"scaling needs MPI: {install('mpi')}")
    request = {
        "dataset": dataset,
        "data_dir": data_dir and str(data_dir),
        "batch_sizes": list(batch_sizes),
        "rounds": rounds,
    }
    python = [sys.executable, "-m", "mpi4py", "-m", __name__]
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    said = []
    with (
        subprocess.Popen(
            [mpiexec, "-n", str(ranks), *python, json.dumps(request)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONPATH": path},
        ) as job,
        ThreadPoolExecutor() as pool,
    ):  # fmt: skip
        printed = pool.submit(job.stdout.read)  # a pipe that nobody reads might fill up
        try:
            for line in filter(str.strip, job.stderr):
                said.append(line.rstrip("\n"))
                if not line.startswith("Error"):  # which is told below, in a sentence
                    log(said[-1])
        except BaseException:  # such as Ctrl-C
            job.kill()
            raise
        if job.wait():
            reasons = [line for line in said if line.startswith("Error")] or said[-1:]
            raise UserError(f"{ranks} ranks could not be measured: {''.join(reasons[:1])}")
        return json.loads(printed.result().splitlines()[-1])


def main(request):
    """The work of a rank; rank 0 prints what was measured, as JSON."""
    from threadpoolctl import threadpool_limits

    ranks = world()
    with ranks.or_abort(), threadpool_limits(1, user_api="blas"):
        data = load_dataset(request["dataset"], request["data_dir"], log=lambda line: None)
        found = measure(ranks, data, request["batch_sizes"], request["rounds"])
        if ranks.rank == 0:
            print(json.dumps(found))


def measure(ranks, data, batch_sizes, rounds):
    """Time epochs and all-reduces; every rank of a job calls this.

    Returns: {"ranks": R,
              "epochs": [[batch size, seconds, seconds of these in all-reduces], ...],
              "messages": [[bytes, median seconds of an all-reduce], ...]}
    """
    found = {"ranks": ranks.size, "epochs": [], "messages": []}
    for batch_size in batch_sizes:
        run = Run(Settings(batch_size, lr=1e-3), data, ranks=ranks)
        run.epoch(1, np.arange(min(2 * batch_size, run.N)))  # warms up
        for k in range(1, rounds + 1):
            order = epoch_order(run.N, 0, k)
            ranks.together()
            began, all_reduces = perf_counter(), ranks.seconds
            run.epoch(k, order)
            took = perf_counter() - began
            found["epochs"].append([batch_size, took, ranks.seconds - all_reduces])
    for n in MESSAGES if ranks.size > 1 else ():
        message, times = np.zeros(n), []
        for _ in range(REPEATS):
            ranks.together()
            began = perf_counter()
            ranks.all_reduce(message)
            times.append(perf_counter() - began)
        found["messages"].append([8 * n, median(times[SKIPPED:])])
    return found


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
