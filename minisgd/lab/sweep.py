"""A sweep: the question that a folder answers, the runs still missing, and their records."""

import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from .. import CallableModule
from ..disk.files import LOCK, locked, make_folder, read, write_aside
from ..disk.formats import FORMAT, DamagedError, read_json, read_records, write_json
from ..errors import SettingError, UserError
from ..settings import DEFAULTS, Settings, what_matters
from . import facts
from .metrics import tidy
from .names import folder_name, title_of
from .run_folder import RUN, RunFolder, check_settings, delete_run
from .workers import follow, run_cell, run_cells

__all__ = [
    "Question", "check_folder", "collect", "folder_name", "follow", "fresh", "load_folder",
    "missing", "open_folder", "opened", "rows_of", "run_cell", "run_cells", "title_of",
]  # fmt: skip


# What Settings may raise for values of the wrong kinds, which only a damaged file can hold.
WRONG = ArithmeticError, AttributeError, KeyError, TypeError, ValueError


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
    """Refuse a folder that exists and holds something, but no sweep.

    Raises:  SettingError
    """
    out = Path(out)
    if (out / "sweep.json").exists() or not out.exists():
        return
    if not out.is_dir():
        raise SettingError(f"{out} is a file and holds no sweep: give another --out")
    ours = (LOCK, *(path.name for path in out.glob(".*.part")))  # left by a start that was killed
    if any(path.name not in ours for path in out.iterdir()):
        raise SettingError(f"{out} is not empty and holds no sweep: give another --out")


def open_folder(out, question, dataset, command, log, device="cpu"):
    """Record the question in OUT, or check it against the one that OUT holds already.

    A sweep.json that is damaged is made anew if all the runs beside it are of this question.

    Returns: the question, plus the batch sizes and seeds that the folder already had
    Raises:  SettingError if the folder holds another sweep's results, naming what differs;
             DamagedError
    """
    path = Path(out) / "sweep.json"
    asked = question.common.common() | {"dataset": dataset.name, "digest": dataset.identity}
    now = facts.versions() | {"device": device}
    began_with, went_on_with = now, []
    if path.exists():
        try:
            known = _read(out)
        except DamagedError:
            known = _told_by_runs(out, question.common, dataset.identity)
            if known is None:
                raise
            write_aside(path.with_suffix(".damaged"), read(path))
            log(f"{path} is damaged: it is made anew from the runs beside it")
            known |= {"dataset": dataset.name, "versions": now, "went_on_with": []}
        found = what_matters(known["settings"]) | {k: known[k] for k in ("dataset", "digest")}
        for name, value in asked.items():
            if found.get(name) != value:
                its = f"its {name} is {found.get(name)}, not {value}"
                if name == "own":
                    its = "the file given by --with was another one, or has changed since"
                raise SettingError(
                    f"{out} holds another sweep's results: {its}; give another --out, or --fresh "
                    "to delete them"
                )
        began_with, went_on_with = known["versions"], known["went_on_with"]
        for name in now:
            if began_with.get(name) != now[name]:
                log(
                    f"{out} was begun with {name} {began_with.get(name)} and continues with "
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
    folders = sorted(p for p in out.iterdir() if p.is_dir() and RUN.fullmatch(p.name))
    epochs = sum(len(read_records(folder / "epochs.jsonl")) for folder in folders)
    log(f"--fresh deletes {len(folders)} runs ({epochs} epochs) and their figure in {out}.")
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
        raise DamagedError(f"{out}/sweep.json is damaged ({error}): give another --out") from None
    return Question(common, tuple(known["batch_sizes"]), tuple(known["seeds"])), known


def _read(out):
    """sweep.json as a dict, checked as far as that is possible without the user's own file."""
    path = Path(out) / "sweep.json"
    known = read_json(
        path, "the command that made it, given again, makes it anew from the runs beside it"
    )
    if known is None:
        raise UserError(f"{out} holds no sweep: there is no sweep.json in it")
    try:
        check_settings(known, path)
        kinds = {"settings": dict, "batch_sizes": list, "seeds": list, "dataset": str}
        kinds |= {"digest": str, "versions": dict, "went_on_with": list}
        for name, kind in kinds.items():
            if not isinstance(known[name], kind):
                raise TypeError(f"its {name} is {known[name]!r}")
        values = DEFAULTS | known["settings"]
        if not values["own"]:  # all its names are in our tables
            Question(Settings(**values), known["batch_sizes"], known["seeds"]).cells()
    except WRONG as error:
        raise DamagedError(f"{path} is damaged ({error}): give another --out, or --fresh") from None
    return known


def _told_by_runs(out, common, digest):
    """What a damaged sweep.json of these common settings said, as far as its runs tell: "settings",
    "batch_sizes", "seeds" and "digest". None if one of them is a run of another question.
    """
    runs = []
    for path in sorted(Path(out).glob("*/run.json")):
        try:
            about = read_json(path, settings=dict, digest=str)
        except DamagedError:  # its checkpoint tells whose it is, see RunFolder.resume
            continue
        check_settings(about, path)
        try:
            run = Settings(**about["settings"])
        except WRONG:
            return None
        if run.common() != common.common() or about["digest"] != digest:
            return None
        runs.append(run)
    sizes, seeds = {run.batch_size for run in runs}, {run.seed for run in runs}
    return {"settings": common.common(), "digest": digest, "batch_sizes": sizes, "seeds": seeds}


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
