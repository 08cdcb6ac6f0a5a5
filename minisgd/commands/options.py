"""The options that several commands share.

An option of every run is one entry in SCHEDULE or UPDATE. Its name is the field of Settings that it
sets: the commands pass the values of RUN on to Settings without looking at them.
"""

from pathlib import Path

import click

from .types import Entry, Numbers, Seeds

BATCH_SIZES = "64,128,256,512,1024,2048,4096,8192"
PATH = click.Path(path_type=Path)
COUNT = click.IntRange(1)
SEED = click.IntRange(0, 2**63 - 1)


def _option(flag, *name, **keywords):
    return (flag, *name), {"show_default": True} | keywords


def _read_own(ctx, param, path):
    """Read the user's own file, whose entries the other options then know; return its digest."""
    if path is None:
        return ""
    from minisgd.lab import own

    return own.read(path).digest


# What sets the learning rate, for train, sweep and rates.
SCHEDULE = {
    "lr": _option("--lr", type=float, default=0.01, help="Learning rate of the base batch size."),
    "rule": _option("--rule", type=Entry("minisgd.rules", "RULES"), default="none",
                    help="How the rate follows the batch size."),
    "base_batch_size": _option("--base-batch-size", type=int, default=64,
                               help="The batch size that --lr suits."),
    "warmup": _option("--warmup", type=Entry("minisgd.schedules", "WARMUPS"), default="none",
                      help="How the rate rises to its full size."),
    "warmup_epochs": _option("--warmup-epochs", type=int, default=10,
                             help="Epochs that the warmup lasts."),
    "warmup_updates": _option("--warmup-updates", type=int,
                              help="Count the warmup in updates instead, so many."),
    "decay": _option("--decay", type=Entry("minisgd.schedules", "DECAYS"), default="none",
                     help="How the rate falls after the warmup, update by update."),
    "batch_schedule": _option("--batch-schedule", default="", show_default=False,
                              metavar="SCHEDULE",
                              help="How the batch grows instead, epoch by epoch: by the name of a "
                              "decay, or x5@11,x5@21, from epoch 11 and from 21 on."),
}  # fmt: skip
# What else defines a run, for train, sweep and rates, and for tune and grow as well.
UPDATE = {
    "momentum": _option("--momentum", type=float, default=0.0, help="m of the momentum update."),
    "epochs": _option("--epochs", type=int, default=30, help="Epochs of a run."),
    "optimizer": _option(
        "--optimizer",
        type=Entry("minisgd.optim", "OPTIMIZERS"),
        help="What makes the update.  [default: momentum if m > 0, else sgd]",
    ),
    "clip": _option("--clip", type=float, help="Clip a longer gradient to this length."),
    "beta2": _option("--beta2", type=float, default=0.999, help="β2 of adam, lamb and muon."),
    "epsilon": _option("--epsilon", type=float, default=1e-8, help="ε of adam, lamb and muon."),
    "weight_decay": _option(
        "--weight-decay", type=float, default=0.0, help="Weight decay of lars and lamb."
    ),
    "trust": _option("--trust", type=float, default=0.001, help="Trust coefficient of lars."),
    "adam_factor": _option(
        "--adam-factor",
        type=float,
        default=1.0,
        help="Of muon: Adam's rate, for the biases, as a multiple of its own.",
    ),
    "network": _option(
        "--network",
        type=Entry("minisgd.networks", "NETWORKS"),
        default="lenet5",
        help="What is trained.",
    ),
    "init": _option(
        "--init",
        type=Entry("minisgd.inits", "INITS"),
        default="uniform",
        help="What its initial weights are drawn from.",
    ),
    "loss": _option(
        "--loss",
        type=Entry("minisgd.loss", "LOSSES"),
        default="softmax",
        help="What is to become small.",
    ),
    "plain": _option(
        "--plain",
        is_flag=True,
        show_default=False,
        help="Train with the layers of layers.py as they stand (slower).",
    ),
    "own": _option(
        "--with",
        "own",
        type=PATH,
        is_eager=True,
        callback=_read_own,
        metavar="FILE",
        help="Your own rules, warmups, decays, optimizers, networks, inits, losses.",
    ),
}
RUN = (*SCHEDULE, *UPDATE)

