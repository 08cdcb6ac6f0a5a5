"""Damaged inputs for every reader that there is: each is read, or refused in a sentence.

A kind is a folder with small good files and a function that reads them. In each case one file is
damaged: in its bytes, or in what they mean, where checksums and packing are made to fit again, so
that the damage gets past them. The reader may return, or raise one of this program's own errors.
"""

import csv
import gzip
import io
import json
import os
import random
import struct
import time
import tracemalloc
import warnings
import zipfile
import zlib
from contextlib import ExitStack, contextmanager, redirect_stderr
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import click
import numpy as np

from minisgd.commands import from_python, measure, types
from minisgd.data import FILES, Known, glyphs, load_dataset, write_idx
from minisgd.data.idx import digest_of, map_idx, read_idx
from minisgd.data.kept_glyphs import read_kept
from minisgd.data.loading import import_files
from minisgd.disk.files import _holder
from minisgd.disk.formats import (
    read_records,
    remembered,
    write_json,
    write_table,
)
from minisgd.errors import UserError
from minisgd.exercises import EXERCISES, asking, judging, sheet
from minisgd.lab import own, sweep
from minisgd.lab.checkpoints import read_checkpoint
from minisgd.lab.metrics import COLUMNS, read_metrics, tidy, write_metrics
from minisgd.lab.names import folder_name, run_name, title_of
from minisgd.lab.run_folder import RunFolder
from minisgd.measures import curvature, noise_scale, steps, steps_shown
from minisgd.page import html, project
from minisgd.page import ranks as page_ranks
from minisgd.page import sweep as sweep_page
from minisgd.report import carry, selection
from minisgd.report.experiments import EXPERIMENTS, Kept, read_reference
from minisgd.report.publish import refuse_another_question
from minisgd.report.search import Range, Search
from minisgd.report.trials import Trials
from minisgd.settings import Settings
from minisgd.train import State

OURS = UserError, click.UsageError
MOST_MB, MOST_SECONDS = 50, 5  # that one damaged input may take
FEW = {"train_loss": 1.5, "train_accuracy": 0.5, "test_loss": 1.25, "test_accuracy": 0.75}


class Kind(NamedTuple):
    """A reader and its good files.

    forms    {path within the folder: what is damaged in it: a key of FORMS}
    read     reads all that is in the folder
    turns    one of so many rounds tries it: those that take long are tried less often
    """

    name: str
    folder: Path
    forms: dict
    read: object
    turns: int = 1


# ---- the kinds


def kinds(work):
    """Every Kind, its folder made in `work`."""
    makers = (
        *(_idx_file(name) for name in ("images", "images.gz", "labels-int", "mapped")),
        _own_images, _published, _imported, _glyphs, _mapped_glyphs, _run, _lines, _checkpoint,
        _old_checkpoint, _sweep, _runs_of_a_sweep, _remembered, _metrics, _held_out, _authors,
        _figures, _trials, _tune, _question, _steps, _noise, _curvature, _page, _sweep_page,
        _own_file, _exercise, _answers, _from_python, _options, _lock,
    )  # fmt: skip
    found = []
    for number, make in enumerate(makers):
        folder = work / f"{number:02}"
        folder.mkdir(parents=True)
        found.append(make(folder))
    return found


def _images(N, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (N, 28, 28)).astype(np.uint8)


def _arrays():
    return [
        _images(12),
        (np.arange(12) % 10).astype(np.uint8),
        _images(7, 1),
        np.arange(7, dtype="u1"),
    ]


def _put(folder, names):
    folder.mkdir(exist_ok=True)
    for name, array in zip(names, _arrays(), strict=True):
        write_idx(folder / name, array)


def _idx_file(name):
    """One IDX file: packed or not, mapped or not, of bytes or of QMNIST's eight columns."""

    def make(folder):
        if name == "labels-int":
            columns = (np.arange(40).reshape(5, 8) % 10).astype(">i4")
            (folder / name).write_bytes(
                struct.pack(">BBBBII", 0, 0, 12, 2, 5, 8) + columns.tobytes()
            )
        else:
            write_idx(folder / name, _images(7))
        read = read_idx if name.startswith("images") else map_idx
        form = "idx.gz" if name.endswith("gz") else "idx"
        return Kind(f"IDX, {name}", folder, {name: form}, lambda: read(folder / name))

    return make


def _own_images(folder):
    names = [f"emnist-digits-{file.replace('t10k', 'test')}" for file in FILES]
    _put(folder, names)
    return Kind("images of one's own", folder, dict.fromkeys(names, "idx"),
                lambda: load_dataset("idx", folder, log=str))  # fmt: skip


def _known():
    return {"small": Known(tuple(map(digest_of, _arrays())))}


