"""Lose a scheduler, a worker, a rank or a connection: what is said, and after how long?

The test suite does some of this with short waits (lab/test_machines.py). With those of a user,

    python tests/machines.py

takes some fifteen minutes, prints a row for every case, and exits with 1 if one is not as expected.
In the end the results must be those of the same command in calm; where it ended in exit code 1, it
is given again first. Cases that are named after it ("worker stopped") are tried alone. It wants
distributed, MPI, Linux, the rights to make a control group, and bindfs.
"""

import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from endurance import fingerprint, make_data  # noqa: E402

from minisgd.errors import UserError  # noqa: E402

STOP, GO, KILL = signal.SIGSTOP, signal.SIGCONT, signal.SIGKILL
RUNS = ("--batch-sizes", "32,256", "--dataset", "glyphs", "--device", "cpu")
# What Python runs first in a worker.
NO_MINISGD = """
import sys

class Without:
    def find_spec(self, name, *given):
        if name.split(".")[0] == "minisgd":
            raise ModuleNotFoundError("No module named 'minisgd'", name=name)

sys.meta_path.insert(0, Without())
"""
OTHER_NUMPY = "import numpy; numpy.__version__ = '1.99.0'"
HUNGRY = """
import os
import time
import numpy as np
from minisgd.optim import Optimizer

def hungry(w, g, memory, lr, t, settings, shapes):
    kept = []
    while "HUNGRY" in os.environ and len(w) > 1000 and len(kept) < 40:
        kept.append(np.ones(2**23))  # 64 MB
        time.sleep(0.1)
    w -= lr * g

OPTIMIZERS = {"hungry": Optimizer(hungry)}
"""
HUNGER = "import os; os.environ['HUNGRY'] = '1'"
# A rank says which process it is, so that it can be stopped, and does what makes it another.
RANK = """
import os
import sys
from mpi4py import MPI
import minisgd.data
from minisgd.lab import facts, ranks

rank, load = MPI.COMM_WORLD.Get_rank(), minisgd.data.load_dataset
# In one write: ranks share a stdout.
os.write(1, b"process of rank %d %d\\n" % (rank, os.getpid()))
{}
from minisgd.commands.group import cli
cli()
"""
OTHER_CODE = "if rank: facts.code = lambda: 'another'"
OTHER_NUMPY_THERE = "if rank: facts.np.__version__ = '1.99.0'"
OTHER_DATA = "if rank: minisgd.data.load_dataset = lambda name, folder, **more: load(name, {!r})"


UNCUT = {}  # {(a folder with a dataset, a command): the fingerprint of what it leaves in calm}


class Proxy:
    """A way to a port of this machine, on which connections can be reset, or cut off."""

    def __init__(self, port):
        self.port, self.cut, self.pairs = port, False, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            ours, _ = self.listener.accept()
            pair = ours, socket.create_connection(("127.0.0.1", self.port))
            self.pairs.append(pair)
            for one, other in (pair, pair[::-1]):
                threading.Thread(target=self._copy, args=(one, other), daemon=True).start()

    def _copy(self, one, other):
        with suppress(OSError):  # one of the two is closed
            piece = None
            while piece != b"":
                piece = one.recv(65536)
                while self.cut:  # nor does the other hear that this one has ended
                    time.sleep(0.1)
                other.sendall(piece)
            other.shutdown(socket.SHUT_WR)

    def reset(self):
        """Every connection there is ends by RST; those made later are as before."""
        for end in (end for pair in self.pairs for end in pair):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RD)  # wakes its thread
            end.close()
        self.pairs = []


class Process:
    """A process in a group of its own, whose lines are read as they come."""

    def __init__(self, popen):
        self.popen, self.lines, self.since = popen, [], 0
        streams = [stream for stream in (popen.stdout, popen.stderr) if stream]
        self.readers = [
            threading.Thread(target=self._read, args=(s,), daemon=True) for s in streams
        ]
        for reader in self.readers:
            reader.start()

    def _read(self, stream):
        for line in stream:
            self.lines.append(line.rstrip())

    def says(self, pattern, within=200):
        """The next line in which the pattern is found."""
        until = time.monotonic() + within
        while True:
            over = not any(reader.is_alive() for reader in self.readers)
            while self.since < len(self.lines):
                self.since += 1
                if re.search(pattern, self.lines[self.since - 1]):
                    return self.lines[self.since - 1]
            if over or time.monotonic() > until:
                raise AssertionError(f"{pattern!r} is not in " + "\n".join(["", *self.lines]))
            time.sleep(0.02)

    def ends(self, code, within=300):
        found = self.popen.wait(within)
        for reader in self.readers:
            reader.join()
        assert found == code, (found, *self.lines)
        assert not any("Traceback" in line for line in self.lines), "\n".join(self.lines)

    def send(self, number):
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, number)


