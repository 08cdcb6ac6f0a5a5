"""Steps to an accuracy: counted between epochs, tuned, and run again from fresh seeds."""

import re
from dataclasses import replace
from math import inf

import numpy as np
import pytest

from minisgd.disk.formats import DamagedError, write_table
from minisgd.drawing import chart
from minisgd.errors import SettingError
from minisgd.measures import reaching, steps_shown
from minisgd.measures.reaching import next_look, race, reach
from minisgd.measures.steps import COLUMNS, METHODS, PLAN, Plan, choose, steps
from minisgd.settings import Settings
from minisgd.train import Run, evaluate

FAST = Settings(20, lr=0.05, momentum=0.9)
FEW = Plan(
    {name: METHODS[name] for name in ("nesterov", "muon")},
    {16: 6, 40: 8, 60000: 20},
    trials=2,
    seeds=2,
    held_out=80,
    pace=0.2,
    targets=(0.3, 0.5),
)


def quiet(line):
    """No log."""


def test_looks_cost_no_more_than_training_and_are_close_together():
    # A look at 5,000 images costs a third of a gradient of as many, or of 26 batches of 64.
    assert next_look(0, 64, 5000) == 27 and next_look(27, 64, 5000) == 54
    assert next_look(1000, 64, 5000) == 1050
    assert next_look(0, 4096, 5000) == 1 and next_look(20, 4096, 5000) == 21
    assert next_look(100, 60000, 5000) == 105


def test_the_count_is_that_of_a_run_looked_at_after_every_update(data):
    """An oracle that looks everywhere brackets the interpolated count by two looks."""
    run, accuracies = Run(FAST, data), []
    for epoch in range(1, 9):
        for t, lr, batch in run.batches(epoch):
            run.update(t, lr, batch)
            accuracies.append(evaluate(run.model, *run.test)[1] / len(run.test[1]))
    target = 0.4
    found = reach(data, FAST, (target,), {target: 160})
    made, looks = 0, []
    while made < found["updates"]:
        made = next_look(made, FAST.batch_size, len(run.test[1]))
        looks.append(made)
    first = next(t for t in looks if accuracies[t - 1] >= target)
    assert found["ended"] == "reached" and found["updates"] == first
    (count,) = found["steps"]
    assert looks[-2] < count <= first
    a0, a1 = accuracies[looks[-2] - 1], accuracies[first - 1]
    assert count == pytest.approx(looks[-2] + (target - a0) / (a1 - a0) * (first - looks[-2]))
    images = 20 * first  # 400 images are 20 whole batches
    assert found["cost"] == pytest.approx((images + len(looks) * len(run.test[1]) / 3) / 400)


def test_a_run_ends_at_its_bound_and_when_it_diverges(data):
    late = reach(data, replace(FAST, lr=1e-6), (0.5, 0.9), {0.5: 7, 0.9: 50})
    assert late["ended"] == "bound" and late["steps"] == [None, None] and 7 <= late["updates"] <= 9
    bad = reach(data, replace(FAST, lr=1e6), (0.5,), {0.5: 100})
    assert bad["ended"] == "diverged" and bad["updates"] < 10 and bad["steps"] == [None]


def test_one_look_may_reach_both_targets():
    steps = {0.5: None, 0.9: None}
    assert reaching._seen(steps, (10, 0.2), (20, 1.0), {0.5: 5, 0.9: 5}, True) == "reached"
    assert steps == {0.5: pytest.approx(13.75), 0.9: pytest.approx(18.75)}


def test_a_trial_that_cannot_win_ends():
    assert race({0.97: inf, 0.985: inf}, 200, 1.25) == {0.97: 200, 0.985: 200}
    assert race({0.97: 40, 0.985: inf}, 200, 1.25) == {0.97: 50, 0.985: 200}
    assert race({0.97: 40, 0.985: 100}, 200, 1.25) == {0.97: 50, 0.985: 100}
    assert race({0.97: 180, 0.985: inf}, 200, 1.25) == {0.97: 200, 0.985: 200}


