"""Choosing on held-out images: the base rate (Sec. II), and how far a batch can grow (Sec. IV).

The report chose its rate by the test accuracy, and its code grew the batch without a validation
set. Here the choice falls on training images that are held out, and the test set is only looked at
afterwards, to show what the other way would have chosen.

`run(cells)` does whole runs on the dataset of `hold_out` and returns {settings: records}; their
test accuracy is then the validation accuracy.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np

from ..data import Dataset, split_validation
from ..errors import SettingError
from ..lab.runs import COLUMNS as COLUMNS_OF_RUNS
from ..lab.runs import read_checkpoint, read_metrics, write_table
from ..model import LeNet5
from ..rules import scaled_lr, scaled_momentum
from ..settings import Settings
from ..train import evaluate

RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


def hold_out(dataset, size=5_000, seed=0):
    """The dataset with training images, drawn by the seed and left out of it, for test images.

    Shapes:  train N -> N - size, test size
    Raises:  SettingError unless 0 < size < N
    """
    if size < 1:
        raise SettingError(f"a validation set needs at least 1 image, got {size}")
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,)))
    train, validation = split_validation(dataset.train, size, rng)
    digest = f"{dataset.digest}, {size} held out by seed {seed}"  # other runs than on all of it
    return Dataset(dataset.name, train, validation, digest, dataset.source)


def accuracy_of(weights, split):
    """The share of a split's images that LeNet-5 with these weights tells right."""
    model = LeNet5(dtype=weights.dtype)
    model.w[...] = weights
    return evaluate(model, split.images, split.labels)[1] / len(split.labels)


# ---- the base rate


COLUMNS = "batch_size lr momentum epochs seed validation_accuracy test_accuracy".split()


@dataclass(frozen=True)
class Tried:
    """A rate, and the final accuracies of its runs, {seed: accuracy}; 0 for one that diverged."""

    settings: Settings
    validation: dict
    test: dict


def tried(folders, test):
    """[Tried], by rate, from the folders of whole runs {settings: RunFolder} and the test set."""
    found = {}
    for cell in sorted(folders, key=lambda cell: (cell.lr, cell.seed)):
        _, records, state = read_checkpoint(folders[cell].newest)
        settings = replace(cell, seed=0)
        one = found.setdefault(settings, Tried(settings, {}, {}))
        validation = records[-1]["test_accuracy"]
        one.validation[cell.seed] = validation or 0.0
        one.test[cell.seed] = 0.0 if validation is None else accuracy_of(state.w, test)
    return list(found.values())


def best(tried, by):
    """(the rate whose median accuracy is highest, whether it is at the grid's edge).

    by:  "validation" or "test"
    """
    chosen = max(tried, key=lambda one: median(getattr(one, by).values()))
    return chosen.settings.lr, chosen in (tried[0], tried[-1])


def rows(tried):
    """A row a run, with COLUMNS."""
    return [
        {
            "batch_size": one.settings.batch_size,
            "lr": one.settings.lr,
            "momentum": one.settings.momentum,
            "epochs": one.settings.epochs,
            "seed": seed,
            "validation_accuracy": one.validation[seed],
            "test_accuracy": one.test[seed],
        }
        for one in tried
        for seed in one.validation
    ]


def read_tried(folder):
    """[Tried], by rate, of a tune.csv; none if there is none. Raises: as runs.read_metrics."""
    path = Path(folder) / "tune.csv"
    found = {}
    for row in read_metrics(path, COLUMNS) if path.exists() else ():
        settings = Settings(row["batch_size"], row["lr"], momentum=row["momentum"],
                            epochs=row["epochs"])  # fmt: skip
        one = found.setdefault(settings, Tried(settings, {}, {}))
        one.validation[row["seed"]] = row["validation_accuracy"]
        one.test[row["seed"]] = row["test_accuracy"]
    return list(found.values())


