"""What else the records of sweeps show: the rate of every epoch, and where each batch size ends."""

from math import ceil

from ..errors import SettingError
from .groups import Panel, group_records, median_and_band
from .lines import styles
from .methods import Line, method_figure
from .panels import Curve, Plot, chart
from .style import ZOOM, plain


@plain
def schedule_figure(records, title, note=None):
    """The learning rate in force at the end of every epoch, a line for each batch size.

    records, note:  as for accuracy_figure, and so are the lines and their labels
    Raises:         as accuracy_figure
    """
    groups = group_records(records, "schedule_figure")
    panel = Panel("", "lr", groups)
    looks = styles([panel])
    curves = []
    for group in groups:
        epochs, rate, _, _ = median_and_band(group, "lr")
        look = looks[group]
        curves.append(
            Curve(look.label, epochs, rate, color=look.color, marker=look.marker, dash=look.dash)
        )
    longest = max((curve.x for curve in curves), key=len)
    ticks = tuple(longest[:: ceil(len(longest) / 10)])
    plot = Plot("", "epoch", "learning rate", tuple(curves), logy=True, xticks=ticks)
    return chart([plot], title, note, per_row=1)


@plain
def size_figure(sweeps, title, note=None):
    """The test accuracy at the end against the batch size: the median over the seeds, and a band
    from minimum to maximum. A run that diverged ends at 0.

    sweeps:  {label: records}, a line each
    Raises:  SettingError (a ValueError) for no sweep, one without records, or one whose records
             differ in more than batch size and seed, which would be another line
    """
    if not sweeps:
        raise SettingError("size_figure has no sweeps to draw")
    lines = []
    for label, records in sweeps.items():
        values = {}
        for group in group_records(records, label):
            b = group.settings["batch_size"]
            if b in values:
                raise SettingError(
                    f"size_figure: {label!r} has runs at batch size {b} that differ in more than "
                    "the seed: give each kind a label of its own"
                )
            values[b] = [run[max(run)]["test_accuracy"] or 0.0 for run in group.seeds.values()]
        lines.append(Line(label, values))
    return method_figure(lines, title, "batch size", (ZOOM, 1.0), note)
