"""How fast is it, beside the frameworks that people would use instead, in one run on one machine.

Every contender lives in a process of its own. At each batch size all of them warm up, then take
turns, one epoch each, several rounds; the others wait meanwhile. What is quoted is the median, its
spread, and the median of the ratios round by round, which a machine that changes its speed cannot
spoil.
"""

import multiprocessing
import platform
import time
from pathlib import Path
from statistics import median

import numpy as np

from ..backend import device_name, to_host
from ..data import epoch_order
from ..errors import UserError
from ..lab import facts
from ..lab.facts import cores, processor
from .rivals import LR

BATCH_SIZES = (64, 512, 2048, 8192)
MICRO_BATCH = 256  # PyTorch's best
BASELINE = "PyTorch, whole batch"


def contenders(threads, device="cpu"):
    """{name: (builder, arguments, processes)}: what is compared. Those of one thread first."""
    if device == "cuda":
        on_it = {"threads": threads, "device": "cuda"}
        return {
            "minisgd": ("ours", on_it | {"threads": 1}, 1),
            BASELINE: ("torch_eager", on_it, 1),
            "PyTorch, a CUDA graph": ("torch_graphed", {"threads": threads}, 1),
        }
    several = {
        f"minisgd, {threads} threads": ("ours", {"threads": threads}, 1),
        f"minisgd, {threads} processes": ("ours", {"threads": 1}, threads),
    }
    return {
        "minisgd, 1 thread": ("ours", {"threads": 1}, 1),
        **(several if threads > 1 else {}),
        BASELINE: ("torch_eager", {"threads": threads}, 1),
        f"PyTorch, micro-batches of {MICRO_BATCH}": (
            "torch_eager", {"threads": threads, "micro_batch": MICRO_BATCH}, 1
        ),
        "JAX, jitted": ("jax_jitted", {"threads": threads}, 1),
    }  # fmt: skip


def ours(data, threads, device="cpu"):
    """minisgd as `train` runs it: (train_epoch, forward), as in rivals.py."""
    from threadpoolctl import threadpool_limits

    from ..model import LeNet5
    from ..train import one_epoch

    threadpool_limits(1, user_api="blas")
    model = LeNet5(seed=0, device=device, threads=threads)
    x, y, test_x = map(model.xp.asarray, (data.train.images, data.train.labels, data.test.images))

    def train_epoch(order, batch_size):
        one_epoch(model, None, x, y, model.xp.asarray(order), batch_size, LR)

    def forward(batch_size):
        return to_host(model.logits(test_x))

    return train_epoch, forward


def _live(builder, arguments, handle, batch_size, pipe):
    """A contender's process: says whether it is there, then answers "epoch" and "forward"."""
    from ..lab.sweep import shared
    from . import rivals

    try:
        build = ours if builder == "ours" else getattr(rivals, builder)
        data = shared(handle)
        train_epoch, forward = build(data, **arguments)
    except ImportError as error:
        pipe.send(f"{error.name or error} is not installed")
        return
    pipe.send(None)
    epoch = 0
    while (wish := pipe.recv()) is not None:
        began = time.perf_counter()
        if wish == "epoch":
            epoch += 1
            train_epoch(epoch_order(len(data.train.labels), 0, epoch), batch_size)
        else:
            forward(batch_size)
        pipe.send((time.perf_counter() - began, _peak_memory()))


def _peak_memory():
    """The most memory that this process has held, in bytes; None where that cannot be asked."""
    try:  # Linux, whose getrusage would tell of the parent's too: it outlives fork and exec
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
    """One or more equal processes that work at the same time; seconds are per epoch of one."""

    def __init__(self, builder, arguments, processes, handle, batch_size):
        context = multiprocessing.get_context("spawn")
        self.pipes, self.processes = [], []
        for _ in range(processes):
            pipe, theirs = context.Pipe()
            process = context.Process(
                target=_live, args=(builder, arguments, handle, batch_size, theirs), daemon=True
            )
            process.start()
            theirs.close()
            self.pipes.append(pipe)
            self.processes.append(process)
        said = [self._hear(pipe) for pipe in self.pipes]
        self.absent = said[0]  # why it cannot take part, or None

    @staticmethod
    def _hear(pipe):
        try:
            return pipe.recv()
        except EOFError:
            raise UserError("a contender of the benchmark died; see what it printed") from None

    def ask(self, wish):
        """Do one epoch or forward pass each, at once: (seconds per epoch done, peak bytes)."""
        for pipe in self.pipes:
            pipe.send(wish)
        answers = [self._hear(pipe) for pipe in self.pipes]
        seconds = max(answer[0] for answer in answers) / len(answers)
        return seconds, max((answer[1] or 0) for answer in answers) or None

    def end(self):
        for process in self.processes:
            process.kill()
            process.join()


