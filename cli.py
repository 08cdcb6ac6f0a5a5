"""The commands of minisgd. No mathematics here; what is heavy is imported where it is needed."""

import errno
import functools
import shlex
import sys
import time
from pathlib import Path
from textwrap import wrap

import click

RULES = ("none", "sqrt", "linear")
WARMUPS = ("none", "constant", "gradual")
DATASETS = ("auto", "mnist", "fashion-mnist", "glyphs", "idx")
MEASURES = ("covariance", "equivalence", "effective-rate", "curvature", "noise-scale", "sharpness")
BATCH_SIZES = "64,128,256,512,1024,2048,4096,8192"
OWN_WORKERS = "--scheduler has its own workers: leave out --jobs"
MINUTE = 60.0  # seconds


class Sentence(click.ClickException):
    """What went wrong, in one sentence, with its exit code."""

    def __init__(self, message, exit_code):
        super().__init__(message)
        self.exit_code = exit_code


class Commands(click.Group):
    """Turns every error that a user can cause into one sentence and an exit code."""

    def list_commands(self, ctx):
        return list(self.commands)  # in the order in which they stand here

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.exceptions.NoArgsIsHelpError):
            raise  # --help, or an exit code that was chosen
        except click.UsageError as error:
            raise Sentence(error.format_message(), 2) from None
        except (KeyboardInterrupt, click.Abort):
            click.echo("\nStopped.", err=True)
            ctx.exit(130)
        except Exception as error:
            from minisgd.errors import SettingError, UserError

            if isinstance(error, UserError):
                raise Sentence(str(error), 2 if isinstance(error, SettingError) else 1) from None
            # A closed pipe is click's to mind.
            if isinstance(error, OSError) and error.errno != errno.EPIPE:
                where = f": {error.filename}" if error.filename else ""
                raise Sentence(f"{error.strerror or error}{where}", 1) from None
            raise

    def parse_args(self, ctx, args):
        try:
            return super().parse_args(ctx, args)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            raise Sentence(error.format_message(), 2) from None


class Numbers(click.ParamType):
    """Whole numbers, comma-separated: 64,128,256."""

    name = "numbers"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(int(part) for part in value.split(",") if part.strip())
        except ValueError:
            numbers = ()
        if not numbers:
            self.fail(f"{value!r} is not a list of whole numbers such as 64,128", param, ctx)
        return tuple(dict.fromkeys(numbers))


class Seeds(Numbers):
    """A count of seeds (3 is 0,1,2) or a list of them (0,1,2; "3," is the one seed 3)."""

    name = "seeds"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple) or "," in value:
            return super().convert(value, param, ctx)
        (count,) = super().convert(value, param, ctx)
        if not 1 <= count <= 1000:
            self.fail(f"{value!r} is not a count from 1 to 1000; a list has commas", param, ctx)
        return tuple(range(count))


class Rates(click.ParamType):
    """Numbers above 0, comma-separated: .01,.02,.05."""

    name = "rates"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        try:
            rates = tuple(float(part) for part in value.split(",") if part.strip())
        except ValueError:
            rates = ()
        if not rates:
            self.fail(f"{value!r} is not a list of numbers such as .01,.02", param, ctx)
        return tuple(dict.fromkeys(rates))


def options(*names):
    """The options of these names, in this order, as one decorator."""

    def decorate(command):
        for name in reversed(names):
            command = OPTIONS[name](command)
        return command

    return decorate


def _option(*arguments, **keywords):
    return click.option(*arguments, show_default=keywords.pop("show_default", True), **keywords)


OPTIONS = {
    "rule": _option("--rule", type=click.Choice(RULES), default="none",
                    help="How the rate follows the batch size."),
    "warmup": _option("--warmup", type=click.Choice(WARMUPS), default="none",
                      help="How the rate gets there."),
    "warmup_epochs": _option("--warmup-epochs", type=int, default=10, help="Epochs of the warmup."),
    "momentum": _option("--momentum", type=float, default=0.0, help="m of the momentum update."),
    "lr": _option("--lr", type=float, default=0.01, help="Learning rate of the base batch size."),
    "base_batch_size": _option("--base-batch-size", type=int, default=64,
                               help="The batch size that --lr suits."),
    "batch_size": _option("--batch-size", type=int, default=64, help="Images in a batch."),
    "batch_sizes": _option("--batch-sizes", type=Numbers(), default=BATCH_SIZES,
                           help="Batch sizes, comma-separated."),
    "epochs": _option("--epochs", type=int, default=30, help="Epochs of a run."),
    "seed": _option("--seed", type=int, default=0, help="Of the initial weights and the shuffles."),
    "seeds": _option("--seeds", type=Seeds(), default="1",
                     help="How many seeds, or which: 3 is 0,1,2; \"3,\" is seed 3 alone."),
    "jobs": _option("--jobs", type=click.IntRange(1), default=None,
                    help="Runs side by side, a process each.  [default: the cores; on a GPU 1]"),
    "scheduler": _option("--scheduler", metavar="ADDRESS", default=None,
                         help="Give the runs to this scheduler's workers (distributed)."),
    "threads": _option("--threads", type=click.IntRange(1), default=None,
                       help="Threads of a run.  [default: the cores; in a sweep 1]"),
    "device": _option("--device", type=click.Choice(("auto", "cpu", "cuda")), default="auto",
                      help="Where the arrays live."),
    "dataset": _option("--dataset", type=click.Choice(DATASETS), default="auto",
                       help="auto: MNIST, else built-in glyphs; idx: the files of --data-dir."),
    "data_dir": _option("--data-dir", type=click.Path(path_type=Path), default=None,
                        help="Folder of the datasets.  [default: MINISGD_DATA or the cache]"),
    "out": _option("--out", type=click.Path(path_type=Path), default=None,
                   help="Folder of the results.  [default: one under runs/, named by settings]"),
    "fresh": _option("--fresh", is_flag=True, show_default=False,
                     help="Start over: delete what is in the folder of the results."),
}  # fmt: skip
RATE = ("rule", "warmup", "warmup_epochs", "momentum", "lr", "base_batch_size")
MACHINE = ("threads", "device", "dataset", "data_dir", "out", "fresh")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli():
    """How far can the batch of SGD grow, and what must the rate and the momentum do then?

    LeNet-5 on MNIST with gradients by hand. Start with: python cli.py sweep --rule linear
    """
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a terminal that has no η gets a question mark


