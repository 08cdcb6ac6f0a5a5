"""Methods compared by their final accuracies: lines over batch sizes or rates, rows of seeds."""

from dataclasses import dataclass
from statistics import median
from textwrap import wrap

from matplotlib.ticker import NullLocator

from .style import (
    BAND,
    DASHES,
    GREY,
    GRID,
    MARKERS,
    NOTE_BOX,
    PALETTE,
    TITLE_LINE,
    WHOLE_RANGE,
    WIDTH,
    blank_figure,
    draw_heading,
)


@dataclass(frozen=True)
class Line:
    """One method: {x: the accuracies of its seeds}.

    faint    somebody else's rule, for comparison: grey, dashed, without a band
    """

    label: str
    values: dict
    faint: bool = False


def method_figure(lines, title, x_label, zoom, bar=None, tolerances=(), note=None):
    """Final accuracy of each method against x: median over the seeds, band from minimum to maximum.

    The left part shows the whole range, the right part `zoom` to 1.

    zoom        (from, to): the accuracies of the right part
    bar         an accuracy to compare with; bands of +- the tolerances are drawn around it
    """
    title_lines, head = _heading(title, note)
    legend = 0.8 + 0.22 * (-(-(len(lines) + bool(bar)) // 4))
    height = head + 3.6 + legend
    figure = blank_figure(height)
    draw_heading(figure, title_lines, note, head - 0.2)
    for place, ends in enumerate((WHOLE_RANGE, zoom)):
        box = (0.07 + 0.49 * place, (legend + 0.1) / height, 0.43, 3.2 / height)
        axes = figure.add_axes(box, ylim=ends, xscale="log")
        _draw_bar(axes, bar, tolerances)
        xs = _draw_lines(axes, lines)
        axes.set_title(("whole range", f"{ends[0]:g} to {ends[1]:g}")[place], size=11, pad=5)
        axes.set_xlabel(x_label, size=10)
        axes.set_xticks(xs, [f"{x:,}" if isinstance(x, int) else f"{x:g}" for x in xs])
        axes.tick_params(labelsize=8.5)
        axes.tick_params(axis="x", labelrotation=35)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.grid(**GRID)
    handles, names = axes.get_legend_handles_labels()
    figure.legend(
        handles, names, loc="lower center", ncols=4, fontsize=9, frameon=False, borderpad=0,
        bbox_to_anchor=(0.5, 0.05 / height), borderaxespad=0, labelspacing=0.4, columnspacing=1.4,
    )  # fmt: skip
    return figure


def _heading(title, note):
    """(the lines of the title, the inches that they and the note take)."""
    lines = wrap(title, 90)
    return lines, 0.2 + TITLE_LINE * len(lines) + (NOTE_BOX if note else 0)


def _draw_bar(axes, bar, tolerances):
    if bar is None:
        return
    for tolerance in sorted(tolerances, reverse=True):
        axes.axhspan(bar - tolerance, bar + tolerance, color="#e8913f", alpha=0.16, linewidth=0)
    label = f"64 at its best, {bar:.4f}" + "".join(f", ± {t:g}" for t in tolerances)
    axes.axhline(bar, color="#e8913f", linewidth=1, label=label)


def _draw_lines(axes, lines):
    """Draw the lines and return the x of the methods, sorted."""
    clear = [line for line in lines if not line.faint]
    faint = [line for line in lines if line.faint]
    for k, line in enumerate(faint):
        xs = sorted(line.values)
        y = [median(line.values[x]) for x in xs]
        dash = DASHES[1 + k % (len(DASHES) - 1)]
        axes.plot(xs, y, color="0.55", linestyle=dash, linewidth=1.2, label=line.label)
    for k, line in enumerate(clear):
        xs, color = sorted(line.values), PALETTE[k % len(PALETTE)]
        ends = [[end(line.values[x]) for x in xs] for end in (min, max)]
        axes.fill_between(xs, *ends, color=color, **BAND)
        y = [median(line.values[x]) for x in xs]
        axes.plot(xs, y, color=color, marker=MARKERS[k % len(MARKERS)], markersize=4.5,
                  linewidth=1.5, label=line.label)  # fmt: skip
    return sorted({x for line in clear for x in line.values})


def rows_figure(rows, title, ends, note=None):
    """One row for each {label: accuracies}: a dot for every seed, a tick at the median.

    ends    (from, to): the accuracies shown. An arrow and the number stand for a median below them
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
        if middle < ends[0]:
            axes.text(ends[0], y, f" ← {middle:.3f}", size=8.5, va="center", color=GREY)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_xlabel("test accuracy at the end: a dot for each seed, their median a tick", size=10)
    axes.tick_params(labelsize=9)
    axes.grid(**GRID)
    axes.set_axisbelow(True)
    return figure
