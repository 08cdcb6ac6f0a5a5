"""Who does the runs: this process, or processes on this machine, one per run.

A run's process is spawned: it inherits nothing but what it is given, and if it dies, only its own
run is lost. All share the dataset's memory. The longest runs start first, so that no core is left
waiting for a last long one.
"""

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from multiprocessing import connection
from types import ModuleType

from ..data.sharing import share, shared
from ..disk.files import StorageError, locked, make_folder, write_aside
from ..errors import UserError
from ..train import train
from . import own
from .names import run_name
from .run_folder import RunFolder, is_last

TRIES = 2  # for a run whose process died, or that lacked memory or a file
HEAD_START = 1.0  # seconds that the processes have before their parent does anything else


class BrokenRun(UserError):
    """An error in the code that trains: one sentence, and the traceback for error.txt.

    may_pass    whether another try might succeed: memory or a file was lacking
    """

    def __init__(self, sentence, traceback="", may_pass=False):
        super().__init__(sentence, traceback, may_pass)
        self.sentence, self.traceback, self.may_pass = sentence, traceback, may_pass

    def __str__(self):
        return self.sentence

    @classmethod
    def of(cls, error):
        """The BrokenRun for an exception, to be raised here or sent to another process."""
        text = "".join(traceback.format_exception(error))
        return cls(own.sentence(error), text, isinstance(error, (MemoryError, OSError)))

    def kept(self, folder):
        """The same, naming the folder's error.txt, to which the traceback is written."""
        path = folder.path / "error.txt"
        # The user's own message may hold what is no text, such as a name of a file.
        write_aside(path, self.traceback.encode(errors="backslashreplace"))
        sentence = f"{self.sentence} (the whole traceback is in {path})"
        return BrokenRun(sentence, self.traceback, self.may_pass)


def run_cell(out, settings, dataset, device="cpu", threads=1, on_epoch=None, log=print, ranks=None):
    """Do the rest of one run, in this process, and save every epoch to disk.

    ranks    those of an MPI job, of which this is rank 0 and the others `follow`

    Returns: the records of the whole run
    Raises:  StorageError if the folder OUT is missing or cannot be written to; BrokenRun for an
             error in the code that trains, such as the user's own file
    """
    from threadpoolctl import threadpool_limits

    folder = RunFolder(out, settings, dataset.identity)
    make_folder(folder.path, parents=False)  # an OUT that has disappeared must not come back empty
    # One process at a time per run: one whose parent was just killed may still be about to end.
    # One BLAS thread: threads are for the lanes, and sums keep their order on any machine.
    with locked(folder.path, wait=10.0), threadpool_limits(1, user_api="blas"):
        records, state = folder.resume(log)
        if records and is_last(records[-1], settings):
            return records
        if ranks:
            ranks.tell((settings, state))
        epochs = train(settings, dataset, device, threads, state=state, ranks=ranks)
        while True:
            try:
                record, after = next(epochs)
            except StopIteration:
                return records
            except (UserError, KeyboardInterrupt):
                raise
            except BaseException as error:  # of the user's own file, it may be of any class
                raise BrokenRun.of(error).kept(folder) from error
            records.append(record)
            folder.save(records, after)
            if on_epoch:
                on_epoch(settings, record)


