"""Tables of epochs: metrics.csv and the tables of the figures, one row per epoch of a run."""

import csv
from dataclasses import fields
from functools import cache

from ..disk.formats import (
    DamagedError,
    NewerError,
    is_record,
    number,
    read_table,
    write_table,
)
from ..errors import UserError
from ..settings import DEFAULTS, KINDS, Settings

# These columns keep their names and order; later settings follow them.
FIRST = (
    "rule warmup optimizer batch_size base_lr lr momentum seed epoch train_loss train_accuracy "
    "test_loss test_accuracy seconds status"
).split()
# Measured in each epoch; every other column is a setting.
MEASURED = "lr epoch train_loss train_accuracy test_loss test_accuracy seconds status".split()
HELD_OUT = {"test_loss": "validation_loss", "test_accuracy": "validation_accuracy"}
FIELD = {"base_lr": "lr"}  # the setting in a column that has another name
COLUMNS = [
    *FIRST,
    *(f.name for f in fields(Settings) if f.name not in (*FIRST, *FIELD.values())),
]


def tidy(settings, record):
    """A record with its run's settings: a row of metrics.csv, as a dict with COLUMNS."""
    row = {column: getattr(settings, FIELD.get(column, column)) for column in COLUMNS
           if column not in MEASURED}  # fmt: skip
    row |= {name: record[name] for name in MEASURED}
    return {column: row[column] for column in COLUMNS}


def settings_of(row):
    """The Settings of the run behind a row; what an older table lacks takes its default.

    Raises:  SettingError if these settings make no sense
    """
    return _settings(tuple((c, v) for c, v in row.items() if c not in MEASURED))


@cache
def _settings(items):
    return Settings(**{FIELD.get(column, column): value for column, value in items})


def write_metrics(path, rows, held_out=False):
    """Write rows (dicts with COLUMNS) as CSV; None becomes an empty cell.

    held_out    the images tested on were held out from training: the columns test_loss and
                test_accuracy are named validation_loss and validation_accuracy
    """
    names = dict(zip(COLUMNS, COLUMNS, strict=True)) | (HELD_OUT if held_out else {})
    write_table(path, list(names.values()), [{names[c]: v for c, v in r.items()} for r in rows])


def read_metrics(path, columns=None, held_out=False, entry=lambda row: row):
    """The rows of a metrics.csv as dicts: whole numbers, floats, words; an empty cell is None.

    columns  those of another table, as given to write_table
    held_out as in write_metrics
    entry    as in read_table

    Raises:  UserError if there is no such file; DamagedError if it is not such a table; NewerError
             if it has a column of a later version
    """
    wanted = list(columns or FIRST)
    ours = {theirs: column for column, theirs in HELD_OUT.items()} if held_out else {}

    def accepts(header):
        if ours and any(name in HELD_OUT for name in header):
            return "its accuracies are not on held-out images"
        renamed = [ours.get(name, name) for name in header]
        if renamed == wanted:
            return None
        if columns or renamed[: len(FIRST)] != FIRST or len(set(renamed)) < len(header):
            return f"its first line should be {','.join(wanted)}"
        if unknown := [name for name in renamed if name not in COLUMNS]:
            raise NewerError(
                f"{path} was written by a newer minisgd: this one does not know its column "
                f"{', '.join(unknown)}; use that one, or give another --out"
            )
        return None

    def made(row):
        row = {ours.get(c, c): value for c, value in row.items()}
        if not columns and not is_record(row):
            epoch, status = row["epoch"], row["status"]
            raise ValueError(f"the numbers of epoch {epoch} do not fit its status {status!r:.20}")
        return entry(row)

    return read_table(
        path, lambda column, text: _cell(ours.get(column, column), text), accepts, made
    )


def read_runs(path, held_out=False):
    """[(the Settings of its run, the row)] of a metrics.csv.

    Raises:  as read_metrics; DamagedError as well if the settings of a row make no sense
    """
    return read_metrics(path, held_out=held_out, entry=lambda row: (settings_of(row), row))


def _cell(column, text):
    if column == "status":
        return text
    if column == "epoch":
        return int(text)
    field = FIELD.get(column, column)
    kind = KINDS.get(field) if column not in MEASURED else None
    if text == "" and DEFAULTS.get(field, 0) is None:
        return None
    if kind == "int":
        return int(text)
    if kind == "float":
        return float(text)  # of a setting, which is never missing
    if kind == "str":
        return text
    if kind == "bool":
        if text not in ("True", "False"):
            raise ValueError(f"{text!r} is neither True nor False")
        return text == "True"
    if not text:  # of an epoch that diverged
        return None
    ends = (0, 1) if column.endswith("accuracy") else ()
    return number(text, float, *ends)


def read_authors(path):
    """The records of one of the authors' own tables, with the batch size of each.

    Raises:  as read_metrics
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return [
                {
                    "batch_size": int(row["batch_size"]),
                    "epoch": int(row["epoch"]),
                    "lr": float(row["lr"]),
                    "train_loss": None,
                    "train_accuracy": float(row["train_accuracy"]),
                    "test_loss": float(row["test_loss"]),
                    "test_accuracy": float(row["test_accuracy"]),
                    "seconds": float(row["time"]),
                    "status": "ok",
                }
                for row in csv.DictReader(file)
            ]
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise DamagedError(f"{path} is not a table of the authors': {error!r}") from None
