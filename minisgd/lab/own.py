"""A user's own file, `--with mine.py`: entries of her own beside those of this package.

The file is Python. Whatever it calls RULES, WARMUPS, DECAYS, OPTIMIZERS or NETWORKS is added to the
table of that name. Its digest is a setting of every run that it is given to, so that a changed file
makes other runs. Its text goes along to the processes and machines that do the runs: nobody needs
the file but the one who asks.
"""

import hashlib
import sys
import traceback
from importlib.abc import SourceLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import NamedTuple

from .. import networks, optim, rules, schedules
from ..errors import SettingError

TABLES = {
    "RULES": rules.RULES,
    "WARMUPS": schedules.WARMUPS,
    "DECAYS": schedules.DECAYS,
    "OPTIMIZERS": optim.OPTIMIZERS,
    "NETWORKS": networks.NETWORKS,
}
DIGITS = 8  # of the digest, in the name of a run
MODULE = "minisgd_own"  # what the file is imported as


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
    Raises:  SettingError that names the line, for an error in it; also for a name that is taken
    """
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise SettingError(f"--with: cannot read {path}: {why}") from None
    own = OwnFile(str(path), text)
    add(own)
    return own


def loaded():
    """The OwnFile of this process; None if there is none."""
    return _loaded[0] if _loaded else None


def add(own):
    """Add the entries of an OwnFile (or None) to the tables, in the place of those of another file:
    a worker may be given one question after the other.

    Raises:  as `read`
    """
    if own is None or own in _loaded:
        return
    forget()
    loader = _FromText(own)
    module = module_from_spec(spec_from_loader(MODULE, loader))
    sys.modules[MODULE] = module
    try:
        loader.exec_module(module)
    except SyntaxError as error:
        raise SettingError(f"{error.filename}, line {error.lineno}: {error.msg}") from None
    except Exception as error:
        raise SettingError(sentence(error, own)) from None
    found = {
        name: entries for name in TABLES if isinstance(entries := vars(module).get(name), dict)
    }
    if not any(found.values()):
        raise SettingError(
            f"--with: {own.path} adds nothing: it should define one of {', '.join(TABLES)} as a "
            "dict of its entries by name"
        )
    for name, entries in found.items():
        if taken := [entry for entry in entries if entry in TABLES[name]]:
            raise SettingError(
                f"--with: {own.path} has {', '.join(map(repr, taken))} in its {name}, and so has "
                "minisgd: choose another name"
            )
    for name, entries in found.items():
        TABLES[name].update(entries)
    _added.update(found)
    _loaded.append(own)


def forget():
    """Take the entries of the user's file out of the tables."""
    for name, entries in _added.items():
        for entry in entries:
            del TABLES[name][entry]
    _added.clear()
    _loaded.clear()


def sentence(error, own=None):
    """An exception in one line; with the line of the user's file where it came from, if it did."""
    own = own or loaded()
    said = " ".join(f"{type(error).__name__}: {error}".split())
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if own and frame.filename == own.path]
    return f"{own.path}, line {inside[-1].lineno}: {said}" if inside else said
