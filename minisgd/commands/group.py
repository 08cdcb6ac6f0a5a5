"""The program: its commands by purpose, and how an error becomes a sentence."""

import errno
import os
import sys

import click

from .. import __version__
from .answer import answer
from .carry import carry
from .console import Sentence, open_closed_streams, say, signals_as_ctrl_c, stop, unprinted
from .exercise import exercise
from .figures import figures, verdicts
from .measure import measure
from .minute import minute
from .page import page
from .plot import plot
from .tools import bench, data, doctor, gradcheck, scaling
from .train import rates, sweep, train
from .tune import grow, tune

SECTIONS = {
    "Train": (minute, train, sweep, rates, plot),
    "Learn": (exercise,),
    "The report": (figures, tune, grow, answer, carry, verdicts, page),
    "Measure": (measure,),
    "This machine": (doctor, data, gradcheck, bench, scaling),
}

# What printing ends in; EBADF where stdout was opened to be read.
CANNOT_WRITE = errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF

# What raises a limit, by the system's words: a stream that does not block gives EAGAIN, too, but
# with words of Python's own.
LIMITS = {os.strerror(errno.EMFILE): "ulimit -n", os.strerror(errno.EAGAIN): "ulimit -u"}


class Commands(click.Group):
    """Lists its commands by purpose, and turns every error that a user can cause into one line."""

    def list_commands(self, ctx):
        return [command.name for section in SECTIONS.values() for command in section]

    def format_commands(self, ctx, formatter):
        width = max(map(len, self.list_commands(ctx)))
        limit = formatter.width - 6 - width
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(c.name.ljust(width), c.get_short_help_str(limit)) for c in section]
                )

    def main(self, *args, **keywords):
        open_closed_streams()
        with signals_as_ctrl_c():
            return super().main(*args, **keywords)

    def make_context(self, *args, **keywords):
        try:
            return super().make_context(*args, **keywords)
        except KeyboardInterrupt as interrupt:
            stop(interrupt)

    def parse_args(self, ctx, args):
        try:
            return super().parse_args(ctx, args)
        except click.exceptions.NoArgsIsHelpError as error:
            say(error.format_message())
            sys.exit(error.exit_code)
        except click.UsageError as error:
            raise Sentence(error.format_message(), 2) from None
        except OSError as error:  # --help on a full disk
            raise sentence_of(error) or error from None

    def invoke(self, ctx):
        try:
            unprinted.clear()
            super().invoke(ctx)
            if unprinted:
                raise unprinted[0]
        except (click.exceptions.Exit, click.exceptions.NoArgsIsHelpError):
            raise  # --help, or a deliberate exit code
        except click.UsageError as error:
            raise Sentence(error.format_message(), 2) from None
        except (KeyboardInterrupt, click.Abort) as interrupt:
            stop(interrupt)
        except BaseException as error:  # of the user's own file, it may be of any class
            if sentence := sentence_of(error):
                raise sentence from None
            raise


def sentence_of(error):
    """The Sentence that tells a user of an error; None if the error is a bug."""
    from minisgd.errors import REQUIRED, SettingError, UserError, install

    if isinstance(error, UserError):
        return Sentence(str(error), 2 if isinstance(error, SettingError) else 1)
    # A closed pipe is left to click, which ends the program silently.
    if isinstance(error, OSError) and error.errno != errno.EPIPE:
        # Files that are written name themselves, see disk/files.py.
        where = error.filename or ("standard output" if error.errno in CANNOT_WRITE else "")
        what = str(error.strerror or error)
        then = f"; give fewer --jobs, or raise `{LIMITS[what]}`" if what in LIMITS else ""
        return Sentence(f"{what}{where and f': {where}'}{then}", 1)
    if isinstance(error, RuntimeError) and str(error) == "can't start new thread":
        return Sentence(f"{error}; give fewer --jobs or --threads, or raise `ulimit -u`", 1)
    if isinstance(error, MemoryError):
        return Sentence("there is not enough memory: close other programs, or give fewer --jobs", 1)
    if isinstance(error, ModuleNotFoundError) and error.name in REQUIRED:
        return Sentence(f"{error.name} is missing: install this project again: {install()}", 1)
    own = sys.modules.get("minisgd.lab.own")  # loaded if --with was given
    if own and own.line_of(error):
        return Sentence(own.sentence(error), 2)
    return None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="minisgd", message="%(prog)s %(version)s")
def cli():
    """How far can the batch of SGD grow, and what must the rate and the momentum do then?

    LeNet-5 on MNIST, its gradients written by hand. Start with the command minute.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a terminal that has no η gets a question mark


for section in SECTIONS.values():
    for command in section:
        cli.add_command(command)
