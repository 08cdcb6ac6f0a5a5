"""Two small datasets, known by their digests, for the tests of this folder."""

import hashlib

import numpy as np

from minisgd.data import FILES, Known, write_idx


def arrays(seed, train=20, test=10):
    """Training images and labels, test images and labels, of noise."""
    rng = np.random.default_rng(seed)
    made = []
    for N in (train, test):
        made.append(rng.integers(0, 256, (N, 28, 28), dtype=np.uint8))
        made.append((np.arange(N) % 10).astype(np.uint8))
    return made


def unpacked(array):
    """The bytes of an IDX file, written independently of the code under test."""
    shape = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()


def digests(made):
    return tuple(hashlib.sha256(unpacked(array)).hexdigest() for array in made)


def put(folder, made, ending=".gz"):
    """Write the four files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, array in zip(FILES, made, strict=True):
        write_idx(folder / f"{file}{ending}", array)


def parts(folder):
    """The half-written files under a folder."""
    return [path for path in folder.rglob("*") if ".part" in path.name]


DIGITS, CLOTHES = arrays(1), arrays(2)
KNOWN = {"mnist": Known(digests(DIGITS)), "fashion-mnist": Known(digests(CLOTHES))}
