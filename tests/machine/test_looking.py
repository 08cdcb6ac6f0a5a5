"""What looking at a run costs: what is timed is what `train` leaves and shows."""

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
    head, sizes, *lines, takes = looking.table(rows, 1)
    assert head.endswith("on 1 thread: median (largest) of the rounds")
    assert sizes.split() == ["batch", "size", "200", "320"]
    assert [line.split("  ")[1] for line in lines] == list(shares(rows[0]))
    assert takes.count(",") == len(lines) - 2


def test_the_looks_are_those_of_train(small_data, tmp_path):
    """The checkpoint can be continued from, and the page is one."""
    run = Run(Settings(320, epochs=2), small_data)
    folder = looking.RunFolder(tmp_path, run.settings, small_data.identity)
    looking.make_folder(folder.path)
    run.epoch(1)
    record = {"epoch": 1, "lr": 0.01, "status": "ok", "seconds": 1.0}
    records = [record | dict.fromkeys(looking.METRICS, 0.5)]
    looks = looking.looks_of(run, folder, records, tmp_path / "index.html")
    _, correct, _ = looks["test set"]()
    assert 0 <= correct <= len(small_data.test.images)
    looks["checkpoint"]()
    _, kept, state = read_checkpoint(folder.newest)
    assert kept == records and state.epoch == 1 and (state.w == run.model.weights()).all()
    if available():
        looks["page"]()
        assert "1 of 2 epochs" in (tmp_path / "index.html").read_text()


def test_the_shares_by_hand():
    row = {"epoch_seconds": [2.0, 4.0], "test set": [0.1, 0.1], "checkpoint": [0.02, 0.1]}
    assert shares(row) == {
        "test set": [0.05, 0.025],
        "checkpoint": [0.01, 0.025],
        "together": pytest.approx([0.06, 0.05]),
    }
