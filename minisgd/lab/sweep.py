"""Many runs: which are missing, who runs them, and what they leave together.

Every run has a process of its own (spawned: nothing is inherited but the settings), so that one
that dies costs its own run. They share the dataset's memory. The longest start first, so that no
core waits for a last long one.
"""

import mmap
import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass, fields, replace
from multiprocessing import connection
from pathlib import Path

import numpy as np

from ..data import Dataset, Split
from ..data.idx import mapped
from ..disk.files import LOCK, StorageError, locked, make_folder
from ..errors import SettingError, UserError
from ..settings import Settings
from ..train import train
from . import facts, runs

TITLES = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST", "glyphs": "glyphs"}
TRIES = 2  # of a run whose process died or raised


@dataclass(frozen=True)
class Question:
    """What a sweep asks: the settings that all runs share, and the sizes and seeds they differ in.

    A folder answers one question. More batch sizes and more seeds may be added to it later.
    """

    common: Settings  # its batch_size and seed stand for nothing
    batch_sizes: tuple
    seeds: tuple

    def cells(self):
        """The settings of every run, the longest first: the smaller the batch, the more updates."""
        return [
            replace(self.common, batch_size=b, seed=seed)
            for b in sorted(self.batch_sizes)
            for seed in self.seeds
        ]


def common_settings(settings):
    """The part of the settings that all runs of a folder share, by name."""
    values = runs.what_matters(settings)
    return {name: value for name, value in values.items() if name not in ("batch_size", "seed")}


def default_name(settings, dataset_name):
    """The folder's name for a question: the dataset, then whatever differs from the report's."""
    name = f"{dataset_name}-{settings.rule}"
    if settings.warmup != "none":
        name += f"-{settings.warmup}{settings.warmup_epochs}"
    if settings.momentum:
        name += f"-m{settings.momentum:g}"
    for letter, field in (("lr", "lr"), ("base", "base_batch_size"), ("epochs", "epochs")):
        value, usual = getattr(settings, field), getattr(Settings, field)
        name += f"-{letter}{value:g}" if value != usual else ""
    return name


def title_of(settings, dataset_name):
    """What a figure of such runs shows, in one line."""
    parts = ["constant rate" if settings.rule == "none" else f"{settings.rule} scaling"]
    if settings.warmup != "none":
        parts.append(f"{settings.warmup} warmup over {settings.warmup_epochs} epochs")
    if settings.momentum:
        parts.append(f"m = {settings.momentum:g}")
    parts.append(f"η0 = {settings.lr:g} at b0 = {settings.base_batch_size}")
    return f"LeNet-5 on {TITLES.get(dataset_name, dataset_name)}: " + ", ".join(parts)


def check_folder(out):
    """Refuse a folder that is there and holds something, but no sweep.

    Raises:  SettingError
    """
    out = Path(out)
    if (out / "sweep.json").exists() or not out.exists():
        return
    if not out.is_dir():
        raise SettingError(f"{out} is a file and holds no sweep: give another --out")
    ours = (LOCK, *(path.name for path in out.glob(".*.part")))  # a start that was killed left them
    if any(path.name not in ours for path in out.iterdir()):
        raise SettingError(f"{out} is not empty and holds no sweep: give another --out")


def open_folder(out, question, dataset, command, log, device="cpu"):
    """Note in OUT what is asked, or check it against what OUT has been asked before.

    Returns: the question with the batch sizes and seeds that the folder already had added
    Raises:  SettingError if the folder holds another sweep's results, naming what differs
    """
    path = Path(out) / "sweep.json"
    asked = common_settings(question.common) | {"dataset": dataset.name, "digest": dataset.digest}
    now = facts.versions() | {"device": device}
    began_with, went_on_with = now, []
    if path.exists():
        before, known = load_folder(out)
        found = common_settings(before.common) | {k: known[k] for k in ("dataset", "digest")}
        for name, value in asked.items():
            if found.get(name) != value:
                raise SettingError(
                    f"{out} holds another sweep's results: its {name} is {found.get(name)}, "
                    f"not {value}; give another --out, or --fresh to delete them"
                )
        began_with, went_on_with = known["versions"], known["went_on_with"]
        for name in now:
            if began_with.get(name) != now[name]:
                log(
                    f"{out} was begun with {name} {began_with.get(name)} and goes on with "
                    f"{now[name]}: the last bits of its runs may differ."
                )
        if now not in (began_with, *went_on_with):
            went_on_with = [*went_on_with, now]
        question = replace(
            question,
            batch_sizes=tuple(sorted({*question.batch_sizes, *before.batch_sizes})),
            seeds=tuple(sorted({*question.seeds, *before.seeds})),
        )
    runs.write_json(
        path,
        {
            "settings": common_settings(question.common),
            "batch_sizes": list(question.batch_sizes),
            "seeds": list(question.seeds),
            "dataset": dataset.name,
            "digest": dataset.digest,
            "versions": began_with,
            "went_on_with": went_on_with,
            "command": command,
        },
    )
    return question


