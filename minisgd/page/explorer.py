"""The curves of any runs, and all that may be chosen of them: controls, chart, and a table of the
values where the cursor stands.
"""

from math import log2

from ..report.answer import METHODS
from . import colours, specs
from .curves import METRICS
from .html import Html, element, join

TITLES = {"dataset": "dataset", "figure": "figure", "rule": "rule", "warmup": "warmup",
          "optimizer": "method", "momentum": "momentum", "network": "network",
          "init": "initial weights"}  # fmt: skip
ANY = "any"
PLAIN = "sgd"
SHAPES = 8  # of markers in page.js
KEY = (
    "A line is the median of its seeds, its band from the lowest to the highest, or the quartiles "
    "from five seeds on. ○ at least one seed is stuck: it gives every test image the same class; "
    "✕ at least one diverges in the next epoch. "
    "Point at a curve for its numbers; a click moves the cursor to its epoch."
)


def data(lines, first=None):
    """What the script needs.

    first    {choice: value} before the reader has chosen
    """
    marks = _marks(sorted({line["size"] for line in lines}))
    lines = [line | {"mark": marks[line["size"]]} for line in lines]
    return {"lines": lines, "spec": specs.curves(), "metrics": METRICS,
            "filters": list(TITLES), "methods": _methods(lines), "first": first or {}}  # fmt: skip


def _marks(sizes):
    """{batch size: the place of its marker}: of 64, 128, ..., 8,192 that of the figures, and of any
    other the first that no size of nearly the same colour has.
    """
    places = {b: min(7.0, max(0.0, log2(b / 64))) for b in sizes}  # in the palette
    found = {b: round(place) for b, place in places.items() if b == 64 * 2 ** round(place)}
    for b in sizes:
        if b not in found:
            taken = {found[other] for other in found if abs(places[other] - places[b]) < 0.5}
            found[b] = next((mark for mark in range(SHAPES) if mark not in taken), 0)
    return found


def controls(lines):
    """Html of the controls and of the places of the chart and the table.

    What all lines agree on cannot be chosen.
    """
    sizes = list(dict.fromkeys((line["size"], *line["colour"]) for line in lines))
    choices = [_select(name, title, _options(lines, name)) for name, title in TITLES.items()]
    by_update = bool(lines) and all(line["updates"] for line in lines)
    by_method = len({line["values"]["optimizer"] for line in lines}) > 1
    how = [
        _select("metric", "what", [(name, text) for name, text in METRICS.items()]),
        _select("by", "by", [("epoch", "epoch")] + [("update", "update")] * by_update),
        _select(
            "colour", "colour by", [("size", "batch size"), ("method", "method")][: 1 + by_method]
        ),
        _select("show", "show", [("median", "medians"), ("seeds", "every seed")]),
        _toggle("zoom", "zoom above .9"),
        _toggle("log", "logarithmic loss"),
    ]
    boxes = [
        _toggle("size", element("span", "●", class_="dot", style=f"--light:{light};--dark:{dark}",
                                aria_hidden="true"), f"{size:,}", value=size)
        for size, light, dark in sizes
    ]  # fmt: skip
    every = [element("button", word, type="button", data_sizes=word) for word in ("all", "none")]
    reset = element("button", "reset", type="reset", title="show the first view again")
    return join([
        element("form", element("div", *choices, reset, class_="row"),
                element("fieldset", element("legend", "batch sizes"), *boxes, *every),
                element("div", *how, class_="row"), id="choices", data_any=ANY),
        element("p", id="matching", role="status"),
        element("div", id="curves", class_="chart"),
        element("p", KEY, class_="small"),
        element("p",
                element("label", element("span", "epoch", id="at-unit"), " ",
                        element("output", id="at-shown", for_="at"), for_="at"),
                element("input", type="range", id="at", min=0, max=0, value=0), class_="cursor"),
        element("div", id="values"),
    ])  # fmt: skip


def _methods(lines):
    """{method: its colour}: those of the answer have the same there, and plain SGD has that of the
    report's rules.
    """
    others = [line["values"]["optimizer"] for line in lines]
    names = [name for name in dict.fromkeys([*METHODS, "momentum", *others]) if name != PLAIN]
    return {name: colours.of_method(k) for k, name in enumerate(names)} | {PLAIN: colours.GREY}


def _options(lines, name):
    """[(value, text)] of what the lines have of a setting; empty unless they differ."""
    found = {}
    for line in lines:
        for value in line["values"].get(name, "").split("\n"):
            found[value] = value or "none"
    if len(found) < 2:
        return []
    values = sorted(found, key=_order)
    return [(ANY, ANY), *((value, found[value]) for value in values)]


def _order(value):
    try:
        return 0, float(value), ""
    except ValueError:
        return 1, 0.0, ""  # words in the order in which they come


def _select(name, title, options):
    if len(options) < 2:
        return Html("")
    inner = (element("option", text, value=value) for value, text in options)
    return element("label", title, " ", element("select", *inner, data_choice=name))


def _toggle(name, *children, value="1"):
    box = element("input", type="checkbox", value=value, data_choice=name)
    return element("label", box, " ", *children, class_="toggle")
