"""What more ranks buy, from counts and a model that are made up."""

from math import inf

import numpy as np
import pytest
from click.testing import CliRunner

from minisgd import drawing
from minisgd.machine import buying, buying_shown, speedup_results
from minisgd.machine.buying import drawn, with_network, worth_having
from minisgd.machine.speedup import CostModel
from minisgd.measures.steps_shown import Line

IDEAL = CostModel(c=1e-4, o=0.0, alpha=0.0, beta=0.0)  # nothing but the images takes time
NONE = CostModel(c=1e-4, o=1e-3, alpha=0.0, beta=0.0)


def line(steps, method="muon"):
    return Line(method, 0.985, steps, {})


def bought(line, network, model, step, ratios, rng):
    return buying.bought(line, network, model, step, drawn(line, ratios, rng))


def test_times_by_hand(rng):
    """1000 updates of 64 images, or 100 of 1024, of .1 ms an image and 1 ms an update."""
    counts = {64: [1000.0] * 3, 1024: [100.0] * 3}
    found = bought(line(counts), "n", NONE, 0.0, [1.0], rng)
    assert found.times[1] == (64, pytest.approx(7.4), pytest.approx(7.4), pytest.approx(7.4))
    # 16 ranks: 4 and 64 images each, (.4 + 1) ms a thousand times and (6.4 + 1) ms a hundred times
    assert found.times[16][:2] == (1024, pytest.approx(0.74))
    assert found.times[1024][:2] == (1024, pytest.approx(0.11))
    # Half as efficient as one: 7.4 / T >= R/2, with T = 100 (102.4/R + 1) ms from 8 ranks on.
    worth = [R for R in found.times if 7.4 / (0.1 * (102.4 / R + 1)) >= R / 2]
    assert found.worth == (max(worth),) * 3 == (32,) * 3


def test_without_an_image_a_rank_gains_nothing(rng):
    found = bought(line({64: [1000.0] * 3}), "n", IDEAL, 0.0, [1.0], rng)
    assert max(found.times) == 64 and found.worth[0] == 64


def test_the_step_of_the_method_is_on_every_rank(rng):
    counts = {64: [1000.0] * 3}
    bare, slow = (bought(line(counts), "n", IDEAL, p, [1.0], rng) for p in (0.0, 0.002))
    assert slow.times[1][1] - bare.times[1][1] == pytest.approx(2.0)
    assert slow.times[64][1] - bare.times[64][1] == pytest.approx(2.0)
    assert slow.worth[0] < bare.worth[0]


def test_the_interval_holds_seeds_and_misfit(rng):
    exact = bought(line({64: [1000.0] * 3}), "n", IDEAL, 0.0, [0.8, 1.0, 1.2], rng)
    _, middle, low, high = exact.times[1]
    assert (low, high) == (pytest.approx(0.8 * middle), pytest.approx(1.2 * middle))
    seeds = bought(line({64: [900.0, 1000.0, 1100.0]}), "n", IDEAL, 0.0, [1.0], rng)
    _, middle, low, high = seeds.times[1]
    assert (low, high) == (pytest.approx(0.9 * middle), pytest.approx(1.1 * middle))
    late = bought(line({64: [900.0, 1000.0, inf]}), "n", IDEAL, 0.0, [1.0], rng)
    assert late.times[1][3] == inf
    (row, *_) = buying_shown.rows_of([late])
    assert row["high"] is None and set(row) <= set(speedup_results.COLUMNS)
    panel, sizes = buying_shown.plots([late, exact], IDEAL)
    assert [round(y) for y in sizes.curves[0].y[:2]] == [64, 64]
    assert sizes.y == "images (drawn a little apart)"
    (_, above), *_ = panel.curves[0].error
    assert panel.curves[0].y[0] + above > panel.ylim[1]  # beyond the top of the panel
    assert drawing.chart([panel], "title").axes


def test_every_draw_of_the_seeds_has_a_batch_of_its_own(rng):
    """Where 1024 images are late on 16 ranks (7.4 ms an update), 64 take their place (1.4 ms)."""
    counts = {64: [1000.0] * 3, 1024: [90.0, 100.0, inf]}
    found = bought(line(counts), "n", NONE, 0.0, [1.0], rng)
    assert found.times[16] == (
        1024, pytest.approx(0.74), pytest.approx(0.666), pytest.approx(1.4),
    )  # fmt: skip
    assert found.worth[1] > 1


def test_how_much_faster_holds_the_seeds_and_the_misfit(rng):
    """On 1 rank 64 images are soonest and on 1,024 only 1024 can be: 1000 steps of 7.4 ms against
    100, and of one seed 200, of 1.1 ms.
    """
    few = {64: [1000.0] * 3, 1024: [100.0, 100.0, 200.0]}
    found = bought(line(few), "n", NONE, 0.0, [1.0], rng).gain
    assert found == (
        pytest.approx(7.4 / 0.11),
        pytest.approx(7.4 / 0.22),
        pytest.approx(7.4 / 0.11),
    )
    late = bought(line({64: [1000.0, inf, 1000.0]}), "n", NONE, 0.0, [1.0], rng)
    assert late.gain[1] == 1.0 and buying_shown.kept([late])["faster"]["n"]["muon"][1] == 1.0
    off = bought(line({64: [1000.0] * 3}), "n", NONE, 0.0, [0.5, 2.0], rng).gain
    assert off[1] < 0.7 * off[0] and off[2] > 2 * off[0]


