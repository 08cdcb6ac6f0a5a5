"""How every command talks to its user: notes on stderr, times, and errors of one sentence."""

import shlex
import sys
from pathlib import Path

import click


class Sentence(click.ClickException):
    """An error as one sentence for the user, with an exit code."""

    def __init__(self, message, exit_code):
        super().__init__(message)
        self.exit_code = exit_code


def say(line):
    """Print a line that is not a result, such as the progress of a sweep: on stderr."""
    click.echo(line, err=True)


def show(lines):
    """Print the lines of a result, on stdout."""
    click.echo("\n".join(lines))


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
