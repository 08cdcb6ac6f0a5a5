"""The way of a GPU without a GPU: a strict stand-in runs it all, and every use of xp is checked
against the names and keywords that CuPy has.
"""

import sys
from functools import partial
from pathlib import Path

import cupy_api
import fake_cupy
import numpy as np
import pytest
from one_chunk import OneChunk

from minisgd import backend, gradcheck
from minisgd.backend import to_host
from minisgd.data import epoch_order
from minisgd.errors import UserError
from minisgd.fused import ConvReLUPool, LinearReLU
from minisgd.machine import bench, doctor, gradients, rivals
from minisgd.model import LeNet5, Model
from minisgd.networks import LENET5, Network
from minisgd.optim import momentum_step, sgd_step
from minisgd.settings import Settings
from minisgd.train import Run, train

PACKAGE = Path(backend.__file__).parent
# What never meets an array of the device: these have no xp, and may call methods of NumPy's own.
ON_DEVICE = (
    "backend machine/doctor layers fused workspaces networks model loss optim gradient gradcheck "
    "lab/ranks train machine/gradients".split()
)


@pytest.fixture
def xp(monkeypatch):
    module = fake_cupy.module()
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.setattr(fake_cupy, "waits", 0)
    return module


# -- the stand-in refuses what a GPU would


