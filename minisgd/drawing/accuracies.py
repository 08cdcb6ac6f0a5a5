"""Accuracy and loss by epoch, one line for each batch size, as in the report's figures.

Every panel of accuracies has two parts. The upper one shows the whole range, and so the runs that
never learn. The lower one shows 0.9 to 1, where the other runs differ, and is left out if none gets
there. A panel of losses has one part, with a logarithmic axis.
"""

from dataclasses import replace
from math import ceil
from textwrap import wrap
from typing import NamedTuple

from matplotlib.ticker import MaxNLocator, NullFormatter

from ..errors import SettingError
from .groups import Panel, all_groups, finite_values, group_records
from .lines import draw_panel_lines, legend_handles, small_print, styles
from .style import (
    GREY,
    GRID,
    NOTE_BOX,
    TALLEST,
    TITLE_LINE,
    WHOLE_RANGE,
    WIDTH,
    ZOOM,
    blank_figure,
    draw_heading,
    label_fine_decades,
    plain,
)

METRICS = {"train_accuracy": "train accuracy", "test_accuracy": "test accuracy"}
LOSSES = {"train_loss": "train loss", "test_loss": "test loss"}


@plain
def accuracy_figure(records, title, note=None):
    """Train and test accuracy by epoch, side by side: one line for each batch size.

    A line is the median over the seeds. Several seeds also have a band: minimum to maximum, or the
    quartiles from five seeds on. Hollow marks are epochs in which some run was stuck. An x marks
    where a run diverged, at its last finite value.
    Where records differ in more than batch size and seed, each combination has a line, and its
    label tells it apart. The η of a label is the largest rate in force, which after a warmup is the
    scaled rate.

    records:  rows of metrics.csv, as dicts; a missing setting has its default
    note:     a line under the title that nobody can miss
    Raises:   SettingError (a ValueError) if there is nothing to draw, or if no column tells two
              records of one epoch apart
    Source:   report Fig. 1 to 6
    """
    groups = group_records(records, "accuracy_figure")
    return _draw([Panel(text, metric, groups) for metric, text in METRICS.items()], title, note)


@plain
def report_figure(records, title, losses=False, apart=(), reference=(), note=None, held_out=False):
    """A figure of the report over several seeds: `accuracy_figure` with more panels or lines.

    losses:     draw train and test loss as well
    apart:      batch sizes whose test accuracy is drawn again with a line for every seed, because
                the spread is what matters
    reference:  somebody else's records of the same runs, drawn as dashed lines
    held_out:   the test accuracy is that of held-out training images, and is called validation
                accuracy
    Raises:     as accuracy_figure
    Source:     report Fig. 1 to 6
    """
    groups = group_records(records, "report_figure")
    others = group_records(reference, "report_figure") if reference else ()
    panels = [
        Panel(text, metric, groups, others=others)
        for metric, text in (METRICS | (LOSSES if losses else {})).items()
    ]
    for b in apart:
        ours, theirs = (
            [group for group in of_all_sizes if group.settings["batch_size"] == b]
            for of_all_sizes in (groups, others)
        )
        if ours:
            text = f"test accuracy at b = {b}, every seed"
            panels.append(Panel(text, "test_accuracy", ours, singly=True, others=theirs))
    if held_out:
        panels = [replace(p, title=p.title.replace("test", "validation")) for p in panels]
    return _draw(panels, title, note, per_row=2)


@plain
def comparison_figure(sweeps, metric="test_accuracy", note=None):
    """Several sweeps side by side: a panel for each (title, records), one legend for all.

    A label gives the batch size and what differs within a sweep. What differs between sweeps is
    left to their titles. The rates are in the labels if all sweeps agree on them.

    metric:  train_accuracy or test_accuracy
    Raises:  SettingError (a ValueError) for another metric, no sweeps, or a sweep without records
    """
    if metric not in METRICS:
        raise SettingError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")
    if not sweeps:
        raise SettingError("comparison_figure has no sweeps to draw")
    panels = [Panel(title, metric, group_records(records, title)) for title, records in sweeps]
    return _draw(panels, METRICS[metric].capitalize(), note)


# ---- the layout: lengths are inches, y runs down from the top


class Part(NamedTuple):
    """A range of the vertical axis that is drawn in axes of its own."""

    name: str
    ends: tuple
    height: float


GAP = 0.12  # between the parts of a panel
UNDER = 0.5  # below a panel, for the numbers and the label of its horizontal axis
LEFT, RIGHT, BETWEEN = 0.68, 0.12, 0.2  # beside and between the panels