class Place:
    """A folder, what was started there, and a folder with a small dataset."""

    def __init__(self, folder, data):
        self.folder, self.data, self.started = Path(folder), data, []

    def start(self, *command, **environment):
        process = Process(subprocess.Popen(
            [sys.executable, *map(str, command)], text=True, cwd=self.folder,
            start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        ))  # fmt: skip
        self.started.append(process)
        return process

    def scheduler(self, *more, **environment):
        """(its process, its address)"""
        given = "--host", "127.0.0.1", "--port", "0", "--no-dashboard", *more
        process = self.start("-m", "distributed.cli.dask_scheduler", *given, **environment)
        address = re.search(r"\w+://[\d.]+:(\d+)", process.says(r"at: +\w+://127"))
        process.port = address[1]
        return process, address[0]

    def worker(self, address, *more, first="", path=ROOT, data=None, nanny=False):
        """A worker; first, what its Python does first; path and data, where it finds minisgd and
        datasets, of which it has none if not told.
        """
        aside = Path(tempfile.mkdtemp(dir=self.folder))
        (aside / "sitecustomize.py").write_text(first)
        given = address, "--nthreads", "1", "--no-dashboard", "--local-directory", aside, *more
        process = self.start(
            "-m", "distributed.cli.dask_worker", *given, "--nanny" if nanny else "--no-nanny",
            PYTHONPATH=f"{aside}{os.pathsep}{path}", MINISGD_DATA=str(data or aside),
        )  # fmt: skip
        process.says("Registered to")
        return process

    def sweep(self, address, *more, epochs=2, seeds=2, out=None, **environment):
        """A sweep on the workers of a scheduler; here, if its address is None."""
        out = out or tempfile.mkdtemp(dir=self.folder)
        where = ("--scheduler", address) if address else ("--jobs", "1")
        process = self.start(
            ROOT / "cli.py", "sweep", *RUNS, "--epochs", epochs, "--seeds", seeds,
            "--data-dir", self.data, "--out", Path(out) / "o", *where, *more, **environment,
        )  # fmt: skip
        process.asked, process.out = ("sweep", epochs, seeds, *more), Path(out) / "o"
        process.again = lambda: self.sweep(address, *more, epochs=epochs, seeds=seeds, out=out)
        process.in_calm = lambda: self.sweep(None, *more, epochs=epochs, seeds=seeds)
        return process

    def ranks(self, different="", epochs=100_000, size=2, out=None):
        """(an MPI job, the numbers of its processes)"""
        from mpi_jobs import start as start_ranks  # which looks for MPI

        program = Path(tempfile.mkdtemp(dir=self.folder)) / "program.py"
        program.write_text(RANK.format(different))
        out = out or program.with_name("out")
        given = "--epochs", epochs, "--out", out
        job = Process(start_ranks(size, self.data, *given, program=program))
        job.asked, job.out = ("train", epochs), out
        job.again = lambda: self.ranks("", epochs, size, out)[0]
        job.in_calm = lambda: self.ranks("", epochs, 1)[0]
        self.started.append(job)
        lines = sorted(job.says("process of rank") for _ in range(size))
        return job, [int(line.split()[-1]) for line in lines]

    def ends_whole(self, process):
        """It ends well, and leaves what one process, or one rank, leaves that nothing disturbs."""
        process.ends(0)
        asked = self.data, *process.asked
        if asked not in UNCUT:
            calm = process.in_calm()
            calm.ends(0)
            UNCUT[asked] = fingerprint(calm.out)
        found = fingerprint(process.out)
        assert found == UNCUT[asked], f"it left {found}; in calm it leaves {UNCUT[asked]}"

    def goes_on(self, process, kept="of 4 runs were finished before"):
        """The same command, given again, says what is kept, and ends whole."""
        again = process.again()
        again.says(kept)
        self.ends_whole(again)

    def end(self):
        for process in self.started:
            process.send(KILL)
            process.popen.wait()
        self.started = []


