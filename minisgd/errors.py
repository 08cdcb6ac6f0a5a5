"""What a person did wrong or a machine lacks, as one sentence for the command line to print."""

import sys
from pathlib import Path

REQUIRED = "numpy", "matplotlib", "click", "threadpoolctl", "filelock"  # as in setup.cfg


class UserError(Exception):
    """The request makes sense but failed (a folder, a mirror, a file): exit code 1."""


class SettingError(UserError, ValueError):
    """The request itself makes no sense (batch size 0, momentum 1): exit code 2."""


def one_of(what, table, name):
    """The entry of a table.  Raises: SettingError listing the names if this is not one of them"""
    if name not in table:
        raise SettingError(f"{what} must be one of {', '.join(table)}, got {name!r}")
    return table[name]


def program():
    """How this program was called, for a sentence that names one of its commands. From Python: as
    it can be called, `python cli.py` in a checkout.
    """
    called = Path(sys.argv[0])
    if called.parts[-2:] == ("minisgd", "__main__.py"):
        return "python -m minisgd"
    return "python cli.py" if called.stem != "minisgd" and _in_checkout() else "minisgd"


def install(extra=None):
    """How this project is installed, with the packages of an extra of setup.cfg if one is given."""
    place = '-e ".' if _in_checkout() else '"minisgd'
    return f'python -m pip install {place}{f"[{extra}]" if extra else ""}"'


def _in_checkout():
    return (Path(__file__).parents[1] / "cli.py").exists()
