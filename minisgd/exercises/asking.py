"""Running a learner's file, in a process of its own: it may loop, crash or fill the memory.

The process leaves what it found in a file, sentences as JSON and arrays as NumPy's own.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from ..disk.formats import DamagedError
from ..errors import SettingError
from ..lab.own import OwnFile, imported, line_of, said
from .entries import Amiss

LIMIT = 10  # seconds that a learner's code may take
SLACK = 60  # seconds for all else: to start Python, to read and to write
MEMORY = 4 << 30  # bytes that the process may take, where the system can be told so
START = (  # without the folder where the learner is, in which anything may lie
    "import sys; sys.path[:] = [sys.argv[1], *filter(None, sys.path)]; "
    "from minisgd.exercises.asking import main; main()"
)


class Crash(NamedTuple):
    """An error in a learner's code.

    kind    its class, such as "ValueError"
    said    the error in one line
    line    the last line of her file that it passed through, None if there is none
    """

    kind: str
    said: str
    line: int | None


class Answer(NamedTuple):
    """What a learner's code did in one case.

    values    {output: array}
    amiss     {output: a sentence}, in place of a value that cannot be compared
    changed   the inputs that it changed, but should not
    """

    values: dict
    amiss: dict
    changed: list
    crash: Crash | None = None


# ---- in the process that asks


def ask(name, own, limit=LIMIT):
    """What a learner's file answers in every case of the exercise of this name.

    own      an OwnFile
    limit    seconds that its code may take
    Returns: a sentence on why there are no answers, or None; [Answer]
    """
    root = str(Path(__file__).parents[2])
    with TemporaryDirectory() as folder:
        out = Path(folder) / "answers.npz"
        process = subprocess.Popen(
            [sys.executable, "-c", START, root, name, own.path, str(out), str(limit)],
            stdin=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"},
        )
        try:
            process.communicate(own.text.encode(), limit + SLACK)
        except subprocess.TimeoutExpired:
            return f"{own.path} was stopped: it takes longer than {limit} seconds.", []
        finally:
            process.kill()
            process.wait()
        try:
            return _read(out)
        except DamagedError:
            ended = f"exit code {process.returncode}"
            return f"{own.path} ended the program before there was an answer ({ended}).", []


def _read(path):
    """What `_write` wrote.  Raises: DamagedError if it is not there, or not whole"""
    try:
        with np.load(path, allow_pickle=False) as kept:
            report, found = json.loads(str(kept["report"])), []
            for k, (outputs, amiss, changed, crash) in enumerate(report["answers"]):
                values = {output: kept[f"{k}.{output}"] for output in outputs}
                found.append(Answer(values, amiss, changed, crash and Crash(*crash)))
            return report["problem"], found
    except Exception as error:  # a damaged archive can raise nearly anything
        raise DamagedError(f"there is no answer in {path} ({error})") from None


# ---- in the learner's process


def main():
    """Run the file whose text is the standard input, and write its answers.

    The arguments are the name of the exercise, the path of the file, that of the answers, the limit
    """
    from . import EXERCISES

    name, path, out, limit = sys.argv[2:]
    own = OwnFile(path, sys.stdin.buffer.read().decode())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks is interrupted, and ends this one
    _limit_memory()
    once = threading.Lock()

    def leave(problem, found=()):
        if once.acquire(blocking=False):
            _write(out, problem, found)
            sys.stdout.flush()
            os._exit(0)  # whatever else the file has started
        threading.Event().wait()  # somebody else is about to leave

    def stop():
        line = _line_now(own)
        where = f", line {line}," if line else ""
        leave(f"{path}{where} was stopped after {limit} seconds: is there a loop that never ends?")

    clock = threading.Timer(float(limit), stop)
    clock.daemon = True
    clock.start()
    try:
        module = imported(own)
    except SettingError as error:
        leave(str(error))
    leave(missing(EXERCISES[name], module, own), answers(EXERCISES[name], module, own))


def _limit_memory():
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    except (ImportError, ValueError, OSError):
        pass  # Windows has no such limit, and some systems do not let it be set


def _line_now(own):
    """The line of the file that is being run."""
    frame = sys._current_frames().get(threading.main_thread().ident)
    while frame and frame.f_code.co_filename != own.path:
        frame = frame.f_back
    return frame and frame.f_lineno


def _write(path, problem, found):
    report = {
        "problem": problem,
        "answers": [(list(a.values), a.amiss, a.changed, a.crash) for a in found],
    }
    arrays = {f"{k}.{output}": v for k, a in enumerate(found) for output, v in a.values.items()}
    np.savez(path, report=np.array(json.dumps(report)), **arrays)


def missing(exercise, module, own):
    """A sentence on the function of an exercise that a module lacks, or None."""
    thing, said = module, ""
    for part in exercise.task.split("."):
        said += f".{part}" if said else part
        thing = getattr(thing, part, None)
        if not callable(thing):
            return f"{own.path} has no {said}: the exercise asks for it by this name."
    return None


def answers(exercise, module, own):
    """[Answer] of a module, for every case of an exercise."""
    if missing(exercise, module, own):
        return []
    return [_answer(exercise, case.inputs, module, own) for case in exercise.cases()]


def _answer(exercise, inputs, module, own):
    given = {name: np.copy(v) if isinstance(v, np.ndarray) else v for name, v in inputs.items()}
    try:
        found = exercise.ask(module, **given)
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        return Answer({}, {}, [], crash_of(error, line_of(error, own)))
    amiss = {output: why for output, value in found.items() if (why := _unusable(output, value))}
    values = {output: np.array(value) for output, value in found.items() if output not in amiss}
    fixed = inputs.keys() - set(exercise.changes)
    changed = sorted(name for name in fixed if not np.array_equal(inputs[name], given[name]))
    return Answer(values, amiss, changed)


def crash_of(error, line=None):
    """An exception as a Crash."""
    return Crash(type(error).__name__, said(error), line)


def _unusable(output, value):
    """A sentence on why a value cannot be compared; None if it can."""
    if isinstance(value, Amiss):
        return str(value)
    if value is None:
        return f"{output} is None: is a `return` missing?"
    if not isinstance(value, np.ndarray | np.generic | int | float | complex):
        return f"{output} is a {type(value).__name__}, where an array or a number should be."
    kind = np.array(value).dtype
    return None if kind.kind in "biufc" else f"{output} is of {kind}, and should be of numbers."
