"""Runs on other machines, through the executors of other libraries.

The runs of a sweep go to an executor with the interface of `concurrent.futures`: `distributed`'s if
a scheduler is named, MPI's if mpi4py.futures started this program. Whatever a run needs is sent
along; its records and weights come back and are saved here: the machines need share no folder.
"""

import asyncio
import platform
import sys
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, CancelledError, wait
from contextlib import ExitStack, contextmanager, nullcontext

from ..backend import resolve_device
from ..disk.files import StorageError, locked, make_folder
from ..errors import SettingError, UserError, install
from ..train import train
from . import own
from .facts import about, code, compare, machine
from .names import run_name
from .ranks import over_mpi, world
from .run_folder import RunFolder, is_last
from .workers import TRIES, BrokenRun

PATIENCE = 20  # seconds for a scheduler to answer, and for a worker to appear
SILENCE = 60  # seconds after which a silent scheduler is given up
QUIET = 60  # seconds after which a silent worker is told
EVERY = 2.0  # seconds from one look at the scheduler and its workers to the next


class Cluster:
    """Other machines: an executor, how a dataset gets there, how many runs it is given at
    once (None: all), what it computes on, in words, and what is called while runs are awaited.
    """

    def __init__(self, executor, hand_over, jobs, where=None, watch=lambda: None):
        self.executor, self.hand_over, self.jobs, self.where = executor, hand_over, jobs, where
        self.watch = watch

    def run_cells(self, out, cells, dataset, device, threads, on_epoch=None, log=print):
        """As workers.run_cells, except that a run is saved only when it is over.

        Returns: {settings: reason} of the runs that failed
        Raises:  UserError at once if no run can continue
        """
        waiting, tries, failures, running, handle = list(cells), {}, {}, {}, None
        try:
            while waiting or running:
                while waiting and (self.jobs is None or len(running) < self.jobs):
                    handle = self._handed(dataset) if handle is None else handle
                    settings, held = waiting.pop(0), ExitStack()
                    folder = RunFolder(out, settings, dataset.identity)
                    make_folder(folder.path, parents=False)
                    try:
                        held.enter_context(locked(folder.path, wait=10.0))
                        records, state = folder.resume(log)
                        if records and is_last(records[-1], settings):
                            held.close()
                            continue
                    except StorageError:
                        held.close()
                        raise
                    except UserError as error:  # only this run is lost
                        held.close()
                        failures[settings] = str(error)
                        continue
                    tries[settings] = tries.get(settings, 0) + 1
                    given = settings, handle, device, threads, state, own.loaded(), code()
                    future = self.executor.submit(whole_run, *given)
                    running[future] = settings, folder, records, held
                for future in running and _ended(running, self.watch):
                    settings, folder, records, held = running.pop(future)
                    with held:
                        message, worth_a_try = _keep(future, folder, records)
                    if message is None:
                        for record in folder.records()[len(records) :]:
                            on_epoch and on_epoch(settings, record)
                    elif worth_a_try and tries[settings] < TRIES:
                        log(f"{run_name(settings)}: {message}; it will be tried once more")
                        handle = None  # the images may be lost with their worker
                        waiting.insert(0, settings)
                    else:
                        failures[settings] = message
        finally:
            for future, (_, folder, records, held) in running.items():
                with held:
                    if future.done() and not future.cancelled():  # it ended just before the stop
                        _keep(future, folder, records)
                    future.cancel()
        return failures

    def _handed(self, dataset):
        try:
            return self.hand_over(dataset)
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"the images cannot be sent to the workers ({type(error).__name__}: "
                f"{' '.join(str(error).split())}): are any left? Start some, and give the same "
                "command again to continue"
            ) from None


def _ended(futures, watch):
    """Those of the futures that are done, at least one of them."""
    while True:
        done = wait(futures, timeout=EVERY, return_when=FIRST_COMPLETED).done
        watch()
        if done:
            return done


