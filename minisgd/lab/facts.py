"""What a result depends on besides its settings: versions, commit and processor."""

import hashlib
import os
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np

from ..errors import UserError


def versions():
    """The versions on which the bits of a result depend, for its record."""
    from threadpoolctl import threadpool_info

    blas = [
        f"{lib['internal_api']} {lib['version']} {lib.get('architecture', '')}".strip()
        for lib in threadpool_info()
        if lib["user_api"] == "blas"
    ]
    return {
        "minisgd": sys.modules["minisgd"].__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": ", ".join(sorted(set(blas))) or blas_built_with(),
        "machine": platform.machine(),
    }


def blas_built_with():
    """The name of the BLAS that NumPy was built with, for one that threadpoolctl does not know."""
    try:
        return np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    except (KeyError, TypeError):
        return "unknown"


def cores():
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only some systems have it
        return os.cpu_count() or 1


def processor():
    """The name of the processor, if the system reveals it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "an unnamed processor"


def commit():
    """The commit of this code, with "-dirty" if it was changed since; None outside a checkout."""
    package = Path(__file__).parents[1]

    def git(*arguments):
        command = ["git", *arguments]
        return subprocess.run(command, cwd=package, capture_output=True, text=True, check=False)

    try:
        head = git("rev-parse", "--short", "HEAD")
    except OSError:  # git is not installed
        return None
    if head.returncode or git("ls-files", "--error-unmatch", __file__).returncode:
        return None  # in no repository, or in one that does not track this code
    changed = git("diff", "--quiet", "HEAD", ".").returncode
    return head.stdout.strip() + ("-dirty" if changed else "")


def machine():
    """This machine in words: cores and processor."""
    return f"{cores()} cores of {processor()}"


@cache  # what is loaded stays so, even if a file changes later
def code():
    """A checksum of this package's source."""
    package, checksum = Path(__file__).parents[1], hashlib.sha256()
    files = {path.relative_to(package).as_posix(): path for path in package.rglob("*.py")}
    for name in sorted(files):
        text = files[name].read_bytes().replace(b"\r\n", b"\n")
        checksum.update(f"{name} {len(text)}\n".encode() + text)
    return checksum.hexdigest()[:12]


def about():
    """What processes that share a sweep or a run tell one another of themselves."""
    return {
        "minisgd": sys.modules["minisgd"].__version__,
        "code": code(),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": machine(),
    }


def compare(there, who):
    """Hold what another process says `about` itself against this one.

    who    the other process in words

    Returns: a note if its results may differ in the last digits, else None
    Raises:  UserError if its minisgd is not this one
    """
    here = about()
    if there["code"] != here["code"]:
        raise UserError(
            f"{who} has another minisgd ({there['minisgd']}, code {there['code']}) than this "
            f"process ({here['minisgd']}, code {here['code']}): install the same on both"
        )
    names = [name for name in ("NumPy", "Python") if there[name.lower()] != here[name.lower()]]
    if not names:
        return None
    theirs, ours = (
        " and ".join(f"{name} {each[name.lower()]}" for name in names) for each in (there, here)
    )
    return f"{who} has {theirs}, this process {ours}: results may differ in their last digits"