OPTIONS = SCHEDULE | UPDATE | {
    # which runs
    "batch_size": _option("--batch-size", type=int, default=64, help="Images in a batch."),
    "batch_sizes": _option("--batch-sizes", type=Numbers(), default=BATCH_SIZES,
                           help="Batch sizes, separated by commas."),
    "seed": _option("--seed", type=int, default=0,
                    help="Seed of the initial weights and the shuffles."),
    "seeds": _option("--seeds", type=Seeds(), default="1",
                     help="How many seeds, or which: 3 is 0,1,2; \"3,\" is seed 3 alone."),
    "held_out": _option("--held-out", type=int, default=5000,
                        help="How many training images to hold out and choose on."),
    # on what machine
    "jobs": _option("--jobs", type=COUNT,
                    help="Runs side by side, a process each.  [default: the cores; on a GPU 1]"),
    "scheduler": _option("--scheduler", metavar="ADDRESS",
                         help="Give the runs to the workers of this scheduler (distributed). "
                              "Whoever reaches its port can run code on the workers."),
    "threads": _option("--threads", type=COUNT,
                       help="Threads of a run.  [default: the cores; in a sweep 1]"),
    "device": _option("--device", type=click.Choice(("auto", "cpu", "cuda")), default="auto",
                      help="Where the arrays live."),
    # on what data, and where everything lies
    "dataset": _option("--dataset", type=Entry("minisgd.data", "NAMES"), default="auto",
                       help="auto: MNIST, else built-in glyphs; idx: the files of --data-dir."),
    "data_dir": _option("--data-dir", type=PATH,
                        help="Folder of the datasets.  [default: MINISGD_DATA or the cache]"),
    "out": _option("--out", type=PATH,
                   help="Folder of the results.  [default: one under runs/, named by settings]"),
    "fresh": _option("--fresh", is_flag=True, show_default=False,
                     help="Start over: delete what is in the folder of the results."),
    "figures": _option("--out", "out", type=PATH, default=Path("figures"),
                       help="Folder of the figures."),
    "runs": _option("--runs", type=PATH, default=Path("runs/figures"),
                    help="Folder of the runs behind the figures."),
}  # fmt: skip
MACHINE = ("threads", "device", "dataset", "data_dir", "out", "fresh")
# The arguments of a Workshop, for the commands of the report.
WORKSHOP = ("runs", "dataset", "jobs", "scheduler", "threads", "device", "data_dir")


def options(*names, **changes):
    """The options of these names, in this order, as one decorator.

    changes    what is different for one command, by name: batch_size={"default": 2048}
    """

    def decorate(command):
        for name in reversed(names):
            flags, keywords = OPTIONS[name]
            command = click.option(*flags, **keywords | changes.get(name, {}))(command)
        return command

    return decorate


def settings_of(optimizer=None, momentum=0.0, **run):
    """The Settings that the options of RUN give.

    Raises:  SettingError, also for options that do not go together
    """
    from minisgd.errors import SettingError
    from minisgd.optim import OPTIMIZERS
    from minisgd.settings import DEFAULTS, OF_SOME, Settings

    if optimizer == "sgd" and momentum:
        raise SettingError(
            f"--optimizer sgd has no momentum, got --momentum {momentum:g}: leave one of them out"
        )
    if optimizer == "momentum" and not momentum:
        raise SettingError("--optimizer momentum needs a --momentum above 0, such as 0.9")
    if run.get("warmup_updates") and run.get("warmup") == "none":
        raise SettingError("--warmup-updates needs a --warmup, such as gradual")
    settings = Settings(optimizer=optimizer or "sgd", momentum=momentum, **run)
    for name in sorted(OF_SOME - set(OPTIMIZERS[settings.optimizer].uses)):
        if getattr(settings, name) != DEFAULTS[name] and not settings.own:
            users = [key for key, entry in OPTIMIZERS.items() if name in entry.uses]
            users = " and ".join(filter(None, [", ".join(users[:-1]), users[-1]]))
            flag = "--" + name.replace("_", "-")
            raise SettingError(
                f"{flag} means nothing to {settings.optimizer}, only to {users}: leave it out, or "
                "give another --optimizer"
            )
    return settings


def check_workers(scheduler, jobs):
    """Refuse --jobs together with --scheduler, whose workers decide how many runs go at once."""
    if scheduler and jobs:
        raise click.UsageError("--scheduler has its own workers: leave out --jobs")
