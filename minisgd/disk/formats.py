"""The formats of what is read back: JSON with a checksum, JSON lines, tables. Nothing is pickled.

Files of runs and sweeps carry the number of their format. An older one is read as it is: what it
does not name takes its default. A newer one is refused because of its number, which is not the same
as being damaged: it is neither renamed nor changed.
"""

import csv
import io
import json
import sys
import zlib
from pathlib import Path

from ..errors import UserError
from .files import make_folder, read, write_aside

FORMAT = 2  # 1 had no number


class NewerError(UserError):
    """A file on disk is of a later format than this program knows."""


class DamagedError(UserError):
    """A file on disk is not what this program wrote."""


class UncheckedError(DamagedError):
    """A JSON file without a checksum: damaged, or of an early version, which wrote none."""


def check_format(value, path):
    """Refuse a file of a later format.

    Raises:  NewerError
    """
    number = value.get("format", 1)
    if isinstance(number, int) and number > FORMAT:
        raise NewerError(
            f"{path} was written by a newer minisgd (format {number}; this one reads up to "
            f"{FORMAT}): use that one, or give another --out"
        )


# ---- JSON


def write_json(path, value):
    """Write a dict as indented JSON, with a checksum last, by `write_aside`."""
    value = value | {"crc32": _crc(value)}
    write_aside(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def read_json(path, mend="bring back a copy of it, or move it away", **kinds):
    """The dict in a file of write_json; None if there is no such file.

    mend     what to do if it is damaged, in words
    kinds    {name: the type of what the dict must hold under it}

    Raises:  DamagedError if it holds anything else, or a bit of it was flipped; StorageError if
             it cannot be read
    """

    def damaged(why):
        return DamagedError(f"{path} is damaged ({why}): {mend}")

    if (content := read(path)) is None:
        return None
    try:
        value = json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise damaged(error) from None
    if not isinstance(value, dict):
        raise damaged("it holds no object")
    if "crc32" not in value:
        raise UncheckedError(
            f"{path} is damaged, or of a minisgd that wrote no checksums (it has no checksum): "
            "bring back a copy of it, or give another --out"
        )
    if value.pop("crc32") != _crc(value):
        raise damaged("its checksum differs")
    for name, kind in kinds.items():
        if not isinstance(value.get(name), kind):
            raise damaged(f"its {name} is {value.get(name)!r:.60}")
    return value


def _no_number(text):
    raise ValueError(f"{text} is no number")


def remembered(path, asked, compute):
    """The rows that `compute` gives, kept in a file for the next time that the same is asked.

    asked    a dict of what the rows depend on; a file of other rows, or a damaged one, is replaced
    Raises:  StorageError; NewerError if the file is of a later format
    """
    try:
        known = read_json(path)
    except DamagedError:
        known = None
    asked = json.loads(json.dumps(asked))  # as JSON gives it back
    if known:
        check_format(known, path)
        if known.get("asked") == asked and isinstance(known.get("rows"), list):
            return known["rows"]
    rows = compute()
    make_folder(Path(path).parent)
    write_json(path, {"format": FORMAT, "asked": asked, "rows": rows})
    return rows


def _crc(value):
    return zlib.crc32(json.dumps(value).encode())


# ---- JSON lines: the records of a run


METRICS = "train_loss", "train_accuracy", "test_loss", "test_accuracy"  # None if it diverged


def is_record(value):
    """Whether a value is the record of an epoch. One that diverged has None for its metrics."""
    if not isinstance(value, dict) or value.get("status") not in ("ok", "stuck", "diverged"):
        return False
    told = METRICS if value["status"] != "diverged" else ()
    numbers = [value.get(name) for name in ("lr", "seconds", *told)]
    largest = sys.float_info.max
    return {*METRICS} <= {*value} and all(
        isinstance(number, int | float) and abs(number) <= largest for number in numbers
    )


def record_line(record):
    """A record as one line, with its checksum last."""
    body = json.dumps(record, allow_nan=False)
    return f'{body[:-1]}, "crc32": {zlib.crc32(body.encode())}}}\n'.encode()


def read_records(path):
    """The records of an epochs.jsonl, up to the first line that is torn or damaged.

    Units:   epochs in order from 1; a line whose number is out of order counts as damaged
    Raises:  StorageError if it cannot be read
    """
    records = []
    for line in (read(path) or b"").split(b"\n")[:-1]:  # what follows the last newline is torn
        try:
            record = json.loads(line)
            del record["crc32"]
            if record_line(record) != line + b"\n" or record["epoch"] != len(records) + 1:
                break
            if not is_record(record):
                break
        except (ValueError, TypeError, KeyError, RecursionError):
            break
        records.append(record)
    return records


# ---- tables


def number(text, kind, least=-sys.float_info.max, most=sys.float_info.max):
    """A cell of a table as a number, int or float, within bounds.

    Raises:  ValueError if it is not one, as `read_table` wants it
    """
    value = kind(text)
    if not least <= value <= most:
        raise ValueError(f"{text} is not from {least:g} to {most:g}")
    return value


def write_table(path, columns, rows):
    """Write rows (dicts with these columns) as CSV, by `write_aside`; None is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_aside(path, text.getvalue().encode())


def table_damaged(path, why, line=None):
    """The DamagedError of a table, which a JSON file of the same name stands beside."""
    where = f"{path} is damaged" + (f" in line {line}" if line else "")
    made = Path(path).with_suffix(".json").name
    return DamagedError(f"{where} ({why}): bring back a copy of it, or move it and {made} away")


def read_table(path, cell, accepts, entry=lambda row: row):
    """The rows of a table as dicts, or what `entry` makes of them.

    cell     (column, text) -> value; a ValueError from it counts as damage
    accepts  (header) -> None, or what is wrong with it
    entry    (row) -> what is returned in its place; a ValueError from it counts as damage, too

    Raises:  UserError if there is no such file; DamagedError if it is not such a table
    """
    if (content := read(path)) is None:
        made = Path(path).with_suffix(".json").name
        raise UserError(
            f"cannot read {path}: there is no such file; bring back a copy of it, or move {made} "
            "away"
        )
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise table_damaged(path, "it is not text") from None
    if not text.endswith("\n"):
        raise table_damaged(path, "its last line is cut off")
    found, reader = [], csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, None) or []
        if wrong := accepts(header):
            raise table_damaged(path, wrong)
        for cells in reader:
            if len(cells) != len(header):
                raise ValueError(f"it has {len(cells)} cells instead of {len(header)}")
            found.append(entry({c: cell(c, v) for c, v in zip(header, cells, strict=True)}))
    except (ValueError, csv.Error) as error:
        raise table_damaged(path, error, reader.line_num) from None
    return found