@contextmanager
def control_group(most, place):
    """The folder of a group of processes that may use so many bytes of memory together.

    Processes of the place that are still in it at the end are ended, and then the group is.
    """
    older = Path("/sys/fs/cgroup/memory")
    group = (older if older.exists() else older.parent) / f"minisgd-{os.getpid()}"
    group.mkdir()
    try:
        limit = "memory.limit_in_bytes" if older.exists() else "memory.max"
        (group / limit).write_text(str(most))
        yield group
    finally:
        place.end()
        until = time.monotonic() + 5
        while (group / "cgroup.procs").read_text() and time.monotonic() < until:
            time.sleep(0.05)
        group.rmdir()


@contextmanager
def views_of(shared, *views):
    """The same folder at other places, each of which has its own locks and is up to three seconds
    late.
    """
    lag = "attr_timeout=3,entry_timeout=3,negative_timeout=3"
    with ExitStack() as seen:
        for view in views:
            subprocess.run(["bindfs", "-o", lag, shared, view], check=True)
            seen.callback(subprocess.run, ["fusermount", "-u", view], check=True)
        yield


def since(began):
    return time.monotonic() - began


# More runs than a worker is given at once, so that some are left when one is back. The sweep looks
# at its workers every two seconds.
MANY = {"seeds": 6, "epochs": 40}


# -- the cases: each returns a line that was said, and how many seconds after what


def under_way(place, workers=1, way=lambda address: address, epochs=12, seeds=2):
    """(scheduler, [worker], sweep, since when): a run of it is over, and others are trained"""
    scheduler, address = place.scheduler()
    there = [place.worker(address) for _ in range(workers)]
    sweep = place.sweep(way(address), epochs=epochs, seeds=seeds)
    sweep.says(f"1 of {2 * seeds} runs")
    return scheduler, there, sweep, time.monotonic()


def through_a_proxy(place, **more):
    """(proxy, sweep, since when) as `under_way`, with a Proxy before the scheduler"""
    proxies = []

    def way(address):
        proxies.append(Proxy(int(address.rsplit(":", 1)[1])))
        return proxies[0].address

    _, _, sweep, began = under_way(place, way=way, **more)
    return proxies[0], sweep, began


def scheduler_killed(place):
    scheduler, _, sweep, began = under_way(place)
    scheduler.send(KILL)
    line = sweep.says("scheduler at .* is gone")
    sweep.ends(1)
    told = since(began)
    _, address = place.scheduler("--port", scheduler.port)
    place.worker(address)
    place.goes_on(sweep)
    return line, told


def scheduler_stopped(place):
    scheduler, _, sweep, began = under_way(place)
    scheduler.send(STOP)
    line = sweep.says("scheduler at .* has not answered")
    sweep.ends(1)
    told = since(began)
    scheduler.send(GO)
    place.goes_on(sweep)
    return line, told


def scheduler_cut_off(place):
    proxy, sweep, began = through_a_proxy(place)
    proxy.cut = True
    line = sweep.says("scheduler at .* (is gone|has not answered)")
    sweep.ends(1)
    told = since(began)
    proxy.cut = False
    place.goes_on(sweep)
    return line, told


def connection_reset(place):
    proxy, sweep, began = through_a_proxy(place, epochs=40)
    proxy.reset()
    line, told = sweep.says("connection to the scheduler .* is lost"), since(began)
    sweep.says("tried once more")
    place.ends_whole(sweep)
    return line, told


def worker_killed(place):
    _, workers, sweep, began = under_way(place, 2, epochs=40)
    workers[0].send(KILL)
    line, told = sweep.says("worker at .* is gone"), since(began)
    place.ends_whole(sweep)
    return line, told


def worker_stopped(place):
    _, workers, sweep, began = under_way(place, **MANY)
    workers[0].send(STOP)
    line, told = sweep.says("has said nothing"), since(began)
    workers[0].send(GO)
    sweep.says("is back")
    place.ends_whole(sweep)
    return line, told


def with_proxies(place, scheduler):
    """(a worker's address, the ways to it and from it)"""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    to, back = Proxy(port), Proxy(scheduler.port)
    listens = "--listen-address", f"tcp://127.0.0.1:{port}", "--contact-address", to.address
    place.worker(back.address, *listens)
    return to.address, (to, back)


