"""What a run leaves on disk, and how it is found again: the formats of all that is read back.

    OUT/sweep.json               the whole question: settings, versions, dataset digest, command
    OUT/<run>/run.json           one run's settings, and the dataset it ran on
    OUT/<run>/epochs.jsonl       one line an epoch, appended; each line carries its checksum
    OUT/<run>/checkpoint.npz     w, v, and the records so far; the one before is kept beside it
    OUT/metrics.csv              all epochs of all runs, tidy; beside it table.txt and the figure

Everything but the appended lines is written aside, flushed to the disk and renamed, so that a crash
leaves either the old file or the new one. Nothing is pickled.
"""

import csv
import io
import json
import re
import zipfile
import zlib
from dataclasses import asdict
from math import prod
from pathlib import Path

import numpy as np

from ..disk.files import StorageError, append, told, write_aside
from ..errors import UserError
from ..networks import P
from ..train import State

COLUMNS = (
    "rule warmup optimizer batch_size base_lr lr momentum seed epoch train_loss train_accuracy "
    "test_loss test_accuracy seconds status"
).split()
WORDS = ("rule", "warmup", "optimizer", "status")
WHOLE = ("batch_size", "seed", "epoch", "epochs")


class DamagedError(UserError):
    """A file on disk is not what this program wrote."""


def run_name(settings):
    """The folder of a run: what it depends on, the report's defaults left out."""
    name = f"b{settings.batch_size}-lr{settings.lr:g}"
    if settings.rule != "none":
        name += f"-{settings.rule}"
        name += f"{settings.base_batch_size}" if settings.base_batch_size != 64 else ""
    if settings.warmup != "none":
        name += f"-{settings.warmup}{settings.warmup_epochs}"
    if settings.momentum:
        name += f"-m{settings.momentum:g}"
    return f"{name}-seed{settings.seed}"


def what_matters(settings):
    """The settings by name, without those that the others make idle."""
    values = asdict(settings)
    if settings.warmup == "none":
        del values["warmup_epochs"]
    if settings.rule == "none":
        del values["base_batch_size"]
    return values


def write_json(path, value):
    """Write an object as indented JSON, a checksum last, aside and renamed."""
    value = value | {"crc32": _crc(value)}
    write_aside(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def read_json(path):
    """The object in a file of write_json; None if there is no such file.

    Raises:  DamagedError if it holds anything else, or a bit of it was flipped
    """
    try:
        value = json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path} is damaged ({error}): sweep --fresh starts over") from None
    if not isinstance(value, dict):
        raise DamagedError(f"{path} is damaged (it holds no object): sweep --fresh starts over")
    if value.pop("crc32", None) != _crc(value):
        raise DamagedError(f"{path} is damaged (its checksum differs): sweep --fresh starts over")
    return value


def _crc(value):
    return zlib.crc32(json.dumps(value).encode())


RUN = re.compile(r"b\d+-lr\S+-seed\d+")  # as run_name gives them
IN_A_RUN = re.compile(
    r"run\.json|epochs\.jsonl|checkpoint(-previous)?\.(npz|damaged)|\.lock|\..*\.part"
)


def delete_run(folder):
    """Delete what a run left in its folder, and the folder if nothing else is in it."""
    for path in folder.iterdir():
        if IN_A_RUN.fullmatch(path.name):
            path.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


class RunFolder:
    """One run on disk: OUT/<run>. It goes on from its checkpoint; the lines are made to match."""

    def __init__(self, out, settings, digest):
        self.settings = settings
        self.said = {"settings": what_matters(settings), "digest": digest}
        self.path = Path(out) / run_name(settings)
        self.lines = self.path / "epochs.jsonl"
        self.newest = self.path / "checkpoint.npz"
        self.previous = self.path / "checkpoint-previous.npz"

    def records(self):
        """The records of the epochs so far; a torn or damaged line, and all after it, is left out.

        Raises:  DamagedError if the folder says that it belongs to another run
        """
        try:
            found = read_json(self.path / "run.json")
        except DamagedError:
            found = None
        if found is None:
            return []  # whose lines they are is not known; `resume` asks the checkpoint
        if found != self.said:
            raise DamagedError(f"{self.path} holds another run: move it away")
        return read_records(self.lines)

    def finished(self):
        """Whether the run is over: all its epochs are there, or it diverged."""
        records = self.records()
        return bool(records) and is_last(records[-1], self.settings)

    def resume(self, log):
        """(records, state) to go on from, state None at the start; makes the lines say the same.

        A damaged checkpoint is put aside, and the one before costs an epoch; `log` says so.

        Raises:  DamagedError if the checkpoint is another run's; StorageError
        """
        records, state, damaged = [], None, []
        for path in (self.newest, self.previous):
            try:
                said, records, state = read_checkpoint(path)
            except FileNotFoundError:
                continue
            except DamagedError as error:
                with told(path):
                    path.replace(path.with_suffix(".damaged"))
                damaged.append(str(error))
                continue
            if said != self.said:
                raise DamagedError(f"{path} belongs to another run: move {self.path} away")
            break
        had = len(read_records(self.lines))
        if had > len(records) and not damaged:
            damaged.append(f"{self.newest} is gone or older than {self.lines}")
        if damaged:
            log(f"{'; '.join(damaged)}: the run goes on from epoch {len(records) + 1}")
        elif records and not is_last(records[-1], self.settings):
            log(f"{self.path.name} goes on after its epoch {len(records)}")
        write_json(self.path / "run.json", self.said)
        lines = b"".join(map(_line, records))
        with told(self.lines):
            agree = self.lines.exists() and self.lines.read_bytes() == lines
        if not agree:
            write_aside(self.lines, lines)
        return records, state

    def save(self, records, state, new=1):
        """Put the last `new` of the records, and the state after them, on the disk."""
        write_aside(self.newest, _checkpoint_bytes(self.said, records, state), keep=self.previous)
        # Last: where all lines are, so are the weights.
        append(self.lines, b"".join(map(_line, records[-new:])))


