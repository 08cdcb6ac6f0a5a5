"""Choosing the base rate: the held-out images, the trials, the choice."""

import numpy as np
import pytest

from minisgd.data import Dataset, Split
from minisgd.errors import SettingError
from minisgd.lab.metrics import COLUMNS
from minisgd.lab.run_folder import RunFolder
from minisgd.model import LeNet5
from minisgd.report import selection
from minisgd.report.search import trials_of
from minisgd.report.selection import RATES, Trial, accuracy_of, best, hold_out
from minisgd.settings import Settings
from minisgd.train import State, train


def test_held_out_images_are_training_images_that_are_not_trained_on(small_data):
    held_out = hold_out(small_data, 100)
    assert (len(held_out.train.labels), len(held_out.test.labels)) == (540, 100)
    images = sorted(image.tobytes() for image in small_data.train.images)
    both = [*held_out.train.images, *held_out.test.images]
    assert sorted(image.tobytes() for image in both) == images
    assert len(set(images)) == 640


def test_the_held_out_images_are_the_same_for_ever():
    """Frozen for MNIST's 60,000, so that a choice that was made on them can be checked."""
    numbers = np.arange(60_000)
    held_out = hold_out(Dataset("mnist", Split(numbers, numbers), None, "abc", "made up"))
    assert (len(held_out.train.images), len(held_out.test.images)) == (55_000, 5_000)
    assert list(held_out.train.images[:5]) == [0, 2, 3, 4, 5]
    assert list(held_out.test.images[:5]) == [1, 30, 33, 55, 59]
    assert list(held_out.test.labels[-5:]) == [59959, 59965, 59971, 59984, 59986]
    # The digest keeps runs on these images apart, on disk, from runs on the whole dataset.
    assert held_out.digest == "abc, 5000 held out by seed 0"


def test_another_seed_holds_out_other_images(small_data):
    first, again, other = (hold_out(small_data, 100, seed).test.images for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("size", [0, -1, 640])
def test_a_split_that_leaves_nothing_is_refused(small_data, size):
    with pytest.raises(SettingError, match=f"got {size}"):
        hold_out(small_data, size)


def test_the_accuracy_of_weights_is_that_of_the_run_that_left_them(small_data):
    ((record, state),) = train(Settings(lr=0.05, epochs=1), small_data)
    assert accuracy_of(state.w, Settings(), small_data) == record["test_accuracy"] > 0.1


# -- the rate


def test_the_rates_to_try_are_1_2_and_5_of_every_power_of_ten():
    assert [round(1000 * rate, 9) for rate in RATES] == [1, 2, 5, 10, 20, 50, 100, 200, 500]


def trial(lr, validation, test=(0.5,)):
    by_seed = [dict(enumerate(values)) for values in (validation, test)]
    return Trial(Settings(lr=lr), *by_seed)


def test_the_best_rate_has_the_highest_median_and_says_if_it_is_at_the_edge():
    grid = [trial(0.01, (0.8, 0.9, 0.7)), trial(0.1, (0.85, 0.84, 0.1)), trial(1.0, (0.99, 0, 0))]
    assert best(grid, "validation") == (0.1, False)
    assert best(grid[:2], "validation") == (0.1, True)
    assert best([trial(0.01, (0.9,), (0.7,)), trial(0.1, (0.8,), (0.75,))], "test") == (0.1, True)


def test_the_table_names_both_choices_and_warns_at_the_edge():
    grid = [trial(0.01, (0.9, 0.95), (0.8,)), trial(0.1, (0.8, 0.7), (0.85,)), trial(1.0, (0.0,))]
    lines, advice = selection.table(grid)
    assert lines[1].split() == "0.01 0.9250 (0.9000 to 0.9500) 0.8000 (0.8000 to 0.8000)".split()
    assert lines[-1] == "chosen on held-out images: 0.01; the test set would choose 0.1"
    assert len(advice) == 1 and "at the edge of the grid" in advice[0]
    inside = [trial(0.001, (0.1,)), *grid]
    assert selection.table(inside)[1] == []


def test_the_trials_are_read_from_the_runs(small_data, tmp_path):
    """Validation accuracy from the records, test accuracy from the weights; a divergence is 0."""
    w, folders, ends = LeNet5(seed=3).weights(), {}, []
    for lr, seed, accuracy in ((0.01, 0, 0.9), (0.01, 1, 0.8), (0.1, 0, 0.7), (1.0, 0, None)):
        settings = Settings(lr=lr, seed=seed, epochs=1)
        folder = folders[settings] = RunFolder(tmp_path, settings, "digest")
        folder.path.mkdir()
        status = "diverged" if accuracy is None else "ok"
        record = dict.fromkeys(COLUMNS, 0.5) | {"epoch": 1, "test_accuracy": accuracy}
        record |= {"status": status}
        folder.save([record], State(1, w))
        ends.append((settings, record))
    found = selection.with_test(trials_of(ends), folders, small_data)
    expected = accuracy_of(w, Settings(), small_data)
    assert [trial.settings.lr for trial in found] == [0.01, 0.1, 1.0]
    assert found[0].validation == {0: 0.9, 1: 0.8} and found[0].test == {0: expected, 1: expected}
    assert (found[2].validation, found[2].test) == ({0: 0.0}, {0: 0.0})
    rows = selection.rows(found)
    assert len(rows) == 4 and list(rows[0]) == selection.COLUMNS
    assert rows[1] == {
        "batch_size": 64, "lr": 0.01, "momentum": 0.0, "epochs": 1, "seed": 1,
        "validation_accuracy": 0.8, "test_accuracy": expected,
    }  # fmt: skip
