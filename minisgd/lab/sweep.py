"""A sweep: the question that a folder answers, the runs still missing, and their records."""

import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from .. import CallableModule
from ..disk.files import LOCK, PART, StorageError, locked, make_folder, read, write_aside
from ..disk.formats import (
    FORMAT,
    DamagedError,
    UncheckedError,
    read_json,
    read_records,
    write_json,
)
from ..errors import SettingError, UserError
from ..settings import DEFAULTS, Settings, what_matters
from . import facts
from .checkpoints import check_settings
from .metrics import tidy
from .names import folder_name, older_run_name, run_name, title_of
from .run_folder import RUN, RunFolder, delete_run, told_of
from .workers import follow, run_cell, run_cells

__all__ = [
    "Question", "check_folder", "collect", "folder_name", "follow", "fresh", "load_folder",
    "missing", "open_folder", "opened", "rows_of", "run_cell", "run_cells", "title_of",
]  # fmt: skip


# What Settings may raise for values of the wrong kinds, which only a damaged file can hold.
WRONG = ArithmeticError, AttributeError, KeyError, TypeError, ValueError
ANEW = "the command that made it, given again, makes it anew from the runs beside it"


@dataclass(frozen=True)
class Question:
    """What a sweep asks: the settings that all runs share, the batch sizes and the seeds.

    A folder answers one question. More batch sizes and more seeds may be added to it later.
    """

    common: Settings  # its batch_size and seed are ignored
    batch_sizes: tuple
    seeds: tuple

    def cells(self):
        """The settings of every run, the longest first: the smaller the batch, the more updates."""
        return [
            replace(self.common, batch_size=b, seed=seed)
            for b in sorted(self.batch_sizes)
            for seed in self.seeds
        ]


def check_folder(out):
    """Refuse a folder that exists and holds something, but no sweep. It may be runs behind figures,
    which nobody wants to be deleted by --fresh.

    Raises:  SettingError; StorageError if it cannot be read
    """
    out = Path(out)
    try:
        if not out.exists():
            return
        if not out.is_dir():
            raise SettingError(f"{out} is a file and holds no sweep: give another --out")
        names = [path.name for path in out.iterdir()]
        # A start that was killed leaves its lock, and what it had half written.
        others = [name for name in names if name != LOCK and not PART.fullmatch(name)]
        # Looked for last: another sweep may be making its folder, in which this file comes first.
        if others and not (out / "sweep.json").exists():
            raise SettingError(f"{out} is not empty and holds no sweep: give another --out")
    except OSError as error:
        raise StorageError(f"cannot read {out}: {error.strerror}; give another --out") from None


def open_folder(out, question, dataset, command, log, device="cpu"):
    """Record the question in OUT, or check it against the one that OUT holds already.

    A sweep.json that is damaged is made anew from the runs beside it, if all are of this question.

    Returns: the question, plus the batch sizes and seeds that the folder already had
    Raises:  SettingError if the folder holds another sweep's results, naming what differs;
             DamagedError
    """
    path = Path(out) / "sweep.json"
    asked = question.common.common() | {"dataset": dataset.name, "digest": dataset.identity}
    now = facts.versions() | {"device": device}
    began_with, went_on_with = now, []
    if known := _known(path, asked, log):
        found = what_matters(known["settings"]) | {k: known[k] for k in ("dataset", "digest")}
        if its := _difference(found, asked):
            raise SettingError(
                f"{out} holds another sweep's results: {its}; give another --out, or --fresh to "
                "delete them"
            )
        began_with, went_on_with = known["versions"], known["went_on_with"]
        # After a repair it is not known what it was begun with, but with what it went on.
        earlier, how = began_with, "begun"
        if not began_with:
            earlier, how = next(iter(went_on_with), now), "run"
        for name in now:
            if earlier.get(name) != now[name]:
                log(
                    f"{out} was {how} with {name} {earlier.get(name)} and continues with "
                    f"{now[name]}: the last bits of its runs may differ."
                )
        if now not in (began_with, *went_on_with):
            went_on_with = [*went_on_with, now]
        question = replace(
            question,
            batch_sizes=tuple(sorted({*question.batch_sizes, *known["batch_sizes"]})),
            seeds=tuple(sorted({*question.seeds, *known["seeds"]})),
        )
    write_json(
        path,
        {
            "format": FORMAT,
            "settings": question.common.common(),
            "batch_sizes": list(question.batch_sizes),
            "seeds": list(question.seeds),
            "dataset": dataset.name,
            "digest": dataset.identity,
            "versions": began_with,
            "went_on_with": went_on_with,
            "command": command,
        },
    )
    return question


@contextmanager
def opened(out, question, dataset, command, log, device="cpu", start_over=False):
    """OUT, made if need be, locked, and holding this question: what `open_folder` returns.

    start_over    delete first what a sweep left there
    Raises:       as check_folder, locked and open_folder
    """
    check_folder(out)
    make_folder(out)
    with locked(out):
        if start_over:
            fresh(out, log)
        yield open_folder(out, question, dataset, command, log, device)