class Watch:
    """An eye on a scheduler of distributed and its workers, of whom no future tells while it is
    awaited: is one of them gone, stopped, or cut off?

    log    is told what has changed
    """

    def __init__(self, client, scheduler, log):
        self.client, self.scheduler, self.log = client, scheduler, log
        self.answer, self.asked, self.next = None, None, 0.0  # of the scheduler; asked, since when
        self.seen = {}  # {address: (the scheduler's time of its last word, ours of seeing that)}
        self.silent = set()

    def __call__(self):
        """Look who is there, without waiting for the answer.

        Raises:  UserError if the scheduler is gone, or has been silent for too long
        """
        if self.client.status == "connecting":
            self.log(f"The connection to the scheduler at {self.scheduler} is lost: trying again.")
        while self.client.status == "connecting":  # until the client gives up, after PATIENCE
            time.sleep(0.1)
        if self.client.status != "running":
            raise self._given_up("is gone")
        now = time.monotonic()
        if self.answer and self.answer.done():
            if not self.answer.cancelled() and self.answer.exception() is None:
                self._compare(self.answer.result(), now)
                self.asked = None
            self.answer = None
        if self.asked and now - self.asked > SILENCE:
            raise self._given_up(f"has not answered for {SILENCE:g} s")
        if self.answer is None and now >= self.next:
            self.answer, self.next = self._later(self._workers()), now + EVERY
            self.asked = self.asked or now

    def during(self, call, *given, **more):
        """What a method of the client returns; the watch goes on meanwhile."""
        for _ in range(3):  # the client may try it on connections that are lost
            future = self._later(call(*given, **more, asynchronous=True))
            _ended([future], self)
            if not isinstance(future.exception(), OSError):
                break
        return future.result()

    def _later(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.client.loop.asyncio_loop)

    async def _workers(self):
        return (await self.client.scheduler.identity())["workers"]

    def _given_up(self, what):
        if self.answer:
            self.answer.cancel()
        return UserError(
            f"the scheduler at {self.scheduler} {what}: when it is there again, and workers with "
            "it, the same command goes on from the runs that are kept"
        )

    def _compare(self, workers, now):
        if now - self.asked > 3 * EVERY:  # while the scheduler was silent, nobody was heard
            self.seen = {address: (word, now) for address, (word, _) in self.seen.items()}
        for address in self.seen.keys() - workers.keys():
            del self.seen[address]
            self.silent.discard(address)
            runs = "start elsewhere" if workers else "wait until there is another"
            self.log(
                f"The worker at {address} is gone (killed, perhaps because memory ran out, or cut "
                f"off): its runs {runs}."
            )
        for address, worker in workers.items():
            word = worker["last_seen"]
            if word != self.seen.get(address, (None, now))[0]:
                self.seen[address] = word, now
                if address in self.silent:
                    self.silent.remove(address)
                    self.log(f"The worker at {address} is back.")
            elif now - self.seen[address][1] > QUIET and address not in self.silent:
                self.silent.add(address)
                name = "" if worker["name"] == address else f" {worker['name']}"
                self.log(
                    f"The worker{name} at {address} has said nothing for {QUIET:g} s: it may be "
                    "stopped or cut off. Its runs wait for it, until the scheduler gives it up."
                )


@contextmanager
def cluster(scheduler=None, log=print):
    """The Cluster of the scheduler's workers, or of MPI's; None if there is neither.

    log    is told of workers that are lost or silent, and of those with another NumPy

    Raises:  SettingError if distributed is not installed; UserError if no worker can be reached,
             or if one has another minisgd
    """
    if scheduler is None:
        with _mpi() or nullcontext() as there:
            yield there
        return
    try:
        from distributed import Client
    except ImportError:
        raise SettingError(f"--scheduler needs distributed: {install('cluster')}") from None
    try:
        client = Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"no scheduler answers at {scheduler} ({' '.join(str(error).split())}): "
            "start one with `dask scheduler`, and give the address it prints, tcp://HOST:8786"
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise UserError(
                f"the scheduler at {scheduler} has no workers: start some with "
                f"`dask worker {scheduler} --nthreads 1`"
            ) from None
        watch = Watch(client, scheduler, log)
        where = _where(client, watch)

        def hand_over(dataset):  # every worker gets the images once; runs carry only a reference
            return watch.during(client.scatter, dataset, broadcast=True, hash=False)

        yield Cluster(client.get_executor(pure=False), hand_over, None, where, watch)


