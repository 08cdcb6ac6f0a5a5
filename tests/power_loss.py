"""The power fails after any change that a command makes on its disk.

A small library (trace.c) records the changes in their order. They are then played to a model of a
disk that promises no more than POSIX does: what a file held when it was last flushed is there, and
so are the names that a folder held when it was last flushed. Of later writes to a file, and of
later changes to the names in a folder, there may be any prefix.
"""

import os
import queue
import random
import shutil
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from forks import Forks
from system_calls import LATER, Mirror, commands, differing, library, lines, results, torn


class File:
    """A file's bytes: when it was last flushed, and the writes since then."""

    def __init__(self):
        self.flushed, self.since = b"", []

    def flush(self):
        self.flushed, self.since = self.after(len(self.since)), []

    def after(self, kept, part=0.0):
        """The bytes after so many of the writes since the flush, and a part of the next."""
        found = bytearray(self.flushed)
        for place, data in self.since[:kept]:
            self._change(found, place, data)
        if part and kept < len(self.since):
            place, data = self.since[kept]
            if data is not None:
                self._change(found, place, data[: int(part * len(data))])
        return bytes(found)

    @staticmethod
    def _change(found, place, data):
        if data is None:  # cut or lengthened to this size
            found[:] = found[:place].ljust(place, b"\0")
        else:
            found[:] = found.ljust(place, b"\0")
            found[place : place + len(data)] = data


class Folder:
    """A folder's names: when it was last flushed, now, and the changes since then."""

    def __init__(self):
        self.flushed, self.now, self.since = {}, {}, []

    def flush(self):
        self.flushed, self.since = dict(self.now), []

    def change(self, change):
        """change    {name: what it names now, None if nothing}, all at once"""
        self.since.append(change)
        self._change(self.now, change)

    def after(self, kept):
        found = dict(self.flushed)
        for change in self.since[:kept]:
            self._change(found, change)
        return found

    @staticmethod
    def _change(names, change):
        names.update(change)
        for name in [name for name, node in names.items() if node is None]:
            del names[name]


class Disk:
    """What a trace has made of a folder that was empty."""

    def __init__(self, root):
        self.root, self.top = str(root), Folder()

    def node(self, path):
        found = self.top
        for part in Path(os.path.relpath(path, self.root)).parts:
            found = found.now.get(part) if isinstance(found, Folder) else None
        return found

    def do(self, kind, path, to, data, number):
        """One change.  Returns: whether it is one of a file or folder that is still there"""
        parent, name = self.node(os.path.dirname(path)), os.path.basename(path)
        node = self.node(path)
        if kind in ("create", "mkdir"):
            parent.change({name: File() if kind == "create" else Folder()})
        elif kind == "rename":
            if os.path.dirname(to) != os.path.dirname(path):
                raise NotImplementedError(f"{path} is renamed to another folder")
            parent.change({name: None, os.path.basename(to): node})
        elif kind in ("unlink", "rmdir"):
            parent.change({name: None})
        elif node is None:
            return False
        elif kind == "sync":
            node.flush()
        else:
            node.since.append((number, data if kind == "write" else None))
        return True

    def lose_power(self, into, rng, much):
        """Write what is there afterwards.

        much    of what is not flushed, 0 none, 1 all, otherwise some
        """
        share = lambda n: round(much * n) if much in (0, 1) else rng.randint(0, n)  # noqa: E731
        waiting = [(self.top, Path(into))]
        while waiting:
            node, path = waiting.pop()
            kept = share(len(node.since))
            if isinstance(node, File):
                path.write_bytes(node.after(kept, 0 if much in (0, 1) else rng.random()))
                continue
            path.mkdir(exist_ok=True)
            waiting += [(child, path / name) for name, child in node.after(kept).items()]


def changes(record):
    """The changes (kind, path, second path, data, number) in a record of trace.c."""
    data, at = record.read_bytes(), 0
    while at < len(data):
        end = data.index(b"\n", at)
        kind, *numbers = data[at:end].decode().split()
        parts, at = [], end + 1
        for size in map(int, numbers[:3]):
            parts.append(data[at : at + size])
            at += size
        yield kind, os.fsdecode(parts[0]), os.fsdecode(parts[1]), parts[2], int(numbers[3])