def worker_cut_off(place):
    """Meanwhile it trains on."""
    scheduler, address = place.scheduler()
    worker, ways = with_proxies(place, scheduler)
    sweep = place.sweep(address, **MANY)
    sweep.says("1 of 12 runs")
    began = time.monotonic()
    for way in ways:
        way.cut = True
    line, told = sweep.says(f"worker at {worker} has said nothing"), since(began)
    time.sleep(max(0, 70 - told))
    for way in ways:
        way.cut = False
    sweep.says(f"worker at {worker} is back")
    place.ends_whole(sweep)
    return line, told


def worker_given_up(place):
    """As a scheduler does with a worker that has been silent for 300 s, here 20."""
    scheduler, address = place.scheduler(DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL="20s")
    place.worker(address)
    worker, ways = with_proxies(place, scheduler)
    sweep = place.sweep(address, epochs=40)
    sweep.says("1 of 4 runs")
    began = time.monotonic()
    for way in ways:
        way.cut = True
    line, told = sweep.says(f"worker at {worker} is gone .*start elsewhere"), since(began)
    for way in ways:
        way.cut = False  # what it has done meanwhile may come, too
    place.ends_whole(sweep)
    return line, told


def refused(place, pattern, **different):
    _, address = place.scheduler()
    worker = place.worker(address, **different)
    began = time.monotonic()
    sweep = place.sweep(address)
    line = sweep.says(pattern)
    sweep.ends(1)
    told = since(began)
    worker.send(KILL)
    place.worker(address)
    place.goes_on(sweep, "4 of 4 runs")
    return line, told


def worker_with_other_code(place):
    copy = place.folder / "copy"
    shutil.copytree(ROOT / "minisgd", copy / "minisgd")
    with open(copy / "minisgd" / "optim.py", "a") as file:
        file.write("# another\n")
    return refused(place, "has another minisgd", path=copy)


def worker_without_minisgd(place):
    return refused(place, "cannot run minisgd", first=NO_MINISGD)


def worker_with_other_numpy(place):
    _, address = place.scheduler()
    place.worker(address, first=OTHER_NUMPY)
    began = time.monotonic()
    sweep = place.sweep(address)
    line, told = sweep.says("has NumPy .* may differ"), since(began)
    place.ends_whole(sweep)
    return line, told


def worker_without_the_dataset(place, **different):
    """It needs none: the images are sent."""
    _, address = place.scheduler()
    place.worker(address, **different)
    began = time.monotonic()
    sweep = place.sweep(address)
    line, told = sweep.says("4 of 4 runs"), since(began)
    place.ends_whole(sweep)
    return line, told


def worker_with_another_dataset(place):
    """Of the same name, in the folder where it would look."""
    other = place.folder / "other"
    make_data(other, train=400)
    return worker_without_the_dataset(place, data=other)


def worker_out_of_memory(place):
    (place.folder / "hungry.py").write_text(HUNGRY)
    _, address = place.scheduler()
    # The nanny ends it, and starts it again.
    worker = place.worker(address, "--memory-limit", "600MB", nanny=True, first=HUNGER)
    began = time.monotonic()
    more = "--with", place.folder / "hungry.py", "--optimizer", "hungry"
    sweep = place.sweep(address, *more, "--batch-sizes", "256", epochs=1, seeds=1)
    line = sweep.says("failed: lost with its worker, as when memory runs out")
    sweep.ends(1)
    told = since(began)
    worker.send(KILL)
    place.worker(address)
    place.goes_on(sweep, "1 of 1 runs")
    return line, told


def worker_over_its_control_group(place):
    """Where the system ends the largest of the processes that use too much memory together."""
    (place.folder / "hungry.py").write_text(HUNGRY)
    more = "--with", place.folder / "hungry.py", "--optimizer", "hungry"
    with control_group(600_000_000, place) as group:
        began = time.monotonic()
        more += "--batch-sizes", "256", "--jobs", "2"
        sweep = place.sweep(None, *more, seeds=1, HUNGRY="1")
        (group / "cgroup.procs").write_text(str(sweep.popen.pid))
        sweep.says("it will be tried once more")
        line = sweep.says("failed: its process was killed .SIGKILL, as the system does when memory")
        sweep.ends(1)
        told = since(began)
    place.goes_on(sweep, "1 of 1 runs")
    return line, told


