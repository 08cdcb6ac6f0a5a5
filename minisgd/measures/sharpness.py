"""Sec. I, after Keskar et al.: do large batches find sharper minima?

Their sharpness is measured at the weights that small and large batches end at: how far the train
loss can rise in a small box around them, in all directions and within random subspaces. The large
batch is trained at three rates, to separate the effect of its size from that of its rate. The
largest eigenvalue of the Hessian is shown beside it.
"""

from math import sqrt

import numpy as np

from ..drawing import PALETTE, Curve, Plot
from ..settings import Settings
from .common import Landscape, Measured, as_row, columned, generator, listed
from .estimators import hessian_product, keskar_sharpness, largest_eigenvalue, mean

COLUMNS = (
    "rule batch_size lr seed loss test_accuracy epsilon full full_error subspace subspace_error "
    "eigenvalue eigenvalue_error"
).split()
SUBSPACE = 100  # dimensions, as in the paper
STEP = 1e-3  # h of the Hessian products


def cells(seed, large=1024, seeds=2, epochs=20):
    """The runs whose minima are compared."""
    small = Settings(epochs=epochs, seed=seed)
    runs = [
        small,
        *(Settings(large, rule=rule, epochs=epochs) for rule in ("none", "sqrt", "linear")),
    ]
    return [
        Settings(r.batch_size, r.lr, r.rule, epochs=epochs, seed=seed + k)
        for r in runs
        for k in range(seeds)
    ]


def sharpness(
    data,
    seed,
    threads,
    log,
    run=None,
    subset=1_500,
    epsilons=(1e-3, 5e-4),
    subspaces=3,
    hessian=800,
    **which,
):
    """run    trains whole runs: [Settings] -> {settings: (w, records)}; see commands/measure.py
    which  arguments of `cells`
    """
    rng = generator(seed, 5)
    chosen = rng.permutation(len(data.train.labels))
    few, fewer = (np.sort(chosen[:n]) for n in (subset, hessian))
    f = Landscape(data.train.images[few], data.train.labels[few], threads, np.float32, data.pixels)
    fewest = data.train.images[fewer], data.train.labels[fewer]
    exact = Landscape(*fewest, threads, pixels=data.pixels)
    P = len(f.model.w)
    subspace_bases = [rng.normal(size=(P, SUBSPACE)).astype(np.float32) for _ in range(subspaces)]
    rows = []
    for settings, (w, records) in run(cells(seed, **which)).items():
        log(f"the minimum of b {settings.batch_size}, {settings.rule} rule, seed {settings.seed}")
        curved, _ = largest_eigenvalue(
            lambda u, w=w: hessian_product(exact, w.astype(np.float64), u, STEP),
            generator(seed, 8).normal(size=P),
            steps=24,
            tolerance=0.02,
        )
        for epsilon in epsilons:
            starts = generator(seed, 9)
            full = keskar_sharpness(f, w, starts, epsilon)
            inside = mean(
                [keskar_sharpness(f, w, starts, epsilon, A).value for A in subspace_bases]
            )
            identity = settings.rule, settings.batch_size, settings.scaled_lr, settings.seed
            ends_at = f.loss(w), records[-1]["test_accuracy"]
            estimates = [v for e in (full, inside, curved) for v in (e.value, e.error)]
            rows.append(as_row(COLUMNS, *identity, *ends_at, epsilon, *estimates))
    table = columned(
        [
            [
                r["batch_size"],
                f"{r['lr']:.3g}",
                r["seed"],
                f"{r['loss']:.4f}",
                f"{r['test_accuracy']:.4f}",
                f"{r['epsilon']:g}",
                f"{r['full']:.3g} ± {r['full_error']:.1g}",
                f"{r['subspace']:.3g} ± {r['subspace_error']:.2g}",
                f"{r['eigenvalue']:.3g} ± {r['eigenvalue_error']:.1g}",
            ]
            for r in rows
        ],
        [
            "b",
            "η",
            "seed",
            "train loss",
            "test accuracy",
            "ε",
            "sharpness",
            "in subspaces",
            "λ max",
        ],
    )
    table.append(
        f"{subspaces} subspaces of {SUBSPACE} dimensions, A standard normal of seed {seed} and not "
        "normalised, which the paper leaves open: their box reaches about "
        f"{sqrt(SUBSPACE * P):.0f} ε far, the full one about {sqrt(P):.0f} ε. Train loss and "
        f"sharpness on {subset:,} training images, λ max on {hessian:,}."
    )
    return Measured(
        "Keskar's sharpness of what small and large batches find",
        COLUMNS,
        rows,
        table,
        _plots(rows),
        _text(rows),
    )


def _kinds(rows):
    """The (batch size, rate) of every kind of run."""
    return list(dict.fromkeys((r["batch_size"], r["lr"]) for r in rows))


def _plots(rows):
    plots, kinds = [], _kinds(rows)
    epsilon = rows[0]["epsilon"]
    of_epsilon = [r for r in rows if r["epsilon"] == epsilon]
    for name, title in (
        ("full", f"sharpness, all directions, ε = {epsilon:g}"),
        ("subspace", f"sharpness in random subspaces, ε = {epsilon:g}"),
        ("eigenvalue", "largest eigenvalue of the Hessian"),
    ):
        curves = []
        for (b, lr), color in zip(kinds, PALETTE, strict=False):
            here = [r for r in of_epsilon if (r["batch_size"], r["lr"]) == (b, lr)]
            errors = tuple(r[f"{name}_error"] for r in here)
            curves.append(
                Curve(
                    f"b = {b}, η = {lr:.3g}",
                    tuple(r["loss"] for r in here),
                    tuple(r[name] for r in here),
                    errors,
                    color,
                    "",
                    "o",
                )
            )
        plots.append(Plot(title, "train loss", "", tuple(curves), True, True))
    return tuple(plots)


def _text(rows):
    epsilon = rows[0]["epsilon"]
    parts = []
    for b, lr in _kinds(rows):
        here = [r for r in rows if (r["batch_size"], r["lr"], r["epsilon"]) == (b, lr, epsilon)]
        parts.append(
            f"b = {b} at η = {lr:.3g}: {listed([r['full'] for r in here])} at a train loss of "
            f"{listed([r['loss'] for r in here], '{:.2g}')}, λ max "
            f"{listed([r['eigenvalue'] for r in here], '{:.0f}')}"
        )
    return f"Sharpness at ε = {epsilon:g}, a number a seed: " + "; ".join(parts) + "."
