"""Datasets: find, download, verify, read, split, shuffle.

A dataset is four IDX files, gzipped or not. What is published is known here by the SHA-256 of its
unpacked bytes (packings differ); bytes with another digest are never used. Source: report Sec. II,
60,000 training and 10,000 test images of 28 x 28.
"""

import hashlib
import json
import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..disk.files import StorageError, write_aside
from ..errors import SettingError
from . import glyphs
from .idx import GZIP, DataError, digest_of, map_idx, read_digested, read_idx, write_idx

__all__ = [
    "FILES", "KNOWN", "NAMES", "DataError", "Dataset", "Known", "MissingError", "Split",
    "data_folder", "describe", "epoch_order", "import_files", "load_dataset", "read_idx",
    "split_validation", "status", "write_idx",
]  # fmt: skip

SIDE = 28
CLASSES = 10
# The order of the files is the order of the digest: train images, train labels, then test.
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
NAMES = ("auto", "mnist", "fashion-mnist", "glyphs", "idx")
# What to do next, for the errors.
ANEW = "move it away and run `python cli.py data`"
ELSEWHERE = "set MINISGD_DATA to a folder that can be written"


class MissingError(DataError):
    """The dataset is neither here nor to be had: the only reason for which "auto" turns away."""


@dataclass(frozen=True)
class Known:
    """A published dataset: SHA-256 of its unpacked FILES, mirrors, and where systems keep it."""

    digests: tuple
    mirrors: tuple = ()
    folders: tuple = ()


