"""LeNet-5 at its public face: the weights, the first loss, what it takes and what it refuses."""

from math import log

import numpy as np
import pytest

from minisgd import LeNet5
from minisgd.backend import to_host
from minisgd.optim import momentum_step

BOUNDS = {  # 1/sqrt(fan_in): 25 = 5 x 5 inputs, 150 = 6 x 5 x 5, then the widths
    "conv1": 25**-0.5,
    "conv2": 150**-0.5,
    "fc1": 400**-0.5,
    "fc2": 120**-0.5,
    "fc3": 84**-0.5,
}


@pytest.fixture
def batch(rng):
    """Twenty images of noise, as the network takes them, and their labels."""
    return rng.normal(size=(20, 1, 28, 28)).astype(np.float32), rng.integers(0, 10, 20)


def test_61706_parameters_layer_by_layer(device):
    """6 (25 + 1), 16 (150 + 1), 120 (400 + 1), 84 (120 + 1), 10 (84 + 1)."""
    model = LeNet5(device=device)
    sizes = {name: view.size for name, view in model.params.items()}
    assert [sizes[f"{layer}.W"] + sizes[f"{layer}.b"] for layer in BOUNDS] == [
        156, 2416, 48120, 10164, 850
    ]  # fmt: skip
    assert model.w.shape == model.g.shape == (61706,)


def test_names_shapes_and_order_are_pytorchs():
    model = LeNet5()
    assert {name: view.shape for name, view in model.params.items()} == {
        "conv1.W": (6, 1, 5, 5), "conv1.b": (6,), "conv2.W": (16, 6, 5, 5), "conv2.b": (16,),
        "fc1.W": (120, 400), "fc1.b": (120,), "fc2.W": (84, 120), "fc2.b": (84,),
        "fc3.W": (10, 84), "fc3.b": (10,),
    }  # fmt: skip
    flat = np.concatenate([view.ravel() for view in model.params.values()])
    assert np.array_equal(flat, model.w)
    assert list(model.grads) == list(model.params)


def test_params_and_grads_are_views(batch):
    model = LeNet5()
    model.w[...] = 7
    assert all((view == 7).all() for view in model.params.values())
    model.params["fc3.b"][2] = 5
    assert model.w[-8] == 5  # the third of the last ten
    assert all(np.shares_memory(view, model.w) for view in model.params.values())
    model.gradient(*batch)
    flat = np.concatenate([view.ravel() for view in model.grads.values()])
    assert np.array_equal(flat, model.g) and flat.any()


@pytest.mark.parametrize("layer", BOUNDS)
def test_initial_weights_fill_their_bounds(layer):
    """U(-a, a): nothing beyond a, some near both ends, a mean near 0; W and b alike."""
    models = [LeNet5(seed=seed) for seed in range(40)]
    for kind in "Wb":
        drawn = np.concatenate([model.params[f"{layer}.{kind}"].ravel() for model in models])
        drawn /= BOUNDS[layer]
        assert np.abs(drawn).max() <= 1 + 1e-6
        assert drawn.max() > 0.95 and drawn.min() < -0.95
        assert abs(drawn.mean()) < 4 * 3**-0.5 / drawn.size**0.5  # four deviations


def test_the_seed_decides_the_weights_and_the_dtype_only_rounds_them(device):
    first, same = LeNet5(seed=3, device=device), LeNet5(seed=3, device=device)
    exact = LeNet5(seed=3, device=device, dtype=np.float64)
    assert np.array_equal(first.weights(), same.weights())
    assert np.array_equal(first.weights(), exact.weights().astype(np.float32))
    assert np.array_equal(first.weights(), LeNet5(seed=3).weights()), "every device starts the same"
    assert first.w.dtype == first.g.dtype == np.float32
    assert exact.w.dtype == exact.g.dtype == np.float64
    assert (LeNet5(seed=4).weights() != first.weights()).mean() > 0.99


def test_weights_is_a_copy():
    model = LeNet5()
    copy = model.weights()
    copy[...] = 0
    assert model.w.any()


