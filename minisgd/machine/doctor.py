"""What this machine has, whether anything is wrong with it, and what to do about that, as lines."""

import os
import platform
import sys
from pathlib import Path

from ..backend import MISSING, array_module, cuda_problem, device_name, nccl
from ..data import KNOWN, data_folder, status
from ..disk.files import StorageError
from ..errors import REQUIRED, UserError, install, program
from ..lab.facts import blas_built_with, machine

OPTIONAL = {  # and what each is needed for
    "distributed": "--scheduler",
    "line_profiler": "bench --profile",
    "torch": "bench, and as an independent check of the gradients",
    "jax": "bench",
}


def examine(data_dir=None):
    """Yield (line, advice): advice is a sentence on what to do, or None where all is well."""
    yield f"Python      {platform.python_version()} at {sys.executable}", None
    yield f"machine     {platform.system()}, {machine()}", None
    yield from _blas()
    yield from _cupy()
    yield _mpi()
    yield "required", None
    for package in REQUIRED:
        yield _required(package)
    yield "optional", None
    for package, use in OPTIONAL.items():
        yield f"  {package:<13} {_version(package) or 'not installed'} (for {use})", None
    try:
        yield f"data        in {data_folder(data_dir)}", None
    except UserError as error:
        yield "data        nowhere", str(error)
    else:
        for name in (*KNOWN, "glyphs"):
            yield _dataset(name, data_dir)
    yield _writable(Path("runs"))


def _blas():
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        yield "BLAS        unknown: threadpoolctl, which asks it, is not installed", None
        return
    found = [lib for lib in threadpool_info() if lib["user_api"] == "blas"]
    for lib in found:
        kernel = lib.get("architecture") or "unknown kernel"
        line = f"{lib['internal_api']} {lib['version']} ({kernel}), {lib['num_threads']} threads"
        yield f"BLAS        {line} (training holds it at 1)", None
    if not found and (name := blas_built_with()) == "accelerate":
        yield f"BLAS        {name} (which decides on its threads itself)", None
    elif not found:
        yield (
            f"BLAS        {name}, which does not tell its threads",
            "training may be slow: install NumPy from its own wheels (pip install numpy)",
        )


def _cupy():
    problem = cuda_problem()
    if problem is None:
        xp = array_module("cuda")
        others = ""
        if (gpus := xp.cuda.runtime.getDeviceCount()) > 1:
            way = "NCCL" if nccl() else "the host's memory, for CuPy finds no NCCL"
            others = f", the first of {gpus}, which exchange through {way}"
        yield f"CuPy        {xp.__version__}: a kernel ran on {device_name('cuda')}{others}", None
    elif problem == MISSING:
        yield f"CuPy        {problem}: training runs on the CPU", None
    else:
        yield (
            f"CuPy        {problem}",
            "training runs on the CPU; for a GPU, install its driver, and CuPy with the CUDA of "
            f"that driver: {install('cuda12')}, or cuda13",
        )


def _mpi():
    try:
        import mpi4py

        mpi4py.rc.initialize = False  # so that importing MPI does not start it
        from mpi4py import MPI
    except ImportError:
        return "MPI         mpi4py is not installed: a run is one process", None
    except RuntimeError as error:
        return (
            f"MPI         mpi4py {mpi4py.__version__} finds no MPI ({str(error).splitlines()[0]})",
            "install one: pip install mpich",
        )
    library = MPI.Get_library_version().splitlines()[0].strip(" \0").replace("\t", " ")
    return f"MPI         mpi4py {mpi4py.__version__} on {' '.join(library.split())}", None


def _version(package):
    """The version of an installed package, or None. The package is not imported."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _required(package):
    if found := _version(package):
        return f"  {package:<13} {found}", None
    return f"  {package:<13} not installed", f"install this project again: {install()}"


def _dataset(name, data_dir):
    line = f"  {name:<13} "
    try:
        found = status(name, data_dir)
    except StorageError as error:
        return line + "cannot be read", str(error)
    except UserError as error:
        return line + "damaged", str(error)
    except OSError as error:
        return line + "cannot be read", f"{error.strerror}: {error.filename}"
    if found:
        return line + found, None
    if name == "glyphs":
        return line + "not here (made when asked for)", None
    if name == "fashion-mnist":
        return line + f"not here (`{program()} data --dataset fashion-mnist` fetches it)", None
    return line + "not here", (
        f"`{program()} data` fetches it; `{program()} data --from DIR` takes files you have"
    )


def _writable(folder):
    existing = folder if folder.is_dir() else Path(".")
    line = f"results     in {folder.absolute()}"
    if os.access(existing, os.W_OK):
        return line, None
    return line, "this folder cannot be written to: give one that can with --out"
