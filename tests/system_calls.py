"""Every system call of a command on its folder of results, failing one at a time.

A small library (system_calls.c), loaded before the C library, counts the calls that all processes
of a command make on files below a folder, and makes the n-th go wrong: a process is killed there
(kill -9), or the call gives an error, or it reads or writes only half. strace can do most of this,
but no short writes, and it counts the calls of every thread apart.

After each fault the command is given again, undisturbed. It counts as lost if that does not end in
the results of a run that was never disturbed, if an epoch that was told or kept is not there any
more, or if the fault ended in anything but success, one sentence, or the kill.
"""

import errno
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
KINDS = {"kill -9": "kill", "EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "EINTR": errno.EINTR}
KINDS = {name: str(kind) for name, kind in KINDS.items()} | {"short": "short"}
PATIENCE = 600  # seconds for one command, before it counts as hanging


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


def commands(data):
    """{name: (arguments, those that name the folder of results)} of a small form of each command
    that trains.
    """
    small = ["--dataset", "glyphs", "--data-dir", str(data), "--device", "cpu"]
    two = ["--jobs", "2", *small]
    return {
        "train": (["train", "--batch-size", "250", "--epochs", "2", *small], ["--out", ""]),
        "sweep": (["sweep", "--batch-sizes", "250,500", "--epochs", "2", *two], ["--out", ""]),
        "tune": (
            ["tune", "--lrs", ".01,.05", "--seeds", "1", "--epochs", "1", "--batch-size", "200",
             "--held-out", "100", *two],
            ["--runs", "runs", "--out", "figures"],
        ),
    }  # fmt: skip


class Faults:
    """The faults of one command."""

    def __init__(self, built, command, work):
        """built    as `library` gives it;  command    an entry of `commands`"""
        self.built, (self.arguments, self.names), self.work = built, command, work
        self.out, self.count = work / "out", work / "count"
        self.missed = 0  # faults that came to nothing: this time there were fewer calls
        ended, _ = self.run()
        if ended.returncode:
            raise RuntimeError(ended.stderr)
        self.calls = int.from_bytes(self.count.read_bytes(), sys.byteorder)
        self.uncut = results(self.out)

    def run(self, at=0, kind="0"):
        """Run the command, its call number `at` going wrong: (ended, which call that was)."""
        hit = self.count.with_suffix(".hit")
        hit.unlink(missing_ok=True)
        self.count.write_bytes(bytes(8))
        loaded = {"LD_PRELOAD": self.built, "FAULT_FOLDER": self.out, "FAULT_COUNT": self.count}
        loaded |= {"FAULT_AT": at, "FAULT_KIND": kind}
        more = [part if part.startswith("-") else self.out / part for part in self.names]
        command = [sys.executable, ROOT / "cli.py", *self.arguments, *more]
        ended = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, timeout=PATIENCE,
            env=os.environ | {name: str(value) for name, value in loaded.items()},
        )  # fmt: skip
        return ended, hit.read_text() if hit.exists() else None

    def one(self, at, kind):
        """None if a fault was survived, otherwise what was wrong."""
        shutil.rmtree(self.out, ignore_errors=True)
        ended, hit = self.run(at, KINDS[kind])
        self.missed += hit is None
        kept = lines(self.out)
        said = ended.stderr.strip().splitlines()[-1:] or [""]
        where = f"{kind} at call {at} ({hit})"
        if ended.returncode not in (0, 1, -9) or "Traceback" in ended.stderr:
            return f"{where}: exit {ended.returncode}: {ended.stderr[-2000:]}"
        if ended.returncode == 1 and not said[0].startswith("Error: "):
            return f"{where}: no sentence, but {said[0]!r}"
        told = len(re.findall(r"^epoch +\d", ended.stdout, re.M))
        if told > sum(text.count(b"\n") for text in kept.values()):
            return f"{where}: {told} epochs told, and not all kept"
        again, _ = self.run()
        if again.returncode:
            return f"{where}: not resumed: {again.stderr[-2000:]}"
        if lost := [p for p, text in kept.items() if not p.read_bytes().startswith(text)]:
            return f"{where}: epochs lost or done again in {lost}"
        if results(self.out) != self.uncut:
            return f"{where}: other results than those of an undisturbed run"
        return None


def lines(out):
    """The whole lines of every run, by path."""
    found = {path: path.read_bytes() for path in out.rglob("epochs.jsonl")}
    return {path: text[: text.rfind(b"\n") + 1] for path, text in found.items()}


def results(out):
    """What a command leaves, without times: weights and records of every run, names of files."""
    from minisgd.lab.run_folder import read_checkpoint

    found = {}
    for path in sorted(out.rglob("checkpoint.npz")):
        _, records, state = read_checkpoint(path)
        told = [{k: v for k, v in record.items() if k != "seconds"} for record in records]
        weights = state.w.tobytes() + b"".join(v.tobytes() for v in state.memory.values())
        kept = lines(path.parent).get(path.parent / "epochs.jsonl", b"").count(b"\n")
        found[path.relative_to(out)] = told, weights, kept
    damaged = {p.relative_to(out) for p in out.rglob("*.damaged")}
    parts = {p.relative_to(out) for p in out.rglob("*.part")}
    return found, damaged, parts


def enumerate_faults(data, work, names=("train", "sweep", "tune"), kinds=KINDS, step=1, log=print):
    """Try every `step`-th call of these commands with these faults.

    Returns: {(command, kind): faults}, [what was wrong]; the reason in place of both if the library
             cannot be built
    """
    built, why = library(work)
    if built is None:
        return why
    counts, losses = Counter(), []
    for name in names:
        faults = Faults(built, commands(data)[name], work)
        log(f"{name}: {faults.calls} system calls on its folder")
        for kind in kinds:
            for at in range(1, faults.calls + 1, step):
                try:
                    wrong = faults.one(at, kind)
                except subprocess.TimeoutExpired:
                    wrong = f"{kind} at call {at}: it hangs"
                counts[name, kind] += not faults.missed
                faults.missed = 0
                if wrong:
                    losses.append(f"{name}: {wrong}")
                    log(f"LOST: {losses[-1]}")
            log(f"    {kind}: {counts[name, kind]} faults, {len(losses)} losses so far")
    return counts, losses
