"""What is right can be trained with, by --with: it gives the gradients and updates of our own."""

import numpy as np
import pytest
from answering import filled
from solutions import SOLUTIONS

from minisgd.lab import own
from minisgd.model import Model
from minisgd.settings import Settings
from minisgd.train import train


@pytest.fixture
def solved(tmp_path):
    """The file of an exercise that is solved, read as --with reads it."""

    def read(name):
        path = tmp_path / "mine.py"
        path.write_text(filled(name, SOLUTIONS[name]), "utf-8")
        return own.read(path)

    yield read
    own.forget()


def trained(small_data, **settings):
    settings = Settings(320, lr=0.05, epochs=2, seed=3, **settings)
    return [state.w for _, state in train(settings, small_data, dtype=np.float64)]


@pytest.mark.parametrize(
    ("name", "mine", "ours"),
    [
        ("linear", {"network": "mine"}, {}),
        ("relu", {"network": "mine"}, {}),
        ("maxpool", {"network": "mine"}, {}),
        ("conv", {"network": "mine"}, {}),
        ("softmax", {"loss": "mine"}, {}),
        ("momentum", {"optimizer": "mine", "momentum": 0.9}, {"momentum": 0.9}),
        ("linear-rule", {"rule": "mine"}, {"rule": "linear"}),
        (
            "warmup",
            {"rule": "linear", "warmup": "mine", "warmup_epochs": 2},
            {"rule": "linear", "warmup": "gradual", "warmup_epochs": 2},
        ),
    ],
)
def test_it_trains_as_ours_does(name, mine, ours, solved, small_data):
    wanted = trained(small_data, **ours)
    found = trained(small_data, own=solved(name).digest, **mine)
    for w, v in zip(found, wanted, strict=True):
        assert np.allclose(w, v, rtol=0, atol=1e-9)
    assert not np.allclose(wanted[0], wanted[1], atol=1e-4)  # and something was learned


@pytest.mark.parametrize("name", ["linear", "relu", "maxpool", "conv"])
def test_her_layer_is_in_the_network_wherever_ours_was(name, solved):
    solved(name)
    layers = {net: Model(net).lanes.networks[0].layers for net in ("lenet5", "mine")}
    kinds = {net: [type(layer).__name__ for _, layer in found] for net, found in layers.items()}
    hers = {
        type(layer).__name__ for _, layer in layers["mine"] if type(layer).__module__ == own.MODULE
    }
    assert kinds["mine"] == kinds["lenet5"] and len(hers) == 1
    ours = {type(layer).__name__ for _, layer in layers["mine"]} - hers
    assert not ours & hers
