"""Files that survive: written aside, one owner a folder, one sentence when it cannot be."""

import errno
import subprocess
import sys

import pytest

from minisgd.disk.files import BusyError, StorageError, append, locked, make_folder, write_aside

HOLD = """
import sys
from minisgd.disk.files import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of tmp_path."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_a_second_owner_is_told_who_the_first_is(tmp_path, holder):
    with pytest.raises(BusyError, match=rf"in use by process {holder.pid} on .+: wait for it"):
        with locked(tmp_path):
            pass


def test_a_killed_owner_leaves_no_lock_behind(tmp_path, holder):
    holder.kill()
    holder.wait()
    with locked(tmp_path):
        pass


def test_what_a_killed_owner_left_half_written_is_deleted(tmp_path):
    (tmp_path / ".metrics.csv.123.part").write_text("half")
    (tmp_path / "mine.part").write_text("not ours")
    with locked(tmp_path):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "mine.part"]


def test_a_folder_that_cannot_be_locked_is_not_told_as_in_use(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(StorageError, match=r"cannot lock .*\(No locks available\): give --out"):
        with locked(tmp_path):
            pass


def test_a_full_disk_is_told_when_the_lock_is_taken(tmp_path, monkeypatch):
    def full(self, *_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("platform.node", lambda: full(None))
    (tmp_path / ".big.123.part").write_text("half")
    with pytest.raises(StorageError, match=r"cannot write .*\.lock: No space left"):
        with locked(tmp_path):
            pass
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]  # and room was made


def test_one_who_is_about_to_leave_is_waited_for(tmp_path, holder):
    holder.stdin.close()
    with locked(tmp_path, wait=10.0):
        pass


def test_a_file_is_replaced_whole_and_the_old_one_kept_where_asked(tmp_path):
    path, old = tmp_path / "file", tmp_path / "old"
    write_aside(path, b"first", keep=old)
    assert path.read_bytes() == b"first" and not old.exists()
    write_aside(path, b"second", keep=old)
    assert (path.read_bytes(), old.read_bytes()) == (b"second", b"first")
    assert sorted(tmp_path.iterdir()) == [path, old]


def test_what_cannot_be_written_is_one_sentence_with_the_path(tmp_path):
    blocked = tmp_path / "file" / "below"
    (tmp_path / "file").write_text("in the way")
    for write in (
        lambda: write_aside(blocked, b"x"),
        lambda: append(blocked, b"x"),
        lambda: make_folder(blocked),
    ):
        with pytest.raises(
            StorageError, match=r"cannot write .*below: .+; what was written before"
        ):
            write()
