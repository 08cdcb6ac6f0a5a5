"""The progress of a run or a sweep."""

import sys
import time

import click

from .console import clock, forget_unprinted, say, show

MINUTE = 60.0  # seconds
BAR = 20  # characters of the bar in a notebook


class EpochLines:
    """Prints every epoch of one run, with the time left."""

    def __init__(self):
        self.began, self.first = time.monotonic(), None

    def __call__(self, settings, record):
        self.first = self.first or record["epoch"]
        done = record["epoch"] - self.first + 1
        left = (time.monotonic() - self.began) / done * (settings.epochs - record["epoch"])
        if record["status"] == "diverged":
            show([f"epoch {record['epoch']:>3}  diverged at update {record['update']}"])
            return
        grows = f"b {record['batch_size']:<6} " if "batch_size" in record else ""
        line = (
            f"epoch {record['epoch']:>3}  {grows}rate {record['lr']:<8.4g} "
            f"train loss {record['train_loss']:.4f} accuracy {record['train_accuracy']:.4f}   "
            f"test loss {record['test_loss']:.4f} accuracy {record['test_accuracy']:.4f}   "
            f"{record['seconds']:.1f} s, {clock(left)} left"
        )
        show([line + "   stuck on one class" * (record["status"] == "stuck")])


class Progress:
    """The progress of many runs: a bar on a terminal, one line in a notebook, and elsewhere a line
    per run and one a minute.

    epochs_left    {settings: epochs still to come}
    """

    def __init__(self, epochs_left):
        from minisgd.lab.run_folder import is_last

        self.is_last, self.epochs_left = is_last, dict(epochs_left)
        self.total, self.finished = sum(epochs_left.values()), 0
        self.began = self.last_line = time.monotonic()
        self.bar = self.line = None

    def __enter__(self):
        if not self.epochs_left:
            return self
        self.line = line_of_notebook()
        if self.line:
            self.line(f"0 of {self.total} epochs")
        elif sys.stderr.isatty():
            self.bar = click.progressbar(
                length=self.total, label="epochs", file=sys.stderr, item_show_func=lambda s: s
            )
            self._draw(self.bar.__enter__)
        return self

    def __exit__(self, *error):
        if self.bar:
            self._draw(self.bar.__exit__, *error)
        elif self.line and not any(error):
            runs = f" of {len(self.epochs_left)} runs" if len(self.epochs_left) > 1 else ""
            epochs = "1 epoch" if self.total == 1 else f"{self.total} epochs"
            self.line(f"{epochs}{runs}: done")  # the same whenever it is made again

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
            self._draw(self.bar.update, steps, news)
        elif self.line:
            done, left = self._done_and_left()
            bar = "█" * round(BAR * done / self.total)
            self.line(f"{bar:░<{BAR}} {done} of {self.total} epochs, {left} left; {news}")
        elif over or time.monotonic() - self.last_line > MINUTE:
            self.last_line = time.monotonic()
            news += "" if over else f" after epoch {record['epoch']}"
            _, left = self._done_and_left()
            say(f"{self.finished} of {len(self.epochs_left)} runs, {left} left; {news}")

    def _draw(self, step, *args):
        """Let the bar take a step. If its terminal has been closed, the work goes on without it."""
        try:
            step(*args)
        except OSError:
            forget_unprinted()

    def _done_and_left(self):
        """How many epochs are done, and how long the others will take."""
        to_come = sum(self.epochs_left.values())
        done = self.total - to_come
        return done, clock((time.monotonic() - self.began) / max(1, done) * to_come)


def line_of_notebook():
    """A function that shows a text below the cell of a notebook, in place of the one before; None
    where this is no notebook.
    """
    IPython = sys.modules.get("IPython")  # a notebook has loaded it
    shell = IPython and IPython.get_ipython()
    if not hasattr(shell, "kernel"):  # as a shell in a terminal has not
        return None
    shown = IPython.display.display({"text/plain": ""}, raw=True, display_id=True)
    return lambda text: shown.update({"text/plain": text}, raw=True)
