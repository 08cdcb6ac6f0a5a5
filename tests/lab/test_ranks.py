"""Data parallelism over MPI: the command under mpiexec, with 1 to 4 ranks."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from mpi_jobs import ROOT, Pretended, finished, needs_mpi, start, weights

from minisgd import backend
from minisgd.gradient import even_bounds
from minisgd.lab import ranks
from minisgd.model import LeNet5


# Uneven lanes; a last batch with fewer lanes than ranks; one that is a single image.
@pytest.mark.parametrize(
    ("batch_size", "more"),
    [
        (301, ()),
        (213, ("--optimizer", "muon", "--clip", 1)),
        (71, ("--batch-schedule", "x3@2", "--decay", "linear")),
    ],
)
@needs_mpi
def test_one_to_four_ranks_end_in_the_same_bits(small_mnist, tmp_path, batch_size, more):
    given = "--batch-size", batch_size, "--epochs", 2, "--momentum", 0.9, *more
    jobs = {
        n: start(n, small_mnist, *given, "--out", tmp_path / str(n)) for n in range(1, 5)
    }  # side by side
    for n, job in jobs.items():
        code, out, err = finished(job)
        assert code == 0, err
        assert out.count("epoch   2") == 1, n  # one rank speaks
    assert len({str(weights(tmp_path / str(n))) for n in jobs}) == 1


@needs_mpi
def test_ranks_start_from_what_the_settings_say(small_mnist, tmp_path):
    """With η = 1e-30 they stay there."""
    job = start(2, small_mnist, "--batch-size", 320, "--epochs", 1, "--lr", 1e-30, "--init", "he",
                "--out", tmp_path / "o")  # fmt: skip
    code, _, err = finished(job)
    assert code == 0, err
    w = np.frombuffer(weights(tmp_path / "o")[0], np.float32)
    assert np.abs(w - LeNet5(0, init="he").w).max() < 1e-25


@needs_mpi
def test_another_number_of_ranks_goes_on_where_one_stopped(small_mnist, tmp_path):
    given = "--batch-size", 200, "--momentum", 0.5, "--optimizer", "lamb"
    job = start(3, small_mnist, *given, "--epochs", 4, "--out", tmp_path / "whole")
    assert finished(job)[0] == 0
    job = start(2, small_mnist, *given, "--epochs", 4, "--out", tmp_path / "cut")
    for line in job.stdout:
        if line.startswith("epoch   2"):
            os.killpg(job.pid, signal.SIGKILL)
            break
    job.wait()
    code, out, err = finished(
        start(4, small_mnist, *given, "--epochs", 4, "--out", tmp_path / "cut")
    )
    assert code == 0 and "epoch   1" not in out
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")
    # Where nothing is left to do, nobody waits for anybody.
    code, out, err = finished(
        start(2, small_mnist, *given, "--epochs", 4, "--out", tmp_path / "cut")
    )
    assert code == 0 and "1 of 1 runs were finished before" in err


@pytest.mark.parametrize("runner", [("-m", "mpi4py"), ()])
@needs_mpi
def test_what_rank_0_refuses_ends_the_job_with_its_reason(small_mnist, tmp_path, runner):
    (tmp_path / "mine").write_text("not a sweep")
    job = start(3, small_mnist, "--batch-size", 200, "--out", tmp_path, runner=runner)
    code, _out, err = finished(job)
    assert code == 2 and err.count("holds no sweep") == 1 and "Traceback" not in err
    assert (tmp_path / "mine").read_text() == "not a sweep"


@needs_mpi
def test_every_rank_refuses_what_makes_no_sense(small_mnist, tmp_path):
    code, _out, err = finished(start(2, small_mnist, "--batch-size", 641, "--out", tmp_path / "o"))
    assert code == 2 and "larger than the training set" in err and "Traceback" not in err


PLANTED = """
import sys
from minisgd import optim
from minisgd.lab.ranks import world

