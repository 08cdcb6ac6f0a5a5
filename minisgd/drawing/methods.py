"""Methods compared by their final accuracies: lines over batch sizes or rates, rows of seeds."""

from dataclasses import dataclass
from statistics import median
from textwrap import wrap

from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator

from .palette import BAR, METHOD_PALETTE, PALETTE
from .style import (
    BAND,
    DASHES,
    GREY,
    GRID,
    MARKERS,
    NOTE_BOX,
    TITLE_LINE,
    WHOLE_RANGE,
    WIDTH,
    blank_figure,
    draw_heading,
    plain,
)

LINEAR = 0.01  # the losses up to which losses_figure's scale is linear
LOSS_TICKS = 0.01, 0.005, 0.0, -0.005, -0.01, -0.03, -0.1, -0.3, -1.0
TONES = (
    "#8f4a0a",
    BAR,
)  # of the tolerances, the smaller first; the words at the bar are in the first


@dataclass(frozen=True)
class Line:
    """One method: {x: the accuracies of its seeds}.

    faint    somebody else's rule, for comparison: grey, dashed, without a band
    place    of its colour and its marker, so that a method has the same in every figure; if None,
             the line's own among the others
    """

    label: str
    values: dict
    faint: bool = False
    place: int | None = None


@dataclass(frozen=True)
class Carried:
    """How large a batch of one method is within a tolerance of the bar: in every seed, and in the
    median. None: not even the smallest is.
    """

    every_seed: int | None
    in_median: int | None


@plain
def carried_figure(lines, title, ends, bar, carried, note=None):
    """How far each method carries the batch.

    Left: final accuracy against batch size, the median over the seeds and a band from minimum to
    maximum, between the accuracies `ends`; the bar with a band of +- each tolerance. Right: a row
    for each method, with a bar up to the largest batch within each tolerance.

    bar      the accuracy to compare with
    carried  {tolerance: {label: Carried}}, in the order of the lines
    """
    title_lines, head = _heading(title, note)
    below, tall = 0.75, 3.9
    height = head + 0.25 + tall + below
    figure = blank_figure(height)
    draw_heading(figure, title_lines, note, head - 0.2)
    place = [below / height, tall / height]
    axes = figure.add_axes((0.065, place[0], 0.45, place[1]), ylim=ends, xscale="log")
    _draw_bar(axes, bar, tuple(carried))
    sizes = _draw_lines(axes, lines)
    _label_faint(axes, [line for line in lines if line.faint], ends[0])
    axes.annotate(
        f"64 at its best: {bar:.4f}", (sizes[0], ends[1]), (2, -3), textcoords="offset points",
        va="top", size=8, color=TONES[0],
    )  # fmt: skip
    axes.set_title("test accuracy after 30 epochs", size=11, pad=5)
    axes.legend(loc="lower left", fontsize=8.5, frameon=False)
    rows = figure.add_axes((0.72, place[0], 0.26, place[1]), xscale="log")
    labels = [line.label for line in lines]
    tones = dict(zip(sorted(carried), TONES, strict=False))
    for k, (tolerance, found) in enumerate(sorted(carried.items())):
        for row, label in enumerate(labels):
            y = row + 0.19 * (1 if k == 0 else -1)
            both = found[label]
            for b, alpha in ((both.in_median, 0.35), (both.every_seed, 1.0)):
                if b:
                    rows.barh(y, b - sizes[0] * 0.8, 0.32, sizes[0] * 0.8, color=tones[tolerance],
                              alpha=alpha, linewidth=0)  # fmt: skip
            if not both.in_median:
                rows.text(sizes[0] * 0.85, y, "none", size=7, va="center", color=GREY)
    rows.set_ylim(len(labels) - 0.5, -0.5)
    rows.set_yticks(range(len(labels)), labels)
    rows.set_title("largest batch that is as accurate", size=11, pad=5)
    key = [
        Patch(color=tone, alpha=alpha, linewidth=0, label=f"within {tolerance:g}, {words}")
        for tolerance, tone in sorted(tones.items(), reverse=True)
        for alpha, words in ((1.0, "every seed"), (0.35, "median"))
    ]
    rows.legend(handles=key, fontsize=7, frameon=False, loc="center right",
                bbox_to_anchor=(1.0, 0.33), labelspacing=0.3)  # fmt: skip
    for part in (axes, rows):
        part.set_xlim(sizes[0] * 0.8, sizes[-1] * 1.25)
        part.set_axisbelow(True)
        _ticks(part, sizes, "batch size")
    return figure


