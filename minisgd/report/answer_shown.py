"""What the runs of the answer come to: its tables, its lines and its sentences."""

from dataclasses import replace
from statistics import median

from ..drawing import Carried, Curve, Line, Plot, batch_color, batch_marker
from .answer import HELD_OUT, LARGE, LEFT, METHODS, REPORTED, SEARCHES, SIZES
from .experiments import EXPERIMENTS
from .search import edges_told, value_of, winner
from .summary import first_epoch_reaching

TOLERANCES = (0.002, 0.005)
TARGET = 0.985  # test accuracy
FLOOR = 0.8  # trials below are not drawn


def by_seed(kept, name, cells):
    """{key: {seed: the final test accuracy, 0 where the run diverged}} of {key: settings}.

    What has no run is left out.
    """
    found, whole = {}, kept.cells(kept.experiments[name])
    for key, settings in cells.items():
        seeds = [cell for cell in whole if replace(cell, seed=0) == settings]
        if seeds:
            found[key] = {c.seed: kept.records(c)[-1]["test_accuracy"] or 0.0 for c in seeds}
    return found


def results(kept, name, cells):
    """The same without the seeds: {key: accuracies}, in their order."""
    return {key: list(values.values()) for key, values in by_seed(kept, name, cells).items()}


def named(found):
    """The same with the methods' titles as keys, where a key is a method."""
    return {METHODS[key].title if key in METHODS else key: values for key, values in found.items()}


def alike(found):
    """{(method, x): accuracies} with no more seeds at one x than at another."""
    fewest = min(map(len, found.values()))
    return {key: values[:fewest] for key, values in found.items()}


def spread(values):
    """The median, the smallest and the largest; a run that diverged has 0."""
    low = f"{min(values):.4f}" if min(values) else "diverged"
    return f"{median(values):.4f} ({low} to {max(values):.4f})"


# ---- the searches


def trials_table(trials, searches):
    """(a line for each of {(method, batch size): Search}: its winner's numbers; what to advise)."""
    lines, advice = [f"{'method':<10}{'batch':>7}  {'validation':<12}chosen"], []
    for (name, b), search in searches.items():
        found = trials.of(search)
        if not found:
            continue
        best, ranges = winner(found), search.ranges
        numbers = ", ".join(f"{r.name} {value_of(r.name, best.settings):.4g}" for r in ranges)
        lines.append(f"{name:<10}{b:>7,}  {best.median:<12.4f}{numbers}")
        advice += [f"{name} at {b:,}: {told}." for told in edges_told(best.settings, ranges)]
    return lines, advice


def trials_plots(trials):
    """A panel for each method: validation accuracy against its rate, a colour for each size."""
    panels = []
    for name, method in METHODS.items():
        curves = []
        for b in sorted({b for _, b in SEARCHES}):
            found = trials.of(SEARCHES[name, b]) if (name, b) in SEARCHES else []
            longest = max((trial.settings.epochs for trial in found), default=0)
            for full, marker in ((False, "."), (True, batch_marker(b))):
                these = [t for t in found if (t.settings.epochs == longest) == full]
                x = tuple(value_of(method.rate, trial.settings) for trial in these)
                label = f"{b:,}" + (", all epochs" if full else ", fewer epochs")
                y = tuple(trial.median for trial in these)
                if these:
                    look = {"color": batch_color(b), "dash": "", "marker": marker}
                    curves.append(Curve(label, x, y, **look))
        rate = {"lr": "η", "effective_lr": "η/(1-m)"}[method.rate]
        panel = Plot(
            method.title, rate, "validation accuracy", tuple(curves), logx=True, ylim=(FLOOR, 1.0)
        )
        panels.append(panel)
    return panels


def trials_text(trials):
    """How many trials the panels leave out, in a sentence."""
    every = [trial.median for search in SEARCHES.values() for trial in trials.of(search)]
    below = sum(accuracy < FLOOR for accuracy in every)
    return f"{below} of {len(every)} trials end below {FLOOR:g} and are not drawn."


# ---- how far each method carries the batch


def method_lines(found):
    """{(method, x): accuracies} as lines over x."""
    return [
        Line(method.title, {x: values for (other, x), values in found.items() if other == name})
        for name, method in METHODS.items()
        if any(other == name for other, _ in found)
    ]


def reported_lines(kept):
    """The report's own rules, as faint lines over the batch size."""
    lines = []
    for label, name in REPORTED.items():
        sizes = {settings.batch_size: settings for settings in EXPERIMENTS[name].settings}
        if found := results(kept, name, sizes):
            lines.append(Line(label, found, faint=True))
    return lines


def bar_of(lines):
    """The accuracy of 64 images at their best: the highest median there; None without such runs."""
    return max((median(line.values[64]) for line in lines if 64 in line.values), default=None)


def all_carried(lines, bar):
    """{tolerance: {label: Carried}} of lines."""
    return {
        t: {
            line.label: Carried(*(carried(line.values, bar, t, judged) for judged in (min, median)))
            for line in lines
        }
        for t in TOLERANCES
    }


