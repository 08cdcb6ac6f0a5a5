"""What the pages' numbers are computed from: the files in figures/, and the runs they hold."""

import csv
import json
from functools import cached_property
from pathlib import Path
from statistics import median
from types import SimpleNamespace

from minisgd.report import answer, answer_plan, answer_shown, carry
from minisgd.report.experiments import EXPERIMENTS
from minisgd.report.judging import Results
from minisgd.report.trials import Trials


class Files:
    """The files of a folder such as figures/."""

    def __init__(self, folder):
        self.folder, self.tables = Path(folder), {}

    def rows(self, name, **wanted):
        """The rows of a table whose columns have these values: row.column is a number or a text."""
        if name not in self.tables:
            with (self.folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
                read = [{k: as_number(v) for k, v in row.items()} for row in csv.DictReader(file)]
            self.tables[name] = [SimpleNamespace(**row) for row in read]
        return [
            row for row in self.tables[name] if all(vars(row)[k] == v for k, v in wanted.items())
        ]

    def cell(self, name, **wanted):
        """The one row whose columns have these values."""
        (row,) = self.rows(name, **wanted)
        return row

    def made(self, name):
        """How a table was made: its JSON."""
        return json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))

    @cached_property
    def trials(self):
        return Trials(self.folder)

    @cached_property
    def everywhere(self):
        """{dataset: Kept}, the report's under None."""
        return carry.everything(self.folder)

    @property
    def kept(self):
        return self.everywhere[None]

    @cached_property
    def results(self):
        return Results(*self.everywhere.values())

    def values(self, statistic, name, b, n=0):
        """The statistic of the runs of an experiment at a batch size, one for each seed."""
        return list(self.results.values(statistic, name, b, n).values())

    @cached_property
    def answer_lines(self):
        """(the lines of the answer's methods, by name; those of the report's rules; the bar)."""
        found = answer_shown.results(self.kept, "answer", answer_plan.plan(self.trials).sizes)
        methods = answer_shown.method_lines(found)
        rules = answer_shown.reported_lines(self.kept)
        by_name = dict(zip(answer.METHODS, methods, strict=True))
        return by_name, rules, answer_shown.bar_of([*methods, *rules])

    def carried(self, method, tolerance):
        """The largest batch that a method carries within a tolerance in every seed."""
        methods, _, bar = self.answer_lines
        return answer_shown.carried(methods[method].values, bar, tolerance, min)

    def carried_by_rules(self, tolerance):
        """The same of each of the report's rules; 0 where not even 64 is."""
        _, rules, bar = self.answer_lines
        return [answer_shown.carried(line.values, bar, tolerance, min) or 0 for line in rules]

    def training(self, name):
        """(runs, hours, minutes) of the training of an experiment, one run after the other."""
        cells = self.kept.cells(EXPERIMENTS[name])
        times = [[row["seconds"] for row in self.kept.records(cell)] for cell in cells]
        return len(cells), *clock(times)


def clock(times):
    """(hours, minutes) of runs, of which each is the list of the seconds of its epochs."""
    return divmod(round(sum(median(seconds) * len(seconds) for seconds in times) / 60), 60)


def as_number(text):
    for kind in int, float:
        try:
            return kind(text)
        except ValueError:
            pass
    return text
