"""A strict stand-in for CuPy, built on NumPy: it shows what a GPU would refuse or wait for.

Its arrays live "on the device": they do not mix with NumPy's, are never converted implicitly, and
have only the names and keywords that the real CuPy has (cupy_api.json). Whatever brings a number to
the host is counted in `waits`. It computes with NumPy, so its results are those of the CPU to the
bit. It has no streams, and no random numbers, which are drawn on the host. Its NCCL works over MPI.
"""

import ctypes
import json
import types
from pathlib import Path

import numpy as np

LIST = json.loads(Path(__file__).with_name("cupy_api.json").read_text(encoding="utf-8"))
API, VERSION = LIST["names"], LIST["cupy"]
# Only the device knows the size of their results, so that these wait, too.
COUNTED = "nonzero", "argwhere", "flatnonzero", "unique", "compress", "extract"

waits = 0  # how often the host has asked for what is on the device
MIXED = "Unsupported type <class 'numpy.ndarray'>"
CONVERTED = "Implicit conversion to a NumPy array is not allowed"


def _known(name, keywords=()):
    if name not in API:
        raise AttributeError(f"CuPy has no {name}")
    if API[name] is not None and (unknown := set(keywords) - set(API[name])):
        raise TypeError(f"CuPy's {name} takes no {', '.join(sorted(unknown))}")


def _inside(thing):
    """What NumPy computes with. Arrays of the host are refused, numbers are not."""
    if isinstance(thing, ndarray):
        return thing._a
    if isinstance(thing, np.ndarray):
        raise TypeError(MIXED)
    if isinstance(thing, (tuple, list)):
        return type(thing)(map(_inside, thing))
    if isinstance(thing, slice):
        return slice(*map(_inside, (thing.start, thing.stop, thing.step)))
    return thing


def _index(key):
    """An index: as in `_inside`, but a 0-d array of the device may not bound a slice."""
    for part in key if isinstance(key, tuple) else (key,):
        if isinstance(part, slice):
            if any(isinstance(end, ndarray) for end in (part.start, part.stop, part.step)):
                raise TypeError("slice indices must be integers, not arrays of the device")
        elif isinstance(part, ndarray) and part.dtype == bool:
            _wait()  # only the device knows how many are True
    return _inside(key)


def _outside(thing):
    if isinstance(thing, (np.ndarray, np.generic)):
        return ndarray(np.asarray(thing))  # a sum stays there as well, as a 0-d array
    return type(thing)(map(_outside, thing)) if isinstance(thing, (tuple, list)) else thing


def _call(name, function, arguments, keywords):
    _known(name, keywords)
    if name.split(".")[-1] in COUNTED:
        _wait()
    result = function(*_inside(arguments), **{k: _inside(v) for k, v in keywords.items()})
    out = keywords.get("out")
    return out if out is not None else _outside(result)


class OutOfMemoryError(MemoryError):
    """Like that of cupy.cuda.memory."""


class _Pool:
    """The pool that arrays are allocated from. No array may exceed `limit` bytes, if it is set."""

    limit = fraction = None
    emptied = 0

    def set_limit(self, size=None, fraction=None):
        self.fraction = fraction

    def free_all_blocks(self):
        self.emptied += 1

    def check(self, array):
        if self.limit is not None and array.nbytes > self.limit:
            raise OutOfMemoryError(f"Out of memory allocating {array.nbytes:,} bytes")


def _wait():
    global waits
    waits += 1


class ndarray:
    """An array on the device."""

    __module__ = "cupy"  # the module of an array is found by this
    __slots__ = ("_a",)
    __hash__ = None

    def __init__(self, a):
        self._a = a

    def __getattr__(self, name):
        _known(f"ndarray.{name}")
        found = getattr(self._a, name)
        if not callable(found):
            return _outside(found) if isinstance(found, np.ndarray) else found
        return lambda *given, **keywords: _call(f"ndarray.{name}", found, given, keywords)

    def __array__(self, *_, **__):
        raise TypeError(CONVERTED)

    def __array_function__(self, function, *_):
        raise TypeError(f"{CONVERTED} (numpy.{function.__name__})")

    def __array_ufunc__(self, ufunc, method, *operands, **keywords):
        # np.float32(2) * array is computed on the device; nothing else of NumPy's is.
        if method == "__call__" and any(isinstance(o, np.generic) for o in operands):
            return _call(ufunc.__name__, ufunc, operands, keywords)
        raise TypeError(f"{CONVERTED} (numpy.{ufunc.__name__})")

    def get(self):
        _wait()
        return self._a.copy()

    @property
    def data(self):
        return types.SimpleNamespace(ptr=self._a.ctypes.data)

    def item(self):
        _wait()
        return self._a.item()

    def tolist(self):
        _wait()
        return self._a.tolist()

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __bool__(self):
        return bool(self.item())

    __index__ = None

    def __len__(self):
        return len(self._a)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key):
        return _outside(self._a[_index(key)])

    def __setitem__(self, key, value):
        self._a[_index(key)] = _inside(value)

    def __repr__(self):
        return f"on the device: {self._a!r}"


