"""The numbers of minisgd/commands/README.md. A chapter is a function of kept_files.Files."""

from page_numbers import given, here, listed

from minisgd.commands import minute
from minisgd.machine import speedup_results
from minisgd.report import answer


def beginning(files):
    return listed(
        here(minute.EPOCHS, "minisgd/commands/minute.py"),
        given("three", "steps"),
        here(len(answer.METHODS), "minisgd/report/answer.py"),
        here(len(answer.SIZES), "minisgd/report/answer.py"),
        given("1 2", "ranks"),
        here(speedup_results.PROJECTED_RANKS[-1], "minisgd/machine/speedup_results.py"),
    )


def figures(files):
    return listed(given("twice", "how often nothing is trained"))


CHAPTERS = {"": beginning, "The figures of the report": figures}
NOT_YET = ()
