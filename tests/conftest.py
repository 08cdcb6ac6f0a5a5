"""What the tests share: the array module they run on, a seeded generator, hypothesis' settings."""

import os
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

from minisgd import backend, load_dataset
from minisgd.data import MissingError
from minisgd.data.kept_glyphs import keep

# As in most shells: with it, Python would have nothing left to print when it ends.
os.environ.pop("PYTHONUNBUFFERED", None)

settings.register_profile(
    "minisgd", deadline=None, derandomize=True, database=None, max_examples=40
)
settings.load_profile("minisgd")


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread():
    """As in training. On a busy machine, more threads of the BLAS would make the tests crawl."""
    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture(scope="session", params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    """Every device. A test that takes it runs on each, and is skipped where there is no GPU."""
    if request.param == "cuda" and (problem := backend.cuda_problem()):
        pytest.skip(f"no GPU to test on: {problem}")
    return request.param


@pytest.fixture(scope="session")
def xp(device):
    """The array module of the device, numpy or cupy. backend.to_host brings results back."""
    return backend.array_module(device)


@pytest.fixture
def rng():
    return np.random.default_rng(20210610)


@pytest.fixture(scope="session")
def small_mnist(tmp_path_factory):
    """A data folder with 640 + 160 images for `--dataset glyphs`: MNIST's first, or blobs."""
    folder = tmp_path_factory.mktemp("data")
    try:
        mnist = load_dataset("mnist", download=False)
        arrays = [mnist.train.images[:640], mnist.train.labels[:640]]
        arrays += [mnist.test.images[:160], mnist.test.labels[:160]]
    except MissingError:
        arrays = [*blobs(640, seed=0), *blobs(160, seed=1)]
    keep(folder / "glyphs", "glyphs", arrays)
    return folder


@pytest.fixture(scope="session")
def small_data(small_mnist):
    """The Dataset in small_mnist."""
    return load_dataset("glyphs", small_mnist)


def blobs(N, seed):
    """Stand-ins for digits, each class at its place on a circle: uint8 (N, 28, 28) and (N,)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(10, size=N).astype(np.uint8)
    middle = np.exp(2j * np.pi * labels / 10) * 8 + rng.normal(size=N) + 1j * rng.normal(size=N)
    place = np.arange(28) - 13.5 + 1j * (np.arange(28)[:, None] - 13.5)
    far = abs(place - middle[:, None, None])
    noise = rng.normal(0, 20, (N, 28, 28))
    return np.clip(250 * np.exp(-((far / 4) ** 2)) + noise, 0, 255).astype(np.uint8), labels


@pytest.fixture
def interrupted(monkeypatch):
    """Within `with interrupted(i):`, Ctrl-C is pressed in epoch i of any run in this process."""
    from minisgd.lab import workers

    real = workers.train

    @contextmanager
    def within(i):
        def train(*args, **keywords):
            for epoch in real(*args, **keywords):
                if epoch[0]["epoch"] == i:
                    raise KeyboardInterrupt
                yield epoch

        with monkeypatch.context() as patch:
            patch.setattr(workers, "train", train)
            yield

    return within


@pytest.fixture
def no_thread(monkeypatch):
    """As where a user has as many processes, or threads, as are allowed."""

    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
