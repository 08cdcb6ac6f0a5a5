"""One dataset for many processes: they map the same memory instead of copying it."""

import mmap
import os
from dataclasses import dataclass
from multiprocessing import heap

import numpy as np

from ..disk.files import StorageError
from .idx import mapped
from .splits import Dataset, Split


@dataclass(frozen=True)
class Handle:
    """What a spawned process needs to find a shared dataset.

    block    shared memory that holds those arrays that are not mapped, one after the other
    shapes   of the four arrays: training images and labels, then test images and labels
    on_disk  for each of the four, (file, offset) if it is mapped from a file, otherwise None
    """

    block: object
    shapes: tuple
    on_disk: tuple
    name: str
    digest: str
    source: str
    pixels: tuple


def share(dataset, context):
    """Put a dataset where a spawned process can map it as well.

    context  the context of multiprocessing that starts the processes

    Returns: a Handle, to be passed to each process as an argument
    Raises:  StorageError if there is not enough memory
    """
    train, test = dataset.train, dataset.test
    arrays = train.images, train.labels, test.images, test.labels
    on_disk = tuple(_file_and_offset(array) for array in arrays)
    size = sum(array.nbytes for array, kept in zip(arrays, on_disk, strict=True) if kept is None)
    # Where a system has no /dev/shm that can be written to, the folder for temporary files does.
    if hasattr(heap.Arena, "_dir_candidates"):  # not on Windows
        heap.Arena._dir_candidates = [
            folder for folder in heap.Arena._dir_candidates if os.access(folder, os.W_OK)
        ]
    try:
        block = context.RawArray("B", max(1, size))
    except OSError as error:  # the block is a file in memory, or in the folder for temporary files
        raise StorageError(
            f"cannot share the dataset's {size / 1e6:.0f} MB between processes: {error.strerror}; "
            "free some memory, or set TMPDIR to a folder with room"
        ) from None
    shapes = tuple(array.shape for array in arrays)
    handle = Handle(
        block, shapes, on_disk, dataset.name, dataset.digest, dataset.source, dataset.pixels
    )
    for target, array, kept in zip(_arrays(handle), arrays, on_disk, strict=True):
        if kept is None:
            target[...] = array
    return handle


def shared(handle):
    """The Dataset behind a Handle. Its arrays are read-only views of the shared memory or files."""
    arrays = list(_arrays(handle))
    for array in arrays:
        array.setflags(write=False)
    return Dataset(
        handle.name,
        Split(*arrays[:2]),
        Split(*arrays[2:]),
        handle.digest,
        handle.source,
        handle.pixels,
    )


def _arrays(handle):
    """The four arrays, as views of the shared block or as mappings of their files."""
    whole, start = np.frombuffer(handle.block, np.uint8), 0
    for shape, kept in zip(handle.shapes, handle.on_disk, strict=True):
        if kept:
            yield mapped(*kept, shape)
            continue
        size = int(np.prod(shape))
        yield whole[start : start + size].reshape(shape)
        start += size


def _file_and_offset(array):
    """Where the file behind a mapped array lies; None for an array in memory.

    A slice of a mapped array counts as being in memory: its offset is still the whole array's.
    """
    whole = isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap)
    return (array.filename, array.offset) if whole else None
