"""From records to lines: which runs share a line, what its values are, and how it is labelled.

A record is one row of metrics.csv: a dict with its columns, None where a value was not finite.
Runs that differ in nothing but the seed are one group, and a group is one line of a figure.
"""

from dataclasses import dataclass
from math import isfinite

import numpy as np

from ..errors import SettingError
from ..lab.metrics import FIELD, MEASURED, settings_of
from ..settings import DEFAULTS, IN_WORDS
from ..settings import in_words as setting_in_words

# Every column can tell two lines apart, except for the seed and for what is measured in each epoch.
# The rate in force counts as measured, because a warmup changes it.
NOT_SETTINGS = {*MEASURED, "seed"}
COLUMN = {field: column for column, field in FIELD.items()}
IN_ORDER = [COLUMN.get(field, field) for field in IN_WORDS]  # in a label
QUARTILES_FROM = 5  # seeds; a band of fewer is minimum to maximum


@dataclass(frozen=True, eq=False)
class Group:
    """The runs of one line: its settings by column, and for each seed {epoch: record}."""

    settings: dict
    seeds: dict


@dataclass(frozen=True)
class Panel:
    """One metric of some groups under a title.

    singly:  draw a line for every seed instead of the median
    others:  groups of somebody else's runs, for comparison
    """

    title: str
    metric: str
    groups: list
    singly: bool = False
    others: tuple = ()


def group_records(records, figure):
    """The records as groups, by batch size; those of one batch size stay in the order they came in.

    figure:  what is to be drawn, for error messages
    Raises:  SettingError (a ValueError) if there are no records, or if no column tells two records
             of one epoch apart
    """
    records = list(records)
    columns = _setting_columns(records)
    groups = {}
    for record in records:
        settings = {column: _setting(record, column) for column in columns}
        group = groups.setdefault(tuple(settings.values()), Group(settings, {}))
        epochs = group.seeds.setdefault(record["seed"], {})
        if record["epoch"] in epochs:
            raise SettingError(
                f"{figure}: two records of epoch {record['epoch']} for batch size "
                f"{record['batch_size']}, seed {record['seed']}; no column tells them apart"
            )
        epochs[record["epoch"]] = record
    if not groups:
        raise SettingError(f"{figure}: there are no records to draw")
    return sorted(groups.values(), key=lambda group: group.settings["batch_size"])


def all_groups(panels):
    """The groups of all panels, each once."""
    return list(dict.fromkeys(group for panel in panels for group in panel.groups))


def _setting_columns(dicts):
    """The columns that are settings: first those of IN_ORDER, then the others."""
    found = dict.fromkeys(column for d in dicts for column in d if column not in NOT_SETTINGS)
    return [c for c in IN_ORDER if c in found] + [c for c in found if c not in IN_ORDER]


def _setting(values, column):
    return values.get(column, DEFAULTS.get(FIELD.get(column, column)))


# ---- the label of a line


def variants(panels):
    """{group: {column: value}}: what tells the lines of one batch size apart.

    These are the columns that differ within some panel. What differs only between panels is left to
    their titles. The base rate is left out where η already gives it, unless nothing else tells two
    lines apart.
    """
    groups = all_groups(panels)
    differs = [
        column
        for column in _setting_columns(group.settings for group in groups)
        if column != "batch_size"
        and any(len({_setting(g.settings, column) for g in panel.groups}) > 1 for panel in panels)
    ]
    others = [column for column in differs if column != "base_lr"]
    if _rates_are_base_rates(groups) and all(
        len({_key(group, others) for group in panel.groups}) == len(panel.groups)
        for panel in panels
    ):
        differs = others
    return {group: {c: _setting(group.settings, c) for c in differs} for group in groups}


def labels(panels):
    """{group: its label}: the batch size, the rate η, and whatever else tells it apart.

    η is left out if it differs between lines that otherwise have the same label, as in the panels
    of a comparison, because the legend has one entry for all of them.
    """
    variant_of = variants(panels)
    rates = {}
    for group, settings in variant_of.items():
        rates.setdefault(_key(group, settings), set()).add(largest_rate(group))
    with_rate = all(len(of_one_label) == 1 for of_one_label in rates.values())
    with_base_rate = not (with_rate and _rates_are_base_rates(variant_of))
    label_of = {}
    for group, settings in variant_of.items():
        parts = [in_words("batch_size", group.settings["batch_size"])]
        rate = largest_rate(group)
        if with_rate and rate is not None:
            parts.append(f"η = {rate:.4g}")
        parts += [
            in_words(column, value)
            for column, value in settings.items()
            if column != "base_lr" or with_base_rate
        ]
        label_of[group] = ", ".join(filter(None, parts))
    return label_of


def _key(group, columns):
    return tuple(_setting(group.settings, column) for column in ("batch_size", *columns))


def _rates_are_base_rates(groups):
    return all(_setting(group.settings, "base_lr") == largest_rate(group) for group in groups)


def in_words(column, value):
    """A setting in the words of a legend."""
    return setting_in_words(FIELD.get(column, column), value)


# ---- the values of a line


def median_and_band(group, metric):
    """(epochs, median, low, high) over the seeds with a finite value; NaN where no seed has one.

    The band is from minimum to maximum, or the quartiles from five seeds on.
    """
    values = finite_values(group, metric)
    ends = (25, 75) if len(group.seeds) >= QUARTILES_FROM else (0, 100)
    rows = [np.percentile(v, (50, *ends)) if v else (np.nan,) * 3 for v in values.values()]
    return (np.array(list(values)), *np.array(rows).T)


def finite_values(group, metric):
    """{epoch: the finite values of its seeds}, in the order of the epochs."""
    runs = group.seeds.values()
    return {
        epoch: [
            run[epoch][metric] for run in runs if epoch in run and _is_finite(run[epoch][metric])
        ]
        for epoch in sorted({epoch for run in runs for epoch in run})
    }


def values_of_seeds(group, metric):
    """Yield (epochs, values) of every seed, with NaN where a value is not finite."""
    for run in group.seeds.values():
        epochs = sorted(run)
        yield epochs, [run[i][metric] if _is_finite(run[i][metric]) else np.nan for i in epochs]


def largest_rate(group):
    """The largest rate in force in any epoch, or None. After a warmup it is the scaled rate, and so
    it is where a schedule by updates leaves less than that at the end of every epoch.
    """
    if _setting(group.settings, "decay") != "none" or _setting(group.settings, "warmup_updates"):
        return settings_of(group.settings).scaled_lr
    rates = [record["lr"] for run in group.seeds.values() for record in run.values()]
    return max(filter(_is_finite, rates), default=None)


def stuck_points(group, metric):
    """The (epoch, value) at which some run was stuck."""
    return sorted(
        {
            (record["epoch"], record[metric])
            for run in group.seeds.values()
            for record in run.values()
            if record["status"] == "stuck" and _is_finite(record[metric])
        }
    )


def diverged_points(group, metric):
    """Where runs diverged: (their last epoch, their last finite value, or 0 if there is none)."""
    points = set()
    for run in group.seeds.values():
        last = max(run)
        if run[last]["status"] == "diverged":
            values = [run[i][metric] for i in sorted(run) if _is_finite(run[i][metric])]
            points.add((last, values[-1] if values else 0.0))
    return sorted(points)


def _is_finite(value):
    return value is not None and isfinite(value)
