"""PyTorch as an independent oracle: the same weights, the same numbers.

PyTorch computes in float64 throughout: in float32 its own gradient of conv1's bias is off by 1e-5,
four times as much as ours. Tolerances are relative to the largest entry: 1e-12 for our float64 and
1e-5 for our float32; ten times that after ten updates.
"""

import numpy as np
import pytest

from minisgd import LeNet5, rules
from minisgd.optim import OPTIMIZERS, adam_step, clip_by_norm, momentum_step, nesterov_step
from minisgd.settings import Settings

torch = pytest.importorskip("torch", reason="PyTorch, the independent oracle, is not installed")

N = 150  # two lanes of 75, each a whole chunk and a part


@pytest.fixture(autouse=True)
def one_torch_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def torch_lenet(model):
    """The network as PyTorch has it, with a copy of the model's weights in the model's order."""
    nn = torch.nn
    net = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(),
        nn.Linear(120, 84), nn.ReLU(),
        nn.Linear(84, 10),
    )  # fmt: skip
    net.double()
    with torch.no_grad():
        for theirs, ours in zip(net.parameters(), model.params.values(), strict=True):
            assert theirs.shape == ours.shape
            theirs.copy_(torch.tensor(ours))
    return net


def flat(tensors):
    return np.concatenate([t.detach().numpy().ravel() for t in tensors])


def off(ours, theirs):
    """The largest difference, relative to the largest entry."""
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


@pytest.fixture(params=[(np.float64, 1e-12), (np.float32, 1e-5)], ids=["float64", "float32"])
def setting(request, rng):
    """dtype's model, tolerance, images and labels."""
    dtype, tolerance = request.param
    x, y = rng.normal(size=(N, 1, 28, 28)).astype(dtype), rng.integers(0, 10, N)
    return LeNet5(seed=2, dtype=dtype, chunk=50), tolerance, x, y


def test_logits_loss_and_gradient_agree(setting):
    model, tolerance, x, y = setting
    net = torch_lenet(model)
    logits = net(torch.tensor(x).double())
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(y))
    loss.backward()

    assert off(model.logits(x), logits.detach().numpy()) < tolerance
    our_loss, correct = model.gradient(x, y)
    assert our_loss == pytest.approx(loss.item(), rel=tolerance)
    assert correct == int((logits.argmax(dim=1) == torch.tensor(y)).sum())
    for (name, ours), theirs in zip(model.grads.items(), net.parameters(), strict=True):
        assert off(ours, theirs.grad.numpy()) < tolerance, name


def ten_updates(setting, theirs, rates, step, far=0.1):
    """Ten updates by PyTorch, whose optimizer `theirs` makes of the parameters, and ten by ours,
    step(w, g, η, t).

    Returns: PyTorch's optimizer and network
    """
    model, tolerance, x, y = setting
    net = torch_lenet(model)
    start, theirs = model.w.copy(), theirs(net.parameters())
    for t, lr in enumerate(rates):
        batch = slice(13 * t, 13 * t + 20)
        model.gradient(x[batch], y[batch])
        step(model.w, model.g, lr, t)

        theirs.param_groups[0]["lr"] = lr
        theirs.zero_grad()
        logits = net(torch.tensor(x[batch]).double())
        torch.nn.functional.cross_entropy(logits, torch.tensor(y[batch])).backward()
        theirs.step()
    assert off(model.w, start) > far, "the weights have moved"
    assert off(model.w, flat(net.parameters())) < 10 * tolerance
    return theirs, net


