"""Many runs: what is missing is done, by any number of processes; one that dies costs itself."""

import itertools
import json
import multiprocessing
import os
import re
import shutil
import signal
import time
from dataclasses import replace

import numpy as np
import pytest

from minisgd.data import Dataset, Split, sharing
from minisgd.disk.files import StorageError
from minisgd.disk.formats import DamagedError, read_json, read_records, write_json
from minisgd.errors import SettingError, UserError
from minisgd.lab import facts, own, sweep, workers
from minisgd.lab.checkpoints import read_checkpoint
from minisgd.lab.names import run_name
from minisgd.lab.run_folder import RunFolder
from minisgd.lab.sweep import Question, open_folder, run_cell, run_cells
from minisgd.networks import NETWORKS
from minisgd.rules import RULES
from minisgd.schedules import DECAYS, WARMUPS
from minisgd.settings import Settings
from minisgd.train import train

COMMON = Settings(lr=0.05, momentum=0.5, epochs=2)


@pytest.fixture(scope="module")
def tiny(small_data):
    """100 images, so that an epoch takes some hundredths of a second."""
    train, test = small_data.train, small_data.test
    return Dataset(
        "tiny", Split(train.images[:100], train.labels[:100]),
        Split(test.images[:50], test.labels[:50]), "a digest", "a test",
    )  # fmt: skip


def opened(out, question, data, log=print):
    out.mkdir(exist_ok=True)
    return open_folder(out, question, data, "a command", log)


def memory(state):
    return {name: vector.tobytes() for name, vector in state.memory.items()}


def left(out, settings):
    """(records without their seconds, w, v) that a run left on disk."""
    folder = out / run_name(settings)
    _, records, state = read_checkpoint(folder / "checkpoint.npz")
    assert read_records(folder / "epochs.jsonl") == records
    return [{**record, "seconds": None} for record in records], state.w.tobytes(), memory(state)


def files(out):
    """The bytes and the time of writing of every checkpoint and of every list of epochs."""
    found = [*out.glob("*/*.npz"), *out.glob("*/*.jsonl")]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


# -- which runs there are


def test_no_two_runs_have_a_name_in_common():
    """A rule and a decay are both called linear."""
    runs = [
        Settings(rule=rule, warmup=warmup, momentum=0.9, optimizer=optimizer, decay=decay,
                 network=network, plain=plain, **more)
        for warmup in WARMUPS for optimizer in ("momentum", "nesterov", "adam")
        for rule in RULES if rule != "adam-sqrt" or optimizer == "adam"
        for decay in DECAYS for network in NETWORKS for plain in (False, True)
        for more in ({}, {"base_batch_size": 32}, {"warmup_updates": 10}, {"clip": 1.0},
                     {"init": "he"},
                     {"batch_schedule": "linear"}, {"batch_schedule": "x5@11,x5@21"})
    ]  # fmt: skip
    assert len({run_name(run) for run in runs}) == len({run.key() for run in runs})


def test_the_longest_runs_come_first():
    cells = Question(COMMON, (256, 64, 128), (0, 1)).cells()
    found = [(cell.batch_size, cell.seed) for cell in cells]
    assert found == [(64, 0), (64, 1), (128, 0), (128, 1), (256, 0), (256, 1)]
    assert all(replace(cell, batch_size=64, seed=0) == COMMON for cell in cells)


def test_a_question_with_a_senseless_size_or_seed_is_refused():
    for sizes, seeds in (((64, 0), (0,)), ((64,), (0, -1))):
        with pytest.raises(SettingError):
            Question(COMMON, sizes, seeds).cells()


def test_the_default_folder_names_what_differs_from_the_report():
    assert sweep.folder_name(Settings(rule="linear"), "mnist") == "mnist-linear"
    other = Settings(
        lr=0.1, base_batch_size=32, warmup="gradual", warmup_epochs=5, momentum=0.9, epochs=7
    )
    name = sweep.folder_name(other, "glyphs")
    assert name == "glyphs-none-gradual5-m0.9-lr0.1-base32-epochs7"


# -- who runs them


