"""What more ranks bring, and what a larger batch costs: the trade-off of Sec. V, in seconds.

An epoch of N images in batches of b on R ranks is U = N/b updates, each of

    t(b, R) = c b/R + o + a(R)            compute, what every update costs anyway, the all-reduce
    a(R) = 2 log2(R) α + 2 (1 - 1/R) β n  of n bytes: latency α a message, β a byte (Rabenseifner)

where b/R is the share of the rank that has most: up to four ranks share four lanes, and three are
no faster than two. c and o are fitted to epochs measured on one rank, α and β to all-reduces
measured on as many ranks as there are cores. What the model says of more ranks is a projection: the
same processor and the same wires for each of them. A measured all-reduce holds the waiting for the
slowest rank, the model's does not.

This module is also what the ranks run:

    mpiexec -n R python -m mpi4py -m minisgd.machine.speedup '{...}'
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from importlib.util import find_spec
from math import ceil, log2
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from ..data import epoch_order, load_dataset
from ..drawing.panels import Curve, Plot
from ..drawing.plots import batch_color
from ..errors import SettingError, UserError
from ..gradient import LANES, dealt, lanes_for
from ..lab.ranks import world
from ..model import LeNet5
from ..networks import P
from ..train import one_epoch

NUMBERS = P + 2  # of float64 in an all-reduce: the gradient, the loss, how many are right
MESSAGES = (1, 1024, 16_384, NUMBERS, 4 * NUMBERS)  # float64, whose all-reduce is timed
COLUMNS = "kind ranks batch_size seconds all_reduce projected".split()
FAR = tuple(2**k for k in range(11))  # ranks of the projection
EACH = 64  # images a rank in a batch, in weak scaling


@dataclass(frozen=True)
class Model:
    """Seconds: c an image, o an update, α a message of the all-reduce, β a byte of it."""

    c: float
    o: float
    alpha: float
    beta: float

    def all_reduce(self, ranks, size=8 * NUMBERS):
        """Seconds of one all-reduce of `size` bytes."""
        if ranks == 1:
            return 0.0
        return 2 * log2(ranks) * self.alpha + 2 * (1 - 1 / ranks) * self.beta * size

    def epoch(self, N, batch_size, ranks):
        """Seconds of an epoch: everybody waits for the rank whose lanes are the longest."""
        whole, rest = divmod(N, batch_size)
        compute = self.c * (
            whole * longest(batch_size, ranks) + (longest(rest, ranks) if rest else 0)
        )
        return compute + ceil(N / batch_size) * (self.o + self.all_reduce(ranks))


def longest(B, ranks):
    """Images of a batch of B on the rank that has most: lanes are dealt whole (gradient.dealt)."""
    lanes = lanes_for(B)
    if ranks > LANES:
        return ceil(B / ranks)
    return max(sum(hi - lo for lo, hi in dealt(B, lanes, rank, ranks)) for rank in range(ranks))


def sizes_for(batch_sizes, ranks):
    """What is measured on so many ranks: these sizes, and that of weak scaling."""
    return sorted({*batch_sizes, EACH * ranks})


def check(ranks, batch_sizes, cores):
    """Refuse, before time is spent, to measure what no model can be fitted to.

    Raises:  SettingError
    """
    if not any(2 <= R <= cores for R in ranks):
        raise SettingError(
            f"an all-reduce is measured on 2 ranks or more, and no more than the {cores} cores: "
            f"--ranks {','.join(map(str, ranks))} names no such number"
        )
    if len(sizes_for(batch_sizes, 1)) < 2:
        raise SettingError(f"a model needs two batch sizes: give one besides {EACH}")


def fitted(epochs, messages, N, ranks):
    """The Model of measurements, by least squares of the relative errors.

    epochs    {batch size: seconds of an epoch of N images on one rank}
    messages  {bytes: seconds of an all-reduce on so many ranks}
    """
    rows = [(N / seconds, ceil(N / b) / seconds) for b, seconds in epochs.items()]
    c, o = _non_negative(rows)
    rows = [
        (2 * log2(ranks) / seconds, 2 * (1 - 1 / ranks) * size / seconds)
        for size, seconds in messages.items()
    ]
    return Model(c, o, *_non_negative(rows))


def fitted_to(one, widest, N):
    """The Model of two jobs, as `measure` found them: on one rank, and on as many as cores."""
    times = {}
    for b, took, _ in one["epochs"]:
        times.setdefault(b, []).append(took)
    epochs = {b: median(some) for b, some in times.items()}
    return fitted(epochs, dict(widest["messages"]), N, widest["ranks"])


def _non_negative(rows):
    """x, y >= 0 with x a + y b nearest to 1 over the rows (a, b)."""
    A = np.array(rows)
    x, y = np.linalg.lstsq(A, np.ones(len(A)), rcond=None)[0]
    if x < 0 or y < 0:  # the better of the two that are left
        alone = [a.sum() / (a @ a) for a in A.T]
        misses = [np.square(1 - s * a).sum() for s, a in zip(alone, A.T, strict=True)]
        x, y = (alone[0], 0.0) if misses[0] <= misses[1] else (0.0, alone[1])
    return float(x), float(y)


# ---- measured: this part runs on the ranks


def measure(ranks, data, batch_sizes, rounds):
    """Seconds of epochs and of all-reduces, as every rank of a job measures them together."""
    x, y = data.train.images, data.train.labels
    found = {"ranks": ranks.size, "epochs": [], "messages": []}
    model = LeNet5(0, ranks=ranks)
    v = np.zeros_like(model.w)
    for b in batch_sizes:
        one_epoch(model, v, x[: 2 * b], y[: 2 * b], np.arange(len(y[: 2 * b])), b, 0.0)  # warms up
        for k in range(1, rounds + 1):
            ranks.together()
            began, waited = perf_counter(), ranks.seconds
            one_epoch(model, v, x, y, epoch_order(len(y), 0, k), b, 1e-3)
            took = perf_counter() - began
            found["epochs"].append([b, took, ranks.seconds - waited])
    for n in MESSAGES if ranks.size > 1 else ():
        message, times = np.zeros(n), []
        for _ in range(40):
            ranks.together()
            began = perf_counter()
            ranks.all_reduce(message)
            times.append(perf_counter() - began)
        found["messages"].append([8 * n, median(times[5:])])
    return found


def main(asked):
    """A rank's life: rank 0 prints what was measured."""
    from threadpoolctl import threadpool_limits

    ranks = world()
    with ranks.or_abort(), threadpool_limits(1, user_api="blas"):
        data = load_dataset(asked["dataset"], asked["data_dir"], log=lambda line: None)
        found = measure(ranks, data, asked["batch_sizes"], asked["rounds"])
        if ranks.rank == 0:
            print(json.dumps(found))


