"""One line of a figure: how it looks, how it is drawn, and what the legend says of it."""

from math import ceil
from typing import NamedTuple

from matplotlib.lines import Line2D

from .groups import (
    QUARTILES_FROM,
    all_groups,
    diverged_points,
    finite_values,
    labels,
    median_and_band,
    stuck_points,
    values_of_seeds,
    variants,
)
from .palette import batch_color
from .style import BAND, DASHES, GREY, batch_marker


class Style(NamedTuple):
    """How a line looks, the same in every panel and in the legend."""

    label: str
    color: tuple
    marker: str
    dash: object


def styles(panels):
    """{group: its style}. Colour and marker show the batch size, dashes show the rest."""
    variant_of, label_of = variants(panels), labels(panels)
    places = {}
    for settings in variant_of.values():
        places.setdefault(tuple(settings.values()), len(places))
    return {
        group: Style(
            label_of[group],
            batch_color(group.settings["batch_size"]),
            batch_marker(group.settings["batch_size"]),
            DASHES[places[tuple(settings.values())] % len(DASHES)],
        )
        for group, settings in variant_of.items()
    }


# ---- drawing


def draw_panel_lines(axes, panel, looks):
    """Draw the lines of a panel, with those of somebody else's runs beneath them.

    looks:  {group: its style}
    """
    for group in panel.others:
        epochs, median, _, _ = median_and_band(group, panel.metric)
        line = _other_line(batch_color(group.settings["batch_size"]))
        line.set(xdata=epochs, ydata=median)
        axes.add_line(line)
    for order, group in enumerate(panel.groups):
        style = looks[group]
        if panel.singly:
            for epochs, values in values_of_seeds(group, panel.metric):
                axes.add_line(Line2D(epochs, values, color=style.color, linewidth=0.9, alpha=0.75))
            _draw_marks(axes, group, panel.metric, style, size=4)
        else:
            _draw_median(axes, group, panel.metric, style, order)
            _draw_marks(axes, group, panel.metric, style)


def _draw_median(axes, group, metric, style, order):
    epochs, median, low, high = median_and_band(group, metric)
    if len(group.seeds) > 1:
        axes.fill_between(epochs, low, high, color=style.color, **BAND)
    every = ceil(len(epochs) / 8)  # about eight markers, and not at the same epochs for all lines
    line = _median_line(style)
    line.set(xdata=epochs, ydata=median, markevery=(order % every, every))
    axes.add_line(line)


def _draw_marks(axes, group, metric, style, size=7):
    for points, mark in (
        (stuck_points(group, metric), _stuck_mark(style.color, style.marker, size)),
        (diverged_points(group, metric), _diverged_mark(style.color)),
    ):
        if points:
            mark.set_data(*zip(*points, strict=True))
            axes.add_line(mark)


def _median_line(style):
    label, color, marker, dash = style
    line = Line2D([], [], label=label, color=color, marker=marker, linestyle=dash)
    line.set(linewidth=1.5, markersize=4.5)
    return line


def _other_line(color):
    label = "the authors' own run"
    return Line2D([], [], label=label, color=color, linestyle=(0, (4, 2)), linewidth=0.9, zorder=1)


def _stuck_mark(color, marker, size=7):
    label = "stuck: every test image given one class"
    mark = Line2D([], [], label=label, color=color, marker=marker, linestyle="none")
    mark.set(markersize=size, markerfacecolor="white", zorder=3)
    return mark


def _diverged_mark(color):
    label = "diverged: the loss was not finite, the run ends"
    mark = Line2D([], [], label=label, color=color, marker="x", linestyle="none")
    mark.set(markersize=8, markeredgewidth=2.2, zorder=4)
    return mark


# ---- the legend and the small print


def legend_handles(panels, looks):
    """(a line for each label, by batch size; a mark of each kind that is drawn)."""
    groups = sorted(all_groups(panels), key=lambda group: group.settings["batch_size"])
    lines = [_median_line(style) for style in dict.fromkeys(looks[group] for group in groups)]
    drawn = [(group, panel.metric) for panel in panels for group in panel.groups]
    marks = []
    if any(panel.others for panel in panels):
        marks.append(_other_line(GREY))
    if any(stuck_points(*what) for what in drawn):
        marks.append(_stuck_mark(GREY, "o"))
    if any(diverged_points(*what) for what in drawn):
        marks.append(_diverged_mark(GREY))
    return lines, marks


def small_print(panels):
    """The text that explains the lines and bands of the figure."""
    counts = sorted({len(group.seeds) for group in all_groups(panels)})
    if counts == [1]:
        return "One seed a line."
    fewest, most = counts[0], counts[-1]
    seeds = f"{fewest} to {most}" if fewest < most else most
    band = "minimum to maximum" if fewest < QUARTILES_FROM else "quartiles"
    if fewest < QUARTILES_FROM <= most:
        band += ", or quartiles from five seeds on"
    text = f"Line: median of {seeds} seeds. Band: {band}."
    if any(
        len(values) < len(group.seeds)
        for panel in panels
        for group in panel.groups
        for values in finite_values(group, panel.metric).values()
    ):
        text += " Where runs have ended or diverged: of those that remain."
    if any(panel.singly for panel in panels):
        text += " Where it says so, every seed is a line."
    return text