def test_a_network_is_a_latency_and_a_bandwidth():
    ethernet = with_network(NONE, 30.0, 25.0)
    assert ethernet.alpha == pytest.approx(30e-6) and ethernet.c == NONE.c
    assert buying.network_of(ethernet) == pytest.approx((30.0, 25.0))
    assert ethernet.beta * 25e9 / 8 == pytest.approx(1.0)  # 25 Gbit take a second


def test_ranks_are_worth_having_up_to_the_first_that_are_not():
    assert worth_having([8.0, 4.0, 2.0, 1.9]) == 8  # 8/1.9 is 4.2, half of 8
    assert worth_having([8.0, 4.0, 5.0, 0.5]) == 2
    assert worth_having([8.0]) == 1 and worth_having([inf, inf]) == 1


def test_words_and_table(rng):
    every = [
        bought(line({64: [1000.0] * 3, 1024: [100.0] * 3}, name), network, NONE, 0.0, [1.0], rng)
        for network in ("near", "far")
        for name in ("lamb", "muon")
    ]
    said = buying_shown.text(every)
    assert "to 98.5 % of the held-out images" in said and "90 % of draws" in said
    assert len(buying_shown.plots(every, NONE)) == 3 and len(buying_shown.table(every)) == 5
    lines = buying_shown.plots(every, NONE)[0].curves
    assert [c.label for c in lines] == ["LAMB", "", "Muon", "", "most ranks worth having"]
    assert (lines[1].x, lines[1].y) == ((32,), (every[0].times[32][1],))
    assert (
        "b = 64; 32: " in buying_shown.table(every)[1] and "98.5 %" in buying_shown.table(every)[0]
    )
    network, method, worth = buying_shown.table(every)[3].split(maxsplit=2)
    assert (network, method) == ("far", "lamb") and worth.startswith("32 (32 to 32)")
    assert worth.split()[4:8] == ["67.3", "(67.3", "to", "67.3)"]  # 7.4 s over .11 s
    kept = buying_shown.kept(every)
    assert kept["worth having"]["far"] == {"lamb": [32, 32, 32], "muon": [32, 32, 32]}
    assert kept["faster"]["far"]["lamb"] == [pytest.approx(7.4 / 0.11, rel=1e-5)] * 3
    assert "measure steps" in buying_shown.text([]) and buying_shown.table([]) == []


def test_misfits_are_measured_over_modelled():
    jobs = [
        {"ranks": 1, "epochs": [[64, 2 * NONE.epoch(640, 64, 1), 0.0]]},
        {"ranks": 4, "epochs": [[64, 1.0, 0.0]]},  # more ranks than cores
    ]
    assert buying.misfits(jobs, NONE, 640, 2) == [pytest.approx(2.0)]


def test_half_a_network_is_refused():
    from minisgd.commands.group import cli

    done = CliRunner().invoke(cli, ["scaling", "--latency", "20"])
    assert done.exit_code == 2 and "give both, or neither" in done.output
    for number in ("nan", "inf", "0", "-1"):
        done = CliRunner().invoke(cli, ["scaling", "--latency", "20", "--bandwidth", number])
        assert done.exit_code == 2 and f"'{number}' is not a number above 0" in done.output


def test_every_method_is_bought_through_every_network(small_data):
    model = with_network(NONE, 1.0, 100.0)
    lines = [
        Line("muon", 0.97, {64: [9.0] * 3}, {}),
        Line("muon", 0.985, {64: [10.0, 11.0, 12.0]}, {}),
        Line("momentum", 0.985, {64: [20.0, 21.0, 22.0]}, {}),
        Line("lamb", 0.985, {64: [inf] * 3}, {}),
    ]
    lines = buying.to_the_target(lines)
    steps = buying.step_seconds(lines, small_data, 1)
    assert set(steps) == {"muon", "momentum"} and min(steps.values()) > 0
    found = buying.all_bought(lines, {"slow": (50.0, 10.0)}, model, steps, [1.0])
    assert [(one.network, one.method) for one in found] == [
        (buying.HERE, "muon"), (buying.HERE, "momentum"), ("slow", "muon"), ("slow", "momentum"),
    ]  # fmt: skip
    assert found[2].times[64][1] > found[0].times[64][1]
    assert np.isfinite(found[0].times[1]).all() and {one.target for one in found} == {0.985}
    assert buying.to_the_target([]) == [] and buying.all_bought([], {}, model, {}, [1.0]) == []