@cli.command()
@options("batch_size", *RATE, "epochs", "seed", *MACHINE)
def train(batch_size, seed, threads, device, dataset, data_dir, out, fresh, **rest):
    """Train one network and print every epoch.

    Over several processes, of several machines, too: mpiexec -n 4 python -m mpi4py cli.py train
    """
    from minisgd.lab.facts import cores
    from minisgd.lab.ranks import world
    from minisgd.settings import Settings

    ranks = world()
    with ranks.or_abort():
        threads = threads or max(1, cores() // ranks.local)
        settings = Settings(batch_size=batch_size, seed=seed, **rest)
        if ranks.rank:
            _follow(ranks, threads)
        else:
            _answer(settings, (batch_size,), (seed,), None, threads, device, dataset, data_dir,
                    out, fresh, ranks)  # fmt: skip


def _follow(ranks, threads):
    """What the ranks but the first do: their part of every batch, in silence."""
    from minisgd.backend import resolve_device
    from minisgd.data import load_dataset
    from minisgd.errors import UserError
    from minisgd.lab import sweep

    name, digest, data_dir, device = ranks.hear()
    data = load_dataset(name, data_dir, log=lambda line: None)
    if data.digest != digest:
        raise UserError(f"{data.name} is not the same here as at rank 0: give --data-dir")
    device = resolve_device(device, ranks.place)
    ranks.link(device)
    sweep.follow(ranks, data, device, threads)


@cli.command()
@options(*RATE, "batch_sizes", "epochs", "seeds", "jobs", "scheduler", *MACHINE)
def sweep(batch_sizes, seeds, jobs, scheduler, threads, device, dataset, data_dir, out, fresh,
          **rest):  # fmt: skip
    """Train every batch size and seed; draw the figure.

    The runs go to processes here, to a scheduler's workers, or to MPI's:
    mpiexec -n 5 python -m mpi4py.futures cli.py sweep
    """
    from minisgd.backend import resolve_device
    from minisgd.lab.cluster import cluster, is_elsewhere
    from minisgd.settings import Settings

    if scheduler and jobs:
        raise click.UsageError(OWN_WORKERS)
    settings, threads = Settings(**rest), threads or 1
    if not is_elsewhere(scheduler):
        device = resolve_device(device)
    jobs = jobs or _side_by_side(threads, device)
    with cluster(scheduler) as elsewhere:
        _answer(settings, batch_sizes, seeds, jobs, threads, device, dataset, data_dir, out, fresh,
                elsewhere=elsewhere)  # fmt: skip


def _side_by_side(threads, device):
    """How many runs of so many threads this machine takes at once."""
    from minisgd.lab.facts import cores

    return 1 if device == "cuda" else max(1, cores() // threads)


def _answer(settings, batch_sizes, seeds, jobs, threads, device, dataset, data_dir, out, fresh,
            ranks=None, elsewhere=None):  # fmt: skip
    """Run what is missing of a question (jobs None: its one run, in this process and those of the
    other ranks; elsewhere: by other machines), then show it.
    """
    from minisgd.backend import device_name, resolve_device
    from minisgd.data import load_dataset
    from minisgd.disk.files import locked, make_folder
    from minisgd.lab import sweep as sweeps

    question = sweeps.Question(settings, batch_sizes, seeds)
    question.cells()  # a batch size or seed that makes no sense is refused before anything is done
    if not elsewhere:
        device = resolve_device(device, ranks.place if ranks else None)
    data = load_dataset(dataset, data_dir, log=_say)
    for cell in question.cells():
        cell.check(len(data.train.labels))
    if ranks:
        ranks.tell((data.name, data.digest, data_dir, device))
        if how := ranks.link(device):
            _say(f"{ranks.size} ranks: {how}.")
    if out is None:
        name = sweeps.default_name(settings, data.name)
        alone = f"train-{name}-b{batch_sizes[0]}-seed{seeds[0]}"
        out = Path("runs") / (alone if jobs is None else name)
    sweeps.check_folder(out)
    make_folder(out)
    with locked(out):
        if fresh:
            sweeps.fresh(out, _say)
        command = shlex.join(["python", *sys.argv])
        everything = sweeps.open_folder(out, question, data, command, _say, device)
        where = f"the workers, device {device}" if elsewhere else f"device {device_name(device)}"
        _say(
            f"{data.name}: {len(data.train.labels):,} + {len(data.test.labels):,} images "
            f"({data.source}); {where}; results in {out}"
        )
        missing = sweeps.missing(out, question, data.digest)
        done = len(question.cells()) - len(missing)
        if done:
            _say(f"{done} of {len(question.cells())} runs were finished before and are kept.")
        begun = {c: len(records) for c, records, _ in sweeps.collect(out, question, data.digest)}
        failures = {}
        try:
            if jobs is None:
                for cell in missing:
                    sweeps.run_cell(out, cell, data, device, threads, _Lines(), _say, ranks)
                if ranks:
                    ranks.tell(None)
            else:
                with _Progress({cell: cell.epochs - begun[cell] for cell in missing}) as progress:
                    failures = sweeps.run_cells(
                        out, missing, data, device, jobs, threads, progress, _say, elsewhere
                    )
        except KeyboardInterrupt:
            collected = sweeps.collect(out, question, data.digest)
            kept = sum(len(records) for _, records, _ in collected)
            _say(
                f"\nStopped. {kept} whole epochs are kept in {out}; "
                "the same command goes on from there."
            )
            sys.exit(130)
        _show(out, everything, failures)
    if failures:
        raise Sentence(f"{len(failures)} of {len(question.cells())} runs failed, see the table", 1)


class _Lines:
    """Prints every epoch of one run."""

    def __init__(self):
        self.began, self.first = time.monotonic(), None

    def __call__(self, settings, record):
        self.first = self.first or record["epoch"]
        done = record["epoch"] - self.first + 1
        left = (time.monotonic() - self.began) / done * (settings.epochs - record["epoch"])
        if record["status"] == "diverged":
            click.echo(f"epoch {record['epoch']:>3}  diverged at update {record['update']}")
            return
        click.echo(
            f"epoch {record['epoch']:>3}  rate {record['lr']:<8.4g} "
            f"train loss {record['train_loss']:.4f} accuracy {record['train_accuracy']:.4f}   "
            f"test loss {record['test_loss']:.4f} accuracy {record['test_accuracy']:.4f}   "
            f"{record['seconds']:.1f} s, {_clock(left)} left"
            + ("   stuck on one class" if record["status"] == "stuck" else "")
        )


class _Progress:
    """How far a sweep is: a bar on a terminal; elsewhere a line for every run and every minute."""

    def __init__(self, left):
        from minisgd.lab.runs import is_last

        self.is_last, self.left = is_last, left  # {settings: epochs to come}
        self.total, self.finished = sum(left.values()), 0
        self.began = self.told = time.monotonic()
        self.bar = None

    def __enter__(self):
        if sys.stderr.isatty() and self.left:
            self.bar = click.progressbar(
                length=self.total, label="epochs", file=sys.stderr, item_show_func=lambda s: s
            )
            self.bar.__enter__()
        return self

    def __exit__(self, *error):
        if self.bar:
            self.bar.__exit__(*error)

    def __call__(self, settings, record):
        over = self.is_last(record, settings)
        # A diverged run has no more epochs to come; one that is repeated has come before.
        steps = self.left[settings] if over else min(1, self.left[settings])
        self.left[settings] -= steps
        self.finished += over
        accuracy = record["test_accuracy"]
        said = f"b {settings.batch_size}, seed {settings.seed}: " + (
            "diverged" if accuracy is None else f"test accuracy {accuracy:.4f}"
        )
        if self.bar:
            self.bar.update(steps, said)
        elif over or time.monotonic() - self.told > MINUTE:
            self.told, todo = time.monotonic(), sum(self.left.values())
            done = max(1, self.total - todo)
            left = (self.told - self.began) / done * todo
            where = "" if over else f" after epoch {record['epoch']}"
            _say(f"{self.finished} of {len(self.left)} runs, {_clock(left)} left; {said}{where}")


def _show(out, question, failures, into=None):
    """Write a folder's metrics.csv, table and figure, there or in another folder; print the table
    and where they lie.
    """
    from minisgd.disk.files import make_folder, write_aside
    from minisgd.drawing import plots
    from minisgd.lab import runs, sweep
    from minisgd.report import summary

    title, note, digest = _title(out)
    into = into or out
    make_folder(into)
    collected = sweep.collect(out, question, digest, failures)
    rows = sweep.rows_of(collected)
    lines = [title, *([note] if note else []), "", *summary.table(collected)]
    runs.write_metrics(into / "metrics.csv", rows)
    write_aside(into / "table.txt", ("\n".join(lines) + "\n").encode())
    click.echo("\n".join(["", *lines, ""]))
    if rows:
        png, svg = plots.save(plots.accuracy_figure(rows, title, note), into, "accuracy")
        click.echo(f"figure: {png} and {svg.name}")
    click.echo(f"table:  {into / 'table.txt'}; every epoch: {into / 'metrics.csv'}")


def _title(out):
    """(title, note, digest) of a folder's results; the note says so if it is not MNIST."""
    from minisgd.lab.sweep import load_folder, title_of

    question, known = load_folder(out)
    note = None
    if known["dataset"] == "glyphs":
        note = _not_mnist("glyphs")
    return title_of(question.common, known["dataset"]), note, known["digest"]


FIGURES = click.option("--out", type=click.Path(path_type=Path), default=Path("figures"),
                       show_default=True, help="Folder of the figures.")  # fmt: skip
HELD_OUT = click.option("--held-out", "size", type=int, default=5000, show_default=True,
                        help="Training images to choose on, drawn once.")  # fmt: skip


class _Workshop:
    """What trains the runs of many figures: a dataset, found when it is needed, and processes."""

    def __init__(self, work, dataset, data_dir, jobs, scheduler, threads, device):
        from minisgd.backend import resolve_device
        from minisgd.lab.cluster import is_elsewhere

        self.work, self.dataset, self.data_dir = work, dataset, data_dir
        self.scheduler = scheduler
        self.threads, self.found, self.where = threads or 1, None, None
        self.device = device if is_elsewhere(scheduler) else resolve_device(device)
        self.jobs = jobs or _side_by_side(self.threads, self.device)

    def data(self):
        from minisgd.data import load_dataset

        self.found = self.found or load_dataset(self.dataset, self.data_dir, log=_say)
        return self.found

    def run(self, name, cells, data):
        """Do what is missing of these runs in the folder of this name.

        Returns: {settings: RunFolder} of the whole runs, a sentence on those that failed or None
        """
        from minisgd.disk.files import locked, make_folder
        from minisgd.lab import runs, sweep
        from minisgd.lab.cluster import cluster

        for cell in cells:  # before any of them is trained
            cell.check(len(data.train.labels))
        out = self.work / data.name / name
        make_folder(out)
        folders = {cell: runs.RunFolder(out, cell, data.digest) for cell in cells}
        with locked(out):
            left = {c: c.epochs - len(f.records()) for c, f in folders.items() if not f.finished()}
            with cluster(self.scheduler) as elsewhere, _Progress(left) as progress:
                self.where = elsewhere and elsewhere.where
                failures = sweep.run_cells(
                    out, left, data, self.device, self.jobs, self.threads, progress, _say, elsewhere
                )
        whole = {cell: folder for cell, folder in folders.items() if cell not in failures}
        reasons = "; ".join(f"{runs.run_name(c)}: {why}" for c, why in failures.items())
        amiss = f"{len(failures)} runs failed ({reasons}); the others are kept"
        return whole, amiss if failures else None

    def making(self, cells):
        """How runs came about, for the file beside their results."""
        from minisgd.lab import facts
        from minisgd.lab.facts import commit, machine

        return {
            "command": shlex.join(["python", *sys.argv]),
            "runs": len(cells),
            "seeds": sorted({cell.seed for cell in cells}),
            "commit": commit(),
            "versions": facts.versions(),
            "machine": self.where or machine(),
            "device": f"{self.device}, of the workers" if self.where else self.device,
            "jobs": None if self.where else self.jobs,
        }


def _ask(out, name, asked):
    """Refuse to put the answer to a question where that to another one is."""
    from minisgd.errors import SettingError
    from minisgd.lab import runs

    path = out / f"{name}.json"
    known = runs.read_json(path)
    differs = [key for key in asked if known and known["asked"].get(key) != asked[key]]
    if differs:
        raise SettingError(
            f"{path} is the answer to another question (it differs in {', '.join(differs)}): "
            "give another --out"
        )


def _workshop(command):
    """Give a command the options of a _Workshop, and the workshop in their place."""

    @functools.wraps(command)
    def with_workshop(work, dataset, data_dir, jobs, scheduler, threads, device, **rest):
        if scheduler and jobs:
            raise click.UsageError(OWN_WORKERS)
        command(_Workshop(work, dataset, data_dir, jobs, scheduler, threads, device), **rest)

    which = click.option("--dataset", type=click.Choice(DATASETS), default="mnist",
                         show_default=True, help="What to train on.")  # fmt: skip
    where = click.option("--runs", "work", type=click.Path(path_type=Path),
                         default=Path("runs/figures"), show_default=True,
                         help="Folder of the runs behind the figures.")  # fmt: skip
    return where(
        which(options("jobs", "scheduler", "threads", "device", "data_dir")(with_workshop))
    )


@cli.command()
@click.argument("which", nargs=-1)
@click.option("--seeds", type=click.IntRange(1, 1000), default=5, show_default=True,
              help="Seeds of every run; twice as many where the outcome is luck.")  # fmt: skip
@click.option("--reference", type=click.Path(path_type=Path, exists=True), default=None,
              help="Folder of the authors' own tables: draws figureN-reference.")  # fmt: skip
@FIGURES
@_workshop
def figures(workshop, which, seeds, reference, out):
    """Make the report's figures, over several seeds.

    WHICH are 1 to 6, constant-warmup, effective-rate or all. What the folder of the figures holds
    already is not trained again.
    """
    from minisgd.disk.files import make_folder
    from minisgd.lab import runs
    from minisgd.report import experiments

    make_folder(out)
    amiss = []
    for experiment in experiments.named(which or ("all",)):
        kept, cells = experiments.Kept(out), experiment.cells(seeds)
        missing = [cell for cell in cells if not kept.records(cell)]
        _say(f"{experiment.title}: {len(missing) or 'none'} of {len(cells)} runs to do")
        if missing:
            data = workshop.data()
            kept.check(data)
            folders, failed = workshop.run(experiment.name, missing, data)
            amiss += [failed] if failed else []
            done = {cell: folder.records() for cell, folder in folders.items()}
            kept.add(experiment, done, data, workshop.making(done))
        collected = [(cell, kept.records(cell), None) for cell in kept.cells(experiment)]
        if not collected:
            continue
        theirs = experiments.read_reference(reference, experiment) if reference else []
        if reference and not theirs:
            _say(f"{reference} holds no table of the authors' for {experiment.name}.")
        note = _not_mnist(kept.made[experiment.name]["dataset"])
        rows = [runs.tidy(settings, r) for settings, records, _ in collected for r in records]
        _show_figure(out, experiment, rows, collected, note, theirs)
    if amiss:
        raise Sentence("; ".join(amiss), 1)


def _show_figure(out, experiment, rows, collected, note, theirs):
    """Draw an experiment's figure, beside it the one with the authors' lines, print its table."""
    from statistics import median

    from minisgd.drawing import plots
    from minisgd.report import summary

    figure = plots.report_figure(
        rows, experiment.title, experiment.losses, experiment.apart, theirs, note
    )
    name = experiment.name + ("-reference" if theirs else "")
    png, svg = plots.save(figure, out, name)
    click.echo("\n".join(["", experiment.title, *([note] if note else []), ""]))
    click.echo("\n".join(summary.table(collected)))
    # By the median: an epoch in which the machine slept, or was stopped, is counted as another.
    times = [[record["seconds"] for record in records] for _, records, _ in collected]
    took = _clock(sum(median(some) * len(some) for some in times))
    click.echo(f"\n{len(collected)} runs, {took} of training one after the other")
    click.echo(f"figure: {png} and {svg.name}; every epoch: {out / experiment.name}.csv")


def _not_mnist(dataset):
    if dataset == "glyphs":
        return "NOT MNIST: the built-in digits drawn from fonts (glyphs)"
    return None if dataset == "mnist" else f"NOT MNIST: {dataset}"


@cli.command()
@click.option("--lrs", type=Rates(), default=None,
              help="Rates, comma-separated.  [default: .001 .002 .005 ... .5]")  # fmt: skip
@options("batch_size", "momentum", "epochs")
@click.option("--seeds", type=Seeds(), default="3", show_default=True, help="As in a sweep.")
@HELD_OUT
@FIGURES
@_workshop
def tune(workshop, lrs, seeds, size, out, **rest):
    """Choose the base rate on held-out images.

    What the test set would choose, as the report did, is shown beside it.
    """
    from minisgd.disk.files import make_folder
    from minisgd.drawing import plots
    from minisgd.lab import runs
    from minisgd.report import selection
    from minisgd.settings import Settings

    cells = [Settings(lr=lr, seed=s, **rest) for lr in lrs or selection.RATES for s in seeds]
    data = workshop.data()
    held_out = selection.hold_out(data, size)
    asked = rest | {"lrs": sorted({c.lr for c in cells}), "seeds": list(seeds), "held out": size}
    asked |= {"dataset": data.name, "digest": data.digest}
    _ask(out, "tune", asked)
    folders, amiss = workshop.run(f"tune-{size}", cells, held_out)
    if amiss:
        raise Sentence(amiss, 1)
    make_folder(out)
    tried, common = selection.tried(folders, data.test), cells[0]
    title = (
        f"Which rate? b = {common.batch_size}, m = {common.momentum:g}, {common.epochs} epochs, "
        f"{size:,} of {len(data.train.labels):,} training images held out"
    )
    note = _not_mnist(data.name)
    lines, advice = selection.table(tried)
    click.echo("\n".join(["", title, *([note] if note else []), "", *lines, ""]))
    for sentence in advice:
        _say(sentence)
    runs.write_table(out / "tune.csv", selection.COLUMNS, selection.rows(tried))
    made = {"title": title, "asked": asked} | workshop.making(cells)
    runs.write_json(out / "tune.json", made)
    chosen = {by: selection.best(tried, by)[0] for by in ("validation", "test")}
    png, svg = plots.save(
        plots.rate_figure(selection.rows(tried), chosen, title, note), out, "tune"
    )
    click.echo(f"figure: {png} and {svg.name}; every run: {out / 'tune.csv'}")


@cli.command()
@click.option("--batch-size", type=int, default=2048, show_default=True,
              help="Images in a batch at the start.")  # fmt: skip
@click.option("--momentum", type=float, default=0.9, show_default=True,
              help="m at the start.")  # fmt: skip
@options("lr", "epochs")
@click.option("--seeds", type=Seeds(), default="3", show_default=True, help="As in a sweep.")
@click.option("--factor", type=int, default=2, show_default=True,
              help="What a step multiplies the batch by.")  # fmt: skip
@click.option("--rule", type=click.Choice(RULES[1:]), default="sqrt", show_default=True,
              help="How rate and 1/(1-m) follow.")  # fmt: skip
@click.option("--tolerance", type=float, default=0.002, show_default=True,
              help="How far validation accuracy may fall below the start's.")  # fmt: skip
@click.option("--largest", type=int, default=8192, show_default=True,
              help="The largest batch to try.")  # fmt: skip
@HELD_OUT
@FIGURES
@_workshop
def grow(workshop, seeds, factor, rule, tolerance, largest, size, out, **rest):
    """Grow the batch in steps while accuracy holds.

    First the rate grows with it, then 1/(1-m): the procedure of Sec. IV, on held-out images.
    """
    from minisgd.disk.files import make_folder
    from minisgd.drawing import plots
    from minisgd.lab import runs
    from minisgd.report import selection
    from minisgd.settings import Settings

    start, data = Settings(**rest), workshop.data()
    held_out, folders = selection.hold_out(data, size), {}
    name = "grow" if (factor, rule) == (2, "sqrt") else f"grow-{rule}{factor}"
    asked = rest | {"seeds": list(seeds), "tolerance": tolerance, "largest": largest}
    asked |= {"held out": size, "dataset": data.name, "digest": data.digest}
    _ask(out, name, asked)

    def run(cells):
        done, amiss = workshop.run(f"grow-{size}", cells, held_out)
        if amiss:
            raise Sentence(amiss, 1)
        folders.update(done)
        return {cell: folder.records() for cell, folder in done.items()}

    title = (
        f"How far can it grow? From b = {start.batch_size} by {factor}, {rule} rule, "
        f"tolerance {tolerance:g}, {size:,} images held out"
    )
    note = _not_mnist(data.name)
    click.echo("\n".join(["", title, *([note] if note else []), ""]))
    steps = selection.grow(
        run, start, seeds, factor, rule, tolerance, largest, lambda step: click.echo(str(step))
    )
    make_folder(out)
    rows = [runs.tidy(cell, r) for cell, folder in folders.items() for r in folder.records()]
    selection.write_growth(out / f"{name}.csv", rows)
    made = {"title": title, "asked": asked, "steps": [str(step) for step in steps]}
    runs.write_json(out / f"{name}.json", made | workshop.making(folders))
    figure = plots.report_figure(rows, title, note=note, held_out=True)
    png, svg = plots.save(figure, out, name)
    click.echo(f"figure: {png} and {svg.name}; every epoch: {out / name}.csv")


@cli.command()
@FIGURES
@click.option("--markdown", is_flag=True, help="As the table of the README.")
def verdicts(out, markdown):
    """Hold every claim of the report against the figures' results."""
    from minisgd.report.experiments import Kept
    from minisgd.report.verdicts import markdown_table, table
    from minisgd.report.verdicts import verdicts as judge

    kept = Kept(out)
    if not kept.made:
        raise Sentence(f"{out} holds no results: run `python cli.py figures` first", 1)
    note = _not_mnist(next(iter(kept.made.values()))["dataset"])
    for line in [note] if note else []:
        click.echo(line)
    for line in (markdown_table if markdown else table)(judge(kept)):
        click.echo(line)


@cli.command()
@click.argument("what", nargs=-1, type=click.Choice((*MEASURES, "all")))
@options("seed")
@FIGURES
@_workshop
def measure(workshop, what, seed, out):
    """Measure the formulas that the report argues with.

    WHAT are covariance, equivalence, effective-rate, curvature, noise-scale, sharpness or all. Each
    leaves a table and a figure, and says in a paragraph what is seen. Only the runs of sharpness go
    to a --scheduler; the others are one process with --threads times --jobs threads.
    """
    from threadpoolctl import threadpool_limits

    from minisgd.disk.files import make_folder
    from minisgd.drawing import panels as charts
    from minisgd.drawing import plots
    from minisgd.lab import runs
    from minisgd.lab.facts import machine
    from minisgd.measures import MEASURES as measures
    from minisgd.report.experiments import Kept

    data, threads = workshop.data(), workshop.jobs * workshop.threads

    def run(cells):
        """The weights and records of whole runs, for the measure that compares where they end."""
        folders, amiss = workshop.run("measure", cells, data)
        if amiss:
            raise Sentence(amiss, 1)
        found = {cell: runs.read_checkpoint(folder.newest) for cell, folder in folders.items()}
        return {cell: (state.w, records) for cell, (_, records, state) in found.items()}

    for name in MEASURES if not what or "all" in what else dict.fromkeys(what):
        asked = {"seed": seed, "dataset": data.name, "digest": data.digest}
        into = f"measure-{name}"
        _ask(out, into, asked)
        more = {"sharpness": {"run": run}, "noise-scale": {"kept": Kept(out)}}.get(name, {})
        began = time.monotonic()
        with threadpool_limits(1, user_api="blas"):  # the threads are the lanes'
            found = measures[name](data, seed, threads, _say, **more)
        took, note = time.monotonic() - began, _not_mnist(data.name)
        make_folder(out)
        runs.write_table(out / f"{into}.csv", found.columns, found.rows)
        making = {key: value for key, value in workshop.making(()).items() if key != "runs"}
        if name != "sharpness":  # only its runs ask for a device, or go elsewhere
            making |= {"device": "cpu", "machine": machine()}
        made = {"title": found.title, "asked": asked, "text": found.text, "seconds": round(took)}
        runs.write_json(out / f"{into}.json", made | making)
        figure = charts.chart(found.plots, found.title, note, height=found.height)
        png, svg = plots.save(figure, out, into)
        click.echo("\n".join(["", found.title, *([note] if note else []), "", *found.table, ""]))
        click.echo("\n".join(wrap(found.text, 100)))
        click.echo(
            f"\nfigure: {png} and {svg.name}; every number: {out / into}.csv; {_clock(took)}"
        )


@cli.command()
@options(*RATE, "batch_sizes", "epochs")
def rates(batch_sizes, **rest):
    """Print the learning rate of every epoch, before any run."""
    from dataclasses import replace

    from minisgd.rules import effective_lr
    from minisgd.settings import Settings

    cells = [replace(Settings(**rest), batch_size=b) for b in batch_sizes]
    click.echo("learning rate by epoch and batch size")
    click.echo("epoch " + "".join(f"{b:>10}" for b in batch_sizes))
    for epoch in range(1, cells[0].epochs + 1):
        click.echo(f"{epoch:>5} " + "".join(f"{cell.lr_at(epoch):>10.4g}" for cell in cells))
    momentum = cells[0].momentum
    effective = [effective_lr(cell.scaled_lr, momentum) for cell in cells]
    click.echo(f"\neffective rate η/(1-m) after the warmup, m = {momentum:g}")
    click.echo("      " + "".join(f"{rate:>10.4g}" for rate in effective))


@cli.command()
@options("seed", "device")
def gradcheck(seed, device):
    """Check all gradients against central differences."""
    from minisgd.backend import device_name, resolve_device
    from minisgd.gradcheck import check_all

    failed, device = 0, resolve_device(device)
    _say(f"device {device_name(device)}")
    for check in check_all(seed, device):
        click.echo(str(check))
        failed += not check.passed
    if failed:
        raise Sentence(f"{failed} gradients are wrong", 1)
    click.echo("all gradients agree")


@cli.command()
@options("dataset", "data_dir")
@click.option("--from", "source", type=click.Path(path_type=Path), default=None,
              help="Take the four files from this folder instead of fetching them.")  # fmt: skip
def data(dataset, data_dir, source):
    """Fetch, verify and describe a dataset."""
    from minisgd.data import describe, import_files, load_dataset

    if source is not None:
        found = import_files("mnist" if dataset == "auto" else dataset, source, data_dir)
    else:
        found = load_dataset(dataset, data_dir, log=_say)
    for line in describe(found):
        click.echo(line)


@cli.command()
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=None,
              help="Folder of the figure.  [default: the sweep's; of several: here]")  # fmt: skip
def plot(results, out):
    """Draw a sweep's figure again, or several side by side."""
    from minisgd.drawing import plots
    from minisgd.lab import sweep

    for folder in results:
        sweep.load_folder(folder)  # refuses what is not a sweep's
    if len(results) == 1:
        question, _ = sweep.load_folder(results[0])
        _show(results[0], question, {}, out)
        return
    panels, notes = [], []
    for folder in results:
        title, note, digest = _title(folder)
        question, _ = sweep.load_folder(folder)
        panels.append((title, sweep.rows_of(sweep.collect(folder, question, digest))))
        notes.append(note)
    note = next(filter(None, notes), None)
    if note and not all(notes):
        note = "NOT ALL MNIST: glyphs are the built-in digits drawn from fonts"
    figure = plots.comparison_figure(panels, note=note)
    png, svg = plots.save(figure, out or Path("."), "comparison")
    click.echo(f"figure: {png} and {svg.name}")


@cli.command()
@options("data_dir")
def doctor(data_dir):
    """Say what this machine has and what is amiss."""
    from minisgd.machine.doctor import examine

    for line, advice in examine(data_dir):
        click.echo(line)
        if advice:
            click.echo(f"            -> {advice}")


@cli.command()
@click.option(
    "--batch-sizes",
    type=Numbers(),
    default="64,512,2048,8192",
    show_default=True,
    help="Batch sizes, comma-separated.",
)
@options("dataset", "data_dir")
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Epochs of each contender, in turns.",
)
@click.option("--device", type=click.Choice(("cpu", "cuda")), default="cpu", show_default=True,
              help="Where: on cuda PyTorch runs eager, and as a CUDA graph.")  # fmt: skip