def _label_faint(axes, lines, lowest):
    """Write the name of each line at its end, or where it leaves the axes at the bottom."""
    leaving = 0
    for line in lines:
        sizes = sorted(line.values)
        middle = [median(line.values[b]) for b in sizes]
        at, side = (sizes[-1], middle[-1]), "left"
        if middle[-1] < lowest:
            k = next(k for k, y in enumerate(middle) if y < lowest)
            part = (middle[k - 1] - lowest) / (middle[k - 1] - middle[k])
            at = sizes[k - 1] * (sizes[k] / sizes[k - 1]) ** part, lowest
            side = "left" if leaving % 2 else "right"
            leaving += 1
        axes.annotate(
            line.label, at, (5 if side == "left" else -5, 3), textcoords="offset points", ha=side,
            va="bottom", size=7.5, color="0.35",
            bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.5},
        )  # fmt: skip


@plain
def method_figure(lines, title, x_label, zoom, note=None):
    """Final accuracy of each method against x: median over the seeds, band from minimum to maximum.

    The left part shows the whole range, the right part `zoom` to 1.

    zoom        (from, to): the accuracies of the right part
    """
    title_lines, head = _heading(title, note)
    legend = 0.8 + 0.22 * (-(-len(lines) // 4))
    height = head + 3.6 + legend
    figure = blank_figure(height)
    draw_heading(figure, title_lines, note, head - 0.2)
    for place, ends in enumerate((WHOLE_RANGE, zoom)):
        box = (0.07 + 0.49 * place, (legend + 0.1) / height, 0.43, 3.2 / height)
        axes = figure.add_axes(box, ylim=ends, xscale="log")
        xs = _draw_lines(axes, lines)
        axes.set_title(("whole range", f"{ends[0]:g} to {ends[1]:g}")[place], size=11, pad=5)
        _ticks(axes, xs, x_label)
    handles, names = axes.get_legend_handles_labels()
    figure.legend(
        handles, names, loc="lower center", ncols=4, fontsize=9, frameon=False, borderpad=0,
        bbox_to_anchor=(0.5, 0.05 / height), borderaxespad=0, labelspacing=0.4, columnspacing=1.4,
    )  # fmt: skip
    return figure


def _ticks(axes, xs, label):
    """Ticks at these x, and only there, on a logarithmic axis."""
    axes.set_xlabel(label, size=10)
    axes.set_xticks(xs, [f"{x:,}" if isinstance(x, int) else f"{x:g}" for x in xs])
    axes.tick_params(labelsize=8.5)
    axes.tick_params(axis="x", labelrotation=35)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(**GRID)


def _heading(title, note):
    """(the lines of the title, the inches that they and the note take)."""
    lines = wrap(title, 90)
    return lines, 0.2 + TITLE_LINE * len(lines) + (NOTE_BOX if note else 0)


def _draw_bar(axes, bar, tolerances):
    for tolerance in sorted(tolerances, reverse=True):
        axes.axhspan(bar - tolerance, bar + tolerance, color=BAR, alpha=0.16, linewidth=0)
    axes.axhline(bar, color=BAR, linewidth=1)


def _draw_lines(axes, lines, labels=None):
    """Draw the lines and return the x of the methods, sorted.

    labels   of the methods, in whose order they have their colours, if not in that of the lines;
             then every line is for the legend
    """
    clear = [line for line in lines if not line.faint]
    faint = [line for line in lines if line.faint]
    for k, line in enumerate(faint):
        xs = sorted(line.values)
        y = [median(line.values[x]) for x in xs]
        dash = DASHES[1 + k % (len(DASHES) - 1)]
        axes.plot(xs, y, color="0.55", linestyle=dash, linewidth=1.2,
                  label=line.label if labels else None)  # fmt: skip
    for among, line in enumerate(clear):
        k = _place(line, labels.index(line.label) if labels else among)
        xs, color = sorted(line.values), METHOD_PALETTE[k % len(METHOD_PALETTE)]
        ends = [[end(line.values[x]) for x in xs] for end in (min, max)]
        axes.fill_between(xs, *ends, color=color, **BAND)
        y = [median(line.values[x]) for x in xs]
        axes.plot(xs, y, color=color, marker=MARKERS[k % len(MARKERS)], markersize=4.5,
                  linewidth=1.5, label=line.label)  # fmt: skip
    return sorted({x for line in clear for x in line.values})


def _place(line, among):
    return among if line.place is None else line.place


@dataclass(frozen=True)
class Losses:
    """A panel of losses_figure."""

    title: str
    lines: list


@plain
def losses_figure(panels, title, y_label, ends, tolerances, note=None):
    """What each way loses with the batch size, in panels side by side on one scale: medians over
    the seeds, bands from minimum to maximum, and a band for each tolerance around nothing lost. The
    scale is linear within LINEAR of nothing and logarithmic beyond, so that .002 can be seen beside
    the loss of everything.

    panels   [Losses], whose lines hold differences of accuracies
    ends     (from, to): the differences shown
    """
    title_lines, head = _heading(title, note)
    labels = list(dict.fromkeys(
        line.label for panel in panels for line in panel.lines if not line.faint
    ))  # fmt: skip
    below = 1.35
    height = head + 0.45 + 3.2 + below
    figure = blank_figure(height)
    draw_heading(figure, title_lines, note, head - 0.2)
    wide, key = 0.88 / len(panels), {}
    for k, panel in enumerate(panels):
        box = (0.105 + wide * k, below / height, wide - 0.025, 3.2 / height)
        axes = figure.add_axes(box, ylim=ends, xscale="log")
        axes.set_yscale("symlog", linthresh=LINEAR, linscale=1.5)
        axes.set_yticks([y for y in LOSS_TICKS if ends[0] <= y <= ends[1]])
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())
        _draw_bar(axes, 0.0, tolerances)
        xs = _draw_lines(axes, panel.lines, labels)
        axes.set_title(panel.title, size=10, pad=5)
        _ticks(axes, xs, "batch size")
        if k:
            axes.tick_params(labelleft=False)
        key |= dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    figure.axes[0].set_ylabel(f"{y_label}\n(logarithmic beyond {LINEAR:g})", size=9)
    names = [*labels, *(name for name in key if name not in labels)]
    figure.legend(
        [key[name] for name in names], names, loc="lower center", ncols=4, fontsize=9,
        frameon=False, bbox_to_anchor=(0.5, 0.02 / height), borderaxespad=0, columnspacing=1.4,
        title="medians over the seeds; bands from the lowest to the highest", title_fontsize=9,
    )  # fmt: skip
    return figure


@plain
def rows_figure(rows, title, ends, note=None, threshold=None):
    """One row for each {label: accuracies}: a dot for every seed, a tick at the median.

    ends    (from, to): the accuracies shown. An arrow stands for what lies below them: the median,
            or how many seeds
    threshold    an accuracy at which a line is drawn across all rows
    """
    title_lines, head = _heading(title, note)
    height = head + 0.24 * len(rows) + 0.65
    figure = blank_figure(height)
    draw_heading(figure, title_lines, note, head - 0.2)
    left = 0.08 * max(map(len, rows)) + 0.2  # inches that the longest label takes
    box = (left / WIDTH, 0.5 / height, (WIDTH - left - 0.2) / WIDTH, 0.24 * len(rows) / height)
    axes = figure.add_axes(box, xlim=ends, ylim=(len(rows) - 0.5, -0.5))
    for y, values in enumerate(rows.values()):
        middle = median(values)
        axes.plot(values, [y] * len(values), "o", color=PALETTE[0], markersize=3.5, alpha=0.5)
        axes.plot([middle], [y], "|", color=PALETTE[1], markersize=11, markeredgewidth=2)
        if unseen := sum(value < ends[0] for value in values):
            words = f" ← {middle:.3f}" if middle < ends[0] else f" ← {unseen} more"
            axes.text(ends[0], y, words, size=8.5, va="center", color=GREY)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_xlabel("test accuracy at the end: a dot for each seed, their median a tick", size=10)
    axes.tick_params(labelsize=9)
    axes.grid(**GRID)
    axes.set_axisbelow(True)
    if threshold is not None:
        axes.axvline(threshold, color=GREY, linestyle="--", linewidth=1)
    return figure
