"""Which device is used, and what is said where there is none. A stand-in takes CuPy's place."""

import sys
import types

import numpy as np
import pytest

from minisgd import backend
from minisgd.errors import SettingError


class OnDevice:
    """An array that NumPy must not touch, as a GPU's is."""

    def __init__(self, values):
        self.values = np.asarray(values)

    def __add__(self, other):
        return OnDevice(self.values + other)

    def __matmul__(self, other):
        return OnDevice(self.values @ other.values)

    def sum(self):
        return self.values.sum()

    def get(self):
        return self.values

    def __array__(self, *_, **__):
        raise TypeError("implicit conversion")


@pytest.fixture
def cupy(monkeypatch):
    """A CuPy whose kernels run."""
    module = types.ModuleType("cupy")
    module.ones = lambda shape: OnDevice(np.ones(shape))
    module.get_default_memory_pool = lambda: types.SimpleNamespace(set_limit=lambda fraction: None)
    module.get_array_module = lambda array: module if isinstance(array, OnDevice) else np
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


@pytest.fixture
def no_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # an import then raises ImportError


def test_without_cupy_all_runs_on_the_cpu(no_cupy, capsys):
    assert backend.cuda_problem() == "CuPy is not installed"
    assert backend.resolve_device("auto") == "cpu"
    assert backend.resolve_device() == "cpu"
    assert backend.array_module("auto") is np
    assert capsys.readouterr().err == ""


def test_cuda_where_there_is_none_is_refused_with_the_reason_and_a_way_out(no_cupy):
    for ask in (backend.resolve_device, backend.array_module):
        with pytest.raises(SettingError, match=r"not installed.*--device cpu") as error:
            ask("cuda")
        assert "\n" not in str(error.value)


def test_where_a_kernel_runs_auto_is_the_gpu(cupy):
    assert backend.cuda_problem() is None
    assert backend.resolve_device("auto") == backend.resolve_device("cuda") == "cuda"
    assert backend.array_module("cuda") is cupy
    assert backend.array_module("cpu") is np


def test_the_cpu_is_taken_without_a_look_at_the_gpu(monkeypatch):
    monkeypatch.setattr(backend, "cuda_problem", lambda: pytest.fail("looked"))
    assert backend.resolve_device("cpu") == "cpu"


@pytest.mark.parametrize("device", ["gpu", "CUDA", "", "cuda:1", None, 0])
def test_an_unknown_device_is_refused(device):
    with pytest.raises(SettingError, match="device must be one of auto, cpu, cuda, got"):
        backend.resolve_device(device)


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (RuntimeError("cudaErrorNoDevice: no device\nat line 3"), "cudaErrorNoDevice: no device)"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_a_kernel_that_does_not_run_is_a_problem_in_one_line(cupy, failure, said, capsys):
    def broken(shape):
        raise failure

    cupy.ones = broken
    problem = backend.cuda_problem()
    assert said in problem and "kernel" in problem and "\n" not in problem
    assert backend.resolve_device("auto") == "cpu"
    err = capsys.readouterr().err  # whoever installed CuPy wants to know
    assert err == f"{problem}: the CPU is used.\n"
    with pytest.raises(SettingError, match="kernel"):
        backend.resolve_device("cuda")


def test_a_kernel_that_gives_a_wrong_sum_is_a_problem(cupy):
    cupy.ones = lambda shape: OnDevice(np.zeros(shape))
    assert "wrong sum" in backend.cuda_problem()
    assert backend.resolve_device("auto") == "cpu"


def test_a_cupy_that_does_not_import_is_a_problem(monkeypatch, tmp_path):
    (tmp_path / "cupy.py").write_text("raise OSError('libcuda.so.1 is not there')\n")
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert "libcuda.so.1 is not there" in backend.cuda_problem()
    assert backend.resolve_device("auto") == "cpu"


def test_to_host_brings_device_arrays_and_leaves_others_as_they_are():
    here = np.arange(3)
    assert backend.to_host(here) is here
    there = backend.to_host(OnDevice([1, 2]))
    assert type(there) is np.ndarray and there.tolist() == [1, 2]


def test_an_array_knows_its_module(cupy):
    assert backend.module_of(np.zeros(2)) is np
    assert backend.module_of(OnDevice([1])) is cupy
