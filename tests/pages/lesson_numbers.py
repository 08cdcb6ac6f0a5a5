"""The numbers of figures/README.md, the lesson. A chapter is a function of kept_files.Files."""

import re
from dataclasses import replace
from math import ceil, comb, inf
from statistics import mean, median

import numpy as np
import pytest
from page_numbers import given, here, listed
from run_numbers import above, accuracy_at, agreed, last

from minisgd import LeNet5
from minisgd.gradient import lanes_for
from minisgd.machine import buying, speedup_results
from minisgd.machine.speedup import NUMBERS, CostModel
from minisgd.measures import curvature_shown, methods_shown, steps, steps_shown
from minisgd.measures import law as law_module
from minisgd.measures import noise_scale as noise_scale_module
from minisgd.measures.following import thrown
from minisgd.measures.survival import CALM, CAPS, LEARNT, SHARE, THRESHOLDS
from minisgd.networks import MLP, NETWORKS, size_of
from minisgd.report import answer, answer_plan, answer_shown, carry, carry_shown, claims
from minisgd.report.experiments import SIZES
from minisgd.report.search import winner
from minisgd.report.statistics import (
    LOST,
    best_accuracy,
    final_accuracy,
    last_accuracy,
    left_after_rise,
    loss_at,
)
from minisgd.schedules import warmup_lr
from minisgd.settings import Settings

N = 60_000  # training images


def beginning(files):
    base = Settings()
    return listed(
        here(LeNet5(seed=0).w.size, "minisgd/networks.py"),
        given("ten 10,000 0", "classes, test images, and the seed"),
        given("60,000", "images"),
        here(base.lr, "minisgd/settings.py"),
        here(base.base_batch_size, "minisgd/settings.py"),
    )


