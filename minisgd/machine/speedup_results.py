"""What `scaling` shows of measured jobs and of the model fitted to them: see speedup.py.

A job is what speedup_timing.measure returns; a row is one line of figures/scaling.csv.
"""

from dataclasses import replace
from math import ceil
from statistics import median

from ..drawing import GREY, Curve, Plot, batch_color
from .speedup import WEAK

COLUMNS = "kind ranks batch_size seconds all_reduce projected low high".split()
PROJECTED_RANKS = tuple(2**k for k in range(11))


def rows_of(jobs, model, N, batch_sizes):
    """Rows with COLUMNS: medians over the rounds of what was measured, and what the model says."""
    rows = []
    for job in jobs:
        for b in dict.fromkeys(size for size, _, _ in job["epochs"]):
            rounds = [(took, waited) for size, took, waited in job["epochs"] if size == b]
            took, waited = (median(values) for values in zip(*rounds, strict=True))
            rows.append(["epoch", job["ranks"], b, took, waited, 0])
        for size, seconds in job["messages"]:
            rows.append([f"all-reduce of {size} bytes", job["ranks"], None, seconds, seconds, 0])
    for ranks in PROJECTED_RANKS:
        for kind, b in [*(("strong", b) for b in batch_sizes), ("weak", WEAK * ranks)]:
            if ranks <= b <= N:  # a rank without an image gains nothing
                waited = ceil(N / b) * model.all_reduce(ranks)
                rows.append([kind, ranks, b, model.epoch(N, b, ranks), waited, 1])
    return [dict.fromkeys(COLUMNS) | dict(zip(COLUMNS, row, strict=False)) for row in rows]


def model_over_measured(rows, model, N, cores):
    """{(ranks, batch size): seconds by the model over seconds measured}, for the epochs with a core
    per rank.
    """
    return {
        (row["ranks"], row["batch_size"]): model.epoch(N, row["batch_size"], row["ranks"])
        / row["seconds"]
        for row in rows
        if row["kind"] == "epoch" and row["ranks"] <= cores
    }


def table(rows, model, N, cores):
    """The lines of a table: what was measured, and how close the model comes."""
    head = f"{'ranks':>5} {'batch':>6} {'s an epoch':>11} {'speedup':>8} {'in the all-reduce':>18}"
    lines = [f"{head} {'the model':>10}"]
    epochs = [row for row in rows if row["kind"] == "epoch"]
    one_rank = {row["batch_size"]: row["seconds"] for row in epochs if row["ranks"] == 1}
    for row in epochs:
        b, ranks, seconds = row["batch_size"], row["ranks"], row["seconds"]
        speedup = f"{one_rank[b] / seconds:.2f}" if b in one_rank else "-"
        modelled = f"{model.epoch(N, b, ranks):.2f}" if ranks <= cores else f"{cores} cores"
        lines.append(
            f"{ranks:>5} {b:>6} {seconds:>11.2f} {speedup:>8} "
            f"{row['all_reduce'] / seconds:>18.0%} {modelled:>10}"
        )
    ratios = model_over_measured(rows, model, N, cores).values()
    return [
        *lines,
        "",
        f"model: {1e6 * model.c:.1f} µs an image, {1e6 * model.o:.0f} µs an update, all-reduce "
        f"{1e6 * model.alpha:.1f} µs a message and {1e9 * model.beta:.2f} ns a byte; "
        f"its epochs are {min(ratios):.2f} to {max(ratios):.2f} of the measured ones",
    ]


def plots(rows, cores):
    """Three panels: strong and weak scaling, and the share of the all-reduce."""
    measured = [row for row in rows if row["kind"] == "epoch" and row["ranks"] <= cores]
    projected = [row for row in rows if row["projected"]]
    sizes = sorted({row["batch_size"] for row in projected if row["kind"] == "strong"})

    def curves(value, label, color, belongs, kind):
        """A dashed line for the projection, points for the measurements."""
        line = [row for row in projected if row["kind"] == kind and belongs(row)]
        points = [row for row in measured if belongs(row)]
        x, y = (tuple(row["ranks"] for row in part) for part in (line, points))
        return (
            Curve("", x, tuple(map(value, line)), color=color, dash="--"),
            Curve(label, y, tuple(map(value, points)), color=color, dash="", marker="o"),
        )

    def strong(value):
        return tuple(
            curve
            for b in sizes
            for curve in curves(value, f"b = {b}, measured", batch_color(b),
                                lambda row, b=b: row["batch_size"] == b, "strong")
        )  # fmt: skip

    def seconds(row):
        return row["seconds"]

    def is_weak(row):
        return row["batch_size"] == WEAK * row["ranks"]

    panels = (
        Plot("strong scaling: the same batch on more ranks", "ranks", "s an epoch",
             strong(seconds), True, True),
        Plot(f"weak scaling: {WEAK} images a rank, b = {WEAK} R", "ranks", "s an epoch",
             curves(seconds, f"b = {WEAK} R, measured", GREY, is_weak, "weak"), True, True),
        Plot("in the all-reduce, measured with the waiting", "ranks", "share",
             strong(lambda row: row["all_reduce"] / row["seconds"]), True, False, (-0.02, 1.02)),
    )  # fmt: skip
    in_legend = (Curve("projection by the model", (), (), color=GREY, dash="--"),)
    return tuple(
        replace(panel, curves=in_legend + panel.curves, xticks=PROJECTED_RANKS[::2])
        for panel in panels
    )
