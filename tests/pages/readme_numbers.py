"""The numbers of README.md. A chapter is a function of kept_files.Files."""

import re
from math import ceil
from statistics import median

from kept_files import clock
from page_numbers import given, here, listed, measured

from minisgd import rules, schedules
from minisgd.data.known import MNIST_PIXELS
from minisgd.machine import speedup_results
from minisgd.machine.speedup import CostModel
from minisgd.measures.noise_scale import fitted, steps_to_target
from minisgd.report import answer, claims
from minisgd.report.experiments import LUCKY, SIZES
from minisgd.report.judging import CHANCE
from minisgd.report.statistics import (
    FINAL_EPOCHS,
    LOST,
    best_accuracy,
    final_accuracy,
    loss_at,
)
from minisgd.settings import Settings

N = 60_000  # training images
BENCH = "python cli.py bench --rounds 3"
SWEEP = "python cli.py sweep --rule linear"
# The final test accuracies of the authors' runs of Figure 3, as they published them.
AUTHORS = ".9894 .9893 .9888 .9577 .9881 .9616 .9364 .1135"


# ---- what the runs of an experiment show


def accuracy_at(epoch):
    """The statistic: the test accuracy after an epoch; 0 for a run that had diverged."""

    def accuracy(records):
        return (records[epoch - 1]["test_accuracy"] or 0) if len(records) >= epoch else 0

    return accuracy


last = accuracy_at(30)


def above(files, limit, statistic, name, b):
    """How many runs have more than this."""
    return sum(value > limit for value in files.values(statistic, name, b))


def kept_by(files, name, b):
    """How many seeds end as accurate at b as 64 images at η = .01 do."""
    pairs = files.results.pairs(final_accuracy, (name, b), ("figure1", 64))
    return sum(claims.as_accurate(x, y) for x, y in pairs)


def largest_kept(files, name):
    """The largest batch up to which every seed of every size ends as accurate."""
    seeds = len(files.values(last, "figure1", 64))
    kept = [b for b in SIZES[1:] if kept_by(files, name, b) == seeds]
    return max(b for b in kept if kept[: kept.index(b) + 1] == list(SIZES[1 : kept.index(b) + 2]))


def falls(files, name):
    """How many runs have a fall that is an instability, and how many runs there are."""
    found = [fall for b in SIZES for fall in files.values(claims.worst_fall, name, b)]
    return sum(map(claims.is_unstable, found)), len(found)


def sooner(files, one, other):
    """In how many seeds the first of two points reaches 97 % sooner."""
    return sum(x < y for x, y in files.results.pairs(claims.epochs_to_target, one, other))


def agreed(*values):
    """The value that all of these are; -1 if they differ."""
    return values[0] if len(set(values)) == 1 else -1


# ---- the chapters


def beginning(files):
    return listed(
        given("0.01", "η0"),
        here(len(files.values(last, "figure3", 64)), "figure3"),
        here(len(files.values(last, "figure3", 2048)), "figure3"),
        here(min(b for b in SIZES if len(files.values(last, "figure3", b)) == 10), "figure3"),
    )


def two_commands(files):
    setup = (files.folder.parent / "setup.cfg").read_text(encoding="utf-8")
    return listed(
        given(re.findall(r"python_requires = >=([\d.]+)", setup)[0], "setup.cfg"),
        given("none", "environments"),
        here(Settings().epochs, "minisgd/settings.py"),
        measured("2 12", SWEEP),
        given("third", "what stuck means"),
        measured("2048 two", SWEEP),
        given("2048 4096", "batch sizes"),
        measured("seven", "python -m pytest"),
        given("none", "folders"),
    )