step, made = optim.sgd_step, []

def wrong(*given):
    made.append(1)
    if world().rank == 1 and len(made) == 5:
        raise ValueError("planted in the fifth update")
    step(*given)

optim.sgd_step = wrong
sys.argv = ["cli.py", *sys.argv[1:]]
from minisgd.commands.group import cli
cli()
"""


@needs_mpi
def test_a_rank_that_fails_within_an_epoch_ends_the_job_with_its_reason(small_mnist, tmp_path):
    (tmp_path / "planted.py").write_text(PLANTED)
    for k in range(3):
        job = start(3, small_mnist, "--batch-size", 64, "--out", tmp_path / f"o{k}",
                    program=tmp_path / "planted.py")  # fmt: skip
        code, _out, err = finished(job)
        assert code == 1 and "planted in the fifth update (rank 1 of 3)" in err, err
        assert "Traceback" not in err


@needs_mpi
def test_a_run_and_a_sweep_are_not_taken_for_one_another(small_mnist, tmp_path):
    given = "--batch-size", 64, "--epochs", 1, "--out", tmp_path / "o"
    code, _out, err = finished(start(3, small_mnist, *given, runner=("-m", "mpi4py.futures")))
    assert code != 0 and "mpi4py.futures is for sweeps" in err
    job = start(2, small_mnist, "--epochs", 1, "--out", tmp_path / "o", command="sweep")
    code, _out, err = finished(job)
    assert code != 0 and "python -m mpi4py.futures cli.py" in err and "in use" not in err


@needs_mpi
def test_mpi_that_is_only_imported_starts_nothing():
    imported = ["import mpi4py.MPI", "from minisgd.machine import doctor; list(doctor.examine())"]
    script = "from minisgd.gradient import Alone\nfrom minisgd.lab.ranks import world\n"
    script += "print(type(world()) is Alone)"
    for first in imported:
        done = subprocess.run(
            [sys.executable, "-c", f"{first}\n{script}"], cwd=ROOT, capture_output=True, text=True
        )
        assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


@needs_mpi
def test_a_rank_that_is_killed_ends_the_job(small_mnist, tmp_path):
    job = start(3, small_mnist, "--batch-size", 64, "--epochs", 10_000, "--out", tmp_path / "o")
    while not job.stdout.readline().startswith("epoch"):
        assert job.poll() is None
    ranks = [pid for pid in children_of(job.pid) if b"cli.py" in commandline(pid)]
    os.kill(max(ranks), signal.SIGKILL)
    began = time.monotonic()
    code, _out, _err = finished(job)
    assert code != 0 and time.monotonic() - began < 60
    assert weights(tmp_path / "o")  # what rank 0 had kept can be read


ON_STAND_INS = """
import sys
sys.path.insert(0, {tests!r})
import fake_cupy
from mpi4py import MPI
from minisgd import train

sys.modules["cupy"] = cupy = fake_cupy.module(gpus={gpus})
sys.modules["cupy.cuda.nccl"] = nccl = fake_cupy.nccl(MPI.COMM_WORLD)
nccl.available = {nccl}
if {broken}:
    nccl.NcclCommunicator = lambda *given: 1 / 0
update, epoch, waits = train.Run.update, train.Run.epoch, []

def seen(run, *given):
    waits.append(fake_cupy.waits)
    return update(run, *given)

def counted(run, *given):
    waits.clear()
    result = epoch(run, *given)
    used = MPI.COMM_WORLD.gather(cupy.cuda.runtime.getDevice())
    if used:
        print("GPUs", used, "waits", waits[-1] - waits[0], flush=True)
    return result

