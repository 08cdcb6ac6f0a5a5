"""Commands run as forks of a process that has imported all that they need: nothing is imported a
second time, so that thousands of them can be run.

A library, such as system_calls.c, is loaded before the C library of that process, and wakes in the
fork alone.
"""

import ctypes
import importlib
import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMPORTED = (
    "filelock", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg",
    "numpy.random", "PIL.PngImagePlugin", "threadpoolctl", "minisgd.commands.group",
    "minisgd.data.download", "minisgd.data.loading", "minisgd.drawing.accuracies",
    "minisgd.drawing.rates", "minisgd.lab.ranks", "minisgd.lab.sweep", "minisgd.page.sweep",
    "minisgd.report.experiments", "minisgd.report.publish", "minisgd.report.search",
)  # fmt: skip
BECOME_SUBREAPER = 36  # of prctl(2): orphans of a fork that was killed are waited for here


@dataclass(frozen=True)
class Ended:
    """How a command ended: None as its exit code if it had to be stopped."""

    returncode: int
    stdout: str
    stderr: str


class Forks:
    """One after the other, commands are run here."""

    def __init__(self, work, built=None):
        """work    a folder for what they print;  built    the library"""
        self.work, self.built, self.process = work, built, None
        work.mkdir(parents=True, exist_ok=True)

    def run(self, arguments, loaded=None, change=None, patience=300.0):
        """Run a command to its end, and all its processes.

        loaded     the environment variables that the library asks for
        change     [the name of a function of CHANGES, *its arguments], called before the command
        patience   seconds after which it is stopped
        """
        if self.process is None:
            preload = {"LD_PRELOAD": str(self.built)} if self.built else {}
            self.process = subprocess.Popen(
                [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                text=True, start_new_session=True,
                env=os.environ | {"OPENBLAS_NUM_THREADS": "1"} | preload,
            )  # fmt: skip
        loaded = {name: str(value) for name, value in (loaded or {}).items()}
        asked = [str(self.work), list(map(str, arguments)), loaded, change]
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        if select.select([self.process.stdout], [], [], patience)[0]:
            code = json.loads(self.process.stdout.readline())
        else:
            code = None
            self.end()
        return Ended(code, *((self.work / name).read_text() for name in ("stdout", "stderr")))

    def end(self):
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate()
            self.process = None


# ---- in that process


def small_figures(_):
    """`figures` makes a single one, of two runs of one epoch."""
    from minisgd.report import experiments
    from minisgd.settings import Settings

    cells = tuple(Settings(batch_size=b, epochs=1) for b in (250, 500))
    experiments.EXPERIMENTS.clear()
    experiments.EXPERIMENTS["figure1"] = experiments.Experiment("figure1", "Small", cells)


def local_mirrors(_, digests, *mirrors):
    """MNIST is what these mirrors send."""
    from minisgd.data.known import KNOWN, Known

    KNOWN["mnist"] = Known(tuple(digests), mirrors)


def live_page_alone(loaded):
    """The library sleeps except while the live page of a sweep is renewed, after every epoch."""
    from minisgd.commands import live

    real, live.SHARE = live.LivePage._write, 0
    library = ctypes.CDLL(None)
    library.loaded_end()
    for name in loaded:
        del os.environ[name]

    def write(*arguments):
        os.environ.update(loaded)
        library.loaded_begin()
        try:
            real(*arguments)
        finally:
            library.loaded_end()
            for name in loaded:
                del os.environ[name]

    live.LivePage._write = write


CHANGES = {each.__name__: each for each in (small_figures, local_mirrors, live_page_alone)}


def run_here(work, arguments, loaded, change):
    """Be the command from now on."""
    from minisgd.commands.group import cli

    writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    streams = (os.devnull, os.O_RDONLY), (f"{work}/stdout", writing), (f"{work}/stderr", writing)
    for number, (path, how) in enumerate(streams):
        opened = os.open(path, how)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.update(loaded)
    sys.argv = ["cli.py", *arguments]
    if loaded:
        ctypes.CDLL(None).loaded_begin()
    if change:
        CHANGES[change[0]](loaded, *change[1:])
    cli()


def serve():
    sys.path.insert(0, str(ROOT))
    for name in IMPORTED:
        importlib.import_module(name)

    ctypes.CDLL(None).prctl(BECOME_SUBREAPER, 1, 0, 0, 0)
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            run_here(*json.loads(line))
        code = None
        while True:
            try:
                ended, status = os.wait()
            except ChildProcessError:
                break
            if ended == pid:
                code = os.waitstatus_to_exitcode(status)
        print(code, flush=True)


if __name__ == "__main__":
    serve()
