"""A user's own file, wherever the runs are done: the same command gives the same bits.

mine.py has a rule, a warmup, a decay, an optimizer with two vectors of memory, a network, an
init and a loss.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mpi_jobs import finished, needs_mpi, start

from minisgd.lab.checkpoints import read_checkpoint

ROOT = Path(__file__).parents[2]
MINE = Path(__file__).with_name("mine.py")
IDEAS = (
    "--with", MINE, "--rule", "cube-root", "--decay", "staircase", "--warmup", "half",
    "--warmup-updates", "5", "--optimizer", "two-speeds", "--network", "leaky",
    "--init", "normal", "--loss", "smoothed",
)  # fmt: skip


def sweep(folder, out, *more, epochs=6):
    command = [
        sys.executable, ROOT / "cli.py", "sweep", "--dataset", "glyphs", "--data-dir", folder,
        "--batch-sizes", "50,64", "--epochs", epochs, "--device", "cpu", "--out", out,
        *IDEAS, *more,
    ]  # fmt: skip
    return [str(part) for part in command]


def left(out):
    """{run: (its records without the times, its weights, the memory of its optimizer)}."""
    found = {}
    for path in sorted(out.glob("*/checkpoint.npz")):
        _, records, state = read_checkpoint(path)
        kept = [{k: v for k, v in record.items() if k != "seconds"} for record in records]
        memory = {name: vector.tobytes() for name, vector in state.memory.items()}
        found[path.parent.name] = kept, state.w.tobytes(), memory
    return found


@pytest.fixture(scope="module")
def uncut(small_mnist, tmp_path_factory):
    out = tmp_path_factory.mktemp("uncut") / "out"
    done = subprocess.run(
        sweep(small_mnist, out, "--jobs", "1"), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    title = done.stdout.strip().splitlines()[0]
    assert title.startswith("leaky on glyphs: cube-root scaling, half warmup over 5 updates")
    found = left(out)
    assert len(found) == 2
    for records, _, memory in found.values():
        assert len(records) == 6 and set(memory) == {"fast", "slow"}
    return found


def test_killed_and_resumed_by_two_processes(small_mnist, tmp_path, uncut):
    command = sweep(small_mnist, tmp_path / "out", "--jobs", "2")
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    until = time.monotonic() + 60
    while not any(path.read_bytes() for path in (tmp_path / "out").glob("*/epochs.jsonl")):
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert left(tmp_path / "out") == uncut


def test_by_a_worker_of_distributed_that_has_no_such_file(small_mnist, tmp_path, uncut, scheduler):
    address, worker = scheduler
    worker()  # in a folder of its own: the file's text goes along with the runs
    command = sweep(small_mnist, tmp_path / "there", "--scheduler", address)
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert left(tmp_path / "there") == uncut


@needs_mpi
def test_by_two_ranks(small_mnist, tmp_path):
    """Ranks sum a batch in float64, so that one rank and two end in the same bits."""
    found = []
    for n in (1, 2):
        job = start(n, small_mnist, "--batch-size", 50, "--epochs", 3, "--out", tmp_path / str(n),
                    *IDEAS)  # fmt: skip
        code, _, err = finished(job)
        assert code == 0, err
        found.append(left(tmp_path / str(n)))
    assert found[0] == found[1] and len(found[0]) == 1


@needs_mpi
def test_an_error_in_the_file_ends_every_rank_with_its_line(small_mnist, tmp_path):
    text = MINE.read_text().replace("    slow += g\n", "    slow += g / (t < 3)\n")
    line = text[: text.index("slow += g /")].count("\n") + 1
    (tmp_path / "wrong.py").write_text(text.replace("(t < 3)", "[1][t // 3]"))
    ideas = [tmp_path / "wrong.py" if part == MINE else part for part in IDEAS]
    job = start(
        2, small_mnist, "--batch-size", 50, "--epochs", 3, "--out", tmp_path / "out", *ideas
    )
    code, _, err = finished(job)
    assert code == 1 and f"wrong.py, line {line}: IndexError" in err and "Traceback" not in err
