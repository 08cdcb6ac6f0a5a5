"""Runs on other machines, through the executors of other libraries.

The runs of a sweep go to an executor with the interface of `concurrent.futures`: `distributed`'s if
a scheduler is named, MPI's if mpi4py.futures started this program. Whatever a run needs is sent
along; its records and weights come back and are saved here: the machines need share no folder.
"""

import platform
import sys
from collections import Counter
from concurrent.futures import CancelledError
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
from .watch import Watch, ended
from .workers import TRIES, BrokenRun

PATIENCE = 20  # seconds for a scheduler to answer, and for a worker to appear


class Cluster:
    """Other machines: an executor, how a dataset gets there, how many runs it is given at
    once (None: all), what it computes on, in words, and what is called while runs are awaited.
    """

    def __init__(self, executor, hand_over, jobs, where=None, watch=lambda: None):
        self.executor, self.hand_over, self.jobs, self.where = executor, hand_over, jobs, where
        self.watch = watch

    def run_cells(
        self, out, cells, dataset, device, threads, on_epoch=None, log=print, on_start=None
    ):
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
                if on_start:
                    on_start()
                    on_start = None
                for future in running and ended(running, self.watch):
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
        from distributed.comm.addressing import parse_address
        from distributed.comm.registry import get_backend
    except ImportError:
        raise SettingError(f"--scheduler needs distributed: {install('cluster')}") from None
    try:
        # A Client that is given no address at all complains of it once more when it is deleted,
        # half a minute after the sentence below. Only of TCP are all addresses HOST:PORT.
        scheme, place = parse_address(scheduler)
        backend = get_backend(scheme)
        if scheme in ("tcp", "tls"):
            backend.get_address_host_port(place)
        client = Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"no scheduler answers at {scheduler} ({' '.join(str(error).split())}): "
            "start one with `dask scheduler`, and give the address it prints, such as "
            "tcp://127.0.0.1:8786"
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
    except (UserError, KeyboardInterrupt):
        raise
    except BaseException as error:  # of the user's own file, it may be of any class
        raise BrokenRun.of(error) from None
    return records, state
