"""Where the microseconds of a training image go: by layer and kind of operation.

In fused.py a line is an operation, so the time between one line and the next, asked of the
interpreter's own trace, is the time of that operation. Each line is put down to the layer whose
method it stands in, and to a kind by what is written on it.
"""

import linecache
import re
import sys
import time
from collections import defaultdict
from math import prod
from pathlib import Path

import numpy as np

from ..data import epoch_order
from ..model import LeNet5
from ..networks import SHAPES
from ..train import evaluate, one_epoch

# The first that fits says what a line does.
KINDS = (
    ("matrix product", r"matmul|@|add_product"),
    ("maximum", r"maximum"),
    ("compare", r"greater"),
    ("multiply, subtract", r"multiply|subtract|\*="),
    ("add", r"\+="),
    ("copy, convert", r"\[\.\.\.\] = |astype|ascontiguous"),
)
ROOM = {
    "loss.py": "loss",
    "optim.py": "update",
    "networks.py": "input",
    "model.py": "input",
    "gradient.py": "pieces",
}
PACKAGE = str(Path(__file__).parents[1])


def training_multiply_adds():
    """Multiply-adds of one training image: forward, dW and dx, but no dx for the image itself."""
    places = {"conv1": 28 * 28, "conv2": 10 * 10}
    layers = {n: prod(SHAPES[n + ".W"]) * places.get(n, 1) for n in ("conv1", "conv2")}
    layers |= {n: prod(SHAPES[n + ".W"]) for n in ("fc1", "fc2", "fc3")}
    return 3 * sum(layers.values()) - layers["conv1"]


def gemm_flops(size=1024, seconds=0.5):
    """Floating-point operations a second of a large float32 matrix product, on this thread."""
    a = np.random.default_rng(0).normal(size=(size, size)).astype(np.float32)
    out, best, until = np.empty_like(a), np.inf, time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        np.matmul(a, a, out=out)
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best


class _Tracer:
    """Adds up the time between trace events by (layer, kind) of the line that was running."""

    def __init__(self, networks):
        self.names = {
            id(layer): name
            for network in networks
            for name, layer in vars(network).items()
            if name in ("conv1", "conv2", "fc1", "fc2", "fc3")
        }
        self.spent = defaultdict(float)
        self.current, self.last = None, 0.0
        self.kinds = {}

    def __call__(self, frame, event, arg):
        now = time.perf_counter()
        self.spent[self.current] += now - self.last
        inside = frame.f_code.co_filename.startswith(PACKAGE)
        at = frame.f_back if event == "return" else frame
        self.current = self._place(at)
        self.last = time.perf_counter()
        return self if inside else None

    def _place(self, frame):
        if frame is None:
            return None
        file, line = frame.f_code.co_filename, frame.f_lineno
        if (file, line) not in self.kinds:
            text = linecache.getline(file, line)
            found = (kind for kind, pattern in KINDS if re.search(pattern, text))
            self.kinds[file, line] = next(found, "other")
        while frame is not None:
            layer = self.names.get(id(frame.f_locals.get("self")))
            if layer:
                return layer, self.kinds[file, line]
            room = ROOM.get(Path(frame.f_code.co_filename).name)
            if room:
                return room, "all"
            frame = frame.f_back
        return "other", "all"


def profile(data, batch_size=512, images=6_000):
    """Profile one thread: rows, floor, FLOP/s, epoch.

    rows:   [(layer, kind, microseconds an image)], the largest first
    floor:  the microseconds that the multiply-adds alone would take, at FLOP/s
    epoch:  {part: seconds} of a whole epoch, without the trace: training, shuffle, test set
    """
    from threadpoolctl import threadpool_limits

    images = min(images, len(data.train.labels))
    x, y, N = data.train.images, data.train.labels, len(data.train.labels)
    epoch, began = {}, time.perf_counter()
    order = epoch_order(N, 0, 1)[:images]
    epoch["shuffle"] = time.perf_counter() - began
    model = LeNet5(seed=0)
    with threadpool_limits(1, user_api="blas"):
        flops = gemm_flops()
        one_epoch(model, None, x, y, order, batch_size, 0.01)  # warm up
        for part, work in (
            ("training", lambda: one_epoch(model, None, x, y, order, batch_size, 0.01)),
            ("test set", lambda: evaluate(model, data.test.images, data.test.labels)),
        ):
            began = time.perf_counter()
            work()
            epoch[part] = time.perf_counter() - began
        epoch["training"] *= N / images
        tracer = _Tracer(model.lanes.networks)
        tracer.last = time.perf_counter()
        sys.settrace(tracer)
        try:
            one_epoch(model, None, x, y, order, batch_size, 0.01)
        finally:
            sys.settrace(None)
    tracer.spent.pop(None, None)
    rows = [(*place, 1e6 * spent / images) for place, spent in tracer.spent.items()]
    floor = 1e6 * 2 * training_multiply_adds() / flops
    return sorted(rows, key=lambda row: -row[2]), floor, flops, epoch


def table(rows, floor, flops, epoch):
    """The lines of the table: layers down, kinds across, the floor, and the parts of an epoch."""
    layers = ["conv1", "conv2", "fc1", "fc2", "fc3", "input", "loss", "update", "pieces", "other"]
    kinds = [kind for kind, _ in KINDS] + ["other"]
    cells = defaultdict(float)
    for layer, kind, spent in rows:
        cells[layer, kind if kind in kinds else "other"] += spent
    lines = ["microseconds of a training image, one thread"]
    lines.append(" " * 8 + "".join(f"{kind:>20}" for kind in kinds) + f"{'all':>8}")
    for layer in [*layers, "all"]:
        row = [
            sum(v for (at, k), v in cells.items() if k == kind and layer in (at, "all"))
            for kind in kinds
        ]
        lines.append(f"{layer:<8}" + "".join(f"{v:>20.2f}" for v in row) + f"{sum(row):>8.2f}")
    lines.append(
        f"arithmetic floor: {floor:.2f} ({training_multiply_adds():,} multiply-adds at the "
        f"{flops / 1e9:.0f} GFLOP/s of a large product)"
    )
    whole = sum(epoch.values())
    parts = ", ".join(f"{part} {s:.3f} s ({s / whole:.1%})" for part, s in epoch.items())
    lines.append(f"an epoch, without the trace: {parts}")
    return lines
