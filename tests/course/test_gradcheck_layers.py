"""Our own gradients pass, the checker still sees mistakes in them, and its suite can be lifted."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from one_chunk import OneChunk

from minisgd import LeNet5, gradcheck
from minisgd.fused import ConvReLUPool, LinearReLU
from minisgd.gradcheck import check_layer, check_model
from minisgd.layers import Conv2d, Linear, MaxPool2d
from minisgd.machine.gradients import check_all


def test_every_layer_and_the_whole_network_pass():
    checks = list(check_all())
    assert all(check.passed for check in checks)
    assert all(check.error < 1e-7 for check in checks), "ten times better than is asked for"
    layers = {check.name.split(".")[0] for check in checks}
    assert layers >= {"Linear", "Conv2d", "ReLU", "LeakyReLU", "MaxPool2d(2)", "Flatten", "LeNet-5"}
    assert len([check for check in checks if check.name.startswith("LeNet-5.")]) == 10


def fused(rng, F=3, C=2):
    """Both fused layers, each with an input; with F = 4 and C = 1 the wide kernel is square."""
    W, b = rng.normal(size=(3, 4)), rng.normal(size=3)
    yield LinearReLU(W, b, np.zeros_like(W), np.zeros_like(b)), rng.normal(size=(4, 5))
    W, b = rng.normal(size=(F, C, 3, 3)), rng.normal(size=F)
    layer = ConvReLUPool(W, b, np.zeros_like(W), np.zeros_like(b), size=(6, 6), pad=2)
    yield layer, rng.normal(size=(C, 6, 6, 3))


@pytest.mark.parametrize("sizes", [{}, {"F": 4, "C": 1}], ids=str)
@pytest.mark.parametrize("named", [True, False])
def test_the_fused_layers_pass_and_their_workspaces_are_no_weights(sizes, named, rng):
    for layer, x in fused(rng, **sizes):
        begun, prefix = OneChunk(layer, named), "" if named else "layer."
        for _ in range(2):  # the second time the workspaces are there from the beginning
            checks = check_layer(begun, x, rng)
            assert [check.name for check in checks] == ["x", f"{prefix}W", f"{prefix}b"]
            assert all(check.passed for check in checks)


class SpoiltLinear(Linear):
    def backward(self, dy):
        self.db += dy[:, 0] - dy.sum(axis=1)
        return super().backward(dy)


class SpoiltConv2d(Conv2d):
    def backward(self, dy):
        dx = super().backward(dy)
        self.dW[0, 1, 2, 0] *= 1.0001
        return dx


class SpoiltMaxPool2d(MaxPool2d):
    """Takes row for column inside the window."""

    def backward(self, dy):
        places, self.places = self.places, [(columns, rows) for rows, columns in self.places]
        dx = super().backward(dy)
        self.places = places
        return dx


def test_mistakes_in_our_own_layers_are_rejected(rng):
    def wrong(layer, *shape):
        checks = check_layer(layer, rng.normal(size=shape), rng)
        return {check.name for check in checks if not check.passed}

    assert wrong(SpoiltLinear(rng.normal(size=(4, 6)), rng.normal(size=4)), 6, 3) == {"b"}
    conv = SpoiltConv2d(rng.normal(size=(3, 2, 3, 3)), rng.normal(size=3), pad=1)
    assert wrong(conv, 2, 4, 5, 3) == {"W"}
    assert wrong(SpoiltMaxPool2d(2), 2, 4, 6, 3) == {"x"}


class SpoiltLeNet5(LeNet5):
    def gradient(self, x, y):
        result = super().gradient(x, y)
        self.grads["fc2.b"][3] += 1e-3
        self.grads["conv1.W"] *= 2
        return result


def test_a_network_with_wrong_gradients_is_rejected(rng):
    x, y = rng.normal(size=(3, 1, 28, 28)), rng.integers(0, 10, 3)
    model = SpoiltLeNet5(dtype=np.float64)
    w = model.w.copy()
    checks = check_model(model, x, y, rng, directions=4)
    assert [check.name for check in checks] == list(model.params)
    assert {check.name for check in checks if not check.passed} == {"fc2.b", "conv1.W"}
    assert np.array_equal(model.w, w), "the weights are put back"
    with pytest.raises(TypeError, match="float64, got a model of float32"):
        check_model(LeNet5(), x, y, rng)


@pytest.mark.parametrize("suite", ["test_gradcheck.py", "test_gradcheck_weights.py"])
def test_checker_and_suite_can_be_lifted_out_of_this_program(suite, tmp_path):
    """The two files alone in a folder, in a Python that refuses to import minisgd."""
    shutil.copy(gradcheck.__file__, tmp_path)
    shutil.copy(Path(__file__).with_name(suite), tmp_path)
    run = (
        "import sys; sys.modules['minisgd'] = None; import pytest; "
        f"sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', '{suite}']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", run], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout and "failed" not in done.stdout
