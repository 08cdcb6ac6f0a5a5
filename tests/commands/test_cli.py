"""The commands, from the outside: what they print, what they leave, and how they refuse."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from click.testing import CliRunner

from minisgd import rules
from minisgd.data import datasets as data
from minisgd.data.idx import digest_of
from minisgd.lab import runs
from minisgd.report import verdicts

PROGRAM = Path(__file__).parents[2] / "cli.py"
COLUMNS = (
    "rule,warmup,optimizer,batch_size,base_lr,lr,momentum,seed,epoch,train_loss,train_accuracy,"
    "test_loss,test_accuracy,seconds,status"
)
COMMANDS = (
    "train",
    "sweep",
    "figures",
    "tune",
    "grow",
    "verdicts",
    "measure",
    "rates",
    "gradcheck",
    "data",
    "plot",
    "doctor",
    "bench",
)


@pytest.fixture(scope="module")
def cli():
    spec = spec_from_file_location("minisgd_cli", PROGRAM)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def apart(monkeypatch, tmp_path):
    """Every test in an empty folder, without the data of whoever runs it, and without a network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINISGD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def call(cli):
    """Run a command in this process; nothing but an exit may come out of it."""

    def call(*args, code=0):
        result = CliRunner().invoke(cli.cli, [str(arg) for arg in args])
        if not isinstance(result.exception, SystemExit | None):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    return call


