"""A dataset in memory: held-out images, the order of an epoch, its identity, its description."""

from dataclasses import replace

import numpy as np
import pytest
from small_sets import DIGITS, KNOWN, put

from minisgd.data import Dataset, Split, describe, epoch_order, load_dataset, split_validation
from minisgd.data.splits import pixel_statistics
from minisgd.errors import SettingError


def test_validation_is_held_out_once_and_for_all():
    split = Split(
        np.arange(10, dtype=np.uint8)[:, None, None] + np.zeros((1, 2, 2), np.uint8),
        np.arange(10, dtype=np.uint8),
    )
    train, validation = split_validation(split, 3, np.random.default_rng(5))
    again = split_validation(split, 3, np.random.default_rng(5))[1]
    assert len(train.labels) == 7 and len(validation.labels) == 3
    assert sorted([*train.labels, *validation.labels]) == list(range(10))
    np.testing.assert_array_equal(validation.labels, again.labels)
    for part in (train, validation):
        np.testing.assert_array_equal(part.images[:, 0, 0], part.labels)
    assert len(split_validation(split, 0, np.random.default_rng(5))[0].labels) == 10
    for size in (-1, 10):
        with pytest.raises(SettingError, match=f"from 0 to 9, got {size}"):
            split_validation(split, size, np.random.default_rng(5))


def test_the_order_of_an_epoch_depends_on_seed_and_epoch_alone():
    order = epoch_order(1000, seed=0, epoch=3)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(np.sort(order), np.arange(1000))
    epoch_order(1000, seed=0, epoch=2)
    np.random.default_rng(0).random(5)
    np.testing.assert_array_equal(epoch_order(1000, seed=0, epoch=3), order)
    for seed, epoch in ((0, 4), (1, 3)):
        assert (epoch_order(1000, seed, epoch) != order).mean() > 0.9
    # Written down, so that a new version that shuffles differently is noticed.
    assert epoch_order(8, 0, 1).tolist() == [4, 3, 6, 1, 7, 2, 5, 0]


def test_describe_tells_sizes_classes_grey_and_digest(tmp_path):
    put(tmp_path, DIGITS)
    found = load_dataset("mnist", tmp_path, known=KNOWN)
    text = "\n".join(describe(found))
    for part in ("20 + 10", "2 2 2 2 2 2 2 2 2 2", found.digest, str(tmp_path)):
        assert part in text
    assert f"mean pixel {DIGITS[0].mean() / 255:.4f}" in text
    assert f"standard deviation {(DIGITS[2] / 255).std():.4f}" in text


def test_pixels_are_counted_in_blocks_without_a_copy():
    images = np.random.default_rng(0).integers(0, 256, (5000, 28, 28), dtype=np.uint8)
    mean, deviation = pixel_statistics(images)
    assert mean == pytest.approx((images / 255).mean())
    assert deviation == pytest.approx((images / 255).std())


def test_datasets_normalised_differently_have_different_identities():
    nothing = Split(np.zeros((1, 28, 28), np.uint8), np.zeros(1, np.uint8))
    mnist = Dataset("mnist", nothing, nothing, "abc", "memory")
    assert mnist.pixels == (0.1307, 0.3081) and mnist.identity == "abc"
    fashion = replace(mnist, pixels=(0.286, 0.353))
    assert fashion.identity == "abc, pixels normalised by 0.286 and 0.353"
    # However little they differ.
    assert replace(mnist, pixels=(0.2860001, 0.353)).identity != fashion.identity