def test_the_first_loss_is_near_ln_10(device, batch):
    for seed in range(5):
        loss, correct = LeNet5(seed, device).gradient(*batch)
        assert loss == pytest.approx(log(10), abs=0.15)
        assert type(loss) is float and type(correct) is int


def test_twenty_examples_can_be_overfitted(device, batch):
    model = LeNet5(device=device)
    v = model.xp.zeros_like(model.w)
    for _ in range(60):
        model.gradient(*batch)
        momentum_step(model.w, v, model.g, 0.03, 0.9)
    loss, correct = model.gradient(*batch)
    assert correct == 20 and loss < 0.05


def test_duplicating_a_batch_leaves_the_gradient_unchanged(batch):
    x, y = batch
    model = LeNet5(dtype=np.float64, chunk=7)
    loss, correct = model.gradient(x, y)
    g = model.g.copy()
    double = model.gradient(np.concatenate([x, x]), np.concatenate([y, y]))
    assert double == (pytest.approx(loss, rel=1e-13), 2 * correct)
    assert np.abs(model.g - g).max() < 1e-12 * np.abs(g).max()


def test_the_gradient_is_of_this_batch_alone(batch):
    """Calling twice does not add up, and changes neither the weights nor the batch."""
    x, y = batch
    given = x.copy(), y.copy()
    model = LeNet5()
    w, first = model.w.copy(), model.gradient(x, y)
    g = model.g.copy()
    assert model.gradient(x, y) == first
    assert np.array_equal(model.g, g)
    assert np.array_equal(model.w, w)
    assert np.array_equal(x, given[0]) and np.array_equal(y, given[1])


def test_the_gradient_points_uphill(batch):
    """A short step along -g lowers the loss by |g|² times its length."""
    model = LeNet5(dtype=np.float64)
    loss, _ = model.gradient(*batch)
    step = 1e-5
    expected = step * (model.g @ model.g)
    model.w -= step * model.g
    assert loss - model.gradient(*batch)[0] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_uint8_images_equal_normalised_ones(device, rng, dtype, tolerance):
    """(x/255 - .1307)/.3081 of the report's pipeline, for images as they are stored."""
    stored, y = rng.integers(0, 256, (70, 28, 28), np.uint8), rng.integers(0, 10, 70)
    normalised = ((stored / 255 - 0.1307) / 0.3081)[:, None]  # (N, 1, 28, 28)
    model = LeNet5(device=device, dtype=dtype)
    np.testing.assert_allclose(
        to_host(model.logits(stored)), to_host(model.logits(normalised)), atol=tolerance
    )
    loss, _ = model.gradient(stored, y)
    g = to_host(model.g).copy()
    assert model.gradient(normalised, y)[0] == pytest.approx(loss, rel=tolerance)
    np.testing.assert_allclose(to_host(model.g), g, atol=tolerance)


@pytest.mark.parametrize("N", [1, 3, 64, 65, 130])
def test_logits_have_one_row_an_image(device, rng, N):
    x, y = rng.normal(size=(N, 1, 28, 28)), rng.integers(0, 10, N)
    model = LeNet5(device=device)
    logits = to_host(model.logits(x))
    assert logits.shape == (N, 10) and logits.dtype == np.float32
    one_by_one = np.concatenate([to_host(model.logits(x[n : n + 1])) for n in range(N)])
    np.testing.assert_allclose(logits, one_by_one, atol=1e-5)
    _, correct = model.gradient(x, y)
    assert correct == (logits.argmax(axis=1) == y).sum()


def test_logits_stay_when_the_model_goes_on(device, rng):
    """What was handed out is not a workspace that the next batch is written into."""
    x = rng.normal(size=(5, 1, 28, 28))
    model = LeNet5(device=device)
    logits = model.logits(x)
    before = to_host(logits).copy()
    model.logits(-x)
    model.gradient(-x, rng.integers(0, 10, 5))
    assert np.array_equal(to_host(logits), before)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, list])
def test_labels_may_be_any_integers(batch, dtype):
    x, y = batch
    model = LeNet5()
    told = model.gradient(x, y)
    assert model.gradient(x, y.tolist() if dtype is list else y.astype(dtype)) == told


