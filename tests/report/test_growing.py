"""Growing the batch, with made-up runs of which the final accuracy is given."""

import pytest

from minisgd.errors import SettingError
from minisgd.lab.metrics import read_metrics, tidy, write_metrics
from minisgd.report.growing import grow
from minisgd.settings import Settings

START = Settings(batch_size=2048, momentum=0.9)


class Runs:
    """Stands in for training: {(batch size, rate to 4 digits, momentum to 3): final accuracy}.

    An accuracy may be a tuple with one for each seed; what is not given is .98.
    """

    def __init__(self, accuracies):
        self.accuracies, self.asked = accuracies, []

    def __call__(self, cells):
        self.asked.append(cells)
        return {cell: [{"test_accuracy": self.of(cell)}] for cell in cells}

    def of(self, cell):
        key = cell.batch_size, round(cell.lr, 4), round(cell.momentum, 3)
        value = self.accuracies.get(key, 0.98)
        return value[cell.seed] if isinstance(value, tuple) else value


def quiet(line):
    """A log that says nothing."""


def summed_up(steps):
    """(batch size, rate, momentum, what was scaled, whether the step was kept) of every step."""
    found = []
    for step in steps:
        b, lr, m = step.settings.batch_size, step.settings.lr, step.settings.momentum
        found.append((b, round(lr, 4), round(m, 3), step.scaled, step.kept))
    return found


def test_the_four_runs_of_figure_6_come_out_where_8192_fails_at_the_raised_rate():
    """Values by hand: .01 √2 = .0141, .01 √4 = .02, 1 - .1/√2 = .929."""
    run, lines = Runs({(8192, 0.02, 0.9): 0.97}), []
    steps = grow(run, START, (0, 1, 2), log=lines.append)
    assert summed_up(steps) == [
        (2048, 0.01, 0.9, "start", True),
        (4096, 0.0141, 0.9, "rate", True),
        (8192, 0.02, 0.9, "rate", False),
        (8192, 0.0141, 0.929, "momentum", True),
    ]
    assert lines == [str(step) for step in steps]
    assert lines[2].endswith("validation 0.9700 (0.9700 to 0.9700), falls by 0.0100: refused")
    assert all([cell.seed for cell in cells] == [0, 1, 2] for cells in run.asked)


def test_where_accuracy_never_falls_the_momentum_is_never_scaled():
    steps = grow(Runs({}), START, (0,), log=quiet)
    assert summed_up(steps)[1:] == [
        (4096, 0.0141, 0.9, "rate", True),
        (8192, 0.02, 0.9, "rate", True),
    ]


@pytest.mark.parametrize(
    ("accuracy", "options", "kept"),
    [
        (0.9781, {}, True),  # .0019 below .98: within the default tolerance
        (0.978, {}, True),  # .002, in binary fractions a little more
        (0.9779, {}, False),  # .0021 below
        (0.975, {"tolerance": 0.0051}, True),
        (0.975, {"tolerance": 0.0049}, False),
    ],
)
def test_a_fall_of_the_median_must_exceed_the_tolerance(accuracy, options, kept):
    run = Runs({(4096, 0.0141, 0.9): (accuracy, 0.1, 0.99)})
    step = grow(run, START, (0, 1, 2), log=quiet, **options)[1]
    assert (step.kept, step.fall) == (kept, pytest.approx(0.98 - accuracy))


@pytest.mark.parametrize("tolerance", [-0.001, 1.0])
def test_a_tolerance_is_a_difference_of_accuracies(tolerance):
    with pytest.raises(SettingError, match="the tolerance must be from 0 to 1"):
        grow(Runs({}), START, (0,), tolerance=tolerance, log=quiet)


def test_the_momentum_grows_on_until_it_fails_too():
    falls = {(512, 0.02, 0.0): 0.9}
    start = Settings(batch_size=128, lr=0.01)
    steps = grow(Runs(falls), start, (0,), log=quiet)
    assert summed_up(steps) == [
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
    steps = grow(Runs(falls), start, (0,), factor=3, rule="linear", log=quiet)
    assert summed_up(steps) == [
        (64, 0.01, 0.9, "start", True),
        (192, 0.03, 0.9, "rate", True),
        (576, 0.09, 0.9, "rate", False),
        (576, 0.03, 0.967, "momentum", True),
        (1728, 0.03, 0.989, "momentum", False),
    ]


def test_a_divergence_is_a_fall():
    steps = grow(Runs({(4096, 0.0141, 0.9): (None,)}), START, (0,), log=quiet)
    assert not steps[1].kept and steps[1].validation == (0.0,)


@pytest.mark.parametrize("other", [dict(factor=1), dict(factor=5), dict(largest=4095)])
def test_what_cannot_grow_is_refused(other):
    with pytest.raises(SettingError, match="nothing grows by a factor of"):
        grow(Runs({}), START, (0,), log=quiet, **other)


def test_the_rows_of_a_growth_name_their_accuracies_for_what_they_are(tmp_path):
    """On the dataset with held-out images the "test" accuracy is one of validation."""
    record = dict(epoch=1, lr=0.01, train_loss=0.5, train_accuracy=0.8, seconds=1.0, status="ok")
    row = tidy(START, record | {"test_loss": 0.25, "test_accuracy": 0.9})
    write_metrics(tmp_path / "grow.csv", [row], held_out=True)
    assert read_metrics(tmp_path / "grow.csv", held_out=True) == [row]
    names = "validation_loss validation_accuracy".split()
    header, cells = (line.split(",") for line in (tmp_path / "grow.csv").read_text().splitlines())
    assert not any(name.startswith("test_") for name in header)
    written = dict(zip(header, cells, strict=True))
    assert [written[name] for name in names] == ["0.25", "0.9"] and written["train_loss"] == "0.5"
