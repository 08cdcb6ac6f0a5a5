"""doctor, data, gradcheck, bench and scaling: what this machine has, and how fast it is."""

from functools import partial

import click

from .console import Sentence, command_line, say, show
from .options import COUNT, PATH, SEED, options
from .types import Numbers, Positive

BENCH_SIZES = {"default": "64,512,2048,8192"}
PROFILED = 512  # images in a batch of bench --profile, unless another size is given


@click.command()
@options("data_dir")
def doctor(data_dir):
    """Say what this machine has, what is wrong and how to mend it."""
    from minisgd.machine.doctor import examine

    for line, advice in examine(data_dir):
        click.echo(line)
        if advice:
            click.echo(f"            -> {advice}")


@click.command()
@options("dataset", "data_dir")
@click.option("--from", "source", type=PATH,
              help="Take the four files from this folder instead of downloading them.")  # fmt: skip
def data(dataset, data_dir, source):
    """Download, verify and describe a dataset."""
    from minisgd.data import describe, import_files, load_dataset

    if source is not None:
        found = import_files("mnist" if dataset == "auto" else dataset, source, data_dir)
    else:
        found = load_dataset(dataset, data_dir, log=say)
    for line in describe(found):
        click.echo(line)


@click.command()
@options("seed", "device", "network", "own",
         seed={"type": SEED, "help": "Seed of the numbers that the check is made with."},
         network={"help": "What is checked after the layers."})  # fmt: skip
def gradcheck(seed, device, network, own):
    """Check all gradients against central differences."""
    from minisgd.backend import device_name, resolve_device
    from minisgd.machine import gradients

    failed, device = 0, resolve_device(device)
    say(f"device {device_name(device)}")
    for check in gradients.check_all(seed, device, network):
        click.echo(str(check))
        failed += not check.passed
    if failed:
        raise Sentence(f"{failed} gradients are wrong", 1)
    click.echo("all gradients agree")


@click.command()
@options("batch_sizes", "dataset", "data_dir", batch_sizes=BENCH_SIZES)
@click.option("--rounds", type=COUNT, default=5, show_default=True,
              help="Epochs that each contender runs, in turns.")  # fmt: skip
@click.option("--device", type=click.Choice(("cpu", "cuda")), default="cpu", show_default=True,
              help="Where: on cuda, PyTorch runs eagerly and as a CUDA graph.")  # fmt: skip
@click.option("--profile", is_flag=True,
              help="Say where the time of an image and of an update goes, instead: one thread and "
              f"one batch size, {PROFILED} unless --batch-sizes gives another.")  # fmt: skip
@click.option("--json", "path", type=PATH, help="Write every measurement to this file.")
@click.pass_context
def bench(ctx, batch_sizes, dataset, data_dir, rounds, device, profile, path):
    """Time an epoch beside PyTorch and JAX, in turns.

    Beside them the matrix products alone are timed. Below the table stands what the steps of every
    optimizer take of an epoch, and what looking at a run takes: the test set, the checkpoint and
    the live page. On two cores all of it takes about 20 minutes.
    """
    import json

    from minisgd.backend import resolve_device
    from minisgd.data import load_dataset
    from minisgd.disk.files import write_aside
    from minisgd.machine import bench as benches
    from minisgd.machine import profiling
    from minisgd.settings import Settings

    if profile:
        batch_sizes = profiled(ctx, batch_sizes)
    if path and (path.is_dir() or not path.absolute().parent.is_dir()):  # before time is spent
        raise click.UsageError(
            f"--json: {path} cannot be a file: give a name in a folder that is there"
        )
    resolve_device(device)
    found = load_dataset(dataset, data_dir, log=say)
    for batch_size in batch_sizes:
        Settings(batch_size=batch_size).check(len(found.train.labels))
    if profile:
        for line in profiling.table(profiling.profile(found, *batch_sizes)):
            click.echo(line)
        return
    result = benches.bench(found, batch_sizes, rounds, say, device)
    if path is not None:  # before anything is printed: stdout may be full, or closed
        write_aside(path, (json.dumps(result, indent=1) + "\n").encode())
    for line in benches.table(result):
        click.echo(line)


def profiled(ctx, batch_sizes):
    """The one batch size of bench --profile, in a tuple.

    Raises:  UsageError if several are given, or options that it does not have
    """
    default = click.core.ParameterSource.DEFAULT
    given = {
        option.name: option.opts[0]
        for option in ctx.command.params
        if ctx.get_parameter_source(option.name) is not default
    }
    if others := [given[name] for name in ("rounds", "device", "path") if name in given]:
        raise click.UsageError(f"--profile measures one thing: leave out {', '.join(others)}")
    if "batch_sizes" not in given:
        return (PROFILED,)
    if len(batch_sizes) > 1:
        raise click.UsageError(
            f"--profile takes one batch size, such as --batch-sizes {batch_sizes[0]}"
        )
    return batch_sizes


@click.command()
@click.option("--ranks", type=Numbers(),
              help="Ranks to measure, such as 1,2,4.  [default: up to the cores]")  # fmt: skip
@options("batch_sizes", batch_sizes=BENCH_SIZES)
@click.option("--rounds", type=COUNT, default=3, show_default=True,
              help="Epochs of each batch size.")  # fmt: skip
