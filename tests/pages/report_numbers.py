"""The numbers of figures/report.md. A chapter is a function of kept_files.Files."""

import re
from statistics import median

from kept_files import clock
from page_numbers import given, here, listed, measured
from run_numbers import above, accuracy_at, agreed, falls, kept_by, largest_kept, last, sooner

from minisgd import rules
from minisgd.report import claims
from minisgd.report.experiments import LUCKY, SIZES
from minisgd.report.statistics import best_accuracy, final_accuracy, loss_at

N = 60_000  # training images
# The final test accuracies of the authors' runs of Figure 3, as they published them.
AUTHORS = ".9894 .9893 .9888 .9577 .9881 .9616 .9364 .1135"


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
        given("64 .01", "runs that Figures 1 to 4 share"),
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
        given(".1 two five", "η, experiments, and FINAL_EPOCHS"),
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


def authors(files):
    ends = {b: files.values(last, "figure3", b) for b in SIZES}
    outside = [
        b
        for b, theirs in zip(SIZES, map(float, AUTHORS.split()), strict=True)
        if not min(ends[b]) <= theirs <= max(ends[b])
    ]
    return listed(
        given(" ".join(map(str, SIZES)), "batch sizes"),
        given(AUTHORS, "what the authors published"),
        *(here(of(ends[b]), "figure3") for of in (median, min, max) for b in SIZES),
        here(agreed(*outside), "figure3"),
        given("1024 4096", "batch sizes"),
        here(min(ends[8192]), "figure3"),
        given("1 2048 4096 none", "a class, and what the authors say"),
    )


CHAPTERS = {
    ": How far, then": how_far,
    ": Figure 1": figure1,
    ": Figure 3": figure3,
    ": Figure 4": figure4,
    ": Figure 5": figure5,
    ": Figure 6": figure6,
    ": Constant warmup": constant_warmup,
    ": Effective rate": effective_rate,
    ": How η0 was chosen": tune,
    ": How far the batch can grow": grow,
    "The authors' own numbers": authors,
}
NOT_YET = ()
