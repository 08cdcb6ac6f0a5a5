"""minute: what this program is about, in about a minute."""

from pathlib import Path

import click

from .console import show
from .options import PATH
from .workshop import with_workshop

EPOCHS = 5
TITLE = f"{EPOCHS} epochs with small and with large batches"


def runs():
    """{a run in words: its settings}. Muon's numbers are near those that `answer` chose."""
    from minisgd.settings import Settings

    muon = {"optimizer": "muon", "beta2": 0.95, "adam_factor": 0.2, "decay": "cosine"}
    return {
        "64 images, the report's rate": Settings(epochs=EPOCHS),
        "8,192 images, linear rule": Settings(8192, rule="linear", epochs=EPOCHS),
        "8,192 images, Muon": Settings(8192, lr=0.05, momentum=0.7, epochs=EPOCHS, **muon),
    }


@click.command()
@click.option("--out", type=PATH, default=Path("runs/minute"), show_default=True,
              help="Folder of the figure.")  # fmt: skip
@with_workshop(dataset={})
def minute(workshop, out):
    """See in a minute what this is about.

    Trains three networks for five epochs: with 64 images in a batch, with 8,192 by the report's
    linear rule, and with 8,192 by a method that suits them.
    """
    from minisgd import drawing
    from minisgd.report.publish import note_on, page, prepare_folder
    from minisgd.settings import DEFAULTS

    cells, data = runs(), workshop.data()
    prepare_folder(out)
    note = note_on(data.name)
    updates_per_epoch = lambda cell: cell.updates_per_epoch(len(data.train.labels))  # noqa: E731
    folders = workshop.run_all("minute", list(cells.values()), data)
    seen = {words: folders[cell].records() for words, cell in cells.items()}
    accuracy = {words: records[-1]["test_accuracy"] or 0.0 for words, records in seen.items()}

    width = 2 + max(map(len, cells))
    table = [f"{'':{width}}{'updates':>8}  {'rate':>6}  test accuracy"]
    for words, cell in cells.items():
        updates = EPOCHS * updates_per_epoch(cell)
        table.append(f"{words:{width}}{updates:>8,}  {cell.scaled_lr:>6.3g}  {accuracy[words]:.4f}")
    small, linear, muon = accuracy.values()
    times = 8192 // DEFAULTS["batch_size"]
    text = (
        f"All three networks saw every image {EPOCHS} times. A batch of 8,192 makes few updates in "
        f"that time; to make up for it the linear rule has a rate {times} times that of 64, and "
        f"ends at {linear:.3f} where 64 images end at {small:.3f}. Muon, whose steps are about as "
        f"long in every direction that the gradient has, ends at {muon:.3f}. How far this goes, "
        "and why, is in the lesson, figures/README.md of the repository."
    )
    plots = [
        drawing.Plot("by epoch", "epoch", "test accuracy", _curves(cells, seen, lambda cell: 1),
                     ylim=(0, 1), xticks=tuple(range(1, EPOCHS + 1))),
        drawing.Plot("by update", "update", "", _curves(cells, seen, updates_per_epoch),
                     logx=True, ylim=(0, 1)),
    ]  # fmt: skip
    png, svg = drawing.save(drawing.chart(plots, TITLE, note), out, "minute")
    show([*page(TITLE, note, table, text), f"figure: {png} and {svg.name}"])


def _curves(cells, seen, unit):
    """A curve of test accuracies for each run; `unit` is the length of an epoch on the x axis."""
    from minisgd import drawing

    return tuple(
        drawing.Curve(
            words,
            tuple(unit(cells[words]) * record["epoch"] for record in records),
            tuple(record["test_accuracy"] for record in records),
            color=color,
            marker="o",
        )
        for (words, records), color in zip(seen.items(), drawing.PALETTE, strict=False)
    )
