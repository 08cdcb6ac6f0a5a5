"""Which four files of a folder are somebody's own images: as EMNIST, QMNIST and MNIST name them."""

import re
from pathlib import Path

from .idx import DataError

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
