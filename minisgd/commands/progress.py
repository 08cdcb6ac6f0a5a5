"""The progress of a run or a sweep."""

import sys
import time

import click

from .console import clock, say

MINUTE = 60.0  # seconds


class EpochLines:
    """Prints every epoch of one run, with the time left."""

    def __init__(self):
        self.began, self.first = time.monotonic(), None

    def __call__(self, settings, record):
        self.first = self.first or record["epoch"]
        done = record["epoch"] - self.first + 1
        left = (time.monotonic() - self.began) / done * (settings.epochs - record["epoch"])
        if record["status"] == "diverged":
            click.echo(f"epoch {record['epoch']:>3}  diverged at update {record['update']}")
            return
        grows = f"b {record['batch_size']:<6} " if "batch_size" in record else ""
        click.echo(
            f"epoch {record['epoch']:>3}  {grows}rate {record['lr']:<8.4g} "
            f"train loss {record['train_loss']:.4f} accuracy {record['train_accuracy']:.4f}   "
            f"test loss {record['test_loss']:.4f} accuracy {record['test_accuracy']:.4f}   "
            f"{record['seconds']:.1f} s, {clock(left)} left"
            + ("   stuck on one class" if record["status"] == "stuck" else "")
        )


class Progress:
    """The progress of many runs: a bar on a terminal, elsewhere a line per run and one a minute.

    epochs_left    {settings: epochs still to come}
    """

    def __init__(self, epochs_left):
        from minisgd.lab.run_folder import is_last

        self.is_last, self.epochs_left = is_last, dict(epochs_left)
        self.total, self.finished = sum(epochs_left.values()), 0
        self.began = self.last_line = time.monotonic()
        self.bar = None

    def __enter__(self):
        if sys.stderr.isatty() and self.epochs_left:
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
        # A run that diverged has no epochs left; an epoch that is repeated was counted before.
        steps = self.epochs_left[settings] if over else min(1, self.epochs_left[settings])
        self.epochs_left[settings] -= steps
        self.finished += over
        accuracy = record["test_accuracy"]
        news = f"b {settings.batch_size}, seed {settings.seed}: " + (
            "diverged" if accuracy is None else f"test accuracy {accuracy:.4f}"
        )
        if self.bar:
            self.bar.update(steps, news)
        elif over or time.monotonic() - self.last_line > MINUTE:
            self.last_line = time.monotonic()
            self._line(news + ("" if over else f" after epoch {record['epoch']}"))

    def _line(self, news):
        to_come = sum(self.epochs_left.values())
        done = max(1, self.total - to_come)
        left = (self.last_line - self.began) / done * to_come
        say(f"{self.finished} of {len(self.epochs_left)} runs, {clock(left)} left; {news}")
