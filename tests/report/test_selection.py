"""Choosing on held-out images: the split, the choice of a rate, and the growth of a batch."""

from dataclasses import replace

import numpy as np
import pytest

from minisgd.errors import SettingError
from minisgd.lab import runs
from minisgd.model import LeNet5
from minisgd.report import selection
from minisgd.report.selection import Tried, accuracy_of, best, grow, hold_out
from minisgd.settings import Settings
from minisgd.train import State, train

START = Settings(batch_size=2048, momentum=0.9)


def test_held_out_images_are_training_images_that_are_not_trained_on(small_data):
    held_out = hold_out(small_data, 100)
    assert (len(held_out.train.labels), len(held_out.test.labels)) == (540, 100)
    seen = {image.tobytes() for image in small_data.train.images}
    kept, out = (
        sorted(image.tobytes() for image in split.images)
        for split in (held_out.train, held_out.test)
    )
    assert sorted(kept + out) == sorted(image.tobytes() for image in small_data.train.images)
    assert set(out) <= seen and len(seen) == 640
    assert held_out.digest != small_data.digest  # its runs are not those of the whole dataset


def test_the_split_is_of_its_seed(small_data):
    one, same, other = (hold_out(small_data, 100, seed).test.images for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("size", [0, -1, 640])
def test_a_split_that_leaves_nothing_is_refused(small_data, size):
    with pytest.raises(SettingError, match=f"got {size}"):
        hold_out(small_data, size)


def test_the_accuracy_of_weights_is_that_of_the_run_that_left_them(small_data):
    ((record, state),) = train(Settings(lr=0.05, epochs=1), small_data)
    assert accuracy_of(state.w, small_data.test) == record["test_accuracy"] > 0.1


# -- the base rate


def tried(lr, validation, test=(0.5,)):
    by_seed = [dict(enumerate(values)) for values in (validation, test)]
    return Tried(Settings(lr=lr), *by_seed)


def test_the_best_rate_has_the_highest_median_and_says_if_it_is_at_the_edge():
    grid = [tried(0.01, (0.8, 0.9, 0.7)), tried(0.1, (0.85, 0.84, 0.1)), tried(1.0, (0.99, 0, 0))]
    assert best(grid, "validation") == (0.1, False)
    assert best(grid[:2], "validation") == (0.1, True)
    assert best([tried(0.01, (0.9,), (0.7,)), tried(0.1, (0.8,), (0.75,))], "test") == (0.1, True)


def test_the_table_tells_both_choices_and_warns_at_the_edge():
    grid = [tried(0.01, (0.9, 0.95), (0.8,)), tried(0.1, (0.8, 0.7), (0.85,)), tried(1.0, (0.0,))]
    lines, advice = selection.table(grid)
    assert lines[1].split() == "0.01 0.9250 (0.9000 to 0.9500) 0.8000 (0.8000 to 0.8000)".split()
    assert lines[-1] == "chosen on held-out images: 0.01; the test set would choose 0.1"
    assert len(advice) == 1 and "at the edge of the grid" in advice[0]
    inside = [tried(0.001, (0.1,)), *grid]
    assert selection.table(inside)[1] == []


def test_what_was_tried_is_read_from_the_runs(small_data, tmp_path):
    """Validation accuracy from the records, test accuracy from the weights; a divergence is 0."""
    w, folders = LeNet5(seed=3).weights(), {}
    for lr, seed, accuracy in ((0.1, 0, 0.7), (0.01, 1, 0.8), (0.01, 0, 0.9), (1.0, 0, None)):
        settings = Settings(lr=lr, seed=seed, epochs=1)
        folder = folders[settings] = runs.RunFolder(tmp_path, settings, "digest")
        folder.path.mkdir()
        record = dict.fromkeys(runs.COLUMNS) | {"epoch": 1, "test_accuracy": accuracy}
        folder.save([record], State(1, w, w))
    found = selection.tried(folders, small_data.test)
    expected = accuracy_of(w, small_data.test)
    assert [one.settings.lr for one in found] == [0.01, 0.1, 1.0]
    assert found[0].validation == {0: 0.9, 1: 0.8} and found[0].test == {0: expected, 1: expected}
    assert (found[2].validation, found[2].test) == ({0: 0.0}, {0: 0.0})
    rows = selection.rows(found)
    assert len(rows) == 4 and list(rows[0]) == selection.COLUMNS
    assert rows[1] == {
        "batch_size": 64, "lr": 0.01, "momentum": 0.0, "epochs": 1, "seed": 1,
        "validation_accuracy": 0.8, "test_accuracy": expected,
    }  # fmt: skip


# -- the growth


class Runs:
    """Whole runs made up: final accuracy by (batch size, rate to 4 digits, momentum to 3)."""

    def __init__(self, accuracies):
        self.accuracies, self.asked = accuracies, []

    def __call__(self, cells):
        self.asked.append(cells)
        return {cell: [{"test_accuracy": self.of(cell)}] for cell in cells}

    def of(self, cell):
        key = cell.batch_size, round(cell.lr, 4), round(cell.momentum, 3)
        value = self.accuracies.get(key, 0.98)
        return value[cell.seed] if isinstance(value, tuple) else value


def steps_of(steps):
    return [
        (s.settings.batch_size, round(s.settings.lr, 4), round(s.settings.momentum, 3), s.scaled,
         s.kept)
        for s in steps
    ]  # fmt: skip


def test_the_four_runs_of_figure_6_come_out_where_8192_fails_at_the_raised_rate():
    """Values by hand: .01 √2 = .0141, .01 √4 = .02, 1 - .1/√2 = .929."""
    run, said = Runs({(8192, 0.02, 0.9): 0.97}), []
    steps = grow(run, START, (0, 1, 2), log=said.append)
    assert steps_of(steps) == [
        (2048, 0.01, 0.9, "start", True),
        (4096, 0.0141, 0.9, "rate", True),
        (8192, 0.02, 0.9, "rate", False),
        (8192, 0.0141, 0.929, "momentum", True),
    ]
    assert said == [str(step) for step in steps]
    assert "refused" in said[2] and "falls by 0.0100" in said[2]
    assert all([cell.seed for cell in cells] == [0, 1, 2] for cells in run.asked)


def test_where_accuracy_never_falls_the_momentum_is_never_scaled():
    steps = grow(Runs({}), START, (0,), log=lambda line: None)
    assert steps_of(steps)[1:] == [
        (4096, 0.0141, 0.9, "rate", True),
        (8192, 0.02, 0.9, "rate", True),
    ]


def test_a_fall_is_of_the_median_and_must_exceed_the_tolerance():
    near = {(4096, 0.0141, 0.9): (0.978, 0.1, 0.99)}  # the median is .002 below .98
    for tolerance, kept in ((0.0021, True), (0.0019, False)):
        steps = grow(Runs(near), START, (0, 1, 2), tolerance=tolerance, log=lambda line: None)
        assert (steps[1].kept, round(steps[1].fall, 4)) == (kept, 0.002)


def test_the_momentum_grows_on_until_it_fails_too():
    falls = {(512, 0.02, 0.0): 0.9}
    start = Settings(batch_size=128, lr=0.01)
    steps = grow(Runs(falls), start, (0,), log=lambda line: None)
    assert steps_of(steps) == [
        (128, 0.01, 0.0, "start", True),
        (256, 0.0141, 0.0, "rate", True),
        (512, 0.02, 0.0, "rate", False),
        (512, 0.0141, 0.293, "momentum", True),
        (1024, 0.0141, 0.5, "momentum", True),
        (2048, 0.0141, 0.646, "momentum", True),
        (4096, 0.0141, 0.75, "momentum", True),
        (8192, 0.0141, 0.823, "momentum", True),
    ]


def test_smith_and_les_own_form_is_factor_3_and_linear():
    start = Settings(batch_size=64, lr=0.01, momentum=0.9)
    falls = {(576, 0.09, 0.9): 0.5, (1728, 0.03, 0.989): 0.5}
    steps = grow(Runs(falls), start, (0,), factor=3, rule="linear", log=lambda line: None)
    assert steps_of(steps) == [
        (64, 0.01, 0.9, "start", True),
        (192, 0.03, 0.9, "rate", True),
        (576, 0.09, 0.9, "rate", False),
        (576, 0.03, 0.967, "momentum", True),
        (1728, 0.03, 0.989, "momentum", False),
    ]


def test_a_divergence_is_a_fall():
    steps = grow(Runs({(4096, 0.0141, 0.9): (None,)}), START, (0,), log=lambda line: None)
    assert not steps[1].kept and steps[1].validation == (0.0,)


@pytest.mark.parametrize("other", [dict(factor=1), dict(factor=5), dict(largest=4095)])
def test_what_cannot_grow_is_refused(other):
    with pytest.raises(SettingError, match="nothing grows by a factor of"):
        grow(Runs({}), replace(START, batch_size=2048), (0,), log=print, **other)
