"""The numbers of minisgd/README.md. A chapter is a function of kept_files.Files."""

from math import ceil

from page_numbers import given, here, listed

from minisgd import rules, schedules
from minisgd.data.known import MNIST_PIXELS
from minisgd.exercises import asking

N = 60_000  # training images


def reading(files):
    return given("two 8,192 512", "batch sizes that need the same memory, in gradient.py")


def exercises(files):
    return listed(here(asking.LIMIT, "minisgd/exercises/asking.py"), given("0 1 2", "exit codes"))


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


CHAPTERS = {
    "Reading the code": reading,
    "Exercises that answer back": exercises,
    "Formula, function, test": lambda files: given(
        "1 1 1 1 1 1 1 1 1 1 2017 2020 1 1 2 6", "formulas, and years"
    ),
    "What the report leaves open, and what is assumed here": assumed,
}
NOT_YET = ()