def _where(client, watch):
    """The workers in words.  Raises: UserError if one lacks minisgd, or has another"""
    try:
        found = watch.during(client.run, about)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"the workers of {watch.scheduler} cannot run minisgd ({type(error).__name__}: "
            f"{' '.join(str(error).split())}): install it there"
        ) from None
    alike = {}
    for address, there in found.items():
        alike.setdefault(tuple(there.items()), []).append(address)
    for there, addresses in alike.items():
        others = f" (and {len(addresses) - 1} more)" if addresses[1:] else ""
        if note := compare(dict(there), f"the worker at {addresses[0]}{others}"):
            watch.log(f"{note[0].upper()}{note[1:]}.")
    machines = Counter(there["machine"] for there in found.values())
    return "; ".join(
        f"{n} worker{'s' * (n > 1)} of distributed on {what}" for what, n in machines.items()
    )


def is_elsewhere(scheduler=None):
    """Whether runs go to other workers, which know their own devices."""
    return scheduler is not None or _mpi() is not None


def _mpi():
    """A context with the Cluster of MPI's workers; None if mpi4py.futures started none."""
    if "mpi4py.futures" not in sys.modules:
        if world().size > 1:
            raise SettingError(f"start many runs over MPI by {over_mpi('mpi4py.futures')} sweep")
        return None
    from mpi4py import MPI
    from mpi4py.futures import MPIPoolExecutor

    if MPI.COMM_WORLD.Get_size() == 1:
        return None

    @contextmanager
    def pool():
        with MPIPoolExecutor() as executor:
            workers = MPI.COMM_WORLD.Get_size() - 1
            where = f"{workers} workers of MPI, started from {machine()}"
            yield Cluster(executor, lambda dataset: dataset, workers, where)

    return pool()


def _keep(future, folder, records):
    """Save what came back.

    Returns: (None, False), or what went wrong and whether a second try might succeed
    """
    try:
        new, state = future.result()
    except BrokenRun as error:
        return str(error.kept(folder)), error.may_pass
    except UserError as error:  # a second try would fail, too
        return str(error), False
    except BaseException as error:  # CancelledError is no Exception
        if isinstance(error, KeyboardInterrupt):
            raise
        if isinstance(error, CancelledError):
            return (
                "lost with its worker, as when memory runs out, or with the connection to the "
                "scheduler"
            ), True
        if type(error).__name__ == "KilledWorker":  # distributed need not be installed here
            return (
                f"{error.allowed_failures + 1} workers died of it, one after another, as they do "
                "when memory runs out: give them more (`dask worker --memory-limit`)"
            ), False
        return " ".join(f"{type(error).__name__}: {error}".split())[:200], True
    if new:
        folder.save([*records, *new], state, len(new))
    return None, False


def whole_run(settings, dataset, device, threads, state, own_file=None, sender=None):
    """A worker's part: do the rest of one run.  Returns: (new records, state at the end)

    sender    the `code` of the process that asks for it

    Raises:  UserError, also if the code here is another; BrokenRun for any other error in what
             trains
    """
    from threadpoolctl import threadpool_limits

    if sender not in (None, code()):
        raise UserError(
            f"the worker on {platform.node()} has another minisgd (code {code()}, not {sender}): "
            "install the same there"
        )
    own.add(own_file)
    records, device = [], resolve_device(device)  # the worker's, not the sender's
    try:
        with threadpool_limits(1, user_api="blas"):
            for record, after in train(settings, dataset, device, threads, state=state):
                records.append(record)
                state = after
    except UserError:
        raise
    except Exception as error:
        raise BrokenRun.of(error) from None
    return records, state