@click.option("--profile", is_flag=True, help="Say where the time of an image goes, instead.")
@click.option("--json", "path", type=click.Path(path_type=Path), default=None,
              help="Write every measurement to this file.")  # fmt: skip
@click.pass_context
def bench(ctx, batch_sizes, dataset, data_dir, rounds, device, profile, path):
    """Time an epoch beside PyTorch and JAX, in turns."""
    import json

    from minisgd.backend import resolve_device
    from minisgd.data import load_dataset
    from minisgd.disk.files import write_aside
    from minisgd.machine import bench as benches
    from minisgd.machine import profiling
    from minisgd.settings import Settings

    given = [
        f"--{name.replace('_', '-')}"
        for name in ("batch_sizes", "rounds", "device")
        if ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
    ] + (["--json"] if path else [])
    if profile and given:
        raise click.UsageError(f"--profile measures one thing: leave out {', '.join(given)}")
    if path and (path.is_dir() or not path.absolute().parent.is_dir()):  # before time is spent
        raise click.UsageError(
            f"--json: {path} cannot be a file: give a name in a folder that is there"
        )
    resolve_device(device)
    found = load_dataset(dataset, data_dir, log=_say)
    for batch_size in batch_sizes:
        Settings(batch_size=batch_size).check(len(found.train.labels))
    if profile:
        for line in profiling.table(*profiling.profile(found)):
            click.echo(line)
        return
    result = benches.bench(found, batch_sizes, rounds, _say, device)
    for line in benches.table(result):
        click.echo(line)
    if path is not None:
        write_aside(path, (json.dumps(result, indent=1) + "\n").encode())


