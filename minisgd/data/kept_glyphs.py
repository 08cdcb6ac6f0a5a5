"""The built-in digits on the disk: drawn once, kept with their digests, verified when read.

They are made in the cache, not beside the real data in a folder that a user named. But where such a
folder holds them with their digests.json, as earlier versions left them, it goes on to; if it is
read-only and they must be drawn again, they go to the cache.

Those called "glyphs" are packed and read into memory. All others are mapped: 960,000 images are
753 MB, which the processes of a sweep share.
"""

import hashlib
import json
import os

from ..disk.files import StorageError, make_folder, read, write_aside
from . import glyphs
from .folder import DataError, cache_folder
from .idx import digest_of, map_idx, read_digested, write_idx
from .known import FILES, GLYPHS
from .published import wrong_bytes
from .splits import make_dataset

NOTE = "digests.json"


def load_glyphs(folder, log, name="glyphs"):
    """The digits that are kept; if there are none, they are drawn, and kept if possible.

    Raises:  DataError if they are to be mapped and cannot be kept; StorageError if they are there
             but cannot be read, for then they may be whole
    """
    places = _places(folder, name)
    try:
        dataset = _first_of(places, name)
    except DataError as why:
        log(f"{why}; drawing the digits again")
        dataset = None
    if dataset is not None:
        return dataset
    arrays = glyphs.make(log=log, **GLYPHS[name])
    for place in places:
        try:
            keep(place, name, arrays)
        except (StorageError, OSError, ValueError) as error:
            why = error.__cause__ or error
            problem = (
                f"{place} cannot be written ({why}); make it writable, or set XDG_CACHE_HOME to a "
                "folder that is"
            )
        else:
            if _mapped(name):
                return read_kept(place, name)
            return make_dataset(name, arrays, _source(place))
    if _mapped(name):
        raise DataError(problem) from why
    log(f"the digits are not kept: {problem}")
    return make_dataset(name, arrays, "drawn now from matplotlib's fonts, not kept")


def read_glyphs(folder, name="glyphs"):
    """The kept digits, or None if there are none that this version's recipe drew.

    Raises:  DataError if they are damaged; StorageError if they cannot be read
    """
    return _first_of(_places(folder, name), name)


def read_kept(place, name):
    """The digits in one place, or None; as read_glyphs."""
    if not os.path.exists(place):  # or in a home folder that one may not look into
        return None
    try:
        note = json.loads(read(place / NOTE) or b"")
        if note["recipe"] != glyphs.RECIPE:
            return None
        digests = [note["sha256"][file] for file in FILES]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None  # never finished, or not written by this program
    arrays = []
    for file, expected in zip(_files(name), digests, strict=True):
        path = place / file
        array, found = (map_idx if _mapped(name) else read_digested)(path)
        if found != expected:
            raise DataError(wrong_bytes(path, name, found, str(expected), known={}))
        arrays.append(array)
    # As of a user's own mapped files: nothing is read a second time.
    digest = hashlib.sha256("".join(digests).encode()).hexdigest() if _mapped(name) else None
    return make_dataset(name, arrays, _source(place), digest)


def _mapped(name):
    return name != "glyphs"


def _files(name):
    return FILES if _mapped(name) else [f"{file}.gz" for file in FILES]


def _places(folder, name):
    """Where the digits of this name may be, and are to be made if they are not: the first place
    that can be written.

    folder    the folder for datasets: a named one, or the cache
    """
    here = folder / name
    try:
        cache = cache_folder() / name
    except RuntimeError:  # there is no home, so there is no cache
        return [here]
    # In a named folder, a folder of that name may hold anything else.
    return [here, cache] if here != cache and os.path.exists(here / NOTE) else [cache]


def _first_of(places, name):
    found = (read_kept(place, name) for place in places)
    return next((dataset for dataset in found if dataset is not None), None)


def keep(place, name, arrays):
    """Write digits to a folder, where load_glyphs finds them.

    arrays   images and labels to train on, then those of the test set
    Raises:  StorageError, OSError, ValueError
    """
    make_folder(place)
    digests = {}
    for file, array in zip(_files(name), arrays, strict=True):
        write_idx(place / file, array)
        digests[file.removesuffix(".gz")] = digest_of(array)
    # Written last, so that it exists only beside four whole files.
    note = json.dumps({"recipe": glyphs.RECIPE, "sha256": digests}, indent=1)
    write_aside(place / NOTE, note.encode())


def _source(place):
    return f"drawn from matplotlib's fonts, kept in {place}"
