"""The initial weights: what is drawn in every layer, and where the setting goes."""

import numpy as np
import pytest

from minisgd.errors import SettingError
from minisgd.inits import INITS
from minisgd.lab.names import folder_name, run_name, title_of
from minisgd.model import Model
from minisgd.networks import NETWORKS
from minisgd.settings import Settings
from minisgd.train import Run, train

SEEDS = range(20)
VARIANCES = {"uniform": 1 / 3, "he": 2}  # of W, times the fan-in


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("init", INITS)
def test_the_variance_of_every_tensor_is_that_of_the_formula(init, network):
    """The square of a number from U(-a, a) has mean a²/3 and variance 4 a⁴/45, so that the mean of
    n squares, relative to a²/3, has the standard deviation √(4/5n). Five of them are allowed.
    """
    models = [Model(network, seed, dtype=np.float64, init=init) for seed in SEEDS]
    for name, W in models[0].params.items():
        drawn = np.concatenate([model.params[name].ravel() for model in models])
        kernel = models[0].params[name.split(".")[0] + ".W"]
        fan_in = kernel.size // len(kernel)
        if init == "he" and W.ndim == 1:
            assert not drawn.any(), name
            continue
        allowed = 5 * (0.8 / drawn.size) ** 0.5
        assert (drawn**2).mean() * fan_in == pytest.approx(VARIANCES[init], rel=allowed), name
        assert np.abs(drawn).max() <= (3 * VARIANCES[init] / fan_in) ** 0.5


@pytest.mark.parametrize("network", NETWORKS)
def test_the_same_seed_gives_proportional_kernels(network):
    for seed in (0, 7):
        one, other = (Model(network, seed, dtype=np.float64, init=i) for i in ("uniform", "he"))
        for name, W in one.params.items():
            if W.ndim > 1:
                np.testing.assert_allclose(other.params[name], 6**0.5 * W, rtol=0, atol=1e-15)
    assert (Model(network, 8, init="he").w != Model(network, 7, init="he").w).mean() > 0.9


@pytest.mark.parametrize("network", NETWORKS)
def test_the_default_is_what_it_was_before_there_was_a_choice(network):
    """To the bit: tensor by tensor from one generator, within 1/√fan_in."""
    model, rng = Model(network, 3), np.random.default_rng(3)
    for name, tensor in model.params.items():
        kernel = model.params[name.split(".")[0] + ".W"]
        a = 1 / np.sqrt(kernel.size // len(kernel))
        assert np.array_equal(tensor, rng.uniform(-a, a, tensor.shape).astype(np.float32))
    assert "init" not in Settings(network=network).differing()
    assert "init" not in run_name(Settings(network=network))


def test_hes_variance_keeps_the_size_of_the_signal(rng):
    """Pixels of mean square 1 give the first layer's outputs a mean square of 2; a ReLU halves it,
    and the next layer doubles it again. 1/(3 fan_in) leaves 1/3 + 1/3/784, of which the half, and a
    third, and 1/3/300.
    """
    x = rng.normal(size=(40, 1, 28, 28))
    found = {
        init: np.mean([Model("mlp", s, dtype=np.float64, init=init).logits(x) ** 2 for s in SEEDS])
        for init in INITS
    }
    assert found["he"] == pytest.approx(2, rel=0.15)
    first = 1 / 3 + 1 / 3 / 784
    assert found["uniform"] == pytest.approx(first / 6 + 1 / 3 / 300, rel=0.15)


@pytest.mark.parametrize("plain", [False, True], ids=["fused", "plain"])
@pytest.mark.parametrize("network", NETWORKS)
def test_a_run_starts_from_what_its_settings_say(network, plain, small_data):
    settings = Settings(160, network=network, plain=plain, init="he", seed=2, epochs=1)
    run = Run(settings, small_data)
    assert np.array_equal(run.model.w, Model(network, 2, init="he").w)
    ((record, state),) = train(settings, small_data)
    assert record["status"] == "ok" and not np.array_equal(state.w, run.model.w)


def test_names_and_titles_say_it():
    he = Settings(rule="linear", init="he")
    assert run_name(he) == "b64-lr0.01-linear-he-init-seed0"
    assert folder_name(he, "mnist") == "mnist-linear-he-init"
    assert title_of(he, "mnist") == (
        "LeNet-5 on MNIST: linear scaling, he initialization, η0 = 0.01 at b0 = 64"
    )
    assert he.key() != Settings(rule="linear").key()


@pytest.mark.parametrize("make", [Settings, Model])
def test_an_unknown_name_is_refused(make):
    with pytest.raises(SettingError, match=r"^init must be one of uniform, he, got 'xavier'$"):
        make(init="xavier")
