"""Published datasets: found on the disk or fetched from a mirror, and always verified.

A dataset is four IDX files, packed with gzip or not. Packings differ, so a file is known by the
SHA-256 of its unpacked bytes. Bytes with another digest are never used.
"""

from pathlib import Path

from ..disk.files import StorageError, make_folder
from .folder import (
    CHOOSE_ANOTHER,
    DataError,
    MissingError,
    data_command,
    existing_path,
    fetch_again,
)
from .idx import read_digested
from .known import FILES
from .splits import make_dataset


def read_published(name, folder, known):
    """A published dataset from the disk, or None if one of its files is not there.

    Raises:  DataError if a file is there but damaged; StorageError
    """
    found = [_find(name, index, folder, known) for index in range(len(FILES))]
    if None in found:
        return None
    places = dict.fromkeys(str(path.parent) for _, path in found)
    source = f"found in {' and '.join(places)}"
    return make_dataset(name, [array for array, _ in found], source, pixels=known[name].pixels)


def fetch_missing(name, folder, log, known, patience):
    """Download the missing files; each is verified before it gets its name.

    Raises:  MissingError if no mirror sends the right bytes, or the folder cannot be written
    """
    from .download import DownloadError, fetch  # HTTP and TLS take a fifth of the time to import

    mirrors = list(known[name].mirrors)
    for index, expected in enumerate(known[name].digests):
        if _find(name, index, folder, known) is not None:
            continue

        def check(part, expected=expected):
            try:
                found = read_digested(part)[1]
            except (DataError, StorageError) as damage:
                if getattr(damage.__cause__, "errno", None):  # the disk's fault, no mirror's
                    raise damage.__cause__ from None
                raise DataError("what it sends is not an IDX file") from None
            if found != expected:
                raise DataError(f"wrong bytes, SHA-256 {found[:12]}, expected {expected[:12]}")

        file = f"{FILES[index]}.gz"
        try:
            make_folder(folder / name)
            best = fetch(mirrors, file, folder / name / file, check, log, patience)
        except DownloadError as why:
            raise MissingError(f"{why}; to work offline {offline(name, known)}") from why
        except (StorageError, OSError, ValueError) as why:
            place, why = folder / name, why.__cause__ or why
            raise MissingError(f"{place} cannot be written ({why}); {CHOOSE_ANOTHER}") from why
        mirrors.sort(key=lambda mirror, best=best: mirror != best)  # ask the one that answered


def offline(name, known):
    """What helps where nothing can be downloaded, for the end of a sentence."""
    command = f"run `{data_command(name)} --from DIR` on the four files"
    package = known[name].package
    return command + (f", or install the package {package} of Debian" if package else "")


def wrong_bytes(path, name, found, expected, known):
    """The beginning of an error message: the file, what it is instead, and both digests."""
    owner = next((other for other in known if found in known[other].digests), None)
    what = f"belongs to {owner}" if owner else "is damaged or something else"
    return f"{path} {what}: SHA-256 {found[:12]}, expected {expected[:12]} for {name}"


def _find(name, index, folder, known):
    """One published file as (array, path), or None.

    All datasets use the same file names. So another dataset's file is not an error in the data
    folder itself, and the search goes on; in the dataset's own folder it is an error.
    """
    others = {digest for other in known if other != name for digest in known[other].digests}
    expected = known[name].digests[index]
    for place in (folder / name, folder, *known[name].folders):
        path = existing_path(Path(place), FILES[index])
        if path is None:
            continue
        try:
            array, found = read_digested(path)
        except DataError as why:
            raise DataError(f"{why}; {fetch_again(name)}") from why
        if found == expected:
            return array, path
        if place != folder or found not in others:
            raise DataError(
                f"{wrong_bytes(path, name, found, expected, known)}; {fetch_again(name)}"
            )
    return None
