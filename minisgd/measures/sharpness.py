"""Sec. I, after Keskar et al.: do large batches find sharper minima?

Small and large batches are trained at a small and at a large rate, to separate the effect of the
size from that of the rate, and compared at equal loss: each run is stopped when its loss, over some
training images, first falls to each of LEVELS. There its sharpness is measured: how far that loss
can rise in a small box around the weights, in all directions and within random subspaces. The
largest eigenvalue λ of the Hessian is shown beside it, without the kinks of the loss.
"""

from itertools import count
from math import sqrt

import numpy as np

from ..drawing import GREY, MARKERS, Curve, Plot, batch_color
from ..errors import UserError
from ..settings import Settings
from ..train import Run, evaluate
from .common import Landscape, Measured, as_row, columned, fresh, generator, listed
from .estimators import keskar_sharpness, largest_eigenvalue, mean

COLUMNS = (
    "batch_size lr seed level update loss test_accuracy epsilon full full_error subspace "
    "subspace_error eigenvalue eigenvalue_error"
).split()
SIZES = (64, 1024)
RATES = (0.01, 0.16)
LEVELS = (0.25, 0.05)  # of the train loss, the larger first
EVERY = 0.1  # the sum of the rates between two looks at the loss
LONGEST = 200.0  # and that of a whole run, which may never come down to a level
SUBSPACE = 100  # dimensions, as in the paper


