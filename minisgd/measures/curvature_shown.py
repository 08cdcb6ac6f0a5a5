"""Sec. IV: the measurements of the curvature as a table, as panels and in words."""

import numpy as np

from ..drawing import Curve, Plot, batch_color
from .common import columned, listed

PLATEAU = 2.2  # train loss below which a run has left the plateau
LEARNT = 0.5  # train loss below which a network has learnt
ALIKE = 1e-3  # spread below which the logits of all images count as the same
NAMES = {"none": "no warmup", "gradual": "gradual warmup", "constant": "constant warmup"}


def named(warmup, clip):
    """The kind of a run in words."""
    return f"{NAMES[warmup]}{f', steps of {clip:g} at most' if clip else ''}"


def _runs(rows):
    """{(warmup, clip, batch size): rows}."""
    runs = {}
    for row in rows:
        runs.setdefault((row["warmup"], row["clip"], row["batch_size"]), []).append(row)
    return runs


def _close(rows):
    """The rows of the updates that were examined closely."""
    return [row for row in rows if row["eigenvalue"] is not None]


def table(rows, subset, steps):
    heads = (
        "warmup,clip,b,update,epoch,η,loss,λ,batch sharpness,2(1+m)/η,critical η,η|g|,dead conv,"
    )
    heads = [*(heads + "dead fc,|z|,spread").split(",")]
    lines = []
    for r in _close(rows):
        error = r["batch_sharpness_error"]
        lines.append(
            [
                r["warmup"],
                r["clip"] or "-",
                r["batch_size"],
                r["update"],
                f"{r['epoch']:.2f}",
                f"{r['lr']:.3g}",
                f"{r['loss']:.3g}",
                f"{r['eigenvalue']:.3g} ± {r['eigenvalue_error']:.1g}",
                f"{r['batch_sharpness']:.3g}" + ("" if error is None else f" ± {error:.1g}"),
                f"{r['bound']:.3g}",
                f"{r['critical_low']:.3g}",
                f"{r['lr'] * r['gradient']:.2g}",
                f"{r['dead_conv']:.2f}",
                f"{r['dead_fc']:.2f}",
                f"{r['logits']:.3g}",
                f"{r['spread']:.2g}",
            ]
        )
    return [
        *columned(lines, heads),
        f"λ on {subset:,} training images, by differences over h = {steps[1]:g}; loss, ReLUs, "
        "logits on 256.",
        _step_effect(rows, steps),
    ]


def _step_effect(rows, steps):
    """How u' H u along the eigenvector found depends on h and on the choice of images."""
    parts = []
    for name, what in (
        ("small_h", f"h = {steps[0]:g}"),
        ("large_h", f"h = {steps[2]:g}"),
        ("other_images", "as many other images"),
    ):
        ratios = [r[f"eigenvalue_{name}"] / r["eigenvalue"] for r in _close(rows)]
        low, middle, high = np.percentile(ratios, (10, 50, 90)) if ratios else (1, 1, 1)
        parts.append(f"{what}: {middle:.2f} of λ ({low:.2f} to {high:.2f} from tenth to tenth)")
    return "Along the same vector, " + "; ".join(parts) + "."


