"""What the runs of an experiment show, for the numbers of several pages."""

from minisgd.report import claims
from minisgd.report.experiments import SIZES
from minisgd.report.statistics import final_accuracy


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