def larger_batch(files):
    """Ch. 1."""
    per_epoch = {b: Settings(b).updates_per_epoch(N) for b in (64, 8192)}
    updates = 30 * per_epoch[64]
    end = {b: median(files.values(last, "figure1", b)) for b in (64, 1024, 4096)}
    losses = loss_at(30, "test_loss"), loss_at(15, "test_loss")
    larger = {}
    for b in SIZES[1:]:
        pairs = files.results.pairs(losses, ("figure1", b), ("figure1", b // 2))
        told = [(x, y) for x, y in pairs if claims.has_left_the_plateau(x, y)]
        larger[b] = sum(x > y for x, y in told) if told else None
    return listed(
        given("60,000", "images"),
        here(per_epoch[64], "60,000 images"), given("64", "a batch size"),
        here(per_epoch[8192], "60,000 images"),
        given("8192 .9 30", "a batch size, an accuracy and an epoch"),
        here(end[64], "figure1"), given("64", "a batch size"),
        here(end[1024], "figure1"), given("1024", "a batch size"),
        here(end[4096], "figure1"), given("4096 30 15", "a batch size, and epochs"),
        here(max(b for b, n in larger.items() if n is not None), "figure1"),
        here(max(n for n in larger.values() if n is not None), "figure1"),
        here(len(pairs), "figure1"),
        given("8192 8192 64 30 64", "batch sizes, and epochs"),
        here(per_epoch[64], "60,000 images"), given("30", "epochs"),
        here(updates, "60,000 images"),
        here(per_epoch[8192], "60,000 images"), given("8192", "a batch size"),
        here(updates / per_epoch[8192], "60,000 images"),
        here(updates / per_epoch[8192] / 30, "60,000 images"),
        here(updates / per_epoch[8192] / 30, "60,000 images"),
    )  # fmt: skip


def two_rules(files):
    """Ch. 3."""
    rate = {rule: Settings(8192, rule=rule).scaled_lr for rule in ("sqrt", "linear")}
    risen, there = (above(files, 0.9, of, "figure3", 2048) for of in (best_accuracy, last))
    learnt = [above(files, 0.9, best_accuracy, "figure3", b) for b in (2048, 8192)]
    of_1024 = files.values(last, "figure3", 1024)
    return listed(
        given("Two 8192", "rules, and a batch size"),
        here(rate["sqrt"], "minisgd/rules.py"),
        here(rate["linear"], "minisgd/rules.py"),
        given("1024", "a batch size"),
        here(sum(end < 0.9 for end in of_1024), "figure3"),
        here(len(of_1024), "figure3"),
        given("2048", "a batch size"),
        here(learnt[0], "figure3"),
        here(len(files.values(last, "figure3", 2048)), "figure3"),
        here(risen - there, "figure3"),
        given("30 half third 8192", "epochs, of the figure, of a row, and a batch size"),
        here(learnt[1], "figure3"),
    )


def gentle_start(files):
    """Ch. 5."""
    name, high, low = "figure4", 0.98, 0.75
    there = {b: above(files, 0.9, last, name, b) for b in (2048, 4096, 8192)}
    without = {b: above(files, 0.9, last, "figure3", b) for b in (4096, 8192)}
    runs = len(files.values(last, name, 2048))
    after = [
        min(accuracies[next(k for k, a in enumerate(accuracies) if a > high) :])
        for accuracies in files.values(all_accuracies, name, 2048)
    ]
    ends = files.values(last, name, 2048)
    fallen = sorted(end for end, least in zip(ends, after, strict=True) if least < low)
    recovered = [end for end in fallen if end > 0.9]
    worst = max(files.rows("measure-equivalence", k=128), key=lambda row: row.distance).epoch
    return listed(
        here(worst, "measure-equivalence"),
        given("ten 10", "epochs of warmup"), given("2048", "a batch size"),
        here(above(files, high, best_accuracy, name, 2048), name),
        given(".98 half", "an accuracy, and of the figure"), here(len(fallen), name),
        given(".75", "an accuracy"), here(len(recovered), name),
        here(min(recovered), name), here(max(recovered), name),
        given("30 4096 8192 30", "epochs and batch sizes"), here(there[4096], name),
        here(runs, name), given("4096 .9", "a batch size, and an accuracy"),
        here(without[4096], "figure3"), given("8192", "a batch size"),
        here(agreed(there[8192], without[8192]), "figure3 and figure4"),
        given("tenth 1 10 10 9 10", "epochs of a warmup of ten"),
    )  # fmt: skip


def all_accuracies(records):
    """The statistic: the test accuracies of a run, one an epoch."""
    return [record["test_accuracy"] or 0 for record in records]


def covariance(files):
    """Ch. 2. A ratio is of measured to exact; the trace goes "to" so much from b = 64 to 8192."""
    name = "measure-covariance"

    def ratios(of, **wanted):
        rows = files.rows(name, rule="none", **wanted)
        return [getattr(row, of) / row.exact for row in rows]

    def to(of, rule, quantity, epoch, start="exact"):
        first, *_, last = files.rows(name, rule=rule, quantity=quantity, epoch=epoch)
        return getattr(last, of) / getattr(first, start)

    def furthest(quantity):
        return 100 * max(abs(ratio - 1) for ratio in ratios("measured", quantity=quantity))

    errors = ratios("error", quantity="trace")
    rest = [
        here(to(of, "sqrt", "the rest", epoch), name)
        for epoch in (0, 1)
        for of in ("measured", "error")
    ]
    linear = [to("measured", "linear", "trace", epoch, "measured") for epoch in (0, 1)]
    traces = (files.rows(name, rule="linear", quantity="trace", epoch=epoch) for epoch in (0, 1))
    first_and_last = [(rows[0], rows[-1]) for rows in traces]
    ends = [float(np.hypot(*(row.error / row.measured for row in some))) for some in first_and_last]
    return listed(
        given("1 1 1", "of the formula"),
        given("160", "draws, in minisgd/measures/covariance.py"),
        given("60,000", "images"),
        here(furthest("trace"), name),
        here(100 * min(errors), name),
        here(100 * max(errors), name),
        given("dozen", "eigenvalues, in minisgd/measures/covariance.py"),
        here(furthest("the rest"), name),
        given("8192", "a batch size"),
        *rest[:2],
        given("64", "a batch size"),
        *rest[2:],
        here(to("exact", "sqrt", "trace", 0), name),
        given("1", "of the formula"),
        here(linear[0], name),
        here(linear[1], name),
        *(here(100 * off, name) for off in ends),
        here(to("exact", "linear", "trace", 0), name),
        given("1 1", "the ratio to 1 + B_noise"),
        here(files.cell("measure-noise-scale", update=0).exact_noise, "measure-noise-scale"),
        given("hundredth", "its share: less than 1/112"),
    )


def equivalence(files):
    """Ch. 4."""
    name = "measure-equivalence"

    def at(epoch, k):
        return files.cell(name, epoch=epoch, k=k)

    def unraised(epoch):
        """The largest k of an epoch for which the large step does not raise the loss."""
        return max(row.k for row in files.rows(name, epoch=epoch) if row.rise <= 0)

    nearly = max(row.k for row in files.rows(name, epoch=0) if row.distance < 0.1)
    later = files.rows(name, epoch=5)
    worse = [row.k for row in later if row.distance > at(1, row.k).distance]
    steeper = [
        row.k
        for row in later
        if row.loss_large / row.loss_before > at(1, row.k).loss_large / at(1, row.k).loss_before
    ]
    return listed(
        here(nearly, name),
        here(at(0, nearly).batch_size, name),
        here(at(0, nearly).distance, name),
        given("eight", "its k"),
        here(at(0, 32).batch_size, name),
        here(at(0, 32).distance, name),
        here(at(0, unraised(0)).batch_size, name),
        here(at(0, unraised(0)).distance, name),
        given("2", "k"),
        here(at(1, 2).distance, name),
        here(max(row.k for row in later), name),
        here(at(1, 128).distance, name),
        here(at(1, 128).loss_before, name),
        here(at(1, 128).loss_large, name),
        given("five", "epochs"),
        here(agreed(*worse), name),
        here(at(5, 128).distance, name),
        here(min(steeper), name),
        given("20 2", "epochs, and k"),
        here(at(20, 2).distance, name),
        here(unraised(20), name),
        here(at(20, 4).distance, name),
        given("128", "k"),
        here(at(1, 128).length, name),
    )


def noise_scale(files):
    """Ch. 8."""
    name = "measure-noise-scale"

    def noise(update):
        return files.cell(name, update=update).exact_noise

    rows = files.rows(name)
    least = min(rows, key=lambda row: row.exact_noise)
    off = [abs(row.noise - row.exact_noise) / row.noise_error for row in rows]
    first, after = files.cell(name, update=938), files.cell(name, update=18760)
    return listed(
        given("twice half none", "the batch, and the steps that it saves"),
        given("64", "the batch size"),
        here(noise(0), name),
        here(least.exact_noise, name),
        here(least.update, name),
        here(noise(938), name),
        here(noise(2814), name, to=10),
        given("three", "epochs"),
        here(noise(9380), name, to=10),
        given("ten", "epochs"),
        here(noise(18760), name, to=100),
        given("twenty two", "epochs, and batch sizes"),
        here(max(off), name),
        given("60,000", "images"),
        here(rows[-1].noise_error, name, to=10),
        here(rows[-1].noise, name, to=10),
        given("hundred", "in words: the order of the noise scale"),
        given("1 20", "epochs"),
        here(first.exact_squared / after.exact_squared, name),
        here(first.exact_trace / after.exact_trace, name),
        given("hundred", "in words: the noise scale at the start"),
        here(least.exact_noise, name),
        here(noise(18760), name, to=100),
    )


def the_answer(files):
    """Ch. 10."""
    names = list(answer.METHODS)
    ends = {
        (name, b): files.values(last, "answer", b, names.index(name))
        for name in names
        for b in (64, 8192, 60000)
    }
    middle = {key: median(values) for key, values in ends.items()}
    assert files.carried("adam", 0.002) is None
    short = {
        name: files.values(accuracy_at(8), "answer-short", 8192, k) for k, name in enumerate(names)
    }
    muon_97 = [
        min(r["epoch"] for r in files.kept.records(cell) if r["test_accuracy"] >= 0.985)
        for cell in files.kept.cells(files.kept.experiments["answer-short"])
        if cell.optimizer == "muon"
    ]
    _, _, bar = files.answer_lines
    reports = max(median(files.values(last, "figure6", 8192, n)) for n in (0, 1))
    at_64 = [middle[name, 64] for name in names]
    others = [name for name in names if name != "muon"]
    held_out = answer.HELD_OUT
    epochs = {b: _budget(*answer.BUDGET[b]) for b in (8192, 60000)}
    return listed(
        here(len(names), "minisgd/report/answer.py"),
        given("half 1 2", "the cosine"), given("1", "the formula of clipping"),
        given("64 8,192 60,000", "batch sizes"), here(held_out, "minisgd/report/answer.py"),
        here(answer.BUDGET[8192][0], "minisgd/report/answer.py"), given("three", "numbers"),
        _rounds(*answer.BUDGET[8192]),
        here(epochs[8192], "minisgd/report/answer.py"), given("60,000", "a batch size"),
        here(answer.BUDGET[60000][0], "minisgd/report/answer.py"), given("30", "epochs"),
        here(epochs[60000], "minisgd/report/answer.py"), given("1 two", "1 - m, and sizes"),
        here(len(answer.SIZES), "minisgd/report/answer.py"), here(len(ends["muon", 64]), "answer"),
        given("64", "a batch size"), here(len(names), "answer"), here(min(at_64), "answer"),
        here(max(at_64), "answer"),
        here(median(files.values(last, "figure1", 64)), "figure1"), given(".01", "η"),
        here(bar, "answer"), given("64 .002 .005", "b, and tolerances"),
        *(
            here(files.carried(n, tolerance), "answer")
            for n in ("muon", "lamb", "lars", "nesterov")
            for tolerance in (0.002, 0.005)
        ),
        given(".002 64 .005", "tolerances, and a batch size"),
        here(files.carried("adam", 0.005), "answer"), given("8,192", "a batch size"),
        *(here(middle[n, 8192], "answer") for n in ("muon", "lamb", "lars", "nesterov", "adam")),
        here(reports, "figure6"), given("30", "epochs"),
        here(middle["muon", 60000], "answer"), here(min(ends["muon", 60000]), "answer"),
        here(max(ends["muon", 60000]), "answer"),
        here(max(middle[n, 60000] for n in others), "answer"),
        given("8 8,192 64 98.5", "epochs of so many images, updates, and an accuracy to reach"),
        here(median(muon_97), "answer-short"), here(median(short["muon"]), "answer-short"),
        here(len(others), "answer"),
        here(max(median(short[n]) for n in others), "answer-short"),
        here(sum(x < claims.LEARNT for x in short["lars"]), "answer-short"),
        here(len(short["lars"]), "answer-short"), given("8", "epochs"),
        given("1", "singular values"),
    )  # fmt: skip


def _rounds(trials, halvings):
    """The entries of the epochs of each round of a search, and of the halves that go on."""
    epochs = [ceil(30 / 2 ** (halvings - k)) for k in range(halvings + 1)]
    first, *later = [here(n, "minisgd/report/answer.py") for n in epochs]
    return listed(first, *(listed(given("half", "of the trials"), entry) for entry in later))


def _budget(trials, halvings):
    """The epochs of a search: in every round half of the trials, twice as long; 30 at the end."""
    rounds = [(trials >> k, ceil(30 / 2 ** (halvings - k))) for k in range(halvings + 1)]
    return sum(n * epochs for n, epochs in rounds)


def the_work(files):
    """Ch. 11."""
    cells = answer_plan.plan(files.trials).changes
    order = list(dict.fromkeys(cells.values()))

    def ends(words):
        return files.values(last, "answer-changes", answer.LARGE, order.index(cells[words]))

    def middle(words):
        return median(ends(words))

    report = cells["the report's momentum, η = .01"]
    whole = cells["the whole: rate, clipping, Nesterov, decay, tuned"]
    clipped = middle("... and clipping")
    best = middle("the whole: rate, clipping, Nesterov, decay, tuned")
    reports = max(median(files.values(last, "figure6", 8192, n)) for n in (0, 1))
    return listed(
        given("four", "changes"), here(report.batch_size, "answer"),
        here(report.momentum, "answer"), here(report.lr, "answer"),
        here(middle("the report's momentum, η = .01"), "answer-changes"), given("four", "changes"),
        here(len(ends("it, and clipping")), "answer-changes"),
        here(middle("it, and clipping"), "answer-changes"),
        here(middle("it, and the decay"), "answer-changes"),
        here(whole.lr / report.lr, "answer"),
        here(clipped, "answer-changes"), here(best, "answer-changes"),
        here(best - middle("the whole without Nesterov's form"), "answer-changes"),
        here(best - middle("the whole without the decay"), "answer-changes"),
        here(max(ends("the whole without clipping")), "answer-changes"),
        here(answer_plan.RAMP, "minisgd/report/answer_plan.py"), given("tenth", "of 240 updates"),
        here(reports, "figure6"),
        here(middle("LARS without the decay"), "answer-changes"),
        here(middle("Muon without the decay"), "answer-changes"),
        here(middle("orthogonal updates: Muon, tuned"), "answer-changes"),
        here(len(ends("Muon without the decay")), "answer-changes"),
        here(middle("Muon, Adam for the first and last layer"), "answer-changes"),
    )  # fmt: skip


def forgiving(files):
    """Ch. 11, the rates."""
    cells = answer_plan.plan(files.trials).rates
    order = list(dict.fromkeys(cells.values()))
    ends = {
        key: files.values(last, "answer-rates", answer.LARGE, order.index(settings))
        for key, settings in cells.items()
    }
    seeds = min(map(len, ends.values()))
    ranges = {
        name: answer_shown.forgiving({f: ends[name, f][:seeds] for f in answer_plan.FACTORS})
        for name in answer.METHODS
    }
    of_lars = {f: ends["lars", f] for f in answer_plan.FACTORS}
    assert answer_shown.forgiving(of_lars) == (ranges["lars"][0], 1)
    low, high = agreed(ranges["nesterov"], ranges["lamb"])
    assert ranges["muon"] == (answer_plan.FACTORS[0], answer_plan.FACTORS[-1]) and high == 1
    lost = [median(ends[n, 1.0]) - median(ends[n, 2.0]) for n in ("nesterov", "lamb")]
    assert max(lost) < 0.01
    assert ranges["adam"][1] == 1
    on_one_class = {key for key, values in ends.items() if median(values) == 0.1135}
    assert on_one_class == {(n, 2.0) for n in ("adam", "lars")} | {
        (n, 4.0) for n in answer.METHODS if n != "muon"
    }
    return listed(
        here(answer_plan.FACTORS[0], "minisgd/report/answer_plan.py"),
        here(answer_plan.FACTORS[-1], "minisgd/report/answer_plan.py"),
        here(min(map(len, ends.values())), "answer-rates"), given(".002", "a tolerance"),
        here(low, "answer-rates"), given(".01 twice", "a loss, and a factor"),
        here(ranges["adam"][0], "answer-rates"), here(ranges["lars"][0], "answer-rates"),
        here(ranges["lars"][1], "answer-rates"), here(len(ends["lars", 1.0]), "answer"),
        given("two", "methods"), here(min(ends["adam", 1.0]), "answer"),
        here(min(ends["lars", 1.0]), "answer"), given("twice", "a factor"),
        here(max(f for _, f in on_one_class), "answer-rates"),
    )  # fmt: skip


def carried(files):
    """Ch. 11, the rules."""
    cells = answer_plan.plan(files.trials).rules
    order = {size: [] for size in (answer.RULED, answer.LARGE)}
    for settings in cells.values():
        order[settings.batch_size].append(settings)

    def ends(words):
        b = cells[words].batch_size
        return files.values(last, "answer-rules", b, order[b].index(cells[words]))

    ruled = ends("Adam by its square-root rule")
    lars = [ends(f"LARS by the linear rule{how}") for how in ("", ", with warmup")]
    assert {end for values in lars for end in values} == {0.1135}
    times = answer.LARGE // answer.RULED
    at_512 = [
        here(median(ends(f"{name} at {answer.RULED}, {how}")), "answer-rules")[0]
        for how in ("on the line between", "tuned (other ranges)")
        for name in ("Adam",)
    ]
    by_power, tuned = at_512
    return listed(
        given("five", "seeds"), here(answer.RULED, "minisgd/report/answer.py"),
        here(answer.LARGE, "minisgd/report/answer.py"), here(times, "512 to 8192"),
        here(round(times**0.5), "the rule"), here(times, "the rule"),
        given("1", "1 - β"), here(median(ruled), "answer-rules"),
        here(median(ends("Adam tuned there")), "answer-rules"),
        here(sum(end < 0.9 for end in ruled), "answer-rules"),
        here(len(ruled), "answer-rules"), given("512 8,192", "batch sizes"),
        here(len(lars[0]), "answer-rules"),
        given("two 512 64 8,192", "batch sizes"), [by_power],
        here(median(ends(f"LARS at {answer.RULED}, on the line between")), "answer-rules"), [tuned],
        here(median(ends(f"LARS at {answer.RULED}, tuned")), "answer-rules"),
    )  # fmt: skip


def what_kills(files):
    """Ch. 7."""
    name, curve = "measure-curvature", curvature_shown
    rows = [number_or_none(vars(row)) for row in files.rows(name)]
    runs = curve.by_run(rows)
    of = {run: curve.summed_up(found) for run, found in runs.items()}
    first = [row for row in rows if not row["update"]]
    exits = [next(row for row in run if row["loss"] < curve.PLATEAU) for run in runs.values()]
    part = [share_of_target(row) for row in exits]
    warm = [k for k, row in enumerate(exits) if row["warmup"] == "gradual"]
    assert {ceil(exits[k]["epoch"]) for k in warm} == {2, 3}
    plain = {b: [of["none", b, seed] for seed in range(3)] for b in (1024, 2048, 4096, 8192)}
    ramp = {b: [of["gradual", b, seed] for seed in range(3)] for b in plain}

    def ends(values):
        values = list(values)
        return [*here(min(values), name), *here(max(values), name)]

    def every(some, what):
        return ends(s[what] for s in some)

    def dead2(some):
        return 100 * max(s["dead"][1] for s in some)

    assert max(s["dead"][0] for s in of.values()) == dead2(plain[1024]) == 0
    thrown_back = {b: sum(bool(s["thrown"]) for s in some) for b, some in plain.items()}
    assert thrown_back[2048] == thrown_back[8192] == 3
    assert all(s["thrown"] for b in (4096, 8192) for s in ramp[b])
    assert not any(s["thrown"] for b in (1024, 2048) for s in ramp[b])
    assert max(share_of_target(row) for b in (4096, 8192) for k in range(3)
               for row in runs["gradual", b, k]) < 1 / 3  # fmt: skip
    mild = runs["none", 1024, 1]
    left, back = thrown([row["spread"] for row in mild])
    longest = max((row for k in range(3) for row in runs["none", 8192, k]), key=step_of)
    lengths = {row["length"] for row in rows if row["warmup"] == "none" and not row["update"]}
    rates = [row["lr"] for row in exits if (row["warmup"], row["batch_size"]) == ("gradual", 1024)]
    others = [row["eigenvalue_other_images"] / row["eigenvalue"] for row in rows]
    low, middle, high = np.percentile(others, (10, 50, 90))
    at = {row["update"]: row for row in runs["gradual", 8192, 2]}
    before, after = at[23], at[24]
    not_thrown = [s for s in plain[1024] if not s["thrown"]]
    return listed(
        here(len(plain[1024]), name), given("1 6", "the window"), given("8,192", "a batch size"),
        here(round(max(row["rate_sum"] for row in rows if row["batch_size"] == 8192)), name),
        given("2 1 2 1", "of the parabola"), ends(row["eigenvalue"] for row in first),
        given("2", "η λ/2"), here(max(map(curve.over_bound, first)), name),
        given("8,192", "a batch size"),
        here(max(row["lr"] * row["eigenvalue_kinks"] / 2 for row in first), name),
        here(min(row["critical_low"] for row in first), name), every(of.values(), "exit"),
        given("8,192", "a batch size"),
        here(Settings(8192, rule="linear").scaled_lr, "minisgd/rules.py"),
        every(of.values(), "top"),
        every(plain[1024], "over"), given("1,024", "a batch size"), every(plain[8192], "over"),
        given("8,192", "a batch size"),
        *(
            listed(every(some, "step"), given(f"{b:,}", "a batch size"))
            for b, some in plain.items()
        ),
        here(round(max(lengths)), name), here(round(longest["length"]), name),
        given(".1", "a spread"), here(thrown_back[1024], name), given("three 1,024", "runs"),
        given("2,048 8,192", "batch sizes"), here(thrown_back[4096], name),
        given("4,096 1,024", "batch sizes"),
        here(max(row["step"] for row in mild[: back[0]]), name), here(left[1] - back[0], name),
        given("two 0 0 0 256", "layers, and what dead means"),
        given("none 1,024", "of the channels"),
        *(
            listed(here(dead2(plain[b]), name), given(f"{b:,}", "a batch size"))
            for b in (2048, 4096, 8192)
        ),
        given("none 2 3 ten", "of conv1, and epochs"),
        ends(part[k] for k in warm), ends(rates), given("1,024", "a batch size"),
        here(max(row["lr"] for row in exits if row["warmup"] == "gradual"), name),
        given("8,192 1,024 2,048", "batch sizes"),
        *(here(max(s["step"] for s in ramp[b]), name) for b in (1024, 2048)),
        given("none six", "runs"), gentle_falls(files), given("2,048 4,096 8,192 six", "runs"),
        ends(s["step"] for b in (4096, 8192) for s in ramp[b]),
        here(max(dead2(ramp[b]) for b in (4096, 8192)), name), given("third", "of the target"),
        given("2,048", "a batch size"), here(min(s["step"] for s in plain[2048]), name),
        given("1,024", "a batch size"), here(max(s["step"] for s in not_thrown), name),
        given("1,024", "a batch size"),
        here(min(s["over"] for s in plain[1024] if s["thrown"]), name),
        here(max(s["over"] for s in not_thrown), name),
        given("8,192", "a batch size"),
        here(Settings(8192, rule="sqrt").scaled_lr, "minisgd/rules.py"), given("30", "epochs"),
        here(median(files.values(last, "figure2", 8192)), "figure2"),
        given("800 800", "images, in minisgd/measures/curvature.py"), here(middle, name),
        here(low, name), here(high, name), given("eight ten .01", "parts, and h"),
        ends(row["eigenvalue_kinks"] for row in first),
        given("256", "images, in minisgd/measures/curvature.py"),
        here(curve.PLATEAU, "minisgd/measures/curvature_shown.py"), given(".5 .1", "spreads"),
        here(before["update"] + 1, name), given("8,192 2 2", "the run, and η λ/2"),
        here(curve.over_bound(before), name), here(before["eigenvalue"], name),
        here(before["batch_sharpness"], name), here(before["bound"], name),
        here(after["batch_sharpness"], name), here(after["bound"], name),
        here(after["loss"], name), here(at[25]["loss"], name),
    )  # fmt: skip


def share_of_target(row):
    """The rate of an update as a share of that which the linear rule gives in the end."""
    return row["lr"] / Settings(row["batch_size"], rule="linear").scaled_lr


def step_of(row):
    return row["step"]


def what_saves(files):
    """Ch. 7, what would have saved them."""
    name = "measure-survival"

    def of(kind, *sizes):
        return [row for b in sizes for row in files.rows(name, kind=kind, batch_size=b)]

    def learnt(kind, *sizes):
        return here(sum(row.accuracy >= LEARNT for row in of(kind, *sizes)), name)

    def limited(c, *sizes):
        return learnt(f"no step over {c}", *sizes)

    def ends(rows, column):
        values = [getattr(row, column) for row in rows]
        return [*here(min(values), name), *here(max(values), name)]

    def diverged(rows):
        return here(sum(row.diverged != "" for row in rows), name)

    def middle(kind, b):
        return here(median(row.accuracy for row in of(kind, b)), name)

    own, large = ("no warmup", "gradual warmup"), (4096, 8192)
    plain, gentle = ({b: of(kind, b) for b in (1024, 2048, *large)} for kind in own)
    every = [row for some in (plain, gentle) for rows in some.values() for row in rows]
    same = files.values(accuracy_at(gentle[4096][0].epochs), "figure4", 4096)
    half, calm = "no step over 0.5", "η/16 to a sum of 6, then a ramp"
    borrowed = {b: of(f"the rates of a run with {half}", b) for b in large}
    unchanged = median(row.accuracy for row in plain[4096] if row.seed < len(borrowed[4096]))
    near = sorted(row.accuracy for row in borrowed[4096])[-2:]
    once = [row for row in every if row.thrown == 1]
    small_once = [row for row in once if row.batch_size < 4096]
    assert all(row.accuracy >= LEARNT for row in small_once)
    assert max(row.thrown for row in plain[1024]) == 1
    low, high = (
        sum(row[n] > 0 for row in map(vars, plain[1024])) for n in ("thrown_low", "thrown_high")
    )
    for row in every:
        always = row.batch_size > 2048 or row in plain[2048]
        assert not always or min(vars(row)[n] for n in THRESHOLDS) > 0
    losing = [row for row in every if row.dead_conv1]
    assert all(row.batch_size == 8192 and row.dead_conv1 < 1.5 / 6 for row in losing)
    for row in of(half, *large):
        assert not any(vars(row)[n] for n in (*THRESHOLDS, "dead_conv1", "dead_conv2"))
    with_2 = of("no step over 2", 4096)
    assert min(row.thrown for row in with_2) > 0
    for b, least, most in ((4096, 0.25, 2), (8192, 0.5, 1)):
        will_do = [
            c for c in CAPS if all(r.accuracy >= LEARNT for r in of(f"no step over {c:g}", b))
        ]
        assert [min(will_do), max(will_do)] == [least, most]
    share = {k: [r.accuracy >= LEARNT for r in of(k, 4096)] for k in ("no step over 4", own[0])}
    assert sum(share["no step over 4"]) == sum(share[own[0]][:5]) == 1
    better = [row for row in borrowed[8192] if row.accuracy > 0.12]
    (epochs,) = {row.epochs for row in of(calm, 2048, *large)}
    return listed(
        given("five", "seeds"), here(len(plain[1024]), name), here(plain[1024][0].epochs, name),
        here(gentle[1024][0].epochs, name), given("30 .9 0", "epochs, LEARNT, and in the figure"),
        given("1,024 2,048", "batch sizes"), here(len(small_once), name),
        here(sum(row.thrown > 0 for row in plain[1024]), name),
        given("ten 1,024", "runs"), learnt("no warmup", 1024),
        given("2,048", "a batch size"), here(max(row.thrown for row in plain[2048]), name),
        learnt("no warmup", 2048),
        here(agreed(*(sum(r.accuracy >= LEARNT for r in gentle[b]) for b in (1024, 2048))), name),
        given("4,096", "a batch size"), ends(plain[4096] + gentle[4096], "thrown"),
        here(agreed(*(sum(r.accuracy >= LEARNT for r in some[4096]) for some in (plain, gentle))),
             name),
        given("ten", "runs"), middle("gradual warmup", 4096), middle("no warmup", 4096),
        given("4,096", "a batch size"), here(len(same), "figure4"), here(median(same), "figure4"),
        given("8,192", "a batch size"), here(sum(row.batch_size == 8192 for row in once), name),
        here(len(plain[8192] + gentle[8192]), name), learnt("no warmup", 8192),
        here(low, name), given("ten", "runs"), here(high, name),
        given("ten 1,024 4,096 8,192 2,048", "runs, and batch sizes"),
        here(len(losing), name), here(len(every), name), given("8,192", "a batch size"),
        given(".5", "c"), limited(0.5, 4096), given("4,096", "a batch size"),
        ends(of(half, 4096), "accuracy"), limited(0.5, 8192), given("8,192", "a batch size"),
        ends(of(half, 8192), "accuracy"), given("none none", "thrown, and with a dead channel"),
        given("4,096 .25 2 2", "a batch size, and c"), here(max(r.thrown for r in with_2), name),
        given("4 8,192 .5 1 .25", "c, a batch size, and c"),
        ends(of("no step over 0.25", 8192), "accuracy"),
        given("2", "c"), middle("no step over 2", 8192),
        given("4", "c"), middle("no step over 4", 8192),
        given(".5", "c"), learnt(f"the rates of a run with {half}", *large), given("ten", "runs"),
        here(len(near), name), given("4,096", "a batch size"), here(near[0], name),
        here(near[1], name), here(len(better), name), given("8,192", "a batch size"),
        ends(better, "accuracy"), given("8,192 4,096", "batch sizes"),
        here(len(borrowed[4096]), name), here(median(r.accuracy for r in borrowed[4096]), name),
        here(unchanged, name), here(median(files.values(last, "figure2", 8192)), "figure2"),
        learnt(f"{half} until it has left", *large), given("ten nine", "runs, and tenths"),
        learnt(f"{half} until it has learnt", *large),
        given("Three five", "remedies, and seeds"), learnt("leaky ReLUs", 4096),
        given("five 4,096", "runs"), learnt("no warmup", 4096), here(len(plain[4096]), name),
        learnt("leaky ReLUs", 8192), given("8,192", "a batch size"),
        diverged(of("leaky ReLUs", *large)), given("ten", "runs"),
        diverged(of("dead units revived", *large)), diverged(every), here(len(every), name),
        given("third", "remedy"), here(round(1 / SHARE), "minisgd/measures/survival.py"),
        here(round(CALM), "minisgd/measures/survival.py"),
        learnt(calm, 2048), given("five 2,048", "runs"), here(epochs, name),
        learnt(calm, 4096), given("five 4,096", "runs"), learnt(calm, 8192),
        given("8,192", "a batch size"),
        *(here(above(files, LEARNT, last, "figure4", b), "figure4") for b in (2048, *large)),
        here(len(files.values(last, "figure4", 2048)), "figure4"),
        given("3", "a length of a step in chapter 12"),
    )  # fmt: skip


def gentle_falls(files):
    """How many of how many runs of 2,048 with warmup fall below .75 after .98: ch. 5's numbers."""
    accuracies = files.values(all_accuracies, "figure4", 2048)
    after = [min(a[next(k for k, x in enumerate(a) if x > 0.98) :]) for a in accuracies]
    return [*here(sum(least < 0.75 for least in after), "figure4"),
            *here(len(after), "figure4")]  # fmt: skip


def sharp(files):
    """Ch. 9."""
    name, epsilon = "measure-sharpness", 0.001
    kinds = [(b, lr) for lr in (0.01, 0.16) for b in (64, 1024)]

    def values(of, b, lr, level):
        rows = files.rows(name, batch_size=b, lr=lr, level=level, epsilon=epsilon)
        return {row.seed: getattr(row, of) for row in rows}

    def middle(of, *which):
        return median(values(of, *which).values())

    levels, low, high = (0.25, 0.05), 0.01, 0.16
    for level in levels:
        for lr in low, high:
            small, large = (values("full", b, lr, level) for b in (64, 1024))
            assert all(large[seed] > small[seed] for seed in small)
    flatter = [
        middle("full", b, low, level) / middle("full", b, high, level)
        for b in (64, 1024)
        for level in levels
    ]
    bounds = {
        (b, lr, level): [λ * lr / 2 for λ in values("eigenvalue", b, lr, level).values()]
        for b, lr in kinds
        for level in levels
    }
    at_1024 = [ratio for (b, _, _), ratios in bounds.items() for ratio in ratios if b == 1024]
    below = [max(ratios) <= 0.53 for (b, _, _), ratios in bounds.items() if b == 64]
    accuracies = {kind: values("test_accuracy", *kind, 0.05).values() for kind in kinds}
    sharpest = accuracies[1024, low]
    pairs = (values("test_accuracy", b, low, 0.05) for b in (64, 1024))
    lower = [one - other for one, other in zip(*(some.values() for some in pairs), strict=True)]
    assert min(lower) > 0
    assert all(middle("full", *kind, 0.05) > middle("full", 64, high, 0.05) for kind in kinds
               if kind != (64, high))  # fmt: skip
    table = [
        listed(
            given(f"{b:,} {f'{lr:.2f}'[1:]}", "a batch size, and η"),
            *(here(middle("full", b, lr, level), name) for level in levels),
            *(here(middle("eigenvalue", b, lr, level), name) for level in levels),
            here(2 / lr, "2/η"),
        )
        for b, lr in kinds
    ]
    return listed(
        given(".001 1", "the box, in minisgd/measures/sharpness.py"),
        here(1500, "minisgd/measures/sharpness.py"), given(".25 .05", "losses"),
        here(len(values("full", 64, low, 0.05)), name),
        given(".25 .05 .25 .05", "the losses"), *table,
        given("1,024 64 .16 1,024", "batch sizes, and η"),
        here(min(flatter), name), here(max(flatter), name),
        *(
            here(middle("full", 64, low, level) / middle("full", 1024, high, level), name)
            for level in levels
        ),
        given("1,024", "a batch size"), here(min(at_1024), name), here(max(at_1024), name),
        given("64", "a batch size"), here(sum(below), name), here(len(below), name),
        given("half .01 .05 1,024 64", "a factor, a loss, and the runs"),
        here(min(lower), name), here(max(lower), name), given("four", "runs"),
        here(min(sharpest), name), here(max(sharpest), name), given("64 .16", "the run"),
        *(here(x, name) for x in sorted(accuracies[64, high])),
        here(len(values("full", 64, high, 0.25)), name),
        given("64 .16 .05", "the run"), here(100, "minisgd/measures/sharpness.py"),
        given("2.3 two 10 10", "log 10, networks, and a factor"),
    )  # fmt: skip


def passing(files):
    """Ch. 12."""
    name = "measure-methods"
    runs = methods_shown.by_run([number_or_none(vars(row)) for row in files.rows(name)])
    of = {run: methods_shown.summary(rows) for run, rows in runs.items()}
    linear, clipped, adam, lars, lamb, muon, whole = of.values()
    rows = dict(zip("linear clipped adam lars lamb muon whole".split(), runs.values(), strict=True))
    others = [s for s in of.values() if s is not linear]
    two = rows["linear"][linear["middle"]["update"] :][:3]
    assert all(s["dead"] == 0 for s in (clipped, lamb, muon, whole))
    assert all(s["left"]["update"] < methods_shown.EARLY for s in others)
    rest = [some for which, some in rows.items() if which != "linear"]

    def steepest(some):
        return max(row["eigenvalue"] or 0 for row in some[: methods_shown.EARLY])

    def dead_early(which):
        return max(map(methods_shown.dead, rows[which][: methods_shown.EARLY]))

    along = max(row["bend"] / row["step"] ** 2 for row in rows["linear"] if row["step"])

    later = [
        max(methods_shown.ratio(row, "own_") or 0 for row in rows[which][1:])
        for which in ("adam", "lamb")
    ]

    def rounded(value):
        return float(f"{value:.2g}")

    return listed(
        here(methods_shown.EARLY, "minisgd/measures/methods_shown.py"), given("half", "the loss"),
        given("2 0 1 1", "of the parabola, and ρ"),
        here(min(s["steeper"] for s in of.values()), name),
        here(max(s["steeper"] for s in of.values()), name), given("two", "steps"),
        here(two[0]["step"], name), here(two[1]["step"], name),
        here(methods_shown.met(two[0]), name), here(methods_shown.met(two[1]), name),
        here(100 * methods_shown.dead(two[2]), name), here(two[0]["rho"], name),
        here(linear["rho"], name), here(methods_shown.rise(two[0]), name),
        here(two[0]["slope"] + two[0]["bend"] / 2, name),
        here(max(s["rho"] for s in others), name),
        here(max(row["rho"] or 0 for some in rows.values() for row in some[methods_shown.EARLY :]
                 if some is not rows["linear"]), name),
        here(clipped["met"], name), here(clipped["longest"]["step"], name),
        here(lamb["far"], name), here(lamb["met"], name), here(muon["met"], name),
        given("8,192", "a batch size"), here(whole["met"], name), given("60,000", "a batch size"),
        here(whole["far"], name), here(adam["far"], name),
        here(methods_shown.met(rows["adam"][0]), name), here(lars["far"], name),
        here(lars["met"], name),
        here(max(methods_shown.met(row) or 0 for row in rows["lars"][1:]), name),
        given("two", "methods"), here(100 * dead_early("adam"), name),
        here(100 * adam["dead"], name), here(100 * dead_early("lars"), name),
        given("three none", "methods"), here(clipped["rise"], name), here(lars["rise"], name),
        here(methods_shown.rise(two[0]), name), here(linear["rise"], name),
        here(steepest(rows["linear"]), name),
        here(min(steepest(some) for some in rest), name),
        here(max(steepest(some) for some in rest), name), here(along, name),
        here(linear["own"], name),
        here(clipped["plain"], name), here(lars["own"], name), here(later[0], name),
        here(later[1], name), here(rounded(adam["own"]), name), here(rounded(lamb["own"]), name),
        given("two", "methods"),
        here(800, "minisgd/measures/methods.py"), given("2 2 2 1", "of the formulas"),
        given("ten ten", "an example"),
    )  # fmt: skip


def number_or_none(row):
    """A row of a table of a measure, without a number where it has none."""
    return {column: None if value == "" else value for column, value in row.items()}


def momentum(files):
    """Ch. 6."""
    name = "measure-effective-rate"

    def path(epoch, m, effective=0.1):
        rows = files.rows(name, epoch=epoch, momentum=m)
        return [row for row in rows if abs(row.lr - effective * (1 - m)) < 1e-9]

    def end(epoch, m, effective=0.1):
        return path(epoch, m, effective)[-1]

    other = files.rows(name, epoch=0, momentum="other batches")[-1]
    steep = {kind: [row.loss for row in path(1, *kind)] for kind in ((0, 0.1), (0, 0.05))}
    room = {effective: path(1, 0.9, effective) for effective in (0.1, 0.2)}
    lowest = min(files.rows(name, epoch=1, update=400), key=lambda row: row.loss)
    assert lowest == room[0.2][-1]
    assert max(row.loss for row in room[0.1]) < 0.36 and max(row.loss for row in room[0.2]) < 0.47
    before = files.cell("measure-equivalence", epoch=1, k=2).loss_before
    costs = {m: end(0, m).loss - end(0, 0).loss for m in (0.5, 0.9)}
    assert end(0, 0, 0.05).loss - end(0, 0).loss > max(costs.values()) + 0.03
    assert end(0, 0).loss - end(0, 0, 0.2).loss < max(costs.values())
    sgd = path(0, 0)
    from_it = next(row for row in sgd if row.loss < end(0, 0.99).loss)
    before_it = sgd[sgd.index(from_it) - 1]
    assert end(0, 0.99).update - from_it.update > 2 * 100  # the lag, and the memory
    return listed(
        given("1", "of the sum"), given("Four .1", "values of m, and their η_eff"),
        given("256", "images, in minisgd/measures/effective_rate.py"), here(other.update, name),
        here(end(0, 0).loss, name), here(end(0, 0.5).loss, name), here(end(0, 0.9).loss, name),
        given("0 .5 .9 half", "m, and of η_eff"),
        here(end(0, 0, 0.05).loss, name), here(end(0, 0.9, 0.05).loss, name),
        given("0 .9 twice", "m, and η_eff"),
        here(end(0, 0, 0.2).loss, name), here(end(0, 0.9, 0.2).loss, name),
        given("half .9 twice", "η_eff, and m"),
        given(".99", "m"), here(end(0, 0.99).loss, name), given("100 half", "1/(1-m), and below"),
        here(end(0, 0.99).loss, name), here(before_it.update, name), here(from_it.update, name),
        given(".5 .9", "m"),
        here(agreed(*(round(end(0, m).distance, 2) for m in (0.5, 0.9))), name),
        here(other.distance, name), given("half", "η_eff"),
        here(end(0, 0, 0.05).distance, name), given(".01 .1", "η"),
        here(before, "measure-equivalence"), here(steep[0, 0.1][0], name),
        here(steep[0, 0.1][1], name), given("two .05", "updates, and η"),
        here(max(steep[0, 0.05]), name), given(".9 .36 .1 .2 .47 twice", "m, losses, and η_eff"),
        here(lowest.loss, name), given("2", "of the parabola"),
        here(round(2 / 0.1), "2/η"), given(".1", "η"), here(round(2 * 1.9 / 0.01), "2(1+m)/η"),
        given(".9 1 .9 hundred", "m; of the quadratic: η_eff c, m, and updates"),
        here(round(1 / (1 - 0.9)), "m"),
        given("two", "eigenvalues"),
        here(0.9**0.5, "√m"), given("hundred", "updates"), here(0.9**50, "√m to the 100th"),
    )  # fmt: skip


def counted_steps(files):
    """Ch. 13."""
    name = "measure-steps"
    rows = steps_shown.read(files.folder / f"{name}.csv")
    images, first, last_one = steps_shown.images(rows), *steps.TARGETS
    found = {(line.method, line.target): line for line in steps_shown.lines(rows)}
    large = 4096, 16_384, images
    near = {method: found[method, first] for method in steps.METHODS}
    far = {method: found[method, last_one] for method in steps.METHODS}

    def updates(line, *sizes):
        return [entry for b in sizes for entry in here(line.medians[b], name)]

    def epochs(line, b):
        return here(line.medians[b] * b / images, name)

    def law(line):
        """B_crit, and its interval of 95 %."""
        ends = line.law.critical, line.law.low, line.law.high
        return listed(*(here(end, name, to=100 if end > 10_000 else 10) for end in ends))

    def seeds(line, b):
        return listed(*(here(end(line.steps[b]), name) for end in (min, max)))

    misses = [line.law.miss for line in near.values()]
    others = [near[method].law.least for method in ("momentum", "nesterov", "lamb")]
    ends = steps_shown.noise_range([vars(row) for row in files.rows("measure-noise-scale")])
    muon, momentum, nesterov = far["muon"], near["momentum"], far["nesterov"]
    reached = [row for row in rows if row["method"] == "muon" and row["target"] == last_one
               and row["kind"] == "seed" and row["batch_size"] == images]  # fmt: skip
    assert [method for method, line in far.items() if images in line.medians] == ["muon"]
    assert min(line.law.low for line in far.values()) > ends[1]
    above = [line for line in near.values() if line.law.critical > ends[1]]
    until = {method: law_module.perfect_until(line.medians) for method, line in near.items()}
    nothing = {method: law_module.nothing_from(line.medians) for method, line in near.items()}
    assert until["momentum"] == until["lamb"] and until["nesterov"] == until["muon"]
    assert nothing["nesterov"] == nothing["lamb"] and nothing["muon"] is None
    assert until["momentum"] == min(near["momentum"].medians)  # none of the larger ones
    further = {method: law_module.perfect_until(line.medians) for method, line in far.items()}
    assert further["nesterov"] is None and further["lamb"] == further["muon"]
    fewest_images = min(far["nesterov"].medians, key=lambda b: b * far["nesterov"].medians[b])
    no_gain = {method: law_module.nothing_from(line.medians) for method, line in far.items()}
    assert [method for method, b in no_gain.items() if b] == ["muon"]
    (late,) = [b for b in far["momentum"].steps if b not in far["momentum"].medians]
    # With all images a step is an epoch, and the others take more than are allowed of 16,384.
    slowest = [line.medians[16_384] for method, line in far.items() if method != "muon"]
    assert min(slowest) > steps.PLAN.limits[N]
    unlucky = [(method, b) for method, line in far.items() for b, found in line.steps.items()
               if any(x == inf for x in found) and not all(x == inf for x in found)]  # fmt: skip
    assert set(unlucky) == {("momentum", late), ("lamb", 256), ("muon", images)}
    late_lamb, where = far["lamb"].steps[256], "minisgd/measures/steps.py"
    assert all(line.law.low <= ends[1] and line.law.high >= ends[0] for line in near.values())
    trials = {}
    for row in rows:
        if row["kind"] == "trial":
            trials.setdefault((row["method"], row["batch_size"]), set()).add(row["lr"])
    chosen = {(row["method"], row["batch_size"], row["target"]): row["lr"]
              for row in rows if row["kind"] == "seed"}  # fmt: skip
    # 0 is the smallest rate, -1 the largest
    places = [{0: 0, steps.PLAN.trials - 1: -1}.get(sorted(trials[way, b]).index(lr), 1)
              for (way, b, _), lr in chosen.items()]  # fmt: skip
    assert places.count(0) == 1
    edges = [(way, b) for (way, b, _), place in zip(chosen, places, strict=True) if place == -1]
    (clip,) = {way.base.clip for way in steps.METHODS.values()} - {None}
    fewest = {method: min(line.medians.values()) for method, line in far.items()}
    assert min(fewest, key=fewest.get) == "muon"
    return listed(
        given("97 twice", "the first accuracy, and images"),
        here(until["momentum"], name), here(until["muon"], name), given("three", "methods"),
        here(len(near), name), here(nothing["momentum"], name), here(nothing["lamb"], name),
        here(min(line.law.critical for line in near.values()), name, to=10),
        here(max(line.law.critical for line in near.values()), name, to=10),
        updates(near["muon"], 64), given("64", "a batch size"),
        updates(near["muon"], 256), given("256", "a batch size"),
        updates(near["muon"], 1024), given("1,024", "a batch size"),
        updates(near["muon"], 4096), given("4,096", "a batch size"),
        updates(near["muon"], images), here(images, name),
        updates(momentum, 64, 256, 1024, 4096, images),
        here(steps.PLAN.trials, "minisgd/measures/steps.py"),
        here(steps.PLAN.held_out, "minisgd/measures/steps.py"),
        here(steps.PLAN.seeds, "minisgd/measures/steps.py"),
        here(law_module.PERFECT, "minisgd/measures/law.py"), given("97", "the accuracy"),
        here(until["muon"], name), given("256", "the next size"), here(until["momentum"], name),
        given("four", "times the batch"), here(1 - law_module.GAIN, "minisgd/measures/law.py"),
        here(nothing["momentum"], name), here(nothing["lamb"], name),
        *([*updates(near["muon"], b), entry] for b, entry in zip(
            large, given("4,096 16,384 55,000", "batch sizes"), strict=True)),
        *(seeds(near["muon"], b) for b in large), given("97", "the accuracy"),
        here(100 * min(misses), name), here(100 * max(misses), name),
        here(near["muon"].law.least, name), here(min(others), name), here(max(others), name),
        *(law(near[method]) for method in ("momentum", "nesterov", "lamb", "muon")),
        given("95 1 .04", "percent, and losses"), here(ends[0], "measure-noise-scale"),
        here(ends[1], "measure-noise-scale"),
        here(len(above), name), here(len(near), name), given("98.5", "the accuracy"),
        *(law(far[method]) for method in ("lamb", "muon", "nesterov", "momentum")),
        here(ends[1], "measure-noise-scale"), here(late, name),
        here(sum(s == inf for s in far["momentum"].steps[late]), name),
        here(len(far["momentum"].steps[late]), name),
        updates(nesterov, 64), given("64", "a batch size"),
        updates(nesterov, 1024), given("1,024", "a batch size"),
        epochs(nesterov, 1024), epochs(nesterov, 64), epochs(muon, 64), given("64", "a batch size"),
        here(fewest["muon"], name), given("16,384", "a batch size"),
        here(further["momentum"], name), here(further["muon"], name), given("64", "a batch size"),
        here(law_module.PERFECT, "minisgd/measures/law.py"), here(fewest_images, name),
        here(no_gain["muon"], name), here(images, name),
        here(sum(row["steps"] is not None for row in reached), name), here(len(reached), name),
        *[here(steps.PLAN.limits[N], where)] * 2,
        given("16,384", "a batch size"), here(min(slowest), name), here(max(slowest), name),
        given("256", "what is asserted above"), here(sum(x < inf for x in late_lamb), name),
        here(len(late_lamb), name),
        here(steps.PLAN.trials, where), here(places.count(-1), name),
        here(len(places), name), here(steps.PLAN.trials, where),
        here(sum(way == "lamb" for way, b in edges), name), here(max(b for _, b in edges), name),
        here(clip, "minisgd/measures/steps.py"),
        given("1,024 97", "a batch size, and the accuracy"),
        given("Twice 2 2", "of the law"),
    )  # fmt: skip


def more_machines(files):
    """Ch. 14."""
    name, target = "scaling", steps.TARGETS[-1]
    made, methods = files.made(name), ("muon", "lamb", "nesterov", "momentum")

    def row(method, ranks, network=buying.HERE):
        return files.cell(name, kind=f"{target:g} with {method}, {network}", ranks=ranks)

    def seconds(method, ranks):
        return here(row(method, ranks).seconds, name)

    def soonest(ranks):
        return min(methods, key=lambda method: row(method, ranks).seconds)

    def worth(method, network):
        found = [row(method, R, network).seconds for R in speedup_results.PROJECTED_RANKS]
        return here(buying.worth_having(found), name)[0]

    def interval(method):
        return [here(end, name)[0] for end in made["worth having"][buying.HERE][method][1:]]

    def gain(method):
        found = made["faster"][buying.HERE][method]
        assert found[0] == pytest.approx(row(method, 1).seconds / row(method, 1024).seconds, 1e-5)
        return listed(*(here(x, name) for x in found))

    def best(method):
        return here(row(method, made["worth having"][buying.HERE][method][0]).batch_size, name)

    def of_draws(method, ranks):
        found = row(method, ranks)
        return [here(value, name)[0] for value in (found.seconds, found.low, found.high)]

    assert [soonest(R) for R in speedup_results.PROJECTED_RANKS] == [
        *["muon"] * 4, *["nesterov"] * 4, *["momentum"] * 3,
    ]  # fmt: skip

    def told_apart(one, other, R):
        return row(one, R).high < row(other, R).low or row(other, R).high < row(one, R).low

    every = speedup_results.PROJECTED_RANKS
    assert not any(told_apart("momentum", "nesterov", R) for R in every)
    alike = [R for R in every if not told_apart("muon", "nesterov", R)]
    assert alike == [2, 4, 8, 16, 32, 64]
    assert lanes_for(64) == 2
    rest = min(row(method, 1).low for method in methods[1:])
    assert row("muon", 1).high < rest
    model = CostModel(**made["model"])
    ratios = buying.misfits(made["jobs"], model, N, 2)
    (near, fast), (far, slow) = buying.CLUSTERS["InfiniBand"], buying.CLUSTERS["Ethernet"]
    slower = buying.with_network(model, far, slow)
    bytes_ = 8 * NUMBERS
    return listed(
        *map(gain, methods), given("1,024", "ranks"), here(1e6 * model.alpha, name),
        here(8e-9 / model.beta, name), given("two two 64", "ranks, cores, and a batch size"),
        given("two four two", "lanes, and ranks"),
        here(buying.INTERVAL[1] - buying.INTERVAL[0], "minisgd/machine/buying.py"),
        here(steps.PLAN.seeds, "minisgd/measures/steps.py"),
        here(min(ratios), name), here(max(ratios), name), given("two 98.5", "ranks, the accuracy"),
        seconds("muon", 1),
        here(row("muon", 1).batch_size, name), seconds("lamb", 1), seconds("nesterov", 1),
        seconds("momentum", 1), here(row("muon", 1).high, name), here(rest, name),
        given("2 64 16 8", "ranks"), of_draws("muon", 8), of_draws("nesterov", 8),
        given("256 1,024", "ranks"),
        of_draws("nesterov", 1024), of_draws("momentum", 1024), seconds("muon", 1024),
        here(1e3 * made["steps"]["muon"], name),
        here(round(made["steps"]["muon"] / model.c), name),
        given("half", "as efficient as one"),
        *([worth(method, buying.HERE), *interval(method)] for method in methods),
        *map(best, methods),
        *([worth(method, network) for method in methods] for network in buying.CLUSTERS),
        *(here(value, "minisgd/machine/buying.py") for value in (near, fast, far, slow)),
        given("16 two", "ranks, and networks"), here(1e6 * model.c, name), given("8", "2 log2(16)"),
        here(far, "minisgd/machine/buying.py"),
        here(1e6 * 8 * slower.alpha, "minisgd/machine/buying.py"), given("twice", "2 (1 - 1/16)"),
        here(bytes_ / 1e3, "minisgd/machine/speedup.py"), here(slow, "minisgd/machine/buying.py"),
        here(1e6 * 2 * (1 - 1 / 16) * slower.beta * bytes_, "minisgd/machine/speedup.py"),
        here(round(slower.all_reduce(16) / model.c), name),
        here(16 * slower.all_reduce(16) / model.c, name, to=10),
    )  # fmt: skip


def first_weights(files):
    """Ch. 15."""
    warmed, bare, usual_warmed, usual = "he-gradual-warmup", "he-linear", "figure4", "figure3"

    def learnt(name, b, statistic=best_accuracy):
        """(seeds that come to .9, seeds)."""
        found = files.values(statistic, name, b)
        return here(sum(x >= claims.LEARNT for x in found), name) + here(len(found), name)

    early = {(name, b): median(files.values(accuracy_at(1), name, b))
             for name in (warmed, usual_warmed) for b in (4096, 8192)}  # fmt: skip
    fallen = [files.values(left_after_rise(claims.RISEN), warmed, b) for b in (4096, 8192)]
    assert all(x <= LOST for found in fallen for x in found)
    runs = {b: files.values(all_accuracies, warmed, b) for b in (4096, 8192)}
    falls = {b: [falls_of(run) for run in runs[b]] for b in runs}
    firsts = {b: [epochs[0] for epochs in falls[b]] for b in runs}
    again = sorted(at for epochs in falls[4096] for at in epochs if at > 20)
    risen = sorted((max(run[at:]) for run, at in zip(runs[8192], firsts[8192], strict=True)))[::-1]
    assert max(max(run[: at - 1]) for run, at in zip(runs[8192], firsts[8192], strict=True)) < 0.5
    assert risen[3] < 0.25  # the other two
    assert learnt(warmed, 4096, last) == learnt(warmed, 8192, last)
    assert learnt(bare, 8192)[0].value == learnt(usual, 8192)[0].value == 0

    def by_chance(he, default, b):
        """One case in how many in which chance parts equal runs so: as far as it can, with as many
        that come to .9.
        """
        (some, few), (rest, many) = ([entry.value for entry in learnt(x, b)] for x in (he, default))
        assert some in (0, few) or rest in (0, many)
        return comb(few + many, some + rest) / (comb(few, some) * comb(many, rest))

    def at_first(column):
        return lambda run: run[0][column]

    flat, steep = ([x for b in (4096, 8192) for x in files.values(at_first("test_loss"), name, b)]
                   for name in (usual_warmed, warmed))  # fmt: skip
    trained = {name: files.values(at_first("train_loss"), name, 4096) for name in (usual, bare)}
    linear = Settings(4096, rule="linear")
    rate = warmup_lr("gradual", min(firsts[4096]), linear.lr, linear.scaled_lr)
    assert risen[1] == max(runs[8192][3]) and falls[8192][3][-1] == len(runs[8192][3])
    assert files.values(last, warmed, 8192)[3] == 0  # it has diverged
    sizes = 2048, 4096, 8192
    learns, stays = ({(name, b): learnt(name, b, of)[:1] for name in (warmed, bare) for b in sizes}
                     for of in (best_accuracy, last))  # fmt: skip
    assert stays[warmed, 4096][0].value == 1
    assert all(found[bare, b][0].value == 0 for found in (learns, stays) for b in (4096, 8192))
    one_class = lambda run: len({record["test_accuracy"] for record in run}) == 1  # noqa: E731
    never = files.values(one_class, bare, 1024)
    return listed(
        given("2.45", "√6"), here(early[warmed, 4096], warmed),
        given("4096", "a batch size"), here(early[usual_warmed, 4096], usual_warmed),
        here(early[warmed, 8192], warmed), given("8192", "a batch size"),
        here(early[usual_warmed, 8192], usual_warmed),
        *(here(of(steep), warmed) for of in (min, max)),
        *(here(of(flat), usual_warmed) for of in (min, max)),
        here(learnt(warmed, 4096)[1].value, warmed), given("4096", "a batch size"),
        here(min(files.values(best_accuracy, warmed, 4096)), warmed),
        learnt(usual_warmed, 4096), given(".9 8192", "learnt, and a batch size"),
        learnt(warmed, 8192), given(".9", "learnt"), learnt(usual_warmed, 8192),
        here(by_chance(warmed, usual_warmed, 4096), warmed),
        given("two", "twice as many"), here(2 * by_chance(warmed, usual_warmed, 8192), warmed),
        given("0", "biases"),
        given("half 4096", "how far a run has to fall, and a batch size"),
        here(min(firsts[4096]), warmed), here(max(firsts[4096]), warmed),
        here(rate / linear.scaled_lr, "minisgd/schedules.py"),
        here(len(again), warmed), *(here(at, warmed) for at in again),
        given("8192", "a batch size"), here(min(firsts[8192]), warmed),
        here(max(firsts[8192]), warmed), given(".5", "what is asserted above"),
        given("three", "the next numbers"), *(here(best, warmed) for best in risen[:3]),
        here(falls[8192][3][-1], warmed),
        learnt(warmed, 4096, last), given(".9", "learnt"), learnt(usual_warmed, 4096, last),
        learnt(usual_warmed, 8192, last)[:1], given("4096", "a batch size"),
        here(max(files.values(best_accuracy, bare, 4096)), bare), learnt(usual, 4096),
        given(".9", "learnt"), here(by_chance(bare, usual, 4096), bare),
        given("2048", "a batch size"), learnt(bare, 2048), given(".9", "learnt"),
        learnt(usual, 2048), here(sum(never), bare), here(len(never), bare),
        given("1024 8192 4096", "batch sizes"),
        *(here(of(trained[usual]), usual) for of in (min, max)), here(min(trained[bare]), bare),
        here(max(trained[bare]) / 1e6, bare),
        learnt(warmed, 2048), given("2048 .9", "a batch size, and learnt"), learns[bare, 2048],
        learns[warmed, 4096], given("4096 none", "a batch size, and what is asserted above"),
        learns[warmed, 8192], given("8192 none", "a batch size, and what is asserted above"),
        stays[warmed, 2048], given("2048", "a batch size"),
        given("4096 .9", "a batch size, and learnt"), stays[bare, 2048], given("none", "of 4096"),
        given("2.45 6 3 2 sixth 2", "the variance of uniform numbers, and of He's"),
    )  # fmt: skip


def falls_of(run):
    """The epochs, from 1, in which accuracies fall to LOST of the best so far, or less, from above.

    A run that has fallen may fall again when it has come to .9.
    """
    falls, best, fallen = [], 0.0, False
    for epoch, x in enumerate(run, 1):
        if fallen and x >= claims.LEARNT:
            fallen = False
        if not fallen and best >= claims.RISEN and x <= LOST * best:
            falls.append(epoch)
            fallen = True
        best = max(best, x)
    return falls


def _grown(files, statistic=final_accuracy):
    """({row of "answer-grown": its settings}, {row: the statistic of its seeds})."""
    cells, found = answer_plan.plan(files.trials).grown, {}
    for words, settings in cells.items():
        b = settings.batch_size
        order = [key for key, other in cells.items() if other.batch_size == b]
        found[words] = files.values(statistic, "answer-grown", b, order.index(words))
    return cells, found


def growing_batch(files):
    """Ch. 16."""
    name, (cells, ends), (_, at_last) = "answer-grown", _grown(files), _grown(files, last)
    _, losses = _grown(files, lambda run: run[-1]["train_loss"])
    falls, grows, neither = ways = [
        {64: f"64, {way}", 2048: f"2,048, {way}", 8192: f"8,192, {way}"}
        for way in ("the rate falls by the cosine", "the batch grows by the cosine", "neither")
    ]
    steps = "64, the rate falls by 5, twice", "64, the batch grows by 5, twice"

    def updates(*rows):
        return listed(*(here(cells[row].updates_after(30, N), "60,000 images") for row in rows))

    def end(row):
        return here(median(at_last[row]), name)

    def worse(b):
        """Seeds that end lower by more than CLOSER with neither than with the falling rate."""
        pairs = zip(ends[neither[b]], ends[falls[b]], strict=True)
        return here(sum(claims.below(x, y) > claims.CLOSER for x, y in pairs), name)

    pairs = [*((falls[b], grows[b]) for b in falls), steps]
    below = max(x - y for one, other in pairs
                for x, y in zip(ends[one], ends[other], strict=True))  # fmt: skip
    assert below < claims.CLOSER
    assert all(x > y for b in (64, 2048)
               for of in (ends, at_last)
               for x, y in zip(of[grows[b]], of[neither[b]], strict=True))  # fmt: skip
    return listed(
        given("64 2,048 half 8,192", "batch sizes, and the mean of half a cosine"),
        given("1 0 half", "how a decay falls"), given("64 8,192 2,048", "batch sizes"),
        *(listed(given(f"{b:,}", "a batch size"), *(end(way[b]) for way in ways),
                 updates(falls[b], grows[b])) for b in falls),
        given("64 5 third", "the steps"), *map(end, steps), updates(*steps),
        here(len(ends[steps[0]]), name), here(claims.CLOSER, "minisgd/report/claims.py"),
        given("five", "epochs"), here(claims.CLOSER, "minisgd/report/claims.py"),
        worse(64), here(len(ends[falls[64]]), name), given("64", "a batch size"),
        worse(2048), given("2,048", "a batch size"), worse(8192),
        given("8,192 64 2,048 8,192", "batch sizes"),
        *(here(median(losses[way[8192]]), name) for way in ways), given("2,048", "a batch size"),
        *(here(median(losses[way[2048]]), name) for way in ways),
    )  # fmt: skip


def by_the_noise_scale(files):
    name, scale = "answer-grown", "measure-noise-scale"
    cells, ends = _grown(files)
    follows, both = (
        "64, the batch follows the noise scale",
        "64, noise scale, falling rate",
    )
    made, usual = (cells[words].updates_after(30, N) for words in (follows, "64, neither"))
    fixed = answer_plan.plan(files.trials).sizes["nesterov", 512]

    def noise(update):
        return files.cell(scale, update=update).exact_noise

    steps = re.findall(r"x(\d+)@(\d+)", answer_plan.FOLLOWING)
    return listed(
        here(noise(938), scale), here(noise(2814), scale, to=10),
        here(noise(9380), scale, to=10), here(noise(18760), scale, to=100),
        given("1 3 10 20 64 64", "epochs, and a batch size"),
        *(here(int(n), "minisgd/report/answer_plan.py") for step in steps for n in step),
        given("64", "a batch size"), here(median(ends[follows]), name),
        here(made, "60,000 images"), here(1 / round(usual / made), "the same"),
        here(median(ends[both]), name), given("30 512 64 8,192", "epochs, and batch sizes"),
        here(median(files.values(final_accuracy, "answer", 512, 0)), "answer"),
        here(fixed.updates_after(fixed.epochs, N), "60,000 images"),
        given("64 quarter", "a batch size, and what is asserted above"),
        given("3 third 1 1 3 1 9 3", "the mean of 1, 1/3 and 1/9"),
        here((1 + 1 / 3 + 1 / 9) / 3, "the same"), given("half", "the mean of a straight line"),
    )  # fmt: skip


class Carried:
    """What the runs in one place of carry.py end at, and those of MNIST beside them."""

    def __init__(self, files, place):
        self.files, self.name, parts = files, f"carry-{place}", carry.parts(files.folder)
        self.cells = parts[place].cells  # {(way, batch size): settings}; some share a run
        at_64 = [way for way, b in self.cells if b == 64]
        self.bar = max(self.at_last(way, 64) for way in at_64)
        self.seeds = max((self.ends(final_accuracy, way, 64) for way in at_64), key=median)
        there = place.removesuffix("-tuned")
        _, lines, self.home_bar = carry_shown.panels(there, parts, files.everywhere)[0]
        self.home = {(line.label, b): values for line in lines for b, values in line.values.items()}

    def ends(self, statistic, way, b):
        runs = [s for s in dict.fromkeys(self.cells.values()) if s.batch_size == b]
        return self.files.values(statistic, self.name, b, runs.index(self.cells[way, b]))

    def at_last(self, way, b):
        return median(self.ends(last, way, b))

    def lost(self, way, b):
        return self.bar - self.at_last(way, b)

    def lost_at_home(self, way, b):
        return self.home_bar - median(self.home[answer.METHODS[way].title, b])

    def best_rule(self, b):
        return max(self.at_last(way, b) for way in answer.REPORTED)

    def within(self, way, b, close=claims.CLOSE):
        """In how many seeds."""
        bar = median(self.seeds)
        return sum(claims.below(x, bar) <= close for x in self.ends(final_accuracy, way, b))

    def in_every_seed(self, **sizes):
        """Whether each way is within, in every seed, at its sizes."""
        return all(self.within(way, b) == len(self.seeds) for way in sizes for b in sizes[way])


def searched_again(files):
    """What the searches that are kept chose on Fashion-MNIST, and what on MNIST."""
    there, name, kept = carry.trials(files.folder, "fashion"), "carry-fashion-trials", {}
    for (way, b), search in carry.searches(carry.PLACES["fashion"]).items():
        if found := there.of(search):
            at_home = files.trials.of(answer.SEARCHES[way, b])
            first = {min(t.settings.epochs for t in trials) for trials in (found, at_home)}
            drawn = [
                {t.settings for t in trials if t.settings.epochs in first}
                for trials in (found, at_home)
            ]
            assert len(first) == 1 and drawn[0] == drawn[1]  # of the same trials
            kept[way, b] = found, winner(found).settings, winner(at_home).settings
    others = [key for key, (_, one, other) in kept.items() if one != other]
    assert sorted(others) == [("lamb", 60_000), ("muon", 64), ("nesterov", 64)]
    trials, *settings = kept["lamb", 60_000]
    by_settings = {t.settings: t.median for t in trials}
    assert all(len(t.validation) == 1 for t in trials)  # one seed
    moved, tuned = Carried(files, "fashion"), Carried(files, "fashion-tuned")
    gains = {key: tuned.at_last(*key) - moved.at_last(*key) for key in tuned.cells}
    del gains["lamb", 60_000]
    small = [gain for (_, b), gain in gains.items() if b < 60_000]
    assert {gain for (_, b), gain in gains.items() if b == 60_000} == {0}
    for way, b in tuned.cells:
        assert b == 64 or tuned.within(way, b) == moved.within(way, b)
    assert settings[0].momentum == min(t.settings.momentum for t in trials)
    assert settings[0].lr == min(t.settings.lr for t in trials)
    pairs = zip(*(at.ends(last, "lamb", 60_000) for at in (moved, tuned)), strict=True)
    changes = sorted(new - old for old, new in pairs)
    assert [change > 0 for change in changes] == [False, False, True, True, True]
    return listed(
        here(len(kept) - len(others), name), here(len(kept), name), given("64 60,000", "sizes"),
        given("2,048 64 8,192 60,000", "sizes"),
        given("64 2,048 8,192 60,000", "batch sizes"),
        *(here(tuned.at_last(way, b), tuned.name) for way in carry.BEST
          for b in carry.PLACES["fashion"].sizes),
        given("8,192", "a batch size"), here(max(small), tuned.name),
        here(claims.CLOSE, "minisgd/report/claims.py"), given("64", "a batch size"),
        given("60,000 three", "a batch size, and what is asserted above"),
        here(changes[-1], tuned.name), given("two", "the others"),
        here(abs(changes[1]), tuned.name), here(abs(changes[0]), tuned.name),
        here(mean(changes), tuned.name), *(here(by_settings[each], name) for each in settings),
    )  # fmt: skip


def carried_over(files):
    """Ch. 17."""
    name, sizes, at = "carry-fashion", carry.PLACES["fashion"].sizes, Carried(files, "fashion")

    def within(way, b, close):
        return here(at.within(way, b, close), name)

    assert at.in_every_seed(muon=(2048, 8192), lamb=(2048,), nesterov=(2048,))
    assert at.within("lamb", 8192) == 1
    assert all(median(at.home[way, 2048]) < at.home_bar - claims.CLOSE for way in answer.REPORTED)
    assert all(max(at.home[way, 8192]) < at.home_bar - claims.CLOSE for way in answer.REPORTED)
    assert not any(at.within(way, b) for way in answer.REPORTED for b in sizes[1:])
    lost = {way: at.lost(way, 60_000) for way in carry.BEST}
    lost_home = {way: at.lost_at_home(way, 60_000) for way in carry.BEST}
    home_bar, bar = at.home_bar, at.bar
    share = claims.CLOSE / (1 - home_bar)
    same = share * (1 - bar)
    assert lost["muon"] < same < min(lost["lamb"], lost["nesterov"])
    close = here(claims.CLOSE, "minisgd/report/claims.py")
    return listed(
        given("8,192 2,048", "batch sizes"), close, given("64 ten", "a batch size, and classes"),
        given("64 2,048 8,192 60,000", "batch sizes"),
        *(here(at.at_last(way, b), name) for way in carry.BEST for b in sizes),
        *(here(at.best_rule(b), name) for b in sizes),
        here(len(at.seeds), name), given("8,192", "a batch size"), close,
        here(len(at.seeds), name), within("nesterov", 8192, claims.CLOSE), given("five", "epochs"),
        here(claims.GAIN, "minisgd/report/claims.py"), within("lamb", 8192, claims.GAIN),
        within("nesterov", 8192, claims.GAIN), given("64", "a batch size"), close,
        within("nesterov", 64, claims.CLOSE), close,
        given("2,048 none 8,192 2,048", "batch sizes, and no seed"),
        here(lost["muon"], name), here(lost_home["muon"], "answer"), here(lost["lamb"], name),
        here(lost["nesterov"], name), here(lost_home["lamb"], "answer"),
        here(lost_home["nesterov"], "answer"), given("30 30", "updates, and epochs"),
        searched_again(files),
        close, given("64 60,000", "batch sizes"), given("64", "a batch size"),
        here(1 - home_bar, "answer"), close, here(100 * share, "answer"),
        here(1 - bar, name), here(100 * share, "answer"), here(same, name),
        here(lost["muon"], name), given("60,000", "a batch size"), close,
    )  # fmt: skip


def another_network(files):
    """Ch. 18."""
    name, sizes, at = "carry-mlp", carry.PLACES["mlp"].sizes, Carried(files, "mlp")
    linear, fixed, root = "linear rule, warmup", "η = .01", "sqrt rule"
    he = Carried(files, "he")
    wide = Carried(files, "wide")
    assert wide.bar == wide.at_last("muon", 64)
    assert wide.in_every_seed(muon=(8192,), lamb=(8192,), nesterov=(8192,))
    assert wide.within("muon", 60_000) == 1
    assert wide.within("muon", 60_000, claims.GAIN) == len(wide.seeds)
    assert all(abs(wide.lost(way, 60_000) - wide.lost_at_home(way, 60_000)) < 0.01
               for way in carry.BEST)  # fmt: skip
    from_he = he.ends(last, root, 8192)
    assert min(he.home[root, 8192]) > 0.95

    there, again = carry.trials(files.folder, "mlp"), {}
    for (way, b), search in carry.searches(carry.PLACES["mlp"]).items():
        if found := there.of(search):
            at_home = winner(files.trials.of(answer.SEARCHES[way, b])).settings
            again[way, b] = winner(found).settings, replace(at_home, network="mlp")
    others_again = [key for key, (one, other) in again.items() if one != other]
    assert len(again) == len(carry.searches(carry.PLACES["mlp"]))
    assert sorted(others_again) == [
        ("lamb", 64), ("muon", 64), ("muon", 8192), ("muon", 60_000),
    ]  # fmt: skip
    assert all(one.lr > other.lr for (way, _), (one, other) in again.items() if way == "muon"
               and one != other)  # fmt: skip
    tuned = Carried(files, "mlp-tuned")
    changes = {key: tuned.at_last(*key) - at.at_last(*key) for key in tuned.cells}
    assert all(change == 0 for (way, b), change in changes.items()
               if b == 60_000 and way != "muon")  # fmt: skip
    assert all(tuned.within(way, b) == at.within(way, b) for way, b in tuned.cells if b < 60_000)
    assert at.within("muon", 60_000) == 0
    largest = max(abs(change) for (_, b), change in changes.items() if b < 60_000)

    at_2048, at_8192 = (sorted(at.ends(last, linear, b)) for b in (2048, 8192))
    learnt = [x for x in at_8192 if x > 0.96]
    others = at_8192[: -len(learnt)]

    assert at.in_every_seed(muon=(2048, 8192), lamb=(2048, 8192), nesterov=(2048,))
    assert not any(at.within(way, 60_000, 0.03) for way in ("lamb", "nesterov"))
    assert all(at.bar - at.best_rule(b) > claims.CLOSE for b in sizes[1:])
    assert he.in_every_seed(muon=(2048, 8192), lamb=(2048,), nesterov=(2048, 8192))
    assert set(he.ends(last, "lamb", 60_000)) == {0.1135}
    ratio = size_of(NETWORKS["mlp"]) / size_of(NETWORKS["lenet5"])
    assert sum(x == 0.1135 for x in at.home[linear, 2048]) == 1
    close = here(claims.CLOSE, "minisgd/report/claims.py")
    return listed(
        given("8,192", "a batch size"), here(len(wide.seeds), "carry-wide"),
        given("twice 2,048", "the channels, and a batch size"), close,
        given("64 8,192", "batch sizes"), here(at.within("nesterov", 8192), name),
        here(len(at.seeds), name), given("five", "epochs"),
        here(MLP[1].shapes["W"][0], "minisgd/networks.py"), here(ratio, "the same"),
        given("64 2,048 8,192 60,000", "batch sizes"),
        *(here(at.at_last(way, b), name) for way in carry.BEST for b in sizes),
        *(here(at.best_rule(b), name) for b in sizes),
        here(len(at.seeds), name),
        here(at.lost("muon", 60_000), name), here(at.lost_at_home("muon", 60_000), "answer"),
        here(at.lost("lamb", 60_000), name), here(at.lost("nesterov", 60_000), name),
        here(at.lost_at_home("lamb", 60_000), "answer"),
        here(at.lost_at_home("nesterov", 60_000), "answer"), given(".03", "what is asserted above"),
        here(len(again) - len(others_again), "carry-mlp-trials"),
        here(len(again), "carry-mlp-trials"), given("64", "a batch size"),
        *(here(x.lr, "carry-mlp-trials") for x in again["muon", 8192]), given("8,192", "its size"),
        *(here(x.lr, "carry-mlp-trials") for x in again["muon", 60_000]),
        given("60,000 2,048 64 2,048 8,192 60,000", "batch sizes"),
        *(here(tuned.at_last(way, b), tuned.name) for way in carry.BEST for b in sizes),
        here(at.bar - tuned.at_last("muon", 60_000), tuned.name),
        here(tuned.within("muon", 60_000), tuned.name), here(len(tuned.seeds), tuned.name), close,
        given("64 none 8,192", "batch sizes, and what is asserted above"),
        here(largest, tuned.name), close,
        given("None", "of the rules"), close, given("2,048 2,048", "a batch size"),
        here(at_2048[0], name), here(at_2048[-1], name),
        here(len(at.home[linear, 2048]), "figure4"),
        here(max(at.home[linear, 2048]), "figure4"), given("8,192", "a batch size"),
        here(len(learnt), name), here(len(at_8192), name), given(".96", "the gap between them"),
        here(others[0], name), here(others[-1], name), here(max(at.home[linear, 8192]), "figure4"),
        here(max(at.ends(last, linear, 60_000)), name),
        given("64", "a batch size"), here(he.bar, "carry-he"), given("2,048", "a batch size"),
        here(len(carry.BEST), "methods"), close, given("8,192", "a batch size"),
        here(he.within("lamb", 8192), "carry-he"), here(len(he.seeds), "carry-he"),
        here(he.lost("muon", 60_000), "carry-he"), here(he.lost("nesterov", 60_000), "carry-he"),
        here(Settings().lr, "minisgd/settings.py"), given("8,192", "a batch size"),
        here(he.at_last(fixed, 8192), "carry-he"), here(median(he.home[fixed, 8192]), "figure1"),
        given("8,192", "a batch size"), here(median(from_he), "carry-he"),
        here(median(he.home[root, 8192]), "figure2"),
        here(sum(x < 0.95 for x in from_he), "carry-he"), here(len(from_he), "carry-he"),
        given(".95", "what is asserted above"), here(min(from_he), "carry-he"),
        given("twice 8,192", "the channels, and a batch size"), here(len(wide.seeds), "carry-wide"),
        given("2,048 64", "batch sizes"), here(wide.bar, "carry-wide"),
        given("8,192", "a batch size"), here(len(carry.BEST), "methods"), close,
        *(here(wide.at_last(way, 8192), "carry-wide") for way in carry.BEST),
        here(wide.at_last("muon", 60_000), "carry-wide"), close,
        here(len(wide.seeds), "carry-wide"),
        here(claims.GAIN, "minisgd/report/claims.py"),
        *(here(wide.at_last(way, 60_000), "carry-wide") for way in carry.BEST[1:]),
        *(here(wide.lost(way, 60_000), "carry-wide") for way in carry.BEST),
        given("1", "of a momentum"),
    )  # fmt: skip


def more_data(files):
    """Ch. 19."""
    names = {N: f"carry-{dataset}" for dataset, N in carry.DRAWN.items()}
    (few, some, most), (smallest, *sizes) = names, carry.DIVISORS
    pair = few, most

    def ends(N, b, method):
        return files.values(last_accuracy, names[N], b, carry.GROWING.index(method))

    def lost(N, b, method):
        pairs = zip(ends(N, smallest, method), ends(N, b, method), strict=True)
        return [round(x - y, 9) for x, y in pairs]

    def alike(b, method):
        """Seeds in which as much is lost with the fewest images as with the most."""
        pairs = zip(*(lost(N, b, method) for N in pair), strict=True)
        return sum(abs(claims.below(x, y)) <= claims.CLOSE for x, y in pairs)

    def noise(N, update):
        (dataset,) = (key for key, count in carry.DRAWN.items() if count == N)
        rows = noise_scale_module.read(files.folder / dataset / "measure-noise-scale.csv")
        (found,) = (row["exact_noise"] for row in rows if row["update"] == update)
        return found, f"{dataset}/measure-noise-scale"

    def noises(N):
        found = [noise(N, update) for update in (938, 2814, 9380, 18_760)]
        return listed(*(here(x, file, to=10 if x > 200 else None) for x, file in found))

    def medians(b, method):
        return listed(*(here(median(lost(N, b, method)), names[N]) for N in names))

    def within(b, method):
        return [sum(x <= claims.CLOSE for x in lost(N, b, method)) for N in names]

    def counts(*found):
        return listed(*(here(N, "minisgd/report/carry.py") for N in found))

    assert all(x < y for x, y in zip(*(ends(N, smallest, "muon") for N in pair), strict=True))
    assert all(x < y for x, y in zip(*(lost(N, 30_000, "muon") for N in pair), strict=True))
    assert all(x > y for x, y in zip(*(lost(N, 2000, "muon") for N in pair), strict=True))
    assert all(x > 0.01 for N in names for b in sizes[2:] for method in carry.GROWING
               for x in lost(N, b, method))  # fmt: skip
    at_first = [[noise(N, update)[0] for N in names] for update in (0, 30, 100, 300)]
    assert all(max(found) < 1.04 * min(found) for found in at_first)
    assert Settings(1024).updates_after(30, most) == Settings(64).updates_after(30, few)
    later = [[noise(N, update)[0] for N in names] for update in (938, 2814, 9380, 18_760)]
    assert all(found[0] < found[2] for found in later)
    assert all(found[2] < 1.1 * found[0] for found in later[2:])
    assert all(0.4 < found[1] / other < 0.6 for found in later[2:] for other in found[::2])
    seeds = len(ends(few, smallest, "muon"))
    every = [(b, method) for method in carry.GROWING for b in sizes if alike(b, method) == seeds]
    assert every == [(7500, "muon"), (500, "nesterov")]
    close = here(claims.CLOSE, "minisgd/report/claims.py")
    assert within(500, "muon") == within(500, "nesterov") == [seeds] * 3
    assert within(2000, "muon") == [0, seeds, 3]  # none, all and three
    errors = {N: 1 - median(ends(N, smallest, "muon")) for N in names}
    assert (sum(within(2000, "nesterov")), seeds * len(names)) == (1, 15)  # one of fifteen
    rows = [(method, N) for method in carry.GROWING for N in names]
    below = [(*row, b) for row in rows for b in sizes if median(lost(row[1], b, row[0])) < 0]
    assert below == [("muon", some, 500)]  # the one with a minus sign in the table
    return listed(
        given("500", "a batch size"), close, given("80", "a batch size"),
        *(counts(N) + here(carry.SEEN // N, names[N]) for N in (few, some)), counts(most),
        given("2,000", "a batch size"), counts(some, most),
        given("three", "what is asserted above"), here(seeds, names[most]),
        *(here(median(lost(N, 2000, "muon")), names[N]) for N in (some, most)), counts(few),
        here(median(lost(few, 2000, "muon")), names[few]), given("2,000", "a batch size"),
        medians(2000, "nesterov"), close, given("7,500 .01", "what is asserted above"),
        given("30,000", "a batch size"), counts(most, few), given("80", "a batch size"),
        *(here(errors[N], names[N]) for N in names), given("2,000", "a batch size"),
        *(here(100 * median(lost(N, 2000, "muon")) / errors[N], names[N]) for N in names),
        counts(carry.SEEN),
        given("80", "a batch size"), counts(*sizes),
        *(counts(N) + listed(*(here(abs(median(lost(N, b, method))), names[N]) for b in sizes))
          for method, N in rows),
        here(seeds, names[few]), given("80", "a batch size"), close, counts(few, most),
        given("7,500 500 30,000 80", "batch sizes"),
        here(carry.SEEN // smallest, "minisgd/report/carry.py"),
        *(here(median(ends(N, smallest, "muon")), names[N]) for N in pair),
        given("30,000", "a batch size"), here(carry.SEEN // 30_000, "minisgd/report/carry.py"),
        *(here(median(ends(N, 30_000, "muon")), names[N]) for N in pair),
        given("500 64 4 three 300", "batch sizes, and what is asserted above"),
        given("938 2,814 9,380 18,760", "updates"), *(counts(N) + noises(N) for N in names),
        counts(most, few), given("2,814", "an update"), counts(some),
        given("half", "what is asserted above"), given("60,000", "noise_scale.MOST"),
        given("970,000", "digits, with those of the test set"),
        given("30 60,000 30 960,000 16", "epochs, images, and their ratio"),
        given("30 960,000 1,024", "epochs, images and a batch size"),
        here(Settings(1024).updates_after(30, most), "the images of a batch size"),
        given("30 60,000 64", "epochs, images and a batch size"),
    )  # fmt: skip


def your_own(files):
    """Ch. 20."""
    return listed(
        given("two two two", "what the report compares"),
        given("two", "vectors, in the example"),
        given("ten", "classes"),
        given(".9 1 1 10", "a momentum, and the sum of its powers"),
    )


CHAPTERS = {
    "": beginning,
    "1. What does a larger batch change? (Sec. I)": larger_batch,
    "2. What does it do to the noise? (Sec. II)": covariance,
    "3. How much longer may a step be? (Sec. II)": two_rules,
    "4. Is one large step as good as many small ones? (Sec. II)": equivalence,
    "5. Does it help to begin gently? (Sec. II)": gentle_start,
    "6. What does momentum add? (Sec. III)": momentum,
    "7. What happens to 4096 and 8192, and why does warmup not help? (Sec. IV)": what_kills,
    "7. What happens to 4096 and 8192, and why does warmup not help? (Sec. IV): "
    "What would have saved them": what_saves,
    "8. How large a batch is worth it? (Sec. V)": noise_scale,
    "9. Do large batches find sharper minima? (Sec. I)": sharp,
    "10. How large can the batch be, if everything may be adjusted?": the_answer,
    "11. What did the work?": the_work,
    "11. What did the work?: How forgiving is it": forgiving,
    "11. What did the work?: Can tuned numbers be carried to another size": carried,
    "12. How do these methods get through?": passing,
    "13. How many steps does a batch need?": counted_steps,
    "14. What do more machines buy? (Sec. V)": more_machines,
    "15. Are the first weights to blame? (Sec. IV)": first_weights,
    "16. May the batch grow, instead of the rate falling?": growing_batch,
    "16. May the batch grow, instead of the rate falling?: By the noise scale": by_the_noise_scale,
    "17. Does the answer carry over?": carried_over,
    "18. Does it carry over to another network?": another_network,
    "19. Does more data bear a larger batch?": more_data,
    "20. An idea of your own": your_own,
}
NOT_YET = ()
