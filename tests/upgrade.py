"""What every tenth commit left on the disk is read and continued, or refused in a true sentence.

The code of each commit, taken from the repository's history, trains two short runs, with momentum
and, where it has it, with Adam. Then each is taken back by its last epoch, to the checkpoint before
it, as if it had been killed there, and is continued by the code of today, which also reads all that
the commit keeps in figures/.
"""

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np

from minisgd.data import load_dataset
from minisgd.errors import UserError
from minisgd.lab import sweep
from minisgd.lab.checkpoints import read_checkpoint
from minisgd.lab.metrics import read_metrics
from minisgd.lab.run_folder import RunFolder
from minisgd.report import carry
from minisgd.settings import Settings

ROOT = Path(__file__).parents[1]
FIRST = "f82aab2"  # the first commit whose runs leave files
EVERY = 10
RUN = "--batch-sizes 50 --seeds 1 --epochs 4 --lr 0.01 --jobs 1 --dataset glyphs".split()
WAYS = {"momentum": ("--momentum", "0.9"), "adam": ("--momentum", "0.9", "--optimizer", "adam")}
CLOSE = 1e-5  # of the largest weight: what other versions of the code sum in another order


def commits():
    """Every tenth commit since the first; [] where the history is not here."""
    found = _git("rev-list", "--reverse", "HEAD").decode().split()
    since = [n for n, commit in enumerate(found) if commit.startswith(FIRST)]
    return [commit[:7] for commit in found[since[0] :: EVERY]] if since else []


def _git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False).stdout


def upgrades(data, work, log=print, only=None):
    """Continue what every tenth commit leaves; `log` says of each how it went.

    only     the commits that are tried; None for all
    Returns: the counts of commits, of runs continued and refused, of tables of runs read, and of
             losses; the largest difference of a weight from the run that was not cut, relative to
             the largest weight
    """
    counts = {"commits": 0, "continued": 0, "refused": 0, "tables": 0, "losses": 0}
    counts["difference"] = 0.0
    for commit in only or commits():
        code = work / commit / "code"
        with tarfile.open(fileobj=io.BytesIO(_git("archive", commit))) as archive:
            archive.extractall(code)  # from our own history: it needs no filter
        counts["commits"] += 1
        tables, lost = read_figures(code / "figures")
        counts["tables"] += tables
        counts["losses"] += len(lost)
        log(f"{commit} figures: {'; '.join(lost) or f'{tables} tables read'}")
        for way, options in WAYS.items():
            out = work / commit / way
            said = _trained(code, data, out, options)
            if said is None:
                told, difference = _continued(out, load_dataset("glyphs", data))
                counts[told.split()[0].strip(",:")] += 1
                counts["difference"] = max(counts["difference"], difference)
                log(f"{commit} {way}: {told}")
            elif way == "momentum" or "--optimizer" not in said:
                counts["losses"] += 1
                log(f"{commit} {way}: LOST, it did not train: {said}")
        shutil.rmtree(work / commit)
    return counts


def read_figures(folder):
    """(how many tables of runs in a folder such as figures/ are read row by row, those that are
    not, in words)

    A table without the JSON file that says how it was made, as the first commits left it, is none.
    """
    try:
        found = carry.everything(folder).values()
    except UserError as error:
        return 0, [f"LOST, figures are refused: {error}"]
    tables, lost = 0, []
    for kept in found:
        for name in kept.made:
            path = kept.folder / f"{name}.csv"
            rows = path.read_bytes().count(b"\n") - 1
            read = sum(len(kept.rows[key]) for key in kept.keys[name])
            tables += 1
            lost += [f"LOST, {rows - read} of {rows} rows of {path.name}"] * (read != rows)
    return tables, lost


def _trained(code, data, out, options):
    """Train by the code of a commit; None, or what it said on failing."""
    command = [sys.executable, "cli.py", "sweep", *RUN, *options, "--data-dir", data, "--out", out]
    done = subprocess.run(
        list(map(str, command)), cwd=code, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(code)},
    )  # fmt: skip
    return done.stderr if done.returncode else None


def _continued(out, dataset):
    """What becomes of a folder, in words that begin with continued, refused or losses; and how far
    its weights end from those that were not cut.
    """
    (run,) = (path.parent for path in out.glob("*/run.json"))
    _take_back(run)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    if not _refuses_another(out, dataset):
        return "losses: the folder was taken for that of another question", 0.0
    said = []
    try:
        question, _ = sweep.load_folder(out)
        sweep.open_folder(out, question, dataset, "upgrade", said.append)
        (cell,) = question.cells()
        sweep.run_cell(out, cell, dataset, log=said.append)
    except UserError as error:
        untouched = all(path.read_bytes() == data for path, data in before.items())
        true = "it has no checksum" in str(error) and b"crc32" not in before[out / "sweep.json"]
        return f"{'refused' if true and untouched else 'losses'}: {error}", 0.0
    found, uncut = RunFolder(out, cell, dataset.identity), run / "uncut.npz"
    _, records, state = read_checkpoint(found.newest)
    _, wanted, whole = read_checkpoint(uncut)
    far = float(np.abs(state.w - whole.w).max() / np.abs(whole.w).max())
    went_on = any("continues after epoch 3" in line for line in said)
    same = len(records) == len(wanted) and records[:3] == wanted[:3]
    read = len(read_metrics(out / "metrics.csv")) == len(wanted)
    if not (went_on and same and read and far <= CLOSE):
        return f"losses: {said}, {far:.1g} from the run that was not cut", far
    return f"continued, {far:.1g} from the run that was not cut", far


def _refuses_another(out, dataset):
    """Whether another question is refused in this folder."""
    other = sweep.Question(Settings(lr=0.5), (50,), (0,))
    try:
        sweep.open_folder(out, other, dataset, "upgrade", str)
    except UserError:
        return True
    return False


def _take_back(run):
    """The run as it was before its last epoch; its last checkpoint is kept as uncut.npz."""
    (run / "checkpoint.npz").rename(run / "uncut.npz")
    (run / "checkpoint-previous.npz").rename(run / "checkpoint.npz")
    lines = (run / "epochs.jsonl").read_bytes().splitlines(keepends=True)
    (run / "epochs.jsonl").write_bytes(b"".join(lines[:-1]))
