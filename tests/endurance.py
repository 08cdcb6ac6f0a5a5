"""Kill it, cut its files, fill its disk: no result may be lost, and no bad byte taken for data.

The test suite runs a few cases of each kind (test_endurance.py). The long form is

    python tests/endurance.py --kills 100 --cases 20000

which prints counts of what it did, and exits with 1 if anything was lost or got through. With
--faults, it lets every system call of six commands on their folders fail instead, one at a time
(see system_calls.py), and loses the power after every change that they make (see power_loss.py).
--step 10 tries every tenth, --at-once 4 four at once, --commands train,page only these. With
--upgrade, it continues what earlier commits left (see upgrade.py).
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from damage import damage  # noqa: E402

from minisgd.data import glyphs  # noqa: E402
from minisgd.data.kept_glyphs import keep  # noqa: E402
from minisgd.disk.formats import read_json, read_records  # noqa: E402
from minisgd.errors import UserError  # noqa: E402
from minisgd.lab import sweep  # noqa: E402
from minisgd.lab.checkpoints import read_checkpoint  # noqa: E402
from minisgd.lab.metrics import COLUMNS, read_metrics  # noqa: E402
from minisgd.lab.run_folder import RunFolder  # noqa: E402
from minisgd.train import State  # noqa: E402

SWEEP = ("--batch-sizes", "32,256", "--epochs", "40", "--momentum", "0.9", "--lr", "0.02")
SWEEP += ("--rule", "sqrt", "--warmup", "gradual", "--warmup-epochs", "3", "--dataset", "glyphs")
MOST_LOSSES = 10  # after which nothing more is killed


def make_data(folder, train=500, test=80):
    """A small dataset that the command line finds in `folder` as glyphs."""
    keep(Path(folder) / "glyphs", "glyphs", glyphs.make(train, test))


def start(data, out, *more, **keywords):
    """Start the sweep as a person would, in a process group of its own."""
    command = [sys.executable, str(ROOT / "cli.py"), "sweep", *SWEEP, *more]
    command += ["--data-dir", str(data), "--out", str(out)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, **keywords,
    )  # fmt: skip


def fingerprint(out):
    """One digest of all weights, velocities and metrics, except the seconds, that a sweep left."""
    total = hashlib.sha256()
    for folder in sorted(path.parent for path in Path(out).glob("*/run.json")):
        _, records, state = read_checkpoint(folder / "checkpoint.npz")
        if records != read_records(folder / "epochs.jsonl"):
            return f"the lines of {folder.name} are not those of its checkpoint"
        without = [{k: v for k, v in record.items() if k != "seconds"} for record in records]
        total.update(json.dumps([folder.name, without, state.epoch]).encode())
        total.update(state.w.tobytes() + b"".join(v.tobytes() for v in state.memory.values()))
    rows = read_metrics(Path(out) / "metrics.csv")
    for row in rows:
        total.update(json.dumps({k: v for k, v in row.items() if k != "seconds"}).encode())
    return f"{len(rows)} epochs, {total.hexdigest()[:16]}"


def _workers(pid):
    """The child processes that train (there are others, such as multiprocessing's tracker)."""
    try:
        tasks = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [t for t in map(int, tasks) if b"spawn_main" in _command(t)]
    except OSError:
        return []


def _command(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def _kept(out):
    """The whole lines of every run so far, including the seconds of each epoch, which would differ
    if the epoch were done again.
    """
    lines = {path: path.read_bytes() for path in Path(out).glob("*/epochs.jsonl")}
    return {path: text[: text.rfind(b"\n") + 1] for path, text in lines.items()}


def _lost(kept):
    """The runs that have lost an epoch that was kept."""
    return [p.parent.name for p, text in kept.items() if not p.read_bytes().startswith(text)]


def kill_and_resume(data, work, kills, seed=0, log=print):
    """Kill a sweep (its parent, a worker, or all) at random moments until `kills` have hit.

    Returns: the counts of kills, of sweeps resumed to their end, and of losses: a sweep that ended
             in an error or a traceback, results that differ from those of the uninterrupted sweep,
             or an epoch that was done twice
    """
    rng = random.Random(seed)
    process = start(data, work / "uncut")
    began = time.monotonic()
    _, said = process.communicate()
    whole = time.monotonic() - began
    if process.returncode:
        raise RuntimeError(said)
    uncut = fingerprint(work / "uncut")
    counts = {"kills": 0, "sweeps": 0, "losses": 0}
    # A sweep that crashes before it is hit would be started for ever.
    while counts["kills"] < kills and counts["losses"] < MOST_LOSSES:
        out = work / f"cut{counts['sweeps']}"
        wrong = []
        for attempt in range(9):
            kept = _kept(out)
            process, whom = start(data, out), None
            if attempt < 8 and counts["kills"] < kills:
                try:
                    process.wait(rng.uniform(0, whole))
                except subprocess.TimeoutExpired:
                    whom = _kill(process, rng.choice(("parent", "worker", "all")), rng)
            said, code = process.communicate()[1], process.returncode
            # The run of a worker that died is tried once more: that must end as if nothing was.
            may_be = (0, -signal.SIGKILL) if whom in ("parent", "all") else (0,)
            if code not in may_be or crashed(said, whom):
                wrong.append(f"start {attempt + 1}, hit: {whom}: exit {code}: {said[-2000:]}")
            wrong += [f"an epoch of {run} was done twice" for run in _lost(kept)]
            counts["kills"] += whom == "worker" or code == -signal.SIGKILL
            if code == 0 or wrong:
                break
        counts["sweeps"] += 1
        if not wrong and (found := fingerprint(out)) != uncut:
            wrong.append(f"{found}, not {uncut}")
        if wrong:
            counts["losses"] += 1
            log(f"LOST in {out}: {'; '.join(wrong)}")
        else:
            shutil.rmtree(out)
        log(f"{counts['kills']} kills, {counts['sweeps']} sweeps, {counts['losses']} losses")
    return counts


def crashed(said, whom):
    """Whether a traceback was printed, other than by Python itself of a worker that it was about to
    start when its parent was killed.
    """
    ours = str(ROOT / "minisgd") + os.sep in said
    return "Traceback" in said and (ours or whom != "parent")


def _kill(process, whom, rng):
    """Kill the process, one of its workers or all of them; return whom, None if nobody was there.

    A process that has just ended may still be there to hit: its exit code tells.
    """
    workers = _workers(process.pid)
    try:
        if whom == "worker" and workers:
            os.kill(rng.choice(workers), signal.SIGKILL)
            return whom
        if whom == "all":
            os.killpg(process.pid, signal.SIGKILL)
            return whom
        os.kill(process.pid, signal.SIGKILL)
        return "parent"
    except ProcessLookupError:
        return None


def kept_files(folder):
    """{a small file that a run keeps, with its checksum: its reader}."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    run = RunFolder(folder, sweep.Settings(epochs=3), "digest")
    run.path.mkdir(exist_ok=True)
    records, _ = run.resume(print)
    for epoch in (1, 2, 3):
        record = {"epoch": epoch, "lr": 0.01, "status": "ok", "seconds": 0.1}
        records.append(record | dict.fromkeys(COLUMNS[9:13], 0.5))
        w = rng.normal(size=61_706).astype(np.float32)
        run.save(records, State(epoch, w, {"v": w}))
    return {
        run.lines: read_records, run.newest: read_checkpoint, run.path / "run.json": read_json,
    }  # fmt: skip


def flipped_bits(work, cases, seed=0):
    """Flip one bit of a file of a run: it must be refused or dropped, never believed.

    Returns: the counts of flips, and of those believed: the reader returned other values than were
             written
    """
    rng = random.Random(seed)
    counts = {"flips": 0, "believed": 0}
    for path, reader in kept_files(work / "flips").items():
        good = path.read_bytes()
        truth = reader(path)
        for _ in range(cases):
            bytes_ = bytearray(good)
            bytes_[rng.randrange(len(bytes_))] ^= 1 << rng.randrange(8)
            path.write_bytes(bytes_)
            counts["flips"] += 1
            try:
                found = reader(path)
            except UserError:
                continue
            if reader is read_json:
                counts["believed"] += found != truth
            elif reader is read_records:
                counts["believed"] += found != truth[: len(found)]
            else:
                same = found[:2] == truth[:2] and (found[2].w == truth[2].w).all()
                counts["believed"] += not (
                    same and (found[2].memory["v"] == truth[2].memory["v"]).all()
                )
    return counts


def faults(data, work):
    """In mid-run: a limit on file sizes, a folder that vanishes, a second sweep, a read-only folder
    and a full disk.

    Each must end in one sentence and exit code 1; the same command afterwards must give the results
    of an undisturbed sweep.

    Returns: the counts of faults injected and of losses; the sentences
    """
    counts, sentences = {"injected": 0, "losses": 0}, []
    start(data, work / "calm").communicate()
    uncut = fingerprint(work / "calm")

    def check(name, process, out, mend=lambda: None, again_at_once=False):
        said = process.communicate()[1]
        line = said.strip().splitlines()[-1]
        sentences.append(f"{name}: exit {process.returncode}: {line}")
        clear = process.returncode == 1 and line.startswith("Error: ") and "Traceback" not in said
        if again_at_once:  # before it is mended: it must fail as clearly
            process = start(data, out)
            said = process.communicate()[1]
            line = said.strip().splitlines()[-1]
            sentences.append(f"{name}, again: exit {process.returncode}: {line}")
            clear = clear and process.returncode == 1 and line.startswith("Error: ")
        mend()
        kept = _kept(out)
        again = start(data, out)
        said = again.communicate()[1]
        whole = again.returncode == 0 and fingerprint(out) == uncut and not _lost(kept)
        if not whole:
            sentences.append(f"{name}: NOT RESUMED: {said}")
        counts["injected"] += 1
        counts["losses"] += not (clear and whole)

    out = work / "limited"
    check("file size limited", start(data, out, preexec_fn=_limit_files), out)

    out = work / "gone"
    process = start(data, out)
    wait_for(lambda: any(out.glob("*/checkpoint.npz")))
    out.rename(work / "gone-away")
    check("folder gone", process, out)

    out = work / "busy"
    both = [start(data, out), start(data, out)]
    wait_for(lambda: any(process.poll() is not None for process in both))
    both.sort(key=lambda process: process.poll() is None)  # the one that was refused first
    other = []
    check("two at once", both[0], out, mend=lambda: other.append(both[1].communicate()[1]))
    if both[1].returncode:
        counts["losses"] += 1
        sentences.append(f"two at once: THE OTHER ENDED, TOO: {other[0]}")

    out = work / "read-only"
    process = start(data, out)
    wait_for(lambda: any(out.glob("*/checkpoint.npz")))
    if _freeze(out, True):
        check("read-only", process, out, mend=lambda: _freeze(out, False))
    else:
        process.communicate()
        sentences.append("read-only: left out, no folder can be made so here")

    small = work / "small"
    if not _mount(small):
        sentences.append("disk full: left out, no file system can be mounted here")
        return counts, sentences
    try:
        out, ballast = small / "full", small / "ballast"
        process = start(data, out)
        wait_for(lambda: any(out.glob("*/checkpoint.npz")))
        _fill(ballast)
        check("disk full", process, out, mend=ballast.unlink, again_at_once=True)
    finally:
        subprocess.run(["umount", "-l", str(small)], check=False)
    return counts, sentences


def _freeze(out, frozen):
    """Forbid everybody, even root, to make or remove files in a sweep's folders; or allow it."""
    folders = [out, *(path for path in out.iterdir() if path.is_dir())]
    if os.geteuid():
        for folder in folders:
            folder.chmod(0o555 if frozen else 0o755)
        return True
    command = ["chattr", "+i" if frozen else "-i", *map(str, folders)]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def _fill(ballast):
    try:
        with open(ballast, "wb", buffering=0) as file:
            while file.write(bytes(1 << 12)):
                pass
    except OSError:
        pass  # full


def _limit_files():
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    # The dataset's shared memory, also a file, is just below this; a checkpoint is just above.
    resource.setrlimit(resource.RLIMIT_FSIZE, (480_000, 480_000))


def _mount(folder):
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError("what was waited for did not happen")
        time.sleep(0.01)


def every_fault(data, work, names, step, at_once):
    """Enumerate the system calls and losses of power, print a table of how many there were by
    command and fault, return the exit code: 1 also if there were none.
    """
    from power_loss import enumerate_power
    from system_calls import KINDS, enumerate_faults

    log = lambda line: print(line, flush=True)  # noqa: E731
    tried = {
        "system call can be made to fail": enumerate_faults,
        "loss of power can be tried": enumerate_power,
    }
    counts, losses, complete = Counter(), [], True
    for what, enumerate_them in tried.items():
        found = enumerate_them(data, work, names, step=step, at_once=at_once, log=log)
        if isinstance(found, str):
            print(f"no {what} here: {found}")
            complete = False
        else:
            counts, losses = counts | found[0], losses + found[1]
    columns = ("calls", *KINDS, "power")
    print("\n| command | " + " | ".join(columns) + " |")
    print("|---" * (1 + len(columns)) + "|")
    for name in names:
        print(f"| `{name}` | " + " | ".join(str(counts[name, each]) for each in columns) + " |")
    faults = {name: sum(counts[name, each] for each in columns[1:]) for name in names}
    missed = sum(counts[name, "missed"] for name in names)
    print(f"\ncame to nothing, for the call did not come: {missed}")
    print(f"losses: {len(losses)} of {sum(faults.values())} faults")
    return 1 if losses or not complete or not all(faults.values()) else 0


def every_upgrade(data, work):
    """Continue what every tenth commit left, print how it went, return the exit code."""
    from upgrade import upgrades

    found = upgrades(data, work, log=lambda line: print(line, flush=True))
    print(
        f"{found['commits']} commits: {found['continued']} runs continued, ending at most "
        f"{found['difference']:.1g} away; {found['refused']} refused in a true sentence"
    )
    print(f"losses: {found['losses']}")
    return 1 if found["losses"] or not found["commits"] else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--flips", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", action="store_true")
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--commands", default="train,sweep,page,figures,tune,download")
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--upgrade", action="store_true")
    given = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="minisgd-endurance-"))
    data = work / "data"
    make_data(data)
    if given.faults:
        names = given.commands.split(",")
        sys.exit(every_fault(data, work, names, given.step, given.at_once))
    if given.upgrade:
        sys.exit(every_upgrade(data, work))
    fuzzed = damage(work / "damage", given.cases, given.seed)
    print(
        f"{fuzzed['cases']:,} damaged inputs of {fuzzed['kinds']} kinds: {fuzzed['values']:,} "
        f"read, {fuzzed['refused']:,} refused in a sentence, {fuzzed['escaped']} other exceptions; "
        f"at most {fuzzed['peak_mb']} MB and {fuzzed['seconds']} s for one",
        flush=True,
    )
    flipped = flipped_bits(work, given.flips, given.seed)
    print(f"{flipped['flips']:,} bits flipped: {flipped['believed']} believed", flush=True)
    injected, sentences = faults(data, work)
    print(f"{injected['injected']} faults injected: {injected['losses']} losses", flush=True)
    for sentence in sentences:
        print(f"    {sentence}", flush=True)
    quiet = lambda line: line.startswith("LOST") and print(line, flush=True)  # noqa: E731
    killed = kill_and_resume(data, work, given.kills, given.seed, log=quiet)
    print(f"{killed['kills']} kills survived over {killed['sweeps']} sweeps")
    bad = fuzzed["too_much"] + fuzzed["escaped"]
    bad += flipped["believed"] + injected["losses"] + killed["losses"]
    left_out = sum("left out" in sentence for sentence in sentences)
    print(f"losses: {bad}" + f"; faults left out: {left_out}" * (left_out > 0))
    if not bad:
        shutil.rmtree(work)
    sys.exit(1 if bad or left_out else 0)


if __name__ == "__main__":
    main()