def start(ranks, dataset, data_dir, batch_sizes, rounds):
    """What `measure` finds on so many ranks of this machine, through mpiexec.

    Raises:  UserError if the job fails; SettingError if there is no MPI
    """
    beside = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    if mpiexec is None or find_spec("mpi4py") is None:
        raise SettingError('scaling needs MPI: python -m pip install -e ".[mpi]"')
    asked = {"dataset": dataset, "data_dir": data_dir and str(data_dir)}
    asked |= {"batch_sizes": list(batch_sizes), "rounds": rounds}
    command = [
        mpiexec,
        "-n",
        str(ranks),
        sys.executable,
        "-m",
        "mpi4py",
        "-m",
        "minisgd.machine.speedup",
    ]
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [*command, json.dumps(asked)], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        said = [line for line in lines if line.startswith("Error")] or lines[-1:]
        raise UserError(f"{ranks} ranks could not be measured: {''.join(said[:1])}")
    return json.loads(done.stdout.splitlines()[-1])


# ---- shown


def rows_of(jobs, model, N, batch_sizes):
    """Rows with COLUMNS: what was measured (medians over the rounds), and what the model says."""
    rows = []
    for job in jobs:
        for b in dict.fromkeys(size for size, _, _ in job["epochs"]):
            times = [(took, waited) for size, took, waited in job["epochs"] if size == b]
            took, waited = (median(values) for values in zip(*times, strict=True))
            rows.append(["epoch", job["ranks"], b, took, waited, 0])
        for size, seconds in job["messages"]:
            rows.append([f"all-reduce of {size} bytes", job["ranks"], None, seconds, seconds, 0])
    for ranks in FAR:
        for kind, b in [*(("strong", b) for b in batch_sizes), ("weak", EACH * ranks)]:
            if ranks <= b <= N:
                waited = ceil(N / b) * model.all_reduce(ranks)
                rows.append([kind, ranks, b, model.epoch(N, b, ranks), waited, 1])
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def errors(rows, model, N, cores):
    """{(ranks, batch size): model over measured} of the epochs, up to as many ranks as cores."""
    return {
        (row["ranks"], row["batch_size"]): model.epoch(N, row["batch_size"], row["ranks"])
        / row["seconds"]
        for row in rows
        if row["kind"] == "epoch" and row["ranks"] <= cores
    }


