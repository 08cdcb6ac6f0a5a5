"""The trials of the searches that a folder such as figures/ holds, in a table such as the answer's.

    answer-trials.csv    the last epoch of every trial, its accuracy on held-out images
    answer-trials.json   what each search asked, and how it was made

A search that is kept there is not made again, unless it asks something else than it did.
"""

from pathlib import Path

from ..disk.files import locked
from ..disk.formats import DamagedError, read_json, write_json
from ..errors import SettingError
from ..lab.metrics import read_runs, tidy, write_metrics
from .answer import HELD_OUT
from .search import trials_of

NAME = "answer-trials"


def name_of(optimizer, batch_size):
    """What a search is called."""
    return f"{optimizer} at {batch_size}"


def _asked(search):
    base = {k: v for k, v in search.base.differing().items() if k != "seed"}
    return {"base": base} | search.asked() | {"held out": HELD_OUT}


class Trials:
    """The searches that are kept in a folder under one name."""

    def __init__(self, folder, name=NAME, title="The trials of the searches"):
        self.folder, self.name, self.title = Path(folder), name, title
        self._read()

    def _read(self):
        path = self.folder / f"{self.name}.json"
        kinds = {"searches": dict, "makings": list, "digest": str}
        self.made = read_json(path, **kinds) or {"searches": {}, "makings": []}
        self.rows = {name: [] for name in self.made["searches"]}  # (settings, row) of each run
        if self.rows:
            for settings, row in read_runs(self.folder / f"{self.name}.csv", held_out=True):
                # What the JSON lacks was being added when the program was stopped.
                name = name_of(settings.optimizer, settings.batch_size)
                self.rows.get(name, []).append((settings, row))

    def of(self, search):
        """The [Trial] of a search, in the order in which they were made; [] if it is not kept.

        Raises:  DamagedError if it has fewer runs than such a search makes, or more
        """
        name = name_of(search.base.optimizer, search.base.batch_size)
        if self.made["searches"].get(name) != _asked(search):
            return []
        # `halve` tries candidates that are alike but once; those of several numbers never are.
        found, (count, _) = self.rows[name], search.cost
        if len(found) != count:
            path = self.folder / self.name
            raise DamagedError(
                f"{path}.csv is damaged (of the {count} runs of {name} it holds {len(found)}): "
                f"bring back a copy of it, or move it and {path}.json away"
            )
        return trials_of(found)

    def add(self, done, dataset, making):
        """Add searches {Search: [(settings, last record)]} to the folder.

        dataset  the whole one, from which images were held out
        making   a dict that says how they were made
        Raises:  SettingError if the trials here belong to another dataset
        """
        with locked(self.folder, wait=60.0):
            self._read()  # another process may have added to it since
            self.check(dataset)
            for search, ends in done.items():
                name = name_of(search.base.optimizer, search.base.batch_size)
                self.made["searches"][name] = _asked(search)
                self.rows[name] = [(settings, tidy(settings, record)) for settings, record in ends]
            about = {"title": self.title, "dataset": dataset.name}
            makings = [*self.made["makings"], making]
            self.made = about | self.made | {"digest": dataset.identity, "makings": makings}
            rows = [row for name in self.made["searches"] for _, row in self.rows[name]]
            write_metrics(self.folder / f"{self.name}.csv", rows, held_out=True)
            write_json(self.folder / f"{self.name}.json", self.made)

    def check(self, dataset):
        """Raise SettingError if the trials here belong to another dataset than this one."""
        if self.made.get("digest") not in (None, dataset.identity):
            raise SettingError(
                f"{self.folder} holds trials on another dataset than {dataset.name}: "
                "give another --out"
            )
