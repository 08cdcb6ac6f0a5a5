"""The numbers of minisgd/lab/README.md. A chapter is a function of kept_files.Files."""

import machines
from page_numbers import given, here, listed, measured

from minisgd.lab import cluster


def nothing_lost(files):
    return listed(
        given("hundred 20,000", "what the command below asks for"),
        measured("6,000", "python tests/endurance.py --kills 100 --cases 20000"),
        measured("90", "python tests/endurance.py --faults --step 3"),
    )


def other_machines(files):
    def within(*cases):
        return listed(*(here(machines.CASES[case], "tests/machines.py") for case in cases))

    return listed(
        here(cluster.PATIENCE, "minisgd/lab/cluster.py"), given("1", "an exit code"),
        within(machines.scheduler_killed),
        here(cluster.SILENCE, "minisgd/lab/cluster.py"), given("1", "an exit code"),
        within(
            machines.scheduler_stopped, machines.scheduler_cut_off, machines.connection_reset,
            machines.worker_killed, machines.worker_stopped, machines.worker_with_other_code,
            machines.worker_without_minisgd, machines.worker_with_other_numpy,
            machines.worker_out_of_memory, machines.rank_killed,
        ),
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
