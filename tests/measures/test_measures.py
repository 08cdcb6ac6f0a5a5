"""The measures, held against exact answers and against each other, on few images."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from minisgd import drawing
from minisgd.disk.formats import DamagedError, write_table
from minisgd.errors import UserError
from minisgd.measures import MEASURES, noise_scale
from minisgd.measures.common import (
    Landscape,
    columned,
    generator,
    listed,
    passes_over,
    weights_after,
)
from minisgd.measures.estimators import covariance_factor, quadratic_path
from minisgd.model import LeNet5, Model
from minisgd.optim import momentum_step, sgd_step
from minisgd.settings import Settings
from minisgd.train import Run, train


def quiet(line):
    pass


# -- formulas


@pytest.mark.parametrize("M", [1, 2, 3, 4])
def test_the_exact_factor_is_that_of_all_batches_there_are(M):
    """All batches of M of five numbers: the variance of their means, over that of the numbers."""
    g = np.array([1.0, 2.0, 4.0, 8.0, -3.0])
    means = [np.mean(batch) for batch in combinations(g, M)]
    assert np.var(means) == pytest.approx(covariance_factor(M, 5) * np.var(g))


def test_the_reports_factor_by_hand():
    """Sec. II: 1/M - 1/N; at 8192 of 60,000 that is .863 of 1/M."""
    assert covariance_factor(8192, 60_000, "report") * 8192 == pytest.approx(0.86347, abs=1e-5)
    assert covariance_factor(5, 5, "report") == 0 == covariance_factor(5, 5)


@pytest.mark.parametrize(
    ("c", "lr", "m"),
    [
        (1, 0.1, 0),
        (10, 0.1, 0),
        (10, 0.01, 0.9),
        (0.1, 0.001, 0.99),
        (3, 0.5, 0.5),
        (1, 4 / 9, 1 / 9),  # two equal eigenvalues, (1 - √m)² = c η
        (4, 4 / 9, 1 / 9),  # and (1 + √m)² = c η
    ],
)
def test_the_path_on_a_quadratic_is_that_of_the_updates(c, lr, m):
    exact, w, v = quadratic_path(c, lr, m, 30), np.array([1.0]), np.zeros(1)
    for t in range(31):
        assert exact[t] == pytest.approx(w[0], rel=1e-4, abs=1e-6)
        if m:
            momentum_step(w, v, c * w, lr, m)
        else:
            sgd_step(w, c * w, lr)


# -- what they share


def test_a_landscape_is_the_models_loss_and_gradient(data):
    f = Landscape(data.train.images[:50], data.train.labels[:50], 1)
    model = LeNet5(seed=2, dtype=np.float64)
    loss, _ = model.gradient(data.train.images[:50], data.train.labels[:50])
    found, g = f(model.w)
    assert found == loss and np.array_equal(g, model.g)
    assert f.loss(model.w) == pytest.approx(loss, rel=1e-12)


def test_passes_add_up_over_all_images_on_any_threads(data):
    x, y = data.train.images[:150], data.train.labels[:150]
    w = LeNet5(seed=1).weights()
    work = lambda G: (G.sum(axis=0), len(G))  # noqa: E731
    one, two = (passes_over(w, x, y, threads)(work) for threads in (1, 2))
    assert one[1] == 150 and np.array_equal(one[0], two[0])
    model = LeNet5(seed=1)
    model.gradient(x, y)
    np.testing.assert_allclose(one[0] / 150, model.g, atol=1e-6)


def test_weights_after_epochs_are_those_of_the_run(data):
    settings = Settings(batch_size=40, seed=3)
    found = weights_after(settings, data, (0, 2), 1, quiet)
    assert np.array_equal(found[0], LeNet5(3).weights())
    *_, (_, state) = train(replace(settings, epochs=2, warmup_epochs=1), data)
    assert np.array_equal(found[2], state.w)


def test_the_first_weights_are_those_that_the_settings_say(data):
    settings = Settings(batch_size=40, seed=3, network="mlp", init="he")
    both = [weights_after(settings, data, epochs, 1, quiet)[0] for epochs in ((0,), (0, 1))]
    assert np.array_equal(both[0], Model("mlp", 3, init="he").w)
    assert np.array_equal(both[0], both[1])


def test_weights_after_epochs_of_a_growing_batch(data):
    settings = Settings(batch_size=40, seed=3, epochs=3, batch_schedule="steps")
    states = [state.w for _, state in train(settings, data)]
    for epochs in ((1, 2), (3,)):
        found = weights_after(settings, data, epochs, 1, quiet)
        assert list(found) == list(epochs)
        assert all(np.array_equal(w, states[i - 1]) for i, w in found.items())


def test_words():
    assert listed([1, 2.5, 3]) == "1, 2.5 and 3" and listed([7]) == "7"
    assert columned([[1, "abc"], [22, "d"]], ["x", "y"]) == [" x    y", " 1  abc", "22    d"]


# -- covariance


def test_the_covariance_of_updates_is_the_formulas(data):
    """300 batches of each size of 400 images: within four standard errors of the exact trace, of
    what is left of it, and of the exact eigenvalues, for every rule.
    """
    found = MEASURES["covariance"](
        data, 0, 1, quiet, sizes=(64, 200), epochs=(0,), draws=300, eigenvalues=4, shown=2
    )
    assert len(found.rows) == 2 * 3 * 4  # sizes, rules, quantities
    for row in found.rows:
        assert abs(row["measured"] - row["exact"]) < 4 * row["error"] + row["exact_error"], row
    trace = {(r["rule"], r["batch_size"]): r for r in found.rows if r["quantity"] == "trace"}
    shrinks = (1 - 200 / 400) / (1 - 64 / 400)  # what drawing without replacement leaves
    sqrt = trace["sqrt", 200]["exact"] / trace["sqrt", 64]["exact"]
    assert sqrt == pytest.approx(shrinks)
    fixed = trace["none", 200]["exact"] / trace["none", 64]["exact"]
    assert fixed == pytest.approx(shrinks * 64 / 200)
    assert trace["none", 64]["report"] > trace["none", 64]["exact"]  # it leaves ḡ in


# -- equivalence


def test_one_large_step_nears_many_small_ones_as_they_get_small(data):
    found = MEASURES["equivalence"](
        data, 0, 1, quiet, ks=(2, 4), epochs=(0,), draws=3, probe=50
    ).rows
    assert [row["k"] for row in found] == [2, 4]
    assert 0 < found[0]["distance"] < found[1]["distance"] < 0.3
    assert found[0]["lr"] == 0.02 and found[1]["batch_size"] == 256
    assert found[0]["length"] == pytest.approx(1, abs=0.1)


# -- effective rate


def test_trajectories_of_equal_effective_rate(data):
    found = MEASURES["effective-rate"](
        data, 0, 1, quiet, updates=30, draws=2, epochs=(0,), batch_size=40, probe=50
    )
    equal = [r for r in found.rows if r["momentum"] == "other batches" or effective(r) == 0.1]
    at = {(r["momentum"], r["update"]): r for r in equal}
    # After one update w has moved by η g: 1 - m of SGD's way.
    for m in (0.5, 0.9, 0.99):
        assert at[m, 1]["distance"] == pytest.approx(m, abs=1e-4)
        assert at[m, 1]["lr"] == pytest.approx(0.1 * (1 - m))
    assert all(at[0.0, t]["distance"] == 0 for t in (1, 30))
    assert at[0.5, 30]["distance"] < at[0.9, 30]["distance"] < at[0.99, 30]["distance"]
    # The exact paths are drawn at every update: at a dozen of them a swing would not be seen.
    for curve in (curve for plot in found.plots[:2] for curve in plot.curves):
        assert curve.x == tuple(range(1, 31)) and len(curve.y) == 30
    sgd = found.plots[1].curves[0]
    assert sgd.label == "m = 0" and sgd.y == pytest.approx([0.0] * 30, abs=1e-9)  # η c = 1


def effective(row):
    return round(row["lr"] / (1 - row["momentum"]), 12)


def test_another_effective_rate_is_the_control(data):
    """The first step at half the rate is half as long, at twice the rate twice; and while the start
    is flat, the loss of m = .5 stays nearer to SGD's than that of either.
    """
    found = MEASURES["effective-rate"](
        data, 0, 1, quiet, updates=10, draws=2, epochs=(0,), batch_size=40, probe=50
    )
    of_m = [r for r in found.rows if r["momentum"] in (0.0, 0.9)]
    assert {effective(r) for r in of_m} == {0.05, 0.1, 0.2}
    sgd = {(effective(r), r["update"]): r for r in found.rows if r["momentum"] == 0.0}
    assert sgd[0.05, 1]["distance"] == pytest.approx(0.5, abs=1e-4)
    assert sgd[0.2, 1]["distance"] == pytest.approx(1, abs=1e-4)
    (half,) = (r for r in found.rows if r["momentum"] == 0.5 and r["update"] == 10)
    off = lambda row: abs(row["loss"] - sgd[0.1, 10]["loss"])  # noqa: E731
    assert off(half) < off(sgd[0.05, 10]) and off(half) < off(sgd[0.2, 10])
    assert "η/(1-m) = 0.05: " in found.text and "η/(1-m) = 0.2" in found.plots[2].curves[-1].label


# -- noise scale


def test_the_noise_scale_of_the_network_agrees_with_its_images(data):
    rows = MEASURES["noise-scale"](
        data, 0, 1, quiet, updates=(0, 5), draws=200, small=20, large=200
    ).rows
    assert [row["update"] for row in rows] == [0, 5]
    for row in rows:
        assert abs(row["trace"] - row["exact_trace"]) < 4 * row["trace_error"]
        assert abs(row["noise"] - row["exact_noise"]) < 4 * row["noise_error"]
    model = LeNet5(0)
    G = model.per_example_gradients(data.train.images, data.train.labels).astype(float)
    assert rows[0]["exact_trace"] == pytest.approx(G.var(axis=0).sum(), rel=1e-4)


def test_a_table_of_the_noise_scale_without_rows_is_damaged(tmp_path):
    path, row = tmp_path / "measure-noise-scale.csv", dict.fromkeys(noise_scale.COLUMNS, 0.5)
    row["update"] = 30
    write_table(path, noise_scale.COLUMNS, [row])
    assert noise_scale.read(path) == [row]
    write_table(path, noise_scale.COLUMNS, [])
    with pytest.raises(DamagedError, match=r"damaged \(it has no rows\): bring back"):
        noise_scale.read(path)


def test_of_many_images_the_first_ones_are_looked_at(data, monkeypatch):
    few = replace(data, train=replace(data.train, images=data.train.images[:80],
                                      labels=data.train.labels[:80]))  # fmt: skip
    how = {"updates": (0,), "draws": 2, "small": 8, "large": 64}
    all_of_few = MEASURES["noise-scale"](few, 0, 1, quiet, **how)
    monkeypatch.setattr("minisgd.measures.noise_scale.MOST", 80)
    first_of_all = MEASURES["noise-scale"](data, 0, 1, quiet, **how)
    assert first_of_all.rows == all_of_few.rows  # at update 0, where both have the same weights
    labels = [found.plots[0].curves[1].label for found in (all_of_few, first_of_all)]
    assert labels == ["from all images one by one", "from 80 images one by one"]


# -- sharpness


@pytest.fixture(autouse=True)
def small_subspaces(monkeypatch):
    monkeypatch.setattr("minisgd.measures.sharpness.SUBSPACE", 10)  # of 61,706: 100 take seconds


def few_minima(data, **more):
    asked = {"sizes": (20, 100), "seeds": 1, "subset": 60, "subspaces": 2} | more
    return MEASURES["sharpness"](data, 0, 1, quiet, **asked)


def test_minima_are_compared_at_the_same_loss(data):
    """Where a run first comes down to a level, which a run of its own shows."""
    found = few_minima(data, levels=(2.29, 2.28), epsilons=(1e-3,))
    assert [(r["batch_size"], r["lr"], r["level"]) for r in found.rows] == [
        (20, 0.01, 2.29), (20, 0.01, 2.28), (20, 0.16, 2.29), (20, 0.16, 2.28),
        (100, 0.01, 2.29), (100, 0.01, 2.28), (100, 0.16, 2.29), (100, 0.16, 2.28),
    ]  # fmt: skip
    at = found.rows[6]
    few = np.sort(generator(0, 5).permutation(400)[:60])
    f = Landscape(data.train.images[few], data.train.labels[few], 1, np.float32)
    run, losses = Run(Settings(100, 0.16, epochs=200), data), [np.inf]
    for epoch in range(1, 200):
        for t, lr, batch in run.batches(epoch):
            if losses[-1] > 2.29:
                run.update(t, lr, batch)
                losses.append(f.loss(run.model.w))
    assert at["update"] == len(losses) - 1 and at["loss"] == losses[-1] <= 2.29


def test_a_larger_box_is_no_flatter(data):
    rows = few_minima(data, levels=(2.28,)).rows
    assert len(rows) == 4 * 2
    for one, half in zip(rows[::2], rows[1::2], strict=True):
        assert one["epsilon"] == 1e-3 and half["epsilon"] == 5e-4
        assert 0 < half["full"] < one["full"] and 0 < half["subspace"] < one["subspace"]


def test_a_run_that_never_comes_down_is_told(data):
    found = few_minima(data, levels=(2.28, 0.0), longest=3.0)
    assert "b = 20 at η = 0.01, seed 0, never had a train loss of 0" in found.table
    assert {r["level"] for r in found.rows} == {2.28}
    with pytest.raises(UserError, match="no run came down to a train loss"):
        few_minima(data, levels=(0.1,), longest=0.1)


# -- figures


def test_a_chart_draws_what_can_be_drawn(tmp_path):
    curves = (
        drawing.Curve("with errors", (1, 2, 3), (1.0, None, 3.0), (0.1, 0.1, 0.1), marker="o"),
        drawing.Curve("negative on a logarithmic axis", (1, 2), (-1.0, float("inf"))),
    )
    figure = drawing.chart(
        [drawing.Plot("one", "x", "y", curves, True, True, xticks=(1, 2, 3))], "Title", "NOT MNIST"
    )
    png, svg = drawing.save(figure, tmp_path, "chart")
    text = svg.read_text()
    assert "with errors" in text and "NOT MNIST" in text and "negative" not in text
    first = png.read_bytes()
    drawing.save(figure, tmp_path, "chart")
    assert png.read_bytes() == first
