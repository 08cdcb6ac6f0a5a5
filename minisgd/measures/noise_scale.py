"""Sec. V: how large a batch is worthwhile?

McCandlish et al. answer with one number, B_noise = tr Σ / |G|². Far below it, doubling the batch
halves the steps; far above it, doubling saves none.

B_noise is measured along a run of b = 64 from batches of two sizes and, as a check, from the
gradients of all images one by one. It is compared with the sweeps: with the steps to 97 % at each
batch size, for the best of the settings tried there, and with the B_crit of the law

    S = S_min (1 + B_crit / b).
"""

from math import ceil

import numpy as np

from ..disk.formats import DamagedError, number, read_table
from ..drawing import PALETTE, Curve, Plot
from ..model import LeNet5
from ..report.experiments import SIZES, of_the_report
from ..report.statistics import epochs_to
from ..report.summary import TARGET
from ..settings import Settings
from .common import Measured, as_row, columned, generator, listed, passes_over, weights_at
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

    rows = read_table(path, lambda column, text: number(text, float), accepts)
    if not rows:
        raise DamagedError(f"{path} has no rows: measure it again")
    return rows


def noise_scale(
    data,
    seed,
    threads,
    log,
    updates=(0, 30, 100, 300, 938, 2814, 9380, 18760),
    draws=24,
    small=SMALL,
    large=LARGE,
    kept=None,
):
    x, y = data.train.images[:MOST], data.train.labels[:MOST]
    N, settings = len(data.train.labels), Settings(seed=seed)
    Settings(large).check(len(y))
    model, rows = LeNet5(threads=threads, pixels=data.pixels), []
    for t, w in weights_at(settings, data, updates, threads, log).items():
        log(f"update {t}: {draws} batches of {small} and {large}, then all images one by one")
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
    same = kept and kept.digest == data.digest
    steps = steps_to_target(kept, N) if same else {}
    law = fitted(steps) if len(steps) > 2 else None
    if law:
        found = [
            [b, f"{s:.0f}", f"{law[0].value * (1 + law[1].value / b):.0f}", name]
            for b, (s, name) in steps.items()
        ]
        heads = ["b", "steps to 97 %", "by the law", "with"]
        table += ["", *columned(found, heads), f"S_min = {law[0]}, B_crit = {law[1]}"]
    return Measured(
        "How large a batch is worth it? B_noise along a run of b = 64, η = 0.01",
        COLUMNS,
        rows,
        table,
        _plots(rows, steps, law),
        _text(rows, steps, law),
    )


def _sums(G):
    """The sum of the gradients in G, and the sum of their squared lengths."""
    return G.sum(axis=0).astype(np.float64), np.einsum("np,np->n", G, G).sum(dtype=np.float64)


def steps_to_target(kept, N):
    """{batch size: (median steps to 97 % over the seeds, experiment)}, for the report's experiment
    that is best at that size.

    As in `verdicts`, epochs are interpolated where the curve crosses 97 %. A size is left out if
    half of its runs never get there, or get there within the first epoch, before any test.

    kept    experiments.Kept
    N       images in the training set
    """
    found = {}
    for experiment in of_the_report():
        by_settings = {}
        for cell in kept.cells(experiment):
            key = cell.batch_size, cell.lr, cell.momentum
            by_settings.setdefault(key, []).append(epochs_to(TARGET)(kept.records(cell)))
        for (b, *_), reached in by_settings.items():
            epochs = float(np.median(reached))
            if epochs < found.get(b, (np.inf,))[0]:
                found[b] = epochs, experiment.name
    return {b: (found[b][0] * ceil(N / b), found[b][1]) for b in SIZES if found.get(b, (0,))[0] > 1}


def fitted(steps):
    """S_min and B_crit of S = S_min (1 + B_crit / b), each an Estimate: a least-squares fit of the
    relative errors, whose residuals give the uncertainties.
    """
    b, s = (
        np.array(values, float) for values in ([*steps], [found[0] for found in steps.values()])
    )
    A = np.stack([1 / s, 1 / (b * s)], axis=1)  # of S_min and S_min B_crit
    best = np.linalg.lstsq(A, np.ones(len(b)), rcond=None)[0]
    residuals = 1 - A @ best
    cov = np.linalg.inv(A.T @ A) * (residuals @ residuals) / max(1, len(b) - 2)
    least, product = best
    slope = np.array([-product / least**2, 1 / least])  # of B_crit = product / least
    return (
        Estimate(float(least), float(np.sqrt(cov[0, 0]))),
        Estimate(float(product / least), float(np.sqrt(slope @ cov @ slope))),
    )


def _plots(rows, steps, law):
    column = lambda name: tuple(row[name] for row in rows)  # noqa: E731
    at = tuple(max(t, 10) for t in column("update"))
    plots = [
        Plot(
            "noise scale along the run (update 0 at 10)",
            "update",
            "images",
            (
                Curve(
                    "from two batch sizes",
                    at,
                    column("noise"),
                    column("noise_error"),
                    dash="",
                    marker="o",
                ),
                Curve("from all images one by one", at, column("exact_noise"), color=PALETTE[1]),
                *(
                    [
                        Curve(
                            "B_crit of the sweeps",
                            (at[0], at[-1]),
                            (law[1].value,) * 2,
                            color=PALETTE[2],
                            dash="--",
                        )
                    ]
                    if law
                    else ()
                ),
            ),
            True,
            True,
        ),
    ]
    if law:
        b = tuple(steps)
        plots.append(
            Plot(
                "steps to 97 % in the sweeps",
                "batch size",
                "steps",
                (
                    Curve(
                        "best of the settings tried",
                        b,
                        tuple(s for s, _ in steps.values()),
                        color=PALETTE[4],
                        dash="",
                        marker="s",
                    ),
                    Curve(
                        "S_min (1 + B_crit / b)",
                        b,
                        tuple(law[0].value * (1 + law[1].value / size) for size in b),
                        color=PALETTE[2],
                        dash="--",
                    ),
                ),
                True,
                True,
                xticks=b,
            )
        )
    return tuple(plots)


def _text(rows, steps, law):
    off = [abs(r["noise"] - r["exact_noise"]) / r["noise_error"] for r in rows if r["noise_error"]]
    low, high = (end(rows, key=lambda r: r["exact_noise"]) for end in (min, max))
    first, last = rows[0], rows[-1]
    text = (
        f"B_noise goes from {first['exact_noise']:.3g} at the start to {last['exact_noise']:.3g} "
        f"after {last['epoch']:.3g} epochs; its least is {low['exact_noise']:.3g} at update "
        f"{low['update']}, its largest {high['exact_noise']:.3g} at update {high['update']}. The "
        f"two batch sizes give it to within {max(off, default=0):.2g} of their own standard errors."
    )
    if law:
        misses = [law[0].value * (1 + law[1].value / b) / s - 1 for b, (s, _) in steps.items()]
        while_learning = [r["exact_noise"] for r in rows if 0.04 < r["loss"] < 1]
        text += (
            f" In the sweeps the steps to 97 %, at the best settings tried for each b from "
            f"{min(steps)} to {max(steps)}, are fitted by S_min (1 + B_crit/b) with "
            f"B_crit = {law[1]} and S_min = {law[0]}, to within {max(map(abs, misses)):.0%}."
        )
        if while_learning:
            text += f" B_noise at a train loss of 1 to .04 is {listed(while_learning)}."
    else:
        text += " The sweeps' own numbers are not here to compare with."
    return text
