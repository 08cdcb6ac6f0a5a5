"""The workshop, which trains the runs behind the figures of the report."""

import functools
from copy import copy

from .console import Sentence, command_line, say, stop, stopped
from .options import WORKSHOP, check_workers, options
from .progress import Progress
from .train import side_by_side


class Workshop:
    """A dataset that is loaded when it is first needed, and the means to train on it."""

    def __init__(self, runs, dataset, data_dir, jobs, scheduler, threads, device):
        from minisgd.backend import resolve_device
        from minisgd.lab.cluster import is_elsewhere

        self.folder, self.dataset, self.data_dir = runs, dataset, data_dir
        self.scheduler = scheduler
        self.threads, self.loaded, self.where = threads or 1, None, None
        self.device = device if is_elsewhere(scheduler) else resolve_device(device)
        self.jobs = jobs or side_by_side(self.threads, self.device)

    def on(self, dataset):
        """The same means on another dataset; this workshop if it is None or the same."""
        if dataset in (None, self.dataset):
            return self
        other = copy(self)
        other.dataset, other.loaded = dataset, None
        return other

    def data(self):
        from minisgd.data import load_dataset

        self.loaded = self.loaded or load_dataset(self.dataset, self.data_dir, log=say)
        return self.loaded

    def run(self, name, cells, data):
        """Do whatever is missing of these runs, in the folder of this name.

        Returns: {settings: RunFolder} of the finished runs; a sentence on the failed ones, or None
        """
        from minisgd.disk.files import locked, make_folder
        from minisgd.lab import sweep
        from minisgd.lab.cluster import cluster
        from minisgd.lab.names import run_name
        from minisgd.lab.run_folder import RunFolder

        for cell in cells:  # before any of them is trained
            cell.check(len(data.train.labels))
        out = self.folder / data.name / name
        make_folder(out)
        folders = {cell: RunFolder(out, cell, data.identity) for cell in cells}
        with locked(out):
            left = {c: c.epochs - len(f.records()) for c, f in folders.items() if not f.finished()}
            with cluster(self.scheduler, say) as elsewhere, Progress(left) as progress:
                self.where = elsewhere and elsewhere.where
                try:
                    failures = sweep.run_cells(
                        out, left, data, self.device, self.jobs, self.threads, progress, say,
                        elsewhere,
                    )  # fmt: skip
                except KeyboardInterrupt as interrupt:
                    stop(interrupt, stopped(sum(len(f.records()) for f in folders.values()), out))
        whole = {cell: folder for cell, folder in folders.items() if cell not in failures}
        reasons = "; ".join(f"{run_name(c)}: {why}" for c, why in failures.items())
        amiss = f"{len(failures)} runs failed ({reasons}); the others are kept"
        return whole, amiss if failures else None

    def run_all(self, name, cells, data):
        """Like `run`, for a command that needs every run: {settings: RunFolder}.

        Raises:  Sentence if a run failed
        """
        folders, amiss = self.run(name, cells, data)
        if amiss:
            raise Sentence(amiss, 1)
        return folders

    def complete(self, experiment, seeds, kept):
        """Do the runs of an experiment that are not kept, with so many seeds, and keep them.

        Returns: a sentence on the runs that failed, or None
        """
        cells = experiment.cells(seeds)
        missing = [cell for cell in cells if not kept.records(cell)]
        say(f"{experiment.title}: {len(missing) or 'none'} of {len(cells)} runs to do")
        if not missing and experiment.name in kept.made:
            return None
        data = self.data()
        kept.check(data)
        folders, failed = self.run(experiment.name, missing, data) if missing else ({}, None)
        done = {cell: folder.records() for cell, folder in folders.items()}
        kept.add(experiment, done, data, self.how_made(done))
        return failed

    def how_made(self, cells):
        """How these runs were made, for the file beside their results."""
        from minisgd.report.publish import how_made

        made = how_made(command_line())
        runs = {"runs": len(cells), "seeds": sorted({cell.seed for cell in cells})}
        return {"command": made["command"]} | runs | made | {
            "machine": self.where or made["machine"],
            "device": f"{self.device}, of the workers" if self.where else self.device,
            "jobs": None if self.where else self.jobs,
        }  # fmt: skip


def with_workshop(command=None, **changes):
    """Add the options of a Workshop to a command, and pass it the workshop in their place.

    changes    what is different for one command, as in `options`
    """
    if command is None:
        return functools.partial(with_workshop, **changes)

    @functools.wraps(command)
    def wrapped(runs, dataset, data_dir, jobs, scheduler, threads, device, **rest):
        check_workers(scheduler, jobs)
        command(Workshop(runs, dataset, data_dir, jobs, scheduler, threads, device), **rest)

    changes = {"dataset": {"default": "mnist", "help": "What to train on."}} | changes
    return options(*WORKSHOP, **changes)(wrapped)
