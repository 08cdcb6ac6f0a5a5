"""The page of a folder of figures: the answer first, then everything that is kept behind it."""

from ..data.known import dataset_title
from ..errors import program
from ..report.answer import HELD_OUT, LEFT
from ..report.carry import DRAWN
from ..report.publish import note_on
from ..report.verdicts import verdicts
from ..settings import DEFAULTS
from . import carried, claims, curvature, curves, explorer, formulas, html, places, ranks, steps
from .html import element, join

TITLE = "How far can the batch of SGD grow?"
FIRST = {"rule": "linear", "warmup": "none", "momentum": "0", "optimizer": "sgd",
         "network": DEFAULTS["network"], "init": DEFAULTS["init"]}  # fmt: skip
LEFT_OUT = (
    "All epochs of all runs behind the figures, but for those of which only the end is kept: the "
    f"trials of the searches, and the runs of {program()} tune and {program()} grow."
)
OTHER_COLUMNS = (
    "A run update by update is not shown: the table of the curvature is not here, or is of an "
    f"older form; {program()} measure curvature makes it."
)


def page(kept, *elsewhere):
    """The page of experiments.Kept, as bytes.

    elsewhere    those of other datasets, which the claims are about as well

    Raises:  UserError if the library that draws is not installed
    """
    dataset = _dataset(kept)
    runs = [line for every in (kept, *elsewhere) for line in _lines(every)]
    runs.sort(key=lambda line: line["size"])
    answer, answer_drawn = carried.section(kept)
    in_places, places_drawn = places.section(kept, elsewhere)
    looked_at = curvature.runs(kept.folder)
    by_update, curvature_drawn = (
        curvature.section(looked_at) if looked_at else (element("p", OTHER_COLUMNS), None)
    )
    chosen = explorer.controls(runs)
    needed, steps_drawn = steps.section(kept.folder)
    on_ranks, ranks_drawn = ranks.section(kept.folder)
    sections = {
        "answer": ("How far each method carries the batch", answer),
        "places": ("Does the answer carry over?", in_places),
        "explorer": ("Every run that is kept", join([element("p", LEFT_OUT), chosen])),
        "curvature": ("What kills 8,192, update by update", by_update),
        "steps": ("How many steps a batch needs", needed),
        "ranks": ("What more ranks buy", on_ranks),
        "claims": ("What became of the claims", claims.section(verdicts(kept, *elsewhere))),
        "formulas": ("The formulas", formulas.section()),
    }
    first = FIRST | {"dataset": dataset_title(dataset)}
    data = {"answer": answer_drawn, "places": places_drawn}
    data |= {"explorer": explorer.data(runs, first)}
    data |= {"curvature": curvature_drawn, "steps": steps_drawn, "ranks": ranks_drawn}
    data = {name: drawn for name, drawn in data.items() if drawn}
    note = note_on(dataset)
    contents = (
        element("li", element("a", title, href=f"#{name}")) for name, (title, _) in sections.items()
    )
    body = join([
        *([element("p", note, class_="note")] if note else []),
        element("p", f"LeNet-5 from scratch, on {dataset_title(dataset)} unless it says otherwise. "
                "Every curve and number here is read from the tables of the figures; nothing is "
                "loaded from anywhere."),
        element("nav", element("ul", *contents), aria_label="contents"),
        *(html.section(name, title, part) for name, (title, part) in sections.items()),
    ])  # fmt: skip
    return html.page(TITLE, body, data, ["choices", *data])


def _dataset(kept):
    return next(iter(kept.made.values()))["dataset"]


def _lines(kept):
    """The lines of all whole runs on one dataset, each with the figures that show it, and with what
    a figure shows of it that has not all of its seeds.
    """
    lines, figures = {}, {}
    for experiment in kept.experiments.values():
        for cell in kept.cells(experiment):
            key = curves.without_seed(cell)
            lines.setdefault(key, {})[cell.seed] = cell, kept.records(cell)
            figures.setdefault(key, {}).setdefault(experiment.title, []).append(cell.seed)
    if not lines:
        return []
    dataset = _dataset(kept)
    images = None if dataset == "idx" else DRAWN.get(dataset, LEFT + HELD_OUT)
    title = f"{images:,} drawn digits" if dataset in DRAWN else dataset_title(dataset)
    found = []
    for key, runs in lines.items():
        (line,) = curves.lines(runs.values(), images)
        line["values"] |= {"figure": "\n".join(figures[key]), "dataset": title}
        line["words"]["dataset"] = f"on {title}"
        line["within"] = {
            title: curves.of_seeds({seed: curves.by_epoch(runs[seed][1]) for seed in seeds})
            for title, seeds in figures[key].items()
            if len(seeds) < len(runs)
        }
        found.append(line)
    return found