def _published(folder):
    names = [f"small/{file}.gz" for file in FILES]
    _put(folder / "small", [f"{file}.gz" for file in FILES])
    read = lambda: load_dataset("small", folder, download=False, log=str, known=_known())  # noqa: E731
    return Kind("published images", folder, dict.fromkeys(names, "idx.gz"), read)


def _imported(folder):
    names = [f"from/{file}.gz" for file in FILES]
    _put(folder / "from", [f"{file}.gz" for file in FILES])
    read = lambda: import_files("small", folder / "from", folder / "to", _known())  # noqa: E731
    return Kind("images to import", folder, dict.fromkeys(names, "idx.gz"), read)


def _glyphs(folder, name="glyphs", ending=".gz"):
    files = [f"{file}{ending}" for file in FILES]
    _put(folder / name, files)
    digests = dict(zip(FILES, map(digest_of, _arrays()), strict=True))
    note = json.dumps({"recipe": glyphs.RECIPE, "sha256": digests}, indent=1)
    (folder / name / "digests.json").write_text(note)
    forms = {f"{name}/{file}": f"idx{ending}" for file in files} | {f"{name}/digests.json": "json"}
    return Kind(f"kept {name}", folder, forms, lambda: read_kept(folder / name, name))


def _mapped_glyphs(folder):
    return _glyphs(folder, "bent-glyphs", "")


def _record(epoch, **more):
    record = {"epoch": epoch, "lr": 0.01} | FEW
    return record | {"status": "ok", "seconds": 0.25} | more


CELL = Settings(batch_size=32, epochs=3, network="mlp")
DIGEST = "d" * 64


def _run_folder(folder, settings=CELL):
    from minisgd.networks import NETWORKS, size_of

    run = RunFolder(folder, settings, DIGEST)
    run.path.mkdir(exist_ok=True)
    records, _ = run.resume(str)
    P = size_of(NETWORKS[settings.network])
    for epoch in (1, 2):
        records.append(_record(epoch))
        run.save(records, State(epoch, np.full(P, epoch, np.float32), {}, None, 0))
    return run


def _run(folder):
    run = _run_folder(folder)
    name = f"{run.path.name}/run.json"

    def read():
        found = RunFolder(folder, CELL, DIGEST)
        found.finished()
        found.resume(str)
        return found.records()

    return Kind("run.json", folder, {name: "sealed"}, read)


def _lines(folder):
    run = _run_folder(folder)
    name = f"{run.path.name}/epochs.jsonl"

    def read():
        found = RunFolder(folder, CELL, DIGEST)
        rows = [tidy(CELL, record) for record in found.records()]
        write_metrics(folder / "again.csv", rows)
        return read_records(run.lines), found.finished()

    return Kind("epochs.jsonl", folder, {name: "lines"}, read)


def _checkpoint(folder):
    run = _run_folder(folder)
    names = [f"{run.path.name}/{path.name}" for path in (run.newest, run.previous)]

    def read():
        read_checkpoint(run.newest)
        records, _ = RunFolder(folder, CELL, DIGEST).resume(str)
        write_metrics(folder / "again.csv", [tidy(CELL, record) for record in records])

    return Kind("checkpoint.npz", folder, dict.fromkeys(names, "npz"), read)


def _old_checkpoint(folder):
    """As before formats had numbers: v beside w, and `told` for the class that is predicted."""
    settings = {"batch_size": 32, "lr": 0.01, "momentum": 0.9}
    said = {"run": {"settings": settings, "digest": DIGEST}, "records": [_record(1)], "epoch": 1}
    text = np.frombuffer(json.dumps(said | {"frozen": 0, "told": None}).encode(), np.uint8)
    w = np.arange(500, dtype=np.float32)
    np.savez(folder / "checkpoint.npz", w=w, v=w, said=text)
    return Kind("checkpoint of format 1", folder, {"checkpoint.npz": "npz"},
                lambda: read_checkpoint(folder / "checkpoint.npz"))  # fmt: skip


QUESTION = sweep.Question(CELL, (32, 64), (0, 1))


class Digits:
    name, identity = "glyphs", DIGEST


def _sweep_folder(folder):
    sweep.open_folder(folder, QUESTION, Digits, "a command", str)
    for cell in QUESTION.cells()[:2]:
        _run_folder(folder, cell)


def _sweep(folder):
    """One that was made anew, and so has `went_on_with` and no `versions`."""
    _sweep_folder(folder)
    (folder / "sweep.json").write_bytes(b"{")
    sweep.open_folder(folder, QUESTION, Digits, "a command", str)
    (folder / "sweep.damaged").unlink()

    def read():
        question, known = sweep.load_folder(folder)
        sweep.open_folder(folder, QUESTION, Digits, "a command", str)
        sweep.rows_of(sweep.collect(folder, question, known["digest"]))

    return Kind("sweep.json", folder, {"sweep.json": "sealed"}, read)


