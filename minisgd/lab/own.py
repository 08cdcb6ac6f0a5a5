"""A user's own file, `--with mine.py`: entries of their own beside those of this package.

The file is Python. Whatever it calls RULES, WARMUPS, DECAYS, OPTIMIZERS, NETWORKS, INITS or LOSSES
is added to the table of that name. Its digest is a setting of every run that it is given to, so
that a changed file means different runs. Its text is sent to the processes and machines that do the
runs: the file itself is needed only where the command is given.
"""

import hashlib
import re
import sys
import traceback
from contextlib import contextmanager
from importlib.abc import SourceLoader
from importlib.util import module_from_spec, spec_from_loader
from inspect import signature
from math import isfinite
from numbers import Real
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import inits, loss, networks, optim, rules, schedules
from ..errors import SettingError

TABLES = {
    "RULES": rules.RULES,
    "WARMUPS": schedules.WARMUPS,
    "DECAYS": schedules.DECAYS,
    "OPTIMIZERS": optim.OPTIMIZERS,
    "NETWORKS": networks.NETWORKS,
    "INITS": inits.INITS,
    "LOSSES": loss.LOSSES,
}
DIGITS = 8  # of the digest, in the name of a run
MODULE = "minisgd_own"  # what the file is imported as
NAME = re.compile(r"\w[\w.+-]*")  # of an entry: it becomes part of a folder's name
# An ordinary call of an entry; for an optimizer how its step is called, for an init two tensors.
CALLS = {"RULES": (128, 64), "WARMUPS": (1, 10, 0.01, 0.02), "DECAYS": (1, 100)}
STEP = "w g memory lr t settings shapes".split()
DRAWN = (6, 1, 5, 5), (10,)


