"""The measure of methods: its parts on numbers with a known answer, and that it only looks."""

from dataclasses import replace

import numpy as np
import pytest

from minisgd.measures import MEASURES, methods_shown
from minisgd.measures.common import Landscape
from minisgd.measures.estimators import hessian_product, largest_eigenvalue
from minisgd.measures.methods import (
    along_step,
    bound,
    examined,
    in_metric,
    measure_eigenvalues,
    own_metric,
    rows_of,
    with_metric,
)
from minisgd.optim import OPTIMIZERS
from minisgd.settings import Settings
from minisgd.train import Run, train

RUNS = (
    Settings(8192, rule="linear"),
    Settings(8192, lr=0.4, momentum=0.9, optimizer="nesterov", clip=0.5, decay="cosine"),
    Settings(8192, lr=0.01, momentum=0.9, optimizer="adam", beta2=0.95, decay="cosine"),
    Settings(8192, lr=2.0, momentum=0.9, optimizer="lars", trust=0.01, decay="cosine"),
    Settings(8192, lr=0.05, momentum=0.9, optimizer="lamb", beta2=0.99, decay="cosine"),
    Settings(
        8192, lr=0.1, momentum=0.9, optimizer="muon", beta2=0.95, adam_factor=0.1, decay="cosine"
    ),
    Settings(
        60_000, lr=0.2, momentum=0.8, optimizer="muon", beta2=0.95, adam_factor=0.1, decay="cosine"
    ),
)
SHAPES = {"fc1.W": (3, 4), "fc1.b": (3,), "fc2.W": (2, 3), "fc2.b": (2,)}
P = 23


# -- on numbers


def test_rho_on_a_parabola_by_hand():
    """f = (3 x² + y²) / 2 at (1, 2): g = (3, 2), H = diag(3, 1)."""
    g, H = np.array([3.0, 2.0]), np.diag([3.0, 1.0])
    d = np.array([-1.0, -1.0])
    rho, slope, bend = along_step(g, H @ d, d)
    assert (rho, slope, bend) == (4 / 10, -5, 4)
    f = lambda w: w @ H @ w / 2  # noqa: E731
    w = np.array([1.0, 2.0])
    assert f(w + d) - f(w) == slope + bend / 2 == slope * (1 - rho)
    same = d / rho  # the step that is as far up as down
    assert f(w + same) == pytest.approx(f(w)) and along_step(g, H @ same, same)[0] == 1


def test_rho_of_gradient_descent_is_half_the_rate_times_the_curvature():
    g = np.array([0.0, 2.0])  # along an eigenvector, of eigenvalue 5
    assert along_step(g, 5 * -0.3 * g, -0.3 * g)[0] == pytest.approx(0.3 * 5 / 2)
    assert along_step(g, g, g)[0] is None  # uphill
    assert along_step(g, g, np.array([1.0, 0.0]))[0] is None  # level


def test_the_eigenvalue_in_a_metric_by_hand():
    """H = diag(4, 1, 2) and D = diag(1, 9, 0): √D H √D = diag(4, 9, 0). And of a full H, NumPy's"""
    H, D = np.diag([4.0, 1.0, 2.0]), np.array([1.0, 9.0, 0.0])
    found, u = largest_eigenvalue(in_metric(lambda u: H @ u, D), np.ones(3))
    assert found.value == pytest.approx(9) and abs(u[1]) == pytest.approx(1)
    rng = np.random.default_rng(0)
    A = rng.normal(size=(8, 8))
    H, D = A + A.T, rng.uniform(0.1, 3, 8)
    f = lambda w: (w @ H @ w / 2, H @ w)  # noqa: E731
    product = in_metric(lambda u: hessian_product(f, np.zeros(8), u, 0.01), D)
    found, _ = largest_eigenvalue(product, rng.normal(size=8), tolerance=1e-6)
    exact = np.linalg.eigvals(D[:, None] * H).real.max()  # D H has the eigenvalues of √D H √D
    assert found.value == pytest.approx(exact)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "lars", "adam", "lamb"])
@pytest.mark.parametrize("m", [0.0, 0.7])
def test_the_bound_is_where_a_parabola_is_left(optimizer, m):
    """On λ w² / 2 with D frozen, updates just below the bound die out and those above it grow."""
    if (m == 0) == (optimizer in ("momentum", "nesterov")):
        m = 0.4
    for factor, grows in ((0.98, False), (1.02, True)):
        lam, w, v = factor * bound(optimizer, m, 0.1), 1.0, 0.0
        for _ in range(2000):
            g = lam * w
            v = m * v + (1 - m if optimizer in ("adam", "lamb") else 1) * g
            w -= 0.1 * (g + m * v if optimizer == "nesterov" else v)
        assert (abs(w) > 1) == grows