def _runs_of_a_sweep(folder):
    """What a sweep.json that is damaged is made anew from."""
    _sweep_folder(folder)
    path = folder / run_name(QUESTION.cells()[0]) / "run.json"

    def read():
        (folder / "sweep.json").write_bytes(b"{")
        return sweep.open_folder(folder, QUESTION, Digits, "a command", str)

    return Kind("runs of a sweep", folder, {str(path.relative_to(folder)): "sealed"}, read)


def _remembered(folder):
    rows = [{"update": 1, "loss": 2.0}]
    read = lambda: remembered(folder / "kept.json", {"seed": 0}, lambda: rows)  # noqa: E731
    read()
    return Kind("rows of a measure", folder, {"kept.json": "sealed"}, read)


def _rows(settings=CELL, epochs=3):
    return [tidy(settings, _record(epoch)) for epoch in range(1, epochs + 1)]


def _metrics(folder):
    write_metrics(folder / "metrics.csv", _rows())
    return Kind("metrics.csv", folder, {"metrics.csv": "csv"},
                lambda: read_metrics(folder / "metrics.csv"))  # fmt: skip


def _held_out(folder):
    write_metrics(folder / "metrics.csv", _rows(), held_out=True)
    return Kind("metrics on held-out images", folder, {"metrics.csv": "csv"},
                lambda: read_metrics(folder / "metrics.csv", held_out=True))  # fmt: skip


def _authors(folder):
    experiment = EXPERIMENTS["figure1"]
    columns = "batch_size epoch lr train_accuracy test_loss test_accuracy time".split()
    rows = [dict(zip(columns, (64, i, 0.01, 0.5, 1.5, 0.5, 3.0), strict=True)) for i in (1, 2, 3)]
    write_table(folder / experiment.authors, columns, rows)
    return Kind("the authors' table", folder, {experiment.authors: "csv"},
                lambda: read_reference(folder, experiment))  # fmt: skip


def _figure_files(folder, names=("figure1", "figure6")):
    for name in names:
        cell = EXPERIMENTS[name].settings[0]
        rows = [tidy(cell, _record(i, lr=0.01)) for i in range(1, cell.epochs + 1)]
        write_metrics(folder / f"{name}.csv", rows)
        made = {"title": name, "dataset": "mnist", "digest": DIGEST, "makings": []}
        write_json(folder / f"{name}.json", made)
    return {f"{name}.{end}": form for name in names for end, form in FIGURE.items()}


FIGURE = {"csv": "csv", "json": "sealed"}


def _figures(folder):
    forms = _figure_files(folder)

    def read():
        kept = Kept(folder)
        for experiment in EXPERIMENTS.values():
            cells = kept.cells(experiment)
            if cells:
                kept.add(experiment, {cells[0]: kept.records(cells[0])}, MNIST, {"command": ""})

    return Kind("tables of the figures", folder, forms, read, 10)


class MNIST:
    name, identity = "mnist", DIGEST


SEARCH = Search(Settings(batch_size=64, optimizer="nesterov", momentum=0.9, epochs=4),
                (Range("lr", 0.01, 0.3),), trials=4, halvings=1)  # fmt: skip


def _trials(folder):
    cells = [
        replace(SEARCH.base, lr=lr, epochs=epochs)
        for epochs, rates in ((2, (0.02, 0.05, 0.1, 0.2)), (4, (0.1, 0.2)))
        for lr in rates
    ]
    Trials(folder).add({SEARCH: [(cell, _record(2)) for cell in cells]}, MNIST, {"command": ""})

    def read():
        trials = Trials(folder)
        trials.of(SEARCH)
        trials.add({}, MNIST, {"command": ""})
        carry.everything(folder)

    forms = {"answer-trials.csv": "csv", "answer-trials.json": "sealed"}
    return Kind("trials of a search", folder, forms, read)


def _tune(folder):
    rows = [dict(zip(selection.COLUMNS, (64, lr, 0.0, 30, seed, 0.9, 0.8), strict=True))
            for lr in (0.01, 0.1) for seed in (0, 1)]  # fmt: skip
    write_table(folder / "tune.csv", selection.COLUMNS, rows)
    write_json(folder / "tune.json", {"asked": {"epochs": 30, "rule": "none", "digest": DIGEST}})

    def read():
        found = selection.read_trials(folder, DIGEST)
        return selection.table(found) if found else None

    return Kind("tune.csv", folder, {"tune.csv": "csv", "tune.json": "sealed"}, read)


def _question(folder):
    asked = {"seed": 0, "dataset": "mnist", "digest": DIGEST, "runs": [{"lr": 0.1}]}
    write_json(folder / "answer.json", {"title": "", "asked": asked})
    return Kind("question of a figure", folder, {"answer.json": "sealed"},
                lambda: refuse_another_question(folder, "answer", asked))  # fmt: skip