@pytest.mark.parametrize(
    "shape", [(5, 1, 28, 27), (5, 3, 28, 28), (5, 784), (28, 28), (1, 5, 28, 28)]
)
def test_images_of_a_wrong_shape_are_refused(shape):
    model = LeNet5()
    wanted = rf"\(N, 1, 28, 28\), got \({', '.join(map(str, shape))}\)"
    with pytest.raises(ValueError, match=wanted):
        model.logits(np.zeros(shape))
    with pytest.raises(ValueError, match=wanted):
        model.gradient(np.zeros(shape), np.zeros(shape[0], int))


@pytest.mark.parametrize(
    "labels, message",
    [
        ([0, 1, 10], "0 ... 9, got 0 ... 10"),
        ([0, -1, 3], "0 ... 9, got -1 ... 3"),
        ([0, 1], "each of the 3 images"),
        ([0, 1, 2, 3], "each of the 3 images"),
        ([[0], [1], [2]], "each of the 3 images"),
        ([0.0, 1.0, 2.0], "one integer"),
        ([True, False, True], "one integer"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        LeNet5().gradient(np.zeros((3, 1, 28, 28)), np.array(labels))


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match="0 images"):
        LeNet5().gradient(np.zeros((0, 1, 28, 28)), np.zeros(0, int))


@pytest.mark.parametrize(
    "setting, message",
    [({"device": "tpu"}, "tpu"), ({"chunk": 0}, "got 0 and 1"), ({"threads": 0}, "got 128 and 0")],
)
def test_settings_that_make_no_sense_are_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        LeNet5(**setting)


# -- the images one by one


def test_every_image_has_the_gradient_of_its_own_batch_of_one(device, rng):
    model = LeNet5(seed=1, device=device, dtype=np.float64)
    x, y = rng.normal(size=(7, 1, 28, 28)), rng.integers(0, 10, 7)
    each = to_host(model.per_example_gradients(x, y))
    assert each.shape == (7, 61706)
    for n in range(7):
        model.gradient(x[n : n + 1], y[n : n + 1])
        np.testing.assert_allclose(each[n], to_host(model.g), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 1e-5)])
def test_the_mean_over_the_images_is_the_batchs_gradient(device, rng, dtype, tolerance):
    model = LeNet5(device=device, dtype=dtype)
    x, y = rng.integers(0, 256, (150, 28, 28), dtype=np.uint8), rng.integers(0, 10, 150)
    model.gradient(x, y)
    g = to_host(model.g).copy()
    each = to_host(model.per_example_gradients(x, y))
    assert each.dtype == dtype
    np.testing.assert_allclose(each.mean(axis=0), g, atol=tolerance * np.abs(g).max())
    np.testing.assert_array_equal(to_host(model.g), g)  # which it leaves alone


def test_the_images_come_in_pieces(batch):
    """Twenty, eight at a time: 8, 8 and 4, the same as all at once."""
    model = LeNet5()
    pieces = list(model.per_example_pieces(*batch, size=8))
    assert [len(piece) for piece in pieces] == [8, 8, 4]
    whole = model.per_example_gradients(*batch)
    np.testing.assert_allclose(np.concatenate(pieces), whole, rtol=1e-4, atol=1e-7)


def test_memory_for_the_images_one_by_one_is_that_of_a_piece(rng):
    import tracemalloc

    model = LeNet5()
    x, y = rng.integers(0, 256, (512, 28, 28), dtype=np.uint8), rng.integers(0, 10, 512)
    tracemalloc.start()
    for piece in model.per_example_pieces(x, y, size=16):
        assert len(piece) == 16
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 512 * 61706 * 4 / 4  # a quarter of what all of them would take


def test_images_one_by_one_are_refused_as_in_a_batch(batch):
    x, y = batch
    for wrong in ((x[:, :, :27], y), (x, y + 10), (x, y[:-1]), (x[:0], y[:0])):
        with pytest.raises(ValueError, match=r"images must be|labels must be|one integer"):
            list(LeNet5().per_example_pieces(*wrong))