def settings_of(optimizer):
    return Settings(8, lr=0.1, optimizer=optimizer, epsilon=1e-3, trust=0.02, beta2=0.9)


@pytest.mark.parametrize("optimizer", ["sgd", "lars", "adam", "lamb"])
def test_without_momentum_a_step_is_the_rate_times_d_times_the_gradient(optimizer):
    s, rng = settings_of(optimizer), np.random.default_rng(3)
    w = rng.normal(size=P)
    memory = {name: np.zeros(P) for name in OPTIMIZERS[optimizer].memory}
    for t in range(4):
        g = rng.normal(size=P)
        g[:2] = 0
        before = w.copy()
        OPTIMIZERS[optimizer].step(w, g, memory, 0.1, t, s, SHAPES)
        D = own_metric(s, memory, before, g, t, SHAPES)
        assert D.shape == (P,) and (D[2:] > 0).all()
        np.testing.assert_allclose(w - before, -0.1 * D * g, rtol=1e-9)


@pytest.mark.parametrize("optimizer", ["adam", "lamb"])
def test_with_momentum_d_multiplies_the_mean_of_the_gradients(optimizer):
    s, rng = replace(settings_of(optimizer), momentum=0.8), np.random.default_rng(4)
    w, memory = rng.normal(size=P), {"v": np.zeros(P), "u": np.zeros(P)}
    for t in range(3):
        g, before = rng.normal(size=P), w.copy()
        OPTIMIZERS[optimizer].step(w, g, memory, 0.1, t, s, SHAPES)
        D = own_metric(s, memory, before, g, t, SHAPES)
        np.testing.assert_allclose(w - before, -0.1 * D * memory["v"], rtol=1e-9)


def test_muon_has_no_metric_of_its_own():
    for optimizer in ("muon", "muon-inner"):
        assert own_metric(settings_of(optimizer), {}, np.ones(P), np.ones(P), 0, SHAPES) is None
    assert bound("muon-inner", 0.5, 1.0) == bound("nesterov", 0.5, 1.0) == 1.5


# -- which updates


def made_up(losses, steps=None):
    """Rows with these losses, before each update and after the one before."""
    steps = steps or [0.1] * len(losses)
    return [
        {"loss": a, "fixed_loss": a, "fixed_loss_after": b, "step": step}
        for a, b, step in zip(losses, [*losses[1:], losses[-1]], steps, strict=True)
    ]


def test_the_updates_around_the_exit_are_examined_one_by_one():
    rows = made_up([2.3] * 50 + [1.0] * 50)
    assert methods_shown.exit_of(rows) == methods_shown.middle_of(rows) == 50
    found = examined(rows, 16)
    assert {*range(46, 56)} <= {*found} and 0 in found and 99 in found and len(found) <= 16
    assert examined(rows, 4) == [52, 53, 54, 55]
    assert examined([], 16) == [] and examined(rows[:1], 16) == [0]


def test_without_an_exit_it_is_where_the_run_is_thrown():
    rows = made_up([2.3, 2.2, 2.25, 2.6, 2.3, 2.9, 2.3], [0.1, 0.1, 0.2, 0.1, 0.3, 9, 0.1])
    assert methods_shown.exit_of(rows) is None and methods_shown.middle_of(rows) == 2
    rows = made_up([2.3] * 7, [0.1, 0.1, 0.2, 0.1, 0.3, 9, 0.1])  # nothing throws it
    assert methods_shown.middle_of(rows) == 5


# -- on runs

CASES = [replace(s, batch_size=50, epochs=2) for s in RUNS]


@pytest.mark.parametrize("settings", CASES, ids=methods_shown.names(CASES))
def test_watching_does_not_change_the_run(fewer_data, settings):
    run, images = Run(settings, fewer_data), fewer_data.train.images[:20]
    moments = []
    fixed = Landscape(images, fewer_data.train.labels[:20], 1, np.float32)
    for pair in with_metric(run, 99):  # with everything else going on in between
        moments.append(pair)
        rows = rows_of(settings, [pair], fixed, (images, fewer_data.train.labels[:20]))
        measure_eigenvalues([pair], rows, fixed, 1, np.random.default_rng(0))
    *_, (record, state) = train(settings, fewer_data)
    assert np.array_equal(run.model.w, state.w) and len(moments) == 8
    assert np.mean([m.loss for m, _ in moments[4:]]) == pytest.approx(record["train_loss"])
    right = np.mean([m.accuracy for m, _ in moments[4:]])
    assert right == pytest.approx(record["train_accuracy"])
    assert np.array_equal(moments[-1][0].after, state.w)
    for _, D in moments[1:]:
        assert (D is None) == (settings.optimizer == "muon")