def program(*args):
    """Run a command as a user does."""
    command = [sys.executable, str(PROGRAM), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def sentence(text):
    """The one sentence that a refusal is."""
    (line,) = text.strip().splitlines()
    assert line.startswith("Error: ") and "Traceback" not in line
    return line


def small(small_mnist, *args):
    return (*args, "--dataset", "glyphs", "--data-dir", small_mnist, "--device", "cpu")


def sweep_of(small_mnist, out, *args):
    more = ("sweep", "--batch-sizes", "64,128", "--epochs", "2", "--rule", "linear", *args)
    return small(small_mnist, *more, "--out", out)


@pytest.fixture(scope="module")
def swept(small_mnist, tmp_path_factory):
    """(folder, finished process) of 2 batch sizes x 2 seeds x 2 epochs."""
    out = tmp_path_factory.mktemp("swept") / "out"
    return out, program(*sweep_of(small_mnist, out, "--seeds", "2", "--jobs", "2"))


# -- help


def test_help_needs_nothing_heavy_and_every_command_has_one_line():
    script = f"""
import sys
sys.path.insert(0, {str(PROGRAM.parent)!r})
import cli
for args in [], *([name] for name in cli.cli.commands):
    try:
        cli.cli([*args, "--help"], prog_name="cli.py")
    except SystemExit as end:
        assert not end.code
print(sorted({{"numpy", "matplotlib", "minisgd", "cupy"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\n[]\n")
    listed = done.stdout.split("Commands:\n")[1].split("Usage:")[0].splitlines()
    helps = dict(line.strip().split(maxsplit=1) for line in listed if line.strip())
    assert set(COMMANDS) <= set(helps)
    for name, line in helps.items():
        assert line.endswith(".") and "..." not in line
        assert f"Usage: cli.py {name} " in done.stdout


def test_no_command_is_the_help_and_an_unknown_one_is_refused(call):
    assert "Commands:" in call(code=2).output
    assert "swep" in sentence(call("swep", code=2).stderr)


def test_the_choices_are_those_of_the_rooms(cli):
    assert (cli.RULES, cli.WARMUPS, cli.DATASETS) == (rules.RULES, rules.WARMUPS, data.NAMES)


# -- train, sweep, plot


def test_a_sweep_leaves_figure_table_and_metrics(swept):
    out, done = swept
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    names = {"sweep.json", "metrics.csv", "table.txt", "accuracy.png", "accuracy.svg"}
    found = {path.name for path in out.iterdir()} - {".lock"}
    assert found == names | {f"b{b}-lr0.01-linear-seed{seed}" for b in (64, 128) for seed in (0, 1)}
    assert (out / "accuracy.png").read_bytes().startswith(b"\x89PNG")
    svg = (out / "accuracy.svg").read_text()
    assert "b = 64, η = 0.01" in svg and "b = 128, η = 0.02" in svg and "NOT MNIST" in svg
    with open(out / "metrics.csv", newline="") as file:
        assert file.readline() == COLUMNS + "\n"
        rows = list(csv.DictReader(file, COLUMNS.split(",")))
    assert len(rows) == 2 * 2 * 2
    keys = {(row["batch_size"], row["seed"], row["epoch"], row["lr"]) for row in rows}
    rates = {"64": "0.01", "128": "0.02"}
    assert keys == {(b, s, e, rates[b]) for b in rates for s in "01" for e in "12"}
    assert all(row["status"] == "ok" and row["optimizer"] == "sgd" for row in rows)
    assert all(0 <= float(row["test_accuracy"]) <= 1 for row in rows)


def test_a_sweep_prints_its_table_and_where_things_lie(swept):
    out, done = swept
    table = (out / "table.txt").read_text()
    assert table.strip() in done.stdout
    lines = table.splitlines()
    assert "linear scaling" in lines[0] and "NOT MNIST" in lines[1]
    assert re.split(r"\s{2,}", lines[3].strip()) == [
        "batch size", "rate", "seeds", "best test", "final test", "epochs to 97 %", "status",
    ]  # fmt: skip
    assert [line.split()[:3] for line in lines[4:]] == [["64", "0.01", "2"], ["128", "0.02", "2"]]
    assert all(line.endswith("2 ok") for line in lines[4:])
    for path in (out / "accuracy.png", out / "table.txt", out / "metrics.csv"):
        assert str(path) in done.stdout
    assert "640 + 160 images" in done.stderr and "4 of 4 runs" in done.stderr


@pytest.fixture
def copy(swept, tmp_path):
    """A copy of the finished sweep, to do something to."""
    return shutil.copytree(swept[0], tmp_path / "copy")


def epochs_of(out):
    return {path.parent.name: path.read_bytes() for path in out.glob("*/epochs.jsonl")}


def test_the_same_sweep_again_does_nothing_and_says_so(call, small_mnist, copy):
    kept, metrics = epochs_of(copy), (copy / "metrics.csv").read_bytes()
    again = call(*sweep_of(small_mnist, copy, "--seeds", "2"))
    assert "4 of 4 runs were finished before and are kept" in again.stderr
    assert epochs_of(copy) == kept and (copy / "metrics.csv").read_bytes() == metrics
    assert (copy / "table.txt").read_text().strip() in again.stdout


def test_a_seed_is_added_to_a_finished_sweep(call, small_mnist, copy):
    kept = epochs_of(copy)
    more = call(*sweep_of(small_mnist, copy, "--batch-sizes", "128", "--seeds", "3,"))
    assert "1 of 1 runs" in more.stderr
    now = epochs_of(copy)
    assert set(now) - set(kept) == {"b128-lr0.01-linear-seed3"}
    assert {name: now[name] for name in kept} == kept
    table = (copy / "table.txt").read_text()
    assert "not started" in table  # seed 3 at 64 is in the folder's question, and was not asked for
    assert len((copy / "metrics.csv").read_text().splitlines()) == 1 + 8 + 2


def test_another_sweeps_folder_is_refused_by_the_name_of_what_differs(call, small_mnist, copy):
    kept = epochs_of(copy)
    refused = call(*sweep_of(small_mnist, copy, "--momentum", "0.9"), code=2)
    assert "its momentum is 0.0, not 0.9" in sentence(refused.stderr)
    assert epochs_of(copy) == kept


def test_fresh_says_what_it_deletes_and_starts_over(call, small_mnist, copy):
    (copy / "mine.txt").write_text("keep")
    args = ("--batch-sizes", "128", "--epochs", "1", "--momentum", "0.9", "--fresh")
    done = call(*sweep_of(small_mnist, copy, *args))
    assert f"--fresh deletes 4 runs (8 epochs) and their figure in {copy}" in done.stderr
    assert set(epochs_of(copy)) == {"b128-lr0.01-linear-m0.9-seed0"}
    assert (copy / "mine.txt").read_text() == "keep"


def test_train_prints_every_epoch_and_leaves_its_results(call, small_mnist):
    args = ("train", "--batch-size", "32", "--lr", "0.05", "--epochs", "3", "--seed", "4")
    done = call(*small(small_mnist, *args, "--warmup", "gradual", "--warmup-epochs", "2"))
    lines = [line for line in done.stdout.splitlines() if line.startswith("epoch ")]
    assert [line.split()[1] for line in lines] == ["1", "2", "3"]
    assert all("rate 0.05" in line and "test loss" in line for line in lines)
    (out,) = Path("runs").iterdir()
    assert str(out) in done.stdout
    assert len((out / "metrics.csv").read_text().splitlines()) == 4
    again = call(*small(small_mnist, *args, "--warmup", "gradual", "--warmup-epochs", "2"))
    assert "1 of 1 runs were finished before" in again.stderr and "epoch   1" not in again.stdout


def test_the_seed_and_the_threads_decide_as_promised(call, small_mnist, tmp_path):
    def ends(name, *args):
        base = ("train", "--batch-size", "128", "--epochs", "1", "--out", tmp_path / name)
        call(*small(small_mnist, *base, *args))
        with open(tmp_path / name / "metrics.csv", newline="") as file:
            (row,) = csv.DictReader(file)
        return row["train_loss"], row["test_loss"]

    assert ends("a") == ends("b", "--threads", "2") != ends("c", "--seed", "1")


def test_a_run_that_diverges_is_a_result(call, small_mnist, tmp_path):
    out = tmp_path / "out"
    args = ("--lr", "1e30", "--rule", "none", "--batch-sizes", "64,640", "--epochs", "3")
    done = call(*sweep_of(small_mnist, out, *args))
    assert (out / "table.txt").read_text().count("diverged in epoch 1") == 2
    rows = (out / "metrics.csv").read_text().splitlines()[1:]
    assert len(rows) == 2 and all(row.endswith(",diverged") and ",,,,," in row for row in rows)
    assert (out / "accuracy.svg").exists()
    assert "Warning" not in done.stderr
    alone = call(*small(small_mnist, "train", "--lr", "1e30", "--epochs", "3"))
    assert re.search(r"epoch   1  diverged at update \d+", alone.stdout)


def test_plot_draws_a_sweep_again(call, copy):
    wanted = {name: (copy / name).read_bytes() for name in ("accuracy.svg", "table.txt")}
    for name in (*wanted, "accuracy.png", "metrics.csv"):
        (copy / name).unlink()
    done = call("plot", copy)
    assert {name: (copy / name).read_bytes() for name in wanted} == wanted
    assert (copy / "accuracy.png").exists() and str(copy / "metrics.csv") in done.stdout


def test_plot_draws_a_sweep_into_another_folder(call, copy, tmp_path):
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    done = call("plot", copy, "--out", tmp_path / "elsewhere" / "new")
    assert str(tmp_path / "elsewhere" / "new" / "accuracy.png") in done.stdout
    drawn = {path.name for path in (tmp_path / "elsewhere" / "new").iterdir()}
    assert drawn == {"accuracy.png", "accuracy.svg", "metrics.csv", "table.txt"}
    assert {path: path.read_bytes() for path in before} == before


def test_a_long_sweep_says_every_minute_how_far_it_is(call, cli, small_mnist, tmp_path):
    one = sweep_of(small_mnist, tmp_path / "out", "--batch-sizes", "64", "--epochs", "3")
    assert call(*one).stderr.count(" left; ") == 1  # the run's end
    cli.MINUTE = 0.0
    said = call(*one, "--fresh").stderr
    assert re.search(r"0 of 1 runs, 0:0\d left; b 64, seed 0: .* after epoch 1\n", said)
    assert said.count(" left; ") == 3


def test_a_terminal_without_greek_gets_a_question_mark():
    command = [sys.executable, str(PROGRAM), "rates", "--epochs", "1"]
    done = subprocess.run(
        command, capture_output=True, timeout=120, env={**os.environ, "PYTHONIOENCODING": "latin-1"}
    )
    assert done.returncode == 0 and b"effective rate ?/(1-m)" in done.stdout


def test_plot_draws_several_beside_each_other(call, copy, small_mnist, tmp_path):
    one = ("--batch-sizes", "128", "--epochs", "1", "--rule", "sqrt")
    call(*sweep_of(small_mnist, tmp_path / "sqrt", *one))
    done = call("plot", copy, tmp_path / "sqrt", "--out", tmp_path / "both")
    assert {path.name for path in (tmp_path / "both").iterdir()} == {
        "comparison.png",
        "comparison.svg",
    }
    svg = (tmp_path / "both" / "comparison.svg").read_text()
    assert "linear scaling" in svg and "sqrt scaling" in svg and "NOT MNIST" in svg
    assert str(tmp_path / "both" / "comparison.png") in done.stdout


def test_a_run_that_fails_costs_the_exit_code_and_stands_in_the_table(
    call, cli, small_mnist, tmp_path, monkeypatch
):
    from minisgd.lab import sweep

    real = sweep.run_cells

    def one_fails(out, cells, *args, **keywords):
        return real(out, cells[1:], *args, **keywords) | {cells[0]: "its process was killed"}

    monkeypatch.setattr(sweep, "run_cells", one_fails)
    failed = call(*sweep_of(small_mnist, tmp_path / "out", "--epochs", "1"), code=1)
    assert "Error: 1 of 2 runs failed, see the table" in failed.stderr
    table = (tmp_path / "out" / "table.txt").read_text()
    assert "failed: its process was killed" in table and " ok\n" in table


# -- the report's figures, tune, grow, verdicts


NOT_MNIST = "NOT MNIST: the built-in digits drawn from fonts (glyphs)"


@pytest.fixture
def short(monkeypatch):
    """The experiments with an epoch a run, few runs, and the seeds of luck."""
    from dataclasses import replace

    from minisgd.report import experiments

    for name, experiment in experiments.EXPERIMENTS.items():
        settings = tuple(
            replace(s, batch_size=s.batch_size // 32, epochs=1, warmup="none")
            for s in (experiment.settings[0], experiment.settings[-1])
        )
        few = replace(experiment, settings=settings, lucky=(256,), apart=(256,))
        monkeypatch.setitem(experiments.EXPERIMENTS, name, few)


def on_glyphs(small_mnist, *args):
    more = ("--dataset", "glyphs", "--data-dir", small_mnist, "--device", "cpu")
    return (*args, *more, "--jobs", "2")


def test_figures_are_made_kept_and_drawn_again_without_their_runs(
    call, short, small_mnist, tmp_path
):
    first = call(*on_glyphs(small_mnist, "figures", "3", "--seeds", "1"))
    assert "Fig. 3: linear scaling, η = 0.01 b/64: 3 of 3 runs to do" in first.stderr
    assert f"\n{NOT_MNIST}\n" in first.stdout
    names = {f"figure3.{kind}" for kind in ("png", "svg", "csv", "json")}
    assert {path.name for path in Path("figures").iterdir()} == names | {".lock"}
    kept = {name: Path("figures", name).read_bytes() for name in names}
    made = json.loads(kept["figure3.json"])
    (making,) = made["makings"]
    assert made["dataset"] == "glyphs" and making["command"].startswith("python ")
    assert (making["runs"], making["seeds"], making["jobs"]) == (3, [0, 1], 2)
    assert kept["figure3.csv"].count(b"\n") == 1 + 3
    # In another place, with neither runs nor data: drawn again, the same to the byte.
    shutil.rmtree("runs")
    again = call("figures", "3", "--seeds", "1", "--data-dir", tmp_path / "none")
    assert "none of 3 runs to do" in again.stderr and "downloading" not in again.stderr
    assert {name: Path("figures", name).read_bytes() for name in names} == kept
    assert not Path("runs/figures/figure3").exists()
    # A seed more trains what is missing and keeps the rest.
    more = call(*on_glyphs(small_mnist, "figures", "3", "--seeds", "2"))
    assert "3 of 6 runs to do" in more.stderr
    made = json.loads(Path("figures/figure3.json").read_bytes())
    assert [making["seeds"] for making in made["makings"]] == [[0, 1], [1, 2, 3]]
    now = Path("figures/figure3.csv").read_bytes()
    assert now.count(b"\n") == 1 + 6 and set(kept["figure3.csv"].split()) <= set(now.split())


def test_a_run_that_fails_does_not_keep_the_others_out(call, short, small_mnist, monkeypatch):
    from minisgd.lab import sweep

    run_cells = sweep.run_cells

    def one_fails(out, cells, *rest):
        *whole, last = cells
        run_cells(out, whole, *rest)
        return {last: "it was made to"}

    monkeypatch.setattr(sweep, "run_cells", one_fails)
    done = call(*on_glyphs(small_mnist, "figures", "1", "2", "--seeds", "1"), code=1)
    assert "failed (b256-lr0.01-seed1: it was made to); the others are kept" in done.stderr
    assert "failed (b256-lr0.01-sqrt-seed1: it was made to)" in done.stderr
    for name in ("figure1", "figure2"):
        assert Path("figures", f"{name}.csv").read_text().count("\n") == 1 + 2


def test_all_figures_on_other_data_are_refused(call, short, small_mnist, tmp_path):
    call(*on_glyphs(small_mnist, "figures", "1", "5", "--seeds", "1"))
    made = runs.read_json("figures/figure1.json")
    runs.write_json(Path("figures/figure1.json"), made | {"digest": "another"})
    Path("figures/figure5.json").unlink()
    refused = call(*on_glyphs(small_mnist, "figures", "2", "--seeds", "1"), code=2)
    assert "results of another dataset than glyphs: give another --out" in refused.stderr


def test_the_authors_own_lines_are_laid_over_ours(call, short, small_mnist, tmp_path):
    theirs = tmp_path / "paper"
    theirs.mkdir()
    (theirs / "sqrtLrLeNet5.csv").write_text(
        ",model,train_accuracy,test_accuracy,train_loss,test_loss,epoch,time,batch_size,lr\n"
        "0,LeNet5,0.5,0.8,0.3,0.4,1,9.2,2,0.01\n"
    )
    made = call(*on_glyphs(small_mnist, "figures", "2", "--seeds", "1", "--reference", theirs))
    assert "the authors' own run" in Path("figures/figure2-reference.svg").read_text()
    assert not Path("figures/figure2.svg").exists()  # which is ours alone
    call("figures", "2", "--seeds", "1")
    assert "the authors' own run" not in Path("figures/figure2.svg").read_text()
    assert "holds no table" not in made.stderr
    other = call(*on_glyphs(small_mnist, "figures", "5", "--seeds", "1", "--reference", theirs))
    assert f"{theirs} holds no table of the authors' for figure5" in other.stderr


def test_tune_chooses_on_held_out_images_and_shows_both_ways(call, small_mnist):
    args = ("tune", "--lrs", "1e-4,.05", "--epochs", "1", "--seeds", "2", "--held-out", "100")
    done = call(*on_glyphs(small_mnist, *args, "--batch-size", "20"))
    assert "chosen on held-out images: 0.05; the test set would choose 0.05" in done.stdout
    assert "is at the edge of the grid: give more --lrs" in done.stderr
    assert f"\n{NOT_MNIST}\n" in done.stdout
    with open("figures/tune.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["lr"], row["seed"]) for row in rows] == [
        ("0.0001", "0"), ("0.0001", "1"), ("0.05", "0"), ("0.05", "1"),
    ]  # fmt: skip
    assert {path.name for path in Path("figures").glob("tune.*")} == {
        "tune.csv", "tune.json", "tune.png", "tune.svg",
    }  # fmt: skip
    again = call(*on_glyphs(small_mnist, *args, "--batch-size", "20"))
    assert again.stdout == done.stdout and "runs," not in again.stderr
    other = call(*on_glyphs(small_mnist, *args, "--batch-size", "10"), code=2)
    assert "tune.json is the answer to another question (it differs in batch_size)" in other.stderr


def test_grow_prints_every_decision_and_keeps_the_runs(call, small_mnist):
    args = ("grow", "--batch-size", "20", "--epochs", "1", "--largest", "40", "--tolerance", ".99")
    done = call(*on_glyphs(small_mnist, *args, "--seeds", "1", "--held-out", "100"))
    lines = [line for line in done.stdout.splitlines() if line.startswith("b = ")]
    assert len(lines) == 2 and lines[0].endswith("the start")
    assert (
        lines[1].startswith("b = 40 ") and "η = 0.01414" in lines[1] and lines[1].endswith("kept")
    )
    assert lines[1].count("validation 0.") == 1 and (
        " falls by " in lines[1] or " rises by " in lines[1]
    )
    table = Path("figures/grow.csv").read_text()
    assert table.count("\n") == 1 + 2
    assert "validation_accuracy" in table and "test_accuracy" not in table
    assert "validation accuracy" in Path("figures/grow.svg").read_text()
    other = ("grow", *args[1:-1], ".98", "--seeds", "1", "--held-out", "100")
    refused = call(*on_glyphs(small_mnist, *other), code=2)
    assert "grow.json is the answer to another question (it differs in tolerance)" in refused.stderr
    call(*on_glyphs(small_mnist, *other, "--rule", "linear", "--factor", "2"))  # a name of its own
    assert Path("figures/grow-linear2.csv").exists()


def test_verdicts_are_read_from_the_figures(call, short, small_mnist):
    none = sentence(call("verdicts", code=1).stderr)
    assert "holds no results: run `python cli.py figures` first" in none
    call(*on_glyphs(small_mnist, "figures", "6", "--seeds", "1"))
    done = call("verdicts")
    assert done.stdout.startswith(f"{NOT_MNIST}\nthe report's claim")
    assert "not tested" in done.stdout and "Sec. IV" in done.stdout
    markdown = call("verdicts", "--markdown").stdout.splitlines()
    assert markdown[1].startswith("| the report says | seen here |")
    assert len(markdown) == 1 + 2 + len(verdicts.CLAIMS)


SMALL = {
    "covariance": {"sizes": (64, 256), "draws": 4, "epochs": (0,)},
    "equivalence": {"ks": (2, 8), "epochs": (0, 1), "draws": 2, "probe": 100},
    "effective-rate": {"updates": 6, "draws": 2, "epochs": (0,), "batch_size": 64, "probe": 100},
    "curvature": {
        "sizes": (256,),
        "epochs": 2,
        "points": 2,
        "subset": 50,
        "probe": 50,
        "clipped": (),
    },
    "noise-scale": {"updates": (0, 5), "draws": 3, "large": 256},
    "sharpness": {"subset": 60, "hessian": 30, "subspaces": 2, "epochs": 1, "large": 256},
}


@pytest.fixture
def quick(monkeypatch):
    """The measures with defaults that take a second."""
    from functools import partial

    from minisgd import measures

    for name, measure in measures.MEASURES.items():
        monkeypatch.setitem(measures.MEASURES, name, partial(measure, **SMALL[name]))


def test_the_help_names_every_measure(call, cli):
    from minisgd.measures import MEASURES

    assert tuple(MEASURES) == cli.MEASURES
    assert all(name in call("measure", "--help").stdout for name in MEASURES)


@pytest.mark.parametrize("name", SMALL)
def test_a_measure_leaves_a_table_a_figure_and_a_paragraph(call, quick, small_mnist, name):
    first = call(*on_glyphs(small_mnist, "measure", name, "--seed", "1"))
    made = runs.read_json(f"figures/measure-{name}.json")
    assert made["title"] in first.stdout and made["text"].endswith(".")
    assert " ".join(made["text"].split()) in " ".join(first.stdout.split())
    assert (
        NOT_MNIST in first.stdout and NOT_MNIST in Path(f"figures/measure-{name}.svg").read_text()
    )
    with open(f"figures/measure-{name}.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 2 and Path(f"figures/measure-{name}.png").exists()
    kept = {path: path.read_bytes() for path in Path("figures").glob(f"measure-{name}.[cps]*")}
    call(*on_glyphs(small_mnist, "measure", name, "--seed", "1", "--threads", "3"))
    assert {path: path.read_bytes() for path in kept} == kept  # by the seed, on any threads
    other = call(*on_glyphs(small_mnist, "measure", name, "--seed", "2"), code=2)
    assert f"{name}.json is the answer to another question (it differs in seed)" in other.stderr


def test_a_measure_that_wants_larger_batches_than_there_are_images_says_so(call, small_mnist):
    for name in ("covariance", "equivalence", "curvature", "noise-scale", "sharpness"):
        done = call(*on_glyphs(small_mnist, "measure", name), code=2)
        assert "is larger than the training set of 640 images" in done.stderr
        assert "Traceback" not in done.stderr and not Path(f"figures/measure-{name}.csv").exists()


def test_a_benchmark_prints_its_table_and_writes_what_it_measured(
    call, small_mnist, tmp_path, monkeypatch
):
    from minisgd.machine import bench

    ours = {"minisgd, 1 thread": ("ours", {"threads": 1}, 1)}
    monkeypatch.setattr(bench, "contenders", lambda threads, device: ours)
    args = ("bench", "--batch-sizes", "64", "--rounds", "2", "--json", tmp_path / "b.json")
    done = call(*args, "--dataset", "glyphs", "--data-dir", small_mnist)
    assert "batch size 64: round 2 of 2" in done.stderr and "minisgd, 1 thread" in done.stdout
    (row,) = json.loads((tmp_path / "b.json").read_text())["measured"]
    assert len(row["epoch_seconds"]) == 2


# -- rates, gradcheck, data, doctor


def table_of(text):
    return [line.split() for line in text.splitlines() if re.match(r"\s+\d", line)]


def test_rates_at_8192_are_the_reports(call):
    done = call("rates", "--rule", "linear", "--batch-sizes", "64,8192", "--epochs", "2")
    assert table_of(done.stdout)[:2] == [["1", "0.01", "1.28"], ["2", "0.01", "1.28"]]
    assert not Path("runs").exists()


def test_rates_of_a_gradual_warmup_begin_at_the_base_rate(call):
    args = ("--rule", "linear", "--warmup", "gradual", "--epochs", "12", "--momentum", "0.9")
    rows = table_of(call("rates", *args).stdout)
    assert [float(rate) for rate in rows[0][1:]] == [0.01] * 8
    assert [row[-1] for row in rows[:12]] == [
        "0.01", "0.137", "0.264", "0.391", "0.518", "0.645", "0.772", "0.899", "1.026", "1.153",
        "1.28", "1.28",
    ]  # fmt: skip
    assert rows[12][0] == "0.1" and rows[12][-1] == "12.8"  # η/(1-m)


def test_rates_of_any_size_stand_apart(call):
    done = call("rates", "--lr", "1.234e-5", "--rule", "sqrt", "--batch-sizes", "64,256,4096")
    assert table_of(done.stdout)[0] == ["1", "1.234e-05", "2.468e-05", "9.872e-05"]


def test_gradcheck_prints_a_line_a_tensor_and_fails_when_a_gradient_is_wrong(call, monkeypatch):
    from minisgd import gradcheck

    done = call("gradcheck")
    assert done.stdout.endswith("all gradients agree\n")
    for tensor in ("conv1.W", "fc3.b"):
        assert len(re.findall(rf"(?m)^.*{re.escape(tensor)}\b.*\d", done.stdout)) >= 1

    class Wrong:
        passed = False

        def __str__(self):
            return "conv1.W is wrong"

    monkeypatch.setattr(gradcheck, "check_all", lambda seed, device: [Wrong()])
    failed = call("gradcheck", code=1)
    assert "conv1.W is wrong" in failed.stdout and "1 gradients are wrong" in failed.stderr


def test_data_describes_what_is_there(call, small_mnist, small_data):
    done = call("data", "--dataset", "glyphs", "--data-dir", small_mnist)
    assert "640 + 160" in done.stdout and small_data.digest in done.stdout


@pytest.fixture
def as_mnist(small_mnist, small_data, monkeypatch):
    """The small files taken for MNIST: their folder."""
    arrays = [small_data.train.images, small_data.train.labels]
    arrays += [small_data.test.images, small_data.test.labels]
    digests = tuple(digest_of(array) for array in arrays)
    monkeypatch.setitem(data.KNOWN, "mnist", data.Known(digests))
    return small_mnist / "glyphs"


def test_data_takes_files_that_the_user_has(call, as_mnist, small_data, tmp_path, monkeypatch):
    done = call("data", "--from", as_mnist, "--data-dir", tmp_path / "mine")
    assert small_data.digest in done.stdout and "mnist" in done.stdout
    shown = call("data", "--dataset", "mnist", "--data-dir", tmp_path / "mine")
    assert small_data.digest in shown.stdout
    # MINISGD_DATA names the folder too, and a run finds it there: no note of other digits.
    monkeypatch.setenv("MINISGD_DATA", str(tmp_path / "mine"))
    args = ("--batch-size", "640", "--epochs", "1", "--device", "cpu")
    done = call("train", *args)
    assert "LeNet-5 on MNIST" in done.stdout and "NOT MNIST" not in done.output


def test_without_mnist_auto_says_that_it_is_not_mnist(call, small_mnist, tmp_path):
    """The mirrors cannot be reached; the digits are there."""
    args = ("--data-dir", small_mnist, "--batch-size", "640", "--epochs", "1", "--device", "cpu")
    done = call("train", *args, "--out", tmp_path / "out")
    assert done.stderr.startswith("NOT MNIST: ") and "NOT MNIST" in done.stdout
    assert "NOT MNIST" in (tmp_path / "out" / "accuracy.svg").read_text()


def test_doctor_says_what_is_here_and_what_to_do(call, small_mnist):
    done = call("doctor", "--data-dir", small_mnist)
    for word in ("Python", "NumPy", "BLAS", "CuPy", "matplotlib", "640 + 160 images", "results"):
        assert word in done.stdout
    missing = done.stdout.split("  mnist")[1].splitlines()
    assert "not here" in missing[0] and "-> `python cli.py data` fetches it" in missing[1]


def test_doctor_names_a_damaged_file(call, small_mnist, tmp_path):
    folder = shutil.copytree(small_mnist, tmp_path / "data")
    damaged = folder / "glyphs" / "t10k-labels-idx1-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    done = call("doctor", "--data-dir", folder)
    assert "damaged" in done.stdout and f"-> {damaged}" in done.stdout


# -- refusals


SWEEP = ("sweep", "--epochs", "2")
REFUSED = {
    "unknown rule": ((*SWEEP, "--rule", "cubic"), "cubic"),
    "unknown option": ((*SWEEP, "--speed", "9"), "--speed"),
    "not a number": (("train", "--lr", "fast"), "fast"),
    "batch size 0": (("train", "--batch-size", "0"), "at least 1, got 0"),
    "batch size 0 in a sweep": ((*SWEEP, "--batch-sizes", "64,0"), "at least 1, got 0"),
    "batch sizes of words": ((*SWEEP, "--batch-sizes", "64,many"), "64,many"),
    "no batch sizes": ((*SWEEP, "--batch-sizes", ""), "whole numbers"),
    "a batch too large": (("train", "--batch-size", "641"), "641 .*640 images"),
    "a batch too large in a sweep": ((*SWEEP, "--batch-sizes", "64,641"), "641 .*640 images"),
    "base batch size 0": ((*SWEEP, "--rule", "linear", "--base-batch-size", "0"), "at least 1"),
    "momentum 1": (("train", "--momentum", "1"), "below 1, got 1"),
    "momentum 1 in rates": (("rates", "--momentum", "1"), "below 1, got 1"),
    "negative rate": (("train", "--lr", "-0.1"), "positive number, got -0.1"),
    "no rate": (("train", "--lr", "nan"), "positive number, got nan"),
    "zero epochs": (("train", "--epochs", "0"), "at least 1 epoch"),
    "long warmup": ((*SWEEP, "--warmup", "gradual", "--warmup-epochs", "3"), "longer than the run"),
    "cuda": (("train", "--device", "cuda"), "--device cuda cannot be used"),
    "no seeds": ((*SWEEP, "--seeds", "0"), "a count from 1"),
    "seeds of letters": ((*SWEEP, "--seeds", "a"), "'a'"),
    "negative seed": ((*SWEEP, "--seeds", "0,-1"), "at least 0, got -1"),
    "no jobs": ((*SWEEP, "--jobs", "0"), "--jobs"),
    "unknown dataset": (("data", "--dataset", "cifar"), "cifar"),
    "a batch of 400 digits": (("rates", "--rule", "linear", "--batch-sizes", "9" * 400), "at most"),
    "no such option": (("--bogus",), "--bogus"),
    "batch size 0 in bench": (("bench", "--batch-sizes", "0"), "at least 1, got 0"),
    "a batch too large in bench": (("bench", "--batch-sizes", "641"), "641 .*640 images"),
    "a profile of rounds": (("bench", "--profile", "--rounds", "3"), "leave out --rounds"),
    "a profile as JSON": (("bench", "--profile", "--json", "x"), "leave out --json"),
    "JSON nowhere": (("bench", "--json", "none/x"), "none/x cannot be a file"),
    "JSON in a folder's place": (("bench", "--json", "."), "cannot be a file"),
    "no such figure": (("figures", "7"), "there is no figure 7"),
    "rates of words": (("tune", "--lrs", "fast"), "'fast' is not a list of numbers"),
    "a rate below 0": (("tune", "--lrs", "-1"), "positive number, got -1"),
    "nothing held out": (("tune", "--held-out", "0"), "at least 1 image, got 0"),
    "a factor of 1": (
        ("grow", "--held-out", "9", "--factor", "1"),
        "nothing grows by a factor of 1",
    ),
    "no tolerance": (("grow", "--held-out", "9", "--tolerance", "nan"), "from 0 to 1, got nan"),
    "too large to start": (("grow", "--held-out", "9"), "2048 is larger than the training set"),
    "nothing to plot": (("plot",), "RESULTS"),
    "a senseless import": (("data", "--dataset", "glyphs", "--from", "."), "import takes"),
}


@pytest.mark.parametrize(("args", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_makes_no_sense_is_refused_in_one_sentence(call, small_mnist, monkeypatch, args, said):
    monkeypatch.setitem(sys.modules, "cupy", None)  # no GPU, whatever there is
    if args[0] in ("train", "sweep", "bench", "tune", "grow"):
        data_set = ("--dataset", "glyphs", "--data-dir", small_mnist)
        data_set += () if args[0] == "bench" else ("--out", "out")
        args = (args[0], *data_set, *args[1:])
    assert re.search(said, sentence(call(*args, code=2).stderr))
    assert not Path("out").exists()


def run_on(data_dir, dataset="glyphs", out="out"):
    args = ("--dataset", dataset, "--data-dir", data_dir, "--out", out, "--device", "cpu")
    return ("train", "--batch-size", "640", "--epochs", "1", *args)


def test_a_folder_that_cannot_be_made_is_refused(call, small_mnist, tmp_path):
    (tmp_path / "file").write_text("")
    for args in (run_on(small_mnist, out="file/out"), sweep_of(small_mnist, "file/out")):
        assert "file/out" in sentence(call(*args, code=1).stderr)
    assert "file" in sentence(call(*run_on(small_mnist, out="file"), code=2).stderr)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_that_cannot_be_written_is_refused(call, small_mnist, tmp_path):
    (tmp_path / "mine").mkdir(mode=0o500)
    refused = call(*run_on(small_mnist, out="mine/out"), code=1)
    assert "cannot write mine/out" in sentence(refused.stderr)


def test_a_folder_of_something_else_is_refused(call, small_mnist, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("mine")
    refused = call(*run_on(small_mnist, out="thesis"), code=2)
    assert "holds no sweep" in sentence(refused.stderr)
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["thesis.tex"]


def test_plot_refuses_what_is_no_sweep_or_a_damaged_one(call, copy, tmp_path):
    assert "holds no sweep" in sentence(call("plot", tmp_path / "none", code=1).stderr)
    (copy / "sweep.json").write_bytes(b"{")
    assert str(copy / "sweep.json") in sentence(call("plot", copy, code=1).stderr)


@pytest.fixture
def mnist_copy(as_mnist, tmp_path):
    return shutil.copytree(as_mnist, tmp_path / "data" / "mnist")


def test_a_truncated_file_is_refused_by_name(call, mnist_copy):
    path = mnist_copy / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-1000])
    for args in (run_on(mnist_copy.parent, "mnist"), ("data", "--from", mnist_copy)):
        said = sentence(call(*args, code=1).stderr)
        assert str(path) in said and "truncated" in said
    # Damaged is not absent: "auto" does not turn to other digits.
    assert str(path) in sentence(call(*run_on(mnist_copy.parent, "auto"), code=1).stderr)


def test_a_file_with_another_digest_is_refused_by_name(call, mnist_copy):
    images, labels = (
        mnist_copy / f"t10k-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1")
    )
    shutil.copy(mnist_copy / "train-labels-idx1-ubyte.gz", labels)
    for args in (run_on(mnist_copy.parent, "mnist"), ("data", "--from", mnist_copy)):
        said = sentence(call(*args, code=1).stderr)
        assert str(labels) in said and "SHA-256" in said and str(images) not in said


def test_a_file_of_something_else_is_refused_by_name(call, mnist_copy):
    (mnist_copy / "t10k-labels-idx1-ubyte.gz").write_text("<html>403 Forbidden</html>")
    said = sentence(call(*run_on(mnist_copy.parent, "mnist"), code=1).stderr)
    assert "t10k-labels-idx1-ubyte.gz is no IDX file" in said


def test_an_import_from_a_folder_without_the_files_is_refused(call, tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        said = sentence(call("data", "--from", folder, code=1).stderr)
        assert "holds no train-images-idx3-ubyte" in said


def test_without_mnist_and_without_a_network_mnist_is_not_replaced(small_mnist, tmp_path):
    """As a user meets it: a process, its exit code, one sentence."""
    done = program(*run_on(small_mnist, "mnist"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "could not be downloaded" in sentence(done.stderr)
    assert "python cli.py data --from DIR" in done.stderr
    assert not (tmp_path / "out").exists()


def test_refusals_of_a_process_have_their_exit_codes(small_mnist):
    done = program("train", "--momentum", "1")
    assert (done.returncode, done.stdout) == (2, "") and "momentum" in sentence(done.stderr)
    done = program("plot", "nowhere")
    assert (done.returncode, done.stdout) == (1, "") and "nowhere" in sentence(done.stderr)


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("3", (0, 1, 2)), ("3,", (3,)), ("0,1,2", (0, 1, 2)), ("5,5,1", (5, 1)), ("1", (0,))],
)
def test_seeds_are_a_count_or_a_list(cli, text, seeds):
    assert cli.Seeds().convert(text, None, None) == seeds


# -- Ctrl-C


def test_ctrl_c_in_a_single_run_says_what_is_kept(call, small_mnist, monkeypatch):
    from minisgd.lab import sweep

    real = sweep.train

    def interrupted(*args, **keywords):
        for epoch in real(*args, **keywords):
            if epoch[0]["epoch"] == 3:
                raise KeyboardInterrupt
            yield epoch

    args = small(small_mnist, "train", "--batch-size", "640", "--epochs", "4", "--out", "out")
    monkeypatch.setattr(sweep, "train", interrupted)
    stopped = call(*args, code=130)
    assert "Stopped. 2 whole epochs are kept in out" in stopped.stderr
    monkeypatch.setattr(sweep, "train", real)
    assert [line.split()[1] for line in call(*args).stdout.splitlines() if line[:5] == "epoch"] == [
        "3",
        "4",
    ]


def group(number):
    """Processes of a process group that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = stat.read_text().rsplit(")", 1)[1].split()[:3]
        except OSError:
            continue
        if int(group) == number and state not in "ZX":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_ctrl_c_says_what_is_kept_leaves_no_process_and_the_same_command_goes_on(
    small_mnist, tmp_path
):
    out = tmp_path / "out"
    args = ("--batch-sizes", "64,128", "--epochs", "16", "--jobs", "2")
    command = [sys.executable, PROGRAM, *sweep_of(small_mnist, out, *args)]
    process = subprocess.Popen(
        [str(part) for part in command], start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # A suite that was started in the background ignores it, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while not any(text.count(b"\n") for text in epochs_of(out).values()):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)  # the terminal sends it to all of them
        said = process.communicate(timeout=30)[1]
        until = time.monotonic() + 10
        while group(process.pid) and time.monotonic() < until:
            time.sleep(0.02)
        assert group(process.pid) == []
    finally:
        if group(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130 and "Traceback" not in said
    kept = int(re.search(r"Stopped\. (\d+) whole epochs are kept in ", said)[1])
    before = epochs_of(out)
    assert kept == sum(text.count(b"\n") for text in before.values()) and 1 <= kept < 32
    assert "the same command goes on from there" in said

    again = program(*sweep_of(small_mnist, out, *args))
    assert again.returncode == 0, again.stderr
    after = epochs_of(out)
    assert all(text.count(b"\n") == 16 for text in after.values()) and len(after) == 2
    assert all(after[name].startswith(text) for name, text in before.items())
    assert (out / "table.txt").read_text().count(" ok\n") == 2
