"""What a run leaves on disk, and how it is found again.

    OUT/sweep.json               the whole question: settings, versions, dataset digest, command
    OUT/<run>/run.json           one run's settings, and the dataset it ran on
    OUT/<run>/epochs.jsonl       one line per epoch, appended; each line carries its checksum
    OUT/<run>/checkpoint.npz     w, the optimizer's memory, and the records so far; the previous
                                 one is kept beside it
    OUT/<run>/error.txt          the whole traceback of an error that ended the run
    OUT/metrics.csv              all epochs of all runs, tidy; beside it table, figure and page

Everything but the appended lines is written to another file, flushed to disk and renamed: a crash
leaves either the old file or the new one. A checkpoint is described in checkpoints.py.
"""

import re
import zlib
from pathlib import Path

from ..disk.files import PART, BusyError, StorageError, append, read, storage_errors, write_aside
from ..disk.formats import (
    FORMAT,
    DamagedError,
    UncheckedError,
    read_json,
    read_records,
    record_line,
    write_json,
)
from ..settings import what_matters
from .checkpoints import check_settings, check_vectors, checkpoint_bytes, read_checkpoint
from .names import older_run_name, run_name

RUN = re.compile(r"b\d+-lr\S+-seed\d+")  # as run_name gives them
IN_A_RUN = re.compile(
    r"run\.json|epochs\.jsonl|error\.txt|checkpoint(-previous)?\.(npz|damaged)|\.lock"
)


def delete_run(folder):
    """Delete what a run left in its folder, and the folder if nothing else is in it. Of a folder
    that is a link to another place, the link alone.
    """
    if folder.is_symlink():
        folder.unlink()
        return
    for path in folder.iterdir():
        if IN_A_RUN.fullmatch(path.name) or PART.fullmatch(path.name):
            path.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


def told_of(folder):
    """{"settings", "digest"} of the run in a folder, as its run.json says, or else a checkpoint;
    None if there is none of them.

    Raises:  DamagedError if all that are there are damaged, or if run.json has no checksum;
             NewerError; StorageError
    """
    damaged = None
    for name in ("run.json", "checkpoint.npz", "checkpoint-previous.npz"):
        path = folder / name
        try:
            if path.suffix == ".npz":
                return read_checkpoint(path)[0]
            if found := read_json(path, settings=dict, digest=str):
                check_settings(found, path)
                return found
        except FileNotFoundError:
            continue
        except UncheckedError:
            raise
        except DamagedError as error:
            damaged = error
    if damaged:
        raise damaged
    return None


def is_last(record, settings):
    """Whether a run ends with this record."""
    return record["epoch"] >= settings.epochs or record["status"] == "diverged"


class RunFolder:
    """One run on disk: OUT/<run>. It continues from its checkpoint; the lines are made to match."""

    def __init__(self, out, settings, identity):
        """identity    the dataset's, see data.Dataset"""
        self.settings = settings
        self.about = {"format": FORMAT, "settings": settings.what_matters(), "digest": identity}
        self.path = Path(out) / run_name(settings)
        older = older_run_name(settings)
        if older and not self.path.exists() and self._is_ours(Path(out) / older):
            self.path = Path(out) / older
        self.lines = self.path / "epochs.jsonl"
        self.newest = self.path / "checkpoint.npz"
        self.previous = self.path / "checkpoint-previous.npz"
        self.left = None  # the CRC of the newest checkpoint, as this process left it

    def _is_ours(self, path):
        try:
            found = read_json(path / "run.json")
        except (DamagedError, StorageError):
            return False
        return found is not None and self._same(found)

    def _same(self, about):
        """Whether a run.json, of this format or an older one, describes this very run."""
        try:
            return (
                what_matters(about["settings"]) == self.about["settings"]
                and about["digest"] == self.about["digest"]
            )
        except (KeyError, TypeError):
            return False

    def records(self):
        """The records of the epochs so far, up to the first line that is torn or damaged.

        Raises:  DamagedError if the folder says that it belongs to another run; NewerError if
                 a newer version wrote it
        """
        try:
            found = read_json(self.path / "run.json")
        except DamagedError:
            found = None
        if found is None:
            return []  # it is unknown whose lines they are; `resume` asks the checkpoint
        check_settings(found, self.path / "run.json")
        if not self._same(found):
            raise DamagedError(f"{self.path} holds another run: move it away")
        return read_records(self.lines)

    def finished(self):
        """Whether the run is over: all its epochs are there, or it diverged."""
        records = self.records()
        return bool(records) and is_last(records[-1], self.settings)

    def resume(self, log):
        """(records, state) to continue from, state None at the start; makes the lines agree.

        A damaged checkpoint is set aside; using the previous one costs an epoch. `log` reports it.

        Raises:  DamagedError if the checkpoint is another run's; NewerError; StorageError
        """
        records, state, damaged = [], None, []
        for path in (self.newest, self.previous):
            try:
                about, records, state = read_checkpoint(path)
                if not self._same(about):
                    raise OtherRunError(f"{path} belongs to another run: move {self.path} away")
                check_vectors(state, self.settings, path)
            except FileNotFoundError:
                continue
            except OtherRunError:
                raise
            except DamagedError as error:
                records, state = [], None
                with storage_errors(path):
                    path.replace(path.with_suffix(".damaged"))
                damaged.append(str(error))
                continue
            break
        had = len(read_records(self.lines))
        if had > len(records) and not damaged:
            damaged.append(f"{self.newest} is gone or older than {self.lines}")
        if damaged:
            log(f"{'; '.join(damaged)}: the run continues from epoch {len(records) + 1}")
        elif records and not is_last(records[-1], self.settings):
            log(f"{self.path.name} continues after epoch {len(records)}")
        write_json(self.path / "run.json", self.about)
        self._make_lines_agree(records)
        self.left = _crc_of(self.newest)
        return records, state

    def _make_lines_agree(self, records):
        lines = b"".join(map(record_line, records))
        if read(self.lines) != lines:
            write_aside(self.lines, lines)

    def save(self, records, state, new=1):
        """Save the last `new` of the records, and the state after them.

        Raises:  StorageError; BusyError if the checkpoint is not the one that this process left:
                 where a file system is shared by machines, a lock may hold on one of them alone
        """
        if self.path.exists() and _crc_of(self.newest) != self.left:
            raise BusyError(
                f"{self.path} is written to by another process, perhaps on another machine: stop "
                "one of them, and give the same command again"
            )
        content = checkpoint_bytes(self.about, records, state)
        write_aside(self.newest, content, keep=self.previous)
        self.left = zlib.crc32(content)
        # Last: if all the lines are there, so are the weights.
        append(self.lines, b"".join(map(record_line, records[-new:])))
        if is_last(records[-1], self.settings):
            # Where locks do not hold, another process may have added the lines of an epoch, too,
            # before it noticed.
            self._make_lines_agree(records)


def _crc_of(path):
    """The CRC of a file's bytes; None if there is no such file.  Raises: StorageError"""
    return None if (content := read(path)) is None else zlib.crc32(content)


class OtherRunError(DamagedError):
    """An intact checkpoint, but of another run."""