HOST, BYTES = np.ones(3), np.ones(3, np.uint8)
MISTAKES = {
    "host added to device": lambda xp, a: a + HOST,
    "device added to host": lambda xp, a: HOST + a,
    "host added in place": lambda xp, a: a.__iadd__(HOST),
    "a function of both": lambda xp, a: xp.maximum(a, HOST),
    "NumPy's function of a device's": lambda xp, a: np.sum(a),
    "NumPy's ufunc of a device's": lambda xp, a: np.exp(a),
    "NumPy's conversion": lambda xp, a: np.asarray(a),
    "a host's out": lambda xp, a: xp.exp(a, out=HOST),
    "a host's index": lambda xp, a: a[BYTES],
    "a host's value": lambda xp, a: a.__setitem__(slice(None), HOST),
    "a device number as a list's index": lambda xp, a: [1, 2][a.astype(int)[0]],
    "a device number as an end": lambda xp, a: a[: a.astype(int)[0]],
    "a list of host's": lambda xp, a: xp.stack([a, HOST]),
    "as_strided with writeable": lambda xp, a: xp.lib.stride_tricks.as_strided(
        a, (3,), a.strides, writeable=False
    ),
    "a name that CuPy lacks": lambda xp, a: xp.busday_count(a),
    "a method that CuPy lacks": lambda xp, a: a.setflags(write=False),
    "a ufunc's where": lambda xp, a: xp.add(a, a, where=a > 0),
    "a sum's initial": lambda xp, a: a.sum(initial=0),
    "einsum's out": lambda xp, a: xp.einsum("i,i->i", a, a, out=a),
    "a generator's permutation": lambda xp, a: xp.random.default_rng(0).permutation(3),
    "saved as it is": lambda xp, a: np.savez("/dev/null", a=a),
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_the_stand_in_refuses(xp, mistake):
    with pytest.raises((TypeError, AttributeError)):
        MISTAKES[mistake](xp, xp.ones(3))


WAITS = {
    "float": lambda a: float(a[0]),
    "int": lambda a: int(a[0]),
    "truth": lambda a: bool(a[0]),
    "get": lambda a: a.get(),
    "item": lambda a: a[0].item(),
    "mask": lambda a: a[a > 0],
    "mask as a place": lambda a: a.__setitem__(a > 0, 0),
    "nonzero": lambda a: a.nonzero(),
    "if": lambda a: 1 if a.sum() > 0 else 0,
    "to_host": to_host,
}


@pytest.mark.parametrize("way", WAITS, ids=str)
def test_the_stand_in_counts_every_wait(xp, way):
    a = xp.ones(3)
    assert fake_cupy.waits == 0
    WAITS[way](a)
    assert fake_cupy.waits == 1


def test_it_computes_as_numpy_does(xp):
    a = np.arange(6.0).reshape(2, 3)
    b = xp.asarray(a)
    assert np.array_equal(to_host((b @ b.T)[::-1] - 1), (a @ a.T)[::-1] - 1)
    assert np.array_equal(to_host(xp.where(b > 2, b, np.float64(7))), np.where(a > 2, a, 7))
    b[0] += 1
    assert to_host(b[0]).tolist() == [1, 2, 3] and a[0].tolist() == [0, 1, 2]  # a copy was uploaded


# -- everything runs on it


def test_it_is_taken_for_a_gpu(xp):
    assert backend.resolve_device("auto") == "cuda" and backend.array_module("cuda") is xp


def test_every_gradient_is_checked_on_the_device(xp):
    there, here = list(gradients.check_all(0, "cuda")), list(gradients.check_all(0, "cpu"))
    assert [check.name for check in there] == [check.name for check in here]
    assert all(check.passed for check in there)


@pytest.mark.parametrize("name", ["linear", "convolution"])
def test_the_layers_that_train_are_checked_on_the_device(xp, name):
    rng = np.random.default_rng(0)
    make = lambda *shape: xp.asarray(rng.normal(size=shape))  # noqa: E731
    if name == "linear":
        W, b, x = make(3, 4), make(3), make(4, 5)
        layer = LinearReLU(W, b, xp.zeros_like(W), xp.zeros_like(b))
    else:
        W, b, x = make(3, 2, 3, 3), make(3), make(2, 6, 6, 3)
        layer = ConvReLUPool(W, b, xp.zeros_like(W), xp.zeros_like(b), size=(6, 6), pad=2)
    checks = gradcheck.check_layer(OneChunk(layer), x, rng)
    assert {check.name for check in checks} == {"W", "b", "x"}
    assert all(check.passed for check in checks)


def test_weights_are_found_on_the_device_and_what_is_none_must_be_named(xp):
    class Scale:
        def __init__(self):
            self.params, self.grads = {"gamma": xp.ones(3)}, {}
            self.mean, self.mask = xp.ones(3), xp.ones(3) > 0

        def forward(self, x):
            self.x = (x - self.mean[:, None]) * self.mask[:, None]
            return self.params["gamma"][:, None] * self.x

        def backward(self, dy):
            self.grads["gamma"] = (dy * self.x).sum(axis=1)
            return self.params["gamma"][:, None] * dy

    rng = np.random.default_rng(0)
    x = xp.asarray(rng.normal(size=(3, 5)))
    with pytest.raises(ValueError, match=r'reads "mean" without a gradient'):
        gradcheck.check_layer(Scale(), x, rng)
    checks = gradcheck.check_layer(Scale(), x, rng, ignore=("mean",))
    assert [(check.name, check.passed) for check in checks] == [("x", True), ("params.gamma", True)]


def test_a_step_is_the_cpus_to_the_bit(xp, small_data):
    x, y = small_data.train.images[:200], small_data.train.labels[:200]
    for momentum in (0.0, 0.9):
        ends = []
        for device in ("cpu", "cuda"):
            model = LeNet5(0, device, chunk=128)
            model.lanes.networks, model.lanes.gs = model.lanes.networks[:1], model.lanes.gs[:1]
            v = model.xp.zeros_like(model.w)
            for _ in range(3):
                model.gradient(x, y)
                if momentum:
                    momentum_step(model.w, v, model.g, 0.1, momentum)
                else:
                    sgd_step(model.w, model.g, 0.1)
            ends.append(model.weights())
        assert np.array_equal(*ends)


def test_per_example_gradients_and_the_plain_network(xp, small_data):
    x, y = small_data.train.images[:7], small_data.train.labels[:7]
    each = [LeNet5(0, device).per_example_gradients(x, y) for device in ("cpu", "cuda")]
    assert np.array_equal(each[0], to_host(each[1]))
    w = xp.asarray(LeNet5(0).w)
    z = Network(LENET5, w, xp.zeros_like(w), plain=True).forward(xp.asarray(x))
    assert np.allclose(to_host(z).T, LeNet5(0).logits(x), atol=1e-5)


RUNS = {
    "momentum": Settings(100, lr=0.05, momentum=0.9, epochs=2),
    "Nesterov, clipped, cosine": Settings(
        100, lr=0.05, momentum=0.9, optimizer="nesterov", clip=0.5, decay="cosine", warmup="ramp",
        warmup_updates=3, epochs=2,
    ),
    "Adam": Settings(100, lr=0.001, momentum=0.9, optimizer="adam", epochs=2),
    "LARS": Settings(100, lr=1.0, momentum=0.9, optimizer="lars", epochs=2),
    "LAMB": Settings(100, lr=0.01, momentum=0.9, optimizer="lamb", epochs=2),
    "Muon": Settings(
        100, lr=0.05, momentum=0.9, optimizer="muon", epochs=2, adam_factor=0.1, warmup="ramp",
        warmup_updates=3, decay="linear",
    ),
    "Adam's rule": Settings(
        100, lr=0.002, momentum=0.9, optimizer="adam", epochs=2, rule="adam-sqrt",
    ),
    "mlp": Settings(100, lr=0.05, network="mlp", epochs=2),
    "plain": Settings(100, lr=0.05, plain=True, epochs=2),
}  # fmt: skip


@pytest.mark.parametrize("settings", RUNS.values(), ids=RUNS.keys())
def test_an_epoch_on_the_device_waits_for_nothing_until_its_end(
    xp, small_data, monkeypatch, settings
):
    """Same start, same batches: only the order in which sums are formed differs from the CPU's."""
    seen = []

    real = Run.update

    def update(run, t, lr, batch):
        seen.append((fake_cupy.waits, batch._a.copy(), run.model.w._a.copy()))
        return real(run, t, lr, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "update", update)
        device = list(train(settings, small_data, "cuda"))
    cpu = list(train(settings, small_data, "cpu"))
    updates = len(seen) // 2
    assert updates == 7  # 640 images, the last batch of 40
    for epoch in range(2):
        waits = [before for before, _, _ in seen[epoch * updates : (epoch + 1) * updates]]
        assert len(set(waits)) == 1, "the host waits inside an epoch"
        order = np.concatenate([b for _, b, _ in seen[epoch * updates : (epoch + 1) * updates]])
        assert np.array_equal(order, epoch_order(640, 0, epoch + 1))
    assert np.array_equal(seen[0][2], Model(settings.network).w)
    assert fake_cupy.waits < 30  # of an epoch's end, and the checkpoint's
    for (there, state), (here, other) in zip(device, cpu, strict=True):
        assert there["test_accuracy"] == pytest.approx(here["test_accuracy"], abs=0.02)
        assert there["train_loss"] == pytest.approx(here["train_loss"], rel=1e-3)
        assert type(state.w) is np.ndarray and np.allclose(state.w, other.w, atol=1e-3)


def test_no_room_on_the_device_makes_the_chunk_smaller_once(xp, small_data, capsys):
    x, y = small_data.train.images[:300], small_data.train.labels[:300]
    pool = xp.get_default_memory_pool()
    pool.limit = 9_000_000  # there is none for a chunk of 300 images
    model, cpu = LeNet5(0, "cuda", np.float64, chunk=300), LeNet5(0, dtype=np.float64)
    assert pool.fraction == backend.POOL
    found, expected = model.gradient(x, y), cpu.gradient(x, y)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "37 images" in said and pool.emptied == 1
    assert found == pytest.approx(expected) and np.allclose(to_host(model.g), cpu.g)
    assert np.allclose(to_host(model.logits(x)), cpu.logits(x))
    assert capsys.readouterr().err == ""
    some = xp.asarray(x[:50]), xp.asarray(y[:50])
    pool.limit = 1000
    with pytest.raises(UserError, match=r"no room for chunks of 37 images .* --device cpu"):
        model.gradient(*some)


def test_no_room_for_the_images_is_said_in_a_sentence(xp, small_data):
    xp.get_default_memory_pool().limit = small_data.train.images.nbytes - 1
    with pytest.raises(UserError, match=r"no room for 640 images \(.*\): use --device cpu"):
        next(train(Settings(64), small_data, "cuda"))


def test_the_chunk_suits_the_device(xp):
    assert LeNet5(0, "cuda").lanes.chunk > 10 * LeNet5(0, "cpu").lanes.chunk


def test_the_device_has_a_name(xp):
    assert backend.device_name("cuda") == "cuda (stand-in)" and backend.device_name("cpu") == "cpu"


@pytest.mark.parametrize(("gpus", "said"), [(1, "cuda (stand-in)"), (3, "the first of 3, which")])
def test_doctor_says_how_many_gpus_there_are_and_how_they_exchange(monkeypatch, gpus, said):
    monkeypatch.setitem(sys.modules, "cupy", cupy := fake_cupy.module(gpus))
    monkeypatch.setitem(sys.modules, "cupy.cuda.nccl", nccl := fake_cupy.nccl(None))
    cupy.__version__ = "14"
    for nccl.available, way in ((True, "NCCL"), (False, "the host's memory")):
        (line,) = (line for line, _ in doctor.examine() if line.startswith("CuPy"))
        assert "14: a kernel ran" in line and said in line
        assert (way in line) == (gpus > 1)


def test_the_benchmark_times_the_epoch_that_training_runs(xp, small_data):
    """What it times on a GPU waits twice, at the epoch's end, and trains as on the CPU."""
    order, ends = epoch_order(640, 0, 1), []
    for device in ("cpu", "cuda"):
        train_epoch, forward = bench.minisgd_fused(small_data, 1, device)
        fake_cupy.waits = 0
        train_epoch(order, 100)
        assert fake_cupy.waits == (2 if device == "cuda" else 0)
        ends.append(forward(100))
    assert type(ends[1]) is np.ndarray and np.allclose(*ends, atol=1e-4)


def test_the_benchmark_leaves_out_a_pytorch_without_a_gpu(xp, small_data):
    torch = pytest.importorskip("torch", reason="PyTorch, the rival, is not installed")
    if torch.cuda.is_available():
        pytest.skip("this PyTorch has a GPU")
    assert set(bench.contenders(2, "cuda")) == {"minisgd", bench.BASELINE, "PyTorch, a CUDA graph"}
    for builder in (rivals.torch_graphed, partial(rivals.torch_eager, device="cuda")):
        with pytest.raises(ImportError) as refused:
            builder(small_data, 1)
        assert refused.value.name == "PyTorch for this GPU"


# -- the sources ask CuPy only for what it has


@pytest.mark.parametrize("name", ON_DEVICE)
def test_cupy_has_all_that_is_used(name):
    found, seen = cupy_api.problems((PACKAGE / f"{name}.py").read_text(), fake_cupy.API)
    assert not found
    assert seen or name in ("optim",)


def test_every_room_that_knows_xp_is_checked():
    rooms = {path.stem for path in PACKAGE.glob("*.py") if "xp." in path.read_text()}
    rooms |= {path.stem for path in PACKAGE.glob("*.py") if "module_of(" in path.read_text()}
    assert rooms - {"rivals"} <= set(ON_DEVICE)


PLANTED = """
def f(xp, x, self):
    a = xp.busday_count(x)
    b = xp.einsum("i,i", x, x, out=x)
    c = x.sum(where=x > 0)
    d = self.xp.lib.stride_tricks.as_strided(x, (1,), (4,), writeable=False)
    e = module_of(x).nosuch(x)
    g = x.resize(3)
    h = xp.lib.format.open_memmap("f")
    i = xp.linalg.nosuch(x)
    return xp.maximum(x, 0, where=x > 0)
"""


def test_the_check_finds_what_is_planted():
    found, _ = cupy_api.problems(PLANTED, fake_cupy.API)
    assert sorted({line for line, _ in found}) == list(range(3, 12))


def test_the_list_is_that_of_the_cupy_that_is_installed():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed: its list is not compared")
    if cupy.__version__ != fake_cupy.VERSION:
        pytest.skip(f"the list is of CuPy {fake_cupy.VERSION}, installed is {cupy.__version__}")
    assert cupy_api.main(["--check"]) is None
