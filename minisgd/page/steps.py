"""How many steps a batch needs: steps or epochs to an accuracy, each batch size tuned by itself."""

from math import isfinite

from ..disk.formats import read_json
from ..errors import program
from ..measures import noise_scale, steps_shown
from ..measures.law import nothing_from, perfect_until
from . import colours, specs
from .html import element, join, table

TABLE = "measure-steps"
UNITS = "updates", "epochs"
HEADS = (
    "accuracy", "method", "fewest updates", "B_crit (95 %)", "S_min", "perfect scaling up to",
    "nothing gained from",
)  # fmt: skip
NONE = f"How many steps a batch needs is not shown: {program()} measure steps counts them."


def section(folder):
    """(Html, what the script draws or None) of a folder; one sentence if it holds no steps."""
    path = folder / f"{TABLE}.csv"
    if not path.exists():
        return element("p", NONE), None
    rows = steps_shown.read(path)
    lines = [line for line in steps_shown.lines(rows) if line.medians]
    if not lines:
        return element("p", NONE), None
    targets = list(dict.fromkeys(line.target for line in lines))
    html = join([
        element("p", "The updates, or epochs, to an accuracy on held-out images, with the rate and "
                "the momentum that were best at each batch size: medians of seeds that no trial "
                "saw, with bars to the least and the largest. Both kinds of SGD are clipped. A "
                "hollow mark: not every seed got there within twice the updates that the trials "
                "took. A size without a mark: no trial got there, or most seeds did not. A line is "
                "the law S = S_min (1 + B_crit/b) that is fitted to the marks. The dotted lines "
                "are the ends of B_noise while a run of 64 learns, where it was measured."),
        element("form",
                element("label", "accuracy ", element("select", *_options(
                    map(steps_shown.percent, targets)), id="steps-target")),
                element("label", "in ", element("select", *_options(UNITS), id="steps-unit")),
                id="steps-choices", class_="row"),
        element("div", id="steps-chart", class_="chart"),
        table(HEADS, map(_row, lines), "steps to an accuracy, by method"),
    ])  # fmt: skip
    sizes = sorted({row["batch_size"] for row in rows})
    drawn = {
        "spec": specs.steps(sizes, _noise(folder)),
        "images": steps_shown.images(rows),
        "targets": [[_method(line) for line in lines if line.target == t] for t in targets],
        "names": list(map(steps_shown.percent, targets)),
        "units": UNITS,
    }
    return html, drawn


def _options(names):
    return (element("option", name, value=place) for place, name in enumerate(names))


def _noise(folder):
    """The ends of B_noise, if it was measured on the images that the steps were counted on."""
    made = read_json(folder / f"{TABLE}.json", asked=dict)
    digest = made and made["asked"].get("digest")
    return steps_shown.noise_range(noise_scale.kept(folder, digest)) if digest else ()


def _row(line):
    medians, law = line.medians, line.law
    b = min(medians, key=medians.get)
    until, nothing = perfect_until(medians), nothing_from(medians)
    critical, least = law.in_words if law else ("–", "–")
    title = steps_shown.title_of(line.method)
    return [steps_shown.percent(line.target), title, f"{medians[b]:,.0f}, b = {b:,}",
            critical, least, f"{until:,}" if until else "–",
            f"{nothing:,}" if nothing else "–"]  # fmt: skip


def _method(line):
    """What the script draws of a method: its points, in updates, and its law."""
    points = []
    for b, steps in line.medians.items():
        reached = [s for s in line.steps[b] if isfinite(s)]
        rate, momentum = line.chosen[b]
        points.append({"b": b, "steps": steps, "low": min(reached), "high": max(reached),
                       "all": len(reached) == len(line.steps[b]),
                       "reached": f"{len(reached)} of {len(line.steps[b])} seeds",
                       "rate": f"{rate:.3g}", "m": f"{momentum:.3g}"})  # fmt: skip
    law = line.law and {"least": line.law.least, "critical": line.law.critical}
    look = colours.look(steps_shown.title_of(line.method), steps_shown.place_of(line.method))
    return {"look": look, "points": points, "law": law}
