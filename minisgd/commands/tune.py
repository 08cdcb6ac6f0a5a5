"""tune and grow: numbers chosen on images that are held out from training."""

from functools import partial

import click

from .console import say, show
from .options import RUN, UPDATE, options, settings_of
from .types import Entry, Ranges, Rates
from .workshop import with_workshop

SEEDS = {"help": "How many seeds, or which, as in a sweep."}


@click.command()
@click.option("--lrs", type=Rates(),
              help="Rates, separated by commas.  [default: .001 .002 .005 ... .5]")  # fmt: skip
@click.option("--search", "ranges", type=Ranges(), metavar="RANGES",
              help="Search these numbers together instead: lr=.01:.3,momentum=.8:.98")  # fmt: skip
@click.option("--trials", type=click.IntRange(1, 10_000), default=12, show_default=True,
              help="Trials of a search, in its first round.")  # fmt: skip
@click.option("--halvings", type=click.IntRange(0, 20), default=2, show_default=True,
              help="How often its better half is tried in runs twice as long.")  # fmt: skip
@options(
    "batch_size",
    *RUN,
    "seeds",
    "held_out",
    "figures",
    lr={"help": "The rate, where a search leaves it alone."},
    seeds=SEEDS | {"default": None, "help": SEEDS["help"] + "  [default: 3; to search, 1]"},
)
@with_workshop
@click.pass_context
def tune(ctx, workshop, lrs, ranges, trials, halvings, seeds, held_out, out, **run):
    """Choose the rate, or several numbers, on held-out images.

    Without --search, a grid of rates: the one that the test set would choose, as it did in the
    report, is shown beside the one that the held-out images choose.
    """
    if ranges and lrs:
        raise click.UsageError("--lrs is a grid of rates and --search is none: leave out one")
    default = click.core.ParameterSource.DEFAULT
    given = {name for name in ctx.params if ctx.get_parameter_source(name) is not default}
    if not ranges and (alone := given & {"trials", "halvings"}):
        raise click.UsageError(f"--{min(alone)} belongs to --search: give its ranges as well")
    if twice := given & {each.name for each in ranges or ()}:
        flag = min(twice).replace("_", "-")
        raise click.UsageError(f"--search looks for the {min(twice)}: leave out --{flag}")
    if ranges and run["optimizer"] == "sgd" and any(each.name == "momentum" for each in ranges):
        raise click.UsageError("--optimizer sgd has no momentum to search: leave one of them out")
    if not ranges and "lr" in given:
        raise click.UsageError("--lr is a single rate: give --lrs, the rates to choose from")
    if ranges:
        seeds = seeds or (0,)
        search_numbers(workshop, ranges, trials, halvings, seeds, held_out, out, run)
    else:
        tune_rate(workshop, lrs, seeds or (0, 1, 2), held_out, out, run)


def tune_rate(workshop, lrs, seeds, held_out, out, run):
    """The grid of rates, with the test set's choice beside the one on held-out images."""
    from minisgd import drawing
    from minisgd.disk.formats import write_table
    from minisgd.report import selection
    from minisgd.report.publish import (
        note_on,
        page,
        prepare_folder,
        publish,
        refuse_another_question,
    )
    from minisgd.report.search import halve, trials_of

    rates = [settings_of(**run | {"lr": lr}) for lr in sorted(set(lrs or selection.RATES))]
    data, common = workshop.data(), rates[0]
    split, folders = selection.hold_out(data, held_out), {}
    asked = {k: v for k, v in common.what_matters().items() if k in run and k != "lr"}
    asked |= {"lrs": [c.lr for c in rates], "seeds": list(seeds)}
    asked |= {"held out": held_out, "dataset": data.name, "digest": data.identity}
    common.check(len(split.train.labels))
    prepare_folder(out)
    refuse_another_question(out, "tune", asked)
    ends = halve(partial(records_of, workshop, f"tune-{held_out}", split, folders),
                 {"": rates}, seeds, halvings=0)[""]  # fmt: skip
    trials = selection.with_test(trials_of(ends), folders, data)
    title = (
        f"Which rate? b = {common.batch_size}, m = {common.momentum:g}, {common.epochs} epochs, "
        f"{_beyond(common)}{held_out:,} of {len(data.train.labels):,} training images held out"
    )
    note = note_on(data.name)
    lines, advice = selection.table(trials)
    rows = selection.rows(trials)
    chosen = {by: selection.best(trials, by)[0] for by in ("validation", "test")}
    figure = drawing.rate_figure(rows, chosen, title, note)
    made = {"title": title, "asked": asked} | workshop.how_made(folders)
    write_csv = partial(write_table, columns=selection.COLUMNS, rows=rows)
    where = publish(out, "tune", figure, "every run", made, write_csv)
    show([*page(title, note, lines), where])
    for sentence in advice:
        say(sentence)


