"""Steps and epochs to an accuracy against the batch size: the table, the figure and the words."""

from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path
from statistics import median

import numpy as np

from ..disk.formats import number, read_json, read_table, table_damaged
from ..drawing import GREY, MARKERS, METHOD_PALETTE, Curve, Plot
from ..report.answer import METHODS
from .common import columned, listed
from .law import GAIN, PERFECT, fitted, nothing_from, perfect_until

WHOLE = "batch_size", "seed", "updates"
WRONG = "its first line is not that of measure-steps.csv"
LEAST, MOST = 1e-9, 1e15  # of a number, where 0 makes no sense
LATE = "one of its seeds was too late"
HEADS = ("target", "method", "b", "steps", "of the seeds", "epochs", "reach it", "rate", "m")


def read(path):
    """The rows of a measure-steps.csv, at least one.

    Raises:  UserError if there is no such file; DamagedError if it is not such a table
    """
    from .steps import COLUMNS, METHODS

    texts = {
        "method": METHODS,
        "kind": ("trial", "seed"),
        "ended": ("reached", "bound", "diverged"),
    }

    def cell(column, text):
        if column in texts:
            if text not in texts[column]:
                raise ValueError(f"its {column} {text!r} is none of {', '.join(texts[column])}")
            return text
        if not text and column in ("steps", "epochs"):  # it was not reached
            return None
        kind = int if column in WHOLE else float
        return number(text, kind, 0 if column in ("seed", "momentum", "accuracy") else LEAST, MOST)

    rows = read_table(path, cell, lambda head: None if head == COLUMNS else WRONG)
    if not rows or any((row["steps"] is None) != (row["epochs"] is None) for row in rows):
        raise table_damaged(path, "it has no rows, or one of steps without epochs")
    return rows


def kept_lines(folder, dataset):
    """The Lines that a folder such as figures/ holds; [] if there are none of this dataset.

    Raises:  as `read`
    """
    made = read_json(Path(folder) / "measure-steps.json", asked=dict) or {"asked": {}}
    if made["asked"].get("digest") != dataset.identity:
        return []
    return lines(read(Path(folder) / "measure-steps.csv"))


@dataclass(frozen=True)
class Line:
    """A method on its way to a target.

    steps    {batch size: updates of each seed}, infinite where a seed did not get there within
             twice the updates that the trials found
    chosen   {batch size: (rate, momentum)}
    """

    method: str
    target: float
    steps: dict
    chosen: dict

    @property
    def medians(self):
        """{batch size: median steps}, of the sizes where most seeds get there."""
        found = {b: median(values) for b, values in sorted(self.steps.items())}
        return {b: s for b, s in found.items() if isfinite(s)}

    @property
    def law(self):
        """The Law of the medians; None if there are fewer than three."""
        return fitted(self.medians) if len(self.medians) > 2 else None

    def points(self, unit, shift=1.0):
        """The medians with bars to the least and the largest seed.

        unit     (batch size) -> what one of its steps counts as
        shift    a factor on the batch size, so that methods do not hide each other
        """
        found, errors = self.medians, []
        for b, middle in found.items():
            reached = [s for s in self.steps[b] if isfinite(s)]
            errors.append(((middle - min(reached)) * unit(b), (max(reached) - middle) * unit(b)))
        x, y = tuple(shift * b for b in found), tuple(s * unit(b) for b, s in found.items())
        return Curve(title_of(self.method), x, y, tuple(errors), dash="", **look_of(self.method))

    def late(self, unit, shift=1.0):
        """An arrow above the bar of each size of whose seeds some, not most, do not get there."""
        slowest = {b: max(s for s in self.steps[b] if isfinite(s)) for b in self.medians
                   if inf in self.steps[b]}  # fmt: skip
        x = tuple(shift * b for b in slowest)
        y = tuple(1.15 * s * unit(b) for b, s in slowest.items())
        return Curve("", x, y, color=look_of(self.method)["color"], dash="", marker="^")


def look_of(method):
    """The colour and the marker of a method."""
    place = place_of(method)
    return {"color": METHOD_PALETTE[place], "marker": MARKERS[place]}


