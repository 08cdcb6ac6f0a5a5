"""Runs as lines by epoch, for the scripts to draw: runs that differ only in the seed are a line."""

from dataclasses import replace
from math import isfinite

from ..drawing.groups import Group, median_and_band
from ..settings import in_words
from . import colours

METRICS = {
    "test_accuracy": "test accuracy", "train_accuracy": "train accuracy (running)",
    "test_loss": "test loss", "train_loss": "train loss (running)",
}  # fmt: skip


def lines(runs, images=None):
    """The lines of runs, (settings, records) each, by batch size.

    images    in the training set; None if it is not known, and then an epoch has no known number
              of updates
    """
    groups = {}
    for settings, records in runs:
        group = groups.setdefault(without_seed(settings), (settings, {}))
        group[1][settings.seed] = by_epoch(records)
    found = [_line(settings, seeds, images) for settings, seeds in groups.values()]
    return sorted(found, key=lambda line: line["size"])


def without_seed(settings):
    """What is equal for two runs if they belong to one line."""
    return replace(settings, seed=0).key()


def by_epoch(records):
    return {record["epoch"]: record for record in records}


def _line(settings, seeds, images):
    """
    words     {setting: how a legend words it}, of all that matters but the batch size
    values    {setting: its value} of the same
    settings  what differs from the report's protocol, in a line
    updates   made at the end of each epoch, or None
    and what of_seeds gives
    """
    matters = {k: v for k, v in settings.what_matters().items() if k not in ("batch_size", "seed")}
    line = {
        "size": settings.batch_size,
        "colour": colours.of_batch(settings.batch_size),
        "rate": f"{settings.scaled_lr:.4g}",
        "words": {name: in_words(name, value) for name, value in matters.items()},
        "values": {name: f"{value:g}" if isinstance(value, float) else str(value)
                   for name, value in (matters | {"optimizer": settings.optimizer}).items()},
        "settings": _whole(settings),
        "epochs": settings.epochs,
        "updates": images and [settings.updates_after(epoch, images)
                               for epoch in range(1, settings.epochs + 1)],
    }  # fmt: skip
    return line | of_seeds(seeds)


def _whole(settings):
    beside = ("batch_size", "seed", "epochs")
    differs = {k: v for k, v in settings.differing().items() if k not in beside}
    words = [in_words(name, value) for name, value in differs.items()]
    return ", ".join([*words, in_words("epochs", settings.epochs)])


def of_seeds(seeds):
    """What a line shows of {seed: {epoch: record}}.

    median, low, high    {metric: a value for each epoch}
    seeds     for each, its values by metric and the epochs in which it was stuck
    """
    shown = {"median": {}, "low": {}, "high": {}, "seeds": []}
    group = Group({}, seeds)
    for metric in METRICS:
        _, *three = median_and_band(group, metric) if any(seeds.values()) else ((), (), (), ())
        for name, values in zip(("median", "low", "high"), three, strict=True):
            shown[name][metric] = [rounded(value) for value in values]
    for seed, records in sorted(seeds.items()):
        each = [records[epoch] for epoch in sorted(records)]
        shown["seeds"].append(
            {"seed": seed, "stuck": [r["epoch"] for r in each if r["status"] == "stuck"]}
            | {"diverged": bool(each) and each[-1]["status"] == "diverged"}
            | {metric: [rounded(r[metric]) for r in each] for metric in METRICS}
        )
    return shown


def rounded(value):
    """A number to six digits, as JSON can hold it: None if it is not finite."""
    return float(f"{value:.6g}") if value is not None and isfinite(value) else None
