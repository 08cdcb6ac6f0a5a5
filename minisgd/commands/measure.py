"""measure: the formulas that the report argues with, measured."""

import time
from functools import partial

import click

from .console import clock, command_line, say, show
from .options import options
from .types import Entry
from .workshop import with_workshop


@click.command()
@click.argument("what", nargs=-1, type=Entry("minisgd.measures", "MEASURES", besides=["all"]))
@options("seed", "figures")
@with_workshop
def measure(workshop, what, seed, out):
    """Measure the formulas that the report argues with.

    WHAT is one or more of the names above, or all. Each leaves a table and a figure, and says in a
    paragraph what they show. Only the runs of sharpness go to a --scheduler; the others are one
    process, with --threads times --jobs threads.
    """
    from minisgd.measures import MEASURES
    from minisgd.report.trials import Trials

    every = not what or "all" in what
    for name in MEASURES if every else dict.fromkeys(what):
        if every and name == "methods" and not Trials(out).rows:
            say(f"methods is left out: {out} holds no searches, see `python cli.py answer trials`")
            continue
        measure_one(workshop, name, seed, out)


def measure_one(workshop, name, seed, out):
    """Measure one formula, print the result and keep it in the folder `out`."""
    from threadpoolctl import threadpool_limits

    from minisgd import drawing
    from minisgd.disk.formats import remembered, write_table
    from minisgd.lab.run_folder import read_checkpoint
    from minisgd.measures import MEASURES
    from minisgd.report.answer import watched
    from minisgd.report.experiments import Kept
    from minisgd.report.publish import how_made, note_on, page, publish, refuse_another_question
    from minisgd.report.trials import Trials

    data, into = workshop.data(), f"measure-{name}"
    asked = {"seed": seed, "dataset": data.name, "digest": data.identity}

    def run(cells):
        """Train whole runs, for the measure of where they end: {settings: (w, records)}."""
        folders = workshop.run_all("measure", cells, data)
        found = {cell: read_checkpoint(folder.newest) for cell, folder in folders.items()}
        return {cell: (state.w, records) for cell, (_, records, state) in found.items()}

    def remember(which, asked, compute):
        """The rows of one run of this measure, which go to the folder of runs as they are made."""
        path = workshop.folder / data.name / into / f"{which}.json"
        return remembered(path, asked | {"digest": data.identity}, compute)

    more = {
        "sharpness": {"run": run},
        "noise-scale": {"kept": Kept(out)},
        "curvature": {"remember": remember},
        "survival": {"remember": remember},
    }.get(name, {})
    if name == "methods" and (trials := Trials(out)).rows:
        more = {"runs": watched(trials)}
        asked |= {"runs": [settings.differing() for settings in more["runs"]]}
    refuse_another_question(out, into, asked)
    began, threads = time.monotonic(), workshop.jobs * workshop.threads
    with threadpool_limits(1, user_api="blas"):  # the lanes have threads of their own
        found = MEASURES[name](data, seed, threads, say, **more)
    took, note = time.monotonic() - began, note_on(data.name)
    made = {"title": found.title, "asked": asked, "text": found.text, "seconds": round(took)}
    made |= {key: value for key, value in workshop.how_made(()).items() if key != "runs"}
    if name != "sharpness":  # only its runs use a device or a scheduler
        made |= {"device": "cpu", "machine": how_made(command_line())["machine"]}
    draw = found.draw or partial(drawing.chart, found.plots, height=found.height)
    figure = draw(found.title, note)
    write_csv = partial(write_table, columns=found.columns, rows=found.rows)
    show(page(found.title, note, found.table, found.text))
    where = publish(out, into, figure, "every number", made, write_csv)
    click.echo(f"{where}; {clock(took)}")
