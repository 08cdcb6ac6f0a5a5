"""Curves of the measures: panels in rows, one legend for all, the same bytes every time."""

from dataclasses import dataclass
from math import ceil, isfinite
from textwrap import wrap

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from .plots import GREY, WIDTH

PALETTE = ("#1f4f98", "#e5646c", "#10432c", "#e8913f", "#7f4ad0", "#c93a9c", "#000000", "#f0b81c")


@dataclass(frozen=True)
class Curve:
    """A line, or points where dash is none, with error bars or a band where there is an error.

    One without points stands in the legend alone.
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
    """One panel: its curves, and its axes."""

    title: str
    x: str
    y: str
    curves: tuple
    logx: bool = False
    logy: bool = False
    ylim: tuple | None = None
    xticks: tuple = ()


def chart(plots, title, note=None, per_row=2, height=2.9):
    """A figure of panels; lengths are inches from the top, so that nothing moves between saves.

    note:  a line under the title that nobody can miss
    """
    rows, titles = ceil(len(plots) / per_row), wrap(title, 90)
    labels = dict.fromkeys(c.label for plot in plots for c in plot.curves if c.label)
    longest = max(map(len, labels), default=0)
    in_a_row = max(1, min(5, 118 // (longest + 8)))
    head = 0.14 + 0.26 * len(titles) + (0.32 if note else 0)
    over, under, between, left, right = 0.36, 0.55, 0.75, 0.75, 0.15
    whole = head + rows * (over + height + under) + 0.2 * ceil(len(labels) / in_a_row) + 0.15
    figure = Figure(figsize=(WIDTH, whole), facecolor="white")
    FigureCanvasAgg(figure)
    for k, line in enumerate(titles):
        figure.text(0.5, 1 - (0.12 + 0.26 * k) / whole, line, size=12, ha="center", va="top")
    if note:
        box = {"facecolor": "#fff0b3", "edgecolor": "#b30000", "boxstyle": "round,pad=0.25"}
        y = 1 - (head - 0.15) / whole
        figure.text(0.5, y, note, size=11, weight="bold", ha="center", va="center", bbox=box)
    width = (WIDTH - left - right - between * (per_row - 1)) / per_row
    handles = {}
    for place, plot in enumerate(plots):
        row, column = divmod(place, per_row)
        x = left + column * (width + between)
        y = head + row * (over + height + under) + over
        axes = figure.add_axes((x / WIDTH, 1 - (y + height) / whole, width / WIDTH, height / whole))
        _draw(axes, plot, handles)
    figure.legend(
        handles=list(handles.values()), labels=list(handles), loc="lower center",
        bbox_to_anchor=(0.5, 0.06 / whole), ncols=in_a_row, fontsize=9.5, frameon=False,
        borderpad=0, borderaxespad=0, columnspacing=1.6, labelspacing=0.45,
    )  # fmt: skip
    return figure


def _draw(axes, plot, handles):
    axes.set_title(plot.title, size=11, pad=5)
    axes.set_xlabel(plot.x, size=10, labelpad=2)
    axes.set_ylabel(plot.y, size=10, labelpad=2)
    axes.grid(color="0.9", linewidth=0.6)
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
        points = [
            (x, y, e)
            for x, y, e in zip(curve.x, curve.y, curve.error or [0] * len(curve.x), strict=True)
            if y is not None and isfinite(y) and (y > 0 or not plot.logy)
        ]
        if not points:
            if curve.label and not curve.x:  # stands for others
                look = {"color": curve.color, "linestyle": curve.dash, "linewidth": 1.5}
                handles.setdefault(curve.label, Line2D([], [], **look))
            continue
        x, y, error = (np.array(values, float) for values in zip(*points, strict=True))
        style = {"color": curve.color, "linestyle": curve.dash or "none", "linewidth": 1.5}
        (line,) = axes.plot(x, y, marker=curve.marker, markersize=4.5, **style)
        if curve.error and curve.band:
            axes.fill_between(x, y - error, y + error, color=curve.color, alpha=0.16, linewidth=0)
        elif curve.error:
            axes.errorbar(x, y, error, fmt="none", ecolor=curve.color, elinewidth=1, capsize=2.5)
        if curve.label:
            handles.setdefault(curve.label, line)
    if plot.ylim:
        axes.set_ylim(plot.ylim)
    if plot.logy and np.divide(*axes.get_ylim()[::-1]) < 200:  # few decades: label 2 and 5, too
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
    if plot.xticks:
        shown = axes.get_xlim()
        axes.set_xticks(plot.xticks, [f"{x:g}" for x in plot.xticks])
        axes.set_xlim(shown)  # a tick beyond the data would be at the very edge
        axes.xaxis.set_minor_locator(NullLocator())
    for spine in axes.spines.values():
        spine.set_color(GREY)
