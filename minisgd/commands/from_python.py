"""minisgd.train(...) and minisgd.sweep(...): the commands of these names, called from Python.

Both take the settings of a run by name and return its records: plain dicts, one for each epoch,
with the columns of metrics.csv. `table` and `frame` show them in other ways, and so do the figures
of `minisgd.plots`.
"""

from contextlib import contextmanager, nullcontext
from numbers import Integral, Real
from os import fsencode, fspath
from pathlib import Path

from .console import say
from .options import BATCH_SIZES, RUN, settings_of
from .plot import show_sweep
from .progress import Progress
from .train import kept_in, side_by_side
from .types import split

SIZES = split(BATCH_SIZES, int)
# What a setting of each kind may be given as, what it then is, and both in words.
KINDS = {
    "int": (Integral, int, "a whole number"),
    "float": (Real, float, "a number"),
    "str": (str, str, "a text"),
    "bool": (bool, bool, "True or False"),
}


def train(
    batch_size=64, *, seed=0, threads=None, device="auto", dataset="auto", data_dir=None, out=None,
    fresh=False, progress=True, **settings,
):  # fmt: skip
    """Train one network, as the command train does, and return its records.

        records = minisgd.train(batch_size=512, lr=0.08, momentum=0.9, epochs=5)

    settings   the fields of minisgd.Settings, by name; but `own` is the path of a file of your own
    threads    of the run; None for as many as there are cores
    dataset    a name, or what load_dataset returned
    out        a folder that keeps the run: the same call, given again, goes on where it stopped,
               and the commands can read the folder. None: nothing is kept
    fresh      first delete what that folder holds
    progress   show how it goes, in one line

    Returns: a list of {column: value}, one for each epoch
    Raises:  SettingError (a ValueError) for what makes no sense, UserError for what fails, in the
             sentences of the command
    """
    from minisgd.errors import SettingError
    from minisgd.lab.facts import cores
    from minisgd.lab.sweep import Question

    if several := {"batch_sizes", "seeds"} & set(settings):
        name = min(several)
        raise SettingError(f"train takes one: give {name[:-1]}, not {name}, or call sweep")
    given = {"batch_size": batch_size} | ({"seed": seed} if seed else {}) | settings
    found = _settings({"batch_size": batch_size, "seed": seed} | settings)
    question = Question(found, (found.batch_size,), (found.seed,))
    threads = _count("threads", threads) or cores()
    where = {"device": device, "dataset": dataset, "data_dir": data_dir, "out": out}
    return _answer(_call("train", given), question, None, threads, fresh, progress, **where)


def sweep(
    batch_sizes=SIZES, seeds=1, *, jobs=None, threads=None, device="auto", dataset="auto",
    data_dir=None, out=None, fresh=False, progress=True, **settings,
):  # fmt: skip
    """Train every batch size with every seed, as the command sweep does, and return the records.

        records = minisgd.sweep((64, 512, 4096), seeds=3, rule="linear", epochs=5)

    seeds      how many, or which: 3 is (0, 1, 2)
    jobs       runs side by side, a process each; None for as many as there are cores
    threads    of each run; None for one

    The rest is as in `train`. If some runs fail, the error says why and where the others are.
    """
    from minisgd.backend import resolve_device
    from minisgd.errors import SettingError
    from minisgd.lab.sweep import Question

    given = {"batch_sizes": batch_sizes, "seeds": seeds} | settings
    if one := {"batch_size", "seed"} & set(settings):
        raise SettingError(f"sweep takes several: give {min(one)}s, not {min(one)}")
    if isinstance(seeds, Integral):
        seeds = range(_count("seeds", seeds, 1000))
    question = Question(
        _settings(settings),
        _wholes("batch_sizes", batch_sizes, "(64, 128)"),
        _wholes("seeds", seeds, "(0, 1, 2)"),
    )
    threads, device = _count("threads", threads) or 1, resolve_device(device)
    jobs = _count("jobs", jobs) or side_by_side(threads, device)
    where = {"device": device, "dataset": dataset, "data_dir": data_dir, "out": out}
    return _answer(_call("sweep", given), question, jobs, threads, fresh, progress, **where)


def table(records):
    """The table that the command sweep prints of these records, as one text."""
    from minisgd.lab.metrics import settings_of as settings_of_row
    from minisgd.report import summary

    runs = {}
    for record in records:
        runs.setdefault(settings_of_row(record), []).append(record)
    return "\n".join(summary.table([(settings, found, None) for settings, found in runs.items()]))


def frame(records):
    """The records as a pandas.DataFrame; a loss or accuracy that was not finite is NaN.

    Raises:  UserError if pandas is not installed
    """
    from minisgd.errors import UserError

    try:
        from pandas import DataFrame
    except ImportError:
        raise UserError(
            "frame needs pandas: python -m pip install pandas; the records are plain dicts without "
            "it"
        ) from None
    return DataFrame(records)


