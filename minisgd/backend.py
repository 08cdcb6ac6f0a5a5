"""The array-module shim: NumPy on the CPU or CuPy on a GPU, and the way from device to host.

Everything else is written against `xp`, which is one of the two modules; nothing else imports cupy.
"""

import importlib
import os
import sys
import warnings

import numpy as np

from .errors import SettingError, program

DEVICES = ("auto", "cpu", "cuda")
MISSING = "CuPy is not installed"
POOL = 0.85  # of the GPU's memory is what CuPy may take, unless CUPY_GPU_MEMORY_LIMIT is set


def cuda_problem(place=None):
    """Why a kernel cannot run on a GPU here, as one phrase; None if one really ran.

    place    which GPU this process takes, modulo the number that CUDA_VISIBLE_DEVICES shows
    """
    try:
        import cupy
    except ImportError:
        return MISSING
    except Exception as error:  # a wheel for another CUDA, a broken driver: it may be anything
        return f"CuPy cannot be imported ({_one_line(error)})"
    try:
        if place is not None:
            cupy.cuda.Device(place % cupy.cuda.runtime.getDeviceCount()).use()
        ones = cupy.ones((2, 2))
        if int((ones @ ones + 1).sum()) != 12:  # compiled here, and a product of cuBLAS
            return "kernels ran on the GPU but gave a wrong sum"
    except Exception as error:
        return f"CuPy cannot run a kernel ({_one_line(error)})"
    return None


def _one_line(error):
    return f"{type(error).__name__}: {error}".split("\n")[0]


def resolve_device(device="auto", place=None):
    """The device to use: "cuda" if a kernel really runs there, otherwise "cpu".

    place    which GPU of its machine a rank takes, from 0; None leaves the choice to CuPy

    Raises:  SettingError if the device is unknown, or "cuda" is asked for and cannot be used
    """
    if device not in DEVICES:
        raise SettingError(f"device must be one of {', '.join(DEVICES)}, got {device!r}")
    if device == "cpu":
        return "cpu"
    problem = cuda_problem(place)
    if problem is None:
        return "cuda"
    if device == "cuda":
        raise SettingError(
            f"--device cuda cannot be used: {problem}; use --device cpu, "
            f"or see what `{program()} doctor` says"
        )
    if problem != MISSING:
        print(f"{problem}: the CPU is used.", file=sys.stderr)
    return "cpu"


def device_name(device):
    """The device in words: cpu, or cuda and the name of the GPU."""
    if device != "cuda":
        return device
    xp = array_module(device)
    name = xp.cuda.runtime.getDeviceProperties(xp.cuda.runtime.getDevice())["name"]
    return f"cuda ({name.decode()})"


def array_module(device):
    """The module whose arrays live on the device: numpy or cupy."""
    if resolve_device(device) == "cpu":
        return np
    import cupy

    if "CUPY_GPU_MEMORY_LIMIT" not in os.environ:
        cupy.get_default_memory_pool().set_limit(fraction=POOL)
    return cupy


def nccl():
    """CuPy's NCCL module, through which GPUs exchange arrays; None if NCCL is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # many lines where the caller has one sentence
        module = importlib.import_module("cupy.cuda.nccl")
    return module if module.available else None


def out_of_memory(array):
    """What is raised when the array's device is out of memory, for an `except`."""
    if isinstance(array, np.ndarray):
        return ()  # the host has no such limit: the chunks are small
    return sys.modules["cupy"].cuda.memory.OutOfMemoryError


def give_back_memory():
    """Give back to the GPU the memory that CuPy keeps for later arrays."""
    sys.modules["cupy"].get_default_memory_pool().free_all_blocks()


def module_of(array):
    """The module that an array belongs to: numpy or cupy."""
    if isinstance(array, np.ndarray):
        return np
    return sys.modules["cupy"].get_array_module(array)


def to_host(array):
    """The array in host memory, as a NumPy array; one already there is returned as it is."""
    return array.get() if hasattr(array, "get") else array
