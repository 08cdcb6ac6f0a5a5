"""What looking at runs costs: what is timed is what `train` leaves and what a sweep shows."""

import re

import pytest

from minisgd.lab.checkpoints import read_checkpoint
from minisgd.machine import looking
from minisgd.machine.looking import shares
from minisgd.page.library import available
from minisgd.settings import Settings
from minisgd.train import Run


def test_a_row_a_batch_size_and_a_cell_a_round(small_data):
    rows = looking.measure(small_data, (200, 320), 2, 1, lambda line: None)
    assert [row["batch_size"] for row in rows] == [200, 320]
    for row in rows:
        for name in ("epoch_seconds", *shares(row)):
            cells = row[name] if name in row else shares(row)[name]
            assert len(cells) == 2 and min(cells) > 0
    head, sizes, *lines = looking.table(rows, 1)
    if available():
        assert "24 runs of 30 epochs, written again when 100 times" in lines.pop()
    takes = lines.pop()
    assert head.endswith("on 1 thread: median (largest) of the rounds")
    assert sizes.split() == ["batch", "size", "200", "320"]
    assert [line.split("  ")[1] for line in lines] == list(shares(rows[0]))
    assert takes.count(",") == len(lines) - 2


def test_the_looks_are_those_of_train(small_data, tmp_path):
    """The checkpoint can be continued from."""
    run = Run(Settings(320, epochs=2), small_data)
    folder = looking.RunFolder(tmp_path, run.settings, small_data.identity)
    looking.make_folder(folder.path)
    run.epoch(1)
    records = [looking.record(run.settings, 1, 1.0)]
    looks = looking.looks_of(run, folder, records)
    _, correct, _ = looks["test set"]()
    assert 0 <= correct <= len(small_data.test.images)
    looks["checkpoint"]()
    _, kept, state = read_checkpoint(folder.newest)
    assert kept == records and state.epoch == 1 and (state.w == run.model.weights()).all()
    assert list(looks) == ["test set", "checkpoint"]


def test_the_page_is_that_of_a_sweep_as_large_as_the_reports(small_data, tmp_path):
    pytest.importorskip("vl_convert", reason="what draws the pages is not installed")
    looking.page_of_a_sweep(tmp_path / "sweep", small_data).renew()
    text = (tmp_path / "sweep" / "index.html").read_text("utf-8")
    assert "0 of 24 runs are over, 696 of 720 epochs are done" in text
    assert len(re.findall("3 going on", text)) == 8


def test_the_shares_by_hand():
    row = {"epoch_seconds": [2.0, 4.0], "test set": [0.1, 0.1], "checkpoint": [0.02, 0.1]}
    assert shares(row) == {
        "test set": [0.05, 0.025],
        "checkpoint": [0.01, 0.025],
        "together": pytest.approx([0.06, 0.05]),
    }


def test_a_page_that_takes_long_is_made_less_often_than_every_epoch():
    row = {"epoch_seconds": [2.0, 4.0], "test set": [0.1, 0.1], "checkpoint": [0.1, 0.1]}
    found = shares(row | {"sweep's page": [0.01, 3.0]})
    assert found["sweep's page"] == pytest.approx([0.005, 4.2 / 100 / 4])
    assert found["together"] == pytest.approx([0.105, 0.05 + 4.2 / 100 / 4])
