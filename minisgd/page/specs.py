"""What the library is to draw, in the words of Vega-Lite.

The scripts add the data, the width, the colours of the scheme and what the reader has chosen.
"""

# The pointer need not touch a point: the nearest one is meant.
_NEAREST = {
    "name": "nearest",
    "select": {"type": "point", "nearest": True, "on": "pointerover", "clear": "pointerout"},
}

# Of the point, or of the point in whose cell the pointer is.
_TIP = {"value": {"expr": "datum.tip || datum.datum.tip"}}


def curves():
    """Lines by epoch or by update, with a band, marks for stuck and diverged runs, and a cursor.

    The points: line, x, y, low, high, mark, stuck, diverged, tip (a dict that is shown when the
    pointer is near), and what the looks stand for: hue (colour), size (marker) and way (dash).
    """
    return {
        "data": {"name": "points"},
        "params": [{"name": "cursor", "value": 1}, {"name": "thick", "value": 1.8}],
        "config": {"legend": {"layout": {"bottom": {"anchor": "start", "direction": "vertical"}}}},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", "title": "epoch",
                  "scale": {"zero": False, "nice": False}},
            "y": {"field": "y", "type": "quantitative", "scale": {"zero": False}},
            "color": {"field": "hue", "type": "nominal", "scale": {}, "legend": _legend()},
            "detail": {"field": "line"},
        },
        "layer": [
            {"transform": [{"filter": "isValid(datum.low)"}],
             "mark": {"type": "area", "opacity": 0.14, "clip": True, "aria": False},
             "encoding": {"y": {"field": "low"}, "y2": {"field": "high"}}},
            {"mark": {"type": "line", "clip": True, "strokeWidth": {"expr": "thick"}},
             "encoding": {"strokeDash": {"field": "way", "type": "nominal", "scale": {},
                                         "legend": _legend()}}},
            {"transform": [{"filter": "datum.mark"}],
             "mark": {"type": "point", "filled": True, "size": 42, "opacity": 1, "clip": True,
                      "aria": False},
             "encoding": {"shape": {"field": "size", "type": "nominal", "scale": {},
                                    "legend": _legend()}}},
            {"transform": [{"filter": "datum.stuck"}],
             "mark": {"type": "point", "size": 55, "filled": False, "clip": True, "aria": False,
                      "strokeWidth": 1.8, "opacity": 1, "fill": "paper"}},
            {"transform": [{"filter": "datum.diverged"}],
             "mark": {"type": "point", "shape": "M-1,-1L1,1M1,-1L-1,1", "size": 90, "clip": False,
                      "strokeWidth": 2.6, "opacity": 1, "aria": False}},
            _cursor(),
            {"params": [_NEAREST],
             "mark": {"type": "circle", "size": 260, "opacity": 0, "clip": True, "aria": False},
             "encoding": {"tooltip": _TIP}},
        ],
    }  # fmt: skip