def folder_of_two_machines(place):
    shared, *views = (place.folder / name for name in ("shared", "one", "other"))
    for path in (shared, *views):
        path.mkdir()
    with views_of(shared, *views):
        try:
            began = time.monotonic()
            sweeps = [place.sweep(None, out=view, epochs=12) for view in views]
            codes = [sweep.popen.wait(300) for sweep in sweeps]
            ended = since(began)
            assert 1 in codes and set(codes) <= {0, 1}, codes
            for sweep, code in zip(sweeps, codes, strict=True):
                sweep.ends(code)
                assert not any("cut after" in line for line in sweep.lines), sweep.lines
            loser = sweeps[codes.index(1)]
            line = loser.says("is written to by another process|cannot write .*/checkpoint.npz")
            again = place.sweep(None, out=views[0], epochs=12)
            again.out = shared / "o"
            place.ends_whole(again)
            return line, ended
        finally:
            place.end()


def rank_killed(place):
    job, processes = place.ranks(epochs=50)
    job.says("^epoch")
    began = time.monotonic()
    os.kill(processes[1], KILL)
    code, told = job.popen.wait(60), since(began)
    assert code, job.lines
    again = job.again()
    place.ends_whole(again)
    assert not any(re.match("epoch +1 ", line) for line in again.lines), again.lines
    return f"exit code {code}", told


def rank_stopped(place, rank=1):
    job, processes = place.ranks(epochs=50)
    job.says("^epoch")
    began = time.monotonic()
    os.kill(processes[rank], STOP)
    line, told = job.says(f"Rank {1 - rank} has waited"), since(began)
    os.kill(processes[rank], GO)
    place.ends_whole(job)
    return line, told


def rank_0_stopped(place):
    return rank_stopped(place, 0)


def rank_refused(place, different, pattern):
    began = time.monotonic()
    job, _ = place.ranks(different, epochs=1)
    line = job.says(pattern)
    job.ends(1)
    told = since(began)
    place.goes_on(job, "^epoch +1 ")
    return line, told


def ranks_with_other_code(place):
    return rank_refused(place, OTHER_CODE, "has another minisgd")


def ranks_with_other_data(place):
    other = place.folder / "other"
    make_data(other, train=400)
    return rank_refused(place, OTHER_DATA.format(str(other)), "is not the same here as at rank 0")


def ranks_with_other_numpy(place):
    began = time.monotonic()
    job, _ = place.ranks(OTHER_NUMPY_THERE, epochs=1)
    line, told = job.says("Rank 1: rank 0 has NumPy"), since(began)
    place.ends_whole(job)
    return line, told


# {a case: the seconds within which it is told}
CASES = {
    scheduler_killed: 35, scheduler_stopped: 80, scheduler_cut_off: 80, connection_reset: 10,
    worker_killed: 10, worker_stopped: 80, worker_cut_off: 80, worker_given_up: 60,
    worker_with_other_code: 20, worker_without_minisgd: 20, worker_with_other_numpy: 20,
    worker_without_the_dataset: 120, worker_with_another_dataset: 120, worker_out_of_memory: 90,
    worker_over_its_control_group: 60, folder_of_two_machines: 120,
    rank_killed: 2, rank_stopped: 80, rank_0_stopped: 80, ranks_with_other_code: 20,
    ranks_with_other_data: 20, ranks_with_other_numpy: 20,
}  # fmt: skip


@contextmanager
def a_place(data):
    with tempfile.TemporaryDirectory() as folder:
        place = Place(folder, data)
        try:
            yield place
        finally:
            place.end()


def main():
    cases = {case.__name__.replace("_", " "): case for case in CASES}
    chosen = sys.argv[1:] or list(cases)
    if not cases.keys() >= set(chosen):
        sys.exit(f"{__doc__}\nThe cases: {', '.join(cases)}")
    wrong, data = 0, tempfile.mkdtemp()
    make_data(data)
    for name in chosen:
        with a_place(data) as place:
            within = CASES[cases[name]]
            try:
                line, seconds = cases[name](place)
                fault = "" if seconds <= within else f" LATER THAN {within} s"
            except (AssertionError, OSError, subprocess.SubprocessError, UserError) as error:
                line, seconds, fault = str(error), float("nan"), " NOT AS EXPECTED"
        wrong += bool(fault)
        print(f"{name} | {line} | {seconds:.1f} s{fault}", flush=True)
    shutil.rmtree(data)
    return min(1, wrong)


if __name__ == "__main__":
    sys.exit(main())
