"""IDX files: LeCun's format of a header and bytes, read with suspicion and written whole.

Whatever the bytes are, reading ends in an array or in a DataError, and in bounded memory.
"""

import gzip
import hashlib
import io
import math
import os
import zlib

import numpy as np

from .errors import UserError
from .files import write_aside

GZIP = b"\x1f\x8b"
MOST_BYTES = 1 << 27  # unpacked; the largest file known is 47 MB


class DataError(UserError):
    """A file or folder of a dataset is not what it should be; the sentence says what to do."""


def read_idx(path):
    """Read an IDX file of bytes, gzipped or not.

    The header says how much there must be; that much is read and no more, whatever the packing.

    Raises:  DataError naming the path, for any other content
    """
    return read_digested(path)[0]


def write_idx(path, array):
    """Write uint8 `array` as IDX, gzipped if the name ends in .gz: the same bytes every time.

    Raises:  StorageError if it cannot be written; nothing is left behind
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
    write_aside(path, packed.getvalue())


def read_digested(path):
    """An IDX file as (read-only array, SHA-256 of its unpacked bytes)."""
    try:
        if not os.path.isfile(path):
            raise DataError(f"{path} is not a file")
        with open(path, "rb") as raw:
            packed = raw.read(2) == GZIP
            raw.seek(0)
            array = _parse(gzip.GzipFile(fileobj=raw) if packed else raw, path)
    except EOFError:
        raise DataError(f"{path} is truncated") from None
    except (OSError, zlib.error, MemoryError, ValueError) as why:
        raise DataError(f"{path} cannot be read ({why})") from why
    return array, digest_of(array)


def _parse(stream, path):
    head = stream.read(4)
    if head[:3] != b"\0\0\x08" or len(head) != 4 or not 1 <= head[3] <= 4:
        raise DataError(f"{path} is no IDX file of bytes: it begins {head.hex(' ') or 'nowhere'}")
    sizes = stream.read(4 * head[3])
    if len(sizes) != 4 * head[3]:
        raise DataError(f"{path} is truncated: it ends in its header")
    shape = tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, len(sizes), 4))
    promised = math.prod(shape)
    if not 0 < promised <= MOST_BYTES:
        raise DataError(f"{path} claims the dimensions {shape}; 1 to {MOST_BYTES:,} bytes are read")
    body = stream.read(promised + 1)  # one more, to notice what is too long
    if len(body) != promised:
        what = "is truncated" if len(body) < promised else "is too long"
        raise DataError(f"{path} {what}: {promised:,} bytes are promised for {shape}")
    return np.frombuffer(body, dtype=np.uint8).reshape(shape)


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
