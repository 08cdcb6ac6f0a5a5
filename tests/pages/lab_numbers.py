"""The numbers of minisgd/lab/README.md. A chapter is a function of kept_files.Files."""

from page_numbers import given, here, listed, measured

from minisgd.lab import cluster

MACHINES = "python tests/machines.py"


def nothing_lost(files):
    return listed(
        given("hundred 20,000", "what the command below asks for"),
        measured("6,000", "python tests/endurance.py --kills 100 --cases 20000"),
        measured("90", "python tests/endurance.py --faults --step 3"),
    )


def other_machines(files):
    return listed(
        here(cluster.PATIENCE, "minisgd/lab/cluster.py"), given("1", "an exit code"),
        measured("22", MACHINES),
        here(cluster.SILENCE, "minisgd/lab/cluster.py"), given("1", "an exit code"),
        measured("61 61 0.1 1 61 5 5 5 20 0.1", MACHINES),
        given("0", "a rank"), measured("61", MACHINES),
        given("0 1", "ranks"), measured("61 4 4 4", MACHINES),
        here(int(cluster.EVERY), "minisgd/lab/cluster.py"),
    )  # fmt: skip


CHAPTERS = {
    "Nothing lost": nothing_lost,
    "On other machines": other_machines,
}
NOT_YET = ()