def _operator(name):
    def operate(self, *others):
        if any(isinstance(other, np.ndarray) for other in others):
            raise TypeError(MIXED)
        result = getattr(self._a, name)(*_inside(others))
        if result is NotImplemented:
            return result
        return self if name in IN_PLACE else _outside(result)

    return operate


BINARY = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift".split()
IN_PLACE = {f"__i{name}__" for name in BINARY}
for _name in (
    *(f"__{side}{name}__" for name in BINARY for side in ("", "r", "i")),
    *(f"__{name}__" for name in "lt le gt ge eq ne neg pos abs invert".split()),
):
    setattr(ndarray, _name, _operator(_name))


class _Space(types.ModuleType):
    """cupy or a part of it: those names of NumPy's part that are in the list."""

    def __init__(self, name, real):
        super().__init__(name)
        self.__dict__["_real"] = real

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        full = f"{self.__name__}.{name}".split(".", 1)[1]
        found = getattr(self._real, name, None)
        if isinstance(found, types.ModuleType):
            return _Space(f"{self.__name__}.{name}", found)
        _known(full)
        if isinstance(found, type) or not callable(found):
            return found  # float32, pi, newaxis
        return lambda *given, **keywords: _call(full, found, given, keywords)


def _upload(x, dtype=None):
    x = x._a if isinstance(x, ndarray) else x
    return ndarray(np.array(x, dtype))


def module(gpus=1):
    """A new cupy, with this many GPUs on which kernels run."""
    made = _Space("cupy", np)
    made.ndarray = ndarray
    pool = _Pool()

    def array(x, dtype=None):
        made = _upload(x, dtype)
        pool.check(made)
        return made

    made.array = array
    made.asarray = lambda x, dtype=None: (
        x if isinstance(x, ndarray) and dtype in (None, x.dtype) else array(x, dtype)
    )
    made.get_default_memory_pool = lambda: pool
    made.cuda = types.SimpleNamespace(memory=types.SimpleNamespace())
    made.cuda.memory.OutOfMemoryError = OutOfMemoryError
    used = [0]
    made.cuda.Device = lambda number: types.SimpleNamespace(use=lambda: used.append(number))
    made.cuda.get_current_stream = lambda: types.SimpleNamespace(ptr=STREAM)
    made.cuda.runtime = types.SimpleNamespace(
        getDevice=lambda: used[-1], getDeviceProperties=lambda number: {"name": b"stand-in"},
        getDeviceCount=lambda: gpus, deviceGetPCIBusId=lambda number: f"0000:{number:02X}:00.0",
    )  # fmt: skip

    def empty(shape, dtype=float):
        array = np.empty(shape, dtype)
        pool.check(array)
        return ndarray(array)

    made.empty = empty
    made.asnumpy = lambda x: x.get() if isinstance(x, ndarray) else np.asarray(x)
    made.get_array_module = lambda *arrays: (
        made if any(isinstance(array, ndarray) for array in arrays) else np
    )
    return made


STREAM = 7  # anything but a null pointer


def nccl(comm):
    """A cupy.cuda.nccl whose communicators sum over the ranks of an MPI job."""
    made = types.ModuleType("cupy.cuda.nccl")
    made.available, made.NCCL_SUM, made.NCCL_FLOAT32, made.NCCL_FLOAT64 = True, 0, 7, 8
    made.get_unique_id = lambda: bytes([comm.Get_rank(), *range(127)])

    class NcclCommunicator:
        def __init__(self, ndev, commId, rank):
            if (ndev, rank) != (comm.Get_size(), comm.Get_rank()):
                raise RuntimeError("NCCL_ERROR_INVALID_ARGUMENT")
            if len(set(comm.allgather(commId))) > 1:
                raise RuntimeError("this would wait for ever: the ids are not one and the same")

        def allReduce(self, sendbuf, recvbuf, count, datatype, op, stream):
            number = {7: ctypes.c_float, 8: ctypes.c_double}[datatype]
            if op != made.NCCL_SUM or stream != STREAM:
                raise RuntimeError("not a sum, or not in the queue of what fills the array")
            given, place = (
                np.ctypeslib.as_array((number * count).from_address(where))
                for where in (sendbuf, recvbuf)
            )
            place[...] = comm.allreduce(given)

    made.NcclCommunicator = NcclCommunicator
    return made
