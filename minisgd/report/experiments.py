"""The report's figures as data: the runs behind each of them, and the results that are kept.

    figures/<name>.csv    every epoch of every run and seed, as in metrics.csv
    figures/<name>.json   the dataset, the command, the versions and the machine
    figures/<name>.png    the picture, also as .svg

A run that is kept there is not trained again, whichever experiment asks for it.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from ..disk.files import locked
from ..disk.formats import read_json, table_damaged, write_json
from ..errors import SettingError
from ..lab.metrics import MEASURED, read_authors, read_runs, tidy, write_metrics
from ..lab.run_folder import is_last
from ..rules import scaled_lr, scaled_momentum
from ..settings import Settings

SIZES = (64, 128, 256, 512, 1024, 2048, 4096, 8192)
LARGE = (1024, 2048, 4096, 8192)
LUCKY = (2048, 4096, 8192)  # at a linearly scaled rate the outcome depends on the seed


@dataclass(frozen=True)
class Experiment:
    """The runs of one figure, and what its picture shows besides the accuracies.

    lucky    batch sizes that are trained with twice as many seeds
    apart    batch sizes for which every seed is drawn as well
    authors  the authors' file of the same runs, for --reference
    first_seed  of its runs
    beyond   not one of the report's: only its own name asks for it, "all" does not
    """

    name: str
    title: str
    settings: tuple  # Settings of every run, with seed 0
    losses: bool = False
    lucky: tuple = ()
    apart: tuple = ()
    authors: str | None = None
    first_seed: int = 0
    beyond: bool = False

    def cells(self, seeds):
        """The settings of every run, the slowest first: the smaller the batch, the more updates."""
        return [
            replace(settings, seed=seed)
            for settings in sorted(self.settings, key=lambda settings: settings.batch_size)
            for seed in self.seeds(settings.batch_size, seeds)
        ]

    def seeds(self, batch_size, seeds):
        """The seeds at a batch size, given how many there are at most sizes."""
        count = seeds * (2 if batch_size in self.lucky else 1)
        return range(self.first_seed, self.first_seed + count)


def _every_size(sizes=SIZES, **settings):
    return tuple(Settings(batch_size=b, **settings) for b in sizes)


def _growth():
    """The runs of Fig. 6: from (2048, .01, .9) the rate grows by the sqrt rule, then 1/(1-m)."""
    lr = {b: scaled_lr("sqrt", 0.01, b, 2048) for b in (2048, 4096, 8192)}
    m = scaled_momentum("sqrt", 0.9, 8192, 4096)
    steps = (2048, lr[2048], 0.9), (4096, lr[4096], 0.9), (8192, lr[8192], 0.9), (8192, lr[4096], m)
    return tuple(Settings(batch_size=b, lr=eta, momentum=m) for b, eta, m in steps)


EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        Experiment(
            "figure1",
            "Fig. 1: η = 0.01 at every batch size",
            _every_size(),
            losses=True,
            authors="BasicLeNet5.csv",
        ),
        Experiment(
            "figure2",
            "Fig. 2: sqrt scaling, η = 0.01 √(b/64)",
            _every_size(rule="sqrt"),
            authors="sqrtLrLeNet5.csv",
        ),
        Experiment(
            "figure3",
            "Fig. 3: linear scaling, η = 0.01 b/64",
            _every_size(rule="linear"),
            lucky=LUCKY,
            apart=(2048, 4096),
            authors="linearLrLeNet5.csv",
        ),
        Experiment(
            "figure4",
            "Fig. 4: linear scaling with gradual warmup over 10 epochs",
            _every_size(rule="linear", warmup="gradual"),
            lucky=LUCKY,
            apart=(2048, 4096),
        ),
        Experiment(
            "figure5",
            "Fig. 5: momentum, m = 0.9 and η = 0.01",
            _every_size(momentum=0.9),
        ),
        Experiment(
            "figure6",
            "Fig. 6: from b = 2048 the rate grows by the sqrt rule, then 1/(1-m)",
            _growth(),
        ),
        Experiment(
            "constant-warmup",
            "Linear scaling with constant warmup: η = 0.01 for 10 epochs, then 0.01 b/64",
            _every_size(rule="linear", warmup="constant"),
            lucky=LUCKY,
        ),
        Experiment(
            "effective-rate",
            "No momentum, η = 0.1: the effective rate of Fig. 5",
            _every_size(lr=0.1),
        ),
        # Not in the report: do the large batches fail because of the weights they start from?
        Experiment(
            "he-linear",
            "Fig. 3 from He's initial weights: linear scaling, η = 0.01 b/64",
            _every_size(LARGE, rule="linear", init="he"),
            apart=(2048, 4096),
            beyond=True,
        ),
        Experiment(
            "he-gradual-warmup",
            "Fig. 4 from He's initial weights: linear scaling, gradual warmup over 10 epochs",
            _every_size(LARGE, rule="linear", warmup="gradual", init="he"),
            apart=(4096, 8192),
            beyond=True,
        ),
    )
}


def of_the_report():
    """The experiments that are the report's."""
    return [experiment for experiment in EXPERIMENTS.values() if not experiment.beyond]