def carried(sizes, ends, bar, tolerances):
    """Accuracy against the batch size, by method: a line of medians, and from the least to the
    largest seed a bar. Dotted lines, with their names, are the bar and what is a tolerance below.

    The points: method, size, y, low, high, tip. The faint ones are of the report's own rules.
    """
    lines = [{"value": bar, "name": "64 at its best"}]
    lines += [{"value": bar - t, "name": f"{t:g} below it"} for t in tolerances]
    size = {"field": "size", "type": "quantitative", "title": "batch size",
            "scale": {"type": "log", "base": 2, "nice": False, "padding": 12},
            "axis": {"values": list(sizes), "format": ",d", "labelOverlap": "greedy"}}  # fmt: skip
    return {
        "data": {"name": "points"},
        "encoding": {
            "x": size,
            "y": {"field": "y", "type": "quantitative", "title": "test accuracy in the last epoch",
                  "scale": {"zero": False, "domain": list(ends)}},
            "color": {"field": "method", "type": "nominal", "scale": {}, "legend": _legend()},
        },
        "layer": [
            {"data": {"values": lines},
             "mark": {"type": "rule", "strokeDash": [2, 3], "color": "grey", "clip": True},
             "encoding": {"x": {"value": 0}, "x2": {"value": "width"}, "y": {"field": "value"},
                          "color": {"value": "grey"}}},
            {"name": "names", "data": {"values": lines},
             "mark": {"type": "text", "align": "left", "dx": 5, "fontSize": 10, "aria": False},
             "encoding": {"x": {"value": "width"}, "y": {"field": "value"},
                          "text": {"field": "name"}, "color": {"value": "grey"}}},
            {"name": "seeds", "transform": [{"filter": "!datum.faint"}],
             "mark": {"type": "rule", "clip": True, "strokeWidth": 1.5, "aria": False},
             "encoding": {"y": {"field": "low"}, "y2": {"field": "high"}}},
            {"mark": {"type": "line", "clip": True, "strokeWidth": 2},
             "encoding": {"strokeDash": {"field": "method", "type": "nominal", "scale": {},
                                         "legend": _legend()}}},
            _marks("!datum.faint", size=55),
            {"params": [_NEAREST],
             "mark": {"type": "circle", "size": 400, "opacity": 0, "clip": True, "aria": False},
             "encoding": {"tooltip": _TIP}},
        ],
    }  # fmt: skip


def ranks(ticks, title):
    """Seconds against ranks, by method: a line, a band, and a mark at the most ranks that are worth
    having.

    The points: method, ranks, seconds, worth (whether they are those), tip; low and high, where
    there is a band.
    """
    log = {"type": "log", "nice": False, "padding": 8}
    return {
        "data": {"name": "points"},
        "encoding": {
            "x": {"field": "ranks", "type": "quantitative", "title": "ranks",
                  "scale": log | {"base": 2}, "axis": {"values": list(ticks), "format": ",d"}},
            "y": {"field": "seconds", "type": "quantitative", "title": title, "scale": log,
                  "axis": {"format": "~r"}},
            "color": {"field": "method", "type": "nominal", "scale": {}, "legend": _legend()},
        },
        "layer": [
            {"name": "bands", "mark": {"type": "area", "opacity": 0.14, "aria": False},
             "encoding": {"y": {"field": "low"}, "y2": {"field": "high"}}},
            {"mark": {"type": "line", "strokeWidth": 1.8}},
            _marks("datum.worth", size=90),
            {"params": [_NEAREST],
             "mark": {"type": "circle", "size": 300, "opacity": 0, "aria": False},
             "encoding": {"tooltip": _TIP}},
        ],
    }  # fmt: skip


def steps(ticks, noise):
    """Steps or epochs against the batch size, by method: points with bars, and lines of the law.

    The points: method, b, value, law (whether it is one of the line); low, high, all (whether every
    seed got there) and tip of those that are not.

    noise    batch sizes at which a dotted line stands
    """
    log = {"type": "log", "nice": False, "padding": 8}
    of_line, of_points = ({"filter": f"{no}datum.law"} for no in ("", "!"))
    dotted = {
        "data": {"values": [{"b": b} for b in noise]},
        "mark": {"type": "rule", "strokeDash": [2, 4], "strokeWidth": 1.5, "aria": False},
        "encoding": {"y": {"value": 0}, "y2": {"value": "height"}, "color": {"value": "grey"}},
    }
    return {
        "data": {"name": "points"},
        "encoding": {
            "x": {"field": "b", "type": "quantitative", "title": "batch size",
                  "scale": log, "axis": {"values": list(ticks), "format": ",d"}},
            "y": {"field": "value", "type": "quantitative", "scale": log,
                  "axis": {"format": "~r"}},
            "color": {"field": "method", "type": "nominal", "scale": {}, "legend": _legend()},
        },
        "layer": [
            *([dotted] if noise else []),
            {"transform": [of_line], "mark": {"type": "line", "strokeWidth": 1.8}},
            {"transform": [of_points], "mark": {"type": "rule", "aria": False},
             "encoding": {"y": {"field": "low"}, "y2": {"field": "high"}}},
            _marks("!datum.law", size=55),
            {"name": "hollow"} | _marks("!datum.law && !datum.all", size=45, filled=False,
                                        fill="paper", strokeWidth=1.8),
            {"transform": [of_points], "params": [_NEAREST],
             "mark": {"type": "circle", "size": 300, "opacity": 0, "aria": False},
             "encoding": {"tooltip": _TIP}},
        ],
    }  # fmt: skip