@pytest.fixture(scope="module")
def by_two(tiny, tmp_path_factory):
    """(folder, epochs told, failures) of two runs that two processes did side by side."""
    out, told = tmp_path_factory.mktemp("two"), []
    question = opened(out, Question(COMMON, (32, 64), (3,)), tiny)
    tell = lambda settings, record: told.append((settings, record))  # noqa: E731
    return out, told, run_cells(out, question.cells(), tiny, jobs=2, on_epoch=tell)


def test_one_process_or_two_or_none_leave_the_same_bits(tiny, by_two, tmp_path):
    out, _, failures = by_two
    cells = Question(COMMON, (32, 64), (3,)).cells()
    assert failures == {} and run_cells(tmp_path, cells, tiny, jobs=1) == {}
    for cell in cells:
        assert left(tmp_path, cell) == left(out, cell)
        records, states = zip(*train(cell, tiny), strict=True)
        here = [{**record, "seconds": None} for record in records]
        assert (here, states[-1].w.tobytes(), memory(states[-1])) == left(out, cell)


def test_what_waits_for_the_start_is_called_once_when_the_first_runs_are_there(
    tiny, tmp_path, monkeypatch
):
    monkeypatch.setattr(workers, "HEAD_START", 0)  # both are there still
    told, cells = [], Question(COMMON, (32, 64), (3, 4)).cells()
    start = lambda: told.append(len(multiprocessing.active_children()))  # noqa: E731
    tell = lambda settings, record: told.append(record["epoch"])  # noqa: E731
    run_cells(tmp_path, cells, tiny, jobs=2, on_epoch=tell, on_start=start)
    assert told[0] == 2 and len(told) == 1 + sum(cell.epochs for cell in cells)
    run_cells(tmp_path, [], tiny, on_start=start)
    assert len(told) == 1 + sum(cell.epochs for cell in cells)


def test_the_runs_have_a_head_start_which_their_first_word_ends(tiny, tmp_path, monkeypatch):
    (cell,) = Question(Settings(lr=0.01, epochs=1), (50,), (0,)).cells()
    monkeypatch.setattr(workers, "HEAD_START", 3600)  # the test would not end in time
    told = []
    run_cells(
        tmp_path, [cell], tiny, on_epoch=lambda *_: told.append("epoch"),
        on_start=lambda: told.append("start"),
    )  # fmt: skip
    assert told == ["start", "epoch"]


def test_every_epoch_is_told_with_its_settings(by_two):
    out, told, _ = by_two
    for cell in Question(COMMON, (32, 64), (3,)).cells():
        records = read_records(out / run_name(cell) / "epochs.jsonl")
        assert [record for settings, record in told if settings == cell] == records
        assert len(records) == 2
    assert len(told) == 4 and multiprocessing.active_children() == []


def test_a_finished_run_is_not_done_again(tiny, by_two):
    out, _, _ = by_two
    question = Question(COMMON, (32, 64), (3,))
    before = files(out)
    assert sweep.missing(out, question, tiny.digest) == []
    never = lambda *_: pytest.fail("an epoch was trained")  # noqa: E731
    for cell in question.cells():
        records = run_cell(out, cell, tiny, on_epoch=never)
        assert [record["epoch"] for record in records] == [1, 2]
    assert files(out) == before and len(before) == 6