def plots(rows):
    warmups = list(dict.fromkeys(row["warmup"] for row in rows))
    plots = []
    for name, title, y, logy, far in (  # values beyond `far` are outside the panel
        ("batch_sharpness", "η × batch sharpness", "unstable above 2", True, 1e3),
        ("eigenvalue", "η × λ", "unstable above 2", True, 1e3),
        ("critical_low", "η / critical rate", "overshoots above 1", True, 1e2),
        ("loss", "train loss", "cross-entropy", True, 30),
        ("step", "longest step since the last look", "|Δw|", True, 1e2),
        ("dead_conv", "dead channels, conv layers", "share", False, 1),
        ("dead_fc", "dead ReLUs, fc layers", "share", False, 1),
        ("logits", "length of the logits", "|z|", True, 1e2),
    ):
        for warmup in warmups:
            curves = []
            for (kind, clip, b), run in _runs(rows).items():
                here = [r for r in run if kind == warmup and r[name] is not None]
                if here:
                    values = tuple(_shown(name, r) for r in here)
                    at, marker = tuple(r["epoch"] for r in here), "o" if len(here) < 40 else ""
                    look = {"color": batch_color(b), "marker": marker, "dash": ":" if clip else "-"}
                    label = f"b = {b}" + (f", |Δw| ≤ {clip:g}" if clip else "")
                    curves.append(Curve(label, at, values, **look))
            limit = {"batch_sharpness": 2, "eigenvalue": 2, "critical_low": 1}.get(name)
            if limit and curves:
                ends = 0, max(c.x[-1] for c in curves)
                curves.append(Curve("the limit", ends, (limit,) * 2, color="0.35", dash="--"))
            values = [y for c in curves for y in c.y if y is not None and 0 < y < far]
            ylim = (0.7 * min(values), 1.4 * max(values)) if logy and values else (-0.05, 1.05)
            panel = Plot(f"{title}, {NAMES[warmup]}", "epoch", y, tuple(curves), False, logy, ylim)
            plots.append(panel)
    return tuple(plots)


def _shown(name, row):
    """The value of a row that is drawn in the panel of this column."""
    if name == "critical_low":
        return row["lr"] / row[name] if row[name] else None
    if name in ("batch_sharpness", "eigenvalue"):
        return row["lr"] * row[name] / (1 + row["momentum"])
    return row[name]


def fate(walk):
    """How a run ended, in words."""
    last = walk.rows[-1]
    if walk.diverged is not None:
        return f"it diverges at update {walk.diverged}"
    for place, row in enumerate(walk.rows):
        if all(r["spread"] < ALIKE for r in walk.rows[place:]):
            return f"from update {row['update']} to the end all images have the same logits"
    return f"it ends at a loss of {last['loss']:.2g}"


def text(walks):
    parts = []
    for walk in walks:
        rows, close = walk.rows, _close(walk.rows)
        warmup, b = walk.settings.warmup, walk.settings.batch_size
        kind = "Without warmup" if warmup == "none" else f"With {warmup} warmup"
        if walk.clip:
            kind += f", no step being longer than {walk.clip:g},"
        clauses = [f"{kind} b = {b}"]
        left = next((r for r in rows if r["loss"] < PLATEAU), None)
        if left:
            clauses.append(
                f"leaves the plateau at update {left['update']}, Ση = {left['rate_sum']:.2g}, "
                f"η = {left['lr']:.2g} (2/η = {left['bound']:.2g});"
            )
        if close:
            top = max(close, key=lambda r: r["eigenvalue"])
            clauses.append(
                f"λ is largest at update {top['update']}, {top['eigenvalue']:.3g} for a 2/η of "
                f"{top['bound']:.3g};"
            )
        for before, at in walk.events:
            around = [r for r in close if before <= r["update"] <= at]
            after = [r for r in rows if before < r["update"] <= at + 1 and r["step"]]
            if len(around) > 1 and after:
                first, far = around[0], max(after, key=lambda r: r["step"])
                ratio = max(r["lr"] / r["critical_low"] for r in around if r["critical_low"])
                clauses.append(
                    f"at update {at} η had been up to {ratio:.2g} critical rates, the loss went "
                    f"from {first['loss']:.2g} to {max(r['loss'] for r in around):.2g}, a step was "
                    f"{far['step']:.2g} long (w {far['length']:.2g}), and "
                    f"{after[-1]['dead_conv']:.0%} of the channels were dead;"
                )
        parts.append(" ".join([*clauses, fate(walk) + "."]))
    learnt = [r for walk in walks for r in _close(walk.rows) if r["loss"] < LEARNT]
    if learnt:
        least = min(learnt, key=lambda r: r["eigenvalue"])
        rates = sorted({walk.settings.scaled_lr for walk in walks})
        parts.append(
            f"Of the {len(learnt)} close looks at a loss below {LEARNT} the least λ is "
            f"{least['eigenvalue']:.2g}, stable up to η = {2 / least['eigenvalue']:.2g}; the rates "
            f"are {listed(rates)}."
        )
    return " ".join(parts)
