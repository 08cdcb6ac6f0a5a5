"""Sec. II: does one step of k b0 at k η0 do the same as k steps of b0 at η0?

    w_{t+k} = w_t - η0 (1/b0) Σ_{j<k} Σ_{x in B_j} ∇l(x, w_{t+j})
    w'_{t+1} = w_t - k η0 (1/(k b0)) Σ_{x in B} ∇l(x, w_t),   B the union of the B_j

From the same w and with the same images: how far is w' from w_{t+k}, in units of how far w_{t+k} is
from w_t? The linear rule assumes 0; at 1, the large step might as well not have been taken.
"""

from itertools import takewhile

import numpy as np

from ..drawing import PALETTE, Curve, Plot
from ..model import LeNet5
from ..settings import Settings
from ..train import update
from .common import Landscape, Measured, as_row, columned, generator, listed, weights_after, when
from .estimators import mean

COLUMNS = (
    "epoch k batch_size lr distance error length length_error loss_before loss_small loss_large "
    "rise rise_error"
).split()
PROBE = 2_000  # images on which the losses are compared


def equivalence(
    data,
    seed,
    threads,
    log,
    ks=(2, 4, 8, 16, 32, 64, 128),
    epochs=(0, 1, 5, 20),
    draws=8,
    probe=PROBE,
):
    settings = Settings(seed=seed)
    b0, lr0 = settings.batch_size, settings.lr
    x, y = data.train.images, data.train.labels
    Settings(max(ks) * b0).check(len(y))
    probed = data.test.images[:probe], data.test.labels[:probe]
    loss = Landscape(*probed, threads, np.float32, data.pixels).loss
    model, rows = LeNet5(threads=threads, pixels=data.pixels), []
    for epoch, w in weights_after(settings, data, epochs, threads, log).items():
        log(f"epoch {epoch}: {draws} draws of {max(ks)} batches")
        rng, before = generator(seed, 1, epoch), loss(w)
        found = {k: [] for k in ks}
        for _ in range(draws):
            images = rng.choice(len(y), max(ks) * b0, replace=False)
            small = {}
            model.w[...] = w
            for j in range(max(ks)):  # k small steps
                update(model, {}, x, y, images[j * b0 : (j + 1) * b0], lr0, j, settings)
                if j + 1 in ks:
                    small[j + 1] = model.weights()
            for k in ks:  # and one large step over the same images
                model.w[...] = w
                update(model, {}, x, y, images[: k * b0], k * lr0, 0, settings)
                came = np.linalg.norm(small[k] - w)
                apart = np.linalg.norm(model.w - small[k]) / came
                length = np.linalg.norm(model.w - w) / came
                few, one = loss(small[k]), loss(model.weights())
                found[k].append((apart, length, few, one, one - max(few, before)))
        for k in ks:
            apart, length, few, one, rise = (mean(values) for values in zip(*found[k], strict=True))
            numbers = apart.value, apart.error, length.value, length.error
            losses = before, few.value, one.value, rise.value, rise.error
            rows.append(as_row(COLUMNS, epoch, k, k * b0, k * lr0, *numbers, *losses))
    table = columned(
        [
            [
                row["epoch"],
                row["k"],
                row["batch_size"],
                f"{row['lr']:.3g}",
                f"{row['distance']:.3f} ± {row['error']:.3f}",
                f"{row['length']:.2f}",
                *(f"{row[name]:.3f}" for name in COLUMNS[8:11]),
            ]
            for row in rows
        ],
        ["epoch", "k", "k b0", "k η0", "distance", "length", "loss before", "k steps", "one step"],
    )
    return Measured(
        "One step of k b0 at k η0 against k steps of b0 at η0, from the same w and images",
        COLUMNS,
        rows,
        table,
        _plots(rows),
        _text(rows),
    )


def _plots(rows):
    by_epoch = {epoch: [r for r in rows if r["epoch"] == epoch] for epoch in _epochs(rows)}
    distances, losses, ks = [], [], ()
    for (epoch, of_epoch), color in zip(by_epoch.items(), PALETTE, strict=False):
        ks = tuple(row["k"] for row in of_epoch)
        column = lambda name, rows=of_epoch: tuple(row[name] for row in rows)  # noqa: E731
        label = when(epoch)
        distances.append(Curve(label, ks, column("distance"), column("error"), color, marker="o"))
        ratio = tuple(row["loss_large"] / row["loss_small"] for row in of_epoch)
        losses.append(Curve(label, ks, ratio, color=color, marker="o"))
    return (
        Plot(
            "|w' - w(t+k)| / |w(t+k) - w(t)|",
            "k = b/b0",
            "relative distance",
            tuple(distances),
            True,
            True,
            xticks=ks,
        ),
        Plot(
            "loss after one large step / after k small ones",
            "k = b/b0",
            "ratio of test losses",
            tuple(losses),
            True,
            True,
            xticks=ks,
        ),
    )


def _epochs(rows):
    return sorted({row["epoch"] for row in rows})


def _text(rows):
    parts = []
    for epoch in _epochs(rows):
        of_epoch = [row for row in rows if row["epoch"] == epoch]
        near = [r["k"] for r in takewhile(lambda r: r["distance"] < 0.1, of_epoch)]
        worse = [r["k"] for r in of_epoch if r["rise"] > 2 * r["rise_error"]]
        first, last = of_epoch[0], of_epoch[-1]
        parts.append(
            f"{when(epoch).capitalize()} the distance grows from {first['distance']:.2g} at "
            f"k = {first['k']} to {last['distance']:.2g} at k = {last['k']}; it is below a tenth "
            + (f"up to k = {max(near)}" if near else "for no k")
            + (
                f", and for k = {listed(worse, '{:g}')} the large step raises the loss."
                if worse
                else ", and the large step raises the loss for no k."
            )
        )
    return " ".join(parts)
