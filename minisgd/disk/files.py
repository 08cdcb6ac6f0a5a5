"""Files that survive a crash: written aside and renamed, or appended; one owner per folder."""

import errno
import io
import os
import platform
import re
import shutil
import stat
import time
import zlib
from contextlib import contextmanager
from pathlib import Path

from ..errors import UserError

LOCK = ".lock"
MACHINE = f"{zlib.crc32(platform.node().encode(errors='replace')):08x}"  # for names of files
PART = re.compile(r"\..+\.([0-9a-f]{8})-(\d+)\.part")  # half-written, as write_aside names it
ABANDONED = 60.0  # seconds: whoever writes a file has touched it since


class StorageError(UserError):
    """A folder is full, gone or read-only. Files that were complete still are."""


class BusyError(UserError):
    """Another process is at work in a folder."""


@contextmanager
def storage_errors(path):
    """Turn the operating system's error about a path into a StorageError of one sentence."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror or error}; what was written before is intact: "
            "mend that and give the same command again"
        ) from error


def read(path):
    """The bytes of a file; None if there is no such file.  Raises: StorageError"""
    try:
        # A pipe would be waited for without end, and a device such as /dev/zero read without end.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise StorageError(f"cannot read {path}: it is not a file; move it away")
        return Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:  # says nothing about the content: it is not damage
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error


def make_folder(path, parents=True):
    """Make a folder, and by default those above it, if missing.  Raises: StorageError"""
    path = Path(path)
    with storage_errors(path):
        missing = [each for each in (path, *path.parents) if not each.is_dir()]
        for each in missing:
            # A file, or a link to nothing; by now another process may have made the folder.
            if (each.exists() or each.is_symlink()) and not each.is_dir():
                raise StorageError(
                    f"cannot write {path}: {each} is no folder; move it away, or name another one"
                )
        for each in reversed(missing if parents else missing[:1]):
            each.mkdir(exist_ok=True)
            flush_names(each.parent)  # of each: what is flushed in a folder is lost with its name


def write_aside(path, source, keep=None):
    """Write bytes, or the rest of an open file, to a file beside `path` and rename it to `path`.

    The bytes are flushed to disk first, so a crash leaves the old file or the new one, never a
    torn one; the name is flushed last, so that what is then appended is not lost with it.

    keep     the path to which the old file, if there is one, is moved
    Raises:  StorageError
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{MACHINE}-{os.getpid()}.part")
    if isinstance(source, bytes):
        source = io.BytesIO(source)
    with storage_errors(path):
        try:
            with open(part, "wb") as out:
                shutil.copyfileobj(source, out)
                out.flush()
                os.fsync(out.fileno())
            if keep is not None and path.exists():
                os.replace(path, keep)
            os.replace(part, path)
            flush_names(path.parent)
        finally:
            part.unlink(missing_ok=True)


def flush_names(folder):
    """Flush the names in a folder to disk, where the system can: Windows does not open folders."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems know no such thing
            raise
    finally:
        os.close(descriptor)


def append(path, line):
    """Append bytes to a file and flush them to disk. A crash may leave only part of them.

    Raises:  StorageError
    """
    with storage_errors(path), open(path, "ab") as out:
        out.write(line)
        out.flush()
        os.fsync(out.fileno())


@contextmanager
def locked(folder, wait=0.0):
    """Be the only process at work in an existing folder, for as long as the `with` block lasts.

    The operating system releases the lock when the process ends, however it ends. The lock file
    stays, and says who holds the lock. Half-written files of a process that was killed are deleted,
    but not those of one that may still be writing: some write without a lock, and some file systems
    give the same lock to two machines.

    wait     how long to wait for an owner that is about to finish
    Units:   seconds
    Raises:  BusyError naming the process that holds the lock; StorageError
    """
    from filelock import FileLock, Timeout  # imported here: --help must not wait for it

    path = Path(folder) / LOCK

    def clean_and_sign(descriptor):
        with storage_errors(path):
            for part in Path(folder).glob(".*.part"):
                with storage_errors(part):
                    if _is_abandoned(part):  # first: on a full disk they may be what fills it
                        part.unlink(missing_ok=True)
            since = time.strftime("%F %T")
            holder = f" process {os.getpid()} on {platform.node()}, since {since}"
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, holder.encode())

    lock = FileLock(
        path,
        thread_local=False,  # whichever thread ends the `with` block releases the lock
        preserve_lock_file=True,
        # Where the file system cannot lock, FileLock would otherwise fall back to a file whose
        # existence is the lock. That outlives a process that is killed, and blocks all that follow.
        fallback_to_soft=False,
        on_acquired=clean_and_sign,
    )
    with storage_errors(path):
        os.stat(folder)  # FileLock would recreate a folder that is gone
    try:
        lock.acquire(timeout=wait, poll_interval=0.05)
    except Timeout:
        raise BusyError(f"{folder} is in use by {_holder(path)}: wait for it, or stop it") from None
    except OSError as error:
        if error.filename is None:  # the file could be opened, but the system cannot lock it
            raise StorageError(
                f"cannot lock {folder} ({error.strerror}): give --out a folder on a local disk"
            ) from error
        with storage_errors(path):
            raise
    try:
        yield
    finally:
        with storage_errors(path):
            lock.release()


def _is_abandoned(part):
    """Whether this is a half-written file of write_aside to which nobody writes any more: the
    process that wrote it on this machine has ended, or it is of another machine, and old.
    """
    if not (named := PART.fullmatch(part.name)):
        return False
    try:
        found = part.lstat()
    except FileNotFoundError:  # its owner has renamed it
        return False
    if not stat.S_ISREG(found.st_mode):  # a folder or a link is not of write_aside
        return False
    machine, pid = named.groups()
    if machine != MACHINE or os.name == "nt":  # where a signal that only asks does not exist
        return time.time() - found.st_mtime > ABANDONED
    try:
        os.kill(int(pid), 0)  # not the age: the clock may have jumped
    except ProcessLookupError:
        return True
    except (OverflowError, PermissionError):
        pass
    return False


def _holder(path):
    """Who signed a lock file, in words."""
    try:
        with open(path, "rb", buffering=0) as file:
            # Windows lets nobody else read the first byte, which carries the lock: it is blank.
            file.seek(1 if os.name == "nt" else 0)
            signature = file.read(200)
    except OSError:
        signature = b""
    return signature.decode("utf-8", "replace").strip() or "another process"