def named(words):
    """The experiments that words such as 3, figure3, all or constant-warmup name, each once and in
    the order of EXPERIMENTS.

    Raises:  SettingError for a word that names none
    """
    wanted = set()
    for word in words:
        name = f"figure{word}" if word.isdigit() else word
        if name != "all" and name not in EXPERIMENTS:
            raise SettingError(
                f"there is no figure {word}: give 1 to 6, all, constant-warmup, effective-rate, "
                "he-linear or he-gradual-warmup"
            )
        wanted |= {e.name for e in of_the_report()} if name == "all" else {name}
    return [experiment for name, experiment in EXPERIMENTS.items() if name in wanted]


class Kept:
    """The results that a folder such as figures/ holds of the runs of these experiments."""

    def __init__(self, folder, experiments=EXPERIMENTS):
        self.folder, self.experiments = Path(folder), experiments
        self._read()

    def _read(self):
        self.made, self.rows, self.keys = {}, {}, {name: set() for name in self.experiments}
        for name in self.experiments:
            made = read_json(self.folder / f"{name}.json", dataset=str, digest=str, makings=list)
            if made is not None:
                self.made[name] = made
                for settings, row in read_runs(self.folder / f"{name}.csv"):
                    key = settings.key()
                    self.keys[name].add(key)
                    run = self.rows.setdefault(key, {})
                    other = run.setdefault(row["epoch"], row)
                    if _measured(row) != _measured(other):
                        raise table_damaged(
                            self.folder / f"{name}.csv",
                            f"it disagrees with another table there on epoch {row['epoch']} of "
                            f"batch size {row['batch_size']}, seed {row['seed']}",
                        )
        digests = {made.get("digest") for made in self.made.values()}
        if len(digests) > 1:
            raise SettingError(
                f"{self.folder} holds results of different datasets: give another --out"
            )

    @property
    def digest(self):
        """The digest of the dataset that all results here belong to; None if there are none."""
        return next((made.get("digest") for made in self.made.values()), None)

    def records(self, settings):
        """The records of a run; an empty list unless all of its epochs are here."""
        rows = self.rows.get(settings.key(), {})
        records = [rows[epoch] for epoch in sorted(rows)]
        whole = rows and sorted(rows) == list(range(1, len(rows) + 1))
        return records if whole and is_last(records[-1], settings) else []

    def cells(self, experiment):
        """The settings of all whole runs of an experiment that are here, as many seeds as there
        are. The report's, which begin with seed 0, take none from the tables of those that begin
        later, so that what is said of them does not depend on what else is here.
        """
        first = experiment.first_seed
        keys = set().union(*(
            keys for name, keys in self.keys.items() if self.experiments[name].first_seed <= first
        ))  # fmt: skip
        seeds = sorted({dict(key).get("seed", 0) for key in keys})
        seeds = [seed for seed in seeds if seed >= first]
        settings = sorted(experiment.settings, key=lambda s: (s.batch_size, s.lr, s.momentum))
        cells = (replace(cell, seed=seed) for cell in settings for seed in seeds)
        return [cell for cell in cells if cell.key() in keys and self.records(cell)]

    def add(self, experiment, done, dataset, making):
        """Add whole runs {settings: records} to the folder, and note how they were made.

        making:  a dict that says how; the JSON keeps one for each time that runs were added
        Raises:  SettingError if the results here belong to another dataset
        """
        with locked(self.folder, wait=60.0):
            self._read()  # another process may have added to it since
            self.check(dataset)
            name = experiment.name
            for settings, records in done.items():
                self.keys[name].add(settings.key())
                if not self.records(settings):  # another process may have kept it meanwhile
                    rows = [tidy(settings, record) for record in records]
                    self.rows[settings.key()] = {row["epoch"]: row for row in rows}
            made = {"title": experiment.title, "dataset": dataset.name, "digest": dataset.identity}
            made["makings"] = [*self.made.get(name, {"makings": []})["makings"], making]
            cells = self.cells(experiment)
            everything = [tidy(cell, row) for cell in cells for row in self.records(cell)]
            write_metrics(self.folder / f"{name}.csv", everything)
            write_json(self.folder / f"{name}.json", made)
            self.made[name] = made

    def check(self, dataset):
        """Raise SettingError if the results here belong to another dataset than this one."""
        if self.digest not in (None, dataset.identity):
            raise SettingError(
                f"{self.folder} holds results of another dataset than {dataset.name}: "
                "give another --out"
            )


def read_reference(folder, experiment):
    """The authors' own records of an experiment, as rows of metrics.csv; an empty list if there are
    none.

    The authors made one run per batch size. Their train loss is that of the last batch alone, and
    is left out.
    """
    path = experiment.authors and Path(folder) / experiment.authors
    if not path or not path.exists():
        return []
    cells = {settings.batch_size: settings for settings in experiment.settings}
    return [
        tidy(cells[record["batch_size"]], record)
        for record in read_authors(path)
        if record["batch_size"] in cells
    ]


def _measured(row):
    """What two tables must agree on: everything measured, except for the time it took."""
    return {name: row[name] for name in MEASURED if name != "seconds"}