def sharpness(
    data,
    seed,
    threads,
    log,
    remember=fresh,
    sizes=SIZES,
    rates=RATES,
    levels=LEVELS,
    seeds=3,
    longest=LONGEST,
    subset=1_500,
    epsilons=(1e-3, 5e-4),
    subspaces=3,
):
    """remember  (name, what is asked, a function) -> the rows of a run, from the function or kept
    longest   the sum of the rates after which a run is given up
    subset    training images, over which the loss is the mean
    """
    Settings(max(sizes)).check(len(data.train.labels))
    few = np.sort(generator(seed, 5).permutation(len(data.train.labels))[:subset])
    images, labels = data.train.images[few], data.train.labels[few]
    f = Landscape(images, labels, threads, np.float32, data.pixels)
    P, rows = len(f.model.w), []
    bases = [generator(seed, 5, k).normal(size=(P, SUBSPACE)) for k in range(subspaces)]
    bases = [A.astype(np.float32) for A in bases]

    def reached(settings):
        """The rows of one run: one for each level that it comes down to, and each ε."""
        run, found = Run(settings, data, threads=threads), []
        for level, update in down_to(run, f, levels, longest):
            w = run.model.weights()
            _, right, _ = evaluate(run.model, *run.test)
            curved, _ = largest_eigenvalue(
                f.hessian(w).product, generator(seed, 8).normal(size=P), steps=24, tolerance=0.02
            )
            for epsilon in epsilons:
                starts = generator(seed, 9)
                full = keskar_sharpness(f, w, starts, epsilon)
                inside = mean([keskar_sharpness(f, w, starts, epsilon, A).value for A in bases])
                identity = settings.batch_size, settings.lr, settings.seed, level, update
                here = f.loss(w), int(right) / len(run.test[1]), epsilon
                estimates = [v for e in (full, inside, curved) for v in (e.value, e.error)]
                found.append(as_row(COLUMNS, *identity, *here, *estimates))
        return found

    runs = [Settings(b, lr, seed=seed + k) for b in sizes for lr in rates for k in range(seeds)]
    asked = {"levels": levels, "longest": longest, "subset": subset, "epsilons": epsilons}
    asked |= {"subspaces": subspaces, "seed": seed}
    for s in runs:
        log(f"b = {s.batch_size}, η = {s.lr:g}, seed {s.seed}")
        name = f"{s.batch_size}-{s.lr:g}-{s.seed}"
        rows += remember(name, asked, lambda s=s: reached(s))
    if not rows:
        raise UserError(
            f"no run came down to a train loss of {levels[0]:g} while its rates added up to "
            f"{longest:g}: there is nothing to compare"
        )
    table = columned(
        [
            [
                r["batch_size"],
                f"{r['lr']:.3g}",
                r["seed"],
                r["update"],
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
            "update",
            "train loss",
            "test accuracy",
            "ε",
            "sharpness",
            "in subspaces",
            "λ max",
        ],
    )
    table += _missing(runs, levels, rows)
    table.append(
        f"{subspaces} subspaces of {SUBSPACE} dimensions, A standard normal of seed {seed} and not "
        "normalised, which the paper leaves open: their box reaches about "
        f"{sqrt(SUBSPACE * P):.0f} ε far, the full one about {sqrt(P):.0f} ε. All but the test "
        f"accuracy is on {subset:,} training images."
    )
    return Measured(
        "Keskar's sharpness of small and large batches, at equal train loss",
        COLUMNS,
        rows,
        table,
        _plots(rows),
        _text(rows),
    )


def down_to(run, f, levels, longest):
    """Train a run, yielding (level, updates made) when its loss f first falls to each of these
    levels, the larger first; end after the last, or when its rates have added up to `longest`,
    however many epochs that takes.
    """
    levels, every = list(levels), max(1, round(EVERY / run.settings.lr))
    for epoch in count(1):
        for t, lr, batch in run.batches(epoch):
            if (t + 1) * lr > longest:
                return
            with np.errstate(all="ignore"):  # a run that diverges shows in its loss
                run.update(t, lr, batch)
                loss = f.loss(run.model.w) if (t + 1) % every == 0 else np.inf
            while levels and loss <= levels[0]:
                yield levels.pop(0), t + 1
            if not levels:
                return


def _missing(runs, levels, rows):
    """A line for every run that did not come down to all levels."""
    seen = {(r["batch_size"], r["lr"], r["seed"], r["level"]) for r in rows}
    return [
        f"b = {s.batch_size} at η = {s.lr:g}, seed {s.seed}, never had a train loss of {level:g}"
        for s in runs
        for level in levels
        if (s.batch_size, s.lr, s.seed, level) not in seen
    ]


def _of(rows, **wanted):
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def _kinds(rows):
    """The (batch size, rate) of every kind of run."""
    return list(dict.fromkeys((r["batch_size"], r["lr"]) for r in rows))


def _plots(rows):
    plots, kinds = [], _kinds(rows)
    epsilon, levels = rows[0]["epsilon"], tuple(sorted({r["level"] for r in rows}))
    rates = sorted({lr for _, lr in kinds})
    for name, title, y in (
        ("full", f"sharpness, all directions, ε = {epsilon:g}", "sharpness"),
        ("subspace", f"sharpness in random subspaces, ε = {epsilon:g}", "sharpness"),
        ("eigenvalue", "largest eigenvalue of the Hessian", "λ"),
    ):
        curves = []
        for b, lr in kinds:
            here = _of(rows, batch_size=b, lr=lr, epsilon=epsilon)
            errors = tuple(r[f"{name}_error"] for r in here)
            curves.append(
                Curve(
                    f"b = {b}, η = {lr:.3g}",
                    tuple(r["loss"] for r in here),
                    tuple(r[name] for r in here),
                    errors,
                    batch_color(b),
                    "",
                    MARKERS[rates.index(lr)],
                )
            )
        if name == "eigenvalue":
            curves += [
                Curve(f"2/η, η = {lr:.3g}", levels, (2 / lr,) * len(levels), color=GREY, dash=dash)
                for lr, dash in zip(rates, (":", "--", "-."), strict=False)
            ]
        plots.append(Plot(title, "train loss", y, tuple(curves), True, True, xticks=levels))
    return tuple(plots)


def _text(rows):
    parts = []
    for level in dict.fromkeys(r["level"] for r in rows):
        epsilon = rows[0]["epsilon"]
        found = [
            f"b = {b} at η = {lr:.3g}, {listed([r['full'] for r in here])} (λ max "
            f"{listed([r['eigenvalue'] for r in here], '{:.0f}')})"
            for b, lr in _kinds(rows)
            if (here := _of(rows, batch_size=b, lr=lr, level=level, epsilon=epsilon))
        ]
        parts.append(
            f"Sharpness at ε = {epsilon:g} where the train loss first is {level:g}, a number a "
            f"seed: {'; '.join(found)}."
        )
    return " ".join(parts)
