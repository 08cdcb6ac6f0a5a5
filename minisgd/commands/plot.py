"""plot, and what a sweep prints and writes when it is done."""

from pathlib import Path

import click

from .console import show
from .live import page_of
from .options import PATH, options


@click.command()
@click.argument("results", nargs=-1, required=True, type=PATH)
@options("own")
@click.option("--out", type=PATH,
              help="Folder of the figure.  [default: the sweep's; of several: here]")  # fmt: skip
def plot(results, out, own):
    """Draw the figure of a sweep again, or of several side by side."""
    from minisgd import drawing
    from minisgd.lab import sweep

    for folder in results:
        sweep.load_folder(folder)  # refuses a folder that holds no sweep
    if len(results) == 1:
        question, _ = sweep.load_folder(results[0])
        show_sweep(results[0], question, {}, out)
        return
    panels, notes = [], []
    for folder in results:
        title, note, digest = title_of(folder)
        question, _ = sweep.load_folder(folder)
        panels.append((title, sweep.rows_of(sweep.collect(folder, question, digest))))
        notes.append(note)
    note = next(filter(None, notes), None)
    if note and not all(notes):
        note = "NOT ALL MNIST: glyphs are the built-in digits drawn from fonts"
    figure = drawing.comparison_figure(panels, note=note)
    png, svg = drawing.save(figure, out or Path("."), "comparison")
    click.echo(f"figure: {png} and {svg.name}")


def show_sweep(out, question, failures, into=None, tell=show):
    """Write the metrics.csv, table, figure and page of a sweep's folder into it or into another
    folder; print the table and where everything is. It prints last: stdout may be full, or closed.

    failures    {settings: reason} of the runs that failed just now
    tell        prints lines
    """
    from minisgd import drawing
    from minisgd.disk.files import make_folder, write_aside
    from minisgd.lab import sweep
    from minisgd.lab.metrics import write_metrics
    from minisgd.report import summary

    title, note, digest = title_of(out)
    into = into or out
    make_folder(into)
    collected = sweep.collect(out, question, digest, failures)
    rows = sweep.rows_of(collected)
    lines = [title, *([note] if note else []), "", *summary.table(collected)]
    write_metrics(into / "metrics.csv", rows)
    write_aside(into / "table.txt", ("\n".join(lines) + "\n").encode())
    where = [f"table:  {into / 'table.txt'}; every epoch: {into / 'metrics.csv'}"]
    if rows:
        png, svg = drawing.save(drawing.accuracy_figure(rows, title, note), into, "accuracy")
        where = [f"figure: {png} and {svg.name}", *where, page_of(out, into, collected)]
    tell(["", *lines, "", *where])


def title_of(out):
    """(title, note, digest) of a sweep's folder. The title names the dataset; glyphs need the note
    as well, because their name does not say that they are not MNIST.
    """
    from minisgd.lab import sweep
    from minisgd.report.publish import note_on

    question, known = sweep.load_folder(out)
    dataset = known["dataset"]
    note = note_on(dataset) if dataset == "glyphs" else None
    return sweep.title_of(question.common, dataset), note, known["digest"]
