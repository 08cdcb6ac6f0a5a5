"""How the commands refuse: one sentence, an exit code, and nothing left behind."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from calling import program, run_on, sentence, sweep_of

from minisgd.commands.group import sentence_of
from minisgd.disk.formats import DamagedError

SWEEP = ("sweep", "--epochs", "2")


REFUSED = {
    "unknown rule": ((*SWEEP, "--rule", "cubic"), "cubic"),
    "unknown init": ((*SWEEP, "--init", "xavier"), "'xavier' is not one of 'uniform', 'he'"),
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
    "no warmup to count": ((*SWEEP, "--warmup-updates", "3"), "needs a --warmup"),
    "a clip of 0": (("train", "--clip", "0"), "clip must be a positive number, got 0"),
    "β2 of 1": (("train", "--optimizer", "adam", "--beta2", "1"), "below 1, got 1"),
    "trust without layers": (
        ("train", "--momentum", ".9", "--trust", ".01"),
        "--trust means nothing to momentum, only to lars: leave it out",
    ),
    "decay of weights for Adam": (
        ("sweep", "--optimizer", "adam", "--weight-decay", ".1"),
        "--weight-decay means nothing to adam, only to lars and lamb",
    ),
    "Adam's rule for SGD": (("rates", "--rule", "adam-sqrt"), "give --optimizer adam"),
    "Adam's rule too far": (
        ("rates", "--rule", "adam-sqrt", "--optimizer", "adam", "--momentum", ".9"),
        "times as large, and β1 .*give more than",
    ),
    "a warmup longer than the run": (
        ("rates", "--warmup", "ramp", "--warmup-updates", "9999", "--batch-sizes", "8192"),
        "longer than the run of 240",
    ),
    "a batch that grows by a word": (
        (*SWEEP, "--batch-schedule", "slowly"),
        "decay .cosine, linear, steps. or steps such as x5@11,x5@21, got 'slowly'",
    ),
    "a batch of nothing": (("train", "--batch-schedule", "x0@3"), "factor of at least 2, got x0@3"),
    "a smaller batch": (("rates", "--batch-schedule", "x.5@3"), "must be a decay"),
    "half an image": (("rates", "--batch-schedule", "x1.5@3"), "whole factor .*got x1.5@3"),
    "the same batch": (("rates", "--batch-schedule", "x1@3"), "at least 2, got x1@3"),
    "epochs out of order": (("rates", "--batch-schedule", "x5@9,x5@9"), "in order, from 2 .*x5@9"),
    "a batch that grows before": (("rates", "--batch-schedule", "x5@1"), "from 2 to the last"),
    "a batch that grows after": ((*SWEEP, "--batch-schedule", "x5@3"), "the last, which is 2"),
    "a batch that grows too late to search": (
        ("tune", "--search", "lr=.01:.2", "--batch-size", "64", "--batch-schedule", "x5@21"),
        "the last, which is 8",
    ),
    "a growing batch in grow": (("grow", "--batch-schedule", "steps"), "--batch-schedule"),
    "a growing batch in answer": (("answer", "--batch-schedule", "steps"), "--batch-schedule"),
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
    "a profile of two sizes": (
        ("bench", "--profile", "--batch-sizes", "64,320"),
        "--profile takes one batch size, such as --batch-sizes 64$",
    ),
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
    "too large to tune": (
        ("tune", "--held-out", "9", "--batch-size", "640"),
        "640 is larger than the training set",
    ),
    "too large to search for": (
        ("tune", "--held-out", "9", "--batch-size", "640", "--search", "lr=.01:.1"),
        "640 is larger than the training set",
    ),
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
    assert "t10k-labels-idx1-ubyte.gz is not an IDX file" in said


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


def test_a_sentence_is_one_legible_line_whatever_it_quotes(call):
    """What a damaged file holds may be long, and have characters that a terminal would obey."""
    said = call("rates", "--with", "no\n\x1b[2Jsuch.py", code=2).stderr
    assert said.count("\n") == 1 and r"no\n\x1b[2Jsuch.py" in said
    long = sentence_of(DamagedError(f"the table is damaged ({'9' * 5000}): bring back a copy"))
    said = long.format_message()
    assert len(said) < 1100 and said[:24] == "the table is damaged (99" and said[-6:] == "a copy"


def test_a_package_that_is_required_and_missing_is_named(call, small_mnist, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "filelock", None)
    said = sentence(call(*run_on(small_mnist, out=tmp_path / "out"), code=1).stderr)
    assert "filelock is missing: install this project again: python -m pip install -e" in said
    assert sentence_of(ModuleNotFoundError("of a package that nobody requires", name="x")) is None
