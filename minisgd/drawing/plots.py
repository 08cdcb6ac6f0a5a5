"""Records in, figures out: accuracy by epoch, one line a batch size, as in the report's figures.

A record is one row of metrics.csv: a dict with its columns, None where a value was not finite.
Every panel of accuracies has two parts: the whole range, which shows the runs that never learn, and
below it 0.9 to 1, where the others differ (left out if nothing gets there). A loss has one, by
powers of ten.
"""

from collections import namedtuple
from io import BytesIO
from math import ceil, isfinite, log2
from pathlib import Path
from textwrap import wrap

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from ..disk.files import make_folder, write_aside
from ..errors import SettingError

METRICS = {"train_accuracy": "train accuracy", "test_accuracy": "test accuracy"}
LOSSES = {"train_loss": "train loss", "test_loss": "test loss"}
ZOOM = 0.9  # the lower part shows accuracies from here to 1
WIDTH = 9.0  # inches; a README shows it about 900 pixels wide, so a point is 1.4 pixels there
# Of 64, 128, ..., 8192: each darker than the one before, neighbours apart for the colour-blind too.
COLORS = LinearSegmentedColormap.from_list(
    "batch sizes",
    ("#f0b81c", "#e8913f", "#e5646c", "#c93a9c", "#7f4ad0", "#1f4f98", "#10432c", "#000000"),
)
MARKERS = "os^DvPp*"
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (3, 1, 1, 1, 1, 1)))
GREY = "0.35"

# What tells one line from another, besides the seed. The rate is not here: it moves in a warmup.
SETTINGS = ("batch_size", "rule", "warmup", "optimizer", "base_lr", "momentum")

# The runs of one line: its settings, and for each seed {epoch: record}.
Group = namedtuple("Group", "settings seeds")
# One part of a figure: a metric of some groups under a title, the median over seeds or one by one;
# `others` are groups of somebody else's, for comparison.
Panel = namedtuple("Panel", "title metric groups singly others", defaults=(False, ()))
# How a line looks, the same in every panel and in the legend.
Style = namedtuple("Style", "label color marker dash")


def batch_color(batch_size):
    """The colour of a batch size, whatever else is drawn: the larger, the darker.

    Sizes between 64 ... 8192 lie between their colours by log2, sizes beyond have the end's.
    """
    return COLORS(float(np.clip(log2(batch_size / 64) / 7, 0.0, 1.0)))


def accuracy_figure(records, title, note=None):
    """Train and test accuracy by epoch, side by side: one line a batch size, the median over seeds.

    Several seeds have a band: minimum to maximum, or quartiles from five seeds on. Epochs in which
    some run was stuck are hollow marks; an x stands where a run diverged, at its last finite value.
    Where records differ in more than batch size and seed, there is a line for each combination and
    its label tells it apart.
    The η of a label is the largest rate in force, which is the scaled one after a warmup.

    note:    a line under the title that nobody can miss
    Raises:  SettingError (a ValueError) if there is nothing to draw, or two records of one epoch
    Source:  report Fig. 1 to 6
    """
    groups = _groups(records, "accuracy_figure")
    return _draw([Panel(text, metric, groups) for metric, text in METRICS.items()], title, note)


def report_figure(records, title, losses=False, apart=(), reference=(), note=None, held_out=False):
    """A figure of the report, over seeds: `accuracy_figure` and, two in a row, what else it needs.

    losses:     train and test loss, too
    apart:      batch sizes whose test accuracy is drawn again, every seed a line: where the spread
                is the story
    reference:  somebody else's records of the same runs, drawn dashed
    held_out:   the test accuracy is that of held-out training images, and is called so
    Raises:     as accuracy_figure
    Source:     report Fig. 1 to 6
    """
    groups = _groups(records, "report_figure")
    others = _groups(reference, "report_figure") if reference else ()
    panels = [
        Panel(text, metric, groups, others=others)
        for metric, text in (METRICS | (LOSSES if losses else {})).items()
    ]
    for b in apart:
        alone, theirs = (
            [group for group in some if group.settings["batch_size"] == b]
            for some in (groups, others)
        )
        if alone:
            text = f"test accuracy at b = {b}, every seed"
            panels.append(Panel(text, "test_accuracy", alone, singly=True, others=theirs))
    if held_out:
        panels = [p._replace(title=p.title.replace("test", "validation")) for p in panels]
    return _draw(panels, title, note, per_row=2)


