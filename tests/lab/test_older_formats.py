"""What an earlier version wrote is read, kept and continued; what a later one wrote is left alone.

written-by-579655c/ was written by the commit of that name, the last one before formats had numbers.
It holds a sweep of two runs, one of them cut after two of four epochs; the metrics of that sweep
uncut; the table of a figure; and the images of the sweep, in data/.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from minisgd.data import load_dataset
from minisgd.disk.formats import FORMAT, NewerError, read_json, write_json
from minisgd.lab import facts, sweep
from minisgd.lab.checkpoints import read_checkpoint
from minisgd.lab.metrics import FIRST, MEASURED, read_metrics
from minisgd.lab.run_folder import RunFolder
from minisgd.report.experiments import EXPERIMENTS, Kept

OLD = Path(__file__).with_name("written-by-579655c")


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(OLD / "sweep", tmp_path / "sweep")
    return tmp_path / "sweep"


@pytest.fixture(scope="module")
def data():
    return load_dataset("glyphs", OLD / "data")


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def gone_on(folder, data):
    """Do what the same command would do in the folder: (rows of its metrics, what it printed)."""
    said = []
    question, _ = sweep.load_folder(folder)
    question = sweep.open_folder(folder, question, data, "a command", said.append)
    for cell in sweep.missing(folder, question, data.identity):
        sweep.run_cell(folder, cell, data, log=said.append)
    return sweep.rows_of(sweep.collect(folder, question, data.identity)), said


def test_a_finished_run_is_kept_and_a_cut_one_goes_on_to_the_same_bits(folder, data):
    finished = folder / "b32-lr0.01-sqrt-gradual2-m0.9-seed0"
    before = files(finished)
    rows, said = gone_on(folder, data)
    assert files(finished) == before, "a finished run is left alone"
    assert not list(folder.rglob("*.damaged"))
    assert sum("continues after epoch 2" in line for line in said) == 1
    uncut = read_metrics(OLD / "uncut" / "metrics.csv")
    assert len(rows) == len(uncut) == 8
    bits = read_json(OLD / "sweep" / "sweep.json")["versions"]
    same_machine = all(bits[name] == value for name, value in facts.versions().items())
    for row, wanted in zip(rows, uncut, strict=True):
        for column in FIRST:
            if column == "seconds":
                continue
            if column in MEASURED[2:6] and not same_machine:
                assert row[column] == pytest.approx(wanted[column], abs=0.02)
            else:
                assert row[column] == wanted[column], column


def test_a_cut_run_keeps_its_velocity(data):
    _, records, state = read_checkpoint(
        OLD / "sweep/b100-lr0.01-sqrt-gradual2-m0.9-seed0/checkpoint.npz"
    )
    assert len(records) == state.epoch == 2 and list(state.memory) == ["v"]
    assert np.abs(state.memory["v"]).max() > 0


def test_a_folder_that_was_named_without_its_epochs_is_found_and_others_are_not_taken_for_it(
    folder, data
):
    question, _ = sweep.load_folder(folder)
    cell = replace(question.common, batch_size=32)
    assert RunFolder(folder, cell, data.identity).path.name == "b32-lr0.01-sqrt-gradual2-m0.9-seed0"
    longer = RunFolder(folder, replace(cell, epochs=5), data.identity)
    assert longer.records() == [] and not longer.path.exists()


def test_the_table_of_a_figure_is_kept_and_grows_by_the_new_columns(tmp_path):
    shutil.copytree(OLD / "figures", tmp_path / "figures")
    kept, figure6 = Kept(tmp_path / "figures"), EXPERIMENTS["figure6"]
    cells = kept.cells(figure6)
    assert len(cells) == 4 and all(len(kept.records(cell)) == 30 for cell in cells)
    before = (tmp_path / "figures" / "figure6.csv").read_text().splitlines()
    found = {cell: kept.records(cell) for cell in cells}

    class dataset:
        name, identity = "mnist", kept.digest

    other = replace(cells[0], seed=1)
    kept.add(figure6, {other: found[cells[0]]}, dataset, {"command": "another"})
    after = (tmp_path / "figures" / "figure6.csv").read_text().splitlines()
    assert after[0].startswith(before[0] + ",base_batch_size,")
    lines = [line for line in after[1:] if line.split(",")[7] == "0"]
    assert [",".join(line.split(",")[:15]) for line in lines] == before[1:]
    again = Kept(tmp_path / "figures")
    assert {cell: len(again.records(cell)) for cell in again.cells(figure6)} == dict.fromkeys(
        [*cells, other], 30
    )


# ---- what a later version wrote


def test_a_later_format_is_neither_damaged_nor_touched(folder, data):
    run = folder / "b100-lr0.01-sqrt-gradual2-m0.9-seed0"
    about = read_json(run / "run.json") | {"format": FORMAT + 1}
    write_json(run / "run.json", about)
    write_json(folder / "sweep.json", read_json(folder / "sweep.json") | {"format": FORMAT + 1})
    before = files(folder)
    question, _ = sweep.load_folder(OLD / "sweep")
    cell = replace(question.common, batch_size=100)
    with pytest.raises(NewerError, match="written by a newer minisgd"):
        RunFolder(folder, cell, data.identity).records()
    with pytest.raises(NewerError, match="written by a newer minisgd"):
        sweep.load_folder(folder)
    assert files(folder) == before


def test_a_setting_that_only_a_later_version_knows_is_told_by_its_name(folder, data):
    question, _ = sweep.load_folder(folder)
    run = RunFolder(folder, replace(question.common, batch_size=100, epochs=9), data.identity)
    shutil.move(folder / "b100-lr0.01-sqrt-gradual2-m0.9-seed0", run.path)
    about = read_json(run.path / "run.json")
    about["settings"]["speed"] = 3
    write_json(run.path / "run.json", about)
    before = files(folder)
    with pytest.raises(NewerError, match="does not know its setting speed"):
        run.records()
    assert files(folder) == before


def test_a_checkpoint_of_a_later_format_is_not_put_aside(folder, data):
    run = folder / "b100-lr0.01-sqrt-gradual2-m0.9-seed0"
    with np.load(run / "checkpoint.npz") as parts:
        parts = dict(parts)
    said = json.loads(parts["said"].tobytes()) | {"format": FORMAT + 1}
    parts["said"] = np.frombuffer(json.dumps(said).encode(), np.uint8)
    np.savez(run / "checkpoint.npz", **parts)
    before = files(folder)
    question, _ = sweep.load_folder(folder)
    cell = replace(question.common, batch_size=100)
    with pytest.raises(NewerError, match="written by a newer minisgd"):
        RunFolder(folder, cell, data.identity).resume(print)
    assert files(folder) == before
