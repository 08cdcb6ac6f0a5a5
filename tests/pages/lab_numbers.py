"""The numbers of minisgd/lab/README.md. A chapter is a function of kept_files.Files."""

import damage
import machines
from page_numbers import given, here, listed, measured

from minisgd.lab import cluster, watch

FAULTS = "python tests/endurance.py --faults --step 41 --at-once 6"
# Of each command: its system calls, then the faults by kind, as that prints them.
TABLE = {
    "train": "263 7 7 7 7 2 9",
    "sweep": "522 12 12 12 12 3 15",
    "page": "319 8 8 8 8 3 6",
    "figures": "326 8 8 8 8 1 9",
    "tune": "326 8 8 8 8 1 9",
    "download": "285 7 7 7 7 3 3",
}


def nothing_lost(files):
    return listed(
        given("hundred 20,000", "what the command below asks for"),
        measured("6,000", "python tests/endurance.py --kills 100 --cases 20000"),
        measured("34", "python tests/endurance.py --kills 0 --cases 10000 --flips 1667 --seed 1"),
        given("half", "how the inputs are damaged"),
        measured("30,000", "the same, with the seeds 3 and 4 as well"),
        given("1 3 4", "the seeds"),
        measured("80,000", "--kills 0 --cases 40000 --flips 6667, seeds 5 and 6"),
        given("5 6", "the seeds"),
        measured("six", "the same"),
        given("0", "a value of a damaged table"),
        measured("250,000", "--kills 0 --cases 250000 --flips 25000, seed 7"),
        given("7", "the seed"),
        measured("none none .12 63 79,292,850 1.3", "the same"),
        measured("250,000 10.9 .47", "the same, at commit 21a0616"),
        given(f"{damage.MOST_MB} {damage.MOST_SECONDS}", "tests/damage.py"),
        measured("205,005 none", "all seven runs"),
        given("tenth", "which commits are tried"),
        measured("37 three 2", "python tests/endurance.py --upgrade"),
        given("two", "machines that own one run"),
        given("six 41", "commands, and which of their calls"),
        here(sum(int(n) for row in TABLE.values() for n in row.split()[1:]), "the table"),
        *(measured(row, FAULTS) for row in TABLE.values()),
        given("two", "processes"),
        given("128 1", "exit codes"),
    )


def other_machines(files):
    def within(*cases):
        return listed(*(here(machines.CASES[case], "tests/machines.py") for case in cases))

    return listed(
        given("two", "views"), given("three", "seconds, tests/machines.py"),
        given("20 300", "seconds, tests/machines.py, and distributed's own"),
        here(cluster.PATIENCE, "minisgd/lab/cluster.py"), given("1", "an exit code"),
        within(machines.scheduler_killed),
        here(watch.SILENCE, "minisgd/lab/watch.py"), given("1", "an exit code"),
        within(
            machines.scheduler_stopped, machines.scheduler_cut_off, machines.connection_reset,
            machines.worker_killed, machines.worker_stopped, machines.worker_cut_off,
            machines.worker_given_up, machines.worker_with_other_code,
            machines.worker_without_minisgd, machines.worker_with_other_numpy,
            machines.worker_out_of_memory, machines.worker_over_its_control_group,
        ),
        given("one two", "sweeps"),
        within(machines.folder_of_two_machines, machines.rank_killed),
        given("0", "a rank"), within(machines.rank_stopped),
        given("0 1", "ranks"), within(machines.rank_0_stopped),
        within(
            machines.ranks_with_other_code, machines.ranks_with_other_data,
            machines.ranks_with_other_numpy,
        ),
    )  # fmt: skip


CHAPTERS = {
    "Nothing lost": nothing_lost,
    "On other machines": other_machines,
}
NOT_YET = ()