class OwnFile(NamedTuple):
    """A file as it travels: its path for error messages, and its text."""

    path: str
    text: str

    @property
    def digest(self):
        """What stands for the text in the settings of a run."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:DIGITS]


class _FromText(SourceLoader):
    """Imports an OwnFile from its text, wherever the file is; tracebacks show its lines."""

    def __init__(self, own):
        self.own = own

    def get_filename(self, name):
        return self.own.path

    def get_data(self, path):
        return self.own.text.encode()


_loaded, _added = [], {}  # the one file of this process, and its entries by table


def read(path):
    """Read a user's file and add its entries to the tables.

    Returns: the OwnFile
    Raises:  SettingError for an error in it, naming the line, or for a name that is taken
    """
    own = opened(path, "--with")
    add(own)
    return own


def opened(path, option):
    """The OwnFile of a path that an option was given, without running it.

    Raises:  SettingError if it cannot be read
    """
    try:
        return OwnFile(str(path), Path(path).read_text("utf-8"))
    except UnicodeDecodeError:
        raise SettingError(f"{option}: cannot read {path}: it is not UTF-8 text") from None
    except (OSError, ValueError) as error:  # ValueError: no file can have such a name
        why = getattr(error, "strerror", None) or error
        raise SettingError(f"{option}: cannot read {path}: {why}") from None


def loaded():
    """The OwnFile of this process; None if there is none."""
    return _loaded[0] if _loaded else None


def add(own):
    """Add the entries of an OwnFile to the tables, replacing those of another file: a worker may
    serve one sweep after another. None: there is no file, so its entries are removed.

    Raises:  as `read`
    """
    if own in _loaded:
        return
    forget()
    if own is None:
        return
    module = imported(own)
    with _told(own):  # a dict of the user's own class may do anything
        found = {
            name: dict(entries)
            for name in TABLES
            if isinstance(entries := vars(module).get(name), dict)
        }
    if not any(found.values()):
        raise SettingError(
            f"--with: {own.path} adds nothing: it should define one of {', '.join(TABLES)} as a "
            "dict of its entries by name"
        )
    for name, entries in found.items():
        others = [TABLES[name], *(found[other] for other in found if other != name)]
        if taken := [entry for entry in entries if any(entry in other for other in others)]:
            raise SettingError(
                f"--with: {own.path} has {', '.join(map(repr, taken))} in its {name}, and so has "
                "another table or minisgd: choose another name"
            )
        for entry, thing in entries.items():
            _check(own, name, entry, thing)
    for name, entries in found.items():
        TABLES[name].update(entries)
    _added.update(found)
    _loaded.append(own)


def imported(own):
    """The module that an OwnFile is, its lines run once.

    Raises:  SettingError for an error in it, naming the line
    """
    loader = _FromText(own)
    module = module_from_spec(spec_from_loader(MODULE, loader))
    sys.modules[MODULE] = module
    with _told(own):
        try:
            loader.exec_module(module)
        except SyntaxError as error:
            where = f"{own.path}, line {error.lineno}" if error.lineno else own.path
            raise SettingError(f"{where}: {error.msg}") from None
    return module


@contextmanager
def _told(own, before=""):
    """Tell of whatever the lines of an OwnFile raise: SystemExit, too, or a class of its own.

    Raises:  SettingError, the sentence behind what is said `before` it
    """
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        checked = isinstance(error, SettingError) and not line_of(error, own)
        raise SettingError(f"{before}{error if checked else sentence(error, own)}") from None


def _check(own, table, name, entry):
    """Refuse an entry that its table has no use for, before anything is done with it.

    Raises:  SettingError, with the line if the entry is a function
    """
    function = getattr(entry, "step", entry) if table == "OPTIMIZERS" else entry
    line = getattr(getattr(function, "__code__", None), "co_firstlineno", None)
    where = f"{own.path}{f', line {line}' if line else ''}: {name!r} of its {table}"
    if not (isinstance(name, str) and NAME.fullmatch(name)):
        raise SettingError(f"{where} needs a name of letters, digits and . _ + - alone")
    with _told(own, f"{where} cannot be used: "):
        if table == "OPTIMIZERS":
            _check_optimizer(entry)
        elif table == "NETWORKS":
            if not all(isinstance(part, networks.Part) for part in entry):
                raise SettingError("it should be a list of networks.Part")
            networks.shapes_of(entry)
            networks.inputs_of(entry)
        elif table == "INITS":
            _check_init(entry)
        elif table == "LOSSES":
            _check_loss(entry)
        else:
            value = entry(*CALLS[table])
            if not (isinstance(value, Real) and isfinite(value)):
                raise SettingError(f"called with {CALLS[table]} it returns {value!r}, not a number")


def _check_optimizer(entry):
    if not isinstance(entry, optim.Optimizer):
        raise SettingError("it should be an Optimizer(step, memory=(...)) of minisgd.optim")
    if isinstance(entry.memory, str) or not all(isinstance(name, str) for name in entry.memory):
        raise SettingError(f'its memory should be a tuple of names, ("v",) for one: {entry.memory}')
    signature(entry.step).bind(*STEP)  # TypeError if it cannot be called like this


def _check_init(entry):
    for shape in DRAWN:
        drawn, again = (np.asarray(entry(np.random.default_rng(0), shape, 25)) for _ in range(2))
        if drawn.shape != shape or not np.isfinite(drawn).all():
            raise SettingError(f"for the shape {shape} it should return as many finite numbers")
        if not np.array_equal(drawn, again):
            raise SettingError("it should draw from the generator that it is given alone")


def _check_loss(entry):
    found = entry(np.zeros((networks.K, 2)), np.array([0, 1]), 2)
    if not isinstance(found, tuple) or len(found) != 3 or np.shape(found[2]) != (networks.K, 2):
        raise SettingError("it should return loss, correct and dz, which is as large as z")


def forget():
    """Take the entries of the user's file out of the tables."""
    for name, entries in _added.items():
        for entry in entries:
            del TABLES[name][entry]
    _added.clear()
    _loaded.clear()


def sentence(error, own=None):
    """An exception in one line, with the line of the user's file that it came from, if any."""
    own = own or loaded()
    line = line_of(error, own)
    return f"{own.path}, line {line}: {said(error)}" if line else said(error)


def said(error):
    """An exception in one line: its class, and its message if it has one."""
    try:
        message = str(error)
    except KeyboardInterrupt:
        raise
    except BaseException:  # an exception of the user's own, which fails to say what it is
        message = ""
    return " ".join(f"{type(error).__name__}: {message}".split()).removesuffix(":")


def line_of(error, own=None):
    """The last line of the user's file that an exception, or its cause, passed through; None if
    neither did. A StopIteration that ends a generator of ours is the cause of a RuntimeError.
    """
    own = own or loaded()
    for each in filter(None, (error, error.__cause__)):
        frames = traceback.extract_tb(each.__traceback__)
        lines = [frame.lineno for frame in frames if own and frame.filename == own.path]
        if lines:
            return lines[-1]
    return None
