"""A user's own dataset: four files in a folder, named like those of EMNIST, QMNIST or MNIST."""

import re
from pathlib import Path

from .folder import DataError

PATTERNS = {  # in this order: train images, train labels, test images, test labels
    f"{split} {kind}": re.compile(rf"{names}.*{kind}[.-]idx{dims}-(ubyte|int)(\.gz)?$", re.I)
    for split, names in (("train", "train"), ("test", "(t10k|test)"))
    for kind, dims in (("images", "3"), ("labels", "[12]"))
}


def find_files(folder):
    """The paths of the four files: train images, train labels, test images, test labels.

    Raises:  DataError if one of them is not there, or if there are several to choose from
    """
    folder = Path(folder)
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    found = []
    for what, pattern in PATTERNS.items():
        matches = [name for name in names if pattern.search(name)]
        if len(matches) != 1:
            there = f"{', '.join(matches)} are all there" if matches else "there is none"
            raise DataError(
                f"{folder} must hold one file of {what}, named as EMNIST's are "
                f"(emnist-digits-train-images-idx3-ubyte): {there}; name another --data-dir"
            )
        found.append(folder / matches[0])
    return found
