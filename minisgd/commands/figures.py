"""figures, tune, grow and verdicts: repeat the experiments of the report and test its claims."""

from functools import partial
from pathlib import Path

import click

from .console import Sentence, clock, say, show
from .options import UPDATE, options, settings_of
from .types import Entry, Rates
from .workshop import with_workshop

THREE_SEEDS = {"default": "3", "help": "How many seeds, or which, as in a sweep."}


@click.command()
@click.argument("which", nargs=-1)
@click.option("--seeds", type=click.IntRange(1, 1000), default=5, show_default=True,
              help="Seeds of every run; twice as many where the outcome is luck.")  # fmt: skip
@click.option("--reference", type=click.Path(path_type=Path, exists=True),
              help="Folder of the authors' own tables: draws figureN-reference.")  # fmt: skip
@options("figures")
@with_workshop
def figures(workshop, which, seeds, reference, out):
    """Make the figures of the report, over several seeds.

    WHICH are 1 to 6, constant-warmup, effective-rate or all. Runs whose results are in the folder
    of the figures already are not trained again.
    """
    from minisgd.disk.files import make_folder
    from minisgd.report import experiments

    make_folder(out)
    amiss = []
    for experiment in experiments.named(which or ("all",)):
        kept, cells = experiments.Kept(out), experiment.cells(seeds)
        missing = [cell for cell in cells if not kept.records(cell)]
        say(f"{experiment.title}: {len(missing) or 'none'} of {len(cells)} runs to do")
        if missing:
            data = workshop.data()
            kept.check(data)
            folders, failed = workshop.run(experiment.name, missing, data)
            amiss += [failed] if failed else []
            done = {cell: folder.records() for cell, folder in folders.items()}
            kept.add(experiment, done, data, workshop.how_made(done))
        collected = [(cell, kept.records(cell), None) for cell in kept.cells(experiment)]
        if not collected:
            continue
        theirs = experiments.read_reference(reference, experiment) if reference else []
        if reference and not theirs:
            say(f"{reference} holds no table of the authors' for {experiment.name}.")
        show_figure(out, experiment, collected, kept.made[experiment.name]["dataset"], theirs)
    if amiss:
        raise Sentence("; ".join(amiss), 1)


def show_figure(out, experiment, collected, dataset_name, theirs):
    """Draw the figure of an experiment from its runs and print its table. If the authors' own lines
    are drawn over it, the figure has a name of its own.
    """
    from statistics import median

    from minisgd import drawing
    from minisgd.lab.metrics import tidy
    from minisgd.report import summary
    from minisgd.report.publish import note_on, page, publish

    title, note = experiment.title, note_on(dataset_name)
    rows = [tidy(settings, r) for settings, records, _ in collected for r in records]
    figure = drawing.report_figure(rows, title, experiment.losses, experiment.apart, theirs, note)
    # The median, so that an epoch in which the machine slept or was stopped does not count more.
    times = [[record["seconds"] for record in records] for _, records, _ in collected]
    took = clock(sum(median(seconds) * len(seconds) for seconds in times))
    show(page(title, note, summary.table(collected)))
    click.echo(f"{len(collected)} runs, {took} of training one after the other")
    name = experiment.name
    picture = f"{name}-reference" if theirs else name
    click.echo(publish(out, picture, figure, "every epoch", csv=name))


def _beyond(settings):
    """What the runs of tune and grow have beyond the report's, as a part of their titles."""
    from minisgd.settings import in_words

    told = "batch_size lr momentum epochs seed own".split()
    parts = [in_words(k, v) for k, v in settings.differing().items() if k not in told]
    return "".join(f"{part}, " for part in parts)


@click.command()
@click.option("--lrs", type=Rates(),
              help="Rates, separated by commas.  [default: .001 .002 .005 ... .5]")  # fmt: skip
