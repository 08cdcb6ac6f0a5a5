"""Sec. III: is η_eff = η/(1-m) all there is to momentum?

With the same start, the same batches and the same η/(1-m), but different m: how far apart do the
trajectories of the weights drift, in units of how far SGD has come from the start? Three things are
shown beside them: the exact answer on a quadratic, for directions of low and of high curvature; SGD
on other batches, which shows how far apart noise alone drives two runs; and, as a control, half and
twice that η/(1-m), with and without momentum, on the same batches.
"""

from math import sqrt

import numpy as np

from ..data import epoch_order
from ..drawing import PALETTE, Curve, Plot
from ..model import LeNet5
from ..settings import Settings
from ..train import new_memory, update
from .common import Landscape, Measured, as_row, columned, listed, weights_after
from .estimators import mean, quadratic_path

COLUMNS = "epoch momentum lr update distance error loss loss_error".split()
EFFECTIVE = 0.1  # η/(1-m), as in Fig. 5
CONTROLS = (0.5, 2.0)  # times EFFECTIVE
DASHES = dict(zip(CONTROLS, (":", "-."), strict=True))
CURVATURES = (0.1, 10.0)  # η_eff c = .01 and 1
OTHER = "other batches"


def effective_rate(
    data,
    seed,
    threads,
    log,
    momenta=(0.0, 0.5, 0.9, 0.99),
    epochs=(0, 1),
    batch_size=256,
    updates=400,
    draws=3,
    probe=2_000,
    controlled=(0.0, 0.9),
):
    """momenta     of the trajectories with equal η/(1-m)
    controlled  those of the trajectories with half and twice that
    """
    x, y = data.train.images, data.train.labels
    probed = data.test.images[:probe], data.test.labels[:probe]
    loss = Landscape(*probed, threads, np.float32, data.pixels).loss
    at = sorted({round(t) for t in np.geomspace(1, updates, 16)})
    model, rows = LeNet5(threads=threads, pixels=data.pixels), []

    kinds = [
        *((m, EFFECTIVE * (1 - m)) for m in momenta),
        (OTHER, EFFECTIVE),
        *((m, factor * EFFECTIVE * (1 - m)) for factor in CONTROLS for m in controlled),
    ]

    def walk(w, m, lr, order):
        """{update: the weights after it} of one trajectory."""
        settings = Settings(batch_size, lr, momentum=m)
        model.w[...] = w
        memory, found = new_memory(model, settings), {}
        for t in range(updates):
            batch = order[t * batch_size : (t + 1) * batch_size]
            update(model, memory, x, y, batch, settings.lr, t, settings)
            if t + 1 in at:
                found[t + 1] = model.weights()
        return found

    for epoch, start in weights_after(Settings(seed=seed), data, epochs, threads, log).items():
        seen = {kind: [] for kind in kinds}
        for draw in range(draws):
            log(f"epoch {epoch}: trajectories of {updates} updates, draw {draw + 1} of {draws}")
            order, other = (
                _order(len(y), seed, draw + k * draws, updates * batch_size) for k in (0, 1)
            )
            sgd = walk(start, 0.0, EFFECTIVE, order)
            came = {t: np.linalg.norm(sgd[t] - start) for t in at}
            for m, lr in kinds:
                found = (
                    sgd
                    if (m, lr) == (0, EFFECTIVE)
                    else walk(start, 0.0, lr, other)
                    if m == OTHER
                    else walk(start, m, lr, order)
                )
                seen[m, lr].append(
                    [(np.linalg.norm(found[t] - sgd[t]) / came[t], loss(found[t])) for t in at]
                )
        for (m, lr), draws_of_it in seen.items():
            for k, t in enumerate(at):
                apart, height = (mean([d[k][part] for d in draws_of_it]) for part in (0, 1))
                numbers = apart.value, apart.error, height.value, height.error
                rows.append(as_row(COLUMNS, epoch, m, lr, t, *numbers))
    marks = [t for t in at if t in (at[0], at[len(at) // 3], at[2 * len(at) // 3], at[-1])]
    table = columned(
        [
            [
                row["epoch"],
                row["momentum"],
                f"{row['lr']:.3g}",
                row["update"],
                f"{row['distance']:.3f} ± {row['error']:.3f}",
                f"{row['loss']:.3f} ± {row['loss_error']:.3f}",
            ]
            for row in rows
            if row["update"] in marks
        ],
        ["epoch", "m", "η", "update", "distance", "test loss"],
    )
    table.insert(0, f"distance: from SGD at η = {EFFECTIVE:g}, in lengths of its way so far")
    exact = [_quadratic(momenta, c, at[-1]) for c in CURVATURES]
    for c, paths in zip(CURVATURES, exact, strict=True):
        ends = ", ".join(f"m = {m:g}: {path[-1]:.3g}" for m, path in paths.items())
        table += ["", f"exact, w_t / w_0 at curvature {c:g} after {at[-1]} updates: {ends}"]
    title = f"Equal η/(1-m) = {EFFECTIVE:g}, different m, the same batches of {batch_size}"
    return Measured(title, COLUMNS, rows, table, _plots(rows, momenta, exact), _text(rows, momenta))


def _order(N, seed, draw, length):
    """At least `length` images in the order of training, epoch after epoch."""
    orders = [epoch_order(N, seed + 1000 * (draw + 1), k) for k in range(1, -(-length // N) + 1)]
    return np.concatenate(orders)


def _quadratic(momenta, c, updates):
    """{m: w_t / w_0 after 0, 1, ..., so many updates} on the loss c w² / 2."""
    return {m: quadratic_path(c, EFFECTIVE * (1 - m), m, updates) for m in momenta}


def _since(epoch):
    return f"from the end of epoch {epoch} on" if epoch else "from the initial weights on"


def _effective(row):
    """η/(1-m) of a row."""
    return row["lr"] / (1 - (0 if row["momentum"] == OTHER else row["momentum"]))


def _name(m, effective=EFFECTIVE):
    if m == OTHER:
        return "SGD on other batches"
    return f"m = {m:g}" + (f", η/(1-m) = {effective:.3g}" if effective != EFFECTIVE else "")


def _paths(rows, epoch):
    """{(momentum, η/(1-m)): its rows} from an epoch on."""
    paths = {}
    for row in rows:
        if row["epoch"] == epoch:
            kind = row["momentum"], float(f"{_effective(row):.3g}")
            paths.setdefault(kind, []).append(row)
    return paths


def _plots(rows, momenta, exact):
    plots = []
    colors = dict(zip((*momenta, OTHER), PALETTE, strict=False))
    for c, paths in zip(CURVATURES, exact, strict=True):
        curves = tuple(
            Curve(_name(m), tuple(range(1, len(p))), tuple(p[1:]), color=colors[m])
            for m, p in paths.items()
        )
        plots.append(
            Plot(f"exact, on the quadratic {c:g} w²/2", "update", "w(t)/w(0)", curves, True)
        )
    for epoch in sorted({row["epoch"] for row in rows}):
        for name, error, title, y in (
            ("distance", "error", "distance from SGD", "in lengths of SGD's way"),
            ("loss", "loss_error", "test loss", "cross-entropy"),
        ):
            curves = []
            for (m, effective), path in _paths(rows, epoch).items():
                if name == "distance" and (m, effective) == (0, EFFECTIVE):
                    continue
                column = lambda part, path=path: tuple(row[part] for row in path)  # noqa: E731
                style = "--" if m == OTHER else DASHES.get(effective / EFFECTIVE, "-")
                curves.append(
                    Curve(
                        _name(m, effective),
                        column("update"),
                        column(name),
                        column(error),
                        colors[m],
                        style,
                        band=True,
                    )
                )
            plots.append(
                Plot(
                    f"{title}, {_since(epoch)}",
                    "update",
                    y,
                    tuple(curves),
                    True,
                    True,
                )
            )
    return tuple(plots)


def _text(rows, momenta):
    parts = []
    for epoch in sorted({row["epoch"] for row in rows}):
        last = max(row["update"] for row in rows)
        ends = {
            kind: next(row for row in path if row["update"] == last)
            for kind, path in _paths(rows, epoch).items()
        }
        far = listed([ends[m, EFFECTIVE]["distance"] for m in momenta if m])
        losses = listed([ends[m, EFFECTIVE]["loss"] for m in momenta])
        controls = [
            f"{_name(m, effective)}: {end['distance']:.3g} and {end['loss']:.3g}"
            for (m, effective), end in ends.items()
            if effective != EFFECTIVE
        ]
        parts.append(
            f"{_since(epoch).capitalize()}, after {last} updates, "
            f"m = {listed([m for m in momenta if m], '{:g}')} are {far} "
            "lengths of SGD's way from where SGD is on the same batches; SGD on other batches is "
            f"{ends[OTHER, EFFECTIVE]['distance']:.3g}. Test losses for m = "
            f"{listed(momenta, '{:g}')}: {losses}. Distance and loss with another η/(1-m): "
            f"{'; '.join(controls)}."
        )
    limits = [(1 - sqrt(m)) ** 2 / (1 - m) for m in momenta if m]
    parts.append(
        "On the quadratic the paths agree, once 1/(1-m) updates are over, only in directions whose "
        f"curvature times η_eff is well below (1-√m)²/(1-m), which is {listed(limits, '{:.2g}')}: "
        "beyond that the weights swing, and die down by √m an update. They are stable up to a "
        "curvature of 2(1+m)/η, which for these m and 0 is "
        f"{listed([2 * (1 + m) / EFFECTIVE / (1 - m) for m in (*momenta[1:], 0)])}."
    )
    return " ".join(parts)