def rate_figure(rows, chosen, title, note=None):
    """Final accuracy against the learning rate: median over seeds, band minimum to maximum.

    rows:    dicts with lr, validation_accuracy and test_accuracy, a run each
    chosen:  {"validation": the rate that held-out images choose, "test": the test set's}
    """
    figure = Figure(figsize=(WIDTH, 4.6), facecolor="white")
    FigureCanvasAgg(figure)
    rates = sorted({row["lr"] for row in rows})
    for place, ends in enumerate(((-0.03, 1.03), (ZOOM, 1.0))):
        axes = figure.add_axes((0.07 + 0.5 * place, 0.2, 0.42, 0.62), ylim=ends, xscale="log")
        axes.grid(color="0.9", linewidth=0.6)
        axes.tick_params(labelsize=9)
        axes.set_title(("whole range", f"{ZOOM} to 1")[place], size=11, pad=5)
        axes.set_xlabel("learning rate", size=10)
        for by, color, dash, mark in (
            ("validation", "#1f4f98", "-", "o"),
            ("test", "#c93a9c", "--", "s"),
        ):
            column = f"{by}_accuracy"
            values = [[row[column] for row in rows if row["lr"] == lr] for lr in rates]
            low, high = ([end(some) for some in values] for end in (min, max))
            axes.fill_between(rates, low, high, color=color, alpha=0.16, linewidth=0)
            middle = [float(np.median(some)) for some in values]
            label = f"{by}: best at {chosen[by]:g}"
            axes.plot(rates, middle, dash, color=color, marker=mark, markersize=4.5, label=label)
            axes.axvline(chosen[by], color=color, linestyle=dash, linewidth=0.9)
    axes.axvline(0.01, color=GREY, linestyle=":", linewidth=1.2, label="the report's 0.01")
    figure.axes[0].axvline(0.01, color=GREY, linestyle=":", linewidth=1.2)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=3, fontsize=9.5, frameon=False)
    figure.text(0.5, 0.97, title, size=12, ha="center", va="top")
    if note:
        figure.text(0.5, 0.91, note, size=11, weight="bold", ha="center", va="top")
    return figure


def comparison_figure(sweeps, metric="test_accuracy", note=None):
    """Several sweeps beside each other: a panel for each (title, records), one legend for all.

    Labels tell the batch size and what differs inside a sweep; what differs between sweeps is for
    their titles to say. The rates are in the labels if all sweeps agree on them.

    metric:  train_accuracy or test_accuracy
    Raises:  SettingError (a ValueError) for another metric, no sweeps, or a sweep without records
    """
    if metric not in METRICS:
        raise SettingError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")
    if not sweeps:
        raise SettingError("comparison_figure has no sweeps to draw")
    panels = [Panel(title, metric, _groups(records, title)) for title, records in sweeps]
    return _draw(panels, METRICS[metric].capitalize(), note)


def save(figure, folder, name):
    """Write folder/name.png and folder/name.svg, and return their paths.

    Each is written aside and renamed, so that a reader finds a whole picture or the old one.
    The same figure gives the same bytes: the SVG has no date and its names are not random.

    Raises:  StorageError if the folder cannot be written
    """
    make_folder(folder)
    paths = []
    for kind, options in (("png", {"dpi": 150}), ("svg", {"metadata": {"Date": None}})):
        picture = BytesIO()
        with rc_context({"svg.hashsalt": "minisgd"}):
            figure.savefig(picture, format=kind, **options)
        path = Path(folder) / f"{name}.{kind}"
        write_aside(path, picture.getvalue())
        paths.append(path)
    return paths


