"""IDX files, LeCun's format: a header with the dimensions, then the numbers.

Whatever the bytes are, reading ends in an array or in a DataError, within bounded memory. Where the
system does not let a file be read, which says nothing about its bytes, it is a StorageError. A
mapped file stays on the disk, and the system loads the pages that are used. A file is written whole
or not at all.
"""

import gzip
import hashlib
import io
import math
import mmap
import os
import stat
import zlib
from contextlib import contextmanager

import numpy as np

from ..disk.files import StorageError, write_aside
from .folder import DataError

GZIP = b"\x1f\x8b"
MOST_BYTES = 1 << 27  # read from one file, once unpacked; the largest published one has 47 MB
BLOCK = 1 << 18  # bytes read or hashed at a time: as many as fit in a cache
BYTE, INT = 8, 12  # the format's codes for uint8, and for int32 (QMNIST's labels)
DTYPES = {BYTE: np.dtype(np.uint8), INT: np.dtype(">i4")}


def read_idx(path):
    """Read an IDX file of bytes, gzipped or not.

    The header says how many bytes there must be. No more than that are read, however the file is
    packed.

    Raises:  DataError naming the path, for any other content; StorageError
    """
    return read_digested(path)[0]


def write_idx(path, array):
    """Write an array as IDX, gzipped if the name ends in .gz; equal arrays give equal bytes.

    Raises:  TypeError unless the array is uint8; StorageError if it cannot be written, and then
             nothing is left behind
    """
    array = np.ascontiguousarray(array)
    if array.dtype != np.uint8:
        raise TypeError(f"write_idx expected uint8, got {array.dtype}")
    packed = io.BytesIO()
    if str(path).endswith(".gz"):
        with gzip.GzipFile("", "wb", compresslevel=4, fileobj=packed, mtime=0) as out:
            out.write(_header(array))
            out.write(array.data)
    else:
        packed.write(_header(array))
        packed.write(array.data)
    packed.seek(0)
    write_aside(path, packed)


def read_digested(path):
    """An IDX file as (read-only array, SHA-256 of its unpacked bytes)."""
    with _opened(path) as (stream, _):
        array = _read(stream, path, *_shape(stream, path, BYTE))
    return array, digest_of(array)


def map_idx(path):
    """An IDX file as (read-only array, SHA-256 of its unpacked bytes), mapped unless it is packed.

    Shapes:  QMNIST's labels are int32 (N, 8); their first column is the class -> uint8 (N,)
    Raises:  DataError naming the path; StorageError
    """
    with _opened(path) as (stream, packed):
        shape, kind = _shape(stream, path, BYTE, INT)
        if packed and _byte_count(shape, kind) > MOST_BYTES:
            raise DataError(
                f"{path} unpacks to {_byte_count(shape, kind):,} bytes, and at most "
                f"{MOST_BYTES:,} are read into memory; an unpacked file is mapped instead: "
                f"gunzip {os.path.basename(path)}"
            )
        if packed:
            array = _read(stream, path, shape, kind)
        else:
            start = stream.tell()
            promised, actual = _byte_count(shape, kind), os.path.getsize(path) - start
            if promised != actual or not promised:
                raise DataError(
                    f"{path} holds {actual:,} bytes of numbers, but {shape} needs {promised:,}"
                )
            array = mapped(path, start, shape, DTYPES[kind])
        stream.seek(0)
        total = hashlib.sha256()
        while block := stream.read(BLOCK):
            total.update(block)
    if kind == INT:
        array = _classes(array, path)
    return array, total.hexdigest()


def mapped(path, start, shape, dtype=np.uint8):
    """A file's numbers from byte `start` on, left on the disk.

    A shuffled epoch uses images from all over the file, so the system is told to load only the
    pages that they lie in. By default it would load 128 KiB around each.
    """
    array = np.memmap(path, dtype, "r", start, shape)
    if hasattr(mmap, "MADV_RANDOM"):  # not on Windows
        array.base.madvise(mmap.MADV_RANDOM)
    return array


@contextmanager
def _opened(path):
    """(stream of the unpacked bytes, whether the file is packed).

    Raises:  DataError if the file is damaged or not there; StorageError if the system fails
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise DataError(f"{path} is not a file")
        with open(path, "rb") as raw:
            packed = raw.read(2) == GZIP
            raw.seek(0)
            yield gzip.GzipFile(fileobj=raw) if packed else raw, packed
    except EOFError:
        raise DataError(f"{path} is truncated") from None
    except (OSError, zlib.error, ValueError) as why:
        # gzip tells of damage with an OSError, too, but that has no number.
        absent = isinstance(why, (FileNotFoundError, NotADirectoryError))
        if getattr(why, "errno", None) and not absent:
            raise StorageError(f"cannot read {path}: {why.strerror or why}") from why
        raise DataError(f"{path} cannot be read ({why})") from why


def _shape(stream, path, *kinds):
    """(shape, code of the numbers' type), as given in the header."""
    head = stream.read(4)
    if len(head) != 4 or head[:2] != b"\0\0" or head[2] not in kinds or not 1 <= head[3] <= 4:
        of_bytes = "" if INT in kinds else " of bytes"
        begins = f"it begins with {head.hex(' ')}" if head else "it is empty"
        raise DataError(f"{path} is not an IDX file{of_bytes}: {begins}")
    sizes = stream.read(4 * head[3])
    if len(sizes) != 4 * head[3]:
        raise DataError(f"{path} is truncated: it ends in its header")
    return tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, len(sizes), 4)), head[2]


def _byte_count(shape, kind):
    return DTYPES[kind].itemsize * math.prod(shape)


def _read(stream, path, shape, kind):
    promised = _byte_count(shape, kind)
    if not 0 < promised <= MOST_BYTES:
        raise DataError(
            f"{path} claims the dimensions {shape}; files of 1 to {MOST_BYTES:,} bytes are read"
        )
    body, most = bytearray(), promised + 1  # one more, to notice a file that is too long
    while block := stream.read(min(BLOCK, most - len(body))):  # a promise reserves no memory
        body += block
    if len(body) != promised:
        what = "is truncated" if len(body) < promised else "is too long"
        raise DataError(f"{path} {what}: its header, {shape}, promises {promised:,} bytes")
    array = np.frombuffer(body, DTYPES[kind]).reshape(shape)
    array.setflags(write=False)
    return array


def _classes(array, path):
    """Labels of 32 bits as uint8 (N,): the first of QMNIST's eight columns."""
    first = array[:, 0] if array.ndim == 2 else array
    if first.ndim != 1 or first.min() < 0 or first.max() > 255:
        raise DataError(
            f"{path} does not hold classes: {array.shape}, from {first.min()} to {first.max()}"
        )
    return first.astype(np.uint8)


def _header(array):
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes


def digest_of(*arrays):
    """SHA-256 of the arrays' unpacked IDX files, one after the other."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(_header(array))
        total.update(array.data)
    return total.hexdigest()