def test_a_cut_run_goes_on_where_it_was(tiny, by_two, tmp_path):
    cell = Question(COMMON, (32,), (3,)).cells()[0]

    def stop(settings, record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cell(tmp_path, cell, tiny, on_epoch=stop)
    told = []
    said = []
    tell = lambda _, record: told.append(record["epoch"])  # noqa: E731
    run_cell(tmp_path, cell, tiny, on_epoch=tell, log=said.append)
    assert told == [2] and said == [f"{run_name(cell)} continues after epoch 1"]
    assert left(tmp_path, cell) == left(by_two[0], cell)


def test_a_stopped_sweep_leaves_no_process_and_whole_epochs(tiny, tmp_path):
    cells = Question(replace(COMMON, epochs=1000), (32, 64), (0,)).cells()

    def stop(settings, record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cells(tmp_path, cells, tiny, jobs=2, on_epoch=stop)
    assert multiprocessing.active_children() == []
    kept = [len(RunFolder(tmp_path, cell, tiny.digest).records()) for cell in cells]
    assert 1 <= sum(kept) < 2000


def test_a_clock_that_jumps_changes_nothing(tiny, tmp_path, monkeypatch):
    """What is timed is timed by a clock that cannot be set."""
    calm, hours = tmp_path / "calm", itertools.cycle((1e9, 0.0, 4e9))
    cell = replace(COMMON, batch_size=50)
    for out in (calm, tmp_path):
        out.mkdir(exist_ok=True)
        records = run_cell(out, cell, tiny, log=print)
        assert all(0 < record["seconds"] < 600 for record in records)
        monkeypatch.setattr(time, "time", lambda: next(hours))
    assert left(tmp_path, cell) == left(calm, cell)


class Killer:
    """Kills the process of a run whenever it tells an epoch, `times` times at most."""

    def __init__(self, victim, times):
        self.victim, self.times, self.killed, self.told = victim, times, set(), []

    def __call__(self, settings, record):
        self.told.append((settings, record["epoch"]))
        for child in multiprocessing.active_children():
            if settings == self.victim and len(self.killed) < self.times:
                if child.pid not in self.killed:
                    os.kill(child.pid, signal.SIGKILL)
                    self.killed.add(child.pid)


def test_a_worker_that_is_killed_is_tried_again_and_loses_nothing(tiny, by_two, tmp_path):
    """Its 30 epochs outlast the kill; the second process begins where the first was cut."""
    victim, other = (
        replace(COMMON, batch_size=32, epochs=30),
        Question(COMMON, (64,), (3,)).cells()[0],
    )
    killer, said = Killer(victim, times=1), []
    assert run_cells(tmp_path, [victim, other], tiny, on_epoch=killer, log=said.append) == {}
    assert len(killer.killed) == 1
    killed, resumed = said
    name = run_name(victim)
    assert killed.startswith(name) and "once more" in killed
    assert "was killed (SIGKILL, as the system does when memory runs out)" in killed
    assert re.fullmatch(rf"{name} continues after epoch \d+", resumed)
    epochs = [epoch for settings, epoch in killer.told if settings == victim]
    assert epochs == sorted(set(epochs)) and epochs[-1] == 30  # none was told, or done, twice
    assert left(tmp_path, other) == left(by_two[0], other)
    (tmp_path / "uncut").mkdir()
    run_cell(tmp_path / "uncut", victim, tiny)
    assert left(tmp_path, victim) == left(tmp_path / "uncut", victim)


def test_a_worker_whose_parent_was_killed_ends_without_a_traceback(monkeypatch):
    class Ended(Exception):
        pass

    def end(code):
        raise Ended(code)

    monkeypatch.setattr(workers.os, "_exit", end)
    ours, theirs = multiprocessing.Pipe()
    ours.close()
    with theirs, pytest.raises(Ended):
        workers._tell(theirs, "done", None)


def test_a_worker_that_may_start_no_thread_says_so(no_thread, monkeypatch):
    monkeypatch.setattr(workers.signal, "signal", lambda *_: None)  # this process is no worker
    ours, theirs = multiprocessing.Pipe()
    with ours, theirs:
        workers._work(None, None, None, None, "cpu", 1, theirs)
        assert ours.recv() == ("lacked", "RuntimeError: can't start new thread")


def test_a_worker_that_is_killed_twice_fails_alone(tiny, tmp_path):
    victim, other = replace(COMMON, batch_size=16, epochs=1000), replace(COMMON, batch_size=64)
    killer = Killer(victim, times=9)
    failures = run_cells(tmp_path, [victim, other], tiny, on_epoch=killer)
    assert list(failures) == [victim] and "SIGKILL" in failures[victim]
    assert len(killer.killed) == workers.TRIES == 2
    assert len(left(tmp_path, other)[0]) == 2
    # The second try went on from what the first one kept.
    epochs = [epoch for settings, epoch in killer.told if settings == victim]
    assert epochs == sorted(set(epochs)) and len(epochs) >= 2


def test_a_worker_that_is_refused_is_not_tried_again(tiny, tmp_path):
    too_large, other = replace(COMMON, batch_size=101), replace(COMMON, batch_size=100)
    said = []
    failures = run_cells(tmp_path, [too_large, other], tiny, jobs=2, log=said.append)
    sentence = "batch size 101 is larger than the training set of 100 images"
    assert failures == {too_large: sentence} and said == []
    assert len(left(tmp_path, other)[0]) == 2


def test_an_error_in_what_trains_fails_alone_and_leaves_its_traceback(tiny, tmp_path):
    """Images are missing that have labels: an IndexError, which another try would meet again."""
    broken = replace(tiny, train=Split(tiny.train.images[:60], tiny.train.labels))
    cell, said = replace(COMMON, batch_size=50), []
    failures = run_cells(tmp_path, [cell], broken, log=said.append)
    path = tmp_path / run_name(cell) / "error.txt"
    assert failures[cell].startswith("IndexError: ") and str(path) in failures[cell]
    assert said == []  # it is not tried twice
    assert "Traceback" in path.read_text() and "IndexError: index" in path.read_text()


def test_what_may_pass_is_tried_again(tiny, tmp_path):
    """A file that is lacking for now, memory that others hold."""
    (tmp_path / "own.py").write_text(LACKS.format(marker=str(tmp_path / "marker")))
    own.read(tmp_path / "own.py")
    cell, said = replace(COMMON, batch_size=50, optimizer="lacking"), []
    try:
        assert run_cells(tmp_path, [cell], tiny, log=said.append) == {}
    finally:
        own.forget()
    assert len(said) == 1 and "MemoryError: none left" in said[0] and "once more" in said[0]
    assert len(left(tmp_path, cell)[0]) == 2


LACKS = """
from pathlib import Path

from minisgd.optim import Optimizer

def lacking(w, g, memory, lr, t, settings, shapes):
    marker = Path({marker!r})
    if not marker.exists():
        marker.touch()
        raise MemoryError("none left")
    w -= lr * g

OPTIMIZERS = {{"lacking": Optimizer(lacking)}}
"""


def test_a_damaged_checkpoint_is_told_through_the_worker(tiny, by_two, tmp_path):
    cell = Question(COMMON, (32,), (3,)).cells()[0]
    run_cells(tmp_path, [cell], tiny)
    (tmp_path / run_name(cell) / "checkpoint.npz").write_bytes(b"damaged")
    said = []
    assert run_cells(tmp_path, [cell], tiny, log=said.append) == {}
    assert len(said) == 1 and "is damaged" in said[0] and "continues from epoch 2" in said[0]
    assert left(tmp_path, cell) == left(by_two[0], cell)


def test_a_folder_that_went_away_does_not_come_back_empty(tiny, tmp_path):
    gone = tmp_path / "gone"
    cells = Question(COMMON, (32, 64), (0,)).cells()
    with pytest.raises(StorageError, match=r"cannot write .*gone"):
        run_cell(gone, cells[0], tiny)
    with pytest.raises(UserError, match=r"cannot write .*gone"):
        run_cells(gone, cells, tiny, jobs=2)
    assert not gone.exists()


def test_a_folder_that_cannot_be_written_stops_all(tiny, tmp_path):
    (tmp_path / "file").write_text("")
    cells = Question(COMMON, (32, 64), (0, 1)).cells()
    with pytest.raises(UserError, match="cannot write") as error:
        run_cells(tmp_path / "file", cells, tiny, jobs=2)
    assert "\n" not in str(error.value)
    with pytest.raises(StorageError, match="cannot write"):
        run_cell(tmp_path / "file", cells[0], tiny)
    assert multiprocessing.active_children() == []


# -- one folder, one question


def test_sizes_and_seeds_may_be_added_and_the_others_stay(tiny, tmp_path):
    first = opened(tmp_path, Question(COMMON, (50,), (0,)), tiny)
    for cell in first.cells():
        run_cell(tmp_path, cell, tiny)
    before = files(tmp_path)
    more = Question(COMMON, (50, 100), (1,))
    everything = opened(tmp_path, more, tiny)
    assert everything == Question(COMMON, (50, 100), (0, 1))
    assert sweep.missing(tmp_path, everything, tiny.digest) == [
        replace(COMMON, batch_size=b, seed=s) for b, s in ((50, 1), (100, 0), (100, 1))
    ]
    for cell in sweep.missing(tmp_path, more, tiny.digest):
        run_cell(tmp_path, cell, tiny)
    assert {path: found for path, found in files(tmp_path).items() if path in before} == before
    collected = sweep.collect(tmp_path, everything, tiny.digest)
    counts = {(s.batch_size, s.seed): len(records) for s, records, _ in collected}
    assert counts == {(50, 0): 2, (50, 1): 2, (100, 0): 0, (100, 1): 2}
    assert len(sweep.rows_of(collected)) == 6
    assert sweep.load_folder(tmp_path)[0] == everything


@pytest.mark.parametrize(
    "other",
    [
        dict(lr=0.02),
        dict(momentum=0.9),
        dict(rule="linear"),
        dict(warmup="constant", warmup_epochs=1),
        dict(epochs=3),
    ],
    ids=lambda other: next(iter(other)),
)
def test_other_settings_are_refused_by_name_and_value(tiny, tmp_path, other):
    opened(tmp_path, Question(COMMON, (50,), (0,)), tiny)
    before = (tmp_path / "sweep.json").read_bytes()
    name, value = next(iter(other.items()))
    was = getattr(COMMON, name)
    with pytest.raises(SettingError, match=f"its {name} is {was}, not {value}"):
        opened(tmp_path, Question(replace(COMMON, **other), (50,), (0,)), tiny)
    assert (tmp_path / "sweep.json").read_bytes() == before


def test_a_setting_that_is_idle_is_not_held_against_anyone(tiny, tmp_path):
    opened(tmp_path, Question(COMMON, (50,), (0,)), tiny)
    idle = replace(COMMON, base_batch_size=32, warmup_epochs=7)  # no rule, no warmup
    assert opened(tmp_path, Question(idle, (50,), (0,)), tiny)
    linear = replace(COMMON, rule="linear")
    opened(tmp_path / "linear", Question(linear, (50,), (0,)), tiny)
    with pytest.raises(SettingError, match="its base_batch_size is 64, not 32"):
        other = replace(linear, base_batch_size=32)
        opened(tmp_path / "linear", Question(other, (50,), (0,)), tiny)


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        (dict(name="mnist"), "its dataset is tiny, not mnist"),
        (dict(digest="another"), "its images or labels were different"),
    ],
    ids=str,
)
def test_another_dataset_is_refused(tiny, tmp_path, other, differs):
    opened(tmp_path, Question(COMMON, (50,), (0,)), tiny)
    with pytest.raises(SettingError, match=f"another sweep's results: {differs}"):
        opened(tmp_path, Question(COMMON, (50,), (0,)), replace(tiny, **other))


