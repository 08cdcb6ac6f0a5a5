"""A user's own file, `--with mine.py`: entries of their own beside those of this package.

The file is Python. Whatever it calls RULES, WARMUPS, DECAYS, OPTIMIZERS or NETWORKS is added to the
table of that name. Its digest is a setting of every run that it is given to, so that a changed file
means different runs. Its text is sent to the processes and machines that do the runs: the file
itself is needed only where the command is given.
"""

import hashlib
import linecache
import traceback
import types
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


class OwnFile(NamedTuple):
    """A file as it travels: its path for error messages, and its text."""

    path: str
    text: str

    @property
    def digest(self):
        """What stands for the text in the settings of a run."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:DIGITS]


_loaded, _added = [], {}  # the one file of this process, and its entries by table


def read(path):
    """Read a user's file and add its entries to the tables.

    Returns: the OwnFile
    Raises:  SettingError for an error in it, naming the line, or for a name that is taken
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
    """Add the entries of an OwnFile (or None) to the tables, replacing those of another file: a
    worker may serve one sweep after another.

    Raises:  as `read`
    """
    if own is None or own in _loaded:
        return
    forget()
    module = types.ModuleType("own")
    module.__file__ = own.path
    # So that a traceback shows the line even where the file is missing.
    linecache.cache[own.path] = (
        len(own.text), None, own.text.splitlines(keepends=True), own.path,
    )  # fmt: skip
    try:
        exec(compile(own.text, own.path, "exec"), module.__dict__)
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
    """An exception in one line, with the line of the user's file that it came from, if any."""
    own = own or loaded()
    what = " ".join(f"{type(error).__name__}: {error}".split())
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if own and frame.filename == own.path]
    return f"{own.path}, line {inside[-1].lineno}: {what}" if inside else what