train.Run.update, train.Run.epoch = seen, counted
from minisgd.commands.group import cli
cli()
"""
GIVEN = "--batch-size", 213, "--epochs", 2, "--momentum", 0.9  # the last batch is one image


def on_stand_ins(ranks, folder, out, gpus, nccl=True, broken=False):
    program = out.with_suffix(".py")
    tests = str(ROOT / "tests")
    program.write_text(ON_STAND_INS.format(tests=tests, gpus=gpus, nccl=nccl, broken=broken))
    return start(ranks, folder, *GIVEN, "--device", "cuda", "--out", out, program=program)


def assert_alike(one, other):
    """The same run, but for the order in which float32 sums were formed."""
    (w, memory, records), (w_there, memory_there, there) = weights(one), weights(other)
    assert memory.keys() == memory_there.keys()
    pairs = [(w, w_there), *((memory[name], memory_there[name]) for name in memory)]
    for here, found in pairs:
        assert np.allclose(*(np.frombuffer(a, np.float32) for a in (here, found)), atol=1e-3)
    for record, results in zip(records, there, strict=True):
        assert record["train_loss"] == pytest.approx(results["train_loss"], rel=1e-3)
        assert record["test_accuracy"] == pytest.approx(results["test_accuracy"], abs=0.02)


@needs_mpi
def test_ranks_with_a_gpu_each_exchange_among_these_and_wait_for_nothing(small_mnist, tmp_path):
    assert finished(start(1, small_mnist, *GIVEN, "--out", tmp_path / "cpu"))[0] == 0
    jobs = {n: on_stand_ins(n, small_mnist, tmp_path / str(n), n) for n in (2, 3, 5)}
    for n, job in jobs.items():
        code, out, err = finished(job)
        assert code == 0 and f"{n} ranks: the GPUs exchange through NCCL." in err, err
        assert out.count(f"GPUs {list(range(n))} waits 0\n") == 2, out
        assert_alike(tmp_path / "cpu", tmp_path / str(n))


@needs_mpi
def test_one_rank_has_nobody_to_exchange_with(small_mnist, tmp_path):
    code, out, err = finished(on_stand_ins(1, small_mnist, tmp_path / "o", 2))
    assert code == 0 and "exchange" not in err, err
    assert out.count("GPUs [0] waits 0\n") == 2, out


@needs_mpi
@pytest.mark.parametrize(
    ("gpus", "nccl", "said"),
    [(1, True, "ranks that share a GPU"), (3, False, "pip install nvidia-nccl-cu12")],
)
def test_gpus_that_cannot_exchange_do_so_through_the_host(small_mnist, tmp_path, gpus, nccl, said):
    job = on_stand_ins(3, small_mnist, tmp_path / "o", gpus, nccl)
    assert finished(start(1, small_mnist, *GIVEN, "--out", tmp_path / "cpu"))[0] == 0
    code, out, err = finished(job)
    assert code == 0 and said in err and "host's memory" in err, err
    assert out.count(f"GPUs {[k % gpus for k in range(3)]} waits 3\n") == 2, out  # 4 updates
    assert_alike(tmp_path / "cpu", tmp_path / "o")


@needs_mpi
def test_an_nccl_that_does_not_start_ends_the_job_with_its_reason(small_mnist, tmp_path):
    code, _out, err = finished(on_stand_ins(2, small_mnist, tmp_path / "o", 2, broken=True))
    assert code == 1 and "cannot exchange through NCCL (division by zero)" in err, err
    assert "Traceback" not in err


@needs_mpi
@pytest.mark.gpu
def test_the_gpus_of_this_machine_exchange_among_themselves(small_mnist, tmp_path):
    if problem := backend.cuda_problem():
        pytest.skip(f"no GPU to test on: {problem}")
    gpus = min(4, sys.modules["cupy"].cuda.runtime.getDeviceCount())
    if gpus < 2 or backend.nccl() is None:
        pytest.skip("this wants two GPUs and NCCL")
    assert finished(start(1, small_mnist, *GIVEN, "--out", tmp_path / "cpu"))[0] == 0
    job = start(gpus, small_mnist, *GIVEN, "--device", "cuda", "--out", tmp_path / "o")
    code, _out, err = finished(job)
    assert code == 0 and f"{gpus} ranks: the GPUs exchange through NCCL." in err, err
    assert_alike(tmp_path / "cpu", tmp_path / "o")


def children_of(pid):
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        if parent == pid:
            found += [int(folder.name), *children_of(int(folder.name))]
    return found


def commandline(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_ranks_without_mpi4py_say_what_to_install(tmp_path):
    """A folder mpi4py without what belongs into it stands for one that is not there."""
    (tmp_path / "mpi4py.py").write_text("raise ImportError('No module named mpi4py')")
    done = subprocess.run(
        [sys.executable, ROOT / "cli.py", "train", "--epochs", "1"], cwd=ROOT, text=True,
        capture_output=True, env=os.environ | {"PMI_SIZE": "2", "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 2 and '".[mpi]"' in done.stderr and "Traceback" not in done.stderr


# -- without MPI: any number of ranks, one after the other


@pytest.mark.parametrize("size", [2, 3, 4, 5, 9])
@pytest.mark.parametrize("B", [1, 3, 63, 64, 191, 500])
def test_any_number_of_ranks_sums_to_the_gradient_of_the_batch(small_data, size, B):
    x, y = small_data.train.images[:B], small_data.train.labels[:B]
    whole = LeNet5(0)
    loss, correct = whole.gradient(x, y)
    sums, results = 0, []
    for rank in range(size):
        ranks = Pretended(rank, size)
        model = LeNet5(0, ranks=ranks)
        model.gradient(small_data.train.images[:300], small_data.train.labels[:300])  # another
        model.gradient(x, y)
        sums, results = sums + ranks.sent[0], [*results, *ranks.sent[1]]
    assert np.abs(sums - whole.g).max() <= 1e-6 * np.abs(whole.g).max()
    assert sum(loss for loss, _ in results) == pytest.approx(loss, rel=1e-6)
    assert sum(right for _, right in results) == correct
    if size > 4 and B > size:
        assert len(results) == size  # nobody is idle


@pytest.mark.parametrize("rank", [0, 1, 2])
@pytest.mark.parametrize("wait", ["all_reduce", "together", "tell", "hear"])
def test_a_rank_that_does_not_come_is_told(monkeypatch, capfd, rank, wait):
    comm = mock.MagicMock(**{"Get_rank.return_value": rank, "Get_size.return_value": 3})
    monkeypatch.setattr(ranks, "PATIENCE", 0.08)
    job = ranks.Ranks(mock.MagicMock(COMM_WORLD=comm))
    given = {"all_reduce": (np.zeros(3),), "tell": ("what",)}.get(wait, ())
    for seconds, told in ((0.01, 0), (0.4, int(rank < 2))):
        comm.Allreduce = comm.Barrier = comm.bcast = lambda *_, s=seconds: time.sleep(s)
        getattr(job, wait)(*given)
        said = capfd.readouterr().err
        assert said.count(f"Rank {rank} has waited") == said.count("for the other 2: one") == told


@pytest.mark.parametrize("size", [2, 3, 7])
def test_the_logits_of_all_ranks_are_those_of_one(small_data, size):
    x = small_data.test.images
    pieces = []
    for rank in range(size):
        ranks = Pretended(rank, size)
        LeNet5(0, ranks=ranks).logits(x)
        pieces.append(ranks.sent)
    assert np.abs(sum(pieces).T - LeNet5(0).logits(x)).max() < 1e-5
    assert all((piece != 0).any() for piece in pieces)
    assert ((np.array(pieces) != 0).any(axis=1).sum(axis=0) == 1).all()  # every image once


def test_a_cut_is_whole_and_even():
    for N, parts in ((10, 3), (3, 5), (0, 2)):
        bounds = even_bounds(N, parts)
        assert [i for lo, hi in bounds for i in range(lo, hi)] == list(range(N))
        assert max(hi - lo for lo, hi in bounds) - min(hi - lo for lo, hi in bounds) <= 1
