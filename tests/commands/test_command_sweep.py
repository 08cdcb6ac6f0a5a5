"""train, sweep and plot, from the outside: what they print and what they leave."""

import csv
import re
from pathlib import Path

from calling import epochs_of, sentence, small, sweep_of

from minisgd.page.library import available

COLUMNS = (
    "rule,warmup,optimizer,batch_size,base_lr,lr,momentum,seed,epoch,train_loss,train_accuracy,"
    "test_loss,test_accuracy,seconds,status,"
    "base_batch_size,warmup_epochs,epochs,clip,beta2,epsilon,weight_decay,trust,adam_factor,warmup_updates,decay,network,plain,own,init,batch_schedule,loss"
)
PAGE = {"index.html"} if available() else set()


def test_a_sweep_leaves_figure_table_and_metrics(swept):
    out, done = swept
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    names = {"sweep.json", "metrics.csv", "table.txt", "accuracy.png", "accuracy.svg", *PAGE}
    found = {path.name for path in out.iterdir()} - {".lock"}
    runs = {f"b{b}-lr0.01-linear-epochs2-seed{s}" for b in (64, 128) for s in (0, 1)}
    assert found == names | runs
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
    assert set(now) - set(kept) == {"b128-lr0.01-linear-epochs2-seed3"}
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
    assert set(epochs_of(copy)) == {"b128-lr0.01-linear-m0.9-epochs1-seed0"}
    assert (copy / "mine.txt").read_text() == "keep"


def test_a_sweep_of_growing_batches_shows_sizes_and_updates(call, small_mnist, tmp_path):
    """640 images: 10, 2 and 1 updates from b = 64, 5, 1 and 1 from b = 128."""
    args = ("--batch-sizes", "64,128", "--epochs", "3", "--batch-schedule", "x5@2,x5@3")
    args = small(small_mnist, "sweep", *args, "--rule", "linear")
    done = call(*args)
    (out,) = Path("runs").iterdir()
    assert out.name == "glyphs-linear-epochs3-x5@2,x5@3-batch"
    assert "linear scaling, batch grows (x5@2,x5@3)" in done.stdout
    lines = [line for line in done.stdout.splitlines() if line.endswith("  ok")]
    assert [line.split()[:2] + line.split()[-2:] for line in lines] == [
        ["64", "0.01", "13", "ok"], ["128", "0.02", "7", "ok"],
    ]  # fmt: skip
    with open(out / "metrics.csv", newline="") as file:
        found = {(r["batch_size"], r["lr"], r["batch_schedule"]) for r in csv.DictReader(file)}
    assert found == {("64", "0.01", "x5@2,x5@3"), ("128", "0.02", "x5@2,x5@3")}
    assert "2 of 2 runs were finished before" in call(*args).stderr
    assert call("plot", out).stdout == done.stdout  # the table is read back whole
    other = call(*small(small_mnist, *args, "--batch-schedule", "steps", "--out", out), code=2)
    assert "its batch_schedule is x5@2,x5@3, not steps" in sentence(other.stderr)
    alone = call(*small(small_mnist, "train", "--epochs", "3", "--batch-schedule", "x5@2,x5@3"))
    shown = [line.split()[2:4] for line in alone.stdout.splitlines() if line.startswith("epoch ")]
    assert shown == [["b", "64"], ["b", "320"], ["b", "640"]]


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
    assert len(rows) == 2 and all(",,,,," in row and ",diverged," in row for row in rows)
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
    assert drawn == {"accuracy.png", "accuracy.svg", "metrics.csv", "table.txt", *PAGE}
    assert {path: path.read_bytes() for path in before} == before


def test_a_long_sweep_says_every_minute_how_far_it_is(call, small_mnist, tmp_path, monkeypatch):
    one = sweep_of(small_mnist, tmp_path / "out", "--batch-sizes", "64", "--epochs", "3")
    assert call(*one).stderr.count(" left; ") == 1  # the run's end
    monkeypatch.setattr("minisgd.commands.progress.MINUTE", 0.0)
    said = call(*one, "--fresh").stderr
    assert re.search(r"0 of 1 runs, 0:0\d left; b 64, seed 0: .* after epoch 1\n", said)
    assert said.count(" left; ") == 3


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
    call, small_mnist, tmp_path, monkeypatch
):
    from minisgd.lab import sweep

    real = sweep.run_cells

    def one_fails(out, cells, *args, **keywords):
        return real(out, cells[1:], *args, **keywords) | {cells[0]: "its process was killed"}

    monkeypatch.setattr(sweep, "run_cells", one_fails)
    failed = call(*sweep_of(small_mnist, tmp_path / "out", "--epochs", "1"), code=1)
    assert f"Error: 1 of 2 runs failed: see {tmp_path / 'out' / 'table.txt'}" in failed.stderr
    table = (tmp_path / "out" / "table.txt").read_text()
    assert "failed: its process was killed" in table and " ok\n" in table
