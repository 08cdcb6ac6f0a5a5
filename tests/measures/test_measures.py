"""The measures, held against exact answers and against each other, on few images."""

from dataclasses import replace
from itertools import combinations, pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from minisgd import drawing
from minisgd.data import Dataset, Split
from minisgd.measures import MEASURES, curvature
from minisgd.measures.common import (
    Landscape,
    columned,
    generator,
    listed,
    passes_over,
    weights_after,
)
from minisgd.measures.curvature import Walk, along, network_at, shorten
from minisgd.measures.curvature_shown import fate, text
from minisgd.measures.estimators import covariance_factor, quadratic_path, sharpness_along
from minisgd.measures.noise_scale import fitted, steps_to_target
from minisgd.measures.sharpness import cells
from minisgd.model import LeNet5
from minisgd.optim import momentum_step, sgd_step
from minisgd.report.experiments import EXPERIMENTS
from minisgd.settings import Settings
from minisgd.train import Run, train


def quiet(line):
    pass


@pytest.fixture(scope="module")
def data(small_data):
    """As small_data, fewer images of it."""
    train, test = (
        Split(s.images[:n], s.labels[:n])
        for s, n in ((small_data.train, 400), (small_data.test, 80))
    )
    return Dataset(small_data.name, train, test, "few", "made for this test")


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
    at = {(r["momentum"], r["update"]): r for r in found.rows}
    # After one update w has moved by η g: 1 - m of SGD's way.
    for m in (0.5, 0.9, 0.99):
        assert at[m, 1]["distance"] == pytest.approx(m, abs=1e-4)
        assert at[m, 1]["lr"] == pytest.approx(0.1 * (1 - m))
    assert all(at[0.0, t]["distance"] == 0 for t in (1, 30))
    assert at[0.5, 30]["distance"] < at[0.9, 30]["distance"] < at[0.99, 30]["distance"]


# -- curvature


def look_at(data, settings, epochs, points=2, looks=170, clip=None):
    """A Walk along a run, on 40 images."""
    x, y = data.train.images, data.train.labels
    landscapes = [Landscape(x[some], y[some], 1) for some in (slice(40), slice(40, 80))]
    walk = Walk(settings, landscapes, x, y, epochs, points, looks, 40, 1, clip)
    run = Run(settings, data)
    with np.errstate(all="ignore"):
        along(walk, run, epochs)
    return walk, run.model.weights()


def made_along(settings, data, epochs):
    """The weights before every update of a run."""
    run, found = Run(settings, data), []
    for epoch in range(1, epochs + 1):
        for t, lr, batch in run.batches(epoch):
            found.append(run.model.weights())
            run.update(t, lr, batch)
    return found


def test_curvature_looks_at_the_run_it_is_given(data):
    found = MEASURES["curvature"](
        data, 0, 1, quiet, sizes=(100,), warmups=("gradual",), epochs=2, points=2, subset=40,
        probe=40, clipped=(),
    )  # fmt: skip
    first, last = found.rows[0], found.rows[-1]
    assert [row["update"] for row in found.rows] == list(range(8))
    assert first["lr"] == 0.01 and first["bound"] == 200 and first["rate_sum"] == 0
    settings = Settings(100, rule="linear", warmup="gradual", epochs=10)
    assert last["lr"] == settings.rate(4, 4)
    assert last["rate_sum"] == pytest.approx(4 * settings.rate(0, 4) + 3 * settings.rate(4, 4))
    assert first["step"] is None and 0 < last["step"] < last["length"]
    # A step is η times the gradient of the batch; every close look has a whole row.
    assert {row["update"] for row in found.rows if row["eigenvalue"] is not None} >= {0, 7}
    assert found.rows[1]["step"] == pytest.approx(0.01 * first["gradient"], rel=1e-3)
    # λ is at least what any direction has, on the same images.
    chosen = generator(0, 6).permutation(400)[:40]
    f = Landscape(data.train.images[chosen], data.train.labels[chosen], 1)
    w = LeNet5(0, dtype=np.float64).w
    along = sharpness_along(f, w, f(w)[1], 1e-2)
    assert first["eigenvalue"] + first["eigenvalue_error"] > along
    seen = network_at(w.astype(np.float32), data.train.images[:40], data.train.labels[:40])
    assert {k: first[k] for k in seen} == pytest.approx(seen, rel=1e-4)