def test_a_folder_notes_the_whole_question(tiny, tmp_path):
    opened(tmp_path, Question(COMMON, (50, 64), (0, 4)), tiny)
    known = read_json(tmp_path / "sweep.json")
    assert known["settings"] == COMMON.common()
    assert not {"batch_size", "seed"} & set(known["settings"])
    assert (known["batch_sizes"], known["seeds"]) == ([50, 64], [0, 4])
    assert (known["dataset"], known["digest"]) == ("tiny", "a digest")
    assert known["command"] == "a command"
    assert {"minisgd", "python", "numpy", "blas"} <= set(known["versions"])


def test_a_folder_with_something_else_in_it_is_refused(tiny, tmp_path):
    sweep.check_folder(tmp_path)  # empty
    sweep.check_folder(tmp_path / "new")
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(SettingError, match="not empty and holds no sweep"):
        sweep.check_folder(tmp_path)
    with pytest.raises(SettingError, match="holds no sweep"):
        sweep.check_folder(tmp_path / "thesis.tex")
    (tmp_path / "thesis.tex").unlink()
    opened(tmp_path, Question(COMMON, (50,), (0,)), tiny)
    sweep.check_folder(tmp_path)


def test_a_folder_without_a_sweep_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(UserError, match="holds no sweep"):
            sweep.load_folder(folder)


