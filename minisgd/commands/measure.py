"""measure: the formulas that the report argues with, measured."""

import time
from functools import partial

import click

from .console import clock, command_line, say, show, stop, stopped
from .options import SEED, options
from .types import Entry

KEPT = "noise-scale", "steps"


@click.command()
@click.argument("what", nargs=-1, type=Entry("minisgd.measures", "MEASURES", besides=["all"]))
@options("seed", "figures", "runs", "dataset", "threads", "data_dir",
         seed={"type": SEED},
         runs={"help": "Folder of what long measures keep as they go."},
         dataset={"default": "mnist", "help": "What to measure on."},
         threads={"help": "Threads of a measure.  [default: the cores]"})  # fmt: skip
def measure(what, seed, out, runs, dataset, threads, data_dir):
    """Measure the formulas that the report argues with.

    WHAT is one or more of the names above, or all. Each leaves a table and a figure, and says in a
    paragraph what they show. Those of many runs are resumable, run by run. The runs of steps are
    made side by side, each in a process of one of the threads. What the folder of the figures has
    of steps and of noise-scale is not made again.
    """
    from minisgd.data import load_dataset
    from minisgd.errors import program
    from minisgd.lab.facts import cores
    from minisgd.measures import MEASURES, RESUMED
    from minisgd.report.trials import Trials

    every, data = not what or "all" in what, None
    for name in MEASURES if every else dict.fromkeys(what):
        if every and name == "methods" and not Trials(out).rows:
            trials = f"`{program()} answer trials`"
            say(f"methods is left out: {out} holds no searches, see {trials}")
            continue
        data = data or load_dataset(dataset, data_dir, log=say)
        try:
            measure_one(name, data, seed, out, runs, threads or cores())
        except KeyboardInterrupt as interrupt:
            folder = kept_runs(runs, data, name)
            count = len(list(folder.glob("*.json"))) if name in RESUMED else 0
            stop(interrupt, stopped(count, folder, "run") if count else None)


def kept_runs(runs, data, name):
    """Where a measure of many runs keeps their rows as they are made."""
    return runs / data.name / f"measure-{name}"


def measure_one(name, data, seed, out, runs, threads):
    """Measure one formula, print the result and keep it in the folder `out`."""
    from threadpoolctl import threadpool_limits

    from minisgd import drawing
    from minisgd.disk.formats import read_json, remembered, write_table
    from minisgd.measures import MEASURES, RESUMED, noise_scale
    from minisgd.report.answer_plan import watched
    from minisgd.report.publish import (
        how_made,
        note_on,
        page,
        prepare_folder,
        publish,
        refuse_another_question,
    )
    from minisgd.report.trials import Trials

    into = f"measure-{name}"
    asked = {"seed": seed, "dataset": data.name, "digest": data.identity}

    def remember(which, asked, compute):
        """The rows of one run of this measure, which go to the folder of runs as they are made."""
        path = kept_runs(runs, data, name) / f"{which}.json"
        return remembered(path, asked | {"digest": data.identity}, compute)

    more = {"remember": remember} if name in RESUMED else {}
    if name == "steps":
        more |= {"noise": noise_scale.kept(out, data.identity)}
    if name == "methods" and (trials := Trials(out)).rows:
        more = {"runs": watched(trials)}
        asked |= {"runs": [settings.differing() for settings in more["runs"]]}
    prepare_folder(out)
    refuse_another_question(out, into, asked)
    began, note = time.monotonic(), note_on(data.name)
    found = kept(name, out, len(data.train.labels), **more)
    if found:
        made = read_json(out / f"{into}.json") | {"title": found.title, "text": found.text}
        say(f"what {out / f'{into}.csv'} holds is not made again; another --out makes it anew")
    else:
        with threadpool_limits(1, user_api="blas"):  # the lanes have threads of their own
            found = MEASURES[name](data, seed, threads, say, **more)
        made = {"title": found.title, "asked": asked, "text": found.text}
        if name not in RESUMED:  # of whose runs some may have been made before
            made |= {"seconds": round(time.monotonic() - began)}
        made |= how_made(command_line()) | {"threads": threads}
    draw = found.draw or partial(drawing.chart, found.plots, height=found.height)
    figure = draw(found.title, note)
    write_csv = partial(write_table, columns=found.columns, rows=found.rows)
    # Before anything is printed: stdout may be full, or closed.
    where = publish(out, into, figure, "every number", made, write_csv)
    took = clock(time.monotonic() - began)
    show([*page(found.title, note, found.table, found.text), f"{where}; {took}"])


def kept(name, out, N, noise=(), **_):
    """The Measured of what the folder `out` holds; None if it holds none, or of another measure
    than those of which a chapter of the lesson asks for it again.

    N        images of the training set
    noise    rows of the noise scale
    """
    from minisgd.measures import noise_scale, steps_shown
    from minisgd.measures.steps import measured

    paths = [out / f"measure-{name}.{ending}" for ending in ("csv", "json")]
    if name not in KEPT or not all(path.exists() for path in paths):
        return None
    if name == "noise-scale":
        return noise_scale.measured(noise_scale.read(paths[0]), N)
    return measured(steps_shown.read(paths[0]), noise)
