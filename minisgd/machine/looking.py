"""What it costs to look at a run: what `train` does after every epoch besides training.

    test set      the loss and the accuracy over its images
    checkpoint    the weights and the records, flushed to the disk, in the folder for temporary
                  files
    page          the page of the runs so far, written again; a sweep lets twenty times as long pass
                  before the next one

as a share of the seconds that the training of the epoch takes, round by round, because the machine
changes its speed.
"""

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from ..disk.files import make_folder, write_aside
from ..lab.run_folder import RunFolder
from ..page.library import available
from ..page.sweep import page
from ..settings import Settings
from ..train import METRICS, Run, evaluate
from .updates import seconds_until_idle

LOOKS = "test set", "checkpoint", "page"


def measure(data, batch_sizes, rounds, threads, log=print, device="cpu"):
    """Time an epoch and each way of looking at it, at every batch size.

    Returns: [{"batch_size": b, "epoch_seconds": [one a round], "test set": [...],
               "checkpoint": [...], "page": [...]}], all in seconds; the page's only where the
               library that draws it is installed
    """
    from threadpoolctl import threadpool_limits

    rows = []
    with threadpool_limits(1, user_api="blas"), TemporaryDirectory() as out:
        for batch_size in batch_sizes:
            settings = Settings(batch_size, epochs=rounds + 1)
            run = Run(settings, data, device, threads)
            folder = RunFolder(out, settings, data.identity)
            make_folder(folder.path)
            row, records = {"batch_size": batch_size, "epoch_seconds": []}, []
            for epoch in range(1, settings.epochs + 1):
                seconds = seconds_until_idle(run.epoch, run.model, epoch)
                records.append(
                    {"epoch": epoch, "lr": settings.lr, "status": "ok", "seconds": seconds}
                    | dict.fromkeys(METRICS, 0.5)
                )
                looks = looks_of(run, folder, records, Path(out) / "index.html")
                took = {name: seconds_until_idle(look, run.model) for name, look in looks.items()}
                if epoch > 1:  # the first warms up
                    for name, s in ({"epoch_seconds": seconds} | took).items():
                        row.setdefault(name, []).append(s)
            rows.append(row)
            log(f"batch size {batch_size}: what looking costs, {rounds} rounds")
    return rows


def looks_of(run, folder, records, path):
    """{name: function} of LOOKS, after the epoch of the last record."""
    state, collected = run.state(len(records)), [(run.settings, records, None)]

    def renew():
        write_aside(path, page("What looking costs", "", collected, "bench", going_on=1.0))

    looks = {
        "test set": lambda: evaluate(run.model, *run.test),
        "checkpoint": lambda: folder.save(records, state),
    }
    return looks | ({"page": renew} if available() else {})


def shares(row):
    """{look: its share of the epoch, round by round}, and that of all "together"."""
    found = {
        name: [s / epoch for s, epoch in zip(row[name], row["epoch_seconds"], strict=True)]
        for name in LOOKS
        if name in row
    }
    return found | {"together": [sum(each) for each in zip(*found.values(), strict=True)]}


def table(rows, threads):
    """The lines that `bench` prints of what `measure` returned."""
    found = [shares(row) for row in rows]
    s = "s" if threads > 1 else ""
    lines = [
        f"what looking takes of an epoch's training on {threads} thread{s}: "
        "median (largest) of the rounds",
        f"  {'batch size':<14}" + "".join(f"{row['batch_size']:<18}" for row in rows).rstrip(),
    ]
    for name in found[0]:
        cells = [f"{100 * median(s[name]):.2f} % ({100 * max(s[name]):.2f})" for s in found]
        lines.append(f"  {name:<14}" + "".join(f"{cell:<18}" for cell in cells).rstrip())
    ms = {
        name: 1e3 * median(s for row in rows for s in row[name])
        for name in LOOKS
        if name in rows[0]
    }
    return [*lines, "  ms each: " + ", ".join(f"{name} {each:.1f}" for name, each in ms.items())]