@options("batch_size", *UPDATE, "seeds", "held_out", "figures", seeds=THREE_SEEDS)
@with_workshop
def tune(workshop, lrs, seeds, held_out, out, **run):
    """Choose the base rate on held-out images.

    The rate that the test set would choose, as it did in the report, is shown beside it.
    """
    from minisgd import drawing
    from minisgd.disk.formats import write_table
    from minisgd.report import selection
    from minisgd.report.publish import note_on, page, publish, refuse_another_question

    tried = [(lr, seed) for lr in lrs or selection.RATES for seed in seeds]
    cells = [settings_of(lr=lr, seed=seed, **run) for lr, seed in tried]
    data = workshop.data()
    split = selection.hold_out(data, held_out)
    asked = {k: v for k, v in cells[0].what_matters().items() if k in run}
    asked |= {"lrs": sorted({c.lr for c in cells}), "seeds": list(seeds)}
    asked |= {"held out": held_out, "dataset": data.name, "digest": data.identity}
    refuse_another_question(out, "tune", asked)
    folders = workshop.run_all(f"tune-{held_out}", cells, split)
    trials, common = selection.trials(folders, data), cells[0]
    title = (
        f"Which rate? b = {common.batch_size}, m = {common.momentum:g}, {common.epochs} epochs, "
        f"{_beyond(common)}{held_out:,} of {len(data.train.labels):,} training images held out"
    )
    note = note_on(data.name)
    lines, advice = selection.table(trials)
    show(page(title, note, lines))
    for sentence in advice:
        say(sentence)
    rows = selection.rows(trials)
    chosen = {by: selection.best(trials, by)[0] for by in ("validation", "test")}
    figure = drawing.rate_figure(rows, chosen, title, note)
    made = {"title": title, "asked": asked} | workshop.how_made(cells)
    write_csv = partial(write_table, columns=selection.COLUMNS, rows=rows)
    click.echo(publish(out, "tune", figure, "every run", made, write_csv))


@click.command()
@options("batch_size", "lr", *UPDATE, "seeds", seeds=THREE_SEEDS,
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
    from minisgd.report.publish import note_on, page, publish, refuse_another_question

    start, data = settings_of(**run), workshop.data()
    split, folders = selection.hold_out(data, held_out), {}
    name = "grow" if (factor, rule) == (2, "sqrt") else f"grow-{rule}{factor}"
    asked = {k: v for k, v in start.what_matters().items() if k in run}
    asked |= {"seeds": list(seeds), "tolerance": tolerance, "largest": largest}
    asked |= {"held out": held_out, "dataset": data.name, "digest": data.identity}
    refuse_another_question(out, name, asked)

    def records_of(cells):
        done = workshop.run_all(f"grow-{held_out}", cells, split)
        folders.update(done)
        return {cell: folder.records() for cell, folder in done.items()}

    title = (
        f"How far can it grow? From b = {start.batch_size} by {factor}, {rule} rule, "
        f"{_beyond(start)}tolerance {tolerance:g}, {held_out:,} images held out"
    )
    note = note_on(data.name)
    show(page(title, note))
    steps = growing.grow(records_of, start, seeds, factor, rule, tolerance, largest, click.echo)
    rows = [tidy(cell, r) for cell, folder in folders.items() for r in folder.records()]
    figure = drawing.report_figure(rows, title, note=note, held_out=True)
    made = {"title": title, "asked": asked, "steps": [str(step) for step in steps]}
    made |= workshop.how_made(folders)
    write_csv = partial(write_metrics, rows=rows, held_out=True)
    click.echo(publish(out, name, figure, "every epoch", made, write_csv))


@click.command()
@options("figures")
@click.option("--markdown", is_flag=True, help="Print the table as the README shows it.")
def verdicts(out, markdown):
    """Test every claim of the report on the results of the figures."""
    from minisgd.report.experiments import Kept
    from minisgd.report.publish import note_on
    from minisgd.report.verdicts import markdown_table, table
    from minisgd.report.verdicts import verdicts as judge

    kept = Kept(out)
    if not kept.made:
        raise Sentence(f"{out} holds no results: run `python cli.py figures` first", 1)
    note = note_on(next(iter(kept.made.values()))["dataset"])
    lines = (markdown_table if markdown else table)(judge(kept))
    show([*([note] if note else []), *lines])
