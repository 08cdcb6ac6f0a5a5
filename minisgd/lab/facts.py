"""What a result depends on besides its settings: versions, commit, processor."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np


def versions():
    """What else a result depends on, bit by bit: for the record."""
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
    """The BLAS that NumPy was built with, for those that cannot be asked (Accelerate)."""
    try:
        return np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    except (KeyError, TypeError):
        return "unknown"


def cores():
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every platform
        return os.cpu_count() or 1


def processor():
    """The processor's name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "an unnamed processor"


def commit():
    """The commit of this code, "-dirty" if it was changed since; None outside of a checkout."""
    here = Path(__file__).parents[1]
    ask = lambda *words: subprocess.run(  # noqa: E731
        ["git", *words], cwd=here, capture_output=True, text=True, check=False
    )
    try:
        found = ask("rev-parse", "--short", "HEAD")
    except OSError:  # no git
        return None
    if found.returncode or ask("ls-files", "--error-unmatch", Path(__file__)).returncode:
        return None  # of no repository, or of one that this code only lies in
    return found.stdout.strip() + (
        "-dirty" if ask("diff", "--quiet", "HEAD", ".").returncode else ""
    )


def machine():
    """What computes here, in words."""
    return f"{cores()} cores of {processor()}"