def how_far(files):
    one, five = "figure1", len(files.values(last, "figure1", 64))
    momentum, growth = "figure5", files.values(last, "figure6", 4096)
    rules_up_to = agreed(*(largest_kept(files, f"figure{k}") for k in (2, 3, 4)))
    by_rule = agreed(*(kept_by(files, name, 1024) for name in ("figure3", "figure4")))
    tried = ("figure1", "figure2", "figure3", "figure4", momentum, "effective-rate", "figure6")
    none = [b for b in SIZES[5:] if not any(kept_by(files, name, b) for name in tried)]
    return listed(
        here(claims.CLOSE, "minisgd/report/claims.py"),
        given("64 .01", "the setting that the others are compared with"),
        here(five, one),
        here(largest_kept(files, one), one),
        here(rules_up_to, "figure2, figure3 and figure4"),
        given("1024", "a batch size"),
        here(by_rule, "figure3 and figure4"),
        here(five, "figure3"),
        here(kept_by(files, "figure2", 1024), "figure2"),
        here(largest_kept(files, momentum), momentum),
        given(".9 2048", "m, and a batch size"),
        here(kept_by(files, momentum, 2048), momentum),
        here(five, momentum),
        here(min(none), "figures/"),
        here(min(growth), "figure6"),
        here(max(growth), "figure6"),
        given("30", "epochs"),
        how_many_runs(files, five),
        times(files),
        measured("two two half", "python cli.py figures"),
        given("64 .01 4", "runs that Figures 1 to 4 share"),
        given(".9 30", "what the line of awk counts"),
    )


def how_many_runs(files, five):
    ten = len(files.values(last, "figure3", 2048))
    return listed(
        here(five, "figure1"), given("0", "a seed"), here(five - 1, "figure1"),
        here(ten, "figure3"), given("0", "a seed"), here(ten - 1, "figure3"),
        here(min(LUCKY), "minisgd/report/experiments.py"),
        here(max(LUCKY), "minisgd/report/experiments.py"),
    )  # fmt: skip


def times(files):
    """The table of how long the training took."""
    entries = []
    for k in range(1, 7):
        entries += given(f"{k}", "a figure") + given(".01" * (k == 1), "η")
        entries += how_long(*files.training(f"figure{k}"), f"figure{k}")
    for name in ("constant-warmup", "effective-rate"):
        entries += how_long(*files.training(name), name)
    held_out = files.made("tune")["asked"]["held out"]
    tune = [row.seed for row in files.rows("tune")]
    entries += here(len(set(tune)), "tune") + here(N - held_out, "tune") + here(len(tune), "tune")
    entries += measured("1 13", "python cli.py tune --seeds 3")
    runs = {}
    for row in files.rows("grow"):
        runs.setdefault((row.batch_size, row.lr, row.momentum, row.seed), []).append(row.seconds)
    held_out = files.made("grow")["asked"]["held out"]
    entries += here(len({seed for *_, seed in runs}), "grow") + here(N - held_out, "grow")
    return entries + how_long(len(runs), *clock(runs.values()), "grow")


def how_long(runs, hours, minutes, name):
    return [entry for value in (runs, hours, minutes) if value for entry in here(value, name)]


