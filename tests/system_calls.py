"""Every system call of six commands on their folders of results, failing one at a time.

A small library (system_calls.c), loaded before the C library, counts the calls that all processes
of a command make on files below a folder, and makes the n-th go wrong: a process is killed there
(kill -9), or the call gives an error, or it reads or writes only half. strace can do most of this,
but no short writes, and it counts the calls of every thread apart.

After each fault the command is given again, undisturbed. It counts as lost if that does not end in
the results of a run that was never disturbed, if an epoch, run or file that was told or kept is not
there any more, if a file is there in part under its name, if a mirror is blamed for this machine's
disk, or if the command ended otherwise than its kind of fault allows, see exit_codes.
"""

import csv
import errno
import functools
import gzip
import hashlib
import http.server
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from forks import Forks

KINDS = {"kill -9": "kill", "EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "EINTR": errno.EINTR}
KINDS = {name: str(kind) for name, kind in KINDS.items()} | {"short": "short"}
# What Python does again after EINTR. In all other calls it raises it, so a sentence may end the
# command: POSIX has no EINTR in them, and in close, which must not be made again, Linux gives none
# on a disk, only where a file system on a network or in a process is mounted so.
INTERRUPTED = ("open", "read", "write", "fsync", "ftruncate", "ftruncate64", "flock")
LATER = 3600  # seconds between a fault and the command given again, as the files' times tell


def library(work, source="system_calls.c"):
    """The library, built in the folder `work`; or None and why it cannot be."""
    if not sys.platform.startswith("linux"):
        return None, "it is loaded as Linux does"
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None, "there is no C compiler"
    built, source = work / f"{source}.so", Path(__file__).with_name(source)
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(built), str(source), "-ldl"]
    ended = subprocess.run(command, capture_output=True, text=True)
    return (None, ended.stderr.strip()) if ended.returncode else (built, None)


@dataclass(frozen=True)
class Command:
    """A small form of a command, of which every system call may fail.

    arguments    those in capitals are folders of results
    epochs       of each of its runs
    change       what is different in its process, see forks.py
    goes_on      whether an error must not end it
    """

    arguments: tuple
    epochs: int = 0
    change: tuple | None = None
    goes_on: bool = False

    def given(self, out):
        """The arguments, with folders of results below the folder `out`."""
        names = {"OUT": out, "RUNS": out / "runs", "FIGURES": out / "figures"}
        return [names.get(argument, argument) for argument in self.arguments]

    def told_in_vain(self, said, out):
        """What of the things that were told is not in the folder `out`; None if all is."""
        epochs = len(re.findall(r"^epoch +\d.*\n", said, re.M))
        epochs += len(re.findall(r"^\d+ of \d+ runs, .*\n", said, re.M)) * self.epochs
        kept = sum(whole.count(b"\n") for whole in lines(out).values())
        if epochs > kept:
            return f"{epochs} epochs told, and {kept} kept"
        told = re.findall(r"^(?:figure|table|page): +(?!none,)(\S+)|every \w+: (\S+)$", said, re.M)
        gone = [path for path in map("".join, told) if not Path(path.rstrip(";")).exists()]
        return f"told and not there: {gone}" if gone else None


def commands(data, mirror):
    """{name: Command}; mirror is a Mirror of this data folder."""
    small = ("--dataset", "glyphs", "--data-dir", str(data), "--device", "cpu")
    sizes = ("--batch-sizes", "250,500", "--epochs", "2")
    tune = ("tune", "--lrs", ".01,.05", "--seeds", "1", "--epochs", "1", "--batch-size", "200")
    work = ("--jobs", "2", "--runs", "RUNS", "--out", "FIGURES")
    digests = json.loads((data / "glyphs" / "digests.json").read_text())["sha256"].values()
    mirrors = "local_mirrors", list(digests), mirror.url("first"), mirror.url("second")
    page = "live_page_alone", ()
    return {
        "train": Command(
            ("train", "--batch-size", "250", "--epochs", "2", *small, "--out", "OUT"), 2
        ),
        "sweep": Command(("sweep", *sizes, "--jobs", "2", *small, "--out", "OUT"), 2),
        "page": Command(
            ("sweep", *sizes, "--jobs", "1", *small, "--out", "OUT"), 2, page[:1], goes_on=True
        ),
        "figures": Command(("figures", "1", "--seeds", "1", *small, *work), 1, ("small_figures",)),
        "tune": Command((*tune, "--held-out", "100", *small, *work), 1),
        "download": Command(("data", "--dataset", "mnist", "--data-dir", "OUT"), 0, mirrors),
    }


