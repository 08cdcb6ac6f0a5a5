"""Sec. V: how large a batch is worthwhile?

McCandlish et al. answer with one number, B_noise = tr Σ / |G|². Far below it, doubling the batch
halves the steps; far above it, doubling saves none.

B_noise is measured along a run of b = 64 from batches of two sizes and, as a check, from the
gradients of all images one by one, or of the first MOST of them. How many steps a batch really
needs is measured by steps.py.
"""

from pathlib import Path

import numpy as np

from ..disk.formats import number, read_json, read_table, table_damaged
from ..drawing import PALETTE, Curve, Plot
from ..model import LeNet5
from ..settings import Settings
from .common import Measured, as_row, columned, generator, passes_over, weights_at
from .estimators import Estimate, noise_from_two_sizes

COLUMNS = (
    "update epoch loss trace trace_error squared squared_error noise noise_error exact_trace "
    "exact_squared exact_noise"
).split()
SMALL, LARGE = 64, 4096
MOST = 60_000  # images of a larger training set that are looked at


def read(path):
    """The rows of a measure-noise-scale.csv, at least one.

    Raises:  UserError if there is no such file; DamagedError if it is not such a table
    """

    def accepts(header):
        return None if header == COLUMNS else f"its first line should be {','.join(COLUMNS)}"

    kind = {"update": int}
    rows = read_table(path, lambda column, text: number(text, kind.get(column, float)), accepts)
    if not rows:
        raise table_damaged(path, "it has no rows")
    return rows


def kept(folder, digest):
    """The rows that a folder such as figures/ holds; [] if there are none of this dataset.

    digest   of the dataset
    Raises:  as `read`
    """
    made = read_json(Path(folder) / "measure-noise-scale.json", asked=dict) or {"asked": {}}
    if made["asked"].get("digest") != digest:
        return []
    return read(Path(folder) / "measure-noise-scale.csv")


def noise_scale(
    data,
    seed,
    threads,
    log,
    updates=(0, 30, 100, 300, 938, 2814, 9380, 18760),
    draws=24,
    small=SMALL,
    large=LARGE,
):
    x, y = data.train.images[:MOST], data.train.labels[:MOST]
    N, settings = len(data.train.labels), Settings(seed=seed)
    Settings(large).check(len(y))
    model, rows = LeNet5(threads=threads, pixels=data.pixels), []
    for t, w in weights_at(settings, data, updates, threads, log).items():
        log(f"update {t}: {draws} batches of {small} and {large}, then {len(y):,} single images")
        rng, squares = generator(seed, 4, t), {small: [], large: []}
        model.w[...] = w
        for _ in range(draws):
            for b, found in squares.items():
                # With replacement, so that these images are the whole distribution: its tr Σ and
                # |G|² are then known exactly.
                model.gradient_at(x, y, rng.integers(0, len(y), b))
                found.append(float(model.g @ model.g))
        trace, squared, noise = noise_from_two_sizes(squares[small], squares[large], small, large)
        total, square_sum = passes_over(w, x, y, threads, data.pixels)(_sums)
        mean = total / len(y)
        loss, _ = model.gradient(x, y)
        exact_squared = float(mean @ mean)
        exact_trace = square_sum / len(y) - exact_squared
        estimates = [v for e in (trace, squared, noise) for v in (e.value, e.error)]
        exact = exact_trace, exact_squared, exact_trace / exact_squared
        epoch = t * settings.batch_size / N
        rows.append(as_row(COLUMNS, t, epoch, loss, *estimates, *exact))
    return measured(rows, N)


def measured(rows, N):
    """The Measured of rows, along a run on N images."""
    table = columned(
        [
            [
                r["update"],
                f"{r['epoch']:.2f}",
                f"{r['loss']:.3f}",
                f"{Estimate(r['trace'], r['trace_error'])}",
                f"{r['exact_trace']:.4g}",
                f"{Estimate(r['noise'], r['noise_error'])}",
                f"{r['exact_noise']:.4g}",
            ]
            for r in rows
        ],
        ["update", "epoch", "train loss", "tr Σ", "exact", "B_noise", "exact"],
    )
    return Measured(
        "How large a batch is worth it? B_noise along a run of b = 64, η = 0.01",
        COLUMNS,
        rows,
        table,
        _plots(rows, min(N, MOST), N),
        _text(rows),
    )


def _sums(G):
    """The sum of the gradients in G, and the sum of their squared lengths."""
    return G.sum(axis=0).astype(np.float64), np.einsum("np,np->n", G, G).sum(dtype=np.float64)


def _plots(rows, taken, N):
    """B_noise along the run, and the two numbers that it is the ratio of.

    taken    images of which the gradients are taken, of N
    """
    those = "all images" if taken == N else f"{taken:,} images"
    at = tuple(max(row["update"], 10) for row in rows)

    def curve(label, name, color, error="", **look):
        values = tuple(row[name] for row in rows)
        errors = tuple(row[error] for row in rows) if error else ()
        return Curve(label, at, values, errors, color=color, **look)

    dots = {"dash": "", "marker": "o"}
    scale = (
        curve("from two batch sizes", "noise", PALETTE[0], "noise_error", **dots),
        curve(f"from {those} one by one", "exact_noise", PALETTE[1]),
    )
    parts = (
        curve("tr Σ", "exact_trace", PALETTE[2], marker="s"),
        curve("|G|²", "exact_squared", PALETTE[4], marker="^"),
    )
    return (
        Plot("noise scale along the run (update 0 at 10)", "update", "images", scale, True, True),
        Plot("what it is the ratio of", "update", "squared length", parts, True, True),
    )


def _text(rows):
    off = [abs(r["noise"] - r["exact_noise"]) / r["noise_error"] for r in rows if r["noise_error"]]
    low, high = (end(rows, key=lambda r: r["exact_noise"]) for end in (min, max))
    first, last = rows[0], rows[-1]
    return (
        f"B_noise goes from {first['exact_noise']:.3g} at the start to {last['exact_noise']:.3g} "
        f"after {last['epoch']:.3g} epochs; its least is {low['exact_noise']:.3g} at update "
        f"{low['update']}, its largest {high['exact_noise']:.3g} at update {high['update']}. The "
        f"two batch sizes give it to within {max(off, default=0):.2g} of their own standard errors."
    )
