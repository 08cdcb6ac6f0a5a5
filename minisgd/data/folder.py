"""The folder in which datasets are kept, the names of its files, and what can go wrong with it."""

import os
import sys
from pathlib import Path

from ..errors import UserError, program

# What to do next, for the end of an error message.
CHOOSE_ANOTHER = "set MINISGD_DATA to a folder that can be written"


class DataError(UserError):
    """A file or folder of a dataset is not what it should be; the message says what to do."""


class MissingError(DataError):
    """The dataset is not on this machine and cannot be downloaded; then "auto" draws glyphs."""


def data_command(name):
    """The command that is about a dataset: MNIST needs no name."""
    return f"{program()} data" + (f" --dataset {name}" if name != "mnist" else "")


def fetch_again(name):
    """What to do about a wrong file of a dataset, for the end of an error message."""
    if name == "idx":  # a user's own files cannot be fetched
        return "mend it, or name another --data-dir"
    return f"move it away and run `{data_command(name)}`"


def data_folder(folder=None):
    """Where datasets are kept: the argument, else MINISGD_DATA, else the cache.

    Raises:  DataError if there is no home folder, or if the path is that of a file
    """
    given = folder or os.environ.get("MINISGD_DATA")
    try:
        found = Path(given).expanduser() if given else cache_folder()
    except RuntimeError:
        if given:
            raise DataError(f"{given} begins with a home folder that is not here") from None
        raise DataError("there is no home folder here; set MINISGD_DATA to a folder") from None
    if os.path.isfile(found):
        raise DataError(f"{found} is a file: give the folder in which datasets are to be")
    return found


def cache_folder():
    """Where this platform keeps what can be fetched or made again.

    Raises:  RuntimeError if there is no home folder
    """
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")
        base = base if os.path.isabs(base) else Path.home() / ".cache"
    return Path(base) / "minisgd"


def existing_path(folder, file):
    """The path of a file in a folder, under any usual name, packed or not; None if it is not there.

    Some distributors write `train-images.idx3-ubyte` for `train-images-idx3-ubyte`.
    """
    dotted = file.replace("-idx", ".idx")
    for name in (file, f"{file}.gz", dotted, f"{dotted}.gz"):
        if os.path.exists(folder / name):
            return folder / name
    return None
