"""A dataset by its name: load it, say whether it is there, or import files from a folder."""

import hashlib
import os
import sys
from pathlib import Path

from ..disk.files import StorageError, make_folder, write_aside
from ..errors import SettingError
from .folder import (
    CHOOSE_ANOTHER,
    DataError,
    MissingError,
    data_command,
    data_folder,
    existing_path,
)
from .idx import GZIP, map_idx, read_digested
from .kept_glyphs import load_glyphs, read_glyphs
from .known import FILES, GLYPHS, KNOWN, dataset_names
from .own_files import find_files
from .published import fetch_missing, offline, read_published, wrong_bytes
from .splits import make_dataset, sizes


def load_dataset(name="auto", folder=None, download=True, log=None, known=KNOWN, patience=None):
    """Find a dataset, or else download or draw it, and verify it.

    name       a known dataset, one of known.GLYPHS for the built-in digits, or "idx" for the four
               IDX files in the folder itself, mapped into memory; "auto" is MNIST if it can be had,
               and otherwise "glyphs", in which case `log` says so
    folder     where datasets are kept; see data_folder
    log        called with one line at a time; by default they go to stderr
    patience   a download.Patience

    Raises:  SettingError for an unknown name; DataError if it cannot be had or a file is damaged;
             StorageError if a file cannot be read
    """
    log, folder = log or _print_to_stderr, data_folder(folder)
    _check_name(name, known)
    if name in GLYPHS:
        return load_glyphs(folder, log, name)
    if name == "idx":
        return _map_own_files(folder)
    try:
        wanted = "mnist" if name == "auto" else name
        return _load_published(wanted, folder, download, log, known, patience)
    except MissingError as why:
        if name != "auto":
            raise
        log(f"NOT MNIST: training on built-in digits drawn from fonts (glyphs) instead; {why}")
        return load_glyphs(folder, log)


def status(name, folder=None, known=KNOWN):
    """Where a dataset is and how large it is, or None if it is not there, without fetching it.

    Raises:  SettingError for an unknown name; DataError if it is there but damaged;
             StorageError if it cannot be read
    """
    _check_name(name, known)
    folder = data_folder(folder)
    if name in GLYPHS:
        dataset = read_glyphs(folder, name)
    elif name == "idx":
        dataset = _map_own_files(folder)
    else:
        dataset = read_published("mnist" if name == "auto" else name, folder, known)
    return dataset and f"{sizes(dataset)} images, verified, {dataset.source}"


def import_files(name, source, folder=None, known=KNOWN):
    """Verify the four files in the folder `source` and copy them into the data folder.

    Raises:  SettingError if the dataset is not a published one; DataError naming the file that is
             missing or wrong, StorageError, and then nothing is copied
    """
    if name not in known:
        raise SettingError(f"import takes {' or '.join(known)}, got {name!r}")
    source, target = Path(os.path.expanduser(source)), data_folder(folder) / name
    paths = [existing_path(source, file) for file in FILES]
    for file, path, expected in zip(FILES, paths, known[name].digests, strict=True):
        if path is None:
            raise DataError(f"{source} holds no {file}[.gz]; name a folder with all four files")
        found = read_digested(path)[1]
        if found != expected:
            sentence = wrong_bytes(path, name, found, expected, known)
            raise DataError(f"{sentence}; it was not imported")
    try:
        make_folder(target)
        for file, path in zip(FILES, paths, strict=True):
            with open(path, "rb") as original:
                packed = original.read(2) == GZIP
                original.seek(0)
                copy = target / (f"{file}.gz" if packed else file)
                if not (copy.exists() and copy.samefile(path)):
                    write_aside(copy, original)
    except (StorageError, OSError, ValueError) as why:
        why = why.__cause__ or why
        raise DataError(f"{target} cannot be written ({why}); {CHOOSE_ANOTHER}") from why
    return load_dataset(name, folder, download=False, known=known)


def _load_published(name, folder, download, log, known, patience):
    """A published dataset from the disk; missing files are downloaded first, if allowed."""
    dataset = read_published(name, folder, known)
    if dataset is None and download:
        fetch_missing(name, folder, log, known, patience)
        dataset = read_published(name, folder, known)
    if dataset is None:
        raise MissingError(
            f"{name} is not complete in {folder}; run `{data_command(name)}` to download it; to "
            f"work offline {offline(name, known)}"
        )
    return dataset


def _map_own_files(folder):
    arrays, digests = zip(*map(map_idx, find_files(folder)), strict=True)
    digest = hashlib.sha256("".join(digests).encode()).hexdigest()
    return make_dataset("idx", arrays, f"mapped from {folder}", digest)


def _check_name(name, known):
    names = dataset_names(known)
    if name not in names:
        raise SettingError(f"dataset must be one of {', '.join(names)}, got {name!r}")


def _print_to_stderr(line):
    print(line, file=sys.stderr, flush=True)
