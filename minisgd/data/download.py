"""Download one file from the first of several mirrors that sends the right bytes.

Nothing here knows what a dataset is: the caller passes the addresses, a check of the finished file
and the limits on waiting. The check alone decides whether a file is kept; no mirror is trusted.
"""

import http.client
import os
import queue
import socket
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..disk.files import flush_names
from ..errors import UserError

USER_AGENT = "minisgd/0.1 (urllib)"
CHUNK = 1 << 16
ABANDONED = 600.0  # seconds since a part was written to, after which nobody is at work on it
# Worth a second request; the others (403, 404, wrong bytes, no such host) will not change.
TRANSIENT_STATUSES = {408, 425, 429, 500, 502, 503, 504}
TRANSIENT_ERRORS = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)


class DownloadError(UserError):
    """No mirror sent the right bytes, and the message says what each of them answered; or none can
    be asked.
    """


class MirrorError(Exception):
    """One mirror failed; `again` says whether a second request could succeed."""

    def __init__(self, why, again=False):
        super().__init__(why)
        self.again = again


@dataclass(frozen=True)
class Patience:
    """How long to wait, how often to ask and how much to accept.

    Units:   seconds; bytes; slowest in bytes per second
    """

    answer: float = 8.0  # for the host's name, the connection, TLS and the headers together
    silence: float = 10.0  # between two pieces of the body
    slowest: float = 4096.0  # a mirror whose average rate is lower counts as stalled
    tries: int = 2  # rounds over the mirrors
    pause: float = 1.0  # before the second round, and twice as long before each further one
    most: int = 1 << 27  # a longer file is refused
    quiet: float = 3.0  # between two lines of progress


def fetch(mirrors, name, path, check, log, patience=None):
    """Download `name` from the first mirror whose bytes pass `check`, and return that mirror.

    The bytes go to a `.part` file beside `path`, which gets its name only once it is complete and
    checked. No `.part` file is left behind, unless the process is killed: then the next download
    deletes it.

    mirrors  base addresses ending in "/", in order of preference
    check    called with the finished `.part` file; raises UserError if its bytes are wrong, OSError
             if they cannot be read, which is no mirror's fault
    log      called with one line for each download that starts
    Raises:  DownloadError naming every mirror's answer, or why none can be asked; OSError if the
             folder cannot be used
    """
    _delete_abandoned(path)
    patience = patience or Patience()
    answers = {}
    worth_asking = list(mirrors)
    # The process id in the name keeps two runs that start together from sharing a file.
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        for round_number in range(patience.tries):
            if round_number and worth_asking:
                time.sleep(patience.pause * 2 ** (round_number - 1))
            for mirror in tuple(worth_asking):
                try:
                    _receive(mirror + name, part, log, patience)
                    check(part)
                except DownloadError:
                    raise
                except (MirrorError, UserError) as why:
                    answers[mirror] = str(why)
                    if not getattr(why, "again", False):
                        worth_asking.remove(mirror)
                else:
                    os.replace(part, path)
                    flush_names(path.parent)
                    return mirror
    finally:
        part.unlink(missing_ok=True)
    reasons = "; ".join(f"{_host(mirror)}: {why}" for mirror, why in answers.items())
    raise DownloadError(f"{name} could not be downloaded ({reasons or 'no mirror is known'})")


def _delete_abandoned(path):
    """Delete what downloads of this file that were killed have left. It is known by its age: while
    a download goes on, its part is written to every few seconds.
    """
    for part in path.parent.glob(f"{path.name}.*.part"):
        with suppress(FileNotFoundError):  # another process has deleted it
            if time.time() - part.stat().st_mtime > ABANDONED:
                part.unlink()


def _receive(url, part, log, patience):
    """Write the body of the answer to `part`, whole and flushed to the disk.

    Raises:  MirrorError; OSError if the folder cannot be written
    """
    with _ask(url, patience) as response:
        promised = _length(response)
        if promised is not None and promised > patience.most:
            raise MirrorError(f"offers {promised:,} bytes, more than {patience.most:,}")
        size = "size unknown" if promised is None else f"{promised / 1e6:.1f} MB"
        log(f"downloading {url.rsplit('/', 1)[-1]} ({size}) from {_host(url)}")
        received, start = 0, time.monotonic()
        last_report = start
        with open(part, "wb") as out:
            while piece := _piece(response):
                out.write(piece)
                received += len(piece)
                seconds = time.monotonic() - start
                if received > patience.most:
                    raise MirrorError(f"sends more than {patience.most:,} bytes")
                if time.monotonic() - last_report > patience.quiet:
                    last_report = time.monotonic()
                    log(f"  {received / 1e6:.1f} MB received")
                if seconds > patience.silence and received < patience.slowest * seconds:
                    raise MirrorError(f"stalled after {received:,} bytes", again=True)
            if promised is not None and received != promised:
                raise MirrorError(f"ended after {received:,} of {promised:,} bytes", again=True)
            out.flush()
            os.fsync(out.fileno())


def _ask(url, patience):
    """Open `url` and return the response. urllib verifies certificates by default.

    The request is made in a thread, because a socket's timeout limits neither the name look-up,
    nor a host with many dead addresses, nor headers that arrive byte by byte.

    Raises:  MirrorError; DownloadError if no thread can be started, which is no mirror's fault
    """
    answer = queue.SimpleQueue()

    def ask():
        try:
            request = urllib.request.Request(url, headers={"User-Agent": USER_AGENT})
            opener = urllib.request.build_opener()  # urlopen keeps the proxies of its first call
            answer.put(opener.open(request, timeout=patience.silence))
        except Exception as failure:
            answer.put(failure)

    try:
        threading.Thread(target=ask, daemon=True).start()
    except RuntimeError as failure:  # too few processes are allowed: threads count as such
        raise DownloadError(f"no mirror can be asked ({failure}): raise `ulimit -u`") from failure
    try:
        response = answer.get(timeout=patience.answer)
    except queue.Empty:
        raise MirrorError(f"no answer within {patience.answer:g} s") from None
    if isinstance(response, urllib.error.HTTPError):
        response.close()
        raise MirrorError(f"HTTP {response.code}", again=response.code in TRANSIENT_STATUSES)
    if isinstance(response, Exception):
        # A mirror that hung up may answer next time; a missing name, route or answer means that
        # there is no network.
        again = isinstance(getattr(response, "reason", response), TRANSIENT_ERRORS)
        raise MirrorError(_reason(response), again) from response
    return response


def _piece(response):
    """The bytes that have arrived. It does not wait for a full chunk, so a trickle is noticed."""
    try:
        return response.read1(CHUNK)
    except TimeoutError as failure:
        raise MirrorError("stalled", again=True) from failure
    except (OSError, http.client.HTTPException, ValueError) as failure:
        raise MirrorError(_reason(failure), again=True) from failure


def _length(response):
    """The promised length in bytes, or None if the header is missing or absurd."""
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _reason(failure):
    reason = getattr(failure, "reason", failure)
    if isinstance(reason, socket.gaierror):
        return "host name not found"
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    text = getattr(reason, "strerror", None) or str(reason).strip() or type(reason).__name__
    # Some of it may be the mirror's own words: no line breaks, no escape codes, no long texts.
    return "".join(c if c.isprintable() else "?" for c in text[:100])


def _host(url):
    return urlsplit(url).netloc
