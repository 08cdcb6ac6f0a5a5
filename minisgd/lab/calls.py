"""Calls of functions of a dataset, in processes of their own that share its memory.

For work that is shorter than a run and leaves nothing on disk by itself: the caller keeps what a
call returns. Runs with a folder of their own are made by workers.py.
"""

import multiprocessing
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from ..data.sharing import share, shared
from ..errors import UserError
from .workers import die_with_parent

_of_this_process = {}  # in a process that `calls` started: its dataset


@contextmanager
def calls(dataset, jobs):
    """Yield call(function, *arguments), which returns function(dataset, *arguments).

    With more than one job, a call waits for one of so many processes; several threads may then call
    at once. If the block is left by an error, or by Ctrl-C, the calls under way are given up.

    Raises:  UserError, by a call whose process was killed
    """
    if jobs == 1:
        yield lambda function, *arguments: function(dataset, *arguments)
        return
    context = multiprocessing.get_context("spawn")
    handle = share(dataset, context)
    try:
        pool = ProcessPoolExecutor(jobs, context, _begin, (handle,))
    except OSError as error:  # its locks need /dev/shm
        raise UserError(
            f"processes cannot share work here ({error.strerror}: is there a /dev/shm that can be "
            "written to?): give --threads 1"
        ) from None

    def call(function, *arguments):
        try:
            return pool.submit(_call, function, *arguments).result()
        except BrokenProcessPool:
            raise UserError(
                "a process was killed at its work, perhaps for lack of memory: give the same "
                "command again, with fewer --threads"
            ) from None

    try:
        yield call
    except BaseException:
        for process in multiprocessing.active_children():
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(handle):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles it
    threading.Thread(target=die_with_parent, daemon=True).start()
    _of_this_process["dataset"] = shared(handle)


def _call(function, *arguments):
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        return function(_of_this_process["dataset"], *arguments)
