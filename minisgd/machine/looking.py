"""What it costs to look at runs: what `train` and `sweep` do after an epoch besides training.

    test set        the loss and the accuracy over its images
    checkpoint      the weights and the records, flushed to the disk, in the folder for temporary
                    files
    sweep's page    the page of a sweep as large as the report's, nearly done: its runs are read
                    from their folders, and the page is drawn and written, by the process that
                    started them

as a share of the seconds that the training of the epoch takes, round by round, because the machine
changes its speed. `train` has no page. A sweep makes one after an epoch, but lets SHARE times as
long pass before the next (commands/live.py), so that the page of an epoch takes

    min(page, (training + test set + checkpoint) / SHARE)

of its time, where one run is made at a time; those that go side by side share the page.
"""

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from ..commands.live import SHARE, LivePage
from ..disk.files import append, make_folder
from ..disk.formats import record_line
from ..lab.run_folder import RunFolder
from ..lab.sweep import Question, open_folder
from ..page.library import available
from ..settings import Settings
from ..train import METRICS, Run, evaluate
from .updates import seconds_until_idle

TEST_SET, CHECKPOINT, PAGE = LOOKS = "test set", "checkpoint", "sweep's page"
SIZES, SEEDS = tuple(64 * 2**k for k in range(8)), (0, 1, 2)  # of the sweep that the page shows


def measure(data, batch_sizes, rounds, threads, log=print, device="cpu"):
    """Time an epoch and each way of looking at it, at every batch size.

    Returns: [{"batch_size": b, "epoch_seconds": [one a round], "test set": [...],
               "checkpoint": [...], "sweep's page": [...]}], all in seconds; the page's only where
               the library that draws it is installed
    """
    from threadpoolctl import threadpool_limits

    rows = []
    with threadpool_limits(1, user_api="blas"), TemporaryDirectory() as out:
        page = page_of_a_sweep(Path(out) / "sweep", data, log)
        for batch_size in batch_sizes:
            settings = Settings(batch_size, epochs=rounds + 1)
            run = Run(settings, data, device, threads)
            folder = RunFolder(out, settings, data.identity)
            make_folder(folder.path)
            row, records = {"batch_size": batch_size, "epoch_seconds": []}, []
            for epoch in range(1, settings.epochs + 1):
                seconds = seconds_until_idle(run.epoch, run.model, epoch)
                records.append(record(settings, epoch, seconds))
                looks = looks_of(run, folder, records, page)
                took = {name: seconds_until_idle(look, run.model) for name, look in looks.items()}
                if epoch > 1:  # the first warms up
                    for name, s in ({"epoch_seconds": seconds} | took).items():
                        row.setdefault(name, []).append(s)
            rows.append(row)
            log(f"batch size {batch_size}: what looking costs, {rounds} rounds")
    return rows


def record(settings, epoch, seconds):
    """The record of an epoch, with numbers as long as those of a real one."""
    made_up = {name: 1 / (k + epoch + 2) for k, name in enumerate(METRICS)}
    return {"epoch": epoch, "lr": settings.scaled_lr, "status": "ok", "seconds": seconds} | made_up


def page_of_a_sweep(out, data, log=print):
    """The LivePage of a sweep in the folder `out`, of which only the last epochs are still to come;
    None where the library that draws is not installed.
    """
    if not available():
        return None
    make_folder(out)
    question = open_folder(out, Question(Settings(), SIZES, SEEDS), data, "bench", log)
    for cell in question.cells():
        folder = RunFolder(out, cell, data.identity)
        make_folder(folder.path)
        folder.resume(log)  # leaves what a run begins with
        epochs = range(1, cell.epochs)
        append(folder.lines, b"".join(record_line(record(cell, e, 1 / 3)) for e in epochs))
    return LivePage(out, question, data.identity, dict.fromkeys(question.cells(), 1))


def looks_of(run, folder, records, page=None):
    """{name: function} of LOOKS, after the epoch of the last record."""
    state = run.state(len(records))
    looks = {
        TEST_SET: lambda: evaluate(run.model, *run.test),
        CHECKPOINT: lambda: folder.save(records, state),
    }
    return looks | ({PAGE: page.renew} if page else {})


def shares(row):
    """{look: its share of the epoch, round by round}, and that of all "together"."""
    times = {name: row[name] for name in LOOKS if name in row}
    if PAGE in row:
        others = zip(row["epoch_seconds"], row[TEST_SET], row[CHECKPOINT], strict=True)
        most = [sum(each) / SHARE for each in others]
        times[PAGE] = [min(each) for each in zip(row[PAGE], most, strict=True)]
    found = {
        name: [s / epoch for s, epoch in zip(each, row["epoch_seconds"], strict=True)]
        for name, each in times.items()
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
    lines.append("  ms each: " + ", ".join(f"{name} {each:.1f}" for name, each in ms.items()))
    if PAGE in ms:
        lines.append(
            f"  the page is that of {len(SIZES) * len(SEEDS)} runs of {Settings().epochs} epochs, "
            f"written again when {SHARE} times as long has passed"
        )
    return lines