def _steps_files(folder):
    """The table of the steps, what more ranks would take, and their forms."""
    rows = [
        dict(zip(steps.COLUMNS, ("momentum", b, kind, 0.97, seed, 0.1, 0.9, s, 0.5, 90, 2.5, 0.98,
                            "reached"),
                 strict=True))
        for b, s in ((64, 80.0), (128, 50.0), (256, 30.0), (512, 25.0))
        for kind, seed in (("trial", 0), ("seed", 1), ("seed", 2))
    ]  # fmt: skip
    write_table(folder / "measure-steps.csv", steps.COLUMNS, rows)
    write_json(folder / "measure-steps.json", {"asked": {"seed": 0, "digest": DIGEST}})
    model = {"c": 1e-4, "o": 1e-3, "alpha": 1e-6, "beta": 1e-10}
    made = {"asked": {"ranks": [1, 2]}, "model": model, "steps": {"momentum": 1e-4}}
    made |= {"jobs": [], "misfits": [0.9, 1.1], "command": "", "versions": {}, "machine": ""}
    write_json(folder / "scaling.json", made)
    return {"measure-steps.csv": "csv", "measure-steps.json": "sealed", "scaling.json": "sealed"}


def _steps(folder):
    forms = _steps_files(folder)

    def read():
        from minisgd.commands.tools import times_kept
        from minisgd.page import steps as page_steps

        page_ranks.section(folder)
        page_steps.section(folder)
        times_kept(folder, {"ranks": [1, 2]}, {"momentum"})
        measure.kept("steps", folder, 60_000)
        return [line.law for line in steps_shown.kept_lines(folder, MNIST)]

    return Kind("measure-steps.csv", folder, forms, read)


def _noise(folder):
    rows = [
        dict.fromkeys(noise_scale.COLUMNS, value) | {"update": update}
        for update, value in ((0, 0.5), (30, 0.25), (300, 0.125))
    ]
    write_table(folder / "measure-noise-scale.csv", noise_scale.COLUMNS, rows)
    write_json(folder / "measure-noise-scale.json", {"asked": {"digest": DIGEST}})

    def read():
        measure.kept("noise-scale", folder, 60_000)
        return steps_shown.noise_range(noise_scale.kept(folder, DIGEST))

    forms = {"measure-noise-scale.csv": "csv", "measure-noise-scale.json": "sealed"}
    return Kind("measure-noise-scale.csv", folder, forms, read)


def _curvature_rows(folder):
    """The table of a run step by step, and its form."""
    rows = [dict.fromkeys(curvature.COLUMNS, 0.5 * k) | {"warmup": "none", "batch_size": 8192,
            "seed": 0, "update": k, "epoch": k} for k in (0, 1, 2)]  # fmt: skip
    write_table(folder / "measure-curvature.csv", curvature.COLUMNS, rows)
    return {"measure-curvature.csv": "csv"}


def _curvature(folder):
    from minisgd.page import curvature as page_curvature

    def read():
        found = page_curvature.runs(folder)
        return found and html.as_json(page_curvature.section(found)[1])

    return Kind("measure-curvature.csv", folder, _curvature_rows(folder), read)


def _page(folder):
    """The page's data: all that it reads of a folder of figures."""
    forms = _figure_files(folder, ("figure1",)) | _curvature_rows(folder)

    def read():
        kept, *elsewhere = carry.everything(folder).values()
        if kept.made:
            with mock.patch.object(html, "library", str):
                return project.page(kept, *elsewhere)

    return Kind("data of the page", folder, forms, read, 20)


def _sweep_page(folder):
    _sweep_folder(folder)
    run = RunFolder(folder, QUESTION.cells()[0], DIGEST)
    forms = {f"{run.path.name}/{name}": form
             for name, form in (("run.json", "sealed"), ("epochs.jsonl", "lines"))}  # fmt: skip

    def read():
        collected = sweep.collect(folder, QUESTION, DIGEST)
        with mock.patch.object(html, "library", str):
            return sweep_page.page("title", None, collected, "command", 3)

    return Kind("data of a sweep's page", folder, forms, read, 5)


OWN = '''"""An idea."""

from minisgd.networks import FLATTEN, linear
from minisgd.optim import Optimizer


def cube_root(b, b0):
    return (b / b0) ** (1 / 3)


def half(i, k, base_lr, lr):
    return lr / 2


def step(w, g, memory, lr, t, settings, shapes):
    memory["v"] *= 0.5
    memory["v"] += g
    w -= lr * memory["v"]


def normal(rng, shape, fan_in):
    return rng.normal(0, (2 / fan_in) ** 0.5, shape)


RULES = {"cube-root": cube_root}
WARMUPS = {"half": half}
OPTIMIZERS = {"mine": Optimizer(step, memory=("v",))}
NETWORKS = {"small": [FLATTEN, linear("fc", 784, 10)]}
INITS = {"normal": normal}
'''


