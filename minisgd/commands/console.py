"""How every command talks to its user: notes on stderr, times, errors and ends of one sentence."""

import os
import shlex
import signal
import sys
import threading
import time
from contextlib import contextmanager
from math import inf
from pathlib import Path

import click

LONGEST = 1000  # characters of an error that are shown


def legible(text):
    """Text on one line, without characters that a terminal would obey. Of a text that is too long,
    such as one that quotes what a damaged file holds, the middle is left out.
    """
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    half = LONGEST // 2
    return shown if len(shown) <= LONGEST else f"{shown[:half]} [...] {shown[-half:]}"


class Sentence(click.ClickException):
    """An error as one legible sentence for the user, with an exit code."""

    def __init__(self, message, exit_code):
        super().__init__(legible(message))
        self.exit_code = exit_code

    def show(self, file=None):
        try:
            super().show(file)
        except OSError:  # if stderr is full, the exit code still tells
            forget_unprinted()


def say(line):
    """Print a line that is not a result, such as the progress of a sweep: on stderr. Where it
    cannot be printed, as on a full disk, the work goes on without it.
    """
    try:
        click.echo(line, err=True)
    except OSError:
        forget_unprinted()


def stopped(count, folder, what="whole epoch"):
    """The beginning of the sentence on an interruption: how many of what are kept, and where."""
    kept = f"1 {what} is" if count == 1 else f"{count} {what}s are"
    return f"Stopped. {kept} kept in {folder}"


def stop(interrupt, kept=None):
    """End the program after a KeyboardInterrupt, with the exit code of its signal.

    kept    the sentence that `stopped` begins, if anything is
    """
    say(f"\n{kept}; the same command goes on from there." if kept else "\nStopped.")
    number = interrupt.args[0] if interrupt.args else None  # code of the user's own may raise one
    sys.exit(128 + (number if number in signal.valid_signals() else signal.SIGINT))


@contextmanager
def signals_as_ctrl_c():
    """Let SIGINT (Ctrl-C), SIGTERM and SIGHUP, unless they are ignored as under nohup, raise
    KeyboardInterrupt, with the number of the signal.

    What follows within a second does not count, so that it cannot cut short what the first one has
    begun to tidy up. Later ones do: code of the user's own may have swallowed the first. One that
    Python swallows, because it came within __del__ or the callback of a weak reference, is sent
    again.
    """
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    numbers = [n for n in (getattr(signal, name) for name in names)
               if signal.getsignal(n) is signal.SIG_DFL]  # fmt: skip

    last = -inf

    def interrupt(number, frame):
        nonlocal last
        if time.monotonic() - last > 1.0:
            last = time.monotonic()
            raise KeyboardInterrupt(number)

    def again(number):
        nonlocal last
        if signal.getsignal(number) is interrupt:  # not if the command has ended meanwhile
            last = -inf
            if hasattr(signal, "pthread_kill"):  # to the main thread, which may be waiting
                signal.pthread_kill(threading.main_thread().ident, number)
            else:
                signal.raise_signal(number)

    def unraisable(lost):
        number = getattr(lost.exc_value, "args", ())[:1]
        if isinstance(lost.exc_value, KeyboardInterrupt) and number and number[0] in numbers:
            timer = threading.Timer(0.01, again, number)  # when what was called has returned
            timer.daemon = True
            timer.start()
        else:
            hook(lost)

    for number in numbers:
        signal.signal(number, interrupt)
    hook, sys.unraisablehook = sys.unraisablehook, unraisable
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def open_closed_streams():
    """Open to nowhere those of stdin, stdout and stderr that are closed, as after `>&-`. Otherwise
    the next file to be opened, a result perhaps, would take the number of one of them.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode)  # takes the lowest number that is free: its own
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


unprinted = []  # the errors of `show` in this command, which then ends with the first of them


def show(lines):
    """Print the lines of a result, on stdout. Where they cannot be printed, as on a full disk, the
    work goes on without them; where nobody reads them any more, BrokenPipeError ends it.
    """
    try:
        click.echo("\n".join(lines))
    except BrokenPipeError:
        raise
    except OSError as error:
        unprinted.append(error)
        forget_unprinted()


def forget_unprinted():
    """Drop what stdout and stderr still hold because it cannot be printed. Python would try to
    print it once more before it starts a process, which then fails, and at its end, where it would
    complain and change the exit code to 120.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            number = stream.fileno()
            kept, nowhere = os.dup(number), os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            stream.flush()
            os.dup2(kept, number)  # there may be room again for what comes
            os.close(kept)
            os.close(nowhere)


def clock(seconds):
    """Seconds as a clock shows them: 0:07, 12:34 or 1:02:03."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def command_line():
    """The command that started this process, as one would type it again."""
    from minisgd.errors import program

    called, *arguments = sys.argv
    start = ["python", called] if Path(called).name == "cli.py" else program().split()
    return shlex.join([*start, *arguments])