def test_the_critical_rate_is_where_the_batchs_loss_is_back(data):
    walk, _ = look_at(data, Settings(100, rule="linear", epochs=1), 1)
    first = walk.rows[0]
    _, _, batch = next(Run(Settings(100, rule="linear", epochs=1), data).batches(1))
    f = Landscape(data.train.images[batch], data.train.labels[batch], 1)
    w = LeNet5(0, dtype=np.float64).w
    before, g = f(w)
    assert f.loss(w - 0.97 * first["critical_low"] * g) <= before
    assert f.loss(w - 1.03 * first["critical_high"] * g) > before


def test_a_network_whose_relus_are_off_is_seen_to_be_dead(data):
    model = LeNet5(seed=0)
    alive = network_at(model.w, data.train.images[:40], data.train.labels[:40])
    assert alive["dead_fc"] < 0.5
    model.params["fc1.b"][...] = -1e6
    model.params["fc2.b"][...] = -1e6
    model.params["conv1.b"][:3] = -1e6
    dead = network_at(model.w, data.train.images[:40], data.train.labels[:40])
    assert dead["dead_fc"] == 1 and dead["dead_conv"] >= 3 / 22
    assert dead["spread"] < 1e-6 < alive["spread"] < alive["logits"]


def test_what_breaks_is_looked_at_from_before(data):
    """At η = 20 the first steps throw the network: the look before it is a close one, too."""
    walk, _ = look_at(data, Settings(100, lr=20.0, epochs=3), 3, points=1)
    assert walk.events
    before, at = walk.events[0]
    close = [row["update"] for row in walk.rows if row["eigenvalue"] is not None]
    assert before in close
    rows = {row["update"]: row for row in walk.rows}
    assert rows[before]["lr"] > rows[before]["critical_low"]  # it was too large, and that was seen
    assert at == before + 1 or walk.every > 1


def test_two_events_are_apart_and_no_long_step_is_missed_between_looks(data, monkeypatch):
    """Every look is taken for an event, which on other images than MNIST's none may be."""
    monkeypatch.setattr(curvature, "_has_broken", lambda before, now: True)
    settings = Settings(100, lr=0.5, epochs=12)
    made = made_along(settings, data, 12)
    lengths = [np.linalg.norm(b - a) for a, b in pairwise(made)]
    walk, _ = look_at(data, settings, 12, points=1, looks=12)
    assert walk.every == 4 and len(walk.events) == 2
    assert walk.events[1][1] >= walk.events[0][1] + 5
    regular = [row for row in walk.rows if row["update"] % 4 == 0][1:]
    for row in regular:
        t = row["update"]
        assert row["step"] == pytest.approx(max(lengths[t - 4 : t]), rel=1e-4)


def test_steps_that_are_held_down_keep_their_direction(data):
    run, lengths = Run(Settings(100, lr=0.5, epochs=3), data), []
    for epoch in (1, 2, 3):
        for t, lr, batch in run.batches(epoch):
            last = run.model.weights()
            run.update(t, lr, batch)
            wanted = run.model.weights()
            assert shorten(run.model.w, last, None) == np.linalg.norm(wanted - last)
            assert np.array_equal(run.model.w, wanted)
            length = shorten(run.model.w, last, 0.25)
            free, made = wanted - last, run.model.w - last
            assert made @ free == pytest.approx(np.linalg.norm(made) * np.linalg.norm(free))
            assert length == min(0.25, np.linalg.norm(free))
            assert np.linalg.norm(made) == pytest.approx(length, rel=1e-4)
            lengths.append(np.linalg.norm(free))
    assert min(lengths) < 0.25 < max(lengths)  # both happen


def test_the_capped_run_goes_on_from_its_shortened_steps(data):
    walk, _ = look_at(data, Settings(100, lr=0.5, epochs=3), 3, points=1, looks=99, clip=0.25)
    free, _ = look_at(data, Settings(100, lr=0.5, epochs=3), 3, points=1, looks=99)
    assert walk.rows[-1]["clip"] == 0.25 >= max(row["step"] for row in walk.rows[1:])
    assert max(row["step"] for row in free.rows[1:]) > 0.25 and free.rows[-1]["clip"] is None
    assert walk.rows[-1]["loss"] != free.rows[-1]["loss"]


