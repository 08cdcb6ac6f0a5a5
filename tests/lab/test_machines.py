"""Schedulers, workers, ranks and connections that are lost or differ, with waits cut short.

The waits of a user, and more cases, are in tests/machines.py.
"""

import os
import threading
import time

import machines
import pytest
from mpi_jobs import needs_mpi

from minisgd.errors import UserError
from minisgd.lab import cluster, facts, sweep, watch
from minisgd.settings import Settings


def test_the_code_is_known_by_every_file_of_the_package(monkeypatch, tmp_path):
    def code():
        return facts.code.__wrapped__()

    for path, text in (("minisgd/lab/facts.py", "1\n"), ("minisgd/optim.py", "2\n")):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.setattr(facts, "__file__", str(tmp_path / "minisgd" / "lab" / "facts.py"))
    first = code()
    (tmp_path / "minisgd" / "optim.py").write_bytes(b"2\r\n")  # as a checkout on Windows has it
    (tmp_path / "minisgd" / "notes.txt").write_text("no code")
    assert code() == first
    (tmp_path / "minisgd" / "optim.py").write_text("3\n")
    second = code()
    (tmp_path / "minisgd" / "optim.py").rename(tmp_path / "minisgd" / "rules.py")
    assert len({first, second, code()}) == 3


def test_another_code_is_refused_and_another_numpy_noted():
    here = facts.about()
    assert facts.compare(here | {"machine": "another"}, "rank 0") is None
    with pytest.raises(UserError, match=r"^rank 0 has another minisgd \(0\.0, code other\) than"):
        facts.compare(here | {"code": "other", "minisgd": "0.0"}, "rank 0")
    note = facts.compare(here | {"numpy": "1.99", "python": "3.1"}, "rank 0")
    assert note.startswith("rank 0 has NumPy 1.99 and Python 3.1, this process NumPy ")


def test_workers_that_differ_are_told_and_those_alike_in_one_line():
    here, said = facts.about(), []

    def where(*workers):
        found = {f"tcp://{k}": here | worker for k, worker in enumerate(workers)}
        eye = watch.Watch(None, "tcp://s", said.append)
        eye.during = lambda *given: found
        eye.client = type("Client", (), {"run": None})
        return cluster._where(eye.client, eye)

    assert where({}, {"machine": "2 cores"}, {"machine": "2 cores"}).endswith(
        "; 2 workers of distributed on 2 cores"
    )
    assert not said
    where({}, {"numpy": "1.99"}, {"numpy": "1.99"})
    assert len(said) == 1 and said[0].startswith("The worker at tcp://1 (and 1 more) has NumPy")
    with pytest.raises(UserError, match="the worker at tcp://1 has another minisgd"):
        where({}, {"code": "other"})


def test_a_worker_that_comes_later_with_other_code_refuses_the_run(small_data):
    with pytest.raises(UserError, match=r"has another minisgd \(code .*, not another\): install"):
        cluster.whole_run(Settings(100), small_data, "cpu", 1, None, None, "another")


def test_a_sweep_tells_of_all_that_is_lost_and_gives_up_a_scheduler_that_is_stopped(
    small_mnist, small_data, tmp_path, monkeypatch
):
    pytest.importorskip("distributed", reason="distributed is not installed")
    monkeypatch.setattr(watch, "QUIET", 0.6)
    monkeypatch.setattr(watch, "EVERY", 0.1)
    said, ended = [], []

    def until(words, times=1):
        began = time.monotonic()
        while sum(words in line for line in said) < times:
            assert not ended and time.monotonic() < began + 60, (said, ended)
            time.sleep(0.02)

    def runs(address):
        cells = [Settings(100, epochs=10_000, seed=seed) for seed in (0, 1)]
        try:
            with cluster.cluster(address, said.append) as there:
                submit = there.executor.submit
                there.executor.submit = lambda *given: said.append("given") or submit(*given)
                sweep.run_cells(tmp_path, cells, small_data, log=said.append, elsewhere=there)
        except UserError as error:
            ended.append(str(error))

    with machines.a_place(small_mnist) as place:
        scheduler, address = place.scheduler(
            DASK_DISTRIBUTED__WORKER__HEARTBEAT="100ms", DASK_DISTRIBUTED__CLIENT__HEARTBEAT="100ms"
        )
        workers = [place.worker(address) for _ in range(2)]
        proxy = machines.Proxy(int(address.rsplit(":", 1)[1]))
        thread = threading.Thread(target=runs, args=(proxy.address,), daemon=True)
        thread.start()
        until("given", 2)
        workers[0].send(machines.STOP)
        until("has said nothing for 0.6 s")
        workers[0].send(machines.GO)
        until("is back")
        workers[0].send(machines.KILL)
        until("its runs start elsewhere")
        proxy.reset()
        until("is lost: trying again")
        until("it will be tried once more", 2)
        until("given", 4)
        scheduler.send(machines.STOP)
        monkeypatch.setattr(watch, "SILENCE", 0.6)
        thread.join(60)
    (reason,) = ended
    assert "has not answered for 0.6 s" in reason, said


@needs_mpi
def test_ranks_0_and_1_tell_of_one_another(small_mnist):
    with machines.a_place(small_mnist) as place:
        job, processes = place.ranks("ranks.PATIENCE = 0.5")
        for stopped in (1, 0):
            job.says("^epoch")
            os.kill(processes[stopped], machines.STOP)
            job.says(rf"^Rank {1 - stopped} has waited .* for the other 1: one may be stopped")
            job.since = len(job.lines)
            os.kill(processes[stopped], machines.GO)
        job.says("^epoch")
        began = time.monotonic()
        os.kill(processes[1], machines.KILL)
        assert job.popen.wait(60) and time.monotonic() < began + 30


@needs_mpi
def test_ranks_with_other_code_are_refused_and_with_another_numpy_noted(small_mnist):
    with machines.a_place(small_mnist) as place:
        jobs = machines.ranks_with_other_code, machines.ranks_with_other_numpy
        for job in jobs:
            line, _ = job(place)
            assert "rank 0" in line