@pytest.mark.parametrize(
    "damage",
    [
        dict(settings={"lr": -1.0}),
        dict(settings=None),
        dict(settings={"batch_schedule": 5}),
        dict(settings={"lr": 10**400}),
        dict(settings={"batch_schedule": {"a": 1}, "own": "12345678"}),
        dict(batch_sizes=None),
        dict(batch_sizes=[0]),
        dict(seeds=["a"]),
        dict(digest=7),
        dict(versions={}, went_on_with=[3]),
    ],
    ids=str,
)
def test_a_damaged_question_is_refused_with_its_path(tiny, tmp_path, damage):
    opened(tmp_path, Question(COMMON, (50,), (0,)), tiny)
    path = tmp_path / "sweep.json"
    write_json(path, read_json(path) | damage)
    with pytest.raises(DamagedError, match=r"sweep\.json is damaged"):
        sweep.load_folder(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"5", b"6", 1))
    with pytest.raises(DamagedError, match="the command that made it, given again, makes it anew"):
        sweep.load_folder(tmp_path)


@pytest.fixture
def two_of_four(tiny, tmp_path):
    """A folder of four runs of which two were made: of 50 with seed 0, of 100 with seed 1."""
    question = Question(COMMON, (50, 100), (0, 1))
    opened(tmp_path, question, tiny)
    for cell in question.cells()[::3]:
        run_cell(tmp_path, cell, tiny)
    return tmp_path


