"""The table of a sweep, from made-up records."""

import re

import pytest

from minisgd.report.summary import first_epoch_reaching, status_of, table
from minisgd.settings import Settings


def curve(*accuracies, status=None):
    """Records with these test accuracies; None marks the epoch of a divergence.

    status:  {epoch: status} where it is not "ok"
    """
    return [
        {
            "epoch": i,
            "test_accuracy": a,
            "update": 100 * i,
            "status": "diverged" if a is None else (status or {}).get(i, "ok"),
        }
        for i, a in enumerate(accuracies, start=1)
    ]


def cell(batch_size=64, epochs=4, seed=0, **settings):
    return Settings(batch_size=batch_size, epochs=epochs, seed=seed, **settings)


def rows(runs):
    """The cells of the table's lines, which two spaces or more separate."""
    return [re.split(r"\s{2,}", line.strip()) for line in table(runs)]


HEADS = ["batch size", "rate", "best test", "final test", "epochs to 97 %", "status"]


def test_best_final_and_epochs_to_the_target():
    found = rows(
        [
            (cell(128, rule="linear"), curve(0.5, 0.97, 0.99, 0.98), None),
            (cell(64, rule="linear"), curve(0.9, 0.95, 0.969, 0.9699), None),
        ]
    )
    assert found == [
        HEADS,
        ["64", "0.01", "0.9699", "0.9699", "-", "ok"],
        ["128", "0.02", "0.9900", "0.9800", "2", "ok"],
    ]


def test_the_first_epoch_that_reaches_the_target():
    assert first_epoch_reaching(0.97, curve(0.5, 0.97, 0.9)) == 2
    assert first_epoch_reaching(0.97, curve(0.5, None)) is None
    assert first_epoch_reaching(0.5, curve(0.3, 0.5)) == 2
    assert first_epoch_reaching(0.97, []) is None


@pytest.mark.parametrize(
    ("records", "failure", "expected"),
    [
        (curve(0.1, 0.2, 0.3, 0.4), None, ["0.4000", "0.4000", "-", "ok"]),
        (curve(0.3, None), None, ["0.3000", "-", "-", "diverged in epoch 2, update 200"]),
        (curve(None), None, ["-", "-", "-", "diverged in epoch 1, update 100"]),
        (curve(0.3, 0.4), None, ["0.4000", "0.4000", "-", "cut after epoch 2"]),
        ([], None, ["-", "-", "-", "not started"]),
        ([], "its process was killed", ["-", "-", "-", "failed: its process was killed"]),
        (curve(0.98), "out of memory", ["0.9800", "0.9800", "1", "failed: out of memory"]),
        (
            curve(0.1, 0.1, 0.1, 0.1, status={3: "stuck", 4: "stuck"}),
            None,
            ["0.1000", "0.1000", "-", "stuck (from epoch 3)"],
        ),
    ],
)
def test_what_became_of_a_run(records, failure, expected):
    assert rows([(cell(), records, failure)])[1] == ["64", "0.01", *expected]


def test_a_run_that_recovered_says_when_it_was_stuck():
    stuck = dict.fromkeys((3, 4, 5, 9, 11, 12), "stuck")
    assert status_of(curve(*[0.1] * 13, status=stuck)) == "ok (stuck in epochs 3-5, 9, 11-12)"
    assert status_of(curve(*[0.1] * 12, status=stuck)) == "stuck (from epoch 11)"
    assert status_of(curve(0.1, 0.1, 0.9, status={2: "stuck"})) == "ok (stuck in epoch 2)"
    assert status_of([*curve(0.1, 0.1), *curve(None)]) == "diverged in epoch 1, update 100"


def test_seeds_share_a_line_with_median_and_spread():
    ends = {0: (0.5, 0.98), 1: (0.97, 0.96), 2: (0.2, 0.3)}
    runs = [(cell(seed=s, epochs=2), curve(*ends[s]), None) for s in ends]
    assert rows(runs) == [
        [*HEADS[:2], "seeds", *HEADS[2:]],
        ["64", "0.01", "3", "0.9700 (0.3000 to 0.9800)", "0.9600 (0.3000 to 0.9800)",
         "1.5 (1 to 2) in 2 of 3", "3 ok"],
    ]  # fmt: skip


def test_where_the_batch_grows_updates_are_told_as_well():
    def records(*accuracies):
        made = (90, 100, 101)
        return [r | {"updates": n} for r, n in zip(curve(*accuracies), made, strict=True)]

    grows = dict(epochs=3, batch_schedule="x5@2,x9@3")
    runs = [
        (cell(64, **grows), records(0.5, 0.98, 0.99), None),
        (cell(64, seed=1, **grows), records(0.97, 0.98, 0.96), None),
        (cell(128, **grows), records(0.5, 0.6, 0.7), None),
        (cell(256, **grows), [], None),
    ]
    heads, *found = rows(runs)
    assert heads[-4:] == ["epochs to 97 %", "updates to 97 %", "updates in all", "status"]
    assert [row[-4:-1] for row in found] == [
        ["1.5 (1 to 2)", "95 (90 to 100)", "101"], ["-", "-", "101"], ["-", "-", "-"],
    ]  # fmt: skip


def test_seeds_that_ended_differently_are_counted():
    runs = [
        (cell(seed=0), curve(0.5, 0.6, 0.7, 0.8), None),
        (cell(seed=1), curve(0.5, None), None),
        (cell(seed=2), curve(None), None),
        (cell(seed=3), curve(*[0.1] * 4, status={3: "stuck", 4: "stuck"}), None),
        (cell(seed=4), curve(*[0.1] * 4, status={3: "stuck"}), None),
        (cell(seed=5), curve(0.2), None),
        (cell(seed=6), [], None),
        (cell(seed=7), [], "its process was killed (SIGKILL)"),
    ]
    (row,) = rows(runs)[1:]
    assert row[2] == "8"
    assert sorted(row[-1].split(", ")) == [
        "1 cut", "1 failed: its process was killed", "1 not started", "1 stuck", "2 diverged",
        "2 ok",
    ]  # fmt: skip


def test_there_is_a_momentum_column_where_momenta_differ():
    one = (cell(64, momentum=0.9), curve(0.9), None)
    other = (cell(64, momentum=0.0), curve(0.8), None)
    assert rows([one])[0] == HEADS
    heads, first, second = rows([one, other])
    assert heads[:3] == ["batch size", "rate", "momentum"]
    assert (first[:4], second[:4]) == (
        ["64", "0.01", "0", "0.8000"],
        ["64", "0.01", "0.9", "0.9000"],
    )


def test_columns_are_aligned():
    lines = table(
        [(cell(b, rule="linear"), curve(0.5, 0.9), None) for b in (64, 8192)]
        + [(cell(64, rule="linear", seed=1), curve(0.6, 0.8), None)]
    )
    ends = [[m.end() for m in re.finditer(r"\S(?=\s{2,}|$)", line)][:-1] for line in lines]
    assert ends[0] == ends[1] == ends[2]
