"""The table of networks: sizes computed by hand, gradients checked, mistakes reported."""

import numpy as np
import pytest

from minisgd.errors import SettingError
from minisgd.gradcheck import check_model
from minisgd.layers import Conv2d
from minisgd.model import Model
from minisgd.networks import FLATTEN, NETWORKS, RELU, Part, conv, linear, size_of

SIZES = {  # weights and biases, layer by layer
    "lenet5": (6 * 25 + 6) + (16 * 150 + 16) + (120 * 400 + 120) + (84 * 120 + 84) + (10 * 84 + 10),
    "lenet5-wide": (12 * 25 + 12) + (32 * 300 + 32) + (120 * 800 + 120) + 84 * 121 + 10 * 85,
    "lenet5-leaky": 61_706,  # as "lenet5"
    "mlp": (784 * 300 + 300) + (300 * 10 + 10),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_number_of_weights_is_that_of_its_layers(name):
    assert size_of(NETWORKS[name]) == SIZES[name] == len(Model(name).w)


@pytest.mark.parametrize("plain", [False, True], ids=["fused", "plain"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradient_of_every_tensor_is_right(name, plain):
    """Four images and a small step, so that no ReLU and no pooling window switches within it."""
    rng = np.random.default_rng(3)
    model = Model(name, seed=1, dtype=np.float64, chunk=3, plain=plain)
    x, y = rng.normal(size=(4, 1, 28, 28)), rng.integers(0, 10, 4)
    checks = check_model(model, x, y, rng, directions=3, h=1e-7)
    assert [check.name for check in checks] == list(model.params)
    assert all(check.passed for check in checks)


def test_a_kink_within_the_usual_step_is_no_mistake():
    """Of 2,400 ReLUs some turn on or off between two losses: a smaller step then tells."""
    rng = np.random.default_rng(0)
    model = Model("mlp", dtype=np.float64)
    x, y = rng.normal(size=(8, 1, 28, 28)), rng.integers(0, 10, 8)
    assert all(check.passed for check in check_model(model, x, y, rng, directions=40))
    gradient, grads = model.gradient, model.grads["fc1.W"]

    def wrong(x, y):
        found = gradient(x, y)
        grads[...] *= 1 + 1e-5
        return found

    model.gradient = wrong
    passed = {check.name: check.passed for check in check_model(model, x, y, rng)}
    assert passed == {"fc1.W": False, "fc1.b": True, "fc2.W": True, "fc2.b": True}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradients_of_single_images_have_the_batchs_as_their_mean(name, rng):
    model = Model(name, dtype=np.float64)
    x, y = rng.normal(size=(5, 1, 28, 28)), rng.integers(0, 10, 5)
    model.gradient(x, y)
    np.testing.assert_allclose(model.per_example_gradients(x, y).mean(axis=0), model.g, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_first_loss_is_near_that_of_guessing(name, rng):
    x = rng.normal(size=(40, 1, 28, 28))
    loss, _ = Model(name, dtype=np.float64).gradient(x, rng.integers(0, 10, 40))
    assert loss == pytest.approx(np.log(10), abs=0.15)


def test_a_network_of_ones_own_is_a_list(rng):
    """With a layer that fused.py does not know: a kernel whose size is even."""
    parts = [conv("c", 1, 2, 4), RELU, FLATTEN, linear("out", 2 * 25 * 25, 10)]
    model = Model(parts, dtype=np.float64)
    assert len(model.w) == 2 * 16 + 2 + 1250 * 10 + 10
    x, y = rng.normal(size=(4, 1, 28, 28)), rng.integers(0, 10, 4)
    assert all(check.passed for check in check_model(model, x, y, rng, directions=3))


class Doubled(Conv2d):
    """A class derived from one of ours may do something else, so it must not be replaced."""

    def forward(self, x):
        return 2 * super().forward(x)


def test_a_layer_derived_from_one_of_ours_is_used_as_it_is(rng):
    shapes = {"W": (6, 1, 5, 5), "b": (6,)}
    mine = [Part(lambda *w: Doubled(*w, pad=2), "conv1", shapes), *NETWORKS["lenet5"][1:]]
    x = rng.normal(size=(3, 1, 28, 28))
    one, other = Model(mine, dtype=np.float64), Model(dtype=np.float64)
    other.params["conv1.W"] *= 2
    other.params["conv1.b"] *= 2
    np.testing.assert_allclose(one.logits(x), other.logits(x), atol=1e-12)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([linear("fc", 784, 10)], "layer 1 of the network, fc, does not accept the output of"),
        ([FLATTEN, linear("a", 784, 30), linear("b", 31, 10)], r"layer 3 .*, b, .*\(31, N\)"),
        ([FLATTEN], "needs a layer that has weights"),
        ([FLATTEN, linear("a", 784, 30), linear("a", 30, 10)], "two layers .* are called 'a'"),
        ([FLATTEN, linear("a", 784, 9)], r"must end in 10 logits per image, this one in \(9,\)"),
    ],
    ids=["first", "later", "no weights", "twice", "logits"],
)
def test_layers_that_do_not_fit_are_told_by_their_place(parts, said):
    with pytest.raises(SettingError, match=said):
        Model(parts)
