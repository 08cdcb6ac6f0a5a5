"""The numbers of minisgd/machine/README.md. A chapter is a function of kept_files.Files."""

from page_numbers import given, here, listed, measured

from minisgd.gradient import LANES, lanes_for
from minisgd.lab import ranks
from minisgd.machine import speedup_results
from minisgd.machine.speedup import CostModel

N = 60_000  # training images
BENCH = "python cli.py bench --rounds 3"
SWEEP = "python cli.py sweep --rule linear"
MORE = "More processes, more machines, a GPU: "


def speed(files):
    return listed(
        given("60,000 two three two 2.4.6 2.13 0.10", "what was timed, and with what"),
        given("64 512 2048 8192", "batch sizes"),
        measured("8.16 5.15 5.41 6.50", BENCH),
        given("256", "a batch size"),
        measured("5.18 1.01 4.85 0.88 5.27 0.78", BENCH),
        measured("13.86 1.73 17.60 3.42 21.54 3.83 29.77 4.60", BENCH),
        given("1", "threads"),
        measured("5.74 0.70 4.67 0.90 4.55 0.84 4.67 0.72", BENCH),
        given("2", "threads"),
        measured("4.57 0.56 2.79 0.54 2.79 0.49 2.61 0.39", BENCH),
        given("2", "processes"),
        measured("2.88 0.35 2.39 0.48 2.39 0.42 2.32 0.35", BENCH),
        given("2", "threads"),
        measured("0.43 0.50 0.36 0.42", BENCH),
        given("1", "threads"),
        measured("131 921 140 921 134 922 136 1337", BENCH),
        given("two", "processes"),
        measured("1.86 1.99", BENCH),
        given("three two", "runs, and threads"),
        measured(".54 .61", BENCH), given("64", "a batch size"),
        measured(".54 .66", BENCH), given("512", "a batch size"),
        measured(".43 .49", BENCH), given("2048", "a batch size"),
        measured(".37 .39", BENCH), given("8192", "a batch size"),
        measured("11 38 23 45", SWEEP),
    )  # fmt: skip


def several_processes(files):
    assert (lanes_for(192), lanes_for(191), LANES) == (4, 2, 4)
    return listed(
        given("1 2 3 4 five four four three two 192 two four two 0 0 1", "ranks, images and lanes"),
        here(ranks.PATIENCE, "minisgd/lab/ranks.py"),
    )


def scaling(files):
    name, earlier = "scaling", "python cli.py scaling"
    sizes = (64, 512, 2048, 8192)
    one, two = (
        {b: files.cell(name, kind="epoch", ranks=ranks, batch_size=b) for b in sizes}
        for ranks in (1, 2)
    )
    model = CostModel(**files.made(name)["model"])
    rows = [vars(row) for row in files.rows(name)]
    ratios = speedup_results.model_over_measured(rows, model, N, 2).values()
    speedups = [
        entry
        for b in sizes
        for entry in here(one[b].seconds / two[b].seconds, name) + given(f"{b}", "a batch size")
    ]
    return listed(
        given("two two", "cores, and ranks"),
        speedups,
        *(here(100 * two[b].all_reduce / two[b].seconds, name) for b in sizes),
        given("four", "runs"),
        measured("1.41 1.62 1.69 1.93 1.75 1.89 1.83 2.14", earlier),
        here(len(files.made(name)["model"]), name),
        here(min(ratios), name),
        here(max(ratios), name),
        given("two Two four", "cores, and ranks"),
    )


def more_images(files):
    return listed(
        given("four 28 28 ten", "files, pixels and classes"),
        given("2", "million images, in tests/data/test_own_files.py"),
        here(2e6 * 28 * 28 / 2**20, "2 million images of 28 x 28 bytes"),
        given("dozen 8,192 512", "in tests/data/test_own_files.py"),
        measured("56", "python -m pytest tests/data/test_own_files.py"),
        given("768", "MiB of the control group"),
        measured("7 51 67", "systemd-run --scope -p MemoryMax=768M python cli.py train"),
    )


CHAPTERS = {
    "Speed": speed,
    MORE + "One run on several processes": several_processes,
    MORE + "What it brings": scaling,
    MORE + "A sweep on several machines": lambda files: given("three two", "times, and files"),
    MORE + "A GPU": lambda files: given("14.2", "CuPy"),
    MORE + "Several GPUs": lambda files: given("2 3 5", "GPUs of the stand-in"),
    MORE + "More images than the memory holds": more_images,
}
NOT_YET = ()