def _answer(call, question, jobs, threads, fresh, progress, *, device, dataset, data_dir, out):
    """Do the runs that are missing, and return the records of all that were asked for.

    call    as the folder records it, in place of a command line
    jobs    how many runs go side by side; None for a single run in this process
    """
    from minisgd.backend import resolve_device
    from minisgd.errors import UserError
    from minisgd.lab import sweep
    from minisgd.lab.names import run_name

    cells, device = question.cells(), resolve_device(device)
    out, data = _path("out", out), _data(dataset, data_dir)
    for cell in cells:
        cell.check(len(data.train.labels))
    log, digest = say if progress else lambda line: None, data.identity
    with _folder(out) as folder:
        try:
            with sweep.opened(folder, question, data, call, log, device, fresh) as everything:
                failures = _do_missing(folder, question, data, device, jobs, threads, progress, log)
                if out:
                    show_sweep(folder, everything, failures, tell=lambda lines: None)
                collected = sweep.collect(folder, question, digest)
        except KeyboardInterrupt:
            said = "Stopped. Nothing is kept; a call with out=FOLDER could go on from here"
            if out:
                said = f"{kept_in(folder, question, digest)}; the same call goes on from there"
            raise KeyboardInterrupt(said) from None
        if failures:
            reasons = "; ".join(f"{run_name(cell)}: {why}" for cell, why in failures.items())
            raise UserError(
                f"{len(failures)} of {len(cells)} runs failed ({reasons}); the others are in "
                f"{folder}"
            )
    return sweep.rows_of(collected)


def _do_missing(folder, question, data, device, jobs, threads, progress, log):
    """Do the runs that the folder lacks.  Returns: {settings: reason} of those that failed"""
    from minisgd.lab import sweep

    begun = {c: len(found) for c, found, _ in sweep.collect(folder, question, data.identity)}
    missing = sweep.missing(folder, question, data.identity)
    to_come = {cell: cell.epochs - begun[cell] for cell in missing}
    with Progress(to_come) if progress else nullcontext() as line:
        if jobs:
            return sweep.run_cells(folder, missing, data, device, jobs, threads, line, log)
        for cell in missing:
            sweep.run_cell(folder, cell, data, device, threads, line, log)
    return {}


@contextmanager
def _folder(out):
    """The folder of the results; if none is given, one that stays only if an error names it."""
    from shutil import rmtree
    from tempfile import mkdtemp

    from minisgd.errors import UserError

    folder = out or Path(mkdtemp(prefix="minisgd-"))
    named = False
    try:
        yield folder
    except UserError as error:
        named = str(folder) in str(error)
        raise
    finally:
        if not (out or named):
            rmtree(folder)


# ---- what is given, checked as the options of the commands are


def _settings(given):
    """The Settings of these names and values. Of a file of the user's own, the path is given.

    Raises:  SettingError
    """
    from minisgd.errors import SettingError
    from minisgd.lab import own
    from minisgd.settings import DEFAULTS
    from minisgd.settings import KINDS as KIND_OF

    found = {}
    path, names = _path("own", given.get("own")), ("batch_size", "seed", *RUN)
    digest = own.read(path).digest if path else own.add(None)
    for name, value in given.items():
        if name not in names:
            raise SettingError(f"there is no setting {name!r}, only {', '.join(names)}")
        accepted, kind, words = KINDS[KIND_OF[name]]
        if name == "own" or (value is None and DEFAULTS[name] is None):
            continue
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            raise SettingError(f"{name} must be {words}, got {value!r}")
        try:
            found[name] = kind(value)
        except OverflowError:
            raise SettingError(f"{name} must be a number that is not so large") from None
    return settings_of(**found, own=digest or "")


def _data(dataset, data_dir):
    """The Dataset of a name, or the one that is given.  Raises: SettingError, DataError"""
    from minisgd.data import Dataset, load_dataset
    from minisgd.errors import SettingError

    if isinstance(dataset, str):
        return load_dataset(dataset, _path("data_dir", data_dir))
    if not isinstance(dataset, Dataset):
        raise SettingError(
            f"dataset must be a name, or what load_dataset returned, got {dataset!r}"
        )
    return dataset


def _wholes(name, values, example):
    """Distinct whole numbers, in order, as a tuple.  Raises: SettingError"""
    from minisgd.errors import SettingError

    try:
        numbers = list(values)
    except TypeError:
        numbers = [values]
    if not numbers or not all(isinstance(n, Integral) and not isinstance(n, bool) for n in numbers):
        raise SettingError(f"{name} must be whole numbers such as {example}, got {values!r}")
    return tuple(dict.fromkeys(map(int, numbers)))


def _path(name, value):
    """A path, or None if none is given.  Raises: SettingError"""
    from minisgd.errors import SettingError

    try:
        possible = value is None or (
            isinstance(fspath(value), str) and b"\0" not in fsencode(value)
        )
    except (TypeError, UnicodeError):
        possible = False
    if not possible:
        raise SettingError(f"{name} must be a path, got {value!r}")
    try:
        return Path(value).expanduser() if value else None
    except RuntimeError:
        raise SettingError(f"{name} begins with a home folder that is not here: {value}") from None


def _count(name, value, most=None):
    """A number of things, None for the default.  Raises: SettingError"""
    from minisgd.errors import SettingError

    if value is None:
        return None
    if not isinstance(value, Integral) or not 1 <= value <= (most or value):
        end = f" to {most}" if most else ""
        raise SettingError(f"{name} must be a whole number from 1{end}, got {value!r}")
    return int(value)


def _call(function, given):
    """The call as one would type it."""
    return f"minisgd.{function}({', '.join(f'{name}={value!r}' for name, value in given.items())})"