def fresh(out, log):
    """Delete what a sweep left in OUT, after logging what that is; anything else there stays."""
    out = Path(out)
    if not (out / "sweep.json").exists():
        return
    folders = _run_folders(out)
    ours = [folder for folder in folders if not folder.is_symlink()]
    epochs = sum(len(read_records(folder / "epochs.jsonl")) for folder in ours)
    log(f"--fresh deletes {len(ours)} runs ({epochs} epochs) and their figure in {out}.")
    for folder in folders:
        delete_run(folder)
    shown = ("metrics.csv", "table.txt", "accuracy.png", "accuracy.svg", "index.html")
    for name in (*shown, "sweep.damaged", "sweep.json"):
        (out / name).unlink(missing_ok=True)


def load_folder(out):
    """(question, sweep.json as a dict) of a folder that holds a sweep.

    Raises:  UserError if it does not; SettingError if the user's own file is needed but not given
    """
    known = _read(out)
    try:
        common = Settings(**known["settings"])
    except SettingError as error:
        if known["settings"].get("own"):
            raise SettingError(
                f"{out} was made with a file of your own ({error}): give it with --with"
            ) from None
        raise
    except WRONG as error:
        raise DamagedError(f"{out}/sweep.json is damaged ({error}): {ANEW}") from None
    return Question(common, tuple(known["batch_sizes"]), tuple(known["seeds"])), known


def _read(out):
    """sweep.json as a dict, checked as far as that is possible without the user's own file."""
    path = Path(out) / "sweep.json"
    known = read_json(path, ANEW)
    if known is None:
        raise UserError(f"{out} holds no sweep: there is no sweep.json in it")
    try:
        check_settings(known, path)
        kinds = {"settings": dict, "batch_sizes": list, "seeds": list, "dataset": str}
        kinds |= {"digest": str, "versions": dict, "went_on_with": list}
        for name, kind in kinds.items():
            if not isinstance(known[name], kind):
                raise TypeError(f"its {name} is {known[name]!r}")
        for later in known["went_on_with"]:
            if not isinstance(later, dict):
                raise TypeError(f"its went_on_with holds {later!r}")
        values = DEFAULTS | known["settings"]
        if not values["own"]:  # all its names are in our tables
            Question(Settings(**values), known["batch_sizes"], known["seeds"]).cells()
    except WRONG as error:
        raise DamagedError(f"{path} is damaged ({error}): {ANEW}") from None
    return known


def _known(path, asked, log):
    """What a sweep.json says. If it is damaged, what the runs beside it tell, which must be of the
    question that is asked. None if there is nothing that tells.
    """
    if not path.exists():
        return None
    try:
        return _read(path.parent)
    except UncheckedError:  # of an early version, which named runs in another way
        raise
    except DamagedError:
        runs = _told_by_runs(path, asked)
    write_aside(path.with_suffix(".damaged"), read(path))
    log(f"{path} is damaged: it is made anew, and kept as {path.stem}.damaged")
    if not runs:
        return None
    sizes, seeds = {run.batch_size for run in runs}, {run.seed for run in runs}
    log(f"{path.parent} holds {len(runs)} run{'s' * (len(runs) > 1)} of this question, kept")
    # With which versions they were begun is not known.
    told = {"settings": runs[0].common(), "batch_sizes": sizes, "seeds": seeds}
    told |= {"versions": {}, "went_on_with": []}
    return told | {name: asked[name] for name in ("dataset", "digest")}


def _told_by_runs(path, asked):
    """The Settings of the runs beside a sweep.json that is damaged.

    Raises:  SettingError if one is of another question, DamagedError if one cannot be read
    """
    found = []
    for folder in _run_folders(path.parent):
        about = told_of(folder)
        if about is None:  # it was not begun
            continue
        try:
            its = _difference(what_matters(about["settings"]) | {"digest": about["digest"]},
                              {k: v for k, v in asked.items() if k != "dataset"})  # fmt: skip
            if its is None:
                run = Settings(**about["settings"])
                if folder.name in (run_name(run), older_run_name(run)):  # else it is a copy
                    found.append(run)
        except WRONG as error:
            raise DamagedError(
                f"{folder}/run.json is damaged ({error}): bring back a copy of it or of {path}, or "
                "give another --out"
            ) from None
        if its:
            raise SettingError(
                f"{path} is damaged, and {folder.name} beside it is of another sweep: "
                f"{its}; give another --out, or --fresh to delete what is there"
            )
    return found


def _difference(found, asked):
    """What differs from what is asked, in words; None if nothing does."""
    for name, value in asked.items():
        if found.get(name) != value:
            if name == "own":
                return "the file given by --with was another one, or has changed since"
            if name == "digest":
                return "its images or labels were different, or were normalised differently"
            return f"its {name} is {found.get(name)}, not {value}"
    return None


def _run_folders(out):
    return sorted(p for p in Path(out).iterdir() if RUN.fullmatch(p.name) and p.is_dir())


def missing(out, question, digest):
    """The settings of the runs that are not finished, in the order in which to do them."""
    return [cell for cell in question.cells() if not RunFolder(out, cell, digest).finished()]


def collect(out, question, digest, failures=None):
    """What the folder holds for every run of the question: (settings, records, failure or None)."""
    failures = failures or {}
    return [
        (settings, RunFolder(out, settings, digest).records(), failures.get(settings))
        for settings in question.cells()
    ]


def rows_of(collected):
    """All the epochs of collected runs, as the rows of metrics.csv."""
    return [tidy(settings, record) for settings, records, _ in collected for record in records]


sys.modules[__name__].__class__ = CallableModule  # for the call see commands/from_python.py