def fresh(out, log):
    """Delete what a sweep left in OUT, after saying what that is; anything else there stays."""
    out = Path(out)
    if not (out / "sweep.json").exists():
        return
    folders = sorted(p for p in out.iterdir() if p.is_dir() and runs.RUN.fullmatch(p.name))
    epochs = sum(len(runs.read_records(folder / "epochs.jsonl")) for folder in folders)
    log(f"--fresh deletes {len(folders)} runs ({epochs} epochs) and their figure in {out}.")
    for folder in folders:
        runs.delete_run(folder)
    for name in ("metrics.csv", "table.txt", "accuracy.png", "accuracy.svg", "sweep.json"):
        (out / name).unlink(missing_ok=True)


def load_folder(out):
    """(question, sweep.json as a dict) of a folder that holds a sweep.

    Raises:  UserError if it does not
    """
    path = Path(out) / "sweep.json"
    known = runs.read_json(path)
    if known is None:
        raise UserError(f"{out} holds no sweep: there is no sweep.json in it")
    try:
        common = Settings(**known["settings"])
        question = Question(common, tuple(known["batch_sizes"]), tuple(known["seeds"]))
        question.cells()
        kinds = {"dataset": str, "digest": str, "versions": dict, "went_on_with": list}
        for name, kind in kinds.items():
            if not isinstance(known[name], kind):
                raise TypeError(f"its {name} is {known[name]!r}")
    except (KeyError, TypeError, ValueError) as error:
        raise runs.DamagedError(
            f"{path} is damaged ({error}): give another --out, or --fresh"
        ) from None
    return question, known


def run_cell(out, settings, dataset, device="cpu", threads=1, on_epoch=None, log=print, ranks=None):
    """Do what is missing of one run, in this process, and keep every epoch on disk.

    ranks    of an MPI job, this one being the first, while the others `follow`

    Returns: the records of the whole run
    Raises:  StorageError if the folder OUT is not there or cannot be written
    """
    from threadpoolctl import threadpool_limits

    folder = runs.RunFolder(out, settings, dataset.digest)
    make_folder(folder.path, parents=False)  # an OUT that went away is not to come back empty
    # One at a time in a run: a process whose parent was just killed may still be on its way out.
    # One BLAS thread: the threads here are the lanes', and sums keep their order on any machine.
    with locked(folder.path, wait=10.0), threadpool_limits(1, user_api="blas"):
        records, state = folder.resume(log)
        if records and runs.is_last(records[-1], settings):
            return records
        if ranks:
            ranks.tell((settings, state))
        for record, after in train(settings, dataset, device, threads, state=state, ranks=ranks):
            records.append(record)
            folder.save(records, after)
            if on_epoch:
                on_epoch(settings, record)
    return records


def follow(ranks, dataset, device="cpu", threads=1):
    """The other ranks' part of run_cell: the runs that rank 0 tells, until it tells None."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        while run := ranks.hear():
            settings, state = run
            for _ in train(settings, dataset, device, threads, state=state, ranks=ranks):
                pass


def run_cells(
    out, cells, dataset, device="cpu", jobs=1, threads=1, on_epoch=None, log=print, elsewhere=None
):
    """Do what is missing of many runs, `jobs` at a time, each in a process of its own.

    elsewhere    a cluster.Cluster that does them instead

    Returns: {settings: reason} of the runs that failed, twice where a second try could help
    Raises:  UserError at once where no run could go on: the folder is gone, full or read-only
    """
    if elsewhere:
        from . import cluster

        return cluster.run_cells(elsewhere, out, cells, dataset, device, threads, on_epoch, log)
    waiting, tries, failures, running = list(cells), {}, {}, {}
    context = multiprocessing.get_context("spawn")
    handle = share(dataset, context)
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                settings = waiting.pop(0)
                tries[settings] = tries.get(settings, 0) + 1
                ours, theirs = context.Pipe()
                arguments = (out, settings, handle, device, threads, theirs)
                process = context.Process(target=_work, args=arguments, daemon=True)
                _start_deaf(process)
                theirs.close()
                running[ours] = settings, process
            for pipe in connection.wait(list(running)):
                settings, process = running[pipe]
                try:
                    kind, said = pipe.recv()
                except (EOFError, OSError):
                    process.join()
                    kind, said = "died", _how_it_died(process.exitcode)
                if kind == "epoch":
                    on_epoch and on_epoch(settings, said)
                    continue
                if kind == "said":
                    log(said)
                    continue
                process.join()
                del running[pipe]
                pipe.close()
                if kind == "stop":
                    raise UserError(said)
                if kind in ("failed", "died") and tries[settings] < TRIES:
                    log(f"{runs.run_name(settings)}: {said}; it is tried once more")
                    waiting.insert(0, settings)
                elif kind != "done":
                    failures[settings] = said
    finally:
        for _, process in running.values():
            process.kill()  # what it had finished is on disk; a cut epoch is done again
        for _, process in running.values():
            process.join()
    return failures


def _start_deaf(process):
    """Start a process that does not hear Ctrl-C: that is its parent's, which then kills it."""
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, handler)