def test_the_fewest_steps_are_chosen_or_what_comes_close():
    made = {"a": {1: 10.0, 2: 40.0}, "b": {1: 10.4, 2: 30.0}, "c": {1: 20.0, 2: inf}}
    assert choose(made, (1, 2)) == {1: "b", 2: "b"}
    made["b"][1] = 10.6
    assert choose(made, (1, 2)) == {1: "a", 2: "b"}
    made["a"][2] = made["b"][2] = inf
    assert choose(made, (1, 2)) == {1: "a"} and choose({"c": {1: inf}}, (1,)) == {}


@pytest.fixture(scope="module")
def measured(data):
    kept = {}

    def remember(name, asked, compute):
        assert name not in kept
        kept[name] = asked, compute()
        return kept[name][1]

    noise = [{"loss": 0.5, "exact_noise": 20.0}, {"loss": 2.0, "exact_noise": 9.0}]
    return steps(data, 3, 1, quiet, remember, FEW, noise), kept


def test_every_method_has_as_many_trials_at_every_size(measured):
    found, kept = measured
    trials = {}
    for row in found.rows:
        if row["kind"] == "trial" and row["target"] == 0.3:
            trials.setdefault((row["method"], row["batch_size"]), set()).add(
                (row["lr"], row["momentum"])
            )
    assert {key: len(those) for key, those in trials.items()} == {
        (name, b): 2 for name in FEW.methods for b in (16, 40, 320)
    }
    assert {row["seed"] for row in found.rows if row["kind"] == "trial"} == {3}
    assert {row["seed"] for row in found.rows if row["kind"] == "seed"} == {4, 5}
    assert sum("trial" in name for name in kept) == 12
    # Runs of another seed are kept beside these.
    assert all(
        name.endswith(f"-seed{asked['settings']['seed']}") for name, (asked, _) in kept.items()
    )


def test_the_settings_that_won_are_run_again(measured):
    rows = measured[0].rows
    for line in steps_shown.lines(rows):
        for b, chosen in line.chosen.items():
            trials = [
                row
                for row in rows
                if (row["method"], row["batch_size"], row["target"], row["kind"])
                == (line.method, b, line.target, "trial")
            ]
            fewest = min(row["steps"] or inf for row in trials)
            close = 1.05 * fewest
            winners = {(r["lr"], r["momentum"]) for r in trials if (r["steps"] or inf) <= close}
            assert chosen in winners and len(line.steps[b]) == 2


def test_what_is_kept_is_not_made_again(measured, data):
    found, kept = measured

    def from_memory(name, asked, compute):
        assert kept[name][0] == asked
        return kept[name][1]

    again = steps(data, 3, 1, quiet, from_memory, FEW)
    assert again.rows == found.rows


def test_the_table_is_read_as_it_was_written_and_a_value_that_makes_no_sense_is_told(
    measured, tmp_path
):
    path, (row, *others) = tmp_path / "measure-steps.csv", measured[0].rows
    write_table(path, COLUMNS, [row, *others])
    assert steps_shown.read(path) == [row, *others]
    write_table(path, COLUMNS, every := [row | {"method": name} for name in METHODS])
    assert steps_shown.read(path) == every
    for column, value, said in (
        ("batch_size", 0, "0 is not from 1e-09 to 1e+15"),
        ("target", None, "could not convert string to float: ''"),
        ("cost", "nan", "nan is not from"),
        ("method", "adam", "its method 'adam' is none of momentum, nesterov, lamb, muon"),
        ("epochs", None if row["steps"] else 1.0, "one of steps without epochs): bring back"),
    ):
        write_table(path, COLUMNS, [row | {column: value}, *others])
        with pytest.raises(DamagedError, match=re.escape(said)):
            steps_shown.read(path)
    for rows, columns, said in (
        ([], COLUMNS, "has no rows"),
        ([row], COLUMNS[::-1], "its first line is not that of measure-steps.csv"),
    ):
        write_table(path, columns, rows)
        with pytest.raises(DamagedError, match=said):
            steps_shown.read(path)