def _groups(records, where):
    """The records as groups, by batch size, then as they came."""
    groups = {}
    for record in records:
        settings = tuple(record[column] for column in SETTINGS)
        group = groups.setdefault(settings, Group(dict(zip(SETTINGS, settings, strict=True)), {}))
        epochs = group.seeds.setdefault(record["seed"], {})
        if record["epoch"] in epochs:
            raise SettingError(
                f"{where}: two records of epoch {record['epoch']} for batch size "
                f"{record['batch_size']}, seed {record['seed']}; no column tells them apart"
            )
        epochs[record["epoch"]] = record
    if not groups:
        raise SettingError(f"{where}: there are no records to draw")
    return sorted(groups.values(), key=lambda group: group.settings["batch_size"])


def _finite(value):
    return value is not None and isfinite(value)


def _values(group, metric):
    """{epoch: the finite values of its seeds}, in order of epochs."""
    epochs = sorted({epoch for run in group.seeds.values() for epoch in run})
    runs = group.seeds.values()
    return {
        i: [run[i][metric] for run in runs if i in run and _finite(run[i][metric])] for i in epochs
    }


def _all_values(panel):
    groups = (*panel.groups, *panel.others)
    return [v for group in groups for vs in _values(group, panel.metric).values() for v in vs]


def _rate(group):
    """The largest rate in force, or None."""
    records = [record for run in group.seeds.values() for record in run.values()]
    return max((record["lr"] for record in records if _finite(record["lr"])), default=None)


def _line(group, metric):
    """epochs, median, low, high: the band is the quartiles from five seeds on, else all of them."""
    values = _values(group, metric)
    ends = (25, 75) if len(group.seeds) >= 5 else (0, 100)
    rows = [np.percentile(v, (50, *ends)) if v else (np.nan,) * 3 for v in values.values()]
    return (np.array(list(values)), *np.array(rows).T)


def _stuck(group, metric):
    """The (epoch, value) at which some run was stuck."""
    records = (record for run in group.seeds.values() for record in run.values())
    return sorted(
        {
            (record["epoch"], record[metric])
            for record in records
            if record["status"] == "stuck" and _finite(record[metric])
        }
    )


def _diverged(group, metric):
    """The (epoch, value) at which runs diverged: the last finite value, or 0 if there is none."""
    points = set()
    for run in group.seeds.values():
        last = max(run)
        if run[last]["status"] == "diverged":
            values = [run[i][metric] for i in sorted(run) if _finite(run[i][metric])]
            points.add((last, values[-1] if values else 0.0))
    return sorted(points)


def _styles(panels):
    """How each group looks: {id(group): style}. Colour and marker tell b, dashes the rest."""
    groups = {id(group): group for panel in panels for group in panel.groups}
    # A setting is worth a word if it differs within a panel.
    differs = [
        column
        for column in SETTINGS[1:]
        if any(len({group.settings[column] for group in panel.groups}) > 1 for panel in panels)
    ]
    if all(group.settings["base_lr"] == _rate(group) for group in groups.values()):
        differs = [column for column in differs if column != "base_lr"]  # η says it already
    keys, variants, rates = {}, {}, {}
    for name, group in groups.items():
        variant = tuple(group.settings[column] for column in differs)
        variants.setdefault(variant, len(variants))
        keys[name] = group.settings["batch_size"], variant
        rates.setdefault(keys[name], set()).add(_rate(group))
    agreed = all(len(rate) == 1 for rate in rates.values())  # one η for each line of the legend
    styles = {}
    for name, group in groups.items():
        (b, variant), rate = keys[name], _rate(group)
        parts = [f"b = {b}"]
        if agreed and rate is not None:
            parts.append(f"η = {rate:.4g}")
        parts += [_words(column, group.settings[column]) for column in differs]
        styles[name] = Style(
            ", ".join(parts),
            batch_color(b),
            MARKERS[round(log2(b / 64)) % len(MARKERS)],
            DASHES[variants[variant] % len(DASHES)],
        )
    return styles


def _words(column, value):
    """A setting as a label tells it."""
    if column == "base_lr":
        return f"η0 = {value:.4g}" if _finite(value) else "no η0"
    if column == "momentum":
        return f"m = {value:.4g}" if _finite(value) else "no m"
    if column == "rule":
        return "no scaling" if value == "none" else f"{value} scaling"
    if column == "warmup":
        return "no warmup" if value == "none" else f"{value} warmup"
    return str(value)


