"""Runs given to executors: to any, to distributed's with a worker killed, to MPI's."""

import csv
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from unittest import mock

import machines
import pytest
from mpi_jobs import finished, needs_mpi, starter

from minisgd.errors import SettingError, UserError
from minisgd.lab import cluster, sweep
from minisgd.lab.checkpoints import read_checkpoint
from minisgd.lab.run_folder import RunFolder
from minisgd.settings import Settings

ROOT = Path(__file__).parents[2]
CELLS = [Settings(b, epochs=2, seed=seed) for b in (100, 200) for seed in (0, 1)]


def records(out, dataset):
    """What the folder holds of every run, but for the time that it took."""
    found = {}
    for cell in CELLS:
        folder = RunFolder(out, cell, dataset.digest)
        rows = [{**record, "seconds": 0} for record in folder.records()]
        _, _, state = read_checkpoint(folder.newest)
        found[cell] = rows, state.w.tobytes()
    return found


@pytest.fixture(scope="module")
def here(small_data, tmp_path_factory):
    """The same runs by processes of this machine."""
    out = tmp_path_factory.mktemp("here")
    assert sweep.run_cells(out, CELLS, small_data) == {}
    return records(out, small_data)


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
@pytest.mark.parametrize("jobs", [None, 1])
def test_any_executor_leaves_what_processes_here_leave(small_data, tmp_path, here, kind, jobs):
    told = []
    with kind(2) as executor:
        there = cluster.Cluster(executor, lambda dataset: dataset, jobs)
        tell = lambda settings, record: told.append((settings, record["epoch"]))  # noqa: E731
        given = {"on_epoch": tell, "elsewhere": there, "on_start": lambda: told.append("start")}
        assert sweep.run_cells(tmp_path, CELLS, small_data, **given) == {}
    assert told.pop(0) == "start"
    assert sorted(told, key=str) == sorted([(c, e) for c in CELLS for e in (1, 2)], key=str)
    assert records(tmp_path, small_data) == here
    assert all(RunFolder(tmp_path, c, small_data.digest).finished() for c in CELLS)


class Unreliable:
    """An executor that computes at once, and loses the first futures it is asked for."""

    def __init__(self, *errors):
        self.errors, self.calls = list(errors), []

    def submit(self, function, *given):
        future = Future()
        self.calls.append(given)
        if self.errors:
            future.set_exception(self.errors.pop(0))
        else:
            future.set_result(function(*given))
        return future


@pytest.mark.parametrize("error", [RuntimeError("killed"), CancelledError(), MemoryError()])
def test_a_run_that_was_lost_is_tried_again_and_the_images_handed_over_anew(
    small_data, tmp_path, here, error
):
    executor, handed, said = Unreliable(error), [], []
    there = cluster.Cluster(executor, lambda dataset: handed.append(1) or dataset, 1)
    assert sweep.run_cells(tmp_path, CELLS, small_data, log=said.append, elsewhere=there) == {}
    assert len(executor.calls) == len(CELLS) + 1 and len(handed) == 2
    assert (
        len(said) == 1 and "b100-lr0.01-epochs2-seed0" in said[0] and "tried once more" in said[0]
    )
    assert records(tmp_path, small_data) == here


def test_what_fails_twice_or_is_refused_costs_its_own_run(small_data, tmp_path):
    for errors, tries in (([RuntimeError("no"), RuntimeError("no")], 5), ([UserError("no")], 4)):
        executor = Unreliable(*errors)
        there, out = cluster.Cluster(executor, lambda dataset: dataset, 1), tmp_path / str(tries)
        out.mkdir()
        failed = sweep.run_cells(out, CELLS, small_data, log=lambda line: None, elsewhere=there)
        assert list(failed) == CELLS[:1] and failed[CELLS[0]].endswith("no")
        assert len(executor.calls) == tries
        assert RunFolder(out, CELLS[-1], small_data.digest).finished()


def test_what_was_begun_here_goes_on_there(small_data, tmp_path, here):
    folder = RunFolder(tmp_path, CELLS[0], small_data.digest)
    folder.path.mkdir()
    folder.resume(len)  # notes whose folder it is
    folder.save(*cluster.whole_run(replace(CELLS[0], epochs=1), small_data, "cpu", 1, None))
    executor = Unreliable()
    there = cluster.Cluster(executor, lambda dataset: dataset, None)
    assert sweep.run_cells(tmp_path, CELLS, small_data, log=len, elsewhere=there) == {}
    assert executor.calls[0][-3].epoch == 1  # its state went along
    assert records(tmp_path, small_data) == here


def test_a_run_whose_folder_is_anothers_costs_itself_alone(small_data, tmp_path):
    folder = RunFolder(tmp_path, CELLS[1], small_data.digest)
    other = RunFolder(tmp_path, CELLS[1], "another set of images")
    folder.path.mkdir()
    other.resume(len)
    other.save(*cluster.whole_run(replace(CELLS[1], epochs=1), small_data, "cpu", 1, None))
    there = cluster.Cluster(Unreliable(), lambda dataset: dataset, None)
    failed = sweep.run_cells(tmp_path, CELLS, small_data, log=len, elsewhere=there)
    assert list(failed) == [CELLS[1]] and "belongs to another run" in failed[CELLS[1]]
    assert RunFolder(tmp_path, CELLS[2], small_data.digest).finished()
    again = sweep.run_cells(tmp_path, CELLS, small_data, log=len, elsewhere=there)
    assert list(again) == [CELLS[1]]  # and its lock had been given back