def test_a_run_that_diverges_is_told_and_leaves_no_numbers_that_are_none(data):
    walk, _ = look_at(data, Settings(100, lr=1e6, epochs=3), 3)
    assert walk.diverged is not None and fate(walk) == f"it diverges at update {walk.diverged}"
    assert all(np.isfinite(row["loss"]) for row in walk.rows)
    assert "diverges at update" in text([walk])


def test_the_end_of_a_run_in_words():
    walk = SimpleNamespace(diverged=None)
    walk.rows = [{"spread": s, "update": t, "loss": 0.07} for t, s in enumerate([1, 0, 1, 0, 0])]
    assert fate(walk) == "from update 3 to the end all images have the same logits"
    walk.rows = walk.rows[:3]
    assert fate(walk) == "it ends at a loss of 0.07"


def test_looking_closely_does_not_change_the_run(data):
    settings = Settings(100, epochs=1)
    _, watched = look_at(data, settings, 1, points=4)
    *_, (_, alone) = train(settings, data)
    assert np.array_equal(watched, alone.w)


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


def test_the_law_of_critical_batches_is_found_again():
    """S = 500 (1 + 300 / b), and the error is 0 where nothing is left over."""
    steps = {b: (500 * (1 + 300 / b), "made up") for b in (64, 256, 1024, 4096)}
    least, critical = fitted(steps)
    assert (least.value, critical.value) == (pytest.approx(500), pytest.approx(300))
    assert least.error < 1e-6 and critical.error < 1e-6
    shaken = {b: (s * (1.1 if b == 256 else 1), name) for b, (s, name) in steps.items()}
    least, critical = fitted(shaken)
    assert abs(critical.value - 300) < 3 * critical.error


def test_the_best_steps_of_the_sweeps_are_counted():
    """Fig. 1 crosses .97 in epochs 4 and 6, half-way from .96 to .98; Fig. 5 never does."""
    cell = EXPERIMENTS["figure1"].settings[0]
    reach = {cell: 4, replace(cell, seed=1): 6}
    at = lambda k, i: 0.98 if k >= i else 0.96  # noqa: E731
    curve = lambda i: [{"epoch": k, "test_accuracy": at(k, i)} for k in range(1, 31)]  # noqa: E731
    kept = SimpleNamespace(
        cells=lambda e: {"figure1": list(reach), "figure5": [e.settings[1]]}.get(e.name, []),
        records=lambda c: curve(reach.get(c, 99)),
    )
    assert steps_to_target(kept, 60_000) == {64: (pytest.approx(4.5 * 938), "figure1")}
    reach[cell] = reach[replace(cell, seed=1)] = 1  # within the first epoch: nobody looked
    assert steps_to_target(kept, 60_000) == {}


# -- sharpness


def test_the_minima_that_are_compared():
    assert [(s.batch_size, s.scaled_lr, s.seed) for s in cells(4)] == [
        (64, 0.01, 4), (64, 0.01, 5), (1024, 0.01, 4), (1024, 0.01, 5),
        (1024, 0.04, 4), (1024, 0.04, 5), (1024, 0.16, 4), (1024, 0.16, 5),
    ]  # fmt: skip


def test_a_larger_box_is_no_flatter(data):
    def run(cells):
        return {cell: (LeNet5(cell.seed).weights(), [{"test_accuracy": 0.1}]) for cell in cells}

    rows = MEASURES["sharpness"](
        data, 0, 1, quiet, run=run, subset=60, hessian=30, subspaces=2, seeds=1, large=256
    ).rows
    assert len(rows) == 4 * 2
    for one, half in zip(rows[::2], rows[1::2], strict=True):
        assert one["epsilon"] == 1e-3 and half["epsilon"] == 5e-4
        assert 0 < half["full"] < one["full"] and 0 < half["subspace"] < one["subspace"]
    assert len({row["full"] for row in rows[::2]}) == 1  # all four are the same start here


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
