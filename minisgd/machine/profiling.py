"""Where the microseconds of a training image go: by layer and pass, by line of source, and on the
calls that Python makes for an update.

The passes are timed by wrapping them: for one epoch, each function that `calls_of` lists gives way
to one that reads the clock before and after. None of them calls another, so their times add up, and
the rest of the epoch is a row of its own. The lines of these functions are timed by line_profiler;
the time of a line includes the helpers that it calls. What a call costs at most is measured where
there is least arithmetic: in updates of a single image.
"""

import linecache
import sys
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np

from .. import networks, optim, train
from ..data import epoch_order
from ..errors import install
from ..settings import Settings

PASSES = "begin", "forward", "backward", "finish"
OTHERS = "input", "loss", "update"  # the other work of an epoch, a row each
IMAGES = 6_000  # trained on, about: in whole batches
HOTTEST = 15  # lines shown
SINGLES = 200  # updates of a single image
SIDE = 1024  # of a large product
NO_LINE_PROFILER = f"The hottest lines need line_profiler: {install('bench')} installs it."


# ---- what is timed: all that this module knows about the training code


def layers_of(network):
    """[(name, layer)] of a network, in the order of its forward pass."""
    return [(step.name, step) for step in network.steps]


def trainer(data, batch_size):
    """A new model on one thread, and the function that trains it: train_epoch(order)."""
    run = train.Run(Settings(batch_size), data)
    return run.model, lambda order: run.epoch(1, order)


def multiply_adds():
    """[multiply-adds of one image's forward pass], one number for each layer that has weights: it
    uses each of its weights once per position in its output.
    """
    parts = networks.LENET5
    w = np.zeros(networks.size_of(parts))
    network = networks.Network(parts, w, w, plain=True)
    y, found = networks.columns(np.zeros((1, 1, 28, 28)), w.dtype), []
    for _, layer in network.layers:
        y = layer.forward(y)  # (F, OH, OW, 1) or (M, 1)
        if hasattr(layer, "W"):
            found.append(layer.W.size * y[0].size)
    return found


def training_multiply_adds():
    """Multiply-adds of one training image: forward, dW and dx, but no dx of the image itself."""
    forward = multiply_adds()
    return 3 * sum(forward) - forward[0]


class Call(NamedTuple):
    """A function that an epoch calls, `owner.name`, and the cell of the table for its time."""

    row: str
    column: str
    owner: object
    name: str

    @property
    def function(self):
        return getattr(self.owner, self.name)


def calls_of(model):
    """Every Call of an epoch that is timed; none of these functions calls another."""
    passes = [
        Call(row, name, layer, name)
        for network in model.lanes.networks
        for row, layer in layers_of(network)
        for name in PASSES
        if hasattr(layer, name)
    ]
    owners = (networks, "columns"), (model.lanes, "loss"), (optim, "sgd_step")
    return passes + [Call(row, "", *owner) for row, owner in zip(OTHERS, owners, strict=True)]


# ---- measuring


@dataclass(frozen=True)
class Profile:
    """What `profile` measured, on one thread.

    rows         {(row, column): microseconds per image}, see Call
    whole        microseconds per image of the epoch in which the rows were timed
    lines        [(file, line number, hits, microseconds per image)], the hottest first; None
                 without line_profiler
    flops        floating-point operations per second of a large float32 matrix product
    epoch        {part: seconds} of a whole epoch, with nothing wrapped: training, shuffle, test set
    update       microseconds of an update, with nothing wrapped
    calls        {kind of function: how many of them an update calls}, see calls_in
    call         microseconds of an update of a single image, divided by its calls: as its products
                 take a part of that, a call takes less
    batch_size   of the training
    """

    rows: dict
    whole: float
    lines: list | None
    flops: float
    epoch: dict
    update: float
    calls: dict
    call: float
    batch_size: int

    @property
    def floor(self):
        """Microseconds that the multiply-adds of an image would take at that speed."""
        return 1e6 * 2 * training_multiply_adds() / self.flops