def test_a_run_that_diverged_is_over(small_data, tmp_path):
    settings, executor = Settings(100, lr=1e9, epochs=5), Unreliable()
    there = cluster.Cluster(executor, lambda dataset: dataset, None)
    folder = RunFolder(tmp_path, settings, small_data.digest)
    for _ in range(2):
        assert sweep.run_cells(tmp_path, [settings], small_data, log=len, elsewhere=there) == {}
        assert [record["status"] for record in folder.records()] == ["diverged"]
        folder.lines.write_bytes(b"")  # as if killed between the checkpoint and its line
    assert len(executor.calls) == 1


def test_images_that_reach_nobody_are_told(small_data, tmp_path):
    def hand_over(dataset):
        raise TimeoutError("No valid workers found")

    there = cluster.Cluster(Unreliable(), hand_over, None)
    with pytest.raises(UserError, match=r"cannot be sent to the workers .*No valid workers"):
        sweep.run_cells(tmp_path, CELLS, small_data, elsewhere=there)


def test_a_folder_that_is_gone_ends_it_at_once(small_data, tmp_path):
    executor = Unreliable()
    there = cluster.Cluster(executor, lambda dataset: dataset, None)
    with pytest.raises(UserError):
        sweep.run_cells(tmp_path / "gone", CELLS, small_data, elsewhere=there)
    assert not executor.calls


def test_without_a_scheduler_and_without_mpi_there_is_no_cluster():
    with cluster.cluster() as there:
        assert there is None


def test_distributed_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(SettingError, match=r'pip install -e ".\[cluster\]"'),
        cluster.cluster("tcp://127.0.0.1:1"),
    ):
        pass


# -- distributed


def command(small_mnist, out, *more, epochs=2):
    return [
        sys.executable, ROOT / "cli.py", "sweep", "--dataset", "glyphs", "--data-dir", small_mnist,
        "--batch-sizes", "100,200", "--seeds", "2", "--epochs", str(epochs), "--out", out,
        "--device", "cpu", *more,
    ]  # fmt: skip


