"""The plan of the answer, and what its tables say, on made-up numbers."""

import csv
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_runs import MadeUpTrials

from minisgd.drawing import Carried, Line
from minisgd.report import answer, answer_plan, answer_shown
from minisgd.report.answer import METHODS, SEARCHES, SIZES, between
from minisgd.report.answer_plan import plan
from minisgd.report.search import winner
from minisgd.settings import Settings

ROOT = Path(__file__).parents[2]


def test_every_search_has_the_same_budget():
    """Of epochs, numbers and the width of the rate's range, of which only the middle follows the
    batch size: 12 x 8 + 6 x 15 + 3 x 30 = 276 epochs, and 9 x 30 = 270 where there is one update
    an epoch.
    """
    assert {(s.seeds, s.base.epochs, len(s.ranges)) for s in SEARCHES.values()} == {((0,), 30, 3)}
    for (_, b), search in SEARCHES.items():
        assert (search.trials, search.halvings) == ((9, 0) if b == 60_000 else (12, 2))
        assert search.ranges[0].high / search.ranges[0].low == pytest.approx(30, rel=0.01)
    for name in METHODS:
        at = [SEARCHES[name, b] for b in answer.SEARCHED]
        assert len({(s.ranges[1:], replace(s.base, batch_size=64)) for s in at}) == 1
        assert [s.base.batch_size for s in at] == [64, 8192, 55_000]


def test_between_two_sizes_every_number_follows_a_power_of_the_batch_size():
    """From 64 to 1,024, halfway by factors at 256: η = √(.01 .16) = .04, 1 - m = √(.4 .1) = .2."""
    one = Settings(64, lr=0.01, momentum=0.6, optimizer="adam", beta2=0.99)
    other = replace(one, batch_size=1024, lr=0.16, momentum=0.9, beta2=0.9999)
    found = between(one, other, 256, ("lr", "momentum", "beta2"))
    assert found == replace(one, batch_size=256, lr=0.04, momentum=0.8, beta2=0.999)


def test_of_an_effective_rate_the_rate_is_what_is_left():
    """η/(1-m) from 1 to 16, so 4 at 256, where 1 - m = .2: η = .8."""
    one = Settings(64, lr=0.4, momentum=0.6)
    other = Settings(1024, lr=1.6, momentum=0.9)
    found = between(one, other, 256, ("effective_lr", "momentum"))
    assert (found.lr, found.momentum) == (0.8, 0.8)


def test_the_plan_has_a_run_for_every_method_and_size():
    found = plan(MadeUpTrials())
    assert set(found.sizes) == {(name, b) for name in METHODS for b in SIZES}
    assert {s.epochs for s in found.sizes.values()} == {30}
    assert found.sizes["muon", 60000].batch_size == 60000
    assert {s.epochs for s in found.short.values()} == {8}
    experiments = found.experiments
    assert [len(e.settings) for e in experiments.values()] == [35, 5, 23, 25, 9, 13]
    assert {cell.seed for e in experiments.values() for cell in e.cells(5)} == {1, 2, 3, 4, 5}


def test_each_change_is_one_change():
    """Between what it names and what it is compared with, nothing else differs."""
    changes = plan(MadeUpTrials()).changes
    names = list(changes)
    report, faster, whole = (names[k] for k in (0, 5, 10))

    def differ(a, b):
        one, other = (changes[name].differing() for name in (a, b))
        return {k for k in one.keys() | other.keys() if one.get(k) != other.get(k)}

    single = [{"clip"}, {"optimizer"}, {"decay"}, {"warmup", "warmup_updates"}]
    assert [differ(report, name) for name in names[1:5]] == single
    assert differ(report, faster) == {"lr", "momentum"}
    assert [differ(faster, name) for name in names[6:10]] == single
    assert [differ(whole, name) for name in names[11:16]] == [{"lr", "momentum"}, *single]
    without = [name for name in names[16:] if name.endswith("without the decay")]
    assert len(without) == 2
    for name in without:
        assert differ(names[names.index(name) - 1], name) == {"decay"}
    assert differ(names[-1], names[-3]) == {"optimizer"}
    assert changes[report] == Settings(8192, lr=0.01, momentum=0.9)


def test_the_rules_start_from_what_was_tuned_at_512():
    trials = MadeUpTrials()
    found = plan(trials).rules
    tuned = winner(trials.of(SEARCHES["adam", 512])).settings
    ruled = found["Adam by its square-root rule"]
    assert ruled.scaled_lr == pytest.approx(4 * tuned.lr)
    assert 1 - ruled.scaled_adam()[0] == pytest.approx(16 * (1 - tuned.momentum))
    lars = winner(trials.of(SEARCHES["lars", 512])).settings
    assert found["LARS by the linear rule"].scaled_lr == pytest.approx(16 * lars.lr)