class Mirror:
    """Two mirrors on this machine, which send the digits of a data folder and count who asks."""

    def __init__(self, data):
        asked = self.asked = []

        class Handler(http.server.SimpleHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                self.path = "/" + self.path.rsplit("/", 1)[-1]
                super().do_GET()

            def log_message(self, *_):
                pass

            def copyfile(self, source, outputfile):
                try:
                    super().copyfile(source, outputfile)
                except OSError:
                    pass  # the reader was killed

        handler = functools.partial(Handler, directory=str(data / "glyphs"))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def url(self, which):
        return f"http://127.0.0.1:{self.server.server_port}/{which}/"


class Faults:
    """The faults of one command."""

    def __init__(self, forks, command, work, like=None):
        """forks    with the library loaded;  command    an entry of `commands`

        like    another Faults of the same command, whose undisturbed run will do
        """
        self.forks, self.command = forks, command
        work.mkdir(parents=True, exist_ok=True)
        self.out, self.count = work / "out", work / "count"
        self.missed = 0  # faults that came to nothing: this time there were fewer calls
        if like:
            self.calls, self.uncut = like.calls, like.uncut
            return
        ended, _ = self.run()
        if ended.returncode:
            raise RuntimeError(ended.stderr)
        listed = self.count.with_suffix(".calls")
        self.calls = [line.split(" ", 1)[0] for line in listed.read_text().splitlines()]
        self.uncut = results(self.out)

    def places(self, kind, step):
        """The numbers of every `step`-th call to which such a fault means anything."""
        numbers = range(1, len(self.calls) + 1)
        if kind == "short":
            numbers = [at for at in numbers if self.calls[at - 1] in ("read", "write")]
        return numbers[::step]

    def run(self, at=0, kind="0"):
        """Run the command, its call number `at` going wrong: (ended, which call that was)."""
        hit, listed = self.count.with_suffix(".hit"), self.count.with_suffix(".calls")
        hit.unlink(missing_ok=True)
        listed.unlink(missing_ok=True)
        self.count.write_bytes(bytes(8))
        loaded = {"FAULT_FOLDER": self.out, "FAULT_COUNT": self.count}
        loaded |= {"FAULT_AT": at, "FAULT_KIND": kind}
        ended = self.forks.run(self.command.given(self.out), loaded, self.command.change)
        return ended, hit.read_text().strip() if hit.exists() else None

    def one(self, at, kind):
        """None if a fault was survived, otherwise what was wrong."""
        shutil.rmtree(self.out, ignore_errors=True)
        ended, hit = self.run(at, KINDS[kind])
        self.missed += hit is None
        where = f"{kind} at call {at} ({hit})"
        kept = lines(self.out)
        said = ended.stderr.strip().splitlines()[-1:] or [""]
        may_be = exit_codes(kind, hit, self.command.goes_on)
        if ended.returncode not in may_be or "Traceback" in ended.stderr:
            return f"{where}: exit {ended.returncode}: {ended.stderr[-2000:]}"
        if ended.returncode == 1 and not said[0].startswith("Error: "):
            return f"{where}: no sentence, but {said[0]!r}"
        if "could not be downloaded" in ended.stderr or "/second/" in ended.stderr:
            return f"{where}: the mirror is blamed: {said[0]}"
        if wrong := self.command.told_in_vain(ended.stdout + ended.stderr, self.out):
            return f"{where}: {wrong}"
        if parts := torn(self.out):
            return f"{where}: in part under their names: {parts}"
        for path in self.out.rglob("*.part"):
            os.utime(path, (time.time() - LATER,) * 2)
        again, _ = self.run()
        if again.returncode:
            return f"{where}: not resumed: {again.stderr[-2000:]}"
        if lost := [p for p, text in kept.items() if not p.read_bytes().startswith(text)]:
            return f"{where}: epochs lost or done again in {lost}"
        if differ := differing(results(self.out), self.uncut):
            return f"{where}: other results than those of an undisturbed run: {differ}"
        return None


def exit_codes(kind, hit, goes_on):
    """What a command may end with after a fault.

    hit        the call that went wrong and its path; None if it did not come
    goes_on    whether an error must not end it
    """
    if hit is None:
        return (0,)
    if kind == "kill -9":
        return (-9, 0)  # 0 if a worker was killed: its run is tried once more
    unseen = kind == "short" or (kind == "EINTR" and hit.split()[0] in INTERRUPTED)
    return (0,) if goes_on or unseen else (0, 1)


def lines(out):
    """The whole lines of every run, by path."""
    found = {path: path.read_bytes() for path in out.rglob("epochs.jsonl")}
    return {path: text[: text.rfind(b"\n") + 1] for path, text in found.items()}


ENDS = {".svg": b"</svg>\n", ".html": b"</html>\n", ".png": b"IEND\xaeB`\x82"}
ENDS |= dict.fromkeys((".csv", ".txt"), b"\n")


def is_whole(path):
    """Whether a file that has its name is there whole, as far as its kind can tell: JSON and
    checkpoints carry checksums, so do what is packed and each line of a run. What follows the last
    of these lines may be torn: they are appended, and it is dropped.
    """
    from minisgd.disk.formats import read_json, read_records
    from minisgd.errors import UserError
    from minisgd.lab.checkpoints import read_checkpoint

    if not path.is_file():
        return True
    content = path.read_bytes()
    try:
        if path.suffix == ".json":
            read_json(path)
        elif path.suffix == ".npz":
            read_checkpoint(path)
        elif path.suffix == ".gz":
            return gzip.decompress(content) != b""  # nothing at all unpacks to nothing
        elif path.suffix == ".jsonl":
            return len(read_records(path)) == content.count(b"\n")
    except (UserError, OSError, EOFError, zlib.error):
        return False
    return content.endswith(ENDS.get(path.suffix, b""))


def torn(out):
    """The files below a folder that have their names and are there in part."""
    return [path for path in sorted(out.rglob("*")) if not is_whole(path)]


def results(out):
    """{path: what a command left there, without what is another at every time}."""
    from minisgd.disk.formats import read_json, read_records
    from minisgd.lab.checkpoints import read_checkpoint

    found = {}
    for path in sorted(out.rglob("*")):
        if path.is_dir() or path.name == ".lock":
            continue
        if path.suffix == ".npz":
            _, records, state = read_checkpoint(path)
            weights = state.w.tobytes() + b"".join(v.tobytes() for v in state.memory.values())
            what = _without_seconds(records), hashlib.sha256(weights).hexdigest()
        elif path.suffix == ".jsonl":
            what = _without_seconds(read_records(path))
        elif path.suffix == ".csv":
            what = _without_seconds(csv.DictReader(path.read_text().splitlines()))
        elif path.suffix == ".json":
            about = read_json(path)
            what = {k: about.get(k) for k in ("settings", "digest", "title", "asked")}
        elif path.suffix == ".html":
            what = is_whole(path)
        else:
            what = hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path.relative_to(out))] = what
    return found


