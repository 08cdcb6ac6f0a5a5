"""Files that survive: written aside and renamed, appended and flushed, and one owner a folder."""

import errno
import io
import os
import platform
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

from ..errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

LOCK = ".lock"


class StorageError(UserError):
    """A folder cannot be written: full, gone, read-only. What was whole in it still is."""


class BusyError(UserError):
    """Somebody else is at work in a folder."""


@contextmanager
def told(path):
    """Turn what the system says of a path into one sentence."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror or error}; what was written before is whole: "
            "mend that and give the same command again"
        ) from error


def make_folder(path, parents=True):
    """Make a folder, and those above it; there already is fine. Raises: StorageError."""
    with told(path):
        Path(path).mkdir(parents=parents, exist_ok=True)


def write_aside(path, source, keep=None):
    """Put bytes, or the rest of an open file, beside `path`, on the disk, then give it the name.

    A crash leaves the old file or the new one, never a torn one; with `keep`, the old file gets
    that name. Raises: StorageError.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    if isinstance(source, bytes):
        source = io.BytesIO(source)
    with told(path):
        try:
            with open(part, "wb") as out:
                shutil.copyfileobj(source, out)
                out.flush()
                os.fsync(out.fileno())
            if keep is not None and path.exists():
                os.replace(path, keep)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)


def append(path, line):
    """Put bytes at the end of a file, on the disk. A crash may leave a part of them."""
    with told(path), open(path, "ab") as out:
        out.write(line)
        out.flush()
        os.fsync(out.fileno())


@contextmanager
def locked(folder, wait=0.0):
    """Be the only one at work in a folder that exists, for as long as the `with` lasts.

    The system lets go of the lock when the process ends, however it ends. The file that carries it
    stays, and says who holds it. What an owner before wrote aside and did not live to rename is
    deleted.

    Units:   wait in seconds, for one who is about to leave
    Raises:  BusyError naming the process that holds it; StorageError
    """
    path = Path(folder) / LOCK
    with told(path):
        file = open(path, "a+b", buffering=0)  # nothing is left to be written when it is closed
    with file:
        until = time.monotonic() + wait
        while not _try_lock(file, folder):
            if time.monotonic() >= until:
                file.seek(0)
                holder = file.read(200).decode("utf-8", "replace").strip() or "another process"
                raise BusyError(f"{folder} is in use by {holder}: wait for it, or stop it")
            time.sleep(0.05)
        with told(path):
            for part in Path(folder).glob(".*.part"):
                part.unlink(missing_ok=True)  # first: on a full disk they may be what fills it
            file.truncate(0)
            said = f"process {os.getpid()} on {platform.node()}, since {time.strftime('%F %T')}"
            file.write(said.encode())
        yield


def _try_lock(file, folder):
    """Whether nobody else holds it. Raises: StorageError where it cannot be known."""
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            file.seek(1 << 20)  # a byte that is never written: others can still read who we are
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
            return False
        raise StorageError(
            f"cannot lock {folder} ({error.strerror}): give --out a folder on a local disk"
        ) from error
    return True