def _draw(panels, title, note, per_row=4):
    """The figure: panels in rows, each the whole range above 0.9 to 1.

    Lengths are inches from the top; there is no layout engine, so nothing moves between two saves.
    """
    styles = _styles(panels)
    groups = {id(group): group for panel in panels for group in panel.groups}
    lines, marks = _handles(panels, groups, styles)
    longest = max(len(line.get_label()) for line in lines)
    line_columns = max(1, min(4, 124 // (longest + 8)))
    legends = [(lines, line_columns)] + ([(marks, len(marks))] if marks else [])
    small = wrap(_small_print(panels, groups), 130)
    titles = wrap(title.replace(" = ", "\u00a0=\u00a0"), 90)

    rows = ceil(len(panels) / per_row)
    columns = ceil(len(panels) / rows)
    losses = [v for p in panels if p.metric in LOSSES for v in _all_values(p) if v > 0] or [1.0]
    loss_ends = 0.8 * min(losses), 1.25 * max(losses)  # of all, for a row has one scale
    panel_titles = [wrap(panel.title, 90 // columns) for panel in panels]
    head = 0.12 + 0.26 * len(titles) + (0.32 if note else 0.0)
    over = 0.12 + 0.2 * max(len(lines) for lines in panel_titles)  # the panels' own titles
    parts = [("whole range", (-0.03, 1.03), 1.6), (f"{ZOOM} to 1", (ZOOM, 1.0), 1.9)]
    accuracies = [panel for panel in panels if panel.metric in METRICS]
    if not any(value > ZOOM for panel in accuracies for value in _all_values(panel)):
        parts = [("whole range", (-0.03, 1.03), 2.6)]
    gap, under = 0.12, 0.5
    whole = sum(size + gap for *_, size in parts) - gap
    row_height = over + whole + under
    legend_height = sum(0.2 * ceil(len(handles) / n) + 0.06 for handles, n in legends)
    height = head + rows * row_height + legend_height + 0.04 + 0.18 * len(small) + 0.06
    figure = Figure(figsize=(WIDTH, height), facecolor="white")
    FigureCanvasAgg(figure)

    top = 0.12
    for line in titles:
        figure.text(0.5, 1 - top / height, line, size=12, ha="center", va="top")
        top += 0.26
    if note:
        box = {"facecolor": "#fff0b3", "edgecolor": "#b30000", "boxstyle": "round,pad=0.25"}
        y = 1 - (top + 0.17) / height
        figure.text(0.5, y, note, size=11, weight="bold", ha="center", va="center", bbox=box)

    left, right, between = 0.68, 0.12, 0.2
    width = (WIDTH - left - right - between * (columns - 1)) / columns
    epochs = [i for group in groups.values() for run in group.seeds.values() for i in run]
    for place, panel in enumerate(panels):
        row, column = divmod(place, columns)
        x, y = left + column * (width + between), head + row * row_height + over
        parts_here = parts
        if panel.metric in LOSSES:
            parts_here = [("cross-entropy", loss_ends, whole)]
        for part in parts_here:
            name, ends, size = part
            box = (x / WIDTH, 1 - (y + size) / height, width / WIDTH, size / height)
            axes = figure.add_axes(box, ylim=ends)
            if panel.metric in LOSSES:
                axes.set_yscale("log")
                axes.set_ylim(ends)
                axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axes.yaxis.set_major_formatter("{x:g}")
                axes.yaxis.set_minor_formatter(NullFormatter())
            axes.set_xlim(min(epochs) - 0.7, max(epochs) + 0.7)
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
            axes.tick_params(labelsize=9, labelleft=column == 0, labelbottom=part is parts_here[-1])
            axes.grid(color="0.9", linewidth=0.6)
            axes.set_axisbelow(True)
            if part is parts_here[0]:
                axes.set_title("\n".join(panel_titles[place]), size=11, pad=5)
            if part is parts_here[-1]:
                axes.set_xlabel("epoch", size=10, labelpad=2)
            if column == 0:
                axes.set_ylabel(name, size=10)
                axes.yaxis.set_label_coords(-0.5 / width, 0.5)
            for group in panel.others:
                _draw_other(axes, group, panel.metric)
            for order, group in enumerate(panel.groups):
                if panel.singly:
                    _draw_seeds(axes, group, panel.metric, styles[id(group)])
                else:
                    _draw_group(axes, group, panel.metric, styles[id(group)], order)
            y += size + gap

    top = head + rows * row_height
    for handles, legend_columns in legends:
        figure.legend(
            handles=handles,
            loc="upper center",
            bbox_to_anchor=(0.5, 1 - top / height),
            ncols=legend_columns,
            fontsize=9.5,
            frameon=False,
            borderpad=0,
            borderaxespad=0,
            handlelength=2.6,
            columnspacing=1.6,
            labelspacing=0.45,
        )
        top += 0.2 * ceil(len(handles) / legend_columns) + 0.06
    top += 0.04
    for line in small:
        figure.text(0.5, 1 - top / height, line, size=8.5, color=GREY, ha="center", va="top")
        top += 0.18
    return figure


def _draw_other(axes, group, metric):
    """Somebody else's line."""
    epochs, median, _, _ = _line(group, metric)
    line = _other_mark(batch_color(group.settings["batch_size"]))
    line.set(xdata=epochs, ydata=median)
    axes.add_line(line)


def _draw_seeds(axes, group, metric, style):
    """A thin line for every seed, with its marks."""
    for run in group.seeds.values():
        epochs = sorted(run)
        values = [run[i][metric] if _finite(run[i][metric]) else np.nan for i in epochs]
        axes.add_line(Line2D(epochs, values, color=style.color, linewidth=0.9, alpha=0.75))
    _draw_marks(axes, group, metric, style, size=4)


def _draw_marks(axes, group, metric, style, size=7):
    for points, mark in (
        (_stuck(group, metric), _stuck_mark(style.color, style.marker, size)),
        (_diverged(group, metric), _diverged_mark(style.color)),
    ):
        if points:
            mark.set_data(*zip(*points, strict=True))
            axes.add_line(mark)


def _draw_group(axes, group, metric, style, order):
    """One line with its band and marks."""
    epochs, median, low, high = _line(group, metric)
    if len(group.seeds) > 1:
        axes.fill_between(epochs, low, high, color=style.color, alpha=0.16, linewidth=0)
    every = ceil(len(epochs) / 8)  # a marker here and there, not at the same epochs for all
    line = _median_mark(style)
    line.set(xdata=epochs, ydata=median, markevery=(order % every, every))
    axes.add_line(line)
    _draw_marks(axes, group, metric, style)


def _median_mark(style):
    label, color, marker, dash = style
    line = Line2D([], [], label=label, color=color, marker=marker, linestyle=dash)
    line.set(linewidth=1.5, markersize=4.5)
    return line


def _other_mark(color):
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


def _handles(panels, groups, styles):
    """For the legend: a line for each label, smallest batch size first; each kind of mark drawn."""
    lines = {}
    for group in sorted(groups.values(), key=lambda group: group.settings["batch_size"]):
        style = styles[id(group)]
        lines.setdefault(style.label, _median_mark(style))
    drawn = [(group, panel.metric) for panel in panels for group in panel.groups]
    marks = []
    if any(panel.others for panel in panels):
        marks.append(_other_mark(GREY))
    if any(_stuck(*what) for what in drawn):
        marks.append(_stuck_mark(GREY, "o"))
    if any(_diverged(*what) for what in drawn):
        marks.append(_diverged_mark(GREY))
    return list(lines.values()), marks


def _small_print(panels, groups):
    """What line and band are."""
    counts = sorted({len(group.seeds) for group in groups.values()})
    if counts == [1]:
        return "One seed a line."
    seeds = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else counts[0]
    band = "minimum to maximum" if counts[0] < 5 else "quartiles"
    if counts[-1] >= 5 and counts[0] < 5:
        band += ", or quartiles from five seeds on"
    text = f"Line: median of {seeds} seeds. Band: {band}."
    if any(
        len(values) < len(group.seeds)
        for panel in panels
        for group in panel.groups
        for values in _values(group, panel.metric).values()
    ):
        text += " Where runs have ended or diverged: of those that remain."
    if any(panel.singly for panel in panels):
        text += " Where it says so, every seed is a line."
    return text
