"""Sec. II: the covariance of an update over random batches, compared with the formula.

    cov(Δw, Δw) = η² (1/M - 1/N) (1/N) Σ g_i g_i'

The formula's trace and largest eigenvalues are computed from the gradients of all N images, one by
one, and compared with the variance over many random batches at the same w. That variance is taken
along the formula's own eigenvectors, for the largest eigenvalue of a sample covariance is biased.
"""

from dataclasses import replace

import numpy as np

from ..drawing import PALETTE, Curve, Plot
from ..model import LeNet5
from ..report.experiments import SIZES
from ..settings import Settings
from .common import Measured, as_row, columned, generator, passes_over, weights_after, when
from .estimators import covariance_factor, mean, moments

# A quantity of cov(Δw, Δw) is its trace, the part of the trace outside the leading eigenvectors, or
# the k-th eigenvalue; exact_error is how exactly the eigenvalue is known, 0 for the trace.
RULES = ("none", "sqrt", "linear")  # the report's
COLUMNS = "epoch rule batch_size lr quantity measured error exact exact_error report".split()


def covariance(
    data, seed, threads, log, sizes=SIZES, epochs=(0, 1), draws=160, eigenvalues=12, shown=3
):
    x, y = data.train.images, data.train.labels
    N, settings = len(y), Settings(seed=seed)
    Settings(max(sizes)).check(N)
    model, rows, table = LeNet5(threads=threads, pixels=data.pixels), [], []
    for epoch, w in weights_after(settings, data, epochs, threads, log).items():
        log(f"epoch {epoch}: the gradients of {N:,} images one by one, three times")
        passes, rng = passes_over(w, x, y, threads, data.pixels), generator(seed, 0, epoch)
        m = moments(passes, N, len(w), eigenvalues, rng)
        model.w[...] = w
        quantities = {}
        for b in sizes:
            log(f"epoch {epoch}: {draws} batches of {b}")
            deviations = []  # of the gradients of random batches from their mean
            for _ in range(draws):
                model.gradient_at(x, y, rng.choice(N, b, replace=False))
                deviations.append(model.g - m.mean)
            quantities[b] = _quantities(m, deviations, b, shown)
            for rule in RULES:
                lr = replace(settings, batch_size=b, rule=rule).scaled_lr
                for name, (measured, *formulas) in quantities[b].items():
                    numbers = (lr**2 * v for v in (measured.value, measured.error, *formulas))
                    rows.append(as_row(COLUMNS, epoch, rule, b, lr, name, *numbers))
        share = m.mean @ m.mean / m.squared
        table += [
            f"{when(epoch)}, measured over exact; |ḡ|² is {share:.1%} of (1/N) Σ |g_i|²",
            *columned(
                [
                    [
                        b,
                        *(
                            f"{v.value / exact:.3f} ± {v.error / exact:.3f}"
                            for v, exact, *_ in of_size.values()
                        ),
                    ]
                    for b, of_size in quantities.items()
                ],
                ["b", *next(iter(quantities.values()))],
            ),
            "",
        ]
    return Measured(
        "The covariance of an update: measured over random batches, and the formula",
        COLUMNS,
        rows,
        table,
        _plots(rows, sizes, N),
        _text(rows, sizes, N),
    )


def _quantities(m, deviations, b, shown):
    """{quantity: (Estimate measured, exact value, its error, value by the report's formula)} of the
    covariance of the gradient, from the deviations of the gradients of batches of b.
    """
    exact, report = (covariance_factor(b, m.N, form) for form in ("exact", "report"))
    whole = np.array([deviation @ deviation for deviation in deviations])
    along = np.array([(m.vectors @ deviation) ** 2 for deviation in deviations])  # (draws, k)
    # The report's formula has g_i where the covariance has g_i - ḡ.
    of_mean = (m.vectors @ m.mean) ** 2
    found = {
        "trace": (mean(whole), exact * m.trace, 0.0, report * m.squared),
        "the rest": (
            mean(whole - along.sum(axis=1)),
            exact * (m.trace - m.values.sum()),
            0.0,
            report * (m.squared - (m.values + of_mean).sum()),
        ),
    }
    for k in range(shown):
        found[f"eigenvalue {k + 1}"] = (
            mean(along[:, k]),
            exact * m.values[k],
            exact * m.errors[k],
            report * (m.values[k] + of_mean[k]),
        )
    return found


def _select(rows, quantity="trace", **wanted):
    """The rows of one quantity whose columns have the values that are wanted."""
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
                chosen = _select(rows, quantity, epoch=epoch, rule=rule)
                column = lambda name, chosen=chosen: tuple(row[name] for row in chosen)  # noqa: E731
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
                    f"{name} of cov(Δw, Δw), {when(epoch)}",
                    "batch size",
                    name,
                    tuple(curves),
                    True,
                    True,
                    xticks=tuple(sizes),
                )
            )
    curves = [
        Curve("1 - M/N", tuple(sizes), tuple(1 - M / N for M in sizes), color=PALETTE[6], dash="--")
    ]
    for epoch, color in zip(sorted({row["epoch"] for row in rows}), PALETTE[3:], strict=False):
        chosen = _select(rows, "the rest", epoch=epoch, rule="sqrt")
        unit = chosen[0]["exact"] / (1 - sizes[0] / N)
        values, errors = ([row[what] / unit for row in chosen] for what in ("measured", "error"))
        label = f"measured {when(epoch)}"
        curves.append(
            Curve(label, tuple(sizes), tuple(values), tuple(errors), color, dash="", marker="o")
        )
    title = "sqrt rule, outside the leading eigenvectors"
    plots.append(
        Plot(title, "batch size", "trace, over that for N = ∞", tuple(curves), True, xticks=sizes)
    )
    return tuple(plots)


def _text(rows, sizes, N):
    parts = []
    for epoch in sorted({row["epoch"] for row in rows}):
        trace = {r: [row["measured"] for row in _select(rows, epoch=epoch, rule=r)] for r in RULES}
        change = {r: values[-1] / values[0] for r, values in trace.items()}
        chosen = _select(rows, epoch=epoch, rule="none")
        ratios = [row["measured"] / row["exact"] for row in chosen]
        rest = _select(rows, "the rest", epoch=epoch, rule="sqrt")
        kept, error = (rest[-1][what] / rest[0]["exact"] for what in ("measured", "error"))
        wanted = (1 - sizes[-1] / N) / (1 - sizes[0] / N)
        parts.append(
            f"{when(epoch).capitalize()} the measured trace is {min(ratios):.3f} to "
            f"{max(ratios):.3f} times the exact one; the report's formula, which does not subtract "
            f"the mean gradient, is {chosen[0]['report'] / chosen[0]['exact']:.3f} times it. "
            f"From b = {sizes[0]} to {sizes[-1]} the trace goes to {change['none']:.3g} of itself "
            "at a fixed rate, "
            f"{change['sqrt']:.3g} under the sqrt rule and {change['linear']:.3g} under the "
            f"linear rule. What is left outside of the leading eigenvectors goes to {kept:.3f} "
            f"± {error:.3f} under the sqrt rule; drawing without replacement makes that "
            f"{wanted:.3f}, not 1."
        )
    return " ".join(parts)
