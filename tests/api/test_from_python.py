"""minisgd.train(...) and minisgd.sweep(...), called as a script or a notebook calls them."""

import csv
import inspect
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import minisgd
from minisgd.commands.group import cli
from minisgd.commands.options import RUN
from minisgd.errors import SettingError, UserError
from minisgd.lab.metrics import COLUMNS, read_metrics, settings_of
from minisgd.settings import Settings

ROOT = Path(__file__).parents[2]


class OfBytes(os.PathLike):
    """A path of bytes, which Path refuses."""

    def __fspath__(self):
        return b"a"

    def __repr__(self):
        return "OfBytes"


def without_times(rows):
    return [{column: value for column, value in row.items() if column != "seconds"} for row in rows]


def command(*args, code=0):
    done = CliRunner().invoke(cli, [str(arg) for arg in args])
    assert done.exit_code == code, done.output
    return done


def on_small(small_mnist, *args):
    return (*args, "--dataset", "glyphs", "--data-dir", small_mnist, "--device", "cpu")


# ---- the same as the command


def test_a_run_is_that_of_the_command_to_the_bit(train, small_mnist):
    records = train(lr=0.1, momentum=0.9, seed=3, threads=1)
    args = "train --batch-size 640 --lr .1 --momentum .9 --seed 3 --epochs 2 --threads 1 --out out"
    command(*on_small(small_mnist, *args.split()))
    assert without_times(records) == without_times(read_metrics(Path("out/metrics.csv")))
    assert [list(row) for row in records] == [COLUMNS] * 2
    assert settings_of(records[0]) == Settings(640, 0.1, momentum=0.9, seed=3, epochs=2)


def test_a_sweep_is_that_of_the_command_to_the_bit(sweep, small_mnist):
    records = sweep(seeds=2, rule="linear")
    args = "sweep --batch-sizes 320,640 --seeds 2 --rule linear --epochs 2 --out out"
    done = command(*on_small(small_mnist, *args.split()))
    assert without_times(records) == without_times(read_metrics(Path("out/metrics.csv")))
    assert minisgd.table(records) in done.stdout


