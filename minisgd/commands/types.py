"""Types of parameters that click lacks: lists of numbers, seeds, and entries of a table."""

from importlib import import_module
from math import inf

import click


class Numbers(click.ParamType):
    """Whole numbers, separated by commas: 64,128,256."""

    name, kind, example = "numbers", int, "whole numbers such as 64,128"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        numbers = split(value, self.kind)
        if not numbers:
            self.fail(f"{value!r} is not a list of {self.example}", param, ctx)
        return numbers


class Positive(click.types.FloatParamType):
    """A number above 0, and not infinite."""

    def convert(self, value, param, ctx):
        number = super().convert(value, param, ctx)
        if not 0 < number < inf:
            self.fail(f"{value!r} is not a number above 0", param, ctx)
        return number


class Seeds(Numbers):
    """A number of seeds (3 means 0,1,2) or a list of them (0,1,2; "3," is seed 3 alone)."""

    name = "seeds"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple) or "," in value:
            return super().convert(value, param, ctx)
        (count,) = super().convert(value, param, ctx)
        if not 1 <= count <= 1000:
            self.fail(f"{value!r} is not a count from 1 to 1000; a list has commas", param, ctx)
        return tuple(range(count))


class Rates(Numbers):
    """Numbers, separated by commas: .01,.02,.05."""

    name, kind, example = "rates", float, "numbers such as .01,.02"


class Ranges(click.ParamType):
    """Ranges of settings, separated by commas: lr=.01:.3,momentum=.8:.98."""

    name = "ranges"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        from minisgd.report.search import Range

        found = []
        for part in value.split(","):
            name, _, ends = part.partition("=")
            low_high = [split(end, float) for end in ends.split(":")]
            if not name or len(low_high) != 2 or not all(map(len, low_high)):
                self.fail(f"{part!r} is no range such as lr=.01:.3", param, ctx)
            found.append(Range(name.strip().replace("-", "_"), *(end[0] for end in low_high)))
        return tuple(found)


def split(text, kind):
    """The distinct numbers of a text with commas, in order; () if it holds anything else."""
    try:
        numbers = [kind(part) for part in text.split(",") if part.strip()]
    except ValueError:
        return ()
    return tuple(dict.fromkeys(numbers))


class Entry(click.Choice):
    """The name of an entry in a table of the package, such as RULES in minisgd.rules.

    It is click's Choice, but the table is looked up only when a value is converted or the help of
    its command is shown. So listing the commands imports no table, and an entry that a user's own
    file has just added is accepted.

    besides    names that are accepted although the table lacks them
    without    names that are refused although the table has them
    """

    case_sensitive = True

    def __init__(self, module, table, besides=(), without=()):
        self.module, self.table = module, table
        self.besides, self.without = tuple(besides), tuple(without)

    @property
    def choices(self):
        table = getattr(import_module(self.module), self.table)
        return (*(name for name in table if name not in self.without), *self.besides)

    def __repr__(self):
        return f"Entry({self.module}.{self.table})"
