"""The exact Hessian product, by hand, against differences, and against PyTorch's two backwards."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisgd.layers import ReLU
from minisgd.measures.common import Landscape
from minisgd.measures.estimators import hessian_product, unit
from minisgd.measures.hessian import Hessian
from minisgd.model import Model
from minisgd.networks import FLATTEN, NETWORKS, Part, columns, conv, linear

SOFTMAX = (FLATTEN, linear("fc", 784, 10))


class Squared:
    """y = x²: a layer whose derivative along a vector nobody has told."""

    def forward(self, x):
        self.cache = x
        return x * x

    def backward(self, dy):
        return 2 * self.cache * dy


@pytest.fixture(scope="module")
def images(small_data):
    return small_data.train.images[:230], small_data.train.labels[:230]  # three uneven pieces


@pytest.fixture(params=list(NETWORKS))
def setting(request, images):
    model = Model(request.param, seed=1, dtype=np.float64)
    return request.param, model.w, images


def random_vectors(P, n=2, seed=3):
    rng = np.random.default_rng(seed)
    return [unit(rng.normal(size=P)) for _ in range(n)]


def test_of_one_softmax_layer_by_hand(images):
    """H = (1/B) Σ (diag p - p p') ⊗ (x, 1)(x, 1)', in the order of W and b."""
    x, y = images[0][:7], images[1][:7]
    model = Model(list(SOFTMAX), seed=2, dtype=np.float64)
    (u,) = random_vectors(len(model.w), 1)
    V, c = u[:7840].reshape(10, 784), u[7840:]
    pixels = columns(x, np.float64).reshape(784, 7)
    expected = np.zeros((10, 785))
    for n in range(7):
        z = model.w[:7840].reshape(10, 784) @ pixels[:, n] + model.w[7840:]
        p = np.exp(z) / np.exp(z).sum()
        along = V @ pixels[:, n] + c
        expected += np.outer(p * along - p * (p @ along), [*pixels[:, n], 1]) / 7
    found = Hessian(model.w, x, y, network=SOFTMAX, dtype=np.float64).product(u)
    wanted = np.concatenate([expected[:, :784].ravel(), expected[:, 784]])
    np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-15)


def test_it_is_symmetric_and_linear(setting):
    network, w, (x, y) = setting
    H = Hessian(w, x, y, network=network, dtype=np.float64)
    u, v = random_vectors(len(w))
    Hu, Hv = H.product(u), H.product(v)
    assert u @ Hv == pytest.approx(v @ Hu, rel=1e-9, abs=1e-15)
    np.testing.assert_allclose(H.product(2 * u - v), 2 * Hu - Hv, rtol=1e-9, atol=1e-14)


def test_it_is_what_pytorch_finds_in_two_backwards(setting):
    torch = pytest.importorskip("torch", reason="PyTorch, the independent oracle, is not installed")
    network, w, (x, y) = setting
    nn, F, C, D = torch.nn, *((12, 32, 800) if network == "lenet5-wide" else (6, 16, 400))
    relu = nn.LeakyReLU if network == "lenet5-leaky" else nn.ReLU  # with the same slope, .01
    layers = {
        "mlp": [nn.Flatten(), nn.Linear(784, 300), relu(), nn.Linear(300, 10)],
    }.get(network) or [
        nn.Conv2d(1, F, 5, padding=2), relu(), nn.MaxPool2d(2),
        nn.Conv2d(F, C, 5), relu(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(D, 120), relu(), nn.Linear(120, 84), relu(), nn.Linear(84, 10),
    ]  # fmt: skip
    net = nn.Sequential(*layers).double()
    params = list(net.parameters())
    nn.utils.vector_to_parameters(torch.tensor(w), params)
    given = columns(x, np.float64).transpose(3, 0, 1, 2)
    loss = nn.functional.cross_entropy(net(torch.tensor(given)), torch.tensor(y.astype(int)))
    (u,) = random_vectors(len(w), 1)
    g = torch.cat([d.ravel() for d in torch.autograd.grad(loss, params, create_graph=True)])
    theirs = torch.cat([d.ravel() for d in torch.autograd.grad(g @ torch.tensor(u), params)])
    ours = Hessian(w, x, y, network=network, dtype=np.float64).product(u)
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-9, atol=1e-15)
    assert np.linalg.norm(ours) > 1e-4


def test_differences_over_a_length_without_kinks_agree(images):
    """On three images a step of 1e-7 meets no kink; on 230 one of .01 meets many."""
    model = Model(seed=4, dtype=np.float64)
    (u,) = random_vectors(len(model.w), 1)
    few = images[0][:3], images[1][:3]
    exact = Hessian(model.w, *few, dtype=np.float64).product(u)
    near = hessian_product(Landscape(*few, 1), model.w.copy(), u, 1e-7)
    assert np.linalg.norm(near - exact) < 1e-3 * np.linalg.norm(exact)
    exact = Hessian(model.w, *images, dtype=np.float64).product(u)
    far = hessian_product(Landscape(*images, 1), model.w.copy(), u, 1e-2)
    assert np.linalg.norm(far - exact) > 0.5 * np.linalg.norm(exact)


@given(st.integers(1, 230), st.integers(1, 3))
def test_the_mean_over_images_is_that_of_their_parts(n, threads):
    model = Model(list(SOFTMAX), seed=5, dtype=np.float64)
    rng = np.random.default_rng(n)
    x, y = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), rng.integers(0, 10, n)
    (u,) = random_vectors(len(model.w), 1)
    whole = Hessian(model.w, x, y, threads, SOFTMAX, dtype=np.float64).product(u)
    k = n // 2
    parts = [
        len(some) / n * Hessian(model.w, x[part], some, 1, SOFTMAX, dtype=np.float64).product(u)
        for part in (slice(k), slice(k, n))
        if len(some := y[part])
    ]
    np.testing.assert_allclose(whole, sum(parts), rtol=1e-9, atol=1e-14)


def test_threads_do_not_change_a_bit_and_single_precision_is_near(images):
    model = Model(seed=6)
    (u,) = random_vectors(len(model.w), 1)
    one, three = (Hessian(model.w, *images, threads).product(u) for threads in (1, 3))
    assert one.tobytes() == three.tobytes() and one.dtype == np.float64
    double = Hessian(model.w, *images, dtype=np.float64).product(u)
    assert np.linalg.norm(one - double) < 1e-3 * np.linalg.norm(double)


def test_a_product_leaves_nothing_behind(images):
    """The second product of a Hessian is the first, whatever came between; w is not changed."""
    model = Model(seed=7)
    before = model.w.copy()
    H, (u, v) = Hessian(model.w, *images), random_vectors(len(model.w))
    first = H.product(u)
    H.product(v)
    assert H.product(u).tobytes() == first.tobytes() and (model.w == before).all()


def test_a_layer_without_a_known_derivative_is_refused(images):
    network = [conv("c", 1, 2, 5), Part(Squared), FLATTEN, linear("fc", 2 * 24 * 24, 10)]
    model = Model(network, seed=8)
    with pytest.raises(ValueError, match="the derivative of Squared along a vector is not known"):
        Hessian(model.w, *images, network=network).product(model.w)
    network[1] = Part(ReLU)
    assert np.isfinite(Hessian(model.w, *images, network=network).product(model.w)).all()