def test_the_numbers_of_an_update(fewer_data):
    """Of clipped SGD the step is η times the share of the gradient that is kept."""
    settings = Settings(50, lr=0.3, clip=0.1, epochs=2)
    moments = list(with_metric(Run(settings, fewer_data), 5))
    assert [m.t for m, _ in moments] == [0, 1, 2, 3, 4] and moments[-1][0].epoch == 2
    images, labels = fewer_data.train.images, fewer_data.train.labels
    fixed = Landscape(images, labels, 1)
    rows = rows_of(settings, moments, fixed, (images[:20], labels[:20]))
    for row, (moment, D) in zip(rows, moments, strict=True):
        assert row["kept"] == pytest.approx(min(1, 0.1 / row["gradient"]))
        assert row["step"] == pytest.approx(0.3 * row["kept"] * row["gradient"], rel=1e-3)
        assert row["bound"] == pytest.approx(2 / (0.3 * row["kept"]))
        np.testing.assert_allclose(D, row["kept"], rtol=1e-6)
        loss, g = fixed(moment.before.astype(float))
        step = moment.after.astype(float) - moment.before
        assert row["slope"] == pytest.approx(g @ step, rel=1e-3) and row["fixed_loss"] == loss
        # the parabola is nearly the loss, for steps as short as these
        wanted = row["slope"] + row["bend"] / 2
        assert row["fixed_loss_after"] - loss == pytest.approx(wanted, rel=0.2, abs=1e-4)
        assert row["rho"] == pytest.approx(row["bend"] / -2 / row["slope"])
    assert rows[3]["rate_sum"] == pytest.approx(0.9) and rows[0]["rate_sum"] == 0
    assert min(row["kept"] for row in rows) < 1
    measure_eigenvalues(moments, rows, fixed, 2, np.random.default_rng(0))
    close = [row for row in rows if row["eigenvalue"] is not None]
    for row in close:  # D is a number: both ratios are the same
        assert row["own_eigenvalue"] / row["own_bound"] == pytest.approx(
            row["eigenvalue"] / row["bound"], rel=1e-5
        )
    assert close


def test_a_run_that_diverges_is_followed_up_to_there(fewer_data):
    found = MEASURES["methods"](
        fewer_data, 0, 1, lambda line: None, runs=[Settings(50, lr=1e6, epochs=2)], updates=8,
        points=2, subset=30, probe=20,
    )  # fmt: skip
    assert 0 < len(found.rows) < 8
    assert all(np.isfinite(row["loss"]) for row in found.rows) and found.text


def test_the_words_come_from_the_rows(fewer_data):
    runs = [Settings(50, lr=1e-4), Settings(50, lr=0.01, optimizer="adam", momentum=0.9)]
    found = MEASURES["methods"](
        fewer_data, 3, 1, lambda line: None, runs=runs, updates=40, points=4, subset=40, probe=20
    )
    slow, adam = methods_shown.by_run(found.rows).values()
    assert len(slow) == len(adam) == 40 and slow[0]["run"] == "sgd 50"
    told = methods_shown.summary(slow)
    assert told["left"] is None and told["longest"]["step"] == max(row["step"] for row in slow)
    assert not told["learns"] and "never has half the first loss" in found.text
    told = methods_shown.summary(adam)
    assert f"at update {told['longest']['update']}" in found.text
    assert f"has left the plateau at update {told['left']['update']}" in found.text
    assert told["left"]["loss"] < adam[0]["loss"] / 2
    assert "first in what fails (sgd 50) and then in the others (adam 50)" in found.text
    early = adam[:30]
    assert told["far"] == max(row["step"] for row in early)
    assert told["steeper"] == max(row["gradient"] for row in early) / adam[0]["gradient"]
    assert told["rise"] == max(row["fixed_loss_after"] - row["fixed_loss"] for row in early)
    close = [row for row in early if methods_shown.ratio(row)]
    assert told["met"] == max(r["bend"] / r["step"] ** 2 / r["eigenvalue"] for r in close)
    plain, own = (methods_shown.ratio(close[0], kind) for kind in ("", "own_"))
    assert plain == close[0]["eigenvalue"] / close[0]["bound"] and own != plain
    unsure = close[0] | {"eigenvalue_error": 0.6 * close[0]["eigenvalue"]}
    assert methods_shown.ratio(unsure) is methods_shown.met(unsure) is None


def test_runs_of_one_name_are_told_apart():
    names = methods_shown.names([Settings(64), Settings(64, lr=0.1), Settings(128, rule="linear")])
    assert names[0] == "sgd 64" and "η0 = 0.1" in names[1] and "linear rule" in names[2]
    assert len({*methods_shown.names(RUNS)}) == len(RUNS)