def search_numbers(workshop, ranges, trials, halvings, seeds, held_out, out, run):
    """A search of several numbers, with the trials as a table and as a panel for each number."""
    from minisgd import drawing
    from minisgd.lab.metrics import tidy, write_metrics
    from minisgd.report import search_shown
    from minisgd.report.publish import (
        note_on,
        page,
        prepare_folder,
        publish,
        refuse_another_question,
    )
    from minisgd.report.search import EFFECTIVE, Search, halve, trials_of
    from minisgd.report.selection import hold_out

    searched = {each.name: each.low for each in ranges}
    base = settings_of(**run | {k: v for k, v in searched.items() if k != EFFECTIVE})
    if EFFECTIVE in searched:
        searched["lr"] = None  # it follows
    search = Search(base, ranges, trials, halvings, seeds)
    candidates, data = search.candidates(), workshop.data()
    split, folders = hold_out(data, held_out), {}
    asked = {k: v for k, v in base.what_matters().items() if k in run and k not in searched}
    asked |= search.asked()
    asked |= {"held out": held_out, "dataset": data.name, "digest": data.identity}
    name = f"tune-{base.optimizer}-b{base.batch_size}"
    base.check(len(split.train.labels))
    prepare_folder(out)
    refuse_another_question(out, name, asked)
    ends = halve(partial(records_of, workshop, f"tune-{held_out}", split, folders),
                 {"": candidates}, seeds, halvings)[""]  # fmt: skip
    found, note = trials_of(ends), note_on(data.name)
    title = (
        f"Which numbers? {base.optimizer}, b = {base.batch_size}, {base.epochs} epochs, "
        f"{trials} trials{_halved(halvings)}, {held_out:,} images held out"
    )
    lines, advice = search_shown.table(search, found)
    figure = drawing.chart(search_shown.plots(search, found), title, note)
    made = {"title": title, "asked": asked} | workshop.how_made(folders)
    rows = [tidy(settings, record) for settings, record in ends]
    write_csv = partial(write_metrics, rows=rows, held_out=True)
    where = publish(out, name, figure, "every trial", made, write_csv)
    show([*page(title, note, lines, search_shown.text(found)), where])
    for sentence in advice:
        say(sentence)


def _halved(halvings):
    """How often, as a part of a title."""
    times = {0: "", 1: ", halved once", 2: ", halved twice"}
    return times.get(halvings, f", halved {halvings} times")


def records_of(workshop, name, split, folders, cells):
    """{settings: records} of complete runs; their folders are added to `folders`."""
    done = workshop.run_all(name, cells, split)
    folders.update(done)
    return {cell: folder.records() for cell, folder in done.items()}


def _beyond(settings):
    """What the runs of tune and grow have beyond the report's, as a part of their titles."""
    from minisgd.settings import in_words

    told = "batch_size lr momentum epochs seed own".split()
    parts = [in_words(k, v) for k, v in settings.differing().items() if k not in told]
    return "".join(f"{part}, " for part in parts)


@click.command()
@options("batch_size", "lr", *UPDATE, "seeds", seeds=SEEDS | {"default": "3"},
         batch_size={"default": 2048, "help": "Images in a batch at the start."},
         lr={"help": "Learning rate at the start."},
         momentum={"default": 0.9, "help": "m at the start."})  # fmt: skip
@click.option("--factor", type=int, default=2, show_default=True,
              help="What a step multiplies the batch by.")  # fmt: skip
@click.option("--rule", type=Entry("minisgd.rules", "RULES", without=["none", "adam-sqrt"]),
              default="sqrt", show_default=True,
              help="How the rate and 1/(1-m) follow.")  # fmt: skip
@click.option("--tolerance", type=float, default=0.002, show_default=True,
              help="How far validation accuracy may fall below the start's.")  # fmt: skip
@click.option("--largest", type=int, default=8192, show_default=True,
              help="The largest batch to try.")  # fmt: skip
@options("held_out", "figures")
@with_workshop
def grow(workshop, seeds, factor, rule, tolerance, largest, held_out, out, **run):
    """Grow the batch in steps while accuracy holds.

    The rate grows with it first, then 1/(1-m): the procedure of Sec. IV, but judged on images that
    are held out from training.
    """
    from minisgd import drawing
    from minisgd.lab.metrics import tidy, write_metrics
    from minisgd.report import growing, selection
    from minisgd.report.publish import (
        note_on,
        page,
        prepare_folder,
        publish,
        refuse_another_question,
    )

    start, data = settings_of(**run), workshop.data()
    split, folders = selection.hold_out(data, held_out), {}
    name = "grow" if (factor, rule) == (2, "sqrt") else f"grow-{rule}{factor}"
    asked = {k: v for k, v in start.what_matters().items() if k in run}
    asked |= {"seeds": list(seeds), "tolerance": tolerance, "largest": largest}
    asked |= {"held out": held_out, "dataset": data.name, "digest": data.identity}
    growing.check(start, factor, tolerance, largest)
    start.check(len(split.train.labels))
    prepare_folder(out)
    refuse_another_question(out, name, asked)

    title = (
        f"How far can it grow? From b = {start.batch_size} by {factor}, {rule} rule, "
        f"{_beyond(start)}tolerance {tolerance:g}, {held_out:,} images held out"
    )
    note, run_them = (
        note_on(data.name),
        partial(records_of, workshop, f"grow-{held_out}", split, folders),
    )
    try:
        show(page(title, note))
        steps = growing.grow(
            run_them, start, seeds, factor, rule, tolerance, largest, lambda line: show([line])
        )
    except BrokenPipeError:  # whoever read the steps has ended
        say(f"Stopped. What is trained is kept in {workshop.folder}; the same command goes on.")
        raise
    rows = [tidy(cell, r) for cell, folder in folders.items() for r in folder.records()]
    figure = drawing.report_figure(rows, title, note=note, held_out=True)
    made = {"title": title, "asked": asked, "steps": [str(step) for step in steps]}
    made |= workshop.how_made(folders)
    write_csv = partial(write_metrics, rows=rows, held_out=True)
    show([publish(out, name, figure, "every epoch", made, write_csv)])