@cli.command()
@click.option("--ranks", type=Numbers(), default=None,
              help="Ranks to measure, such as 1,2,4.  [default: up to the cores]")  # fmt: skip
@click.option("--batch-sizes", type=Numbers(), default="64,512,2048,8192", show_default=True,
              help="Batch sizes, comma-separated.")  # fmt: skip
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True,
              help="Epochs of each.")  # fmt: skip
@options("dataset", "data_dir")
@FIGURES
def scaling(ranks, batch_sizes, rounds, dataset, data_dir, out):
    """Measure what more ranks bring, and project it.

    An epoch in batches of several sizes on ranks of this machine, through MPI; a model is fitted
    to it, and says what up to 1,024 ranks would need.
    """
    from minisgd.data import load_dataset
    from minisgd.disk.files import make_folder
    from minisgd.drawing import panels as charts
    from minisgd.drawing import plots
    from minisgd.lab import facts, runs
    from minisgd.lab.facts import commit, cores, machine
    from minisgd.machine import speedup as scalings
    from minisgd.measures.noise_scale import steps_to_target
    from minisgd.report.experiments import Kept
    from minisgd.settings import Settings

    here = cores()
    ranks = sorted({1, *(ranks or (2**k for k in range(here.bit_length())))})
    scalings.check(ranks, batch_sizes, here)
    data = load_dataset(dataset, data_dir, log=_say)
    N, jobs = len(data.train.labels), []
    for R in ranks:
        sizes = scalings.sizes_for(batch_sizes, R)
        for b in sizes:
            Settings(batch_size=b).check(N)
        _say(f"{R} ranks: batches of {', '.join(map(str, sizes))}, {rounds} epochs each")
        jobs.append(scalings.start(R, dataset, data_dir, sizes, rounds))
    widest = max((job for job in jobs if job["ranks"] <= here), key=lambda job: job["ranks"])
    model = scalings.fitted_to(jobs[0], widest, N)
    rows = scalings.rows_of(jobs, model, N, batch_sizes)
    steps = steps_to_target(Kept(out), N) if data.name == "mnist" else {}
    epochs_to = {b: found[0] / -(-N // b) for b, found in steps.items()}
    title = f"More ranks, larger batches: {N:,} images an epoch, measured on {here} cores"
    note, text = _not_mnist(data.name), scalings.describe(model, N, epochs_to)
    lines = scalings.table(rows, model, N, here)
    click.echo("\n".join(["", title, *([note] if note else []), "", *lines, ""]))
    click.echo("\n".join(wrap(text, 100)))
    make_folder(out)
    runs.write_table(out / "scaling.csv", scalings.COLUMNS, rows)
    made = {"title": title, "model": vars(model), "text": text, "jobs": jobs}
    made |= {"command": shlex.join(["python", *sys.argv]), "commit": commit()}
    made |= {"machine": machine(), "versions": facts.versions()}
    runs.write_json(out / "scaling.json", made)
    panels = scalings.plots(rows, N, here, epochs_to)
    png, svg = plots.save(charts.chart(panels, title, note), out, "scaling")
    click.echo(f"\nfigure: {png} and {svg.name}; every number: {out / 'scaling.csv'}")


def _say(line):
    click.echo(line, err=True)


def _clock(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


if __name__ == "__main__":
    cli()
