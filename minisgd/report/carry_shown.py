"""What the runs of `carry` come to: what each way loses, in tables and as lines."""

from dataclasses import replace
from statistics import median

from ..drawing import Line, Losses
from . import answer, carry
from .answer import at_sizes, winners
from .answer_shown import bar_of, by_seed, reported_lines, results, spread
from .trials import Trials

ENDS = (-1.0, 0.01)  # of the differences that are drawn


def lines_of(found):
    """{(way, batch size): accuracies} as lines over the batch size; the report's rules are faint.

    At 64 the report's rules share a run, which is in the line of each.
    """
    lines, methods = {}, list(answer.METHODS)
    for (way, b), values in found.items():
        lines.setdefault(way, {})[b] = values
    return [
        Line(answer.METHODS[way].title, values, place=methods.index(way))
        if way in methods
        else Line(way, values, faint=True)
        for way, values in lines.items()
    ]


def part_lines(part, kept):
    """The lines of a carry.Part; none if it has no runs."""
    name = part.experiment.name
    return lines_of(results(kept, name, part.cells)) if name in kept.made else []


def panels(name, parts, kept):
    """[(title, lines, bar)] of a place: LeNet-5 on MNIST, then there with its settings, then tuned
    there. The bar is the best median of 64 there, by whatever way that was tried; where no method
    has runs of 64 there is none, and no panel.

    kept    {dataset: Kept}, as carry.everything gives it
    """
    place, home = carry.PLACES[name], kept[None]
    trials = Trials(home.folder)
    tuned = at_sizes(winners(trials, answer.SEARCHES), carry.BEST, place.sizes)
    on_mnist = trials.made["dataset"] == "mnist"
    rules = [
        Line(line.label, {b: v for b, v in line.values.items() if b in place.sizes}, faint=True)
        for line in (reported_lines(home) if place.rules else ())
    ]
    there = [
        (words, part_lines(parts[key], kept[place.dataset]))
        for key, words in ((name, f"there, with {place.whose if on_mnist else carry.ANSWERS}"),
                           (f"{name}-tuned", "tuned there"))
        if key in parts
    ]  # fmt: skip
    title = f"LeNet-5 on {'MNIST' if on_mnist else trials.made['dataset']}"
    here = [(title, lines_of(results(home, "answer", tuned)) + rules)]
    found = []
    for some in (here, there):
        every = [line for _, lines in some for line in lines]
        if any(64 in line.values for line in every if not line.faint):
            found += [(title, lines, bar_of(every)) for title, lines in some if lines]
    return found


def lost(lines, bar):
    """The lines with what is below the bar, or above it, in place of the accuracies."""
    return [
        replace(line, values={b: [round(v - bar, 9) for v in values]
                              for b, values in line.values.items()})
        for line in lines
    ]  # fmt: skip


def as_losses(found):
    """The panels as drawing.Losses."""
    return [Losses("\n".join(heading(*panel)), lost(panel[1], panel[2])) for panel in found]


def heading(title, lines, bar):
    """The two lines above a panel: what it is of; the bar, and how many seeds the methods have."""
    methods = [line for line in lines if not line.faint] or lines
    count = max(len(values) for line in methods for values in line.values.values())
    seeds = f"{count} seed{'s' if count > 1 else ''}"
    return title, f"64 at its best: {bar:.4f}; {seeds}"


def table(found):
    """A block for each panel: the accuracies of every way at every batch size."""
    width = 2 + max(len(line.label) for _, lines, _ in found for line in lines)
    rows = []
    for title, lines, bar in found:
        sizes = sorted({b for line in lines for b in line.values})
        rows += _block(f"{title}; 64 at its best: {bar:.4f}", lines, sizes, spread, width)
    return rows[:-1]


# ---- more data


def data_panels(parts, kept):
    """{method: [Line]}, a line for each number of drawn digits, with the seeds that every batch
    size has, for each is held against its own run with the smallest; {} if there is none.
    """
    found = {}
    for method in carry.GROWING:
        lines = []
        for dataset, N in carry.DRAWN.items():
            name = f"carry-{dataset}"
            if dataset in parts and name in kept[dataset].made:
                cells = {b: parts[dataset].cells[method, b] for b in carry.DIVISORS}
                accuracies = by_seed(kept[dataset], name, cells)
                seeds = set.intersection(*(set(accuracies.get(b, ())) for b in cells))
                if seeds:
                    values = {b: [accuracies[b][seed] for seed in sorted(seeds)] for b in cells}
                    lines.append(Line(f"{N:,} images", values))
        if lines:
            found[method] = lines
    return found


def against_smallest(line):
    """The line with what each seed is above its own run with the smallest batch, or below it. Each
    batch size must have the same seeds in the same order, as in data_panels.
    """
    smallest = line.values[carry.DIVISORS[0]]
    return replace(line, values={
        b: [round(v - first, 9) for v, first in zip(values, smallest, strict=True)]
        for b, values in line.values.items()
    })  # fmt: skip


def data_losses(found):
    """The same as drawing.Losses: what a batch loses against the smallest, of as many images."""
    return [
        Losses(answer.METHODS[method].title, [against_smallest(line) for line in lines])
        for method, lines in found.items()
    ]


def data_table(found):
    """By method, number of images and batch size: accuracies, and what each seed loses against its
    run with the smallest batch.
    """
    first, rows = carry.DIVISORS[0], []
    for method, lines in found.items():
        title = answer.METHODS[method].title
        rows += _block(f"{title}: test accuracy", lines, carry.DIVISORS, spread)
        against = [against_smallest(line) for line in lines]
        rows += _block(f"{title}: against {first} images", against, carry.DIVISORS[1:], _signed)
    return rows


def _block(title, lines, sizes, words, width=18):
    """The title, the sizes, a row for each line, and an empty one.

    words    what is said of the seeds of a size
    width    of the labels, in characters
    """
    rows = [title, " " * width + "".join(f"{b:,}".ljust(29) for b in sizes).rstrip()]
    for line in lines:
        cells = (words(line.values[b]) if b in line.values else "-" for b in sizes)
        rows.append(line.label.ljust(width) + "".join(c.ljust(29) for c in cells).rstrip())
    return [*rows, ""]


def _signed(values):
    """The median, the smallest and the largest of differences."""
    return f"{median(values):+.4f} ({min(values):+.4f} to {max(values):+.4f})"