def _own_file(folder):
    (folder / "mine.py").write_text(OWN)

    def read():
        try:
            own.read(folder / "mine.py")
        finally:
            own.forget()

    return Kind("a file for --with", folder, {"mine.py": "code"}, read)


SOLVED = """self.dW += dy @ self.x.T
        self.db += dy.sum(axis=1)
        return self.W.T @ dy"""


def _exercise(folder):
    text = sheet("linear").read_text("utf-8")
    solved = text.replace('raise NotImplementedError("write this")', SOLVED)
    (folder / "linear.py").write_text(solved)

    def read():
        """As judging.check, but in this process: one of its own takes half a second."""
        file = own.opened(folder / "linear.py", "--check")
        exercise = EXERCISES[judging.exercise_in(file)]
        module = own.imported(file)
        problem = asking.missing(exercise, module, file)
        found = asking.answers(exercise, module, file)
        asking._write(folder / "answers.npz", problem, found)
        return judging.judge("linear", file, *asking._read(folder / "answers.npz"))

    return Kind("an exercise", folder, {"linear.py": "code"}, read, 4)


def _answers(folder):
    """What the process that runs a learner's file leaves."""
    found = [asking.Answer({"dW": np.ones((2, 3))}, {}, []), asking.Answer({}, {"dx": "no"}, ["W"])]
    asking._write(folder / "answers.npz", None, found)
    return Kind("answers of an exercise", folder, {"answers.npz": "npz"},
                lambda: asking._read(folder / "answers.npz"))  # fmt: skip


def _from_python(folder):
    given = {"batch_size": 128, "lr": 0.1, "rule": "linear", "warmup": "gradual", "epochs": 20,
             "warmup_epochs": 3, "momentum": 0.9, "optimizer": "lars", "clip": 1.0, "seed": 1,
             "decay": "cosine", "network": "mlp", "init": "he", "plain": True, "own": None,
             "batch_schedule": "x5@11", "weight_decay": 1e-4}  # fmt: skip
    (folder / "settings.json").write_text(json.dumps(given))

    def read():
        try:
            given = json.loads((folder / "settings.json").read_bytes())
        except (ValueError, RecursionError):
            return None
        if not isinstance(given, dict):
            return None
        settings = from_python._settings(given)
        settings.check(60_000)
        return run_name(settings), folder_name(settings, "mnist"), title_of(settings, "mnist")

    return Kind("settings given from Python", folder, {"settings.json": "json"}, read)


OPTIONS = (
    (types.Numbers(), "64,128,256"),
    (types.Seeds(), "3"),
    (types.Rates(), ".01,.02,5e-1"),
    (types.Ranges(), "lr=.01:.3,momentum=.8:.98"),
)


def _options(folder):
    for place, (_, text) in enumerate(OPTIONS):
        (folder / str(place)).write_text(text)

    def read():
        found = []
        for place, (kind, _) in enumerate(OPTIONS):
            text = (folder / str(place)).read_bytes().decode("utf-8", "surrogateescape")
            found.append(kind.convert(text, None, None))
        return found

    forms = {str(place): "text" for place in range(len(OPTIONS))}
    return Kind("values of options", folder, forms, read)


def _lock(folder):
    (folder / ".lock").write_text(" process 12 on here, since 2026-11-25 12:00:00")
    return Kind("who holds a lock", folder, {".lock": "text"}, lambda: _holder(folder / ".lock"))


# ---- damage