def curvature(panels):
    """Panels under one another over the updates of a run, with one cursor through all of them.

    panels    (title, whether the scale is logarithmic, {column: (label, colour, dashed)}) each
    """
    return {
        "data": {"name": "points"},
        "params": [{"name": "cursor", "value": 0}, {"name": "reach", "value": 12}],
        "vconcat": [_panel(*panel, last=panel is panels[-1]) for panel in panels],
        "resolve": {"scale": {"color": "independent", "strokeDash": "independent"}},
        "spacing": 12,
    }


def _panel(title, logarithmic, series, last):
    """One of `curvature`; its colours are pairs, of which the scripts take one."""
    labels = [label for label, _, _ in series.values()]
    named = {column: label for column, (label, _, _) in series.items()}
    dashes = [[5, 3] if dashed else [1, 0] for _, _, dashed in series.values()]
    legend = _legend() if len(labels) > 1 else None
    y = {"field": "value", "type": "quantitative", "title": title, "axis": {"minExtent": 44}}
    y["scale"] = {"type": "log", "nice": False} if logarithmic else {"zero": True}
    return {
        "height": 130,
        "encoding": {
            "x": {"field": "update", "type": "quantitative", "title": "update" if last else None,
                  "axis": {"tickMinStep": 1, "format": "d"},
                  "scale": {"zero": False, "nice": False}},
        },
        "layer": [
            {"transform": [
                {"fold": list(series), "as": ["column", "value"]},
                {"filter": "isValid(datum.value)"},
                # A line stops at what a logarithmic scale cannot show, and goes on behind it.
                *([{"calculate": "datum.value > 0 ? datum.value : null", "as": "value"}]
                  if logarithmic else []),
                {"calculate": f"({_expression(named)})[datum.column]", "as": "label"}],
             "mark": {"type": "line", "strokeWidth": 1.8, "strokeCap": "round", "clip": True},
             "encoding": {
                "y": y,
                "color": {"field": "label", "type": "nominal", "sort": None, "legend": legend,
                          "scale": {"domain": labels,
                                    "range": [list(c) for _, c, _ in series.values()]}},
                "strokeDash": {"field": "label", "type": "nominal", "legend": legend,
                               "scale": {"domain": labels, "range": dashes}}}},
            _cursor(),
            {"mark": {"type": "rule", "strokeWidth": {"expr": "reach"}, "opacity": 0,
                      "aria": False}},
        ],
    }  # fmt: skip


def _expression(names):
    """A dict as an expression of Vega."""
    return "{" + ", ".join(f"'{key}': '{value}'" for key, value in names.items()) + "}"


def _cursor():
    return {
        "data": {"values": [{}]},
        "transform": [{"calculate": "cursor", "as": "cursor"}],
        "mark": {"type": "rule", "strokeWidth": 1, "color": "ink", "aria": False},
        "encoding": {
            "x": {"field": "cursor", "type": "quantitative"},
            "y": {"value": 0}, "y2": {"value": "height"}, "color": {"value": "ink"},
        },
    }  # fmt: skip


def _marks(which, **look):
    """The marks of methods at the points of which an expression is true."""
    shape = {"field": "method", "type": "nominal", "scale": {}, "legend": _legend()}
    mark = {"type": "point", "filled": True, "opacity": 1, "clip": True, "aria": False}
    return {"transform": [{"filter": which}], "mark": mark | look, "encoding": {"shape": shape}}


def _legend():
    return {"orient": "bottom", "title": None, "labelLimit": 600, "symbolOpacity": 1}
