"""The numbers of minisgd/machine/README.md. A chapter is a function of kept_files.Files."""

from page_numbers import given, here, listed, measured

from minisgd.commands import live
from minisgd.gradient import LANES, lanes_for
from minisgd.lab import ranks
from minisgd.machine import speedup_results
from minisgd.machine.speedup import CostModel

N = 60_000  # training images
BENCH = "python cli.py bench"
PROFILE = f"{BENCH} --profile --batch-sizes 64"
SWEEP = "python cli.py sweep --rule linear"
TRAIN = "python cli.py train --batch-size 60000 --epochs 6 --threads 2"
MORE = "More processes, more machines, a GPU: "


def speed(files):
    assert live.SHARE == 100
    return listed(
        given("60,000 two five two 2.4.6 2.13 0.10", "what was timed, and with what"),
        given("64 512 2048 8192", "batch sizes"),
        measured("5.35 3.82 4.22 4.98", BENCH),
        given("256", "a batch size"),
        measured("4.01 1.05 4.05 0.92 4.16 0.85", BENCH),
        measured("10.40 1.96 12.05 3.16 15.00 3.40 16.20 3.30", BENCH),
        given("1", "threads"),
        measured("4.26 0.80 4.13 1.06 4.08 0.99 4.14 0.83", BENCH),
        given("2", "threads"),
        measured("2.95 0.55 2.44 0.64 2.23 0.53 2.40 0.49", BENCH),
        given("2", "processes"),
        measured("2.33 0.43 2.25 0.59 2.19 0.50 2.35 0.47", BENCH),
        measured("1.60 0.30 1.59 0.42 1.53 0.36 1.67 0.33", BENCH),
        measured("0.75 0.14 0.76 0.20 0.72 0.17 0.78 0.16", BENCH),
        given("2", "threads"),
        measured("0.54 0.61 0.51 0.46", BENCH),
        given("1", "threads"),
        measured("135 925 139 924 135 924 135 1325", BENCH),
        given("two", "threads"), measured("1.82 1.54 1.46 1.37", BENCH),
        given("two", "processes"), measured("1.45 1.42 1.39 1.26", BENCH),
        given("2048 two", "a batch size, and threads"), measured(".61 .56 .59", BENCH),
        given("512 2048 8192", "batch sizes"),
        given("two", "processes"),
        measured("1.77 1.85", BENCH),
        given("four two", "runs, and threads"),
        measured(".54 .61", BENCH), given("64", "a batch size"),
        measured(".54 .66", BENCH), given("512", "a batch size"),
        measured(".43 .53", BENCH), given("2048", "a batch size"),
        measured(".37 .49", BENCH), given("8192", "a batch size"),
        measured(".63 .74 .45 .40 1.78 1.48 1.28 1.23", f"{BENCH}, at commit 2c649a7"),
        measured("11 38 23 45", SWEEP),
        given("three 64", "runs, and a batch size"),
        measured("4.3 5.0 363 2.4 2.5 18 20", PROFILE),
        measured("151", f"{PROFILE}, less those of --batch-sizes 63, which has one lane"),
        given("hundred", "SHARE in minisgd/commands/live.py"), given("two", "threads"),
        measured("6.7 7.8 8.0 8.1 5.6 6.9 165 .1 .2 3 1.1 122", BENCH), given("two", "threads"),
        measured("4.8", BENCH), given("64", "a batch size"),
        measured("7.2 7.7", BENCH), given("512", "a batch size"),
        given("8192 two", "a batch size, and threads"),
        measured("2.53", TRAIN), given("8192", "a batch size"),
        measured("2.52", TRAIN), given("16,384", "a batch size"),
        measured("2.49", TRAIN), given("32,768", "a batch size"),
        measured("2.48", TRAIN), given("60,000", "a batch size"),
        measured("162 164", TRAIN),
        measured(".75 1.01 seven .91", f"{SWEEP} --with FILE --optimizer NAME"),
        measured(".07", "python cli.py --help"),
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
        given("8192 two", "a batch size, and ranks"),
        measured("1.54", earlier),
        given("8192", "a batch size"),
        measured("1.53 1.55", earlier),
        given("16,384 32,768 60,000", "batch sizes"),
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
