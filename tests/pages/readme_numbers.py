"""The numbers of README.md. A chapter is a function of kept_files.Files."""

import re
from statistics import median

from page_numbers import given, here, listed, measured
from run_numbers import last

from minisgd.report import answer, claims
from minisgd.report.statistics import best_accuracy
from minisgd.settings import Settings

BENCH = "python cli.py bench --rounds 3"
SWEEP = "python cli.py sweep --rule linear"


def beginning(files):
    return listed(
        here(len(answer.METHODS), "minisgd/report/answer.py"),
        here(len(files.values(last, "answer", 64)), "answer"),
        here(Settings().epochs, "minisgd/settings.py"),
    )


def the_answer(files):
    muon = files.values(last, "answer", 60000, list(answer.METHODS).index("muon"))
    return listed(
        here(files.carried("muon", 0.002), "answer"), given("64 .002", "b, and a tolerance"),
        here(files.carried("muon", 0.005), "answer"), given(".005", "a tolerance"),
        here(files.carried("lamb", 0.002), "answer"), here(files.carried("lamb", 0.005), "answer"),
        here(files.carried("nesterov", 0.002), "answer"),
        here(files.carried("nesterov", 0.005), "answer"),
        given("60,000", "images"), here(Settings().epochs, "minisgd/settings.py"),
        here(median(muon), "answer"),
        given("none", "of the rules"),
        here(max(files.carried_by_rules(0.002)), "answer"), given(".002", "a tolerance"),
        here(max(files.carried_by_rules(0.005)), "answer"), given(".005", "a tolerance"),
    )  # fmt: skip


def what_to_do(files):
    learnt = [best >= claims.LEARNT for best in files.values(best_accuracy, "figure3", 8192)]
    return listed(
        given("none" if any(learnt) else "8,192", "a batch size at which no run learns"),
        given("8,192 three", "a batch size, and numbers to tune"),
    )


def a_first_minute(files):
    setup = (files.folder.parent / "setup.cfg").read_text(encoding="utf-8")
    return listed(
        given(re.findall(r"python_requires = >=([\d.]+)", setup)[0], "setup.cfg"),
        given("three two 8,192", "networks, and a batch size"),
    )


def two_commands(files):
    return listed(
        here(Settings().epochs, "minisgd/settings.py"),
        measured("2 12", SWEEP),
        given("third", "what stuck means"),
        measured("2048 two", SWEEP),
        given("2048 4096", "batch sizes"),
        measured("seven", "python -m pytest"),
        given("none", "folders"),
    )


def speed(files):
    return listed(
        given("60,000 two two", "images, threads and cores"),
        given("64 512 2048 8192", "batch sizes"),
        measured("0.56 0.54 0.49 0.39", BENCH),
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