def place_of(method):
    """Its place in the palette, that of the answer's figure if it is there."""
    names = list(METHODS)
    return names.index(method) if method in names else len(names)


def title_of(method):
    """Its title in the answer if it is there; SGD is clipped in both of its forms."""
    return METHODS[method].title if method in METHODS else f"SGD, clipped, {method}"


def lines(rows):
    """A Line for every target and method, as the rows have them."""
    found = {}
    for row in rows:
        if row["kind"] == "seed":
            key = row["target"], row["method"]
            steps, chosen = found.setdefault(key, ({}, {}))
            steps.setdefault(row["batch_size"], []).append(row["steps"] or inf)
            chosen[row["batch_size"]] = row["lr"], row["momentum"]
    targets = sorted({target for target, _ in found})
    return [Line(m, t, *found[t, m]) for target in targets for t, m in found if t == target]


def images(rows):
    """How many images the runs trained on; 1 if none reached its target."""
    found = (round(r["steps"] * r["batch_size"] / r["epochs"]) for r in rows if r["steps"])
    return max(1, next(found, 1))


def percent(target):
    return f"{100 * target:g} %"


def cost(rows):
    """(trials, other runs, epochs that all of them took, looks included)."""
    key = ("kind", "method", "batch_size", "seed", "lr", "momentum", "updates")
    runs = {tuple(row[name] for name in key): row["cost"] for row in rows}
    trials = sum(kind == "trial" for kind, *_ in runs)
    return trials, len(runs) - trials, sum(runs.values())


def table(rows):
    N, cells = images(rows), []
    for line in lines(rows):
        for b, seeds in sorted(line.steps.items()):
            reached, middle = [s for s in seeds if isfinite(s)], line.medians.get(b)
            counts = f"{min(reached):.0f} to {max(reached):.0f}" if reached else "-"
            middles = (f"{middle:.0f}", f"{middle * b / N:.2f}") if middle else ("-", "-")
            numbers = [f"{number:.3g}" for number in line.chosen[b]]
            of_all = f"{len(reached)} of {len(seeds)}"
            row = percent(line.target), line.method, b, middles[0], counts, middles[1], of_all
            cells.append([*row, *numbers])
    laws = [f"{line.method} to {percent(line.target)}: {_law(line)}" for line in lines(rows)]
    return [*columned(cells, HEADS), "", *laws]


def _law(line):
    """The law of a line and where it bends, in words."""
    found, medians = line.law, line.medians
    if not found:
        return "too few sizes get there to fit a law"
    until, nothing = perfect_until(medians), nothing_from(medians)
    return (
        f"{found}, to within {100 * found.miss:.0f} %; "
        f"{f'perfect scaling up to {until:,}' if until else 'no perfect scaling'}, "
        f"{f'nothing gained from {nothing:,} on' if nothing else 'gained to the last'}"
    )


def plots(rows, noise=()):
    """For each target two panels, steps and epochs against the batch size: points, the law fitted
    to them, and below the steps B_crit with its interval.
    """
    N, every, panels = images(rows), lines(rows), []
    sizes = tuple(sorted({row["batch_size"] for row in rows}))
    for target in dict.fromkeys(line.target for line in every):
        these = [line for line in every if line.target == target and line.medians]
        shifts = np.geomspace(0.9, 1 / 0.9, len(these))
        for what, unit in (("updates", lambda b: 1), ("epochs", lambda b: b / N)):
            shifted = list(zip(these, shifts, strict=True))
            points = [line.points(unit, k) for line, k in shifted]
            late = [curve for curve in (line.late(unit, k) for line, k in shifted) if curve.x]
            late += [Curve(LATE, (), (), color=GREY, dash="", marker="^")] if late else []
            laws = [_drawn(line, unit) for line in these if line.law]
            laws += [Curve("the law", (), (), color=GREY)] if laws else []
            critical = _critical(these, sizes) if what == "updates" else []
            curves = [*points, *late, *laws, *critical]
            curves += guides(these, curves, sizes, unit, noise_range(noise))
            title = f"{what} to {percent(target)} of the held-out images"
            panels.append(Plot(title, "batch size", what, tuple(curves), True, True, xticks=sizes))
    return tuple(panels)


