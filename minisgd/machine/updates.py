"""What an update costs beyond its gradient: every optimizer, and clipping, at every batch size.

Each optimizer makes a few updates in a row, a gradient of real images before every step; then the
weights are put back and the next one follows. So a step finds the processor's caches as it does in
training: without the gradients in between it would look several times as fast. A round takes the
medians of several such turns, and its share from its own steps and gradients, because the machine
changes its speed.

    share = updates · step / (updates · step + N/b · gradient)

of the time of an epoch with this optimizer: N images in batches of b, the last of which may be
smaller and still needs a step. One process, one thread, where the BLAS has one, too. On a GPU, both
a step and a gradient include the wait for the device.
"""

from dataclasses import replace
from statistics import median
from time import perf_counter

import numpy as np

from ..backend import to_host
from ..optim import OPTIMIZERS, clip_by_norm
from ..settings import Settings
from ..train import Run, new_memory

SECONDS = 0.5  # that a round lasts, or a single turn if that takes longer
IN_A_ROW = 5  # updates of an optimizer; the first only brings its memory into the caches
BEFORE = 256  # images at most in the gradient before a step: more only take longer
MOMENTUM = 0.9  # of every optimizer but sgd
CLIP = "clip"  # the row of clipping by the norm


def measure(data, batch_sizes, rounds, log=print, device="cpu"):
    """Time the steps and the gradients at every batch size.

    Returns: [{"update": its name, "batch_size": b, "update_seconds": [one a round],
               "gradient_seconds": [one a round], "share": [one a round, from 0 to 1]}]
    """
    from threadpoolctl import threadpool_limits

    rows = []
    with threadpool_limits(1, user_api="blas"):
        for batch_size in batch_sizes:
            run = Run(Settings(batch_size), data, device)
            works = works_of(run)
            keep_memory()
            one_round(run, works, seconds=0)  # warms up
            measured = [one_round(run, works) for _ in range(rounds)]
            rows += [row(run, name, measured) for name in works]
            log(f"batch size {batch_size}: what an update costs, {rounds} rounds")
    return rows


def keep_memory():
    """Free a large array: from then on glibc keeps what smaller ones free. In training it does so
    anyway; here it would give some to the system and get it back, page by page, within a step.
    """
    np.empty(2**24, np.uint8)


def works_of(run):
    """{name: function (t)} that make one step each on the gradient that is there."""

    def stepper(name):
        momentum = 0.0 if name == "sgd" else MOMENTUM
        settings = replace(run.settings, optimizer=name, momentum=momentum)
        step, memory, model = OPTIMIZERS[name].step, new_memory(run.model, settings), run.model
        return lambda t: step(model.w, model.g, memory, settings.lr, t, settings, model.shapes)

    works = {name: stepper(name) for name in OPTIMIZERS}
    return works | {CLIP: lambda t: clip_by_norm(run.model.g, 1.0)}


def one_round(run, works, seconds=SECONDS):
    """Turns of a gradient, and of each work after a gradient; leaves the weights as they were.

    Returns: {name: median seconds}, the gradient's under None
    """
    model, batches = run.model, full_batches(run)
    w, taken = model.w.copy(), {name: [] for name in (None, *works)}
    until, t = perf_counter() + seconds, 0
    while t == 0 or perf_counter() < until:
        batch = batches[t % len(batches)]
        taken[None].append(seconds_until_idle(model.gradient_at, model, run.x, run.y, batch))
        for name, work in works.items():
            for k in range(IN_A_ROW):
                model.gradient_at(run.x, run.y, batch[:BEFORE])
                took = seconds_until_idle(work, model, t)
                if k:
                    taken[name].append(took)
            model.w[...] = w
        t += 1
    return {name: median(each) for name, each in taken.items()}


def full_batches(run):
    """The batches of an epoch that have their full size."""
    return [batch for _, _, batch in run.batches(1) if len(batch) == run.settings.batch_size]


def seconds_until_idle(work, model, *arguments):
    """Seconds that work(*arguments) takes; the model's device is idle before it and after it."""
    to_host(model.w[0])
    began = perf_counter()
    work(*arguments)
    to_host(model.w[0])
    return perf_counter() - began


def row(run, name, measured):
    """What `measure` returns of this work, from {name: seconds} of every round."""
    steps, gradients = ([each[key] for each in measured] for key in (name, None))
    b = run.settings.batch_size
    totals = [
        (run.per_epoch * step, run.N / b * gradient)
        for step, gradient in zip(steps, gradients, strict=True)
    ]
    return {
        "update": name,
        "batch_size": b,
        "update_seconds": steps,
        "gradient_seconds": gradients,
        "share": [step / (step + gradient) for step, gradient in totals],
    }


def table(rows):
    """The lines that `bench` prints of what `measure` returned."""
    sizes = list(dict.fromkeys(each["batch_size"] for each in rows))
    names = list(dict.fromkeys(each["update"] for each in rows))
    shares = {(each["update"], each["batch_size"]): each["share"] for each in rows}
    width = max(map(len, [*names, "batch size"])) + 2
    lines = [
        "what updates take of an epoch of minisgd with 1 thread: median (largest) of the rounds",
        "  " + f"{'batch size':<{width}}" + "".join(f"{size:<18}" for size in sizes).rstrip(),
    ]
    for name in names:
        found = [shares[name, size] for size in sizes]
        cells = [f"{100 * median(each):.2f} % ({100 * max(each):.2f})" for each in found]
        lines.append(f"  {name:<{width}}" + "".join(f"{cell:<18}" for cell in cells).rstrip())
    takes = {
        name: 1e3 * median(s for r in rows if r["update"] == name for s in r["update_seconds"])
        for name in names
    }
    return [*lines, "  ms each: " + ", ".join(f"{name} {ms:.3f}" for name, ms in takes.items())]
