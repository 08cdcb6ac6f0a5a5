"""Files that survive a crash, one owner per folder, and one sentence when that cannot be."""

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from minisgd.disk import files
from minisgd.disk.files import (
    BusyError,
    StorageError,
    append,
    locked,
    make_folder,
    read,
    write_aside,
)
from minisgd.disk.formats import read_json, read_records

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


def test_a_second_owner_learns_who_the_first_is(tmp_path, holder):
    with pytest.raises(BusyError, match=rf"in use by process {holder.pid} on .+: wait for it"):
        with locked(tmp_path):
            pass


def test_a_killed_owner_leaves_no_lock_behind(tmp_path, holder):
    holder.kill()
    holder.wait()
    with locked(tmp_path):
        pass


@pytest.fixture
def ended():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_killed_owner_left_half_written_is_deleted(tmp_path, ended):
    (tmp_path / f".metrics.csv.{files.MACHINE}-{ended}.part").write_text("half")
    old = tmp_path / ".run.json.0badcafe-1.part"  # of another machine
    old.write_text("half")
    os.utime(old, (time.time() - files.ABANDONED - 5,) * 2)
    (tmp_path / "mine.part").write_text("not ours")
    with locked(tmp_path):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "mine.part"]


@pytest.mark.skipif(os.name == "nt", reason="links; and there the age decides")
def test_what_is_not_half_written_by_this_program_stays_however_old(tmp_path):
    """Nor is the clock believed against a process of this machine that is alive."""
    names = {".thesis.part", ".a.csv.123.part", f".a.csv.{files.MACHINE}-{os.getpid()}.part"}
    for name in names:
        (tmp_path / name).write_text("precious")
        os.utime(tmp_path / name, (1e9, 1e9))
    folder, loop = tmp_path / ".a.0badcafe-1.part", tmp_path / ".b.0badcafe-1.part"
    folder.mkdir()
    os.utime(folder, (1e9, 1e9))
    loop.symlink_to(loop)
    with locked(tmp_path):
        pass
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == names | {".lock", folder.name, loop.name}


def test_what_is_abandoned_and_cannot_be_deleted_is_named(tmp_path, monkeypatch, ended):
    part = tmp_path / f".a.csv.{files.MACHINE}-{ended}.part"
    part.write_text("half")

    def refused(self, missing_ok=False):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(StorageError, match=rf"cannot write {part}: Operation not permitted"):
        with locked(tmp_path):
            pass


def test_what_someone_is_writing_is_left_to_them(tmp_path):
    """Be it a process of this machine, or one of another machine that was given the lock, too."""
    here = f"{files.MACHINE}-{os.getpid()}"
    writing = {f".a.csv.{here}.part", ".a.csv.0badcafe-1.part"}
    for name in writing:
        (tmp_path / name).write_text("half")
    with locked(tmp_path):
        pass
    assert writing <= {path.name for path in tmp_path.iterdir()}


