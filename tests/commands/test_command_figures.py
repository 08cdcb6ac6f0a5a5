"""figures, tune, grow and verdicts, from the outside, with runs of one epoch."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from calling import NOT_MNIST, on_glyphs, sentence

from minisgd.disk.formats import read_json, write_json
from minisgd.report import verdicts


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


def test_what_is_beyond_the_report_is_made_when_it_is_named(call, short, small_mnist):
    made = call(*on_glyphs(small_mnist, "figures", "he-linear", "--seeds", "1"))
    assert "Fig. 3 from He's initial weights" in made.stdout and "3 of 3 runs to do" in made.stderr
    with open("figures/he-linear.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["batch_size"], row["seed"], row["init"]) for row in rows] == [
        ("32", "0", "he"), ("256", "0", "he"), ("256", "1", "he"),
    ]  # fmt: skip
    assert "none of 3 runs to do" in call("figures", "he-linear", "--seeds", "1").stderr
    with_all = call(*on_glyphs(small_mnist, "figures", "--seeds", "1"))
    assert "Fig. 1" in with_all.stderr and "He's" not in with_all.stderr


def test_a_run_that_fails_does_not_keep_the_others_out(call, short, small_mnist, monkeypatch):
    from minisgd.lab import sweep

    run_cells = sweep.run_cells

    def one_fails(out, cells, *rest):
        *whole, last = cells
        run_cells(out, whole, *rest)
        return {last: "it was made to"}

    monkeypatch.setattr(sweep, "run_cells", one_fails)
    done = call(*on_glyphs(small_mnist, "figures", "1", "2", "--seeds", "1"), code=1)
    assert "failed (b256-lr0.01-epochs1-seed1: it was made to); the others are kept" in done.stderr
    assert "failed (b256-lr0.01-sqrt-epochs1-seed1: it was made to)" in done.stderr
    for name in ("figure1", "figure2"):
        assert Path("figures", f"{name}.csv").read_text().count("\n") == 1 + 2


def test_all_figures_on_other_data_are_refused(call, short, small_mnist, tmp_path):
    call(*on_glyphs(small_mnist, "figures", "1", "5", "--seeds", "1"))
    made = read_json("figures/figure1.json")
    write_json(Path("figures/figure1.json"), made | {"digest": "another"})
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


def test_tune_tries_rates_for_a_batch_that_grows(call, small_mnist):
    args = ("tune", "--lrs", ".01,.05", "--seeds", "1", "--epochs", "3", "--held-out", "100")
    args += ("--batch-size", "40", "--batch-schedule", "steps")
    done = call(*on_glyphs(small_mnist, *args))
    assert "Which rate? b = 40, m = 0, 3 epochs, batch grows (steps), 100 of 640" in done.stdout
    other = call(*on_glyphs(small_mnist, *args, "--batch-schedule", "linear"), code=2)
    assert "it differs in batch_schedule" in other.stderr


def test_tune_searches_several_numbers_on_held_out_images(call, small_mnist):
    pytest.importorskip("scipy", reason="SciPy, which draws the trials, is not installed")
    args = ("tune", "--search", "lr=.01:.2,momentum=.5:.95", "--trials", "4", "--halvings", "1")
    args += ("--optimizer", "nesterov", "--epochs", "2", "--batch-size", "40", "--held-out", "100")
    args += ("--decay", "cosine")
    done = call(*on_glyphs(small_mnist, *args))
    assert "Which numbers? nesterov, b = 40, 2 epochs, 4 trials, halved once, 100" in done.stdout
    assert "chosen on held-out images: lr 0." in done.stdout and f"\n{NOT_MNIST}\n" in done.stdout
    with open("figures/tune-nesterov-b40.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epochs"] for row in rows] == ["1"] * 4 + ["2"] * 2
    assert {row["decay"] for row in rows} == {"cosine"}
    assert all(0 < float(row["validation_accuracy"]) < 1 and "test_loss" not in row for row in rows)
    assert len({(row["base_lr"], row["momentum"]) for row in rows}) == 4
    assert {path.suffix for path in Path("figures").glob("tune-nesterov-b40.*")} == {
        ".csv", ".json", ".png", ".svg",
    }  # fmt: skip
    kept = {path: path.read_bytes() for path in Path("figures").glob("tune-*")}
    again = call(*on_glyphs(small_mnist, *args))  # whatever was trained is kept
    assert again.stdout == done.stdout and " runs," not in again.stderr
    assert all(path.read_bytes() == bytes for path, bytes in kept.items() if path.suffix != ".json")
    other = call(*on_glyphs(small_mnist, *args, "--search", "lr=.01:.3,momentum=.5:.9"), code=2)
    assert "is the answer to another question (it differs in ranges)" in other.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--search", "lr"), "'lr' is no range such as lr=.01:.3"),
        (("--search", "lr=.1"), "'lr=.1' is no range"),
        (("--search", "lr=.3:.1"), "above 0 to a larger one, got lr=0.3:0.1"),
        (("--search", "speed=1:2"), "'speed' is no number to search"),
        (("--search", "lr=.1:.3", "--lrs", ".1"), "leave out one"),
        (("--trials", "5"), "--trials belongs to --search"),
        (("--search", "lr=.1:.3", "--trials", "3"), "3 trials cannot be halved 2 times"),
        (("--search", "lr=.1:.3", "--optimizer", "nesterov"), "nesterov needs a momentum above 0"),
        (("--search", "clip=.1:.3,clip=1:2"), "there are two ranges of clip"),
        (("--search", "momentum=.1:.3", "--optimizer", "sgd"), "sgd has no momentum to search"),
        (("--search", "epsilon=1e-8:1e-3"), "epsilon means nothing to these runs (sgd"),
        (("--search", "warmup_updates=1:3"), "--warmup-updates needs a --warmup"),
        (("--search", "lr=.1:.3", "--epochs", "2"), "2 epochs cannot be halved 2 times"),
        (("--lr", ".1"), "--lr is a single rate: give --lrs"),
        (
            ("--search", "clip=.1:.3", "--clip", "1"),
            "--search looks for the clip: leave out --clip",
        ),
    ],
)
def test_searches_that_make_no_sense_are_refused_before_anything_is_done(call, args, said):
    refused = call("tune", "--dataset", "glyphs", *args, code=2)
    assert said in sentence(refused.stderr) and not Path("runs").exists()


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
    assert markdown[0] == "# What became of the claims" and NOT_MNIST in markdown
    rows = [line for line in markdown if line.startswith("| ")]
    assert rows[0].startswith("| | the report says | verdict |")
    assert len(rows) == 1 + len(verdicts.CLAIMS)


def test_titles_tell_what_runs_have_beyond_the_reports(call, small_mnist):
    args = ("tune", "--lrs", ".05", "--epochs", "1", "--seeds", "1", "--held-out", "100")
    done = call(*on_glyphs(small_mnist, *args, "--network", "mlp", "--clip", "2"))
    assert "m = 0, 1 epochs, clip = 2, mlp, 100 of 640 training images held out" in done.stdout