def test_a_sweep_through_distributed_with_a_worker_killed_in_the_middle(
    small_mnist, small_data, tmp_path, scheduler
):
    address, worker = scheduler
    workers, epochs = [worker(), worker()], 12
    asked = command(small_mnist, tmp_path / "there", "--scheduler", address, epochs=epochs)
    process = subprocess.Popen(
        list(map(str, asked)), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    first = ""
    while "1 of 4 runs" not in first:  # the others are being trained
        first = process.stderr.readline()
        assert first or process.poll() is None
    os.killpg(workers[0].pid, signal.SIGKILL)
    code, out, err = finished(process)
    assert code == 0, err
    assert "failed" not in out and "of 4 runs failed" not in err
    plain = subprocess.run(
        list(map(str, command(small_mnist, tmp_path / "plain", epochs=epochs))), check=True,
        capture_output=True,
    )  # fmt: skip
    assert plain.returncode == 0
    tables = [
        [line.split(",")[:13] for line in (tmp_path / o / "metrics.csv").read_text().splitlines()]
        for o in ("there", "plain")
    ]
    assert tables[0] == tables[1] and len(tables[0]) == 1 + 4 * epochs


SHORT = """
from dataclasses import replace
from minisgd.report.experiments import EXPERIMENTS

some = [s for s in EXPERIMENTS["figure3"].settings if s.batch_size in (2048, 8192)]
some = [replace(s, batch_size=s.batch_size // 16, epochs=1, warmup="none") for s in some]
EXPERIMENTS["figure3"] = replace(EXPERIMENTS["figure3"], settings=tuple(some), lucky=(), apart=())
if __name__ == "__main__":
    from minisgd.commands.group import cli
    cli()
"""
ASKED = {
    "figure3": "figures 3 --seeds 2",
    "tune": "tune --lrs .01,.05 --epochs 1 --seeds 1 --held-out 100",
    "grow": "grow --batch-size 20 --epochs 1 --largest 40 --seeds 1 --held-out 100",
}


def test_figures_tune_and_grow_through_distributed_are_those_of_processes_here(
    small_mnist, tmp_path, scheduler
):
    address, worker = scheduler
    worker(), worker()
    (tmp_path / "short.py").write_text(SHORT)
    ways = {"there": ("--scheduler", address), "here": ("--jobs", "2")}
    for name, question in ASKED.items():
        tables, machines = [], {}
        for way, more in ways.items():
            out = tmp_path / way
            done = subprocess.run(
                [sys.executable, tmp_path / "short.py", *question.split(), *more,
                 "--dataset", "glyphs", "--data-dir", small_mnist, "--out", out, "--device", "cpu",
                 "--runs", tmp_path / f"runs-{way}"],
                cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
                capture_output=True, text=True,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            with open(out / f"{name}.csv", newline="") as file:
                tables.append([{**row, "seconds": 0} for row in csv.DictReader(file)])
            machines[way] = (out / f"{name}.json").read_text()
        assert tables[0] == tables[1] and len(tables[0]) > 1
        assert re.search(
            r'"machine": "[12] workers? of distributed on \d+ cores', machines["there"]
        )
        assert "distributed" not in machines["here"]


def test_a_scheduler_without_workers_and_one_that_is_not_there(scheduler, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    for address, said in ((scheduler[0], "has no workers"), ("tcp://127.0.0.1:1", "no scheduler")):
        with pytest.raises(UserError, match=said) as error, cluster.cluster(address):
            pass
        assert address in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("address", ["localhost", "", "nonsense://x", "localhost:x"])
def test_what_is_no_address_never_comes_to_a_client(monkeypatch, address):
    """A Client complains once more when it is deleted, half a minute after the sentence."""
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    monkeypatch.setattr(distributed, "Client", None)
    with pytest.raises(UserError, match=r"such as tcp://127\.0\.0\.1:8786$") as error:
        with cluster.cluster(address):
            pass
    assert "NoneType" not in str(error.value)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_certificate_decides_who_reaches_a_scheduler(small_mnist, monkeypatch):
    """As the lines on the page about machines say, but on another port."""
    pytest.importorskip("distributed", reason="distributed is not installed")
    import dask

    page = (ROOT / "minisgd" / "machine" / "README.md").read_text("utf-8")
    lines = page[page.index("    openssl req") :].split("\n\n")[0].splitlines()
    make, schedule, work, *exports, ask = (shlex.split(line) for line in lines)
    with machines.a_place(small_mnist) as place:
        subprocess.run(make, check=True, capture_output=True, cwd=place.folder)
        _, address = place.scheduler(*schedule[2:-1])
        assert address.startswith("tls://")
        assert work[2] == ask[-1] == "tls://127.0.0.1:8786"
        place.worker(address, *work[3:-1])
        with pytest.raises(UserError, match="no scheduler answers") as error:
            with cluster.cluster(address):
                pass
        assert address in str(error.value)
        monkeypatch.chdir(place.folder)
        dask.config.refresh(env=dict(name.split("=") for _, name in exports))
        try:
            with cluster.cluster(address) as reached:
                assert reached.where.startswith("1 worker of distributed")
        finally:
            dask.config.refresh()


def test_workers_without_minisgd_are_told():
    class Watch:
        scheduler = "tcp://w"

        def during(self, call, *given):
            raise ModuleNotFoundError("No module named 'minisgd'")

    with pytest.raises(UserError, match=r"workers of tcp://w cannot run minisgd .*: install it"):
        cluster._where(mock.Mock(), Watch())


def test_a_run_that_killed_its_workers_is_not_tried_again(small_data, tmp_path):
    class KilledWorker(Exception):
        allowed_failures = 3

    executor = Unreliable(KilledWorker())
    there = cluster.Cluster(executor, lambda dataset: dataset, 1)
    failed = sweep.run_cells(tmp_path, CELLS, small_data, log=len, elsewhere=there)
    assert "4 workers died" in failed[CELLS[0]] and "memory" in failed[CELLS[0]]
    assert len(executor.calls) == len(CELLS)


# -- MPI's executor


def ended(command):
    """What a command printed; it must succeed."""
    process = subprocess.Popen(
        list(map(str, command)), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    code, out, err = finished(process)
    assert code == 0, err
    return out


@needs_mpi
def test_a_sweep_through_mpis_executor(small_mnist, small_data, tmp_path, here):
    asked = command(small_mnist, tmp_path / "there")
    out = ended([starter(), "-n", "3", asked[0], "-m", "mpi4py.futures", *asked[1:]])
    assert out.count("2 ok") == 2
    assert records(tmp_path / "there", small_data) == here


@needs_mpi
def test_a_search_through_mpis_executor(small_mnist, tmp_path):
    """Its runs are those of a search in one process: the same trials come out of it."""
    pytest.importorskip("scipy", reason="SciPy, which draws the trials, is not installed")
    found = []
    for ranks in (0, 3):
        out = tmp_path / str(ranks)
        asked = [sys.executable, *(["-m", "mpi4py.futures"] if ranks else []), ROOT / "cli.py"]
        asked += ["tune", "--search", "lr=.01:.2", "--trials", "2", "--halvings", "1", "--epochs"]
        asked += ["2", "--batch-size", "40", "--held-out", "100", "--dataset", "glyphs", "--device"]
        asked += ["cpu", "--data-dir", small_mnist, "--out", out, "--runs", out / "runs"]
        if ranks:
            asked = [starter(), "-n", str(ranks), *asked]
        said = ended(asked)
        found.append(said.replace(str(out), ""))
    assert found[0] == found[1] and "chosen on held-out images: lr" in found[0]
