"""The numbers of README.md. A chapter is a function of kept_files.Files."""

import re
from statistics import median

from page_numbers import given, here, listed, measured
from run_numbers import last

from minisgd.commands import minute
from minisgd.report import answer, answer_plan, claims
from minisgd.report.statistics import best_accuracy
from minisgd.settings import Settings

BENCH = "python cli.py bench"
SWEEP = "python cli.py sweep --rule linear"


def beginning(files):
    return listed(
        here(len(answer.METHODS), "minisgd/report/answer.py"),
        here(Settings().epochs, "minisgd/settings.py"),
        here(len(files.values(last, "answer", 64)), "answer"),
        given(".002 .005 64", "tolerances, and b"),
    )


def the_answer(files):
    muon = files.values(last, "answer", 60000, list(answer.METHODS).index("muon"))
    tolerances = 0.002, 0.005
    return listed(
        given("64", "b"), here(files.answer_lines[2], "answer"),
        given(".002 .005", "tolerances"),
        *(
            here(files.carried(name, tolerance), "answer")
            for name in ("muon", "lamb", "nesterov")
            for tolerance in tolerances
        ),
        *(here(max(files.carried_by_rules(t)), "answer") for t in tolerances),
        given("60,000", "images"), here(median(muon), "answer"),
        given("8,192 .005 2,048", "within .005 in every seed: chapter 17 of the lesson"),
    )  # fmt: skip


def what_to_do(files):
    changes = list(answer_plan.plan(files.trials).changes)
    learnt = [best >= claims.LEARNT for best in files.values(best_accuracy, "figure3", 8192)]
    return listed(
        given("none" if any(learnt) else "8,192", "a batch size at which no run learns"),
        given("two 8,192", "changes, and a batch size"),
        *(
            here(median(files.values(last, "answer-changes", answer.LARGE, n)), "answer-changes")
            for n in (
                changes.index("the report's momentum, η = .01"),
                changes.index("... and clipping"),
            )
        ),
        given("four", "changes"),
    )


def a_first_minute(files):
    setup = (files.folder.parent / "setup.cfg").read_text(encoding="utf-8")
    return listed(
        given(re.findall(r"python_requires = >=([\d.]+)", setup)[0], "setup.cfg"),
        given("three", "networks"),
        here(minute.EPOCHS, "minisgd/commands/minute.py"),
        here(minute.EPOCHS, "minisgd/commands/minute.py"),
        given("60,000 two 8,192", "images, networks, and a batch size"),
    )


def two_commands(files):
    return listed(
        here(Settings().epochs, "minisgd/settings.py"),
        measured("2 12", SWEEP),
        given("third", "what stuck means"),
        measured("2048 two", SWEEP),
        given("2048 4096", "batch sizes"),
        measured("5 13", "python -m pytest -n 2 --dist loadfile --no-loadscope-reorder"),
        given("2", "cores"),
        given("none", "folders"),
    )


def speed(files):
    return listed(
        given("60,000 1 two two", "images, as fast, threads and cores"),
        given("64 512 2048 8192", "batch sizes"),
        measured("0.55 0.64 0.53 0.49", BENCH),
    )


CHAPTERS = {
    "": beginning,
    ": The answer": the_answer,
    ": If you must train with a large batch": what_to_do,
    "A first minute": a_first_minute,
    "Two commands": two_commands,
    "Speed": speed,
}
NOT_YET = ()