def carried(values, bar, tolerance, judged):
    """The largest batch size up to which all are within the tolerance of the bar; None if none is.

    values   {batch size: accuracies}
    judged   median or min: what of the seeds must be
    """
    largest = None
    for b in sorted(values):
        if judged(values[b]) < bar - tolerance - 1e-9:  # the rounding of two decimal fractions
            return largest
        largest = b
    return largest


def sizes_table(lines):
    """Accuracies by batch size and method, then the largest batch that each of them carries."""
    methods = [line for line in lines if not line.faint]
    width = 1 + max(27, *(len(line.label) for line in lines))
    table = ["test accuracy after the last epoch"]
    table += [f"{'batch':>7}  " + "".join(line.label.ljust(width) for line in methods).rstrip()]
    for b in SIZES:
        cells = (spread(line.values[b]) if b in line.values else "-" for line in methods)
        table.append(f"{b:>7,}  " + "".join(cell.ljust(width) for cell in cells).rstrip())
    bar = bar_of(lines)
    table += [
        "",
        f"64 at its best, the highest median in its row or of the report's rules: {bar:.4f}. The",
        "largest batch size up to which each is within",
    ]
    judges = [(f"{t:g}, {words}", t, judged) for t in TOLERANCES
              for words, judged in (("median", median), ("every seed", min))]  # fmt: skip
    table.append(" " * width + "".join(words.ljust(19) for words, _, _ in judges).rstrip())
    for line in lines:
        found = (carried(line.values, bar, t, judged) for _, t, judged in judges)
        cells = "".join(("none" if b is None else f"{b:,}").ljust(19) for b in found)
        table.append(line.label.ljust(width) + cells.rstrip())
    return table


# ---- taken apart at one size


def rows_table(rows):
    """A line for each {label: accuracies}."""
    width = 2 + max(map(len, rows))
    return [
        " " * width + "test accuracy",
        *(label.ljust(width) + spread(values) for label, values in rows.items()),
    ]


def with_updates(rows, cells):
    """The same rows, whose labels say how many updates these {label: settings} make."""
    made = {label: cells[label].updates_after(cells[label].epochs, LEFT + HELD_OUT)
            for label in rows}  # fmt: skip
    return {f"{label}, {made[label]:,} updates": values for label, values in rows.items()}


def short_table(kept, plan):
    """Accuracy at the end of the short runs, and when short and long runs first reach TARGET."""
    width = 2 + max(len(method.title) for method in METHODS.values())
    epochs = next(iter(plan.short.values())).epochs
    table = [
        " "
        * width
        + f"{'after ' + str(epochs) + ' epochs':<29}first at {TARGET:.1%} in those runs; "
        "in runs of 30 epochs"
    ]
    for name, values in results(kept, "answer-short", plan.short).items():
        cells = [METHODS[name].title.ljust(width) + spread(values).ljust(29)]
        for part, settings in (
            ("answer-short", plan.short[name]), ("answer", plan.sizes[name, LARGE])
        ):  # fmt: skip
            runs = [c for c in kept.cells(kept.experiments[part]) if replace(c, seed=0) == settings]
            first = [first_epoch_reaching(TARGET, kept.records(cell)) for cell in runs]
            reached = [epoch for epoch in first if epoch is not None]
            text = f"epoch {median(reached):g}" if reached else "never"
            if 0 < len(reached) < len(first):
                text += f" in {len(reached)} of {len(first)}"
            cells.append(text.ljust(30))
        table.append("".join(cells).rstrip())
    return table


def forgiving(values, tolerance=TOLERANCES[0]):
    """(the smallest, the largest factor) of the rate between which, the best factor among them,
    every median is within the tolerance of the best.

    values   {factor: accuracies}
    """
    factors, medians = sorted(values), {f: median(some) for f, some in values.items()}
    best = max(factors, key=medians.get)
    good = [medians[f] >= medians[best] - tolerance - 1e-9 for f in factors]
    low = high = factors.index(best)
    while low > 0 and good[low - 1]:
        low -= 1
    while high < len(factors) - 1 and good[high + 1]:
        high += 1
    return factors[low], factors[high]


def rates_table(lines):
    """Accuracy by the factor of the rate, and over which factors it stays near its best."""
    factors = sorted({x for line in lines for x in line.values})
    width = 2 + max(len(line.label) for line in lines)
    head = "".join(f"η x {factor:<6g}" for factor in factors)
    table = [" " * width + head + f"within {TOLERANCES[0]:g} of its best"]
    for line in lines:
        cells = "".join(f"{median(line.values[f]):<10.4f}" for f in factors if f in line.values)
        low, high = forgiving(line.values)
        words = f"{low:g}{' or less' if low == factors[0] else ''} to "
        words += f"{high:g}{' or more' if high == factors[-1] else ''} times"
        table.append(line.label.ljust(width) + cells + words)
    return table