@click.option("--latency", type=Positive(), metavar="MICROSECONDS",
              help="Of a message between ranks: 1 to 3 through InfiniBand, 10 to 50 through "
              "Ethernet.")  # fmt: skip
@click.option("--bandwidth", type=Positive(), metavar="GBIT/S",
              help="Between ranks: 100 to 400 of InfiniBand, 10 to 100 of Ethernet.")  # fmt: skip
@options("dataset", "data_dir", "figures")
def scaling(ranks, batch_sizes, rounds, latency, bandwidth, dataset, data_dir, out):
    """Measure the speedup of more ranks, and project it.

    Times an epoch in batches of several sizes on ranks of this machine, through MPI, and fits a
    model that says how long up to 1,024 ranks would take. With the updates that `measure steps`
    counted it says how soon each method would be done, through the network of this machine and two
    of clusters, or one of the latency and bandwidth that are given. Times that the folder of the
    figures holds of this machine are not taken again.
    """
    from minisgd import drawing
    from minisgd.data import load_dataset
    from minisgd.disk.formats import write_table
    from minisgd.lab.facts import cores, machine
    from minisgd.machine import buying, buying_shown, speedup, speedup_results
    from minisgd.measures import steps_shown
    from minisgd.report.publish import how_made, note_on, page, prepare_folder, publish

    if (latency is None) != (bandwidth is None):
        raise click.UsageError("a network has a --latency and a --bandwidth: give both, or neither")
    here = cores()
    ranks = sorted({1, *(ranks or (2**k for k in range(here.bit_length())))})
    speedup.check(ranks, batch_sizes, here)
    data = load_dataset(dataset, data_dir, log=say)
    N = len(data.train.labels)
    asked = {"ranks": ranks, "batch sizes": list(batch_sizes), "rounds": rounds}
    asked |= {"digest": data.identity, "machine": machine()}
    lines = buying.to_the_target(steps_shown.kept_lines(out, data))
    taken = times_kept(out, asked, {line.method for line in lines})
    if taken is None:
        prepare_folder(out)
        jobs = timed(ranks, batch_sizes, rounds, dataset, data_dir, N)
        steps = buying.step_seconds(lines, data, rounds) if lines else {}
        taken = {"jobs": jobs, "steps": steps} | how_made(command_line())
    jobs, steps = taken["jobs"], taken["steps"]
    widest = max((job for job in jobs if job["ranks"] <= here), key=lambda job: job["ranks"])
    model = speedup.fitted_to(jobs[0], widest, N)
    rows = speedup_results.rows_of(jobs, model, N, batch_sizes)
    networks = buying.CLUSTERS
    if latency:
        networks = {f"{latency:g} µs and {bandwidth:g} Gbit/s": (latency, bandwidth)}
    ratios = buying.misfits(jobs, model, N, here)
    found = buying.all_bought(lines, networks, model, steps, ratios)
    title = f"More ranks, larger batches: {N:,} images an epoch, measured on {here} cores"
    note, text = note_on(data.name), buying_shown.text(found)
    table = [*speedup_results.table(rows, model, N, here), "", *buying_shown.table(found)]
    made = {"title": title, "asked": asked, "model": vars(model), "networks": networks}
    made |= {"text": text, "misfits": ratios} | buying_shown.kept(found) | taken
    figure = drawing.chart(speedup_results.plots(rows, here), title, note)
    rows += buying_shown.rows_of(found)
    write_csv = partial(write_table, columns=speedup_results.COLUMNS, rows=rows)
    where = [publish(out, "scaling", figure, "every number", made, write_csv)]
    if found:
        figure = drawing.chart(buying_shown.plots(found, model), "What more ranks buy", note)
        where.append(publish(out, "scaling-times", figure, "every number", csv="scaling"))
    show([*page(title, note, table, text), *where])


def timed(ranks, batch_sizes, rounds, dataset, data_dir, N):
    """A job of speedup_timing for each number of ranks, on N images."""
    from minisgd.machine import speedup, speedup_timing
    from minisgd.settings import Settings

    jobs = []
    for R in ranks:
        sizes = speedup.sizes_for(batch_sizes, R)
        for b in sizes:
            Settings(batch_size=b).check(N)
        say(f"{R} ranks: batches of {', '.join(map(str, sizes))}, {rounds} epochs each")
        jobs.append(speedup_timing.start(R, dataset, data_dir, sizes, rounds, say))
    return jobs


def times_kept(out, asked, methods):
    """The "jobs", the "steps" of these methods and how they were made, of a scaling.json in the
    folder `out` that answers the same; None if there is none, or if it is damaged.
    """
    from minisgd.disk.formats import DamagedError, read_json

    path = out / "scaling.json"
    kinds = {"jobs": list, "steps": dict, "command": str, "versions": dict, "machine": str}
    try:
        made = read_json(path, asked=dict, **kinds)
    except DamagedError:  # or of an earlier version, which did not say what was asked
        return None
    if not made or made["asked"] != asked or not methods <= made["steps"].keys():
        return None
    say(f"the times in {path} are not taken again; another --out takes new ones")
    names = "jobs", "steps", "command", "commit", "versions", "machine"
    return {name: made.get(name) for name in names}