def bench(dataset, batch_sizes=BATCH_SIZES, rounds=5, log=print, device="cpu"):
    """Measure every contender at every batch size; returns what `bench --json` writes.

    Units:  seconds per epoch of training and per forward pass over the test set; bytes of the
            host's memory
    """
    from ..lab.sweep import share

    threads = cores()
    handle = share(dataset, multiprocessing.get_context("spawn"))
    measured, absent = [], {}
    for batch_size in batch_sizes:
        alive = {}
        try:
            for name, (builder, arguments, processes) in contenders(threads, device).items():
                if name in absent or (batch_size <= arguments.get("micro_batch", 0)):
                    continue
                alive[name] = Contender(builder, arguments, processes, handle, batch_size)
                if alive[name].absent:
                    absent[name] = alive[name].absent
                    alive.pop(name).end()
            for contender in alive.values():
                contender.ask("epoch"), contender.ask("forward")  # warm up
            took = {(name, wish): [] for name in alive for wish in ("epoch", "forward")}
            for r in range(rounds):
                for name, contender in alive.items():
                    for wish in ("epoch", "forward"):
                        seconds, peak = contender.ask(wish)
                        took[name, wish].append(seconds)
                    took[name, "peak"] = peak
                log(f"batch size {batch_size}: round {r + 1} of {rounds}")
        finally:
            for contender in alive.values():
                contender.end()
        measured += [
            {
                "contender": name,
                "batch_size": batch_size,
                "epoch_seconds": took[name, "epoch"],
                "forward_seconds": took[name, "forward"],
                "peak_bytes": took[name, "peak"],
            }
            for name in alive
        ]
    return {
        "machine": {
            **facts.versions(),
            "cpu": processor(),
            "cores": cores(),
            "system": platform.platform(),
        },
        "device": device_name(device),
        "threads": threads,
        "rounds": rounds,
        "images": len(dataset.train.labels),
        "absent": absent,
        "measured": measured,
    }


def ratio(row, base, what):
    """The median over rounds of row's seconds over base's, with the least and the greatest."""
    ratios = np.array(row[what]) / np.array(base[what])
    return median(ratios), min(ratios), max(ratios)


HEAD = "{:<34}epoch, s                ratio                 test set, s   ratio   peak memory"


def table(result):
    """The lines of the table: a block a batch size, ratios to PyTorch's whole batch."""
    lines = [
        f"{result['images']:,} images an epoch, {result['rounds']} rounds, "
        f"{result['machine']['cores']} cores of {result['machine']['cpu']}, "
        f"NumPy {result['machine']['numpy']}, "
        f"{result['machine']['blas']}; device {result['device']}",
        "median of the seconds (least to greatest); ratio to " + BASELINE + ", round by round",
    ]
    for batch_size in dict.fromkeys(row["batch_size"] for row in result["measured"]):
        rows = [row for row in result["measured"] if row["batch_size"] == batch_size]
        base = next((row for row in rows if row["contender"] == BASELINE), None)
        lines += ["", HEAD.format(f"batch size {batch_size}")]
        for row in rows:
            took = row["epoch_seconds"]
            cells = f"{median(took):.2f} ({min(took):.2f} to {max(took):.2f})".ljust(24)
            ratios = ["-", "-"]
            if base:
                ratios[0] = "{:.2f} ({:.2f} to {:.2f})".format(*ratio(row, base, "epoch_seconds"))
                ratios[1] = "{:.2f}".format(ratio(row, base, "forward_seconds")[0])
            peak = f"{row['peak_bytes'] / 1e6:.0f} MB" if row["peak_bytes"] else "unknown"
            lines.append(
                f"  {row['contender']:<32}{cells}{ratios[0]:<22}"
                f"{median(row['forward_seconds']):<14.3f}{ratios[1]:<8}{peak}"
            )
        if len(rows) > 2 and rows[2]["contender"].endswith("processes"):
            gain = 1 / ratio(rows[2], rows[0], "epoch_seconds")[0]
            lines.append(f"  {rows[2]['contender']} do {gain:.2f} times the epochs of 1 thread")
    lines += [""] + [f"{name}: left out, {why}" for name, why in result["absent"].items()]
    return lines