def _how_it_died(exitcode):
    if exitcode is not None and exitcode < 0:
        try:
            return f"its process was killed ({signal.Signals(-exitcode).name})"
        except ValueError:
            return f"its process was killed (signal {-exitcode})"
    return f"its process ended (exit code {exitcode})"


def _work(out, settings, handle, device, threads, pipe):
    """The life of a run's process: tells ("epoch", record) ..., then how it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it is not inherited (Windows)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        tell = lambda _, record: pipe.send(("epoch", record))  # noqa: E731
        log = lambda line: pipe.send(("said", line))  # noqa: E731
        run_cell(out, settings, shared(handle), device, threads, tell, log)
        pipe.send(("done", None))
    except StorageError as error:
        pipe.send(("stop", str(error)))
    except UserError as error:  # as wrong the second time
        pipe.send(("refused", str(error)))
    except Exception as error:
        pipe.send(("failed", f"{type(error).__name__}: {error}"))


def _die_with_parent():
    multiprocessing.parent_process().join()
    os._exit(1)


def missing(out, question, digest):
    """The settings of the runs that are not finished, in the order in which to do them."""
    return [cell for cell in question.cells() if not runs.RunFolder(out, cell, digest).finished()]


def collect(out, question, digest, failures=None):
    """What the folder holds of every run of the question: (settings, records, failure or None)."""
    failures = failures or {}
    return [
        (settings, runs.RunFolder(out, settings, digest).records(), failures.get(settings))
        for settings in question.cells()
    ]


def rows_of(collected):
    """All the epochs of collected runs, as the rows of metrics.csv."""
    return [runs.tidy(settings, record) for settings, records, _ in collected for record in records]


def share(dataset, context):
    """A dataset in memory that a spawned process can map too: what to hand to it."""
    arrays = [getattr(s, f.name) for s in (dataset.train, dataset.test) for f in fields(Split)]
    on_disk = [_mapping(array) for array in arrays]
    size = sum(array.nbytes for array, kept in zip(arrays, on_disk, strict=True) if kept is None)
    try:
        block = context.RawArray("B", max(1, size))
    except OSError as error:  # it is a file in memory, or in the folder for temporary files
        raise StorageError(
            f"cannot share the dataset's {size / 1e6:.0f} MB between processes: {error.strerror}; "
            "free some memory, or set TMPDIR to a folder with room"
        ) from None
    shapes = [array.shape for array in arrays]
    handle = block, shapes, on_disk, dataset.name, dataset.digest, dataset.source
    for place, array, kept in zip(_places(handle), arrays, on_disk, strict=True):
        if kept is None:
            place[...] = array
    return handle


def _mapping(array):
    """Where a mapped array lies: (file, offset); None for one in memory, and for a part of one."""
    whole = isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap)
    return (array.filename, array.offset) if whole else None


def shared(handle):
    """The dataset that was shared; its arrays are the same memory, not a copy."""
    arrays = list(_places(handle))
    for array in arrays:
        array.setflags(write=False)
    return Dataset(handle[3], Split(*arrays[:2]), Split(*arrays[2:]), *handle[4:])


def _places(handle):
    block, shapes, on_disk, *_ = handle
    whole, start = np.frombuffer(block, np.uint8), 0
    for shape, kept in zip(shapes, on_disk, strict=True):
        if kept:
            yield mapped(*kept, shape)
            continue
        size = int(np.prod(shape))
        yield whole[start : start + size].reshape(shape)
        start += size