KNOWN = {
    "mnist": Known(
        digests=(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
    ),
    "fashion-mnist": Known(
        digests=(
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
        # The project's own address speaks no TLS: here the digests alone protect.
        mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
        folders=("/usr/share/datasets/fashion-mnist",),
    ),
}


@dataclass(frozen=True)
class Split:
    """Images and their classes.

    Shapes:  images uint8 (N, 28, 28), labels uint8 (N,); both read-only
    """

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """Two splits, the SHA-256 of the four unpacked files one after the other, and their origin."""

    name: str
    train: Split
    test: Split
    digest: str
    source: str


def say(line):
    """The default `log`: one line on stderr."""
    print(line, file=sys.stderr, flush=True)


# ---- find, download, keep


def load_dataset(name="auto", folder=None, download=True, log=None, known=KNOWN, patience=None):
    """Find, or else download or draw, a dataset, and verify it.

    "auto" is MNIST if it can be had and otherwise the built-in digits, which `log` then says; "idx"
    is whatever four IDX files the folder itself holds, mapped into memory.

    Raises:  SettingError for an unknown name; DataError if it cannot be had or a file is damaged
    """
    log, folder = log or say, data_folder(folder)
    _check_name(name)
    if name == "glyphs":
        return _load_glyphs(folder, log)
    if name == "idx":
        return _load_mapped(folder)
    try:
        wanted = "mnist" if name == "auto" else name
        return _load_known(wanted, folder, download, log, known, patience)
    except MissingError as why:
        if name != "auto":
            raise
        log(f"NOT MNIST: training on built-in digits drawn from fonts (glyphs) instead; {why}")
        return _load_glyphs(folder, log)


def data_folder(folder=None):
    """Where datasets are kept: the argument, else MINISGD_DATA, else the platform's cache."""
    try:
        if folder or os.environ.get("MINISGD_DATA"):
            return Path(folder or os.environ["MINISGD_DATA"]).expanduser()
        if sys.platform == "win32":
            base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        elif sys.platform == "darwin":
            base = Path.home() / "Library" / "Caches"
        else:
            base = os.environ.get("XDG_CACHE_HOME", "")
            base = base if os.path.isabs(base) else Path.home() / ".cache"
        return Path(base) / "minisgd"
    except RuntimeError:
        raise DataError("there is no home folder here; set MINISGD_DATA to a folder") from None


def status(name, folder=None, known=KNOWN):
    """Where a dataset is and how large, without downloading or drawing; None if it is not there.

    Raises:  SettingError for an unknown name; DataError if it is there but damaged
    """
    _check_name(name)
    folder = data_folder(folder)
    if name == "glyphs":
        dataset = _read_glyphs(folder)
    elif name == "idx":
        dataset = _load_mapped(folder)
    else:
        dataset = _read_known("mnist" if name == "auto" else name, folder, known)
    return dataset and f"{_sizes(dataset)} images, verified, {dataset.source}"


def import_files(name, source, folder=None, known=KNOWN):
    """Verify the four files that a person has in `source` and copy them into the data folder.

    Raises:  DataError naming the file that is missing or wrong; then nothing is copied
    """
    if name not in known:
        raise SettingError(f"import takes {' or '.join(known)}, got {name!r}")
    source, target = Path(os.path.expanduser(source)), data_folder(folder) / name
    paths = [_spelled(source, file) for file in FILES]
    for file, path, expected in zip(FILES, paths, known[name].digests, strict=True):
        if path is None:
            raise DataError(f"{source} holds no {file}[.gz]; name a folder with all four files")
        found = read_digested(path)[1]
        if found != expected:
            raise DataError(f"{_wrong(path, name, found, expected, known)}; it was not imported")
    try:
        target.mkdir(parents=True, exist_ok=True)
        for file, path in zip(FILES, paths, strict=True):
            with open(path, "rb") as original:
                packed = original.read(2) == GZIP
                original.seek(0)
                copy = target / (f"{file}.gz" if packed else file)
                if not (copy.exists() and copy.samefile(path)):
                    write_aside(copy, original)
    except (StorageError, OSError, ValueError) as why:
        why = why.__cause__ or why
        raise DataError(f"{target} cannot be written ({why}); {ELSEWHERE}") from why
    return load_dataset(name, folder, download=False, known=known)


def _load_known(name, folder, download, log, known, patience):
    """A published dataset from the disk; what is missing there from the mirrors."""
    dataset = _read_known(name, folder, known)
    if dataset is None and download:
        _download(name, folder, log, known, patience)
        dataset = _read_known(name, folder, known)
    if dataset is None:
        raise MissingError(
            f"{name} is not complete in {folder}; run `python cli.py data` to download it, "
            "or `python cli.py data --from DIR` if you have the four files"
        )
    return dataset


def _read_known(name, folder, known):
    """A published dataset from the disk, or None if one of its files is not there."""
    found = [_find(name, index, folder, known) for index in range(len(FILES))]
    if None in found:
        return None
    places = dict.fromkeys(str(path.parent) for _, path in found)
    return _dataset(name, [array for array, _ in found], f"found in {' and '.join(places)}")


def _find(name, index, folder, known):
    """One published file as (array, path), or None.

    The flat folder may be another dataset's, for they share their file names: the digest tells.
    """
    others = {digest for other in known if other != name for digest in known[other].digests}
    expected = known[name].digests[index]
    for place in (folder / name, folder, *known[name].folders):
        path = _spelled(Path(place), FILES[index])
        if path is None:
            continue
        try:
            array, found = read_digested(path)
        except DataError as why:
            raise DataError(f"{why}; {ANEW}") from why
        if found == expected:
            return array, path
        if place != folder or found not in others:
            raise DataError(f"{_wrong(path, name, found, expected, known)}; {ANEW}")
    return None


def _spelled(folder, file):
    """The file under one of the names in use (`train-images.idx3-ubyte`, too), or None."""
    dotted = file.replace("-idx", ".idx")
    for spelling in (file, f"{file}.gz", dotted, f"{dotted}.gz"):
        if os.path.exists(folder / spelling):
            return folder / spelling
    return None


def _wrong(path, name, found, expected, known):
    owner = next((other for other in known if found in known[other].digests), None)
    what = f"belongs to {owner}" if owner else "is damaged or something else"
    return f"{path} {what}: SHA-256 {found[:12]}, expected {expected[:12]} for {name}"


def _download(name, folder, log, known, patience):
    """Fetch the files that are not there, each verified before it gets its name."""
    from .download import DownloadError, fetch  # brings HTTP and TLS, a fifth of the import's time

    mirrors = list(known[name].mirrors)
    for index, expected in enumerate(known[name].digests):
        if _find(name, index, folder, known) is not None:
            continue

        def check(part, expected=expected):
            try:
                found = read_digested(part)[1]
            except DataError:
                raise DataError("what it sends is no IDX file") from None
            if found != expected:
                raise DataError(f"wrong bytes, SHA-256 {found[:12]}, expected {expected[:12]}")

        file = f"{FILES[index]}.gz"
        try:
            (folder / name).mkdir(parents=True, exist_ok=True)
            best = fetch(mirrors, file, folder / name / file, check, log, patience)
        except DownloadError as why:
            raise MissingError(
                f"{why}; to work offline run `python cli.py data --from DIR` on the four files"
            ) from why
        except (OSError, ValueError) as why:
            raise MissingError(f"{folder / name} cannot be written ({why}); {ELSEWHERE}") from why
        mirrors.sort(key=lambda mirror, best=best: mirror != best)


def _load_mapped(folder):
    from .own_files import find_files

    arrays, digests = zip(*map(map_idx, find_files(folder)), strict=True)
    digest = hashlib.sha256("".join(digests).encode()).hexdigest()
    return _dataset("idx", arrays, f"mapped from {folder}", digest)


# ---- the built-in digits


def _load_glyphs(folder, log):
    """The digits kept in the folder, else drawn now and kept if the folder can be written."""
    try:
        dataset = _read_glyphs(folder)
    except DataError as why:
        log(f"{why}; drawing the digits again")
        dataset = None
    if dataset is not None:
        return dataset
    arrays = glyphs.make(log=log)
    place = folder / "glyphs"
    try:
        place.mkdir(parents=True, exist_ok=True)
        digests = {}
        for file, array in zip(FILES, arrays, strict=True):
            write_idx(place / f"{file}.gz", array)
            digests[file] = digest_of(array)
        # Last, so that it stands only beside four whole files.
        note = json.dumps({"recipe": glyphs.RECIPE, "sha256": digests}, indent=1)
        write_aside(place / "digests.json", note.encode())
    except (StorageError, OSError, ValueError) as why:
        why = why.__cause__ or why
        log(f"the digits are not kept: {place} cannot be written ({why}); {ELSEWHERE}")
        return _dataset("glyphs", arrays, "drawn now from matplotlib's fonts, not kept")
    return _dataset("glyphs", arrays, f"drawn from matplotlib's fonts, kept in {place}")


def _read_glyphs(folder):
    """The digits kept by this version's recipe, or None; DataError if they are damaged."""
    place = folder / "glyphs"
    try:
        note = json.loads((place / "digests.json").read_bytes())
        if note["recipe"] != glyphs.RECIPE:
            return None
        digests = [note["sha256"][file] for file in FILES]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None  # never finished, or not ours
    arrays = []
    for file, expected in zip(FILES, digests, strict=True):
        array, found = read_digested(place / f"{file}.gz")
        if found != expected:
            raise DataError(f"{_wrong(place / f'{file}.gz', 'glyphs', found, str(expected), {})}")
        arrays.append(array)
    return _dataset("glyphs", arrays, f"drawn from matplotlib's fonts, kept in {place}")


# ---- split, shuffle, describe


def split_validation(split, size, rng):
    """Hold out `size` images drawn by `rng`: the rest and the held-out, both in file order.

    Shapes:  split N -> N - size, size
    Raises:  SettingError unless 0 <= size < N
    """
    N = len(split.labels)
    if not 0 <= size < N:
        raise SettingError(f"validation size must be from 0 to {N - 1:,}, got {size}")
    held_out = np.zeros(N, dtype=bool)
    held_out[rng.permutation(N)[:size]] = True
    return tuple(Split(split.images[part], split.labels[part]) for part in (~held_out, held_out))


def epoch_order(N, seed, epoch):
    """The order in which an epoch visits the images: a permutation of 0 .. N - 1, int64.

    Stateless on purpose: the order depends on the seed and the epoch alone, so a run resumed at
    any epoch sees the batches it would have seen. The key's leading 1 keeps this stream apart
    from what else is drawn from the seed.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, epoch)))
    return rng.permutation(N).astype(np.int64, copy=False)


def describe(dataset):
    """What a person wants to know of a dataset, a line each."""
    lines = [f"dataset     {dataset.name}, {dataset.source}", f"images      {_sizes(dataset)}"]
    for name, split in (("train", dataset.train), ("test", dataset.test)):
        counts = np.bincount(split.labels, minlength=CLASSES)
        pixels = split.images
        lines.append(f"{name:<11} a class: {' '.join(f'{count:,}' for count in counts)}")
        # The mean of the squares by counting grey values: no copy of the images in floats.
        blocks = (pixels[i : i + 4096].ravel() for i in range(0, len(pixels), 4096))
        grey = sum(np.bincount(block, minlength=256) for block in blocks) / pixels.size
        mean = grey @ np.arange(256) / 255
        std = math.sqrt(grey @ (np.arange(256) / 255 - mean) ** 2)
        lines.append(f"{'':<11} mean pixel {mean:.4f}, standard deviation {std:.4f}")
    return [*lines, f"SHA-256     {dataset.digest}"]


# ---- small things


def _dataset(name, arrays, source, digest=None):
    """The four arrays, checked against each other, as a Dataset that nobody can write to."""
    for images, labels in (arrays[:2], arrays[2:]):
        if images.shape != (len(labels), SIDE, SIDE) or labels.ndim != 1 or labels.max() >= CLASSES:
            raise DataError(
                f"{name}, {source}: expected images (N, 28, 28) and labels (N,) from 0 to 9, "
                f"got {images.shape} and {labels.shape} up to {labels.max()}; {ANEW}"
            )
    for array in arrays:
        array.setflags(write=False)
    digest = digest or digest_of(*arrays)
    return Dataset(name, Split(*arrays[:2]), Split(*arrays[2:]), digest, source)


def _sizes(dataset):
    return f"{len(dataset.train.labels):,} + {len(dataset.test.labels):,}"


def _check_name(name):
    if name not in NAMES:
        raise SettingError(f"dataset must be one of {', '.join(NAMES)}, got {name!r}")
