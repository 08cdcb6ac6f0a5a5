"""figures and verdicts: repeat the experiments of the report and test its claims."""

from pathlib import Path

import click

from .console import Sentence, clock, say, show
from .options import options
from .workshop import with_workshop


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

    WHICH are 1 to 6, constant-warmup and effective-rate, or all of these; or, beyond the report,
    he-linear and he-gradual-warmup, which are 3 and 4 at 1024 and more from He's initial weights.
    Runs whose results are in the folder of the figures already are not trained again.
    """
    from minisgd.report import experiments
    from minisgd.report.publish import prepare_folder

    prepare_folder(out)
    amiss = []
    for experiment in experiments.named(which or ("all",)):
        kept = experiments.Kept(out)
        amiss += filter(None, [workshop.complete(experiment, seeds, kept)])
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
    name = experiment.name
    picture = f"{name}-reference" if theirs else name
    where = publish(out, picture, figure, "every epoch", csv=name)
    runs = f"{len(collected)} runs, {took} of training one after the other"
    show([*page(title, note, summary.table(collected)), runs, where])


@click.command()
@options("figures")
@click.option("--numbers", is_flag=True, help="How each was tested, and what was seen.")
@click.option("--markdown", is_flag=True, help="Print figures/verdicts.md.")
def verdicts(out, numbers, markdown):
    """Test every claim of the report on the results of the figures."""
    from minisgd.errors import program
    from minisgd.report.carry import everything
    from minisgd.report.publish import note_on
    from minisgd.report.verdicts import markdown_page, table
    from minisgd.report.verdicts import verdicts as judge

    kept, *elsewhere = everything(out).values()
    if not kept.made:
        raise Sentence(f"{out} holds no results: run `{program()} figures` first", 1)
    note = note_on(next(iter(kept.made.values()))["dataset"])
    if markdown:
        click.echo("\n".join(markdown_page(judge(kept, *elsewhere), note)))
    else:
        show([*([note] if note else []), *table(judge(kept, *elsewhere), numbers)])