def test_ten_momentum_updates_in_a_gradual_warmup_agree(setting):
    """Epochs of three updates, a warmup of three: the rate goes .01, .04, .07, then .1."""
    model, tolerance, _, _ = setting
    v = np.zeros_like(model.w)
    rates = [rules.warmup_lr("gradual", 1 + t // 3, 0.01, 0.1, 3) for t in range(10)]
    assert len(set(rates)) == 4
    theirs, net = ten_updates(
        setting, lambda w: torch.optim.SGD(w, momentum=0.9), rates,
        lambda w, g, lr, t: momentum_step(w, v, g, lr, 0.9),
    )  # fmt: skip
    buffers = [theirs.state[p]["momentum_buffer"] for p in net.parameters()]
    assert off(v, flat(buffers)) < 10 * tolerance


def test_ten_nesterov_updates_agree(setting):
    """PyTorch has the same form: v <- m v + g, then w <- w - η (g + m v)."""
    v = np.zeros_like(setting[0].w)
    ten_updates(
        setting, lambda w: torch.optim.SGD(w, momentum=0.9, nesterov=True), [0.05] * 10,
        lambda w, g, lr, t: nesterov_step(w, v, g, lr, 0.9),
    )  # fmt: skip


def test_ten_adam_updates_agree(setting):
    v, u = np.zeros_like(setting[0].w), np.zeros_like(setting[0].w)
    ten_updates(
        setting, lambda w: torch.optim.Adam(w, betas=(0.9, 0.99), eps=1e-3), [0.002] * 10,
        lambda w, g, lr, t: adam_step(w, v, u, g, lr, t, 0.9, 0.99, 1e-3), far=0.01,
    )  # fmt: skip


class MuonByTheSVD(torch.optim.Optimizer):
    """Nesterov's direction, its singular values changed; Adam at a tenth of the rate for biases.

    PyTorch's own Muon computes in bfloat16, too roughly to compare with.
    """

    def __init__(self, parameters):
        parameters = list(parameters)
        super().__init__(parameters, {"lr": 0.0})
        biases = [p for p in parameters if p.ndim == 1]
        self.adam = torch.optim.Adam(biases, betas=(0.9, 0.99), eps=1e-3)

    @torch.no_grad()
    def step(self):
        lr = self.param_groups[0]["lr"]
        self.adam.param_groups[0]["lr"] = lr / 10
        for p in self.param_groups[0]["params"]:
            if p.ndim > 1:
                buffer = self.state[p].setdefault("v", torch.zeros_like(p))
                buffer.mul_(0.9).add_(p.grad)
                U, S, V = torch.linalg.svd((p.grad + 0.9 * buffer).flatten(1), full_matrices=False)
                S = S / S.norm()
                for _ in range(5):
                    S = 3.4445 * S - 4.7750 * S**3 + 2.0315 * S**5
                tall = max(1.0, p.shape[0] / (p.numel() / p.shape[0])) ** 0.5
                p.sub_(lr * tall * ((U * S) @ V).view_as(p))
        self.adam.step()


def test_ten_muon_updates_agree_with_the_singular_value_decomposition(setting):
    model, tolerance, x, y = setting
    settings = Settings(
        optimizer="muon", momentum=0.9, beta2=0.99, epsilon=1e-3, adam_factor=0.1, lr=0.02
    )
    memory = {name: np.zeros_like(model.w) for name in ("v", "u")}
    step = OPTIMIZERS["muon"].step
    # In float32 Newton and Schulz magnify the rounding of the smallest singular values.
    loose = (model, tolerance if model.w.dtype == np.float64 else 30 * tolerance, x, y)
    ten_updates(
        loose, MuonByTheSVD, [0.02] * 10,
        lambda w, g, lr, t: step(w, g, memory, lr, t, settings, model.shapes),
    )  # fmt: skip


def test_initial_weights_have_the_bounds_of_torchs_defaults():
    """The largest of at least 1,200 draws of U(-a, a) is within 2 % of a, ours and theirs."""
    torch.manual_seed(0)
    ours, theirs = {}, {}
    for seed in range(200):
        model = LeNet5(seed, chunk=50)
        net = torch_lenet(model)
        for layer in net:
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
        for (name, mine), other in zip(model.params.items(), net.parameters(), strict=True):
            ours[name] = max(ours.get(name, 0), np.abs(mine).max())
            theirs[name] = max(theirs.get(name, 0), other.detach().abs().max().item())
    assert ours == pytest.approx(theirs, rel=0.02)


def test_clipping_agrees(rng):
    """PyTorch divides by |g| + 1e-6, so that it agrees to a millionth of 1/|g|."""
    for c in 0.5, 8.0, 100.0:  # of lengths near 8: clipped, about as long, left alone
        g = rng.normal(size=64)
        theirs = torch.nn.Parameter(torch.zeros(64, dtype=torch.float64))
        theirs.grad = torch.tensor(g)
        torch.nn.utils.clip_grad_norm_([theirs], c)
        clip_by_norm(g, c)
        assert off(g, theirs.grad.numpy()) < 1e-6
