"""The page of a folder of figures: the answer first, then everything that is kept behind it."""

from ..data.known import dataset_title
from ..errors import program
from ..report.answer import HELD_OUT, LEFT
from ..report.publish import note_on
from ..report.verdicts import verdicts
from . import carried, claims, curves, explorer, formulas, html, steps
from .html import element, join

TITLE = "How far can the batch of SGD grow?"
FIRST = {"rule": "linear", "warmup": "none", "momentum": "0", "optimizer": "sgd"}
OTHER_COLUMNS = (
    "A run step by step is not shown: the table of the curvature is not here, or is of an older "
    f"form; {program()} measure curvature makes it."
)


def page(kept, *elsewhere):
    """The page of experiments.Kept, as bytes.

    elsewhere    those of other datasets, which the claims are about as well

    Raises:  UserError if the library that draws is not installed
    """
    dataset = next(iter(kept.made.values()))["dataset"]
    runs = _lines(kept, None if dataset == "idx" else LEFT + HELD_OUT)
    answer, answer_drawn = carried.section(kept)
    looked_at = steps.runs(kept.folder)
    one_by_one, steps_drawn = (
        steps.section(looked_at) if looked_at else (element("p", OTHER_COLUMNS), None)
    )
    sections = {
        "answer": ("How far each method carries the batch", answer),
        "explorer": ("Every run that is kept", explorer.controls(runs)),
        "steps": ("What kills 8,192, step by step", one_by_one),
        "claims": ("What became of the claims", claims.section(verdicts(kept, *elsewhere))),
        "formulas": ("The formulas", formulas.section()),
    }
    data = {"explorer": explorer.data(runs, FIRST)}
    data |= {"answer": answer_drawn} if answer_drawn else {}
    data |= {"steps": steps_drawn} if steps_drawn else {}
    note = note_on(dataset)
    contents = (
        element("li", element("a", title, href=f"#{name}")) for name, (title, _) in sections.items()
    )
    body = join([
        *([element("p", note, class_="note")] if note else []),
        element("p", f"LeNet-5 on {dataset_title(dataset)}, from scratch. Every curve and number "
                "here is read from the tables of the figures; nothing is loaded from anywhere."),
        element("nav", element("ul", *contents), aria_label="contents"),
        *(html.section(name, title, part) for name, (title, part) in sections.items()),
    ])  # fmt: skip
    scripts = [*["answer"] * bool(answer_drawn), "explorer", *["steps"] * bool(steps_drawn)]
    return html.page(TITLE, body, data, scripts)


def _lines(kept, images):
    """The lines of all whole runs, each with the figures that show it."""
    lines, figures = {}, {}
    for experiment in kept.experiments.values():
        for cell in kept.cells(experiment):
            key = curves.without_seed(cell)
            lines.setdefault(key, {})[cell.seed] = cell, kept.records(cell)
            figures.setdefault(key, {})[experiment.title] = None
    found = []
    for key, runs in lines.items():
        (line,) = curves.lines(runs.values(), images)
        line["values"]["figure"] = "\n".join(figures[key])
        found.append(line)
    return sorted(found, key=lambda line: line["size"])
