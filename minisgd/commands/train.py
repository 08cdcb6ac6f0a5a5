"""train, sweep and rates: one run, many runs, and the rates and updates before any run."""

from contextlib import ExitStack
from pathlib import Path

import click

from .console import Sentence, command_line, say, stop, stopped
from .live import LivePage
from .options import MACHINE, RUN, check_workers, options, settings_of
from .plot import show_sweep
from .progress import EpochLines, Progress

IMAGES = 60_000  # of MNIST's training set


@click.command()
@options("batch_size", *RUN, "seed", *MACHINE)
def train(batch_size, seed, threads, device, dataset, data_dir, out, fresh, **run):
    """Train one network and print every epoch.

    One run may be spread over several processes, on several machines if you like: mpiexec -n 4
    python -m mpi4py -m minisgd train
    """
    from minisgd.lab.facts import cores
    from minisgd.lab.ranks import world
    from minisgd.lab.sweep import Question

    ranks = world()
    with ranks.or_abort():
        threads = threads or max(1, cores() // ranks.local)
        settings = settings_of(batch_size=batch_size, seed=seed, **run)
        if ranks.rank:
            follow(ranks, threads)
        else:
            question = Question(settings, (batch_size,), (seed,))
            answer(question, None, threads, device, dataset, data_dir, out, fresh, ranks)


def follow(ranks, threads):
    """The work of every rank but the first: its part of every batch, without printing."""
    from minisgd.backend import resolve_device
    from minisgd.data import load_dataset
    from minisgd.errors import UserError
    from minisgd.lab import facts, own, sweep

    rank_0, *asked = ranks.hear()
    if note := facts.compare(rank_0, "rank 0"):
        say(f"Rank {ranks.rank}: {note}.")
    name, digest, data_dir, device, file = asked
    own.add(file)  # as rank 0 read it
    data = load_dataset(name, data_dir, log=lambda line: None)
    if data.identity != digest:
        raise UserError(f"{data.name} is not the same here as at rank 0: give --data-dir")
    device = resolve_device(device, ranks.place)
    ranks.link(device)
    sweep.follow(ranks, data, device, threads)


@click.command()
@options(*RUN, "batch_sizes", "seeds", "jobs", "scheduler", *MACHINE)
def sweep(
    batch_sizes, seeds, jobs, scheduler, threads, device, dataset, data_dir, out, fresh, **run
):
    """Train every batch size and seed, and draw the figure.

    The runs go to processes on this machine, to the workers of a scheduler, or to those of MPI:
    mpiexec -n 5 python -m mpi4py.futures -m minisgd sweep
    """
    from minisgd.backend import resolve_device
    from minisgd.lab.cluster import cluster, is_elsewhere
    from minisgd.lab.sweep import Question

    check_workers(scheduler, jobs)
    question, threads = Question(settings_of(**run), batch_sizes, seeds), threads or 1
    if not is_elsewhere(scheduler):
        device = resolve_device(device)
    jobs = jobs or side_by_side(threads, device)
    with cluster(scheduler, say) as elsewhere:
        answer(question, jobs, threads, device, dataset, data_dir, out, fresh, elsewhere=elsewhere)


def side_by_side(threads, device):
    """How many runs, with this many threads each, the machine can do at once."""
    from minisgd.lab.facts import cores

    return 1 if device == "cuda" else max(1, cores() // threads)


def answer(
    question, jobs, threads, device, dataset, data_dir, out, fresh, ranks=None, elsewhere=None
):
    """Do the runs of a question that are missing from its folder, then show what the folder holds.

    jobs         how many runs go side by side; None for a single run in this process
    ranks        the ranks that share that single run
    elsewhere    a cluster.Cluster that does the runs instead
    """
    from minisgd.backend import device_name, resolve_device
    from minisgd.data import load_dataset
    from minisgd.lab import facts, own, sweep

    question.cells()  # raises for senseless batch sizes and seeds, before anything is done
    if not elsewhere:
        device = resolve_device(device, ranks.place if ranks else None)
    data = load_dataset(dataset, data_dir, log=say)
    for cell in question.cells():
        cell.check(len(data.train.labels))
    if ranks:
        ranks.tell((facts.about(), data.name, data.identity, data_dir, device, own.loaded()))
        if how := ranks.link(device):
            say(f"{ranks.size} ranks: {how}.")
    out = out or Path("runs") / folder_name(question, data.name, alone=jobs is None)
    with sweep.opened(out, question, data, command_line(), say, device, fresh) as everything:
        where = f"the workers, device {device}" if elsewhere else f"device {device_name(device)}"
        say(
            f"{data.name}: {len(data.train.labels):,} + {len(data.test.labels):,} images "
            f"({data.source}); {where}; results in {out}"
        )
        try:
            failures = run_missing(
                out, question, everything, data, device, jobs, threads, ranks, elsewhere
            )
        except KeyboardInterrupt as interrupt:
            stop(interrupt, kept_in(out, question, data.identity))
        except BrokenPipeError:  # whoever read the epochs has ended, as `| head -1` does
            say(f"{kept_in(out, question, data.identity)}; the same command goes on from there.")
            raise
        show_sweep(out, everything, failures)
    if failures:
        every = len(question.cells())
        raise Sentence(f"{len(failures)} of {every} runs failed: see {out / 'table.txt'}", 1)


def kept_in(out, question, digest):
    """The beginning of the sentence on an interrupted question: what its folder holds."""
    from minisgd.lab import sweep

    kept = sum(len(records) for _, records, _ in sweep.collect(out, question, digest))
    return stopped(kept, out)


def folder_name(question, dataset_name, alone):
    """The name of a question's folder under runs/, for when --out is not given."""
    from minisgd.lab import names

    name = names.folder_name(question.common, dataset_name)
    if alone:
        name = f"train-{name}-b{question.batch_sizes[0]}-seed{question.seeds[0]}"
    return name


def run_missing(out, question, everything, data, device, jobs, threads, ranks, elsewhere):
    """Do the runs of a question that are not finished yet.

    everything    the question that the folder answers, of which the page shows all runs

    Returns: {settings: reason} of the runs that failed
    """
    from minisgd.lab import sweep

    cells, missing = question.cells(), sweep.missing(out, question, data.identity)
    if len(missing) < len(cells):
        kept = len(cells) - len(missing)
        say(f"{kept} of {len(cells)} runs were finished before and are kept.")
    begun = {c: len(records) for c, records, _ in sweep.collect(out, question, data.identity)}
    if jobs is None:
        for cell in missing:
            sweep.run_cell(out, cell, data, device, threads, EpochLines(), say, ranks)
        if ranks:
            ranks.tell(None)
        return {}
    to_come = {cell: cell.epochs - begun[cell] for cell in missing}
    page, progress = LivePage(out, everything, data.identity, to_come), Progress(to_come)
    with ExitStack() as shown:

        def on_start():
            page.begin()
            shown.enter_context(progress)  # its bar stands below what the page says

        def on_epoch(settings, record):
            progress(settings, record)
            page(settings, record)

        try:
            return sweep.run_cells(
                out, missing, data, device, jobs, threads, on_epoch, say, elsewhere, on_start
            )
        except BaseException:
            page.stopped()
            raise


@click.command()
@options(*RUN, "batch_sizes")
def rates(batch_sizes, **run):
    """Print the learning rate of every epoch, without training.

    Where the batch grows, its size as well; and how many updates a run makes.
    """
    from dataclasses import replace

    from minisgd.rules import effective_lr

    cells = [replace(settings_of(**run), batch_size=b) for b in batch_sizes]
    runs = [(cell, max(IMAGES, cell.batch_size)) for cell in cells]
    for cell, N in runs:
        cell.check(N)  # refuses a warmup longer than the run
    common = cells[0]

    def by_epoch(value):
        click.echo("epoch " + "".join(f"{b:>10}" for b in batch_sizes))
        for epoch in range(1, common.epochs + 1):
            found = (value(cell, epoch, N) for cell, N in runs)
            click.echo(f"{epoch:>5} " + "".join(f"{each:>10}" for each in found))

    def rate(cell, epoch, N):
        updates = cell.updates_after(epoch, N) - cell.updates_after(epoch - 1, N)
        return f"{cell.rate_in(epoch, updates - 1, N):.4g}"

    by_update = common.decay != "none" or (common.warmup_updates and common.warmup != "none")
    when = f", at the end of an epoch of {IMAGES:,} images" if by_update else ""
    click.echo(f"learning rate by epoch and batch size{when}")
    by_epoch(rate)
    if common.batch_schedule:
        click.echo(f"\nimages in a batch by epoch, {IMAGES:,} in an epoch")
        by_epoch(lambda cell, epoch, N: f"{cell.batch_size_at(epoch, N)}")
    effective = [effective_lr(cell.scaled_lr, common.momentum) for cell in cells]
    click.echo(f"\neffective rate η/(1-m) after the warmup, m = {common.momentum:g}")
    click.echo("      " + "".join(f"{each:>10.4g}" for each in effective))
    updates = [cell.updates_after(common.epochs, N) for cell, N in runs]
    click.echo(f"\nupdates in all, over {common.epochs} epochs of {IMAGES:,} images")
    click.echo("      " + "".join(f"{each:>10}" for each in updates))
