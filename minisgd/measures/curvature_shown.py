"""Sec. IV: the measurements of the curvature as a table, as panels and in words."""

import numpy as np

from ..drawing import Curve, Plot, batch_color
from .common import columned, listed
from .following import thrown

PLATEAU = 2.2  # train loss below which a run has left the plateau
NAMES = {"none": "no warmup", "gradual": "gradual warmup", "constant": "constant warmup"}
HEADS = (
    "warmup", "b", "seed", "exit at Σ", "η there", "largest λ", "of its 2/η", "at Σ", "λ, kinks",
    "of critical η", "longest step", "dead conv1", "conv2", "fc", "thrown at Σ", "last loss",
)  # fmt: skip


def by_run(rows):
    """{(warmup, batch size, seed): the rows within the window}, without the start of the run."""
    runs = {}
    for row in rows:
        run = runs.setdefault((row["warmup"], row["batch_size"], row["seed"]), [])
        if row["update"]:
            run.append(row)
    return runs


def summed_up(run):
    """What a run meets within the window, as a dict; None where there is nothing to tell."""
    top = max(run, key=over_bound)
    left = next((row for row in run if row["loss"] < PLATEAU), None)
    _, back = thrown([row["spread"] for row in run])
    ratios = [row["lr"] / row["critical_low"] for row in run if row["critical_low"]]
    return {
        "exit": left and left["rate_sum"],
        "exit_lr": left and left["lr"],
        "top": top["eigenvalue"],
        "over": over_bound(top),
        "top_at": top["rate_sum"],
        "kinks": max(row["eigenvalue_kinks"] for row in run),
        "critical": max(ratios, default=None),
        "step": max(row["step"] for row in run),
        "dead": [max(row[name] for row in run) for name in ("dead_conv1", "dead_conv2", "dead_fc")],
        "thrown": [run[t]["rate_sum"] for t in back],
        "loss": run[-1]["loss"],
    }


def over_bound(row):
    """λ over the largest that is stable: η λ / 2(1+m)."""
    return row["eigenvalue"] / row["bound"]


def table(rows, subset, steps):
    lines = []
    for (warmup, b, seed), run in by_run(rows).items():
        if not run:
            continue
        s = summed_up(run)
        lines.append(
            [
                warmup, b, seed, _or_none(s["exit"]), _or_none(s["exit_lr"]), f"{s['top']:.3g}",
                f"{s['over']:.2g}", f"{s['top_at']:.2f}", f"{s['kinks']:.3g}",
                _or_none(s["critical"]), f"{s['step']:.2g}", *map("{:.2f}".format, s["dead"]),
                " ".join(f"{at:.2f}" for at in s["thrown"]) or "-", f"{s['loss']:.2g}",
            ]
        )  # fmt: skip
    return [
        *columned(lines, HEADS),
        f"λ on {subset:,} training images, exact between kinks; with kinks, by differences over h "
        f"= {steps[1]:g}. Loss, dead units and logits on 256 training images.",
        _at_the_start(rows),
        _effects(rows, steps),
    ]


def _at_the_start(rows):
    first = [row for row in rows if not row["update"]]
    without, within = (_ends([row[n] for row in first]) for n in ("eigenvalue", "eigenvalue_kinks"))
    return f"Before the first update λ is {without} without kinks and {within} with them."


def _ends(values):
    """The least and the largest of some values, in words."""
    low, high = (f"{end(values):.2g}" for end in (min, max))
    return low if low == high else f"{low} to {high}"


def _or_none(value):
    return "-" if value is None else f"{value:.2g}"


def _effects(rows, steps):
    """How λ and the spread depend on h and on the choice of images."""
    parts = []
    for of, other, what in (
        ("eigenvalue", "eigenvalue_other_images", "λ along its vector on as many other images"),
        ("eigenvalue", "eigenvalue_kinks", "λ with kinks"),
        ("eigenvalue_kinks", "kinks_small_h", f"that along the same vector over h = {steps[0]:g}"),
        ("eigenvalue_kinks", "kinks_large_h", f"over h = {steps[2]:g}"),
        ("spread", "spread_other_images", "the spread on 256 other images"),
    ):  # fmt: skip
        ratios = [row[other] / row[of] for row in rows if row[of] > 0]
        low, middle, high = np.percentile(ratios, (10, 50, 90)) if ratios else (1, 1, 1)
        parts.append(f"{what}, {middle:.2f} of it ({low:.2f} to {high:.2f} from tenth to tenth)")
    return "Medians of all looks: " + "; ".join(parts) + "."


def plots(rows):
    plots = []
    for title, y, value, limit in (
        ("λ over what is stable", "η λ / 2", over_bound, 1),
        ("length of the step", "|Δw|", lambda row: row["step"], None),
        ("how far the logits of images differ", "spread", lambda row: row["spread"], None),
    ):
        for warmup in dict.fromkeys(row["warmup"] for row in rows):
            curves = [
                Curve(
                    f"b = {b}",
                    tuple(row["rate_sum"] for row in run),
                    tuple(value(row) for row in run),
                    color=batch_color(b),
                    marker="." if b > 2048 else "",
                )
                for (kind, b, _), run in by_run(rows).items()
                if kind == warmup
            ]
            if limit:
                ends = tuple(end(x for c in curves for x in c.x or (1,)) for end in (min, max))
                curves.append(Curve("the limit", ends, (limit,) * 2, color="0.35", dash="--"))
            panel = f"{title}, {NAMES[warmup]}"
            plots.append(Plot(panel, "sum of the rates so far", y, tuple(curves), logy=True))
    return tuple(plots)


def text(rows):
    """For every warmup and batch size, what its runs meet: one number a seed."""
    parts, kinds = [], {}
    for (warmup, b, _), run in by_run(rows).items():
        if run:
            kinds.setdefault((warmup, b), []).append(summed_up(run))
    for (warmup, b), runs in kinds.items():
        exits = [s["exit"] for s in runs if s["exit"] is not None]
        back, through = ([s for s in runs if bool(s["thrown"]) == was] for was in (True, False))
        part = f"With {NAMES[warmup]} b = {b} "
        part += (
            f"leaves the plateau at Ση = {listed(exits, '{:.2g}')}" if exits else "does not leave"
        )
        part += f"; λ is up to {listed([s['over'] for s in runs], '{:.2g}')} times what is stable"
        part += f", and the longest steps are {listed([s['step'] for s in runs], '{:.2g}')}"
        if back:
            part += f"; {len(back)} of {len(runs)} are thrown back"
        if through:
            losses = listed([s["loss"] for s in through], "{:.2g}")
            part += f"; {'the others' if back else 'none is thrown back, they'} end at {losses}"
        parts.append(part + ".")
    return " ".join(parts)
