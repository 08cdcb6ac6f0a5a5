"""A GPU beside NumPy. Where there is none the strict stand-in takes its place, and says less."""

import sys

import fake_cupy
import numpy as np
import pytest

from minisgd import backend
from minisgd.backend import to_host
from minisgd.data import epoch_order
from minisgd.machine import bench
from minisgd.model import LeNet5
from minisgd.optim import momentum_step, sgd_step
from minisgd.settings import Settings
from minisgd.train import Run, train


@pytest.fixture(params=["stand-in", pytest.param("cuda", marks=pytest.mark.gpu)])
def gpu(request, monkeypatch):
    """The array module of a GPU."""
    if request.param == "stand-in":
        monkeypatch.setitem(sys.modules, "cupy", fake_cupy.module())
    elif problem := backend.cuda_problem():
        pytest.skip(f"no GPU to test on: {problem}")
    return backend.array_module("cuda")


@pytest.mark.parametrize(("dtype", "bound"), [(np.float64, 1e-8), (np.float32, 1e-4)])
@pytest.mark.parametrize("B", [1, 64, 500])
def test_gradients_are_numpys(gpu, small_data, dtype, bound, B):
    x, y = small_data.train.images[:B], small_data.train.labels[:B]
    there, here = LeNet5(0, "cuda", dtype), LeNet5(0, "cpu", dtype)
    found, expected = there.gradient(x, y), here.gradient(x, y)
    assert found == pytest.approx(expected, rel=bound)
    assert np.abs(to_host(there.g) - here.g).max() <= bound * np.abs(here.g).max()


def test_ten_updates_are_numpys(gpu, small_data):
    ends = []
    for device in ("cuda", "cpu"):
        model = LeNet5(0, device)
        v = model.xp.zeros_like(model.w)
        for k in range(10):
            some = slice(60 * k, 60 * k + 60)
            model.gradient(small_data.train.images[some], small_data.train.labels[some])
            momentum_step(model.w, v, model.g, 0.01, 0.9)
        ends.append(model.weights())
    assert np.abs(ends[0] - ends[1]).max() < 1e-4


def test_an_epoch_starts_alike_sees_the_same_batches_and_ends_alike(gpu, small_data, monkeypatch):
    seen, real = {"cuda": [], "cpu": []}, Run.update
    ends = {}
    for device, batches in seen.items():

        def update(run, t, lr, batch, batches=batches):
            batches.append((to_host(batch).copy(), to_host(run.model.w).copy()))
            return real(run, t, lr, batch)

        monkeypatch.setattr(Run, "update", update)
        ends[device] = next(train(Settings(64, epochs=1), small_data, device))
    there, here = seen["cuda"], seen["cpu"]
    assert np.array_equal(there[0][1], here[0][1])  # the weights at the start
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(there, here, strict=True))
    for name in ("train_loss", "test_loss"):
        assert ends["cuda"][0][name] == pytest.approx(ends["cpu"][0][name], rel=1e-3)
    assert np.allclose(ends["cuda"][1].w, ends["cpu"][1].w, atol=1e-3)


def test_the_images_lie_on_the_device_as_bytes_and_are_read_from_there(gpu, small_data):
    run = Run(Settings(100, epochs=1), small_data, "cuda")
    x, y, (_, _, batch) = run.x, run.y, next(run.batches(1))
    assert all(isinstance(array, gpu.ndarray) for array in (x, y, batch)) and x.dtype == np.uint8
    model = LeNet5(0, "cuda")
    loss, correct = model.gradient_at(x, y, gpu.arange(100))
    expected = LeNet5(0).gradient(small_data.train.images[:100], small_data.train.labels[:100])
    assert (float(loss), int(correct)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["PyTorch, whole batch", "PyTorch, a CUDA graph"])
def test_what_the_benchmark_compares_computes_the_same(small_data, name):
    """Before and after an epoch with a smaller last batch: the same logits."""
    if problem := backend.cuda_problem():
        pytest.skip(f"no GPU to test on: {problem}")
    torch = pytest.importorskip("torch", reason="PyTorch, the rival, is not installed")
    if not torch.cuda.is_available():
        pytest.skip("this PyTorch has no GPU")
    order, found = epoch_order(640, 0, 1), []
    for one in ("minisgd", name):
        builder, arguments, _ = bench.contenders(1, "cuda")[one]
        train_epoch, forward = builder(small_data, **arguments)
        before = np.array(forward(64))
        train_epoch(order, 100)
        found.append((before, np.array(forward(64))))
    (before, after), (their_before, their_after) = found
    assert np.abs(before - their_before).max() < 1e-4
    assert np.abs(after - their_after).max() < 1e-3 < np.abs(after - before).max()


@pytest.mark.gpu
def test_the_host_runs_ahead_of_the_device_within_an_epoch(small_data):
    """Updates are queued behind work that takes the device a while, and nobody waits for it."""
    if problem := backend.cuda_problem():
        pytest.skip(f"no GPU to test on: {problem}")
    xp = backend.array_module("cuda")
    model, large = LeNet5(0, "cuda"), xp.ones((4096, 4096), np.float32)
    x, y = xp.asarray(small_data.train.images), xp.asarray(small_data.train.labels)
    for busy in (0, 200):  # at first what is needed is compiled and allocated
        for _ in range(busy):
            large = large @ large * 0
        for _ in range(3):
            model.gradient_at(x, y, xp.arange(100))
            sgd_step(model.w, model.g, 0.01)
        ahead = not xp.cuda.get_current_stream().done
        xp.cuda.get_current_stream().synchronize()
    assert ahead


@pytest.mark.gpu
def test_memory_does_not_grow_from_batch_to_batch(small_data):
    if problem := backend.cuda_problem():
        pytest.skip(f"no GPU to test on: {problem}")
    pool = backend.array_module("cuda").get_default_memory_pool()
    model, used = LeNet5(0, "cuda"), []
    for _ in range(5):
        model.gradient(small_data.train.images[:500], small_data.train.labels[:500])
        used.append(pool.total_bytes())
    assert used[1] == used[-1]
