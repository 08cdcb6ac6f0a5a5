"""Writing a file so that a crash leaves the old one or the new one, never a torn one."""

import io
import os
import shutil
from pathlib import Path


def write_aside(path, source):
    """Put bytes, or the rest of an open file, beside `path`, on the disk, then give it the name."""
    path = Path(path)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    if isinstance(source, bytes):
        source = io.BytesIO(source)
    try:
        with open(part, "wb") as out:
            shutil.copyfileobj(source, out)
            out.flush()
            os.fsync(out.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
