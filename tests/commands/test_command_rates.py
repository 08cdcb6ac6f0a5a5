"""rates: the learning rates that a sweep would use."""

import re
from pathlib import Path


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


def test_rates_that_move_within_an_epoch_are_those_at_its_end(call):
    """8192 makes 8 updates of 60,000 images, T = 16: 1 - 7/16 and 1 - 15/16 of 1.6."""
    args = ("--decay", "linear", "--epochs", "2", "--lr", "1.6", "--batch-sizes", "8192")
    done = call("rates", *args)
    assert "at the end of an epoch of 60,000 images" in done.stdout
    assert table_of(done.stdout)[:2] == [["1", "0.9"], ["2", "0.1"]]


def test_the_updates_of_a_run_are_counted(call):
    """60,000 images: 938 batches of 64, 8 of 8192; two epochs."""
    done = call("rates", "--batch-sizes", "64,8192", "--epochs", "2")
    assert "updates in all, over 2 epochs of 60,000 images" in done.stdout
    assert table_of(done.stdout)[-1] == ["1876", "16"] and "images in a batch" not in done.stdout


def test_a_growing_batch_is_shown_by_epoch_with_its_updates(call):
    """64, 320, 1600: 938 + 188 + 38 updates; 8192, 40960, 60000: 8 + 2 + 1."""
    args = ("--batch-schedule", "x5@2,x5@3", "--epochs", "3", "--batch-sizes", "64,8192")
    rows = table_of(call("rates", *args).stdout)
    assert rows[:3] == [[i, "0.01", "0.01"] for i in "123"]
    assert rows[3:6] == [["1", "64", "8192"], ["2", "320", "40960"], ["3", "1600", "60000"]]
    assert rows[-1] == ["1164", "11"]


def test_a_warmup_longer_than_the_run_is_refused(call):
    args = ("--warmup", "ramp", "--warmup-updates", "17", "--epochs", "2", "--batch-sizes", "8192")
    said = call("rates", *args, code=2).stderr
    assert "warmup of 17 updates is longer than the run of 16 at batch size 8192" in said
