"""answer, from the outside, on small data: searches, runs, tables and figures."""

import csv
import json
import re
import shutil
from dataclasses import replace
from math import log
from pathlib import Path

import pytest
from calling import NOT_MNIST, bytes_of, on_glyphs, sentence

from minisgd.disk.formats import read_json, write_json
from minisgd.lab import sweep
from minisgd.lab.metrics import write_metrics
from minisgd.report import answer, answer_plan, answer_shown

pytest.importorskip("scipy", reason="SciPy, which draws the trials, is not installed")


def test_the_answer_is_searched_run_kept_and_drawn_again(call, small_mnist, small_answer, tmp_path):
    args = on_glyphs(small_mnist, "answer", "--seeds", "2")
    done = call(*args)
    assert "the searches: 12 of 12 to do" in done.stderr
    assert "How large a batch does each method carry?: 30 of 30 runs to do" in done.stderr
    assert done.stdout.count(f"\n{NOT_MNIST}\n") == 7
    parts = "trials", "short", "changes", "rates", "rules", "grown"
    names = ["answer", *(f"answer-{part}" for part in parts)]
    assert set(bytes_of()) == {
        f"{n}.{kind}" for n in names for kind in ("csv", "json", "png", "svg")
    }
    with open("figures/answer-trials.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 7 * 3 + 5 * 2 and {row["seed"] for row in rows} == {"0"}
    assert "validation_accuracy" in rows[0] and "test_accuracy" not in rows[0]
    with open("figures/answer.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["seed"] for row in rows} == {"1", "2"}, "no seed that a search has seen"
    assert len(rows) == 5 * 3 * 2 * 2
    assert "64 at its best, the highest median" in done.stdout and "every seed" in done.stdout
    assert "Muon without the decay" in done.stdout and "LARS by the linear rule" in done.stdout
    assert (
        "first at 98.5% in those runs" in done.stdout and "within 0.002 of its best" in done.stdout
    )
    grown = done.stdout.split("A batch that grows instead")[1]
    assert re.search(r"64, the batch grows by the cosine, [\d,]+ updates  +0\.\d{4} \(", grown)
    # Elsewhere, with neither runs nor data: nothing to do, the same bytes.
    kept = bytes_of()
    shutil.rmtree("runs")
    again = call("answer", "--seeds", "2", "--data-dir", tmp_path / "none")
    assert again.stdout == done.stdout and bytes_of() == kept
    assert "the searches: none of 12 to do" in again.stderr
    assert again.stderr.count("none of") == 7
    # One part with a seed more: only what is missing.
    more = call(*on_glyphs(small_mnist, "answer", "rules", "--seeds", "3"))
    assert (
        "How forgiving" not in more.stdout
        and "from one batch size to another: 9 of 27 runs to do" in more.stderr
    )
    assert bytes_of()["answer.csv"] == kept["answer.csv"]


def test_the_runs_follow_the_searches(call, small_mnist, small_answer):
    call(*on_glyphs(small_mnist, "answer", "trials"))
    assert set(bytes_of()) == {f"answer-trials.{kind}" for kind in ("csv", "json", "png", "svg")}
    plan = answer_plan.plan(answer_trials())
    for (name, b), settings in plan.sizes.items():
        assert (settings.optimizer, settings.batch_size, settings.epochs) == (name, b, 2)
    low, middle, high = (plan.sizes["muon", b].lr for b in (64, 128, 320))
    share = log(128 / 64) / log(320 / 64)
    assert middle == pytest.approx(low * (high / low) ** share, rel=0.01)


def answer_trials():
    from minisgd.report.trials import Trials

    return Trials("figures")


def test_a_search_that_asks_something_else_is_made_again(
    call, small_mnist, small_answer, monkeypatch
):
    call(*on_glyphs(small_mnist, "answer", "trials"))
    key = ("muon", 64)
    wider = {**answer.SEARCHES, key: replace(answer.SEARCHES[key], trials=3)}
    for module in (answer, answer_shown):
        monkeypatch.setattr(module, "SEARCHES", wider)
    again = call(*on_glyphs(small_mnist, "answer", "trials"))
    assert "the searches: 1 of 12 to do" in again.stderr
    made = json.loads(Path("figures/answer-trials.json").read_bytes())
    assert made["searches"]["muon at 64"]["trials"] == 3 and len(made["makings"]) == 4
    assert [made["searches"][name]["trials"] for name in ("adam at 64", "muon at 320")] == [2, 2]


def test_a_kill_between_the_table_and_what_was_asked_costs_that_search_alone(
    call, small_mnist, small_answer
):
    call(*on_glyphs(small_mnist, "answer", "trials"))
    path = Path("figures/answer-trials.json")
    made = read_json(path)
    del made["searches"]["muon at 64"]
    write_json(path, made)
    again = call(*on_glyphs(small_mnist, "answer", "trials"))
    assert "the searches: 1 of 12 to do" in again.stderr


def test_numbers_found_on_other_images_are_not_used(call, small_mnist, small_answer):
    call(*on_glyphs(small_mnist, "answer", "trials"))
    path = Path("figures/answer-trials.json")
    write_json(path, read_json(path) | {"digest": "another"})
    refused = call(*on_glyphs(small_mnist, "answer", "sizes"), code=2)
    assert "holds trials on another dataset than glyphs" in refused.stderr


def test_results_of_another_dataset_are_refused_before_anything_is_trained(
    call, small_mnist, small_answer, monkeypatch
):
    Path("figures").mkdir()
    made = {"title": "", "dataset": "mnist", "digest": "another", "makings": []}
    write_json("figures/figure1.json", made)
    write_metrics("figures/figure1.csv", [])

    def trained(*_):
        raise AssertionError("a run was trained")

    monkeypatch.setattr(sweep, "run_cells", trained)
    refused = call(*on_glyphs(small_mnist, "answer"), code=2)
    assert refused.stderr.splitlines()[-1] == (
        "Error: figures holds results of another dataset than glyphs: give another --out"
    )


def test_a_training_set_of_another_size_is_refused_at_once(
    call, small_mnist, small_answer, monkeypatch
):
    monkeypatch.setattr(answer, "LEFT", 541)
    refused = call(*on_glyphs(small_mnist, "answer"), code=2)
    assert (
        "needs a training set of 641 images, its largest batch, and glyphs has 640"
        in refused.stderr
    )
    assert not Path("runs").exists()


def test_what_makes_no_sense_is_refused(call, small_mnist, small_answer):
    wrong = call("answer", "everything", code=2)
    assert "'everything' is not one of" in sentence(wrong.stderr)
    early = call("answer", "sizes", "--out", "no figures", code=1)
    assert sentence(early.stderr) == (
        "Error: no figures lacks 12 of 12 searches, such as that of nesterov at 64: "
        "run `python cli.py answer trials --out 'no figures'` first"
    )
    assert not Path("no figures").exists()
    call(*on_glyphs(small_mnist, "answer", "trials"))
    path = Path("figures/answer-trials.csv")
    path.write_text(path.read_text().replace("validation", "test"))
    damaged = call("answer", "sizes", code=1)
    said = sentence(damaged.stderr)
    assert "answer-trials.csv is damaged (its accuracies are not on held-out images): " in said
    assert said.endswith("bring back a copy of it, or move it and answer-trials.json away")


def test_a_search_that_has_lost_a_trial_is_damaged(call, small_mnist, small_answer):
    call(*on_glyphs(small_mnist, "answer", "trials"))
    path = Path("figures/answer-trials.csv")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2] + lines[3:]))
    told = sentence(call("answer", "sizes", code=1).stderr)
    assert f"{path} is damaged (of the 3 runs of nesterov at 64 it holds 2): bring back" in told


@pytest.mark.parametrize("command", [["verdicts"], ["page"], ["carry", "mlp"], ["answer", "sizes"]])
def test_damaged_trials_are_not_taken_for_searches_that_were_not_made(
    call, small_mnist, small_answer, command
):
    call(*on_glyphs(small_mnist, "answer", "trials"))
    path = Path("figures/answer-trials.csv")
    with open(path, newline="") as file:
        header, *rows = csv.reader(file)
    rows[3][header.index("momentum")] = "1.5"
    with open(path, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    told = sentence(call(*command, code=1).stderr)
    where = f"{path} is damaged in line 5 (the momentum must be at least 0 and below 1, got 1.5)"
    assert f"{where}: bring back a copy of it" in told