def _without_seconds(rows):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def differing(found, uncut):
    """The names of what differs."""
    return sorted(
        name for name in found.keys() | uncut.keys() if found.get(name) != uncut.get(name)
    )


def enumerate_faults(data, work, names, kinds=KINDS, step=1, at_once=1, log=print):
    """Try every `step`-th call of these commands with these faults, so many at once.

    Returns: {(command, kind): faults, (command, "calls"): calls, (command, "missed"): faults whose
             call did not come}, [what was wrong]; the reason in place of both if the library cannot
             be built
    """
    built, why = library(work)
    if built is None:
        return why
    counts, losses, mirror = Counter(), [], Mirror(data)
    forks = [Forks(work / f"faults-{i}", built) for i in range(at_once)]
    for name in names:
        command, free = commands(data, mirror)[name], queue.SimpleQueue()
        first = Faults(forks[0], command, forks[0].work / name)
        free.put(first)
        for each in forks[1:]:
            free.put(Faults(each, command, each.work / name, first))
        counts[name, "calls"] = len(first.calls)
        log(f"{name}: {counts[name, 'calls']} system calls on its folder")

        def one(at, kind, free=free):
            faults = free.get()
            before = faults.missed
            try:
                return faults.one(at, kind), faults.missed == before
            finally:
                free.put(faults)

        with ThreadPoolExecutor(at_once) as threads:
            for kind in kinds:
                places = first.places(kind, step)
                for wrong, hit in threads.map(one, places, [kind] * len(places)):
                    counts[name, kind if hit else "missed"] += 1
                    if wrong:
                        losses.append(f"{name}: {wrong}")
                        log(f"LOST: {losses[-1]}")
                log(f"    {kind}: {counts[name, kind]} faults, {len(losses)} losses so far")
    for each in forks:
        each.end()
    if any("/second/" in path for path in mirror.asked):
        losses.append("download: the second mirror was asked, though the first answered")
    return counts, losses