def table(tried):
    """(the lines of the table, what to say about the choice)."""
    lines = [f"{'rate':>8}  {'validation':<28}{'test':<28}"]
    for one in tried:
        cells = [
            f"{median(values):.4f} ({min(values):.4f} to {max(values):.4f})".ljust(28)
            for values in (one.validation.values(), one.test.values())
        ]
        lines.append(f"{one.settings.lr:>8.4g}  {''.join(cells)}".rstrip())
    (honest, at_edge), (theirs, _) = best(tried, "validation"), best(tried, "test")
    lines += ["", f"chosen on held-out images: {honest:g}; the test set would choose {theirs:g}"]
    advice = []
    if at_edge:
        advice.append(f"The best rate, {honest:g}, is at the edge of the grid: give more --lrs.")
    return lines, advice


# ---- how far the batch can grow


@dataclass(frozen=True)
class Step:
    """A batch size that was tried: its settings, what was scaled, the accuracies, the decision."""

    settings: Settings
    scaled: str  # "start", "rate" or "momentum"
    validation: tuple  # final accuracy, a seed each; 0 for one that diverged
    fall: float  # of the median below the start's
    kept: bool

    def __str__(self):
        s, values = self.settings, self.validation
        spread = f" ({min(values):.4f} to {max(values):.4f})" if len(values) > 1 else ""
        decision = "the start" if self.scaled == "start" else "kept" if self.kept else "refused"
        change = f", {'falls' if self.fall >= 0 else 'rises'} by {abs(self.fall):.4f}"
        change = "" if self.scaled == "start" else change
        by = {"start": "", "rate": "rate scaled", "momentum": "1/(1-m) scaled"}[self.scaled]
        return (
            f"b = {s.batch_size:<5} η = {s.lr:<8.4g} m = {s.momentum:<7.4g} {by:<15} "
            f"validation {median(values):.4f}{spread}{change}: {decision}"
        )


def grow(run, start, seeds, factor=2, rule="sqrt", tolerance=0.002, largest=8192, log=print):
    """Grow the batch, first with the rate, then with the momentum, while accuracy stays up.

    From `start`, b is multiplied by `factor` and η scaled by the rule, until the median validation
    accuracy over seeds is more than `tolerance` below the start's. That step is taken back; from
    there b grows with 1/(1-m) scaled instead, until accuracy falls again or b reaches `largest`.

    Returns: [Step], the start's first
    Raises:  SettingError if nothing can grow (factor below 2, or the start already the largest),
             or for a tolerance outside 0 ... 1
    Source:  report Sec. IV; Smith & Le's own form is factor 3 and the linear rule
    """
    if not 0 <= tolerance < 1:
        raise SettingError(f"the tolerance must be from 0 to 1, got {tolerance:g}")
    if factor < 2 or start.batch_size * factor > largest:
        raise SettingError(
            f"from batch size {start.batch_size} nothing grows by a factor of {factor} "
            f"up to {largest}"
        )

    def tried(settings, scaled, reference=None):
        cells = [replace(settings, seed=seed) for seed in seeds]
        done = run(cells)
        finals = tuple(done[cell][-1]["test_accuracy"] or 0.0 for cell in cells)
        fall = 0.0 if reference is None else reference - median(finals)
        step = Step(settings, scaled, finals, fall, fall <= tolerance)
        log(str(step))
        return step

    steps = [tried(start, "start")]
    reference, here = median(steps[0].validation), start
    for scaled in ("rate", "momentum"):
        while here.batch_size * factor <= largest:
            b, b0 = here.batch_size * factor, here.batch_size
            if scaled == "rate":
                there = replace(here, batch_size=b, lr=scaled_lr(rule, here.lr, b, b0))
            else:
                m = scaled_momentum(rule, here.momentum, b, b0)
                there = replace(here, batch_size=b, momentum=m)
            steps.append(tried(there, scaled, reference))
            if not steps[-1].kept:
                break
            here = there
    return steps


def write_growth(path, rows):
    """Write the rows of all runs of `grow`, as metrics.csv but for what their accuracies are of."""

    def called(column):
        return column.replace("test_", "validation_")

    rows = [{called(column): value for column, value in row.items()} for row in rows]
    write_table(path, [called(column) for column in COLUMNS_OF_RUNS], rows)