class PowerLosses:
    """The losses of power during one command.

    made     how many changes it makes below its folder
    """

    def __init__(self, built, name, command, work, at_once=1):
        """built    as `library` gives it;  command    the entry of `commands` of this name"""
        self.name, self.command, self.work, self.at_once = name, command, work, at_once
        self.disk, record = work / "disk", work / "record"
        self.disk.mkdir(parents=True)
        traced = {"TRACE_FOLDER": self.disk, "TRACE_FILE": record}
        forks = Forks(work / "printed", built)
        change = None if name == "page" else command.change
        ended = forks.run(command.given(self.disk / "out"), traced, change)
        forks.end()
        if ended.returncode:
            raise RuntimeError(ended.stderr)
        self.uncut, self.changes = results(self.disk / "out"), list(changes(record))
        self.made = len(self.changes)

    def _disks(self, step):
        """(where, disk after it, what was told before it) of every `step`-th change of a disk."""
        model, told, made = Disk(self.disk), "", 0
        for kind, path, *rest in self.changes:
            if kind == "told":
                told += rest[1].decode()
            elif not model.do(kind, path, *rest):
                continue
            if self.name == "page" and "index.html" not in path:
                continue
            made += 1
            if made % step == 0:
                yield f"after change {made} ({kind} {path})", model, told
        yield "at the end", model, told

    def all(self, step=1):
        """Lose the power after every `step`-th change and at the end, with none, some and all of
        what was not flushed, and give the command again each time.

        Returns: how often the power was lost, [what was wrong]
        """
        rng, count, losses, free = random.Random(0), 0, [], queue.SimpleQueue()
        several = [Forks(self.work / f"again-{i}") for i in range(self.at_once)]
        for each in several:
            free.put(each)
        with ThreadPoolExecutor(self.at_once) as threads:
            waiting = []
            for where, model, told in self._disks(step):
                for much in (0, 0.5, 1):
                    count += 1
                    into = self.work / f"lost-{count}"
                    model.lose_power(into, rng, much)
                    where_and = f"{where}, {much} of what was not flushed"
                    waiting.append(threads.submit(self._one, free, into, where_and, told))
            losses = [each.result() for each in waiting]
        for each in several:
            each.end()
        return count, [loss for loss in losses if loss]

    def _one(self, free, into, where, told):
        """None if a loss of power was survived, otherwise what was wrong."""
        out, forks = into / "out", free.get()
        try:
            kept = lines(out)
            if wrong := self.command.told_in_vain(told.replace(str(self.disk), str(into)), out):
                return f"{where}: {wrong}"
            if parts := torn(out):  # before the command, given again, writes them anew
                return f"{where}: in part under their names: {parts}"
            if where.startswith("at the end") and (gone := differing(results(out), self.uncut)):
                return f"{where}: it had ended, and not there as it was: {gone}"
            for path in out.rglob("*.part"):
                os.utime(path, (time.time() - LATER,) * 2)
            change = None if self.name == "page" else self.command.change
            ended = forks.run(self.command.given(out), None, change)
            if ended.returncode:
                return f"{where}: not resumed: {ended.stderr[-2000:]}"
            if gone := [p for p, whole in kept.items() if not p.read_bytes().startswith(whole)]:
                return f"{where}: epochs lost or done again in {gone}"
            if differ := differing(results(out), self.uncut):
                return f"{where}: other results than those of an undisturbed run: {differ}"
            return None
        finally:
            shutil.rmtree(into, ignore_errors=True)
            free.put(forks)


def enumerate_power(data, work, names, step=1, at_once=1, log=print):
    """Lose the power after every `step`-th change of these commands.

    Returns: {(command, "power"): losses of power}, [what was wrong]; the reason in place of both if
             the library cannot be built
    """
    built, why = library(work, "trace.c")
    if built is None:
        return why
    counts, losses, mirror = Counter(), [], Mirror(data)
    for name in names:
        command = commands(data, mirror)[name]
        power = PowerLosses(built, name, command, work / f"{name}-power", at_once)
        counts[name, "power"], wrong = power.all(step)
        losses += [f"{name}: {each}" for each in wrong]
        for loss in losses[len(losses) - len(wrong) :]:
            log(f"LOST: {loss}")
        log(f"{name}: power lost {counts[name, 'power']} times, {power.made} changes")
    return counts, losses
