"""The power fails after any change that `train` makes on its disk.

A small library (trace.c) records the changes in their order. They are then played to a model of a
disk that promises no more than POSIX does: what a file held when it was last flushed is there, and
so are the names that a folder held when it was last flushed. Of later writes to a file, and of
later changes to the names in a folder, there may be any prefix.
"""

import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

from system_calls import ROOT, commands, library, lines, results


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


def power_losses(data, work, step=1, log=print):
    """Lose the power after every `step`-th change of a `train`, with none, all and some of what
    was not flushed, and give the command again each time.

    Returns: how many changes there are, how often the power was lost, [what was wrong]; the reason
             in place of all if the library cannot be built
    """
    from click.testing import CliRunner

    from minisgd.commands.group import cli

    built, why = library(work, "trace.c")
    if built is None:
        return why
    disk, record, again = work / "disk", work / "record", work / "again"
    disk.mkdir()
    arguments = [*commands(data)["train"][0], "--out"]
    traced = {"LD_PRELOAD": built, "TRACE_FOLDER": disk, "TRACE_FILE": record}
    subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), *arguments, str(disk / "out")], check=True,
        env=os.environ | {name: str(value) for name, value in traced.items()}, capture_output=True,
    )  # fmt: skip
    uncut, rng = results(disk / "out"), random.Random(0)
    model, told, losses, count, made = Disk(disk), "", [], 0, 0
    for change in changes(record):
        kind, path, _, text, _ = change
        if kind == "told":
            told += text.decode()
        elif not model.do(*change):
            continue
        made += 1
        if made % step:
            continue
        epochs = len(re.findall(r"^epoch +\d.*\n", told, re.M))
        before = len(losses)
        for much in (0, 0.5, 1):
            shutil.rmtree(again, ignore_errors=True)
            model.lose_power(again, rng, much)
            count += 1
            where = f"after change {made} ({kind} {path}), {much} of what was not flushed"
            kept = lines(again / "out")
            if epochs > sum(whole.count(b"\n") for whole in kept.values()):
                losses.append(f"{where}: {epochs} epochs told, and not all kept")
            ended = CliRunner().invoke(cli, [*arguments, str(again / "out")])
            if ended.exit_code:
                losses.append(f"{where}: not resumed: {ended.output} {ended.exception!r}")
            elif gone := [p for p, whole in kept.items() if not p.read_bytes().startswith(whole)]:
                losses.append(f"{where}: epochs lost or done again in {gone}")
            elif results(again / "out") != uncut:
                losses.append(f"{where}: other results than those of an undisturbed run")
        for loss in losses[before:]:
            log(f"LOST: {loss}")
    model.lose_power(again, rng, 1)
    if results(again / "out") != uncut:
        raise RuntimeError("the model of the disk does not end as the disk did")
    return made, count, losses