def table(rows, model, N, cores):
    """The lines of what was measured, and of how far the model is from it."""
    head = f"{'ranks':>5} {'batch':>6} {'s an epoch':>11} {'speedup':>8} {'in the all-reduce':>18}"
    lines = [f"{head} {'the model':>10}"]
    one = {r["batch_size"]: r["seconds"] for r in rows if r["kind"] == "epoch" and r["ranks"] == 1}
    for r in rows:
        if r["kind"] != "epoch":
            continue
        b, ranks = r["batch_size"], r["ranks"]
        faster = f"{one[b] / r['seconds']:.2f}" if b in one else "-"
        says = f"{model.epoch(N, b, ranks):.2f}" if ranks <= cores else f"{cores} cores"
        lines.append(
            f"{ranks:>5} {b:>6} {r['seconds']:>11.2f} {faster:>8} "
            f"{r['all_reduce'] / r['seconds']:>18.0%} {says:>10}"
        )
    found = errors(rows, model, N, cores).values()
    return [
        *lines,
        "",
        f"model: {1e6 * model.c:.1f} µs an image, {1e6 * model.o:.0f} µs an update, all-reduce "
        f"{1e6 * model.alpha:.1f} µs a message and {1e9 * model.beta:.2f} ns a byte; "
        f"its epochs are {min(found):.2f} to {max(found):.2f} of the measured ones",
    ]


def plots(rows, N, cores, epochs_to):
    """Four panels: strong and weak scaling, the all-reduce's share, the time to an accuracy.

    epochs_to   {batch size: epochs to 97 %}, of the best settings that the figures hold
    """
    measured = [r for r in rows if r["kind"] == "epoch" and r["ranks"] <= cores]
    far = [r for r in rows if r["projected"]]
    sizes = sorted({r["batch_size"] for r in far if r["kind"] == "strong"})

    def both(value, label, color, fits, kind):
        """A dashed line of what is projected, points of what was measured."""
        line = [r for r in far if r["kind"] == kind and fits(r)]
        points = [r for r in measured if fits(r)]
        x, y = (tuple(r["ranks"] for r in some) for some in (line, points))
        return (
            Curve("", x, tuple(map(value, line)), color=color, dash="--"),
            Curve(label, y, tuple(map(value, points)), color=color, dash="", marker="o"),
        )

    def strong(value, chosen=sizes):
        return tuple(
            curve
            for b in chosen
            for curve in both(value, f"b = {b}, measured", batch_color(b),
                              lambda r, b=b: r["batch_size"] == b, "strong")
        )  # fmt: skip

    seconds = lambda r: r["seconds"]  # noqa: E731
    grows = lambda r: r["batch_size"] == EACH * r["ranks"]  # noqa: E731
    reached = [b for b in sizes if b in epochs_to]
    panels = (
        Plot("strong scaling: the same batch on more ranks", "ranks", "s an epoch",
             strong(seconds), True, True),
        Plot(f"weak scaling: {EACH} images a rank, b = {EACH} R", "ranks", "s an epoch",
             both(seconds, f"b = {EACH} R, measured", "0.35", grows, "weak"), True, True),
        Plot("in the all-reduce, measured with the waiting", "ranks", "share",
             strong(lambda r: r["all_reduce"] / r["seconds"]), True, False, (-0.02, 1.02)),
        Plot("seconds to 97 % of the test images", "ranks", "s",
             strong(lambda r: r["seconds"] * epochs_to[r["batch_size"]], reached), True, True),
    )  # fmt: skip
    grey = (Curve("projection by the model", (), (), color="0.35", dash="--"),)  # for the legend
    return tuple(
        replace(panel, curves=grey + panel.curves, xticks=FAR[::2])
        for panel in panels
        if panel.curves
    )


def describe(model, N, epochs_to):
    """In words: the batch and the ranks that get to 97 % soonest, and what that gains."""
    if not epochs_to:
        return "The figures hold no runs that reach 97 %: `python cli.py figures` makes them."
    best = {
        ranks: min((model.epoch(N, b, ranks) * e, b) for b, e in epochs_to.items() if b >= ranks)
        for ranks in FAR
        if any(b >= ranks for b in epochs_to)
    }
    said = [f"{ranks} ranks {took:.3g} s with b = {b}" for ranks, (took, b) in best.items()]
    fastest = min(best, key=lambda ranks: best[ranks])
    return (
        f"Projected time to 97 %, with the batch that is best for each: {', '.join(said)}. "
        f"The soonest is {fastest} ranks: {best[1][0] / best[fastest][0]:.3g} times as fast as one."
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