def _draw(panels, title, note, per_row=4):
    """The figure: its heading, the panels in rows, the legends and the small print."""
    looks = styles(panels)
    legends = _legends(panels, looks)
    small = wrap(small_print(panels), 130)
    title_lines = wrap(title.replace(" = ", "\u00a0=\u00a0"), 90)
    rows = ceil(len(panels) / per_row)
    columns = ceil(len(panels) / rows)
    panel_titles = [wrap(panel.title, 90 // columns) for panel in panels]

    head = 0.12 + TITLE_LINE * len(title_lines) + (NOTE_BOX if note else 0.0)
    over = 0.12 + 0.2 * max(len(lines) for lines in panel_titles)
    foot = sum(_legend_height(*legend) for legend in legends) + 0.04 + 0.18 * len(small) + 0.06
    accuracy_parts, loss_parts = _parts(panels, (TALLEST - head - foot) / rows - over - UNDER)
    row_height = over + _height(accuracy_parts) + UNDER
    height = head + rows * row_height + foot
    figure = blank_figure(height)
    draw_heading(figure, title_lines, note, 0.12 + TITLE_LINE * len(title_lines) + 0.17)

    width = (WIDTH - LEFT - RIGHT - BETWEEN * (columns - 1)) / columns
    epochs = [epoch for g in all_groups(panels) for run in g.seeds.values() for epoch in run]
    for place, panel in enumerate(panels):
        row, column = divmod(place, columns)
        x, y = LEFT + column * (width + BETWEEN), head + row * row_height + over
        parts = loss_parts if panel.metric in LOSSES else accuracy_parts
        for part in parts:
            box = x / WIDTH, 1 - (y + part.height) / height, width / WIDTH, part.height / height
            axes = figure.add_axes(box, ylim=part.ends)
            if panel.metric in LOSSES:
                axes.set_yscale("log")
                axes.set_ylim(part.ends)
                label_fine_decades(axes.yaxis)
                axes.yaxis.set_minor_formatter(NullFormatter())
            axes.set_xlim(min(epochs) - 0.7, max(epochs) + 0.7)
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
            axes.tick_params(labelsize=9, labelleft=column == 0, labelbottom=part is parts[-1])
            axes.grid(**GRID)
            axes.set_axisbelow(True)
            if part is parts[0]:
                axes.set_title("\n".join(panel_titles[place]), size=11, pad=5)
            if part is parts[-1]:
                axes.set_xlabel("epoch", size=10, labelpad=2)
            if column == 0:
                axes.set_ylabel(part.name, size=10)
                axes.yaxis.set_label_coords(-0.5 / width, 0.5)
            draw_panel_lines(axes, panel, looks)
            y += part.height + GAP
    _draw_foot(figure, head + rows * row_height, legends, small)
    return figure


def _parts(panels, tallest):
    """The parts of a panel of accuracies and those of a panel of losses, equal in height and no
    higher than `tallest`.

    All losses share one scale, because only the left panel of a row has numbers.
    """
    values = {metric: [] for metric in (*METRICS, *LOSSES)}
    for panel in panels:
        for group in (*panel.groups, *panel.others):
            for of_one_epoch in finite_values(group, panel.metric).values():
                values[panel.metric] += of_one_epoch
    accuracies = [value for metric in METRICS for value in values[metric]]
    losses = [value for metric in LOSSES for value in values[metric] if value > 0] or [1.0]
    parts = [Part("whole range", WHOLE_RANGE, 1.6), Part(f"{ZOOM} to 1", (ZOOM, 1.0), 1.9)]
    if not any(value > ZOOM for value in accuracies):
        parts = [Part("whole range", WHOLE_RANGE, 2.6)]
    gaps = GAP * (len(parts) - 1)
    flatter = min(1.0, (tallest - gaps) / (_height(parts) - gaps))
    parts = [part._replace(height=flatter * part.height) for part in parts]
    loss_ends = 0.8 * min(losses), 1.25 * max(losses)
    return parts, [Part("cross-entropy", loss_ends, _height(parts))]


def _height(parts):
    return sum(part.height + GAP for part in parts) - GAP


def _legends(panels, looks):
    """The legends as (handles, columns): one of the lines, and below it one of any marks."""
    lines, marks = legend_handles(panels, looks)
    longest = max(len(line.get_label()) for line in lines)
    columns = max(1, min(4, 124 // (longest + 8)))
    return [(lines, columns)] + ([(marks, len(marks))] if marks else [])


def _legend_height(handles, columns):
    return 0.2 * ceil(len(handles) / columns) + 0.06


def _draw_foot(figure, top, legends, small):
    """Draw the legends and the small print, starting `top` inches from the top of the figure."""
    height = figure.get_figheight()
    for handles, columns in legends:
        figure.legend(
            handles=handles, loc="upper center", bbox_to_anchor=(0.5, 1 - top / height),
            ncols=columns, fontsize=9.5, frameon=False, borderpad=0, borderaxespad=0,
            handlelength=2.6, columnspacing=1.6, labelspacing=0.45,
        )  # fmt: skip
        top += _legend_height(handles, columns)
    top += 0.04
    for line in small:
        figure.text(0.5, 1 - top / height, line, size=8.5, color=GREY, ha="center", va="top")
        top += 0.18