def profile(data, batch_size):
    """The Profile of training in batches of this size, as many as IMAGES fill, but at least one."""
    from threadpoolctl import threadpool_limits

    N, epoch = len(data.train.labels), {}
    updates = max(1, min(IMAGES, N) // batch_size)
    images = updates * batch_size
    with threadpool_limits(1, user_api="blas"):
        flops = gemm_flops()
        epoch["shuffle"], order = seconds_and_result(lambda: epoch_order(N, 0, 1)[:images])
        model, train_epoch = trainer(data, batch_size)
        train_epoch(order)  # warms up
        training, _ = seconds_and_result(lambda: train_epoch(order))
        epoch["training"] = training * N / images
        epoch["test set"], _ = seconds_and_result(
            lambda: train.evaluate(model, data.test.images, data.test.labels)
        )
        with timed(calls_of(model)) as seconds:
            whole, _ = seconds_and_result(lambda: train_epoch(order))
        lines = timed_lines(calls_of(model), lambda: train_epoch(order))
        calls = calls_in(lambda: train_epoch(order))
        call = seconds_of_a_call(data, order[:SINGLES])
    unit = 1e6 / images
    return Profile(
        rows={place: unit * spent for place, spent in seconds.items()},
        whole=unit * whole,
        lines=lines and [(*line, unit * spent) for *line, spent in lines],
        flops=flops,
        epoch=epoch,
        update=1e6 * training / updates,
        calls={kind: count / updates for kind, count in calls.items()},
        call=1e6 * call,
        batch_size=batch_size,
    )


def seconds_and_result(work):
    """Seconds that work() takes, and what it returns."""
    began = perf_counter()
    result = work()
    return perf_counter() - began, result


def gemm_flops():
    """Floating-point operations per second of a large float32 matrix product, on this thread."""
    a = np.random.default_rng(0).normal(size=(SIDE, SIDE)).astype(np.float32)
    out, best, until = np.empty_like(a), np.inf, perf_counter() + 0.5
    while perf_counter() < until:
        best = min(best, seconds_and_result(lambda: np.matmul(a, a, out=out))[0])
    return 2 * SIDE**3 / best


@contextmanager
def timed(calls):
    """A context whose {(row, column): seconds} adds up the time spent in these calls."""
    seconds, before = defaultdict(float), []

    def wrapper(call):
        function, place = call.function, (call.row, call.column)

        def wrapped(*args, **kwargs):
            began = perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                seconds[place] += perf_counter() - began

        return wrapped

    try:
        for call in calls:
            own = vars(call.owner)
            before.append((call, call.name in own, own.get(call.name)))
            setattr(call.owner, call.name, wrapper(call))
        yield seconds
    finally:
        for call, had_its_own, value in before:
            if had_its_own:
                setattr(call.owner, call.name, value)
            else:
                delattr(call.owner, call.name)  # the method of the class is visible again


def timed_lines(calls, work):
    """Time every line of these calls while work() runs.

    Returns: [(file, line number, hits, seconds)], the most seconds first; None without
             line_profiler
    """
    try:
        from line_profiler import LineProfiler
    except ImportError:
        return None
    profiler = LineProfiler()
    for function in dict.fromkeys(
        getattr(call.function, "__func__", call.function) for call in calls
    ):
        profiler.add_function(function)
    with profiler:
        work()
    measured = profiler.get_stats()
    lines = [
        (file, number, hits, ticks * measured.unit)
        for (file, _, _), timings in measured.timings.items()
        for number, hits, ticks in timings
    ]
    return sorted(lines, key=lambda line: -line[-1])


def calls_in(work):
    """{kind: how many functions of this kind this thread calls from Python while work() runs}.

    Those "in Python", to which sys.setprofile adds what generators yield, those "in C", and NumPy's
    "ufuncs", which it does not see: stand-ins count these. Operators and subscripts are no calls.
    """
    counts = {"in Python": 0, "in C": -1, "ufuncs": 0}  # the last one in C is setprofile itself
    kinds = {"call": "in Python", "c_call": "in C"}

    def note(frame, event, function):
        if event in kinds:
            counts[kinds[event]] += 1

    def stand_in(ufunc):
        def counted(*args, **kwargs):
            counts["ufuncs"] += 1
            counts["in Python"] -= 1  # this one
            return ufunc(*args, **kwargs)

        return counted

    ufuncs = {name: found for name, found in vars(np).items() if isinstance(found, np.ufunc)}
    try:
        for name, ufunc in ufuncs.items():
            setattr(np, name, stand_in(ufunc))
        sys.setprofile(note)
        work()
    finally:
        sys.setprofile(None)
        for name, ufunc in ufuncs.items():
            setattr(np, name, ufunc)
    return counts


def seconds_of_a_call(data, order):
    """Seconds of an update of a single image divided by its calls, over the images of `order`."""
    _, train_epoch = trainer(data, batch_size=1)
    train_epoch(order)  # warms up
    seconds, _ = seconds_and_result(lambda: train_epoch(order))
    return seconds / sum(calls_in(lambda: train_epoch(order)).values())


# ---- showing


def table(found):
    """The lines that `bench --profile` prints of a Profile."""
    whole = sum(found.epoch.values())
    parts = ", ".join(f"{part} {s:.3f} s ({s / whole:.1%})" for part, s in found.epoch.items())
    return [
        f"microseconds of a training image, one thread, batches of {found.batch_size}",
        *_rows(found),
        "",
        *_hottest(found),
        "",
        f"arithmetic floor: {found.floor:.2f} µs ({training_multiply_adds():,} multiply-adds at "
        f"the {found.flops / 1e9:.0f} GFLOP/s of a large product)",
        *_calls(found),
        f"an epoch, with nothing wrapped: {parts}",
    ]


def _calls(found):
    """What an update takes, how many calls it makes, and what these take of it."""
    kinds = ", ".join(f"{count:.0f} {kind}" for kind, count in found.calls.items())
    calls = sum(found.calls.values())
    taken = calls * found.call
    return [
        f"an update, with nothing wrapped: {found.update:.0f} µs, in which {calls:.0f} functions "
        f"are called from Python ({kinds})",
        f"a call: at most {found.call:.2f} µs, by updates of a single image; those of an update "
        f"here then take at most {taken:.0f} µs ({taken / found.update:.1%})",
    ]


def _rows(found):
    """The table: layers down, passes across; then the other work, the rest, and the whole."""
    layers = [row for row, column in found.rows if column]
    rows = dict.fromkeys([*layers, *OTHERS])
    width = max(map(len, [*rows, "the rest"]))

    def line(row, cells, total):
        shown = "".join(f"{cells[name]:>10.2f}" if name in cells else " " * 10 for name in PASSES)
        return f"{row:<{width}}{shown}{total:>10.2f}{total / found.whole:>10.1%}"

    lines = [" " * width + "".join(f"{name:>10}" for name in (*PASSES, "all", "share"))]
    for row in rows:
        cells = {column: spent for (at, column), spent in found.rows.items() if at == row}
        lines.append(line(row, cells, sum(cells.values())))
    accounted = sum(found.rows.values())
    return [
        *lines,
        line("the rest", {}, found.whole - accounted),
        line("all", {}, found.whole),
        f"{accounted / found.whole:.1%} is accounted for. The rest picks out the images of each "
        "chunk, adds up the lanes, and is the loop itself.",
    ]


def _hottest(found):
    if found.lines is None:
        return [NO_LINE_PROFILER]
    whole = sum(spent for *_, spent in found.lines)
    lines = [
        f"the {HOTTEST} hottest lines, by line_profiler; a line includes the helpers that it calls",
        f"{'µs':>8}{'share':>8}{'hits':>8}  line",
    ]
    for file, number, hits, spent in found.lines[:HOTTEST]:
        place = f"{Path(file).name}:{number}"
        source = linecache.getline(file, number).strip()
        lines.append(f"{spent:>8.2f}{spent / whole:>8.1%}{hits:>8}  {place:<15} {source}")
    return lines
