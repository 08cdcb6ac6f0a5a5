"""Sec. II: the covariance of an update over random batches, beside the formula.

    cov(Δw, Δw) = η² (1/M - 1/N) (1/N) Σ g_i g_i'

The formula's trace and largest eigenvalues are computed from the gradients of all N images, one by
one; beside them stands what many random batches do, at the same w. Along the formula's own
eigenvectors, because the largest eigenvalue of a sample's covariance is biased.
"""

from dataclasses import replace

import numpy as np

from ..charts import PALETTE, Curve, Plot
from ..diagnostics import covariance_factor, mean, moments
from ..experiments import SIZES
from ..lenet import LeNet5, P
from ..rules import RULES
from ..train import Settings
from .common import Measured, columned, generator, passes_over, weights_after

COLUMNS = (
    "epoch rule batch_size lr quantity measured error exact report".split()
)  # of cov(Δw, Δw); quantity: the trace, or the k-th eigenvalue


def covariance(data, seed, threads, say, sizes=SIZES, epochs=(0, 1), draws=64, eigenvalues=3):
    x, y = data.train.images, data.train.labels
    N, settings = len(y), Settings(seed=seed)
    model, rows, table, gains = LeNet5(threads=threads), [], [], {}
    for epoch, w in weights_after(settings, data, epochs, threads, say).items():
        say(f"epoch {epoch}: the gradients of {N:,} images one by one, three times")
        passes, rng = passes_over(w, x, y, threads), generator(seed, 0, epoch)
        m = moments(passes, N, P, eigenvalues, rng)
        model.w[...] = w
        lines = []
        for b in sizes:
            say(f"epoch {epoch}: {draws} batches of {b}")
            squares, along = [], []
            for _ in range(draws):
                index = rng.choice(N, b, replace=False)
                model.lanes.gradient(x, y, index)
                off = model.g - m.mean
                squares.append(off @ off)
                along.append((m.vectors @ off) ** 2)
            exact, report = (covariance_factor(b, N, form) for form in ("exact", "report"))
            inward = (
                m.vectors @ m.mean
            ) ** 2  # what the report's formula adds: it has g, not g - ḡ
            quantities = {"trace": (mean(squares), exact * m.trace, report * m.squared)}
            for k, value in enumerate(m.values):
                found = mean(np.array(along)[:, k])
                quantities[f"eigenvalue {k + 1}"] = (
                    found,
                    exact * value,
                    report * (value + inward[k]),
                )
            for rule in RULES:
                lr = replace(settings, batch_size=b, rule=rule).scaled_lr
                rows += [
                    dict(
                        zip(
                            COLUMNS,
                            (
                                epoch,
                                rule,
                                b,
                                lr,
                                name,
                                lr**2 * found.value,
                                lr**2 * found.error,
                                lr**2 * e,
                                lr**2 * r,
                            ),
                            strict=True,
                        )
                    )
                    for name, (found, e, r) in quantities.items()
                ]
            found, e, r = quantities["trace"]
            ratios = [v.value / ex for v, ex, _ in quantities.values()]
            lines.append(
                [
                    b,
                    *(f"{ratio:.3f}" for ratio in ratios),
                    f"{found.error / e:.3f}",
                    f"{found.value / r:.3f}",
                    f"{found.value * b / m.trace:.3f}",
                ]
            )
            gains.setdefault(epoch, {})[b] = found.value * b / m.trace
        heads = [
            "b",
            "trace/exact",
            *(f"λ{k + 1}/exact" for k in range(eigenvalues)),
            "± (trace)",
            "trace/report's",
            "trace b/tr S",
        ]
        share = m.mean @ m.mean / m.squared
        table += [
            f"after {epoch} epochs of b = 64; |ḡ|² is {share:.1%} of (1/N) Σ |g_i|²",
            *columned(lines, heads),
            "",
        ]
    return Measured(
        "The covariance of an update: measured over random batches, and the formula",
        COLUMNS,
        rows,
        table,
        _plots(rows, sizes, N),
        _text(rows, sizes, gains, N),
    )


def _of(rows, quantity="trace", **wanted):
    return [
        row
        for row in rows
        if row["quantity"] == quantity and all(row[k] == v for k, v in wanted.items())
    ]


def _plots(rows, sizes, N):
    plots = []
    for epoch in sorted({row["epoch"] for row in rows}):
        for quantity in ("trace", "eigenvalue 1"):
            curves = []
            for rule, color in zip(RULES, PALETTE, strict=False):
                some = _of(rows, quantity, epoch=epoch, rule=rule)
                column = lambda name, some=some: tuple(row[name] for row in some)  # noqa: E731
                b, name = column("batch_size"), "no scaling" if rule == "none" else f"{rule} rule"
                curves.append(Curve(f"{name}: formula", b, column("exact"), color=color))
                curves.append(
                    Curve(
                        f"{name}: measured",
                        b,
                        column("measured"),
                        column("error"),
                        color=color,
                        dash="",
                        marker="o",
                    )
                )
            name = "trace" if quantity == "trace" else "largest eigenvalue"
            plots.append(
                Plot(
                    f"{name} of cov(Δw, Δw) after {epoch} epochs",
                    "batch size",
                    name,
                    tuple(curves),
                    True,
                    True,
                    xticks=tuple(sizes),
                )
            )
    return tuple(plots)


def _text(rows, sizes, gains, N):
    parts = []
    for epoch, by_size in gains.items():
        trace = {r: [row["measured"] for row in _of(rows, epoch=epoch, rule=r)] for r in RULES}
        change = {r: values[-1] / values[0] for r, values in trace.items()}
        ratios = [row["measured"] / row["exact"] for row in _of(rows, epoch=epoch, rule="none")]
        parts.append(
            f"After {epoch} epochs the measured trace is {min(ratios):.3f} to {max(ratios):.3f} "
            f"times the exact one. From b = {sizes[0]} to {sizes[-1]} it goes to "
            f"{change['none']:.3g} of itself at a fixed rate, {change['sqrt']:.3g} under the sqrt "
            f"rule and {change['linear']:.3g} under the linear rule. The sqrt rule would keep it "
            f"but for the drawing without replacement: at b = {sizes[-1]}, 1 - M/N is "
            f"{1 - sizes[-1] / N:.3f}, and the trace is {by_size[sizes[-1]]:.3f} of tr S/b."
        )
    return " ".join(parts)