def test_without_a_folder_nothing_is_left(train, sweep, tmp_path):
    train(), sweep(batch_sizes=(640,))
    assert not any((tmp_path / "temporary").iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {"temporary"}


def test_the_folder_is_that_of_the_command(sweep, small_mnist):
    sweep(out="kept", rule="linear")
    table = Path("kept/table.txt").read_text()
    assert "linear scaling" in table and Path("kept/accuracy.png").exists()
    args = "sweep --batch-sizes 320,640 --rule linear --epochs 2 --out kept"
    done = command(*on_small(small_mnist, *args.split()))
    assert "2 of 2 runs were finished before and are kept" in done.stderr
    assert Path("kept/table.txt").read_text() == table
    with open("kept/metrics.csv", newline="") as file:
        assert len(list(csv.reader(file))) == 5


def test_the_folder_says_how_it_was_made(train):
    train(out=Path("kept"), lr=0.5)
    text = Path("kept/sweep.json").read_text()
    assert '"command": "minisgd.train(batch_size=640, epochs=2, lr=0.5)"' in text


def test_what_was_asked_for_is_returned_not_all_that_the_folder_holds(sweep):
    sweep(out="kept")
    assert {row["batch_size"] for row in sweep(out="kept", batch_sizes=[640])} == {640}


def test_seeds_are_a_count_or_several(sweep):
    once = sweep(batch_sizes=640, seeds=2, epochs=1)
    assert [row["seed"] for row in once] == [0, 1]
    assert [row["seed"] for row in sweep(batch_sizes=640, seeds=[1], epochs=1)] == [1]


def test_a_dataset_is_a_name_or_what_was_loaded(train, small_mnist):
    named = train(dataset="glyphs", data_dir=small_mnist)
    assert without_times(named) == without_times(train())


def test_numbers_of_numpy_are_numbers(train):
    given = train(batch_size=np.int64(640), lr=np.float64(0.1), seed=np.int8(1), out="kept")
    assert without_times(given) == without_times(train(lr=0.1, seed=1))
    assert "b640-lr0.1-epochs2-seed1" in os.listdir("kept")
    whole = train(lr=1, out="whole")  # as --lr 1 is
    assert type(whole[0]["base_lr"]) is float
    assert '"lr": 1.0' in Path("whole/b640-lr1-epochs2-seed0/run.json").read_text()


def test_every_setting_of_the_command_is_one_here(train):
    for name in RUN:
        with pytest.raises(SettingError, match=f"^{name} must be |^the {name} "):
            train(**{name: object()})
    assert str(inspect.signature(minisgd.train)).startswith("(batch_size=64, *, seed=0, ")
    assert "batch_sizes=(64, 128, 256," in str(inspect.signature(minisgd.sweep))


def test_a_file_of_ones_own_is_read_again_when_it_has_changed(train):
    text = "def mine(b, b0):\n    return {}\n\n\nRULES = {{'mine': mine}}\n"
    rates = []
    for factor in (2.0, 3.0):
        Path("mine.py").write_text(text.format(factor))
        rates.append(train(own="mine.py", rule="mine", epochs=1)[0]["lr"])
    assert rates == [0.02, 0.03]
    with pytest.raises(SettingError, match=r"rule must be one of .*, got 'mine'"):
        train(rule="mine")  # the file was not given


# ---- what goes wrong


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"batchsize": 64}, "there is no setting 'batchsize', only batch_size, seed, lr, rule, "),
        ({"lr": "0.1"}, "lr must be a number, got '0.1'"),
        ({"lr": 10**400}, "lr must be a number that is not so large"),
        ({"batch_size": 64.0}, "batch_size must be a whole number, got 64.0"),
        ({"momentum": True}, "momentum must be a number, got True"),
        ({"batch_size": None}, "batch_size must be a whole number, got None"),
        ({"epochs": 0}, "a run needs at least 1 epoch, got 0"),
        ({"epochs": 10**6 + 1}, "a run has at most 1,000,000 epochs, got 1000001"),
        ({"rule": "cube"}, "rule must be one of none, sqrt, linear, adam-sqrt, got 'cube'"),
        ({"batch_size": 641}, "batch size 641 is larger than the training set of 640 images"),
        ({"threads": 0}, "threads must be a whole number from 1, got 0"),
        ({"device": "tpu"}, "device must be one of auto, cpu, cuda, got 'tpu'"),
        ({"dataset": "x"}, "dataset must be one of auto, "),
        ({"dataset": 3}, "dataset must be a name, or what load_dataset returned, got 3"),
        ({"out": 3}, "out must be a path, got 3"),
        ({"out": "a\0b"}, "out must be a path, got "),
        pytest.param(
            {"out": "a\ud800b"},
            "out must be a path, got 'a\\ud800b'",
            marks=pytest.mark.skipif(os.name == "nt", reason="a name that Windows allows"),
        ),
        ({"out": b"a"}, "out must be a path, got b'a'"),
        ({"out": OfBytes()}, "out must be a path, got OfBytes"),
        ({"out": "~nosuchuser/x"}, "out begins with a home folder that is not here"),
        ({"dataset": "glyphs", "data_dir": 3}, "data_dir must be a path, got 3"),
        ({"own": "none.py"}, "--with: cannot read none.py: "),
        ({"optimizer": "sgd", "momentum": 0.9}, "--optimizer sgd has no momentum, got "),
    ],
)
def test_a_senseless_call_is_refused_in_a_sentence_before_anything_is_done(
    train, tmp_path, given, sentence
):
    with pytest.raises(SettingError) as refused:
        train(**given)
    assert str(refused.value).startswith(sentence) and "\n" not in str(refused.value)
    assert not any((tmp_path / "temporary").iterdir())


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"batch_size": 64}, "sweep takes several: give batch_sizes, not batch_size"),
        ({"batch_sizes": ()}, "batch_sizes must be whole numbers such as (64, 128), got ()"),
        ({"batch_sizes": "64,128"}, "batch_sizes must be whole numbers such as "),
        ({"seeds": 0}, "seeds must be a whole number from 1 to 1000, got 0"),
        ({"seeds": "3"}, "seeds must be whole numbers such as (0, 1, 2), got '3'"),
        ({"warmup": "gradual", "warmup_epochs": -1}, "a warmup needs at least 1 epoch, got -1"),
        ({"seeds": [-1]}, "a seed must be at least 0, got -1"),
        ({"seeds": [2**63]}, f"the seed must be at most 2**63 - 1, got {2**63}"),
        ({"jobs": 0}, "jobs must be a whole number from 1, got 0"),
    ],
)
def test_a_senseless_sweep_is_refused_too(sweep, given, sentence):
    with pytest.raises(SettingError) as refused:
        sweep(**given)
    assert str(refused.value).startswith(sentence)


def test_one_run_has_one_batch_size(train):
    with pytest.raises(SettingError, match="train takes one: give batch_size, not batch_sizes"):
        train(batch_sizes=(64, 128))


def test_the_sentence_is_that_of_the_command(train, small_mnist):
    said = command(*on_small(small_mnist, "train", "--momentum", "1"), code=2).stderr
    with pytest.raises(SettingError) as refused:
        train(momentum=1)
    assert said == f"Error: {refused.value}\n"