def test_a_growing_batch_takes_the_place_of_a_falling_rate():
    """With the cosine an epoch has half as many updates on average; with three thirds of 1, 1/5
    and 1/25 of them 41 %, with 938, 2 x 235, 17 x 118 and 10 x 40 updates 14 %.
    """
    found = plan(MadeUpTrials()).grown
    falling, growing, neither = list(found.values())[:3]
    assert replace(growing, decay="cosine", batch_schedule="") == falling
    assert replace(growing, batch_schedule="") == neither
    made = {label: s.updates_after(30, 60_000) for label, s in found.items()}
    assert made["64, the rate falls by the cosine"] == made["64, neither"] == 30 * 938
    assert made["64, the batch grows by the cosine"] == pytest.approx(15 * 938, abs=15)
    assert made["64, the batch grows by 5, twice"] == 10 * (938 + 188 + 38)
    assert made["64, the batch follows the noise scale"] == 938 + 2 * 235 + 17 * 118 + 10 * 40
    assert made["64, noise scale, falling rate"] == 3814


def test_the_batch_that_follows_the_noise_scale_is_the_largest_of_whole_factors():
    """After 1, 3, 10 and 20 epochs, at which the kept measure has looked."""
    with open(ROOT / "figures/measure-noise-scale.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    noise = {round(float(row["epoch"])): float(row["exact_noise"]) for row in rows[-4:]}
    b, steps = 64, []
    for epoch, images in noise.items():
        if (factor := int(images / b)) > 1:
            steps.append(f"x{factor}@{epoch + 1}")
            b *= factor
    assert ",".join(steps) == answer_plan.FOLLOWING


def test_how_far_a_method_carries_the_batch_ends_at_the_first_size_that_falls():
    values = {64: [0.99], 512: [0.98, 0.99, 0.991], 2048: [0.9, 0.9], 8192: [0.99, 0.99]}
    carried = answer_shown.carried
    assert carried(values, 0.992, 0.002, median) == 512  # .99 is within .002, whatever its bits
    assert carried(values, 0.992, 0.002, min) == 64
    assert carried(values, 0.992, 0.2, min) == 8192
    assert carried(values, 0.992, 0.001, median) is None


@given(st.lists(st.floats(0.5, 1), min_size=4, max_size=4), st.floats(0.9, 1))
def test_a_greater_tolerance_never_carries_less(accuracies, bar):
    values = dict(zip((64, 512, 2048, 8192), ([a] for a in accuracies), strict=True))
    found = [answer_shown.carried(values, bar, t, min) or 0 for t in (0.001, 0.01, 0.1)]
    assert found == sorted(found)


def test_the_bar_is_the_best_median_of_64():
    lines = [
        Line("a", {64: [0.99, 0.9, 0.98], 8192: [1.0]}), Line("b", {64: [0.985], 8192: [0.9]}),
        Line("theirs", {64: [0.984], 8192: [0.5]}, faint=True),
    ]  # fmt: skip
    assert answer_shown.bar_of(lines) == 0.985
    assert answer_shown.bar_of([Line("no run of 64", {128: [0.99]})]) is None
    table = answer_shown.sizes_table(lines)
    assert table[2].split() == "64 0.9800 (0.9000 to 0.9900) 0.9850 (0.9850 to 0.9850)".split()
    assert table[-3].split() == ["a", "none", "none", "8,192", "none"]
    assert table[-2].split() == ["b", "64", "64", "64", "64"]
    assert table[-1].split() == ["theirs", "64", "64", "64", "64"]


def test_how_forgiving_is_counted_outwards_from_the_best_rate():
    values = {0.5: [0.97], 1.0: [0.989], 2.0: [0.99], 4.0: [0.1]}
    assert answer_shown.forgiving(values) == (1.0, 2.0)
    assert answer_shown.rates_table([Line("a", values)])[1].endswith("0.1000    1 to 2 times")
    gaps = {0.25: [0.99], 0.5: [0.5], 1.0: [0.98], 2.0: [0.9905], 4.0: [0.99]}
    assert answer_shown.forgiving(gaps) == (2.0, 4.0)
    assert answer_shown.rates_table([Line("a", gaps)])[1].endswith("2 to 4 or more times")
    lowest = {0.25: [0.99], 1.0: [0.98]}
    assert answer_shown.rates_table([Line("a", lowest)])[1].endswith("0.25 or less to 0.25 times")


def test_no_rate_is_judged_by_more_seeds_than_another():
    found = {("muon", 1.0): [0.1, 0.2, 0.3, 0.4, 0.5], ("muon", 2.0): [0.6, 0.7, 0.8]}
    assert answer_shown.alike(found) == {
        ("muon", 1.0): [0.1, 0.2, 0.3], ("muon", 2.0): [0.6, 0.7, 0.8]
    }  # fmt: skip


def test_what_a_line_carries_in_every_seed_and_in_the_median():
    line = Line("a", {64: [0.99, 0.989], 512: [0.988, 0.986, 0.985], 2048: [0.9]})
    found = answer_shown.all_carried([line], 0.99)
    assert found == {0.002: {"a": Carried(64, 64)}, 0.005: {"a": Carried(512, 512)}}
    line = Line("a", {64: [0.99, 0.989], 512: [0.988, 0.988, 0.985]})
    assert answer_shown.all_carried([line], 0.99)[0.002] == {"a": Carried(64, 512)}
    assert answer_shown.all_carried([line], 0.999)[0.005] == {"a": Carried(None, None)}
