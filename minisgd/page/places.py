"""Does the answer carry over? What every way loses in other places, as charts and as tables."""

from dataclasses import dataclass, replace
from statistics import median

from ..drawing.methods import LINEAR, LOSS_TICKS
from ..errors import program
from ..report import carry
from ..report import carry_shown as shown
from ..report.answer import METHODS
from ..report.answer_shown import TOLERANCES, spread
from . import colours, specs
from .curves import rounded
from .html import element, join, table

DIGITS = "data"  # what the command calls the drawn digits
# Vega's symlog bends where it should be linear: with this constant .005 is as far from nothing as
# in the figures, whose scale is linear up to LINEAR.
CONSTANT = 0.003
NONE = (
    "Whether the answer carries over is not shown: its runs are not here; "
    f"{program()} answer, then {program()} carry, make them."
)


@dataclass(frozen=True)
class Panel:
    """A chart of a place, or of a method on the drawn digits.

    title    of one or two lines
    lines    the accuracies, as drawing.Lines
    lost     the same lines, of what is drawn: how far each seed is above something, or below it
    """

    title: tuple
    lines: list
    lost: list


def section(kept, elsewhere):
    """(Html, what the script draws or None) of the results on the report's dataset and of those on
    others; one sentence where there are none.
    """
    # Results on another dataset are in a folder of its name.
    every = {None: kept} | {other.folder.name: other for other in elsewhere}
    parts = {n: part for n, part in carry.parts(kept.folder).items() if part.dataset in every}
    found = _places(parts, every) | _digits(parts, every)
    if not found:
        return element("p", NONE), None
    titles = {name: place.title for name, place in carry.PLACES.items()}
    fewest, *_, most = carry.DRAWN.values()
    titles[DIGITS] = f"drawn digits, {fewest:,} to {most:,}"
    options = (element("option", titles[name], value=name) for name in found)
    low, high = TOLERANCES
    html = join([
        element("p", "The best methods of the answer in other places: first with the settings that "
                "were tuned for LeNet-5 on MNIST, then, where there are such runs, tuned again. "
                "What is drawn is how far the test accuracy after the last epoch is above or below "
                "that of 64 images at their best in the same place: medians, bands from the least "
                "to the largest seed, and in grey the report's rules. The scale is nearly linear "
                f"within {LINEAR:g} of 0 and nearly logarithmic beyond; the dotted lines are at 0, "
                f"{low:g} below and {high:g} below. In the tables the same differences stand in "
                "brackets, after the median accuracies."),
        element("form", element("label", "place ", element("select", *options, id="places-place")),
                class_="row"),
        element("div", id="places-chart", class_="chart"),
        *(element("div", *_below(name, panels), data_place=name)
          for name, panels in found.items()),
        *_missing(found, parts, every),
    ])  # fmt: skip
    drawn = {
        "spec": _spec(),
        "places": {name: _drawn(name, panels) for name, panels in found.items()},
    }
    return html, drawn


def _made(name, parts, every):
    """Whether there are runs of a part."""
    part = parts.get(name)
    return part is not None and part.experiment.name in every[part.dataset].made


def _places(parts, every):
    """{place: [Panel]} of those of which there are runs."""
    return {
        name: [
            Panel(shown.heading(title, lines, bar), lines, shown.lost(lines, bar))
            for title, lines, bar in shown.panels(name, parts, every)
        ]
        for name in carry.PLACES
        if _made(name, parts, every) or _made(f"{name}-tuned", parts, every)
    }


def _digits(parts, every):
    """The same of the drawn digits: a panel for each method, a line for each number of images."""
    panels = []
    for method, lines in shown.data_panels(parts, every).items():
        places = {f"{N:,} images": place for place, N in enumerate(carry.DRAWN.values())}
        lines = [replace(line, place=places[line.label]) for line in lines]
        lost = [shown.against_smallest(line) for line in lines]
        panels.append(Panel((METHODS[method].title,), lines, lost))
    return {DIGITS: panels} if panels else {}


def _missing(found, parts, every):
    """A sentence on the parts of which there are no runs; none if there is no such part."""
    titles = {name: place.title for name, place in carry.PLACES.items() if name not in found}
    titles |= {
        f"{name}-tuned": f"{place.title}, tuned there"
        for name, place in carry.PLACES.items()
        if place.tuned and not _made(f"{name}-tuned", parts, every)
    }
    if DIGITS not in found:
        titles[DIGITS] = "drawn digits"
    if titles:
        yield element("p", f"Not here yet: {'; '.join(titles.values())}. {program()} carry "
                      f"{' '.join(titles)} makes them.", class_="small")  # fmt: skip


def _below(name, panels):
    """The tables of a place; above them what the drawn digits are."""
    if name == DIGITS:
        yield element(
            "p", f"Every run sees {carry.SEEN:,} images, be they few and seen often, or many and "
            f"seen once. Each seed is held against its own run with batches of {carry.DIVISORS[0]} "
            "of the same images, not against 64 at its best.",
        )  # fmt: skip
    for panel in panels:
        sizes = _sizes([panel])
        rows = [
            [line.label, *(_cell(line.values.get(b), lost.values.get(b)) for b in sizes)]
            for line, lost in zip(panel.lines, panel.lost, strict=True)
        ]
        head = ["images" if name == DIGITS else "method", *(f"{b:,}" for b in sizes)]
        yield table(head, rows, "; ".join(panel.title))


def _cell(values, lost):
    if values is None:
        return "–"
    if not median(values):  # as answer_shown.results says that a run diverged
        return "diverged"
    return f"{median(values):.4f} ({median(lost):+.4f})".replace("-", "−")


def _sizes(panels):
    return sorted({b for panel in panels for line in panel.lines for b in line.values})


def _spec():
    """A panel: the answer's chart around nothing lost, with bands in place of bars."""
    it = specs.carried((), shown.ENDS, 0.0, TOLERANCES)
    it["encoding"]["y"] |= {
        "scale": {"type": "symlog", "constant": CONSTANT, "domain": shown.ENDS, "nice": False},
        "axis": {"values": LOSS_TICKS, "format": "~g"},
    }
    # The axis tells where the dotted lines are.
    it["layer"] = [layer for layer in it["layer"] if layer.get("name") != "names"]
    for layer in it["layer"]:
        # Two panels would share what has a name.
        if layer.pop("name", None) == "seeds":
            layer["mark"] = {"type": "area", "opacity": 0.16, "clip": True, "aria": False}
    return it


def _drawn(name, panels):
    looks = {each["name"]: each for panel in panels for each in colours.looks(panel.lines)}
    against = f"that of {carry.DIVISORS[0]} images" if name == DIGITS else "64 at its best"
    return {
        "titles": [panel.title for panel in panels],
        "y": f"test accuracy, against {against}",
        "sizes": _sizes(panels),
        "looks": list(looks.values()),
        "points": [point for k, panel in enumerate(panels) for point in _points(k, panel, against)],
    }


def _points(k, panel, against):
    for line, lost in zip(panel.lines, panel.lost, strict=True):
        for b, values in sorted(line.values.items()):
            middle, low, high = (of(lost.values[b]) for of in (median, min, max))
            tip = {"line": line.label, "batch size": f"{b:,}", "test accuracy": spread(values)}
            tip |= {f"against {against}": f"{middle:+.4f} ({low:+.4f} to {high:+.4f})"}
            tip |= {"seeds": len(values)}
            yield {"panel": k, "method": line.label, "size": b, "y": rounded(middle),
                   "low": rounded(low), "high": rounded(high), "faint": line.faint,
                   "tip": tip}  # fmt: skip