def test_an_error_in_a_run_names_the_line_and_leaves_its_traceback(sweep, tmp_path):
    Path("mine.py").write_text(
        "from minisgd.optim import Optimizer\n\n\n"
        "def step(w, g, memory, lr, t, settings, shapes):\n"
        "    w -= lr * g / (1 // (1 - t))\n\n\n"
        "OPTIMIZERS = {'mine': Optimizer(step)}\n"
    )
    with pytest.raises(UserError) as failed:  # the second update of an epoch; 640 have but one
        sweep(own="mine.py", optimizer="mine", epochs=1)
    said = str(failed.value)
    assert said.startswith("1 of 2 runs failed (b320-") and "mine.py, line 5: Zero" in said
    (folder,) = (tmp_path / "temporary").iterdir()
    assert said.endswith(f"; the others are in {folder}")
    (error,) = folder.glob("b320-*/error.txt")
    assert "ZeroDivisionError" in error.read_text() and str(error) in said
    (kept,) = folder.glob("b640-*/epochs.jsonl")
    assert kept.read_text().count("\n") == 1


def test_an_interrupted_call_says_what_is_kept_and_the_same_call_goes_on(train, interrupted):
    whole = train(epochs=4)
    with interrupted(3), pytest.raises(KeyboardInterrupt) as stop:
        train(epochs=4, out="kept")
    assert str(stop.value) == (
        "Stopped. 2 whole epochs are kept in kept; the same call goes on from there"
    )
    nothing = "Nothing is kept; a call with out=FOLDER could"
    with interrupted(3), pytest.raises(KeyboardInterrupt, match=nothing):
        train(epochs=4)
    assert without_times(train(epochs=4, out="kept")) == without_times(whole)
    assert not any(Path("temporary").iterdir())


LONG = """
import minisgd
records = minisgd.sweep(
    (64, 128), epochs=16, jobs=2, device="cpu", dataset="glyphs", data_dir={folder!r}, out="kept"
)
print(len(records), "records")
"""


def lines_of_epochs():
    return {path.parent.name: path.read_bytes() for path in Path("kept").glob("*/epochs.jsonl")}


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_an_interrupted_sweep_leaves_whole_epochs_and_the_same_call_goes_on(small_mnist):
    Path("script.py").write_text(LONG.format(folder=str(small_mnist)))
    start = {"text": True, "env": os.environ | {"PYTHONPATH": str(ROOT)}, "stdout": -1}
    process = subprocess.Popen(
        [sys.executable, "script.py"], stderr=-1, start_new_session=True,
        # As from a terminal: a suite in the background ignores it, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler), **start,
    )  # fmt: skip
    until = time.monotonic() + 120
    while (
        not any(lines_of_epochs().values()) and process.poll() is None and time.monotonic() < until
    ):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode, said
    stopped = re.search(
        r"KeyboardInterrupt: Stopped\. (\d+) whole epochs? (?:is|are) kept in kept", said
    )
    kept = int(stopped[1])
    before = lines_of_epochs()
    assert kept == sum(text.count(b"\n") for text in before.values()) and 1 <= kept < 32
    again = subprocess.run([sys.executable, "script.py"], stderr=-1, timeout=240, **start)
    assert (again.returncode, again.stdout) == (0, "32 records\n"), again.stderr
    after = lines_of_epochs()
    assert all(after[name].startswith(text) for name, text in before.items())


# ---- where it is called from

SCRIPT = """
import minisgd
data = minisgd.load_dataset("glyphs", {folder!r})
records = minisgd.sweep((320, 640), epochs=1, jobs=2, device="cpu", dataset=data)
print(len(records), "records")
"""


def test_a_script_needs_no_guard(small_mnist):
    Path("script.py").write_text(SCRIPT.format(folder=str(small_mnist)))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "script.py"], capture_output=True, text=True, timeout=120, env=environment
    )
    assert (done.returncode, done.stdout) == (0, "2 records\n"), done.stderr
    assert "Traceback" not in done.stderr and "tried once more" not in done.stderr


def test_a_sweep_may_be_made_by_another_thread(sweep):
    found = []
    thread = threading.Thread(target=lambda: found.extend(sweep(epochs=1)))
    thread.start()
    thread.join(120)
    assert [row["batch_size"] for row in found] == [320, 640]


def test_progress_is_said_unless_it_is_not_wanted(train, capsys):
    train()
    assert capsys.readouterr().err.startswith("1 of 1 runs, 0:00 left; b 640, seed 0: test accu")
    train(progress=False)
    assert capsys.readouterr() == ("", "")


# ---- the face


def test_the_calls_are_modules_still():
    import minisgd.train as module
    from minisgd import sweep, train

    assert train is module is sys.modules["minisgd.train"] and callable(train)
    assert callable(train.train) and train.Run and sweep.Question and callable(sweep)
    assert sweep is sys.modules["minisgd.lab.sweep"]


def test_the_face_costs_what_is_used_of_it():
    code = (
        "import sys, minisgd\n"
        "heavy = {'numpy', 'matplotlib', 'click', 'pandas', 'IPython'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "minisgd.plots, minisgd.table, minisgd.frame, minisgd.train\n"
        "assert not {'matplotlib', 'pandas', 'IPython'} & set(sys.modules)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert (done.returncode, done.stderr) == (0, "")