def figure1(files):
    points = [(("figure1", b), ("figure1", b // 2)) for b in SIZES[1:]]
    losses = loss_at(30, "test_loss"), loss_at(15, "test_loss")
    pairs = [files.results.pairs(losses, *both) for both in points]
    larger = [sum(x > y for x, y in some if claims.has_left_the_plateau(x, y)) for some in pairs]
    return listed(
        given("30 15", "epochs"), here(max(larger), "figure1"), here(len(pairs[0]), "figure1")
    )


def figure3(files):
    name = "figure3"
    sizes = [b for b in SIZES[1:] if sooner(files, (name, b), ("figure2", b)) == 5]
    cells = [s for s in files.kept.cells(files.kept.experiments[name]) if s.batch_size == 1024]
    runs = [[row["test_accuracy"] for row in files.kept.records(cell)] for cell in cells]
    collapsed = [curve for curve in runs if curve[-1] <= 0.9]
    when = [max(range(1, 30), key=lambda i: curve[i - 1] - curve[i]) + 1 for curve in collapsed]
    learnt, there = (above(files, 0.9, of, name, 2048) for of in (best_accuracy, last))
    return listed(
        here(max(b for b in sizes if b <= 1024), name),
        given("97", "the accuracy that is to be reached"),
        here(len(collapsed), name),
        here(len(runs), name),
        given("1024", "a batch size"),
        here(agreed(*when), name),
        given("2048", "a batch size"),
        here(learnt, name),
        here(len(files.values(last, name, 2048)), name),
        here(learnt - there, name),
        given("30 4096", "epochs, and a batch size"),
        here(above(files, 0.9, best_accuracy, name, 4096), name),
        given(".9", "an accuracy"),
        here(above(files, 0.9, last, name, 4096), name),
        given("30 8192", "epochs, and a batch size"),
        here(above(files, 0.9, best_accuracy, name, 8192), name),
    )


def figure4(files):
    name = "figure4"
    risen = above(files, 0.98, best_accuracy, name, 2048)
    return listed(
        here(risen, name),
        given("2048 .98", "a batch size, and an accuracy"),
        here(risen - above(files, 0.9, last, name, 2048), name),
        given("4096", "a batch size"),
        here(above(files, 0.9, best_accuracy, name, 4096), name),
        given(".9", "an accuracy"),
        here(above(files, 0.9, last, name, 4096), name),
        given("30 8192", "epochs, and a batch size"),
        here(above(files, 0.52, best_accuracy, name, 8192), name),
        here(max(files.values(best_accuracy, name, 8192)), name),
    )


def figure5(files):
    times = rules.effective_lr(0.01, 0.9) / 0.01
    return listed(given(".9 .01", "m and η"), here(times, "η/(1-m)"), given(".1", "η"))


def figure6(files):
    return listed(
        given("2048 8192 97", "batch sizes, and the accuracy that is to be reached"),
        here(sooner(files, ("figure6", 8192, 1), ("figure6", 8192, 0)), "figure6"),
        here(len(files.values(last, "figure6", 8192, 0)), "figure6"),
    )


def constant_warmup(files):
    name = "constant-warmup"

    def most_fall(b):
        pairs = zip(*(files.values(accuracy_at(epoch), name, b) for epoch in (10, 11)), strict=True)
        fell = [after < before for before, after in pairs]
        return 2 * sum(fell) > len(fell)

    smallest = min(b for b in SIZES if all(most_fall(large) for large in SIZES if large >= b))
    return listed(
        given("ten", "epochs of warmup"),
        here(smallest, name),
        given("30", "epochs"),
        here(above(files, 0.9, last, name, 2048), name),
        here(len(files.values(last, name, 2048)), name),
        given(".9 2048", "an accuracy, and a batch size"),
        here(above(files, 0.9, last, name, 4096), name),
        given("4096", "a batch size"),
        here(above(files, 0.9, last, name, 8192), name),
        given("8192", "a batch size"),
    )


def effective_rate(files):
    apart = [
        b
        for b in SIZES
        for pairs in [files.results.pairs(final_accuracy, ("figure5", b), ("effective-rate", b))]
        if not all(claims.equally_accurate(x, y) for x, y in pairs)
    ]
    fell, runs = falls(files, "effective-rate")
    return listed(
        given(".1 two", "η, and experiments"),
        here(min(apart), "figure5 and effective-rate"),
        here(max(apart), "figure5 and effective-rate"),
        here(fell, "effective-rate"),
        here(runs, "effective-rate"),
        here(claims.FALL, "minisgd/report/claims.py"),
        here(falls(files, "figure5")[0], "figure5"),
    )


def tune(files):
    rates = sorted({row.lr for row in files.rows("tune")})
    held_out = files.made("tune")["asked"]["held out"]

    def middle(column, lr):
        return median(getattr(row, column) for row in files.rows("tune", lr=lr))

    def best(column):
        return max(rates, key=lambda lr: middle(column, lr))

    diverged = [row.validation_accuracy == 0 for row in files.rows("tune", lr=0.5)]
    validation, test = "validation_accuracy", "test_accuracy"
    return listed(
        here(len(rates), "tune"),
        here(files.made("tune")["asked"]["batch_size"], "tune"),
        here(files.made("tune")["asked"]["epochs"], "tune"),
        here(N - held_out, "tune"),
        here(held_out, "tune"),
        here(best(validation), "tune"),
        here(middle(validation, best(validation)), "tune"),
        here(middle(validation, 0.01), "tune"),
        given(".01", "η0"),
        here(best(test), "tune"),
        here(middle(test, best(test)), "tune"),
        here(middle(test, 0.01), "tune"),
        given(".5", "a rate"),
        here(sum(diverged), "tune"),
        here(len(diverged), "tune"),
        given(".01", "η0"),
    )


def grow(files):
    made = files.made("grow")
    kept = [step for step in made["steps"] if step.endswith((": kept", ": the start"))]
    return listed(
        here(N - made["asked"]["held out"], "grow"),
        here(made["asked"]["held out"], "grow"),
        here(len(made["asked"]["seeds"]), "grow"),
        here(made["asked"]["tolerance"], "grow"),
        here(len(made["steps"]), "grow"),
        here(max(int(re.match(r"b = (\d+)", step)[1]) for step in kept), "grow"),
    )


def what_became(files):
    ends = {b: files.values(last, "figure3", b) for b in SIZES}
    outside = [
        b
        for b, theirs in zip(SIZES, map(float, AUTHORS.split()), strict=True)
        if not min(ends[b]) <= theirs <= max(ends[b])
    ]
    at_2048 = [above(files, 0.9, last, name, 2048) for name in ("figure4", "figure3")]
    at_4096 = [above(files, 0.9, last, name, 4096) for name in ("figure4", "figure3")]
    return listed(
        here(FINAL_EPOCHS, "minisgd/report/statistics.py"),
        here(LOST, "minisgd/report/statistics.py"),
        given("2 3", "an example"),
        here(CHANCE, "minisgd/report/judging.py"),
        given("five five nine ten 30", "counts that are enough, by test_judging.py; epochs"),
        here(at_2048[0], "figure4"),
        here(len(files.values(last, "figure4", 2048)), "figure4"),
        given(".9 2048", "an accuracy, and a batch size"),
        here(at_2048[1], "figure3"),
        given("4096", "a batch size"),
        here(at_4096[0], "figure4"),
        here(at_4096[1], "figure3"),
        given(" ".join(map(str, SIZES)), "batch sizes"),
        given(AUTHORS, "what the authors published"),
        *(here(of(ends[b]), "figure3") for of in (median, min, max) for b in SIZES),
        here(agreed(*outside), "figure3"),
        given("1024 4096", "batch sizes"),
        here(min(ends[8192]), "figure3"),
        given("1 2048 4096 none", "a class, and what the authors say"),
    )


def commands(files):
    return listed(
        given("three", "steps"),
        here(len(answer.METHODS), "minisgd/report/answer.py"),
        here(len(answer.SIZES), "minisgd/report/answer.py"),
        given("1 2", "ranks"),
        here(speedup_results.PROJECTED_RANKS[-1], "minisgd/machine/speedup_results.py"),
        given("twice", "how often nothing is trained"),
    )


def formulas(files):
    return given("0", "the seed")


def covariance(files):
    name = "measure-covariance"
    first, *_, rest = files.rows(name, rule="sqrt", quantity="the rest", epoch=0)
    return listed(
        here(files.minutes(name), name),
        here(rest.measured / first.exact, name),
        here(rest.error / first.exact, name),
        given("8192", "a batch size"),
        here(rest.exact / first.exact, name),
    )


def equivalence(files):
    name = "measure-equivalence"
    return listed(
        here(files.minutes(name), name),
        here(files.cell(name, epoch=0, batch_size=2048).distance, name),
        given("2048", "a batch size"),
        here(files.cell(name, epoch=1, batch_size=128).distance, name),
        given("128 five", "a batch size, and epochs"),
    )


def equal_rates(files):
    name = "measure-effective-rate"

    def stable(m):
        """The largest stable curvature, 2(1+m)/η."""
        return 2 * (1 + m) / files.rows(name, momentum=m)[0].lr

    files.rows(name)
    return listed(
        here(files.minutes(name), name),
        given(".9", "m"),
        here(stable(0.9) / stable(0.0), name),
    )


def noise_scale(files):
    name = "measure-noise-scale"
    noise = [row.exact_noise for row in files.rows(name) if 0.04 < row.loss < 1]
    _, b_crit = fitted(steps_to_target(files.kept, N))
    return listed(
        here(files.minutes(name), name),
        here(min(noise), name),
        here(max(noise), name, to=10),
        given("97", "the accuracy that is to be reached"),
        here(b_crit.value, "the tables of the figures"),
        here(b_crit.error, "the tables of the figures"),
    )


def sharpness(files):
    name = "measure-sharpness"

    def mean(**wanted):
        """Over the runs that trained."""
        found = [row.full for row in files.rows(name, epsilon=0.001, **wanted) if row.loss < 1]
        return sum(found) / len(found)

    small, large, fast = mean(batch_size=64), mean(lr=0.01, batch_size=1024), mean(lr=0.16)
    return listed(
        measured("10", "python cli.py measure sharpness"),
        given("64 1024", "batch sizes"),
        here(large / small, name),
        given("64", "a batch size"),
        here(small / fast, name),
    )


def speed(files):
    return listed(
        given("60,000 two three two 2.4.6 2.13 0.10", "what was timed, and with what"),
        given("64 512 2048 8192", "batch sizes"),
        measured("8.16 5.15 5.41 6.50", BENCH),
        given("256", "a batch size"),
        measured("5.18 1.01 4.85 0.88 5.27 0.78", BENCH),
        measured("13.86 1.73 17.60 3.42 21.54 3.83 29.77 4.60", BENCH),
        given("1", "threads"),
        measured("5.74 0.70 4.67 0.90 4.55 0.84 4.67 0.72", BENCH),
        given("2", "threads"),
        measured("4.57 0.56 2.79 0.54 2.79 0.49 2.61 0.39", BENCH),
        given("2", "processes"),
        measured("2.88 0.35 2.39 0.48 2.39 0.42 2.32 0.35", BENCH),
        given("2", "threads"),
        measured("0.43 0.50 0.36 0.42", BENCH),
        given("1", "threads"),
        measured("131 921 140 921 134 922 136 1337", BENCH),
        given("two", "processes"),
        measured("1.86 1.99", BENCH),
        given("three two", "runs, and threads"),
        measured(".54 .61", BENCH), given("64", "a batch size"),
        measured(".54 .66", BENCH), given("512", "a batch size"),
        measured(".43 .49", BENCH), given("2048", "a batch size"),
        measured(".37 .39", BENCH), given("8192", "a batch size"),
        measured("11 38 23 45", SWEEP),
    )  # fmt: skip


def several_processes(files):
    return given("1 2 3 4 five four four three two 0", "ranks, and lanes")


def scaling(files):
    name, earlier = "scaling", "python cli.py scaling"
    sizes = (64, 512, 2048, 8192)
    one, two = (
        {b: files.cell(name, kind="epoch", ranks=ranks, batch_size=b) for b in sizes}
        for ranks in (1, 2)
    )
    model = CostModel(**files.made(name)["model"])
    rows = [vars(row) for row in files.rows(name)]
    ratios = speedup_results.model_over_measured(rows, model, N, 2).values()
    epochs = {b: s / ceil(N / b) for b, (s, _) in steps_to_target(files.kept, N).items()}

    def soonest(ranks):
        """(seconds, batch size) of what reaches 97 % soonest on so many ranks."""
        return min((model.epoch(N, b, ranks) * epochs[b], b) for b in epochs if b >= ranks)

    speedups = [
        entry
        for b in sizes
        for entry in here(one[b].seconds / two[b].seconds, name) + given(f"{b}", "a batch size")
    ]
    return listed(
        given("two two", "cores, and ranks"),
        speedups,
        *(here(100 * two[b].all_reduce / two[b].seconds, name) for b in sizes),
        given("three", "runs"),
        measured("1.41 1.62 1.69 1.93 1.75 1.87 1.90 2.14", earlier),
        here(len(files.made(name)["model"]), name),
        here(min(ratios), name),
        here(max(ratios), name),
        given("two 97 8", "cores, the accuracy that is to be reached, and ranks"),
        here(soonest(8)[1], name),
        here(soonest(1)[0] / soonest(8)[0], name),
        given("1,024", "ranks"),
        here(soonest(1024)[1], name),
        here(soonest(1)[0] / soonest(1024)[0], name),
        measured("5.4 23", earlier),
        given("two", "cores"),
    )


def more_images(files):
    return listed(
        given("four 28 28 ten", "files, pixels and classes"),
        given("2", "million images, in tests/data/test_own_files.py"),
        here(2e6 * 28 * 28 / 2**20, "2 million images of 28 x 28 bytes"),
        given("dozen 8,192 512", "in tests/data/test_own_files.py"),
        measured("56", "python -m pytest tests/data/test_own_files.py"),
        given("768", "MiB of the control group"),
        measured("7 51 67", "systemd-run --scope -p MemoryMax=768M python cli.py train"),
    )


def nothing_lost(files):
    return listed(
        given("hundred 20,000", "what the command below asks for"),
        measured("6,000", "python tests/endurance.py --kills 100 --cases 20000"),
    )


def reading(files):
    return given("two 8,192 512", "batch sizes that need the same memory, in gradient.py")


def assumed(files):
    rate = schedules.gradual(10, 10, 0.01, rules.scaled_lr("linear", 0.01, 8192))
    return listed(
        given("255", "the largest pixel"),
        *(here(float(value), "minisgd/data/known.py") for value in MNIST_PIXELS),
        given("8192", "a batch size"),
        here(ceil(N / 8192), "60,000 images"),
        here(N % 8192, "60,000 images"),
        given("10 10 9 10", "the last epoch of a warmup of ten"),
        here(rate, "minisgd/schedules.py"),
        given("8192 10 4906 4096", "a batch size, epochs, and a slip of the report"),
    )


REPORT = "The report, reproduced: "
MEASURED = "The formulas, measured"
MORE = "More processes, more machines, a GPU: "
CHAPTERS = {
    "": beginning,
    "Two commands": two_commands,
    REPORT + "How far, then": how_far,
    REPORT + "Figure 1": figure1,
    REPORT + "Figure 3": figure3,
    REPORT + "Figure 4": figure4,
    REPORT + "Figure 5": figure5,
    REPORT + "Figure 6": figure6,
    REPORT + "Constant warmup": constant_warmup,
    REPORT + "Effective rate": effective_rate,
    REPORT + "How η0 was chosen": tune,
    REPORT + "How far the batch can grow": grow,
    "What became of the claims": what_became,
    "The commands": commands,
    MEASURED: formulas,
    MEASURED + ": The covariance of an update": covariance,
    MEASURED + ": One step of k b0 for k steps of b0": equivalence,
    MEASURED + ": At equal η/(1-m)": equal_rates,
    MEASURED + ": The noise scale": noise_scale,
    MEASURED + ": Sharp minima": sharpness,
    "Speed": speed,
    MORE + "One run on several processes": several_processes,
    MORE + "What it brings": scaling,
    MORE + "A sweep on several machines": lambda files: given("three", "times at most"),
    MORE + "A GPU": lambda files: given("14.2", "CuPy"),
    MORE + "Several GPUs": lambda files: given("2 3 5", "GPUs of the stand-in"),
    MORE + "More images than the memory holds": more_images,
    "Nothing lost": nothing_lost,
    "Formula, function, test": lambda files: given("1 1 1 1 1 1 1", "formulas"),
    "Reading the code": reading,
    "What the report leaves open, and what is assumed here": assumed,
}
NOT_YET = (MEASURED + ": What kills 4096 and 8192",)  # chapter 5 of the lesson, in short