def follow(ranks, dataset, device="cpu", threads=1):
    """The other ranks' part of run_cell: do the runs that rank 0 sends, until it sends None."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        while run := ranks.hear():
            settings, state = run
            for _ in train(settings, dataset, device, threads, state=state, ranks=ranks):
                pass


def run_cells(
    out, cells, dataset, device="cpu", jobs=1, threads=1, on_epoch=None, log=print, elsewhere=None,
    on_start=None,
):  # fmt: skip
    """Do the rest of many runs, `jobs` at a time, each in a process of its own.

    elsewhere    a cluster.Cluster that does them instead
    on_start     called once, when the first of them have been started: after HEAD_START seconds,
                 for the processes need all cores until then, or at the first word from one

    Returns: {settings: reason} of the runs that failed, twice where a second try could help
    Raises:  UserError at once if no run can continue: the folder is gone, full or read-only
    """
    if elsewhere:
        return elsewhere.run_cells(out, cells, dataset, device, threads, on_epoch, log, on_start)
    waiting, tries, failures, running = list(cells), {}, {}, {}
    context = multiprocessing.get_context("spawn")
    handle = share(dataset, context)
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                settings = waiting.pop(0)
                tries[settings] = tries.get(settings, 0) + 1
                ours, theirs = context.Pipe()
                arguments = (out, settings, handle, own.loaded(), device, threads, theirs)
                process = context.Process(target=_work, args=arguments, daemon=True)
                _start(process)
                theirs.close()
                running[ours] = settings, process
            if on_start:
                connection.wait(list(running), HEAD_START)
                on_start()
                on_start = None
            for pipe in connection.wait(list(running)):
                settings, process = running[pipe]
                try:
                    kind, message = pipe.recv()
                except (EOFError, OSError):
                    process.join()
                    kind, message = "died", _how_it_died(process.exitcode)
                if kind == "epoch":
                    on_epoch and on_epoch(settings, message)
                    continue
                if kind == "log":
                    log(message)
                    continue
                process.join()
                del running[pipe]
                pipe.close()
                if kind == "stop":
                    raise UserError(message)
                if kind in ("lacked", "died") and tries[settings] < TRIES:
                    log(f"{run_name(settings)}: {message}; it will be tried once more")
                    waiting.insert(0, settings)
                elif kind != "done":
                    failures[settings] = message
    finally:
        for _, process in running.values():
            process.kill()  # finished epochs are on disk; the one cut short is repeated
        for _, process in running.values():
            process.join()
    return failures


def _start(process):
    """Start a process that ignores Ctrl-C, which its parent handles by killing it, and that does
    not run the parent's own program: a script that asks for a sweep would ask for it again.
    """
    main_thread = threading.current_thread() is threading.main_thread()  # it alone sets handlers
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if main_thread else None
    program, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    try:
        process.start()
    finally:
        sys.modules["__main__"] = program
        if main_thread:
            signal.signal(signal.SIGINT, handler)


def _how_it_died(exitcode):
    if exitcode is not None and exitcode < 0:
        try:
            name = signal.Signals(-exitcode).name
            memory = ", as the system does when memory runs out" if name == "SIGKILL" else ""
            return f"its process was killed ({name}{memory})"
        except ValueError:
            return f"its process was killed (signal {-exitcode})"
    return f"its process ended (exit code {exitcode})"


def _work(out, settings, handle, own_file, device, threads, pipe):
    """What a run's process does: sends ("epoch", record) or ("log", line), then how it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it is not inherited (Windows)
    try:
        threading.Thread(target=die_with_parent, daemon=True).start()
        own.add(own_file)
        on_epoch = lambda _, record: _tell(pipe, "epoch", record)  # noqa: E731
        log = lambda line: _tell(pipe, "log", line)  # noqa: E731
        run_cell(out, settings, shared(handle), device, threads, on_epoch, log)
        _tell(pipe, "done", None)
    except StorageError as error:
        _tell(pipe, "stop", str(error))
    except BrokenRun as error:
        _tell(pipe, "lacked" if error.may_pass else "broken", str(error))
    except UserError as error:  # a second try would fail, too
        _tell(pipe, "refused", str(error))
    except BaseException as error:  # KeyboardInterrupt, too: Ctrl-C is ignored here
        _tell(pipe, "lacked", own.sentence(error))


def _tell(pipe, kind, message):
    """Send to the parent. If it was killed, end as `die_with_parent` does, and without a word."""
    try:
        pipe.send((kind, message))
    except OSError:
        os._exit(1)


def die_with_parent():
    multiprocessing.parent_process().join()
    os._exit(1)