ONE = Question(COMMON, (50,), (0,))


def test_a_damaged_question_is_made_anew_from_its_runs(tiny, two_of_four, monkeypatch):
    """More batch sizes and seeds than are asked for now were in it, and still are."""
    path, logged = two_of_four / "sweep.json", []
    path.write_bytes(damaged := path.read_bytes()[:-20])
    again = opened(two_of_four, ONE, tiny, logged.append)
    assert (again.batch_sizes, again.seeds) == ((50, 100), (0, 1))
    assert logged == [
        f"{path} is damaged: it is made anew, and kept as sweep.damaged",
        f"{two_of_four} holds 2 runs of this question, kept",
    ]
    assert path.with_suffix(".damaged").read_bytes() == damaged
    found, known = sweep.load_folder(two_of_four)
    assert found == again
    # Nobody knows what they were begun with.
    assert known["versions"] == {}
    assert known["went_on_with"] == [facts.versions() | {"device": "cpu"}]
    found = sweep.collect(two_of_four, again, tiny.identity)
    assert [len(records) for _, records, _ in found] == [2, 0, 0, 2]
    assert opened(two_of_four, ONE, tiny, logged.append) == again and len(logged) == 2
    now = facts.versions()
    monkeypatch.setattr(facts, "versions", lambda: now | {"numpy": "9.9"})
    assert opened(two_of_four, ONE, tiny, logged.append) == again and len(logged) == 3
    assert f"was run with numpy {now['numpy']} and continues with 9.9" in logged[2]


def test_a_damaged_question_is_not_made_anew_from_runs_of_another(tiny, two_of_four):
    path, run = two_of_four / "sweep.json", two_of_four / run_name(ONE.cells()[0])
    path.write_bytes(b"{")
    shutil.rmtree(two_of_four / run_name(replace(COMMON, batch_size=100, seed=1)))
    other = replace(ONE, common=replace(COMMON, lr=0.02))
    with pytest.raises(SettingError, match=rf"{run.name} .*: its lr is 0.05, not 0.02"):
        opened(two_of_four, other, tiny)
    (run / "run.json").write_bytes(b"{")  # now its checkpoint tells
    with pytest.raises(SettingError, match=rf"{run.name} .*: its lr is 0.05, not 0.02"):
        opened(two_of_four, other, tiny)
    copy = shutil.copytree(two_of_four, two_of_four.with_name("copy"))
    assert opened(copy, ONE, tiny) == ONE
    for file in run.glob("*.npz"):
        file.write_bytes(b"")
    for asked in (ONE, other):  # nothing tells
        with pytest.raises(DamagedError, match=rf"{run.name}/.* is damaged"):
            opened(two_of_four, asked, tiny)
    assert path.read_bytes() == b"{"


def test_a_question_without_a_checksum_is_not_made_anew(tiny, two_of_four):
    """It may be of an early version, which named runs in another way."""
    path = two_of_four / "sweep.json"
    early = json.dumps({k: v for k, v in read_json(path).items() if k != "crc32"})
    path.write_text(early)
    with pytest.raises(DamagedError, match="it has no checksum"):
        opened(two_of_four, ONE, tiny)
    assert path.read_text() == early


