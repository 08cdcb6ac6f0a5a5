"""Made-up results, so that the verdict on them can be worked out by hand."""

from dataclasses import replace
from math import ceil

from minisgd.report.experiments import EXPERIMENTS
from minisgd.report.search import lengths
from minisgd.report.selection import Trial
from minisgd.report.verdicts import verdicts


def curve(*accuracies, train_losses=None):
    """The records of 30 epochs with these test accuracies, the last of which is repeated.

    The test loss is 1 - accuracy, and so is the training loss unless it is given.
    """
    accuracies += accuracies[-1:] * (30 - len(accuracies))
    train_losses = train_losses or [1 - accuracy for accuracy in accuracies]
    return [
        {"epoch": i, "train_loss": train_loss, "test_loss": 1 - accuracy, "test_accuracy": accuracy}
        for i, (accuracy, train_loss) in enumerate(zip(accuracies, train_losses, strict=True), 1)
    ]


def diverged(*accuracies):
    """The records of a run that diverges in the epoch after those with these accuracies."""
    records = curve(*accuracies, 0.0)[: len(accuracies) + 1]
    records[-1] |= dict.fromkeys(("train_loss", "test_loss", "test_accuracy"))
    return records


FIVEFOLD = 5


class MadeUp:
    """Stands in for experiments.Kept, with runs that `keep` puts in."""

    digest = "made up"

    def __init__(self, folder):
        self.folder, self.runs, self.experiments = folder, {}, EXPERIMENTS

    def keep(self, name, curves_by_size, n=0):
        """Keep {batch size: [the records of each seed]} as runs of an experiment. Fewer than five
        stand for FIVEFOLD as many seeds, in turn, so that those that agree are enough for a word.

        n:  which of the experiment's settings with this batch size, from 0
        """
        for b, curves in curves_by_size.items():
            settings = [s for s in self.experiments[name].settings if s.batch_size == b][n]
            some = curves if len(curves) >= 5 else curves * FIVEFOLD
            self.runs |= {replace(settings, seed=seed): run for seed, run in enumerate(some)}

    def cells(self, experiment):
        return [cell for cell in self.runs if replace(cell, seed=0) in experiment.settings]

    def records(self, settings):
        return self.runs[settings]

    def verdict_on(self, beginning):
        """The Verdict on the one claim that begins like this."""
        (found,) = [v for v in verdicts(self) if v.claim.startswith(beginning)]
        return found


class MadeUpTrials:
    """In every search the candidate at this place of all its ranges wins. The others of as many
    epochs come after it, each .01 further on and .01 less accurate.
    """

    folder = "figures"

    def __init__(self, place=0.5):
        self.place = place

    def of(self, search):
        found, count = [], search.trials
        best = {8: 0.9, 15: 0.8, 30: 0.7}
        for epochs in lengths(search.base.epochs, search.halvings):
            for k in range(count):
                settings = replace(self._candidate(search, self.place + k / 100), epochs=epochs)
                found.append(Trial(settings, {0: best[epochs] - k / 100}))
            count = ceil(count / 2)
        return found

    def _candidate(self, search, place):
        values = {each.name: each.at(place) for each in search.ranges}
        if "effective_lr" in values:
            values["lr"] = round(values.pop("effective_lr") * (1 - values["momentum"]), 6)
        return replace(search.base, **values)
