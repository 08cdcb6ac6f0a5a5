"""The built-in digits on the disk: drawn once, kept with their digests, verified when read."""

import json

from ..disk.files import StorageError, write_aside
from . import glyphs
from .folder import CHOOSE_ANOTHER, DataError
from .idx import digest_of, read_digested, write_idx
from .known import FILES
from .published import wrong_bytes
from .splits import make_dataset


def load_glyphs(folder, log):
    """The digits kept in the folder; if there are none, they are drawn, and kept if possible."""
    try:
        dataset = read_glyphs(folder)
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
        # Written last, so that it exists only beside four whole files.
        note = json.dumps({"recipe": glyphs.RECIPE, "sha256": digests}, indent=1)
        write_aside(place / "digests.json", note.encode())
    except (StorageError, OSError, ValueError) as why:
        why = why.__cause__ or why
        log(f"the digits are not kept: {place} cannot be written ({why}); {CHOOSE_ANOTHER}")
        return make_dataset("glyphs", arrays, "drawn now from matplotlib's fonts, not kept")
    return make_dataset("glyphs", arrays, _source(place))


def read_glyphs(folder):
    """The kept digits, or None if there are none that this version's recipe drew.

    Raises:  DataError if they are damaged
    """
    place = folder / "glyphs"
    try:
        note = json.loads((place / "digests.json").read_bytes())
        if note["recipe"] != glyphs.RECIPE:
            return None
        digests = [note["sha256"][file] for file in FILES]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None  # never finished, or not written by this program
    arrays = []
    for file, expected in zip(FILES, digests, strict=True):
        path = place / f"{file}.gz"
        array, found = read_digested(path)
        if found != expected:
            raise DataError(wrong_bytes(path, "glyphs", found, str(expected), known={}))
        arrays.append(array)
    return make_dataset("glyphs", arrays, _source(place))


def _source(place):
    return f"drawn from matplotlib's fonts, kept in {place}"