def test_other_folders_beside_the_runs_do_not_count(tiny, two_of_four):
    run = two_of_four / run_name(ONE.cells()[0])
    shutil.copytree(run, two_of_four / "a copy")
    (two_of_four / "a copy" / "run.json").write_bytes(b"{")
    shutil.copytree(run, two_of_four / "b7-lr0.05-seed7")
    (two_of_four / "sweep.json").write_bytes(b"{")
    again = opened(two_of_four, ONE, tiny)
    assert (again.batch_sizes, again.seeds) == ((50, 100), (0, 1))


def test_runs_without_a_sweep_are_left_alone(tiny, two_of_four):
    """They may be those behind a figure, which has no sweep.json."""
    (two_of_four / "sweep.json").unlink()
    before = files(two_of_four)
    with pytest.raises(SettingError, match="is not empty and holds no sweep"):
        sweep.check_folder(two_of_four)
    sweep.fresh(two_of_four, print)
    assert files(two_of_four) == before and before


# -- the dataset in shared memory


def test_a_shared_dataset_is_the_same_and_the_same_memory(small_data):
    handle = sharing.share(small_data, multiprocessing.get_context("spawn"))
    one, two = sharing.shared(handle), sharing.shared(handle)
    for name in ("name", "digest", "source"):
        assert getattr(one, name) == getattr(small_data, name)
    for split in ("train", "test"):
        for field in ("images", "labels"):
            array = getattr(getattr(one, split), field)
            np.testing.assert_array_equal(array, getattr(getattr(small_data, split), field))
            assert array.dtype == np.uint8 and not array.flags.writeable
            assert np.shares_memory(array, getattr(getattr(two, split), field))


def test_going_on_with_other_versions_is_warned_of_and_recorded(tiny, tmp_path, monkeypatch):
    said, first = [], facts.versions()
    question = Question(COMMON, (50,), (0,))
    opened(tmp_path, question, tiny, said.append)
    opened(tmp_path, question, tiny, said.append)
    assert said == []
    monkeypatch.setattr(facts, "versions", lambda: first | {"numpy": "9.9"})
    opened(tmp_path, question, tiny, said.append)
    assert len(said) == 1
    assert f"begun with numpy {first['numpy']} and continues with 9.9" in said[0]
    known = read_json(tmp_path / "sweep.json")
    assert known["versions"] == first | {"device": "cpu"}
    assert [later["numpy"] for later in known["went_on_with"]] == ["9.9"]
    monkeypatch.undo()
    open_folder(tmp_path, question, tiny, "a command", said.append, device="cuda")
    assert "begun with device cpu and continues with cuda" in said[1]


def test_a_folder_in_which_a_start_was_killed_is_taken_but_not_one_with_a_hidden_file(tmp_path):
    (tmp_path / ".sweep.json.0badcafe-1.part").write_text("half")
    sweep.check_folder(tmp_path)
    (tmp_path / ".thesis.part").write_text("mine")
    with pytest.raises(SettingError, match="not empty and holds no sweep"):
        sweep.check_folder(tmp_path)


def test_starting_over_deletes_what_the_sweep_left_and_nothing_else(tiny, tmp_path):
    question = Question(COMMON, (50,), (0,))
    opened(tmp_path, question, tiny)
    run_cell(tmp_path, question.cells()[0], tiny)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "pictures").mkdir()
    shutil.copytree(tmp_path / "b50-lr0.05-m0.5-epochs2-seed0", tmp_path / "backup of b50")
    for name in ("notes.txt", ".thesis.part", ".run.json.0badcafe-1.part"):
        (tmp_path / "b50-lr0.05-m0.5-epochs2-seed0" / name).write_text("mine, but for the last")
    (tmp_path / "b50-lr0.05-seed7").symlink_to(tmp_path / "backup of b50")
    said = []
    sweep.fresh(tmp_path, said.append)
    assert len(said) == 1 and "deletes 1 runs (2 epochs)" in said[0]
    left_over = {path.name for path in tmp_path.iterdir()}
    assert left_over == {"notes.txt", "pictures", "backup of b50", "b50-lr0.05-m0.5-epochs2-seed0"}
    kept = {p.name for p in (tmp_path / "b50-lr0.05-m0.5-epochs2-seed0").iterdir()}
    assert kept == {"notes.txt", ".thesis.part"}
    assert (tmp_path / "backup of b50" / "checkpoint.npz").exists()