def bent_bytes(good, rng):
    """The good bytes damaged: bits flipped, cut, lengthened, repeated, swapped, overwritten, or all
    made up.
    """
    data = bytearray(good)
    if not data:
        return rng.randbytes(20)
    kind, place = rng.randrange(9), rng.randrange(len(data))
    size = rng.randrange(1, 1 + min(len(data), rng.choice((4, 40, 400, 4000))))
    if kind == 0:
        data[place] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del data[place:]
    elif kind == 2:
        data[place:place] = rng.randbytes(rng.randrange(1, 40))
    elif kind == 3:
        start = rng.randrange(min(len(data), 400))
        data[start : start + 4] = rng.choice((b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"))
    elif kind == 4:
        data[place : place + size] = rng.randbytes(size)
    elif kind == 5:
        del data[place : place + size]
    elif kind == 6:
        data[place:place] = data[place : place + size] * rng.randrange(1, 4)
    elif kind == 7:
        other = rng.randrange(len(data))
        one, two = data[place : place + size], data[other : other + size]
        data[place : place + size], data[other : other + size] = two, one
    else:
        data = bytearray(rng.randbytes(rng.randrange(0, 300)))
    return bytes(data)


def _deep(rng):
    value = 1
    for _ in range(rng.choice((3, 40, 300))):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value


EXTREMES = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 10**400, 1e308, -1e308,
    5e-324, 0.5, float("nan"), float("inf"), -float("inf"), "", "0", "x" * 3000, "\ud800",
    "\0", "../..", "a\nb", "NaN", "none", [], {}, [[]], [None], {"": None}, [1, 2, 3], {"a": 1},
)  # fmt: skip


def bent_value(value, rng):
    """A value as JSON has it, one of its parts replaced by another kind or an extreme of its own,
    left out, renamed, repeated or swapped.
    """
    value = json.loads(json.dumps(value))
    places = []  # (container, key) of every part

    def walk(part):
        for key in part if isinstance(part, dict) else range(len(part)):
            places.append((part, key))
            if isinstance(part[key], dict | list):
                walk(part[key])

    if not isinstance(value, dict | list):
        return rng.choice(EXTREMES)
    walk(value)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if not places or rng.random() < 0.02:
            return rng.choice(EXTREMES)
        holder, key = rng.choice(places)
        if key not in holder if isinstance(holder, dict) else key >= len(holder):
            continue
        kind = rng.randrange(8)
        if kind < 4:
            holder[key] = rng.choice(EXTREMES) if rng.random() < 0.95 else _deep(rng)
        elif kind == 4:
            del holder[key]
        elif kind == 5 and isinstance(holder, dict):
            holder[rng.choice(("", "lr", "own", "format", "x" * 300, "epoch", key + " "))] = (
                holder.pop(key)
            )
        elif kind == 6 and isinstance(holder, list):
            holder[key:key] = [holder[key]] * rng.choice((1, 1, 50))
        else:
            other_holder, other = rng.choice(places)
            if (
                other in other_holder
                if isinstance(other_holder, dict)
                else other < len(other_holder)
            ):
                holder[key] = json.loads(json.dumps(other_holder[other]))
    return value


def bent_json(good, rng):
    text = json.dumps(bent_value(json.loads(good), rng))
    if rng.random() < 0.02:
        depth = rng.choice((50, 2000, 100_000))
        text = text[:-1] + ', "a": ' + "[" * depth + "]" * depth * (rng.random() < 0.9) + "}"
    return text.encode()


def sealed_json(good, rng):
    """JSON whose checksum is that of the damaged value."""
    value = json.loads(good)
    value.pop("crc32")
    value = bent_value(value, rng)
    if not isinstance(value, dict) or rng.random() < 0.05:
        return bent_json(good, rng)
    return json.dumps(value | {"crc32": zlib.crc32(json.dumps(value).encode())}).encode()


def sealed_lines(good, rng):
    """Lines of records with right checksums: one has damaged values, or they are in disorder."""
    records = [json.loads(line) for line in good.splitlines()]
    for record in records:
        del record["crc32"]
    kind = rng.randrange(4)
    if kind < 2:
        place = rng.randrange(len(records))
        records[place] = bent_value(records[place], rng)
    elif kind == 2:
        rng.shuffle(records)
    else:
        records += records * rng.choice((1, 30))
    lines = []
    for record in records:
        if isinstance(record, dict) and record:
            body = json.dumps(record)
            lines.append(f'{body[:-1]}, "crc32": {zlib.crc32(body.encode())}}}\n')
        else:
            lines.append(f"{json.dumps(record)}\n")
    return "".join(lines).encode()


CELLS = (
    "", "0", "-1", "1", "2.5", "1e400", "-1e400", "nan", "inf", "-inf", "1e-400", "9" * 30,
    "9" * 5000, "None", "True", "none", "x", '"', "'", "\r", "a,b", "64.0", " 64", "6_4", "٦٤",
    "\0", "x" * 2000, "sgd", "0x10",
)  # fmt: skip


def bent_csv(good, rng):
    """A table with other cells, or with rows and columns gone, twice, in disorder or ragged."""
    rows = list(csv.reader(io.StringIO(good.decode())))
    kind, place = rng.randrange(9), rng.randrange(len(rows))
    column = rng.randrange(len(rows[0]))
    if kind < 4:
        for _ in range(rng.choice((1, 1, 3))):
            row = rng.randrange(1, len(rows))
            rows[row][rng.randrange(len(rows[row]))] = rng.choice(CELLS)
    elif kind == 4:
        rows[0][column] = rng.choice((*CELLS, *COLUMNS))
    elif kind == 5:
        for row in rows:
            del row[column]
    elif kind == 6:
        rows[place] = rows[place][: rng.randrange(len(rows[0]) + 1)] + ["0"] * rng.randrange(3)
    elif kind == 7:
        rows[place:place] = [list(rows[rng.randrange(len(rows))])] * rng.choice((1, 60))
    else:
        a, b = rng.randrange(len(rows[0])), rng.randrange(len(rows[0]))
        for row in rows[rng.randrange(2) :]:
            row[a], row[b] = row[b], row[a]
    text = io.StringIO()
    csv.writer(text, lineterminator=rng.choice(("\n", "\n", "\r\n", "\r"))).writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


SIZES = (0, 1, 2, 27, 28, 29, 784, 2**16, 2**24, 2**27, 2**27 + 1, 2**31 - 1, 2**31, 2**32 - 1)


def bent_idx(good, rng):
    """An IDX file with another header: other sizes, huge ones, another type or number of them."""
    data, kind = bytearray(good), rng.randrange(4)
    if kind == 0:
        data[2] = rng.choice((8, 9, 11, 12, 13, 14, 0, 255))
    elif kind == 1:
        data[3] = rng.randrange(6)
    elif kind == 2:
        place = 4 + 4 * rng.randrange(data[3])
        data[place : place + 4] = struct.pack(">I", rng.choice(SIZES))
    else:
        for place in range(4, 4 + 4 * data[3], 4):
            data[place : place + 4] = struct.pack(">I", rng.choice(SIZES))
    return bytes(data)


def bent_packed(good, rng):
    """The same within gzip; or packed twice, in pieces, or far longer than its header says."""
    inner, kind = gzip.decompress(good), rng.randrange(6)
    if kind < 3:
        return gzip.compress(bent_idx(inner, rng), 1)
    if kind == 3:
        return gzip.compress(good, 1)
    if kind == 4:
        half = rng.randrange(len(inner))
        return gzip.compress(inner[:half], 1) + gzip.compress(inner[half:], 1)
    return gzip.compress(inner, 1) + BOMB * rng.randrange(1, 4)


BOMB = gzip.compress(bytes(1 << 22), 9)


def bent_npz(good, rng):
    """A zip of arrays with whole checksums: other JSON, arrays of other shapes and types, headers
    that claim more than there is, members that are gone, packed or twice.
    """
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name, packing, kind = rng.choice(list(members)), zipfile.ZIP_STORED, rng.randrange(8)
    said = next(name for name in members if name in ("said.npy", "report.npy"))
    if kind < 3:
        array = np.load(io.BytesIO(members[said]))
        whole = array.tobytes().decode() if array.dtype == np.uint8 else str(array)
        text = json.dumps(bent_value(json.loads(whole), rng))
        array = (
            np.frombuffer(text.encode(), np.uint8) if array.dtype == np.uint8 else np.array(text)
        )
        members[said] = _npy(array)
    elif kind == 3:
        shape = rng.choice(((), (0,), (3,), (2, 3), (61_706,), (1, 500), (500,)))
        dtype = rng.choice(("f4", "f8", "i8", ">f4", "c8", "u1", "?", "S3", "U2", "f2", "M8[s]"))
        array = np.ones(shape, "i4").astype(dtype) if dtype != "M8[s]" else np.zeros(shape, dtype)
        members[name] = _npy(array)
    elif kind == 4:
        shape = rng.choice(
            ("(10**12,)", "(-1,)", "(2**62, 4)", "'a'", "(1e3,)", "None", "(((3,),),)")
        )
        kind_of = rng.choice(
            ("'<f4'", "'|O'", "'<V9'", "[('a', '<f4')]", "'x'", "7", "'<f4'", "'<f4'")
        )
        order = rng.choice(("True", "False", "3"))
        text = f"{{'descr': {kind_of}, 'fortran_order': {order}, 'shape': {shape}, }}"
        text = text.ljust(117) + "\n"
        members[name] = (
            b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + bytes(40)
        )
    elif kind == 5:
        del members[name]
    elif kind == 6:
        packing = rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
        members[name] += bytes(rng.choice((0, 1, 1 << 20)))
    else:
        members[rng.choice(("x.npy", "../w.npy", name[:-4]))] = members.pop(name)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", packing) as archive:
        for each, data in members.items():
            archive.writestr(each, data)
    return packed.getvalue()


def _npy(array):
    whole = io.BytesIO()
    np.lib.format.write_array(whole, array, allow_pickle=False)
    return whole.getvalue()


TOKENS = (
    "", "0", "1", "-1", "None", "[]", "{}", "()", "''", "x", "1 / 0", "raise", "return",
    "lambda: 0", "yield", "import nothing", "exit()", "raise SystemExit", "float('nan')", "RULES",
    "3", "self", "w", "del", "print", "object()", "b''", "1j", "[[]]", "{1: 2}", "'a' * 200",
    "raise KeyError", "np.zeros(3)", "\t", "\\", '"""', "#", "async", "é", "\u2028", "@", "*", "**",
    "...",
)  # fmt: skip


def bent_code(good, rng):
    """Python with lines gone, twice or swapped, or with other words in it."""
    lines, kind = good.decode().split("\n"), rng.randrange(5)
    one, two = rng.randrange(len(lines)), rng.randrange(len(lines))
    if kind == 0:
        del lines[one]
    elif kind == 1:
        lines[one], lines[two] = lines[two], lines[one]
    elif kind == 2:
        lines.insert(two, lines[one])
    else:
        words = lines[one].split(" ")
        place = rng.randrange(len(words))
        words[place] = rng.choice(TOKENS) if kind == 3 else words[place] + rng.choice(TOKENS)
        lines[one] = " ".join(words)
    return "\n".join(lines).encode()


def bent_text(good, rng):
    """A short text of numbers with other parts."""
    text = good.decode()
    place = rng.randrange(len(text) + 1)
    return (text[:place] + rng.choice((*CELLS, ",", ":", "=", ",,", "-")) + text[place:]).encode()


FORMS = {
    "idx": bent_idx, "idx.gz": bent_packed, "json": bent_json, "sealed": sealed_json,
    "lines": sealed_lines, "csv": bent_csv, "npz": bent_npz, "code": bent_code, "text": bent_text,
}  # fmt: skip


# ---- trying them


@contextmanager
def _at_ease():
    """No flushing to the disk, for nothing here is to outlive a crash; no warnings, which a damaged
    file may well cause; and nothing of what a command would say meanwhile.
    """
    with ExitStack() as stack:
        nowhere = stack.enter_context(open(os.devnull, "w"))
        stack.enter_context(redirect_stderr(nowhere))
        stack.enter_context(mock.patch("os.fsync", lambda descriptor: None))
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(np.errstate(all="ignore"))
        warnings.simplefilter("ignore")
        yield


def damage(work, cases, seed=0, told=print, only=None):
    """Read so many damaged inputs, shared by all kinds.

    only     a part of the names of those kinds that are tried; None for all
    told     takes a line on each input that ended in another exception or took too much; the input
             is kept in `work`. (One that ends the process is what the folder of its kind holds)
    Returns: the counts of kinds, cases, values, refusals, other exceptions, and inputs that took
             too much; the most memory (MB) and the longest time (s of the processor) for one
    """
    rng = random.Random(seed)
    every = [kind for kind in kinds(work) if only is None or only in kind.name]
    counts = {"kinds": len(every), "cases": 0, "values": 0, "refused": 0, "escaped": 0}
    counts |= {"too_much": 0, "peak_mb": 0.0, "seconds": 0.0}
    goods = [_files(kind.folder) for kind in every]
    with _at_ease():
        for kind in every:
            kind.read()  # whatever is made but once, and proof that the good files are good
        tracemalloc.start()
        for kind, good in islice(_turns(every, goods), cases):
            _put_back(kind.folder, good)
            name, form = rng.choice(list(kind.forms.items()))
            bend = bent_bytes if rng.random() < 0.5 else FORMS[form]
            bad = bend(good[name], rng)
            (kind.folder / name).write_bytes(bad)
            _try(kind, name, bad, work, counts, told)
        tracemalloc.stop()
    return counts


def _turns(every, goods):
    for number in count():
        for kind, good in zip(every, goods, strict=True):
            if number % kind.turns == 0:
                yield kind, good


def _try(kind, name, bad, work, counts, told):
    counts["cases"] += 1

    def keep(what):
        kept = work / f"{counts['cases']}-{Path(name).name}"
        kept.write_bytes(bad)
        told(f"{what} ({kept})")

    tracemalloc.reset_peak()
    before, began = tracemalloc.get_traced_memory()[0], time.process_time()
    try:
        kind.read()
        counts["values"] += 1
    except OURS as error:
        counts["refused"] += 1
        assert str(error)
    except Exception as error:
        counts["escaped"] += 1
        keep(f"ESCAPED from {kind.name}: {type(error).__name__}: {str(error)[:200]}")
    seconds = time.process_time() - began
    peak = (tracemalloc.get_traced_memory()[1] - before) / 1e6
    if peak > MOST_MB or seconds > MOST_SECONDS:
        counts["too_much"] += 1
        keep(f"TOO MUCH for {kind.name}: {peak:,.1f} MB, {seconds:.2f} s")
    counts["seconds"] = max(counts["seconds"], round(seconds, 2))
    counts["peak_mb"] = max(counts["peak_mb"], round(peak, 1))


def _files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*") if path.is_file()
    }  # fmt: skip


def _put_back(folder, good):
    """Make a folder what it was when its good files were read."""
    there = _files(folder)
    for name in there.keys() - good.keys():
        (folder / name).unlink()
    for name, data in good.items():
        if there.get(name) != data:
            (folder / name).write_bytes(data)