def is_last(record, settings):
    """Whether a run ends with this record."""
    return record["epoch"] >= settings.epochs or record["status"] == "diverged"


def _line(record):
    """A record as one line of epochs.jsonl, its checksum last."""
    body = json.dumps(record, allow_nan=False)
    return f'{body[:-1]}, "crc32": {zlib.crc32(body.encode())}}}\n'.encode()


def read_records(path):
    """The records of an epochs.jsonl, up to the first line that is torn or damaged.

    Units:  epochs in order from 1; a line whose number is out of order counts as damaged
    """
    records = []
    try:
        lines = Path(path).read_bytes().split(b"\n")
    except FileNotFoundError:
        return records
    for line in lines[:-1]:  # what stands after the last newline is torn
        try:
            record = json.loads(line)
            del record["crc32"]
            if _line(record) != line + b"\n" or record["epoch"] != len(records) + 1:
                break
        except (ValueError, TypeError, KeyError, RecursionError):
            break
        records.append(record)
    return records


def _checkpoint_bytes(run, records, state):
    said = {"run": run, "records": records}
    said |= {"epoch": state.epoch, "told": state.told, "frozen": state.frozen}
    buffer = io.BytesIO()
    np.savez(
        buffer,
        w=state.w,
        v=state.v,
        said=np.frombuffer(json.dumps(said, allow_nan=False).encode(), np.uint8),
    )
    return buffer.getvalue()


def read_checkpoint(path):
    """(run, records, state) of a checkpoint.npz; run is what its run.json says, too.

    Raises:  DamagedError for anything but what this program wrote; FileNotFoundError; StorageError
             if it cannot be read
    """
    try:
        content = io.BytesIO(Path(path).read_bytes())
    except FileNotFoundError:
        raise
    except OSError as error:  # says nothing of what is in the file: it must not count as damaged
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    try:
        with zipfile.ZipFile(content) as archive:
            parts = {}
            for name in ("w", "v", "said"):
                member = archive.getinfo(name + ".npy")
                if member.file_size > 1 << 26 or member.compress_type != zipfile.ZIP_STORED:
                    raise ValueError(f"{name} is not as this program writes it")
                whole = io.BytesIO(archive.read(member))  # read whole: its CRC is checked first
                if np.lib.format.read_magic(whole) != (1, 0):
                    raise ValueError(f"{name} is not as this program writes it")
                shape, _, dtype = np.lib.format.read_array_header_1_0(whole)
                if prod(shape) * dtype.itemsize > member.file_size:  # before it is made room for
                    raise ValueError(f"{name} claims to be {shape}")
                whole.seek(0)
                parts[name] = np.load(whole, allow_pickle=False)
        w, v = parts["w"], parts["v"]
        said = json.loads(parts["said"].tobytes())
        state = State(int(said["epoch"]), w, v, said["told"], int(said["frozen"]))
        run, records = dict(said["run"]), list(said["records"])
        if w.shape != (P,) or v.shape != (P,) or w.dtype.kind != "f" or w.dtype != v.dtype:
            raise ValueError(f"w {w.shape} {w.dtype} and v {v.shape} {v.dtype}")
        if [record["epoch"] for record in records] != list(range(1, state.epoch + 1)):
            raise ValueError("its records do not end at its epoch")
    except MemoryError:
        raise
    except Exception as error:  # a damaged archive can raise nearly anything
        raise DamagedError(f"{path} is damaged ({type(error).__name__}: {error})") from None
    return run, records, state


def tidy(settings, record):
    """A record with its run's settings: a row of metrics.csv, as a dict with COLUMNS."""
    row = {
        "rule": settings.rule,
        "warmup": settings.warmup,
        "optimizer": "momentum" if settings.momentum else "sgd",
        "batch_size": settings.batch_size,
        "base_lr": settings.lr,
        "momentum": settings.momentum,
        "seed": settings.seed,
    }
    return {column: (row | record)[column] for column in COLUMNS}


def write_metrics(path, rows):
    """Write rows (dicts with COLUMNS) as CSV; None becomes an empty cell."""
    write_table(path, COLUMNS, rows)


def write_table(path, columns, rows):
    """Write rows (dicts with these columns) as CSV, aside and renamed."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_aside(path, text.getvalue().encode())


def read_metrics(path, columns=COLUMNS):
    """The rows of a metrics.csv as dicts: whole numbers, floats, words; an empty cell is None.

    columns:  of another table, as write_table wrote them

    Raises:  UserError if there is no such file; DamagedError if it is not such a table
    """
    try:
        text = Path(path).read_text("utf-8")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DamagedError(f"{path} is not a table of metrics: it is not text") from None
    rows = []
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = next(reader, None)
        if header != columns:
            raise ValueError(f"its first line should be {','.join(columns)}")
        for cells in reader:
            if len(cells) != len(columns):
                raise ValueError(f"line {reader.line_num} has {len(cells)} cells")
            rows.append({c: _cell(c, v) for c, v in zip(columns, cells, strict=True)})
    except (ValueError, csv.Error) as error:
        raise DamagedError(f"{path} is not a table of metrics: {error}") from None
    return rows


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


def _cell(column, text):
    if column in WORDS:
        return text
    if column in WHOLE:
        return int(text)
    return float(text) if text else None
