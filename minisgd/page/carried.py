"""The answer: how far each method carries the batch, as a chart and as tables."""

from statistics import median

from ..errors import program
from ..report import answer_shown as shown
from ..report.answer import METHODS, SIZES
from ..report.answer_plan import plan
from ..report.trials import Trials
from ..settings import in_words
from . import colours, specs
from .curves import rounded
from .html import Html, element, join, table

ENDS = (0.95, 0.995)  # of the scale, as in the figure
NONE = (
    "How far each of five tuned methods carries the batch is not shown: its runs are not here; "
    f"{program()} answer makes them."
)


def section(kept):
    """(Html, what the script draws or None) of the answer; one sentence where there are no runs."""
    found = _found(kept)
    if not found:
        return element("p", NONE), None
    sizes, cells = found
    lines = shown.method_lines(sizes) + shown.reported_lines(kept)
    bar = shown.bar_of(lines)
    if bar is None:
        return element("p", NONE), None
    html = join([
        element("p", _sentence(lines, bar)),
        element("form",
                _tick("whole", "whole range"),
                _tick("reported", "the report's own rules", checked=True),
                id="answer-choices", class_="row"),
        element("div", id="answer-chart", class_="chart"),
        _table_of_sizes([line for line in lines if not line.faint], bar, "test accuracy"),
        _table_of_sizes([line for line in lines if line.faint], bar, "the report's own rules"),
        element("details", element("summary", "every setting, with its seeds and epochs"),
                _table_of_settings(sizes, cells)),
    ])  # fmt: skip
    drawn = {
        "spec": specs.carried(SIZES, ENDS, bar, shown.TOLERANCES),
        "ends": ENDS,
        "looks": colours.looks(lines),
        "points": [point for line in lines for point in _points(line, cells)],
    }
    return html, drawn


def _found(kept):
    """({(method, size): accuracies}, {(method, size): settings}); None where there are no runs."""
    if "answer" not in kept.experiments:
        return None
    cells = plan(Trials(kept.folder)).sizes
    sizes = shown.results(kept, "answer", cells)
    return (sizes, cells) if sizes else None


def _tick(name, text, checked=False):
    box = element("input", type="checkbox", id=f"answer-{name}", checked=checked)
    return element("label", box, " ", text, class_="toggle")


def _sentence(lines, bar):
    """How far each method goes, and the best of the report's rules, in words."""
    far = {
        line.label: [shown.carried(line.values, bar, t, min) for t in shown.TOLERANCES]
        for line in lines
    }
    rules = [far.pop(line.label) for line in lines if line.faint]
    if rules:
        best = [max((b for b in each if b), default=None) for each in zip(*rules, strict=True)]
        far["the best of the report's rules"] = best
    parts = (f"{name} {' and '.join(map(_size, each))}" for name, each in far.items())
    low, high = (f"{t:g}" for t in shown.TOLERANCES)
    return (
        f"The largest batch up to which every seed ends no more than {low} below the best of 64 "
        f"images, {bar:.4f}, and no more than {high} below it: {'; '.join(parts)}."
    )


def _size(b):
    return "none" if b is None else f"{b:,}"


def _points(line, cells):
    names = {method.title: name for name, method in METHODS.items()}
    for b, values in sorted(line.values.items()):
        settings = cells.get((names.get(line.label), b))
        tip = {"method": line.label, "batch size": f"{b:,}"}
        tip |= {"test accuracy": shown.spread(values), "seeds": len(values)}
        if settings:
            tip |= {"epochs": settings.epochs, "settings": in_a_line(settings)}
        low, high = (rounded(end(values)) for end in (min, max))
        yield {"method": line.label, "size": b, "y": rounded(median(values)), "low": low,
               "high": high, "faint": line.faint, "tip": tip}  # fmt: skip


def in_a_line(settings):
    """What differs from the report's protocol, in words; not the batch size, epochs and seed."""
    differs = settings.differing().items()
    beside = ("batch_size", "seed", "epochs")
    return ", ".join(in_words(name, value) for name, value in differs if name not in beside)


def _table_of_sizes(lines, bar, what):
    """What every line has at its sizes, and how far it goes; nothing if there are no lines."""
    if not lines:
        return Html("")
    rows = [
        [f"{b:,}", *(shown.spread(m.values[b]) if b in m.values else "–" for m in lines)]
        for b in sorted({b for line in lines for b in line.values})
    ]
    for tolerance in shown.TOLERANCES:
        for words, judged in (("in the median", median), ("in every seed", min)):
            far = (shown.carried(m.values, bar, tolerance, judged) for m in lines)
            rows.append([f"largest within {tolerance:g} {words}", *map(_size, far)])
    return table(["batch size", *(m.label for m in lines)], rows,
                 f"{what}, in the last epoch: median, smallest, largest")  # fmt: skip


def _table_of_settings(sizes, cells):
    rows = [
        [METHODS[name].title, (f"{b:,}", b), (shown.spread(values), median(values)), len(values),
         cells[name, b].epochs, in_a_line(cells[name, b])]
        for (name, b), values in sizes.items()
    ]  # fmt: skip
    head = ["method", "batch size", "test accuracy", "seeds", "epochs", "settings"]
    return table(head, rows, "every setting", sortable=True)