def _drawn(line, unit):
    """The law of a line, between the sizes that it is fitted to."""
    b = np.geomspace(min(line.medians), max(line.medians), 50).tolist()
    steps = [line.law.steps(each) * unit(each) for each in b]
    return Curve("", tuple(b), tuple(steps), color=look_of(line.method)["color"])


def _critical(these, sizes):
    """B_crit of each line with a law, one below the other and below all steps."""
    laws = [line for line in these if line.law]
    lowest = min((min(line.medians.values()) for line in laws), default=1.0)
    ends, look = (sizes[0] / 2, 2 * sizes[-1]), {"dash": "", "marker": "|"}
    found = [Curve("B_crit, 95 % (at any height)", (), (), color=GREY, marker="|")] if laws else []
    for place, line in enumerate(laws):
        y, color = lowest / 1.4 ** (place + 2), look_of(line.method)["color"]
        low, high = max(line.law.low, ends[0]), min(line.law.high, ends[1])
        found += [
            Curve("", (low, high), (y, y), color=color),
            Curve("", (line.law.critical,), (y,), color=color, **look),
        ]
    return found


def guides(these, curves, sizes, unit, noise):
    """Perfect scaling from the best line's first point on, as far as the curves go down, and
    vertical lines at the ends of the noise scale.
    """
    if not these:
        return []
    low, high = (end(y for curve in curves for y in curve.y) for end in (min, max))
    smallest = min(min(line.medians.values()) for line in these)  # steps
    fewest = min(min(line.medians) * line.medians[min(line.medians)] for line in these)  # images
    perfect = [(b, fewest / b * unit(b)) for b in sizes if fewest / b >= smallest / 2]
    found = [Curve("perfect scaling", *zip(*perfect, strict=True), color=GREY, dash="--")]
    return found + [
        Curve("B_noise, least and most", (end, end), (low / 1.2, 1.2 * high), color=GREY, dash=":")
        for end in noise
    ]


def noise_range(noise):
    """(least, largest) B_noise of rows of the noise scale with a train loss from 1 to .04; () if
    there are none.
    """
    found = [row["exact_noise"] for row in noise if 0.04 < row["loss"] < 1]
    return (min(found), max(found)) if found else ()


def text(rows, noise=()):
    """Where perfect scaling ends, where nothing is gained any more, and B_crit against B_noise."""
    every, parts = lines(rows), []
    for target in dict.fromkeys(line.target for line in every):
        clauses = []
        for line in every:
            if line.target == target and line.medians:
                b, fewest = min(line.medians.items(), key=lambda item: item[1])
                clauses.append(f"{line.method} {fewest:.0f} with b = {b:,}")
        parts.append(f"The fewest updates to {percent(target)}: {'; '.join(clauses) or 'none'}.")
        for line in every:
            missed = [b for b in line.steps if b not in line.medians]
            if line.target == target and missed:
                parts.append(
                    f"Most seeds of {line.method} are late for {percent(target)} with b = "
                    f"{listed(sorted(missed), '{:,}')}."
                )
    never = {(row["method"], row["batch_size"], row["target"]) for row in rows}
    never -= {(line.method, b, line.target) for line in every for b in line.steps}
    for method, b, target in sorted(never):
        parts.append(f"No trial of {method} with b = {b:,} reaches {percent(target)}.")
    if ends := noise_range(noise):
        low, high = ends
        parts.append(
            f"B_noise, along a run of b = 64 at a train loss of 1 to .04, is {low:.3g} to "
            f"{high:.3g}; the interval of B_crit"
        )
        apart = [
            f"{line.method} to {percent(line.target)}"
            for line in every
            if (found := line.law) and (found.low > high or found.high < low)
        ]
        parts[-1] += f" misses it for {', '.join(apart)}." if apart else " meets it for every one."
    trials, others, epochs = cost(rows)
    parts.append(
        f"Scaling is called perfect while a size needs at most {PERFECT:g} times as many images as "
        f"the one that needs fewest, and nothing is gained where four times the batch saves less "
        f"than {100 * (1 - GAIN):.0f} % of the steps. {trials} trials and {others} runs of other "
        f"seeds took {epochs:,.0f} epochs, looks included."
    )
    return " ".join(parts)
