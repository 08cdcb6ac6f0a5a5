"""Choosing the base rate on held-out images (report Sec. II).

The report chose its rate by the test accuracy. Here the choice is made on training images that are
held out, and the test set is only looked at afterwards, to show which rate the report's way would
have chosen.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import numpy as np

from ..data import split_validation
from ..disk.formats import read_json
from ..errors import SettingError
from ..lab.checkpoints import read_checkpoint
from ..lab.metrics import read_metrics
from ..model import Model
from ..settings import DEFAULTS, Settings, what_matters
from ..train import evaluate

RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
COLUMNS = "batch_size lr momentum epochs seed validation_accuracy test_accuracy".split()


def hold_out(dataset, size=5_000, seed=0):
    """The dataset with some of its training images, drawn by the seed, in place of its test images.

    The held-out images are no longer in the training set. A run on this dataset thus reports its
    validation accuracy as its "test accuracy".

    Shapes:  train N -> N - size, test size
    Raises:  SettingError unless 0 < size < N
    """
    if size < 1:
        raise SettingError(f"a validation set needs at least 1 image, got {size}")
    # The key keeps these draws apart from the others that a seed gives, such as the epochs' orders.
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,)))
    train, validation = split_validation(dataset.train, size, rng)
    # Its own digest, so that no run on it is ever taken for one on all the training images.
    digest = f"{dataset.digest}, {size} held out by seed {seed}"
    return replace(dataset, train=train, test=validation, digest=digest)


def accuracy_of(weights, settings, dataset):
    """The fraction of the test images that the network of a run classifies correctly with these
    weights.
    """
    model = Model(
        settings.network, dtype=weights.dtype, plain=settings.plain, pixels=dataset.pixels
    )
    model.w[...] = weights
    _, correct, _ = evaluate(model, dataset.test.images, dataset.test.labels)
    return correct / len(dataset.test.labels)


@dataclass(frozen=True)
class Trial:
    """Settings and the final accuracies of their runs.

    settings           of the runs, with seed 0
    validation, test   {seed: accuracy}; 0 for a run that diverged; a search looks at no test image
    """

    settings: Settings
    validation: dict
    test: dict = field(default_factory=dict)

    @property
    def median(self):
        """The median validation accuracy."""
        return median(self.validation.values())


def with_test(trials, folders, dataset):
    """The trials with the test accuracies of their runs.

    folders:  {settings: RunFolder} of the runs, which were made on the dataset of `hold_out`
    dataset:  the whole one, with the real test set
    """
    found = []
    for trial in trials:
        test = {}
        for seed in trial.validation:
            _, records, state = read_checkpoint(folders[replace(trial.settings, seed=seed)].newest)
            diverged = records[-1]["test_accuracy"] is None
            test[seed] = 0.0 if diverged else accuracy_of(state.w, trial.settings, dataset)
        found.append(replace(trial, test=test))
    return found


def best(trials, by):
    """(the rate with the highest median accuracy, whether it is at either end of the grid).

    by:  "validation" or "test"
    """
    chosen = max(trials, key=lambda trial: median(getattr(trial, by).values()))
    return chosen.settings.lr, chosen in (trials[0], trials[-1])


def rows(trials):
    """A row with COLUMNS for each run."""
    return [
        {
            "batch_size": trial.settings.batch_size,
            "lr": trial.settings.lr,
            "momentum": trial.settings.momentum,
            "epochs": trial.settings.epochs,
            "seed": seed,
            "validation_accuracy": trial.validation[seed],
            "test_accuracy": trial.test[seed],
        }
        for trial in trials
        for seed in trial.validation
    ]


def read_trials(folder, digest):
    """The trials of the folder's tune.csv, in its order; none if there is no such file, or if they
    are of another dataset or differ from the report's protocol in more than its columns.

    digest   of the dataset
    Raises:  as read_metrics
    """
    path = Path(folder) / "tune.csv"
    asked = (read_json(path.with_suffix(".json"), asked=dict) or {"asked": {}})["asked"]
    told = {name: asked[name] for name in asked if name in DEFAULTS and name not in COLUMNS}
    if asked.get("digest") != digest:
        return []
    if any(value != DEFAULTS[name] for name, value in what_matters(told).items()):
        return []
    found = {}
    for settings, row in read_metrics(path, COLUMNS, entry=_run) if path.exists() else ():
        trial = found.setdefault(settings, Trial(settings, {}, {}))
        trial.validation[row["seed"]] = row["validation_accuracy"]
        trial.test[row["seed"]] = row["test_accuracy"]
    return list(found.values())


def _run(row):
    """(the Settings of a row with COLUMNS, the row).  Raises: ValueError if it is of no run"""
    if None in row.values():
        raise ValueError("a cell is empty")
    settings = Settings(
        row["batch_size"], row["lr"], momentum=row["momentum"], epochs=row["epochs"]
    )
    return settings, row


def table(trials):
    """(the lines of the table, a list of what to advise about the choice)."""
    lines = [f"{'rate':>8}  {'validation':<28}{'test':<28}"]
    for trial in trials:
        cells = [
            f"{median(values):.4f} ({min(values):.4f} to {max(values):.4f})".ljust(28)
            for values in (trial.validation.values(), trial.test.values())
        ]
        lines.append(f"{trial.settings.lr:>8.4g}  {''.join(cells)}".rstrip())
    (chosen, at_edge), (by_test, _) = best(trials, "validation"), best(trials, "test")
    lines += ["", f"chosen on held-out images: {chosen:g}; the test set would choose {by_test:g}"]
    advice = []
    if at_edge:
        advice.append(f"The best rate, {chosen:g}, is at the edge of the grid: give more --lrs.")
    return lines, advice
