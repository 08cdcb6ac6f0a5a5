"""Curves of any kind in panels with one legend: the figures of the measures."""

from dataclasses import dataclass
from math import ceil, isfinite
from textwrap import wrap

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, NullLocator

from .palette import PALETTE
from .style import (
    BAND,
    GREY,
    GRID,
    NOTE_BOX,
    TALLEST,
    TITLE_LINE,
    WIDTH,
    blank_figure,
    draw_heading,
    label_fine_decades,
    plain,
)


@dataclass(frozen=True)
class Curve:
    """A line, or only points if `dash` is empty.

    A curve without points appears in the legend only.

    error:  half the length of each error bar, or its two parts (below, above); empty for no bars
    band:   draw the errors as a band instead of bars
    """

    label: str
    x: tuple
    y: tuple
    error: tuple = ()
    color: str = PALETTE[0]
    dash: str = "-"
    marker: str = ""
    band: bool = False


@dataclass(frozen=True)
class Plot:
    """One panel: its title, the labels of its axes, its curves, and the scales of the axes."""

    title: str
    x: str
    y: str
    curves: tuple
    logx: bool = False
    logy: bool = False
    ylim: tuple | None = None
    xticks: tuple = ()
    yticks: tuple = ()


@plain
def chart(plots, title, note=None, per_row=2, height=2.9):
    """A figure of panels in rows, with one legend for all of them.

    Values that are not finite are left out, and so are those that a logarithmic axis cannot show.

    note:    a line under the title that nobody can miss
    height:  of a panel, in inches; less where the figure would be too tall
    """
    rows, title_lines = ceil(len(plots) / per_row), wrap(title, 90)
    labels = dict.fromkeys(c.label for plot in plots for c in plot.curves if c.label)
    longest = max(map(len, labels), default=0)
    in_a_row = max(1, min(5, 118 // (longest + 8)))
    head = 0.14 + TITLE_LINE * len(title_lines) + (NOTE_BOX if note else 0)
    over, under, between, left, right = 0.36, 0.55, 0.75, 0.75, 0.15
    beside = head + rows * (over + under) + 0.2 * ceil(len(labels) / in_a_row) + 0.15
    height = min(height, (TALLEST - beside) / rows)
    whole = beside + rows * height
    figure = blank_figure(whole)
    draw_heading(figure, title_lines, note, head - 0.15)
    width = (WIDTH - left - right - between * (per_row - 1)) / per_row
    handles = {}
    for place, plot in enumerate(plots):
        row, column = divmod(place, per_row)
        x = left + column * (width + between)
        y = head + row * (over + height + under) + over
        axes = figure.add_axes((x / WIDTH, 1 - (y + height) / whole, width / WIDTH, height / whole))
        _draw_plot(axes, plot, handles)
    if handles:
        figure.legend(
            handles=list(handles.values()), labels=list(handles), loc="lower center",
            bbox_to_anchor=(0.5, 0.06 / whole), ncols=in_a_row, fontsize=9.5, frameon=False,
            borderpad=0, borderaxespad=0, columnspacing=1.6, labelspacing=0.45,
        )  # fmt: skip
    return figure


def _draw_plot(axes, plot, handles):
    """Draw one panel, and add its curves to the handles of the legend, {label: line}."""
    axes.set_title(plot.title, size=11, pad=5)
    axes.set_xlabel(plot.x, size=10, labelpad=2)
    axes.set_ylabel(plot.y, size=10, labelpad=2)
    axes.grid(**GRID)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9)
    for logarithmic, axis, scale in (
        (plot.logx, axes.xaxis, axes.set_xscale),
        (plot.logy, axes.yaxis, axes.set_yscale),
    ):
        if logarithmic:
            scale("log")
            axis.set_minor_formatter(NullFormatter())
    for curve in plot.curves:
        line = _draw_curve(axes, curve, plot.logy)
        if curve.label and line:
            handles.setdefault(curve.label, line)
    if plot.ylim:
        axes.set_ylim(plot.ylim)
    if plot.logy and np.divide(*axes.get_ylim()[::-1]) < 200:  # few decades
        label_fine_decades(axes.yaxis)
    for ticks, axis, get_limits, set_limits in (
        (plot.xticks, axes.xaxis, axes.get_xlim, axes.set_xlim),
        (plot.yticks, axes.yaxis, axes.get_ylim, axes.set_ylim),
    ):
        if ticks:
            shown = get_limits()
            axis.set_ticks(ticks, [f"{x:g}" for x in ticks])
            set_limits(shown)  # which a tick beyond the data has widened
            axis.set_minor_locator(NullLocator())
    for spine in axes.spines.values():
        spine.set_color(GREY)


def _draw_curve(axes, curve, logy):
    """Draw a curve and return its line for the legend, or None if it has nothing to show."""
    style = {"color": curve.color, "linestyle": curve.dash or "none", "linewidth": 1.5}
    look = {"marker": curve.marker, "markersize": 4.5}
    if len(curve.x) == 0:
        return Line2D([], [], **look, **style)
    points = [
        (x, y, e)
        for x, y, e in zip(curve.x, curve.y, curve.error or [0] * len(curve.x), strict=True)
        if y is not None and isfinite(y) and (y > 0 or not logy)
    ]
    if not points:
        return None
    x, y = (np.array([point[k] for point in points], float) for k in (0, 1))
    below, above = np.array([np.broadcast_to(e, 2) for *_, e in points], float).T
    (line,) = axes.plot(x, y, **look, **style)
    if curve.error and curve.band:
        axes.fill_between(x, y - below, y + above, color=curve.color, **BAND)
    elif curve.error:
        axes.errorbar(
            x, y, (below, above), fmt="none", ecolor=curve.color, elinewidth=1, capsize=2.5
        )
    return line