def test_a_file_is_written_while_another_process_takes_the_lock(tmp_path, monkeypatch):
    """It was deleted under the hands of those who write without a lock, as `plot` does."""
    flush = os.fsync

    def take_the_lock(descriptor):
        code = "import sys; from minisgd.disk.files import locked\nwith locked(sys.argv[1]): pass"
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", take_the_lock)
    write_aside(tmp_path / "table.txt", b"whole")
    assert (tmp_path / "table.txt").read_bytes() == b"whole"


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_folder_that_cannot_be_locked_is_neither_in_use_nor_left_unlocked(
    tmp_path, monkeypatch, code
):
    fcntl = pytest.importorskip("fcntl")

    def no_locks(*_):
        raise OSError(code, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(StorageError, match=r"cannot lock .*\(No locks available\): give --out"):
        with locked(tmp_path):
            pass


def test_a_folder_that_is_gone_does_not_come_back(tmp_path):
    with pytest.raises(StorageError, match=r"cannot write .*\.lock: No such file"):
        with locked(tmp_path / "gone"):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_locked_against_this_process_too(tmp_path):
    with locked(tmp_path):
        with pytest.raises(BusyError, match="in use by process"):
            with locked(tmp_path):
                pass
    with locked(tmp_path):
        pass


def test_another_thread_may_release_the_lock(tmp_path):
    held = locked(tmp_path)
    held.__enter__()
    thread = threading.Thread(target=held.__exit__, args=(None, None, None))
    thread.start()
    thread.join()
    with locked(tmp_path):
        pass


def test_a_lock_file_of_an_earlier_version_is_taken_over(tmp_path):
    (tmp_path / ".lock").write_text("process 1 on somewhere, since 2021-06-10 12:00:00" + "x" * 99)
    with locked(tmp_path):
        assert (tmp_path / ".lock").read_text().startswith(" process ")
        assert "x" not in (tmp_path / ".lock").read_text()[-30:]


def test_one_who_waits_for_a_deleted_lock_file_takes_the_new_one(tmp_path, holder):
    """Two processes with two files of the same name would both be owners."""
    threading.Timer(0.3, (tmp_path / ".lock").unlink).start()
    threading.Timer(0.6, holder.kill).start()
    began = time.monotonic()
    with locked(tmp_path, wait=10.0):
        assert time.monotonic() - began < 5
        with pytest.raises(BusyError):
            with locked(tmp_path):
                pass


def test_nobody_imports_the_lock_before_it_is_needed():
    code = "import sys, minisgd.disk.files; sys.exit('filelock' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_full_disk_is_reported_when_the_lock_is_taken(tmp_path, monkeypatch, ended):
    def full(self, *_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("platform.node", lambda: full(None))
    (tmp_path / f".big.{files.MACHINE}-{ended}.part").write_text("half")
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


def test_the_name_of_every_folder_that_is_made_is_flushed(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(files, "flush_names", flushed.append)
    make_folder(tmp_path / "a" / "b" / "c")
    assert flushed == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    make_folder(tmp_path / "a" / "b" / "c")
    with pytest.raises(StorageError):
        make_folder(tmp_path / "d" / "e", parents=False)
    assert len(flushed) == 3 and not (tmp_path / "d").exists()


def test_two_who_make_a_folder_at_once_both_have_it(tmp_path, monkeypatch):
    """Another makes it after it was seen to be missing."""
    real, asked = Path.is_dir, []

    def late(self):
        found = real(self)
        if self == tmp_path / "a" and not asked:
            asked.append(self)
            self.mkdir()
        return found

    monkeypatch.setattr(Path, "is_dir", late)
    make_folder(tmp_path / "a" / "b")
    assert asked and (tmp_path / "a" / "b").is_dir()


def test_what_cannot_be_written_is_one_sentence_with_the_path(tmp_path):
    blocked = tmp_path / "file" / "below"
    (tmp_path / "file").write_text("in the way")
    for write in (lambda: write_aside(blocked, b"x"), lambda: append(blocked, b"x")):
        with pytest.raises(
            StorageError, match=r"cannot write .*below: .+; what was written before"
        ):
            write()
    for inside in (blocked, blocked.parent, blocked / "deeper"):
        with pytest.raises(StorageError, match=r"cannot write .*file is no folder; move it away"):
            make_folder(inside)


def test_what_cannot_be_read_is_one_sentence_with_the_path(tmp_path):
    assert read(tmp_path / "none") is None
    for reads in (read, read_json, read_records):
        with pytest.raises(StorageError, match=rf"cannot read {tmp_path}: it is not a file"):
            reads(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes and devices")
def test_a_pipe_or_a_device_in_place_of_a_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    script = """
import resource, sys
from minisgd.disk.files import StorageError, read
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))  # zeros without end end here
for path in sys.argv[1:]:
    try:
        read(path)
    except StorageError as error:
        print(error)
"""
    command = [sys.executable, "-c", script, tmp_path / "pipe", tmp_path / "zeros"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.stdout.count(": it is not a file; move it away\n") == 2, done.stderr
