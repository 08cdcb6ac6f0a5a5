"""Beyond the report: the methods that train with large batches as a table, as panels, in words."""

from ..drawing import GREY, METHOD_PALETTE, Curve, Plot
from .common import columned, listed

THROWN = 0.1  # of the first loss: a step that raises the loss by more throws the run
EARLY = (
    30  # updates in which runs leave the plateau; ρ is drawn for these, later it is mostly noise
)


def dead(row):
    """The share of dead channels in the convolution that has more of them."""
    return max(row["dead_conv1"], row["dead_conv2"])


def names(runs):
    """What each of the Settings is called, no two alike: "adam 8,192"."""
    found = []
    for s in runs:
        name = s.optimizer if s.rule == "none" else f"{s.optimizer}, {s.rule} rule,"
        name += f"{', clipped,' if s.clip else ''} {s.batch_size:,}"
        if name in found:
            name += f", η0 = {s.lr:g}, run {len(found) + 1}"
        found.append(name)
    return found


def by_run(rows):
    """{name: rows}."""
    runs = {}
    for row in rows:
        runs.setdefault(row["run"], []).append(row)
    return runs


def exit_of(rows):
    """The place of the first row whose batch has less than half the loss of the first; None if
    there is none.
    """
    return next((k for k, row in enumerate(rows) if row["loss"] < rows[0]["loss"] / 2), None)


def middle_of(rows):
    """The place of the exit; if there is none, of the first step that throws the run, raising the
    loss by more than THROWN of the first; if there is none either, of the longest.
    """
    left, far = exit_of(rows), THROWN * rows[0]["fixed_loss"]
    if left is not None:
        return left
    longest = max(range(len(rows)), key=lambda k: rows[k]["step"])
    return next((k for k, row in enumerate(rows) if rise(row) > far), longest)


def ratio(row, kind=""):
    """The largest eigenvalue over its bound, in the method's own metric for the kind "own_"; None
    where it was not measured, or is not known to within half of itself.
    """
    value, error = row[kind + "eigenvalue"], row[kind + "eigenvalue_error"]
    return None if value is None or error > value / 2 else value / row[kind + "bound"]


def met(row):
    """The curvature along the step, Δ'HΔ / |Δ|², as a part of λ; None where λ was not measured."""
    if ratio(row) is None or not row["step"]:
        return None
    return row["bend"] / row["step"] ** 2 / row["eigenvalue"]


def rise(row):
    """By how much the step raises the loss of the fixed images."""
    return row["fixed_loss_after"] - row["fixed_loss"]


def summary(rows):
    """What is said of one run: {name: number, or None}."""
    left, middle = exit_of(rows), middle_of(rows)
    early = rows[:EARLY]

    def most(of, rows):
        return max((value for value in map(of, rows) if value is not None), default=None)

    steepest = most(lambda row: row["gradient"], early)
    rhos = [row["rho"] for row in rows]
    return {
        "left": None if left is None else rows[left],
        "middle": rows[middle],
        "longest": max(rows, key=lambda row: row["step"]),
        "steeper": steepest / rows[0]["gradient"] if rows[0]["gradient"] else None,
        "far": most(lambda row: row["step"], early),
        "rho": most(lambda row: row["rho"], early),
        "rise": most(rise, early),
        "met": most(met, early),
        "beyond": sum(rho is not None and rho > 1 for rho in rhos) / len(rows),
        "uphill": sum(rho is None for rho in rhos),
        "plain": most(ratio, rows),
        "own": most(lambda row: ratio(row, "own_"), rows),
        "dead": most(dead, rows),
        "learns": rows[-1]["loss"] < rows[0]["loss"] / 2,
        "end": rows[-1]["update"],
        "last": rows[-1]["loss"],
    }


def _given(value):
    """The value to two digits, 910 and not 9.1e+02; a dash if there is none."""
    return "-" if value is None else f"{float(f'{value:.2g}'):g}"


def table(rows, subset):
    heads = "run,exit,Σ to it,|g| ×,|Δw|,ρ,rise,of λ,max |Δw|,at,ρ > 1,uphill,max λ,own,dead,loss"
    lines = []
    for name, run in by_run(rows).items():
        s = summary(run)
        left, longest = s["left"], s["longest"]
        lines.append(
            [
                name,
                left["update"] if left else f"({s['middle']['update']})",
                f"{s['middle']['rate_sum']:.2g}",
                *(_given(s[what]) for what in ("steeper", "far", "rho", "rise", "met")),
                f"{longest['step']:.2g}",
                longest["update"],
                f"{s['beyond']:.0%}",
                s["uphill"],
                _given(s["plain"]),
                _given(s["own"]),
                f"{s['dead']:.0%}",
                f"{s['last']:.2g}",
            ]
        )
    return [
        *columned(lines, heads.split(",")),
        "exit: the first update at less than half the first loss; in brackets, without one, the "
        "first step that",
        f"raises the loss by {THROWN:.0%} of it. The five columns after Σ are the largest values "
        f"of the first {EARLY} updates:",
        "the gradient as a multiple of the first, the step, ρ, the rise of the loss, and the "
        "curvature along the step",
        "as a fraction of λ. max λ and own, in the method's metric, are multiples of their bounds. "
        f"ρ and λ on {subset:,} images.",
    ]


