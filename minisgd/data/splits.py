"""A dataset in memory: what it consists of, and how it is split, shuffled and described.

Source: report Sec. II, 60,000 training and 10,000 test images of 28 x 28.
"""

import math
from dataclasses import dataclass

import numpy as np

from ..errors import SettingError
from .folder import DataError, fetch_again
from .idx import digest_of
from .known import MNIST_PIXELS

SIDE = 28
CLASSES = 10


@dataclass(frozen=True)
class Split:
    """Images and their classes.

    Shapes:  images uint8 (N, 28, 28), labels uint8 (N,); both read-only
    """

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """Training and test images, and where they come from.

    digest   SHA-256 of the four unpacked files, one after the other
    source   where the files were found, in words
    pixels   the mean and the standard deviation with which images are normalised, (x - mean) / std

    A known dataset has constants of its own. The built-in digits and a user's own files keep those
    of MNIST, with which all their runs were made, so that results stay the same to the bit.

    Units:   pixels run from 0 (black) to 1 (white)
    """

    name: str
    train: Split
    test: Split
    digest: str
    source: str
    pixels: tuple = MNIST_PIXELS

    @property
    def identity(self):
        """What identifies the dataset in results: its bytes and how they are normalised.

        The digest alone implies MNIST's constants, as it did before there were others.
        """
        if self.pixels == MNIST_PIXELS:
            return self.digest
        mean, deviation = self.pixels
        return f"{self.digest}, pixels normalised by {mean} and {deviation}"


def make_dataset(name, arrays, source, digest=None, pixels=MNIST_PIXELS):
    """A Dataset of training images, training labels, test images and test labels, made read-only.

    Raises:  DataError if they do not fit together, or are not 28 x 28 images in ten classes
    """
    for images, labels in (arrays[:2], arrays[2:]):
        if images.shape != (len(labels), SIDE, SIDE) or labels.ndim != 1 or labels.max() >= CLASSES:
            raise DataError(
                f"{name}, {source}: expected images (N, 28, 28) and labels (N,) from 0 to 9, "
                f"got {images.shape} and {labels.shape} up to {labels.max()}; {fetch_again(name)}"
            )
    for array in arrays:
        array.setflags(write=False)
    digest = digest or digest_of(*arrays)
    return Dataset(name, Split(*arrays[:2]), Split(*arrays[2:]), digest, source, pixels)


def split_validation(split, size, rng):
    """Hold out `size` images drawn by `rng`; return the rest and the held-out, in file order.

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

    It depends on the seed and the epoch alone, so that a run resumed at any epoch sees the batches
    that it would have seen.
    """
    # The leading 1 of the key keeps this stream apart from whatever else is drawn from the seed.
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, epoch)))
    return rng.permutation(N).astype(np.int64, copy=False)


def describe(dataset):
    """What a person wants to know about a dataset, as lines of text."""
    lines = [f"dataset     {dataset.name}, {dataset.source}", f"images      {sizes(dataset)}"]
    for name, split in (("train", dataset.train), ("test", dataset.test)):
        counts = np.bincount(split.labels, minlength=CLASSES)
        mean, deviation = pixel_statistics(split.images)
        lines.append(f"{name:<11} a class: {' '.join(f'{count:,}' for count in counts)}")
        lines.append(f"{'':<11} mean pixel {mean:.4f}, standard deviation {deviation:.4f}")
    return [*lines, f"SHA-256     {dataset.digest}"]


def pixel_statistics(images):
    """Mean and standard deviation of uint8 pixels, from 0 to 1.

    The grey values are counted, so that no copy of the images in floating point is needed.
    """
    blocks = (images[i : i + 4096].ravel() for i in range(0, len(images), 4096))
    share = sum(np.bincount(block, minlength=256) for block in blocks) / images.size  # (256,)
    grey = np.arange(256) / 255
    mean = share @ grey
    return mean, math.sqrt(share @ (grey - mean) ** 2)


def sizes(dataset):
    """How many training and test images there are, in words."""
    return f"{len(dataset.train.labels):,} + {len(dataset.test.labels):,}"