def test_the_figure_and_the_words(measured, data):
    found, _ = measured
    figure = chart(found.plots, found.title)
    assert figure.get_figheight() * 150 <= 1400
    panels = {axes.get_title(): axes for axes in figure.axes}
    every = [line for line in steps_shown.lines(found.rows) if line.medians]
    legend = {text.get_text() for text in figure.legends[0].get_texts()}
    assert legend >= {steps_shown.title_of(line.method) for line in every}
    assert {"perfect scaling", "B_noise, least and most"} <= legend
    for line in every:
        for what, images in (("updates", 0), ("epochs", 320)):
            axes = panels[f"{what} to {100 * line.target:g} % of the held-out images"]
            points = [s * b / images if images else s for b, s in line.medians.items()]
            assert any(list(drawn.get_ydata()) == pytest.approx(points) for drawn in axes.lines)
    assert "B_noise, along a run of b = 64 at a train loss of 1 to .04, is 20 to 20" in found.text
    assert "12 trials and" in found.text
    other = steps_shown.text(found.rows)
    assert "B_noise" not in other


def test_the_figure_has_points_the_law_and_its_interval():
    """S = 20 (1 + 256/b): on the line of the law, and B_crit = 256 below all steps."""
    settings = {"method": "muon", "kind": "seed", "seed": 1, "lr": 0.1, "momentum": 0.9}
    ended = {"updates": 9, "cost": 1.0, "accuracy": 0.97, "ended": "reached"}
    rows = [
        settings | ended | {"batch_size": b, "target": 0.97, "steps": s, "epochs": s * b / 6000}
        for b in (64, 256, 1024, 4096)
        for s in [20 * (1 + 256 / b)]
    ]
    updates, epochs = steps_shown.plots(rows)
    points, law, of_laws, legend, interval, critical, perfect = updates.curves
    assert points.y == pytest.approx((100, 40, 25, 21.25)) and not points.dash
    assert law.y == pytest.approx([20 * (1 + 256 / b) for b in law.x], rel=1e-2)
    assert (law.x[0], law.x[-1]) == pytest.approx((64, 4096)) and of_laws.label == "the law"
    assert legend.label == "B_crit, 95 % (at any height)"
    assert critical.x == pytest.approx((256,), rel=1e-2) and critical.y[0] < 20
    assert interval.x[0] <= critical.x[0] <= interval.x[1]
    assert perfect.y[0] == pytest.approx(100) and perfect.x[:2] == (64, 256)
    points, law, of_laws, perfect = epochs.curves
    assert points.y[0] == pytest.approx(100 * 64 / 6000) and perfect.y[-1] == points.y[0]
    assert chart((updates, epochs), "title").axes


def test_a_seed_that_is_late_counts_as_late():
    line = steps_shown.Line("muon", 0.97, {64: [10.0, inf, 12.0], 256: [inf, inf, 3.0]}, {})
    assert line.medians == {64: 12.0} and line.law is None
    assert line.points(lambda b: 0.5).error == ((1.0, 0.0),)


def test_the_plan_fits_its_cost():
    runs, most = PLAN.most()
    each = PLAN.trials + 2 * PLAN.seeds
    assert runs == each * len(METHODS) * len(PLAN.limits)
    assert most == each * len(METHODS) * sum(PLAN.limits.values())
    with pytest.raises(SettingError, match="batch size 16384 is larger than the training set"):
        PLAN.sizes(640)
    assert PLAN.sizes(55_000)[55_000] == PLAN.limits[60000]  # an update an epoch


def test_guesses_follow_the_power_of_the_batch_size():
    method = METHODS["muon"]._replace(guesses={64: 0.01, 4096: 0.08, 60000: 0.08})
    assert [method.guess(b) for b in (64, 512, 4096, 10000)] == pytest.approx(
        [0.01, 0.01 * np.sqrt(8), 0.08, 0.08]
    )


def test_an_arrow_tells_of_seeds_that_were_too_late():
    steps_of = {64: [90.0, inf, 100.0], 256: [40.0, 50.0, 60.0], 1024: [inf, 30.0, inf]}
    late = steps_shown.Line("muon", 0.97, steps_of, {}).late(lambda b: 2, shift=0.5)
    assert (late.x, late.y) == ((32.0,), (pytest.approx(230.0),))  # above the slowest that arrived