def plots(rows):
    panels, looks = [], _looks(rows)
    for title, y, of, limit, logy in (
        ("loss of the batch", "cross-entropy", lambda r: r["loss"], None, True),
        ("dead channels, the worse conv layer", "share", dead, None, False),
        ("gradient of the batch", "|g|", lambda r: r["gradient"], None, True),
        ("step", "|Δw|", lambda r: r["step"], None, True),
        ("λ of the Hessian", "λ / bound", ratio, 1, True),
        ("λ in the method's own metric", "λ / bound", lambda r: ratio(r, "own_"), 1, True),
        (f"ρ, first {EARLY} updates; overshoots above 1", "ρ", _early, 1, True),
        ("curvature along the step, as a fraction of λ", "Δ'HΔ / (λ |Δ|²)", met, None, True),
    ):
        curves = []
        for name, run in by_run(rows).items():
            points = [(row["update"] + 1, of(row)) for row in run]
            points = [(x, value) for x, value in points if value is not None]
            if points:
                x, values = zip(*points, strict=True)
                marker = "o" if of in (ratio, met) or title.startswith("λ") else ""
                curves.append(Curve(name, x, values, marker=marker, **looks[name]))
        if limit and curves:
            ends = 1, max(c.x[-1] for c in curves)
            curves.append(Curve("the limit", ends, (limit,) * 2, color=GREY, dash=":"))
        ylim = (0.05, 40) if of is _early else (0.003, 1.3) if of is met else None
        panels.append(Plot(title, "update, from 1", y, tuple(curves), True, logy, ylim))
    return tuple(panels)


def _looks(rows):
    """{name: the colour and dash of its curves}: what learns has the colours of the answer's
    methods, in their order, and what fails is grey and dashed.
    """
    learns = {name: summary(run)["learns"] for name, run in by_run(rows).items()}
    places = {name: k for k, name in enumerate(name for name in learns if learns[name])}
    return {
        name: {"color": METHOD_PALETTE[places[name] % len(METHOD_PALETTE)]}
        if learns[name]
        else {"color": GREY, "dash": "--"}
        for name in learns
    }


def _early(row):
    return row["rho"] if row["update"] < EARLY else None


def text(rows):
    runs = {name: summary(run) for name, run in by_run(rows).items()}
    parts = [_told(name, s) for name, s in runs.items()]
    failed = {name: s for name, s in runs.items() if not s["learns"]}
    learnt = {name: s for name, s in runs.items() if s["learns"]}
    if not failed or not learnt:
        return " ".join(parts)
    clauses = []
    for what, words in (
        ("steeper", "the gradient grows to {} times the first, and to {} times"),
        ("far", "the longest step is {}, and {}"),
        ("rho", "the largest ρ is {}, and {}"),
        ("rise", "a step raises the loss by up to {}, and {}"),
        ("met", "the curvature along a step is up to {} of λ, and {}"),
    ):
        numbers = [[_given(s[what]) for s in some.values()] for some in (failed, learnt)]
        clauses.append(words.format(*(listed(some, "{}") for some in numbers)))
    parts.append(
        f"In the first {EARLY} updates, first in what fails ({'; '.join(failed)}) and then in "
        f"the others ({'; '.join(learnt)}): {'; '.join(clauses)}."
    )
    shorter, flatter = (
        [name for name, s in learnt.items() if _below_half(s, failed.values(), what)]
        for what in ("far", "met")
    )
    parts.append(
        f"Steps less than half as long as in what fails: {'; '.join(shorter) or 'none'}. Steps "
        f"along which the curvature is less than half as large a part of λ: "
        f"{'; '.join(flatter) or 'none'}."
    )
    return " ".join(parts)


def _below_half(s, others, what):
    """Whether a run's number is below half of that of all the others; False if one is missing."""
    numbers = [other[what] for other in others]
    return None not in (s[what], *numbers) and s[what] < min(numbers) / 2


def _told(name, s):
    """A sentence on one run."""
    longest, left, middle = s["longest"], s["left"], s["middle"]
    dead = f"up to {s['dead']:.0%} of the channels are dead" if s["dead"] else "no channel dies"
    if left:
        clauses = [
            f"{name} has left the plateau at update {left['update']}, after Ση = "
            f"{left['rate_sum']:.2g}"
        ]
    else:
        clauses = [
            f"{name} never has half the first loss; at update {middle['update']}, after Ση = "
            f"{middle['rate_sum']:.2g}, a step of {middle['step']:.2g} takes the loss from "
            f"{middle['fixed_loss']:.2f} to {middle['fixed_loss_after']:.2f}"
        ]
    clauses.append(
        f"its longest step of all is {longest['step']:.2g} at update {longest['update']}, where "
        f"|w| = {longest['length']:.2g}"
    )
    clauses.append(f"ρ > 1 in {s['beyond']:.0%} of its steps, and {s['uphill']} lead uphill")
    if s["plain"] is not None:
        same = s["own"] is None or abs(s["own"] / s["plain"] - 1) < 1e-3
        own = "" if same else f", and {_given(s['own'])} times in its own metric"
        clauses.append(f"λ reaches {_given(s['plain'])} times its bound{own}")
    clauses.append(
        f"in the conv layers {dead}, and the loss at update {s['end']} is {s['last']:.2g}"
    )
    return "; ".join(clauses) + "."
