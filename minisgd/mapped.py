"""Any IDX files of 28 x 28 images (EMNIST's digits, QMNIST, one's own), not read but mapped.

Unpacked files stay on the disk: the system brings in what a batch asks for, so that a training set
may be larger than the memory. Packed ones are read whole, up to idx.MOST_BYTES.
"""

import gzip
import hashlib
import math
import re
import zlib
from pathlib import Path

import numpy as np

from .idx import GZIP, MOST_BYTES, DataError

BLOCK = 1 << 23  # bytes that are read at a time
BYTE, INT = 8, 12  # IDX's words for the kinds of numbers that are read: uint8, int32 (QMNIST)
PATTERNS = {  # train images, train labels, test images, test labels
    f"{split} {kind}": re.compile(rf"{names}.*{kind}[.-]idx{dims}-(ubyte|int)(\.gz)?$", re.I)
    for split, names in (("train", "train"), ("test", "(t10k|test)"))
    for kind, dims in (("images", "3"), ("labels", "[12]"))
}


def find_files(folder):
    """The four files of a folder.

    Raises:  DataError if one is not there, or if there are several to choose from
    """
    folder = Path(folder)
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    found = []
    for what, pattern in PATTERNS.items():
        fitting = [name for name in names if pattern.search(name)]
        if len(fitting) != 1:
            there = f"{', '.join(fitting)} are all there" if fitting else "there is none"
            raise DataError(
                f"{folder} must hold one file of {what}, named as EMNIST's are "
                f"(emnist-digits-train-images-idx3-ubyte): {there}; name another --data-dir"
            )
        found.append(folder / fitting[0])
    return found


def map_idx(path):
    """An IDX file as (read-only array, SHA-256 of its unpacked bytes).

    Shapes:  of int32 (N, 8), QMNIST's labels, the first column, the class: uint8 (N,)
    Raises:  DataError naming the path
    """
    total = hashlib.sha256()
    try:
        with open(path, "rb") as raw:
            packed = raw.read(2) == GZIP
            raw.seek(0)
            file = gzip.GzipFile(fileobj=raw) if packed else raw
            head = file.read(4)
            if head[:2] != b"\0\0" or len(head) != 4 or head[2] not in (BYTE, INT):
                raise DataError(f"{path} is no IDX file: it begins {head.hex(' ') or 'nowhere'}")
            dtype = np.dtype(np.uint8 if head[2] == BYTE else ">i4")
            sizes = file.read(4 * head[3])
            shape = tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, len(sizes), 4))
            wanted = dtype.itemsize * math.prod(shape)
            if packed and wanted > MOST_BYTES:
                raise DataError(
                    f"{path} unpacks to {wanted:,} bytes, more than the {MOST_BYTES:,} that are "
                    f"read; unpacked it is mapped: gunzip {path.name}"
                )
            total.update(head + sizes)
            start, size, kept = 4 + len(sizes), 0, []
            while (block := file.read(BLOCK)) and size <= wanted:
                size += len(block)
                total.update(block)
                kept += [block] if packed else []
    except (OSError, EOFError, zlib.error) as why:
        raise DataError(f"{path} cannot be read ({' '.join(str(why).split())})") from why
    if size != wanted or not wanted:
        raise DataError(f"{path} holds {size:,} bytes where {shape} wants {wanted:,}")
    if packed:
        array = np.frombuffer(b"".join(kept), dtype).reshape(shape)
    else:
        array = np.memmap(path, dtype, "r", start, shape)
    if head[2] == INT:
        array = _classes(array, path)
    return array, total.hexdigest()


def _classes(array, path):
    first = array[:, 0] if array.ndim == 2 else array
    if first.ndim != 1 or first.min() < 0 or first.max() > 255:
        raise DataError(f"{path} holds no classes: {array.shape}, {first.min()} to {first.max()}")
    return first.astype(np.uint8)
