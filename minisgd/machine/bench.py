"""How fast is an epoch, compared with the frameworks that people would use instead?

Every contender has a process of its own. At each batch size all of them warm up and then take
turns, one epoch each, for several rounds, while the others wait. The results are the median of the
seconds, their range, and the median of the ratios round by round, which hardly change when the
machine changes its speed. What updates take of an epoch is measured after that (updates.py), and
what looking at a run does (looking.py).
"""

import multiprocessing
import platform
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from ..backend import device_name, to_host
from ..data import epoch_order
from ..errors import UserError
from ..lab import facts
from . import floor, looking, rivals, updates

MICRO_BATCH = 256  # images; near the size at which PyTorch is fastest
BASELINE, IN_PIECES = "PyTorch, whole batch", f"PyTorch, micro-batches of {MICRO_BATCH}"
REQUESTS = "epoch", "forward"


def in_threads(n):
    """The name of minisgd in one process with n threads."""
    return f"minisgd, {n} thread{'s' * (n > 1)}"


def in_processes(n):
    """The name of minisgd in n processes with one thread each."""
    return f"minisgd, {n} processes"


def contenders(threads, device="cpu"):
    """What is compared: {name: (builder, its arguments besides the data, number of processes)}.

    A builder returns (train_epoch, forward), as described in rivals.py.
    """
    if device == "cuda":
        on_gpu = {"threads": threads, "device": "cuda"}
        return {
            "minisgd": (minisgd_fused, on_gpu | {"threads": 1}, 1),
            BASELINE: (rivals.torch_eager, on_gpu, 1),
            "PyTorch, a CUDA graph": (rivals.torch_graphed, {"threads": threads}, 1),
        }
    several = {
        in_threads(threads): (minisgd_fused, {"threads": threads}, 1),
        in_processes(threads): (minisgd_fused, {"threads": 1}, threads),
    }
    return {
        in_threads(1): (minisgd_fused, {"threads": 1}, 1),
        **(several if threads > 1 else {}),
        BASELINE: (rivals.torch_eager, {"threads": threads}, 1),
        IN_PIECES: (rivals.torch_eager, {"threads": threads, "micro_batch": MICRO_BATCH}, 1),
        "JAX, jitted": (rivals.jax_jitted, {"threads": threads}, 1),
        floor.PRODUCTS: (floor.products_alone, {"threads": threads}, 1),
        floor.ARITHMETIC: (floor.arithmetic_at_best, {"threads": threads}, 1),
    }


def minisgd_fused(data, threads, device="cpu"):
    """minisgd as `train` runs it: (train_epoch, forward), as in rivals.py."""
    from threadpoolctl import threadpool_limits

    from ..settings import Settings
    from ..train import Run

    threadpool_limits(1, user_api="blas")
    run = Run(Settings(lr=rivals.LR), data, device, threads)

    def train_epoch(order, batch_size):
        run.settings = replace(run.settings, batch_size=batch_size)
        run.epoch(1, order)

    def forward(batch_size):
        return to_host(run.model.logits(run.test[0]))

    return train_epoch, forward


def serve(builder, arguments, handle, batch_size, pipe):
    """The work of a contender's process: build the contender, send None or the reason why that is
    impossible, then answer every request of REQUESTS with (seconds, peak bytes), until one is None.
    """
    from ..data.sharing import shared

    try:
        data = shared(handle)
        train_epoch, forward = builder(data, **arguments)
    except ImportError as error:
        pipe.send(f"{error.name or error} is not installed")
        return
    pipe.send(None)
    epoch = 0
    while (request := pipe.recv()) is not None:
        began = perf_counter()
        if request == "epoch":
            epoch += 1
            train_epoch(epoch_order(len(data.train.labels), 0, epoch), batch_size)
        else:
            forward(batch_size)
        pipe.send((perf_counter() - began, _peak_memory()))


def _peak_memory():
    """The most memory that this process has held, in bytes; None if the system cannot tell."""
    try:  # Linux: getrusage would include the parent's peak, which survives fork and exec
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024


class Contender:
    """One process, or several equal ones that work at the same time.

    Attributes:  absent, the reason why it cannot take part, or None
    Raises:      UserError if a process dies
    """

    def __init__(self, builder, arguments, processes, handle, batch_size):
        context = multiprocessing.get_context("spawn")
        self.pipes, self.processes = [], []
        for _ in range(processes):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=serve, args=(builder, arguments, handle, batch_size, theirs), daemon=True
            )
            process.start()
            theirs.close()
            self.pipes.append(ours)
            self.processes.append(process)
        reasons = [self._receive(pipe) for pipe in self.pipes]
        self.absent = reasons[0]

    @staticmethod
    def _receive(pipe):
        try:
            return pipe.recv()
        except EOFError:
            raise UserError("a contender of the benchmark died; see what it printed") from None

    def ask(self, request):
        """Have every process answer this request at the same time.

        Returns: the seconds per answer: n processes give n answers in the time of the slowest; and
                 the largest peak memory of a process in bytes, or None
        """
        for pipe in self.pipes:
            pipe.send(request)
        answers = [self._receive(pipe) for pipe in self.pipes]
        seconds = max(took for took, _ in answers) / len(answers)
        return seconds, max(peak or 0 for _, peak in answers) or None

    def stop(self):
        for process in self.processes:
            process.kill()
            process.join()


