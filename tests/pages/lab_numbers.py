"""The numbers of minisgd/lab/README.md. A chapter is a function of kept_files.Files."""

import damage
import machines
from page_numbers import given, here, listed, measured

from minisgd.lab import cluster, watch

FAULTS = "python tests/endurance.py --faults --step 41 --at-once 3"
# Of each command: its system calls, then the faults by kind, as that prints them.
TABLE = {
    "train": "282 7 7 7 7 2 9",
    "sweep": "559 14 14 14 14 3 12",
    "page": "357 9 9 9 9 3 6",
    "figures": "405 10 10 10 10 1 9",
    "tune": "401 10 10 10 10 1 9",
    "download": "308 8 8 8 8 3 3",
}
# --cases and --flips of --kills 0, with the seeds 1, 3, 4; 5, 6; 7, 7 (from other files); 8; 9.
INPUTS = 3 * 10_000, 2 * 40_000, 2 * 250_000, 320_000, 80_000


def nothing_lost(files):
    return listed(
        given("hundred 20,000", "what the command below asks for"),
        measured("6,000", "python tests/endurance.py --kills 100 --cases 20000"),
        measured("34", "python tests/endurance.py --kills 0 --cases 10000 --flips 1667 --seed 1"),
        given("half", "how the inputs are damaged"),
        measured(
            "1,069 none", "python tests/endurance.py --cases 0 --flips 0 --kills 40, and so on"
        ),
        here(sum(INPUTS), "the calls above"),
        measured("six", "--kills 0 --cases 40000 --flips 6667, seeds 5 and 6"),
        here(sum(INPUTS[:2]), "the calls above"),
        measured("none 355,005 none", "the calls above"),
        given("six 0", "the same six, and a value of a damaged table"),
        given("360,000", "up to the first 250,000 of seed 7"),
        measured("63 79,292,850 1.3", "--kills 0 --cases 250000 --flips 25000, seed 7"),
        given(f"{damage.MOST_MB} {damage.MOST_SECONDS}", "tests/damage.py"),
        here(250_000 + sum(INPUTS[3:]), "the calls above"),
        measured("none 10.9 .47", "the same, seeds 7, 8 and 9"),
        given("tenth", "which commits are tried"),
        measured("48 three 80 2 45", "python tests/endurance.py --upgrade"),
        given("two", "machines that own one run"),
        given("six 41", "commands, and which of their calls"),
        here(sum(int(n) for row in TABLE.values() for n in row.split()[1:]), "the table"),
        measured("ten", FAULTS),
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
