"""doctor, data, gradcheck and bench, from the outside."""

import json
import re
import shutil

from calling import sentence

from minisgd.optim import OPTIMIZERS


def test_a_benchmark_prints_its_table_and_writes_what_it_measured(
    call, small_mnist, tmp_path, monkeypatch
):
    from minisgd.machine import bench

    ours = {"minisgd, 1 thread": (bench.minisgd_fused, {"threads": 1}, 1)}
    monkeypatch.setattr(bench, "contenders", lambda threads, device: ours)
    args = ("bench", "--batch-sizes", "64", "--rounds", "2", "--json", tmp_path / "b.json")
    done = call(*args, "--dataset", "glyphs", "--data-dir", small_mnist)
    assert "batch size 64: round 2 of 2" in done.stderr and "minisgd, 1 thread" in done.stdout
    written = json.loads((tmp_path / "b.json").read_text())
    (row,) = written["measured"]
    assert len(row["epoch_seconds"]) == 2
    assert [row["update"] for row in written["updates"]] == [*OPTIMIZERS, "clip"]
    for row in written["updates"]:
        assert re.search(rf"(?m)^  {row['update']} .* % \(", done.stdout) and len(row["share"]) == 2


def test_a_profile_takes_one_batch_size(call, small_mnist):
    here = "--dataset", "glyphs", "--data-dir", small_mnist
    for given, size in ((), 512), (("--batch-sizes", "64"), 64):
        done = call("bench", "--profile", *given, *here)
        assert f"one thread, batches of {size}\n" in done.stdout
        assert re.search(r"an update, .* µs, in which \d+ functions are called", done.stdout)


def test_gradcheck_prints_a_line_a_tensor_and_fails_when_a_gradient_is_wrong(call, monkeypatch):
    from minisgd.machine import gradients

    done = call("gradcheck")
    assert done.stdout.endswith("all gradients agree\n")
    for tensor in ("conv1.W", "fc3.b"):
        assert len(re.findall(rf"(?m)^.*{re.escape(tensor)}\b.*\d", done.stdout)) >= 1

    class Wrong:
        passed = False

        def __str__(self):
            return "conv1.W is wrong"

    monkeypatch.setattr(gradients, "check_all", lambda seed, device, network: [Wrong()])
    failed = call("gradcheck", code=1)
    assert "conv1.W is wrong" in failed.stdout and "1 gradients are wrong" in failed.stderr


def test_data_describes_what_is_there(call, small_mnist, small_data):
    done = call("data", "--dataset", "glyphs", "--data-dir", small_mnist)
    assert "640 + 160" in done.stdout and small_data.digest in done.stdout


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
    for word in ("Python", "numpy", "BLAS", "CuPy", "matplotlib", "640 + 160 images", "results"):
        assert word in done.stdout
    missing = done.stdout.split("  mnist")[1].splitlines()
    assert "not here" in missing[0] and "-> `python cli.py data` fetches it" in missing[1]


def test_doctor_goes_on_where_there_are_no_data(call, tmp_path):
    (tmp_path / "file").touch()
    for folder, said in (
        (tmp_path / "file", f"{tmp_path / 'file'} is a file: give the folder"),
        ("~nosuchuser/x", "~nosuchuser/x begins with a home folder that is not here"),
    ):
        done = call("doctor", "--data-dir", folder)
        assert f"-> {said}" in done.stdout and "results     in" in done.stdout
        assert said in sentence(call("data", "--data-dir", folder, code=1).stderr)


def test_doctor_names_a_damaged_file(call, small_mnist, tmp_path):
    folder = shutil.copytree(small_mnist, tmp_path / "data")
    damaged = folder / "glyphs" / "t10k-labels-idx1-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    done = call("doctor", "--data-dir", folder)
    assert "damaged" in done.stdout and f"-> {damaged}" in done.stdout