def bench(dataset, batch_sizes, rounds, log=print, device="cpu"):
    """Measure every contender at every batch size, and return what `bench --json` writes.

    Units:  seconds per epoch of training and per forward pass over the test set; bytes of the
            host's memory
    """
    from ..data.sharing import share

    threads = facts.cores()
    handle = share(dataset, multiprocessing.get_context("spawn"))
    measured, absent = [], {}
    for batch_size in batch_sizes:
        running = {}
        try:
            for name, (builder, arguments, processes) in contenders(threads, device).items():
                if name in absent or batch_size <= arguments.get("micro_batch", 0):
                    continue
                running[name] = Contender(builder, arguments, processes, handle, batch_size)
                if running[name].absent:
                    absent[name] = running[name].absent
                    running.pop(name).stop()
            measured += in_turns(running, batch_size, rounds, log)
        finally:
            for contender in running.values():
                contender.stop()
    return {
        "machine": {
            **facts.versions(),
            "cpu": facts.processor(),
            "cores": facts.cores(),
            "system": platform.platform(),
        },
        "device": device_name(device),
        "threads": threads,
        "rounds": rounds,
        "images": len(dataset.train.labels),
        "absent": absent,
        "measured": measured,
        "updates": updates.measure(dataset, batch_sizes, rounds, log, device),
        "looking": looking.measure(dataset, batch_sizes, rounds, threads, log, device),
    }


def in_turns(running, batch_size, rounds, log):
    """Measure these contenders, {name: Contender}, in turns; return a row for each."""
    rows = {
        name: {
            "contender": name,
            "batch_size": batch_size,
            "epoch_seconds": [],
            "forward_seconds": [],
            "peak_bytes": None,
        }
        for name in running
    }
    for contender in running.values():  # warm up
        for request in REQUESTS:
            contender.ask(request)
    for k in range(rounds):
        for name, contender in running.items():
            for request in REQUESTS:
                seconds, rows[name]["peak_bytes"] = contender.ask(request)
                rows[name][f"{request}_seconds"].append(seconds)
        log(f"batch size {batch_size}: round {k + 1} of {rounds}")
    return list(rows.values())


def ratio(row, base, what):
    """The seconds of a row over those of another, round by round: median, smallest and largest."""
    ratios = np.array(row[what]) / np.array(base[what])
    return median(ratios), min(ratios), max(ratios)


def more_epochs(rows, threads):
    """How many times the epochs of one thread several processes do: a line, or none.

    rows    {contender: row} of a batch size
    """
    if in_processes(threads) not in rows:
        return []
    gain = 1 / ratio(rows[in_processes(threads)], rows[in_threads(1)], "epoch_seconds")[0]
    return [f"  {in_processes(threads)} do {gain:.2f} times the epochs of 1 thread"]


def times_as_long(other, rows, threads):
    """How many times the seconds of another contender minisgd takes on all cores: a line, or none.

    rows    {contender: row} of a batch size
    """
    ours = [name for name in (in_threads(threads), in_processes(threads)) if name in rows]
    if other not in rows or not ours:
        return []
    times = [f"{name} {ratio(rows[name], rows[other], 'epoch_seconds')[0]:.2f}" for name in ours]
    return [f"  times as long as {other}: {', '.join(times)}"]


HEAD = "{:<34}epoch, s                ratio                 test set, s   ratio   peak memory"


def table(result):
    """The lines of the table: a block per batch size, with ratios to BASELINE; then what updates
    and looking at a run take.
    """
    lines = [
        f"{result['images']:,} images an epoch, {result['rounds']} rounds, "
        f"{result['machine']['cores']} cores of {result['machine']['cpu']}, "
        f"NumPy {result['machine']['numpy']}, "
        f"{result['machine']['blas']}; device {result['device']}",
        "median of the seconds (least to greatest); ratio to " + BASELINE + ", round by round",
    ]
    for batch_size in dict.fromkeys(row["batch_size"] for row in result["measured"]):
        rows = {
            row["contender"]: row for row in result["measured"] if row["batch_size"] == batch_size
        }
        base = rows.get(BASELINE)
        lines += ["", HEAD.format(f"batch size {batch_size}")]
        for name, row in rows.items():
            seconds = row["epoch_seconds"]
            cells = f"{median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})".ljust(24)
            ratios = ["-", "-"]
            if base:
                ratios[0] = "{:.2f} ({:.2f} to {:.2f})".format(*ratio(row, base, "epoch_seconds"))
                ratios[1] = "{:.2f}".format(ratio(row, base, "forward_seconds")[0])
            peak = f"{row['peak_bytes'] / 1e6:.0f} MB" if row["peak_bytes"] else "unknown"
            lines.append(
                f"  {name:<32}{cells}{ratios[0]:<22}"
                f"{median(row['forward_seconds']):<14.3f}{ratios[1]:<8}{peak}"
            )
        lines += more_epochs(rows, result["threads"])
        for other in (IN_PIECES, floor.PRODUCTS):
            lines += times_as_long(other, rows, result["threads"])
    lines += [""] + [f"{name}: left out, {reason}" for name, reason in result["absent"].items()]
    return [
        *lines,
        *([""] if result["absent"] else []),
        *updates.table(result["updates"]),
        "",
        *looking.table(result["looking"], result["threads"]),
    ]
