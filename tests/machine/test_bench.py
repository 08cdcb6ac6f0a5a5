"""The benchmark: its arithmetic on made-up measurements, and a real turn on a small dataset."""

import multiprocessing
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest

from minisgd import load_dataset
from minisgd.data import DataError
from minisgd.machine import bench, floor, rivals
from minisgd.settings import Settings
from minisgd.train import train


def row(contender, epoch, forward=(0.5, 0.5, 0.5), batch_size=64):
    return {
        "contender": contender,
        "batch_size": batch_size,
        "epoch_seconds": list(epoch),
        "forward_seconds": list(forward),
        "peak_bytes": 120_000_000,
    }


def test_a_ratio_is_the_median_of_the_rounds_ratios():
    """A machine that halves its speed in round 2 slows both; the ratio of medians would say .67."""
    ours, theirs = row("ours", [1.0, 2.0, 1.1]), row("theirs", [2.0, 4.0, 1.0])
    assert bench.ratio(ours, theirs, "epoch_seconds") == (0.5, 0.5, 1.1)


def test_the_table_has_a_block_a_batch_size_and_names_who_is_absent():
    result = {
        "images": 60_000,
        "rounds": 3,
        "device": "cpu",
        "machine": {"cores": 2, "cpu": "a CPU", "numpy": "2.0", "blas": "openblas"},
        "absent": {"JAX, jitted": "jax is not installed"},
        "measured": [
            row("minisgd, 1 thread", [1, 1, 1]),
            row("minisgd, 2 threads", [0.6, 0.6, 0.6]),
            row("minisgd, 2 processes", [0.5, 0.5, 0.8]),
            row(bench.BASELINE, [2, 2, 2]),
            row(bench.IN_PIECES, [1, 0.5, 1]),
            row(floor.PRODUCTS, [0.4, 0.5, 0.3]),
            row("minisgd, 1 thread", [3, 1, 2], batch_size=512),
        ],
        "updates": [
            {
                "update": "sgd",
                "batch_size": 64,
                "update_seconds": [2e-5],
                "share": [0.01, 0.02, 0.04],
            }
        ],
        "threads": 2,
        "looking": [
            {
                "batch_size": 64,
                "epoch_seconds": [2.0, 4.0],
                "test set": [0.1, 0.1],
                "checkpoint": [0.02, 0.1],
            }
        ],
    }
    lines = bench.table(result)
    text = "\n".join(lines)
    small, large, _, _ = text.split("batch size ")[1:]
    assert "0.50 (0.50 to 0.50)" in small and "120 MB" in small
    (alone,) = (line for line in large.splitlines() if line.startswith("  minisgd, 1 thread"))
    assert "2.00 (1.00 to 3.00)" in alone
    assert alone.split()[-5:] == ["-", "0.500", "-", "120", "MB"]  # nothing to compare it with
    assert "2 processes do 2.00 times the epochs of 1 thread" in small
    assert "JAX, jitted: left out, jax is not installed" in text
    ratio, ours = "  times as long as {}: ", "minisgd, 2 threads {}, minisgd, 2 processes {}"
    assert ratio.format(floor.PRODUCTS) + ours.format("1.50", "1.25") in lines
    assert ratio.format(bench.IN_PIECES) + ours.format("0.60", "0.80") in lines
    assert text.count("times as long as") == 2
    assert "  sgd         2.00 % (4.00)" in lines and "  ms each: sgd 0.020" in lines
    assert lines[-2:] == [
        "  together      5.50 % (6.00)",
        "  ms each: test set 100.0, checkpoint 60.0",
    ]


def test_contenders_take_turns_and_are_measured(small_data, monkeypatch):
    monkeypatch.setattr(
        bench,
        "contenders",
        lambda threads, device: {
            "one": (bench.minisgd_fused, {"threads": 1}, 1),
            "two processes": (bench.minisgd_fused, {"threads": 1}, 2),
        },
    )
    result = bench.bench(small_data, batch_sizes=(64,), rounds=2, log=lambda line: None)
    assert [r["contender"] for r in result["measured"]] == ["one", "two processes"]
    for measured in result["measured"]:
        assert len(measured["epoch_seconds"]) == len(measured["forward_seconds"]) == 2
        assert min(measured["epoch_seconds"]) > 0
        assert measured["peak_bytes"] is None or measured["peak_bytes"] > 10e6
    assert result["images"] == len(small_data.train.labels)


@pytest.mark.parametrize(
    ("module", "builder", "arguments"),
    [
        ("torch", rivals.torch_eager, {}),
        ("torch", rivals.torch_eager, {"micro_batch": 16}),
        ("jax", rivals.jax_jitted, {}),
    ],
)
def test_the_rivals_compute_the_same_network(small_data, module, builder, arguments):
    """What is timed must be the same work: before and after an epoch, the same logits."""
    if find_spec(module) is None:
        pytest.skip(f"{module}, the rival, is not installed")
    # In a process of its own: JAX's threads and the forks of other tests do not go together.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        first, moved, last = pool.submit(apart, small_data, builder, arguments).result()
    assert first < 1e-5 and last < 1e-4 and moved > 1e-3


def apart(data, builder, arguments):
    """How far a rival's logits are from ours before and after an epoch, and how far ours moved."""
    order = np.random.default_rng(0).permutation(len(data.train.labels))
    train_ours, forward_ours = bench.minisgd_fused(data, 1)
    train_theirs, forward_theirs = builder(data, 1, **arguments)
    at_first = np.array(forward_ours(64))
    first = np.abs(forward_theirs(64) - at_first).max()
    train_ours(order, 64), train_theirs(order, 64)
    moved = np.abs(forward_ours(64) - at_first).max()
    return first, moved, np.abs(forward_theirs(64) - forward_ours(64)).max()


def test_the_peak_memory_is_a_contenders_own(small_data, monkeypatch):
    """Not that of the process that started it, which holds 300 MB here."""
    alone = {"minisgd, 1 thread": (bench.minisgd_fused, {"threads": 1}, 1)}
    monkeypatch.setattr(bench, "contenders", lambda threads, device: alone)
    ballast = np.ones(300_000_000, np.uint8)
    result = bench.bench(small_data, batch_sizes=(64,), rounds=1, log=lambda line: None)
    (measured,) = result["measured"]
    if measured["peak_bytes"] is None:
        pytest.skip("this system does not tell a process's peak memory")
    assert 20e6 < measured["peak_bytes"] < 250e6 and ballast[-1] == 1


def test_one_core_needs_no_contender_twice():
    assert [name for name in bench.contenders(1) if name.startswith("minisgd")] == [
        "minisgd, 1 thread"
    ]
    assert len(bench.contenders(2)) == 8


def test_float32_training_follows_float64_training():
    """After an epoch at b = 64 from the same weights, test accuracies within .002 of each other."""
    try:
        mnist = load_dataset("mnist", download=False)
    except DataError:
        pytest.skip("real MNIST is not here; set MINISGD_DATA to its folder")
    settings = Settings(epochs=1)
    single, double = (
        next(train(settings, mnist, dtype=dtype))[0]["test_accuracy"]
        for dtype in (np.float32, np.float64)
    )
    assert single > 0.8
    assert abs(single - double) <= 0.002


def test_importing_the_package_brings_no_matplotlib_and_no_framework():
    script = (
        "import sys, minisgd; print({'matplotlib', 'torch', 'jax', 'click'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "set()\n")
