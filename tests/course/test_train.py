"""One run: what a record says, and that a run can be cut, repeated, diverge and be stuck."""

import json
import math
import warnings
from dataclasses import replace

import numpy as np
import pytest

from minisgd.data import Dataset, Split, epoch_order
from minisgd.errors import SettingError
from minisgd.model import LeNet5
from minisgd.networks import LENET5, shapes_of, size_of, views
from minisgd.settings import Settings
from minisgd.train import METRICS, State, train

P = size_of(LENET5)
STILL = 1e-30  # a rate that leaves every weight as it is in float32


@pytest.fixture(scope="module")
def tiny(small_data):
    return part(small_data, 100, 50)


def part(data, train, test):
    """The first images of a dataset."""
    first = Split(data.train.images[:train], data.train.labels[:train])
    return Dataset(
        "tiny", first, Split(data.test.images[:test], data.test.labels[:test]), "none", "a test"
    )


def run(settings, data, **keywords):
    """(records, states) of a whole run."""
    records, states = zip(*train(settings, data, **keywords), strict=True)
    return list(records), list(states)


def without_seconds(records):
    return [{k: v for k, v in record.items() if k != "seconds"} for record in records]


def copied(memory):
    return {name: vector.copy() for name, vector in memory.items()}


def weights(seed=0):
    return LeNet5(seed).weights()


# -- what a record says


def test_a_record_has_these_fields_and_plain_numbers(tiny):
    records, states = run(Settings(batch_size=40, epochs=2), tiny)
    assert [record["epoch"] for record in records] == [1, 2]
    assert [state.epoch for state in states] == [1, 2]
    for record in records:
        assert set(record) == {"epoch", "lr", *METRICS, "seconds", "status"}
        assert type(record["epoch"]) is int and type(record["status"]) is str
        assert all(type(record[name]) is float for name in ("lr", *METRICS, "seconds"))
        assert record["status"] == "ok" and record["seconds"] > 0
        assert 0 <= record["train_accuracy"] <= 1 and 0 <= record["test_accuracy"] <= 1
        assert json.loads(json.dumps(record, allow_nan=False)) == record


@pytest.mark.parametrize(
    ("warmup", "rates"),
    [
        ("none", [0.04, 0.04, 0.04, 0.04]),
        ("constant", [0.01, 0.01, 0.04, 0.04]),
        ("gradual", [0.01, 0.025, 0.04, 0.04]),
    ],
)
def test_the_rate_of_an_epoch_follows_the_rules(tiny, warmup, rates):
    settings = Settings(
        batch_size=80, base_batch_size=20, rule="linear", warmup=warmup, warmup_epochs=2, epochs=4
    )
    records, _ = run(settings, part(tiny, 80, 10))
    np.testing.assert_allclose([record["lr"] for record in records], rates, rtol=1e-12)


def by_hand(settings, data):
    """The run as the report writes it, from LeNet5.gradient: (records, w, v)."""
    model = LeNet5(settings.seed)
    x, y, N, B = data.train.images, data.train.labels, len(data.train.labels), settings.batch_size
    v, records = np.zeros(P, np.float32), []
    for epoch in range(1, settings.epochs + 1):
        order, lr = (
            epoch_order(N, settings.seed, epoch),
            settings.rate((epoch - 1) * -(-N // B), -(-N // B)),
        )
        losses, correct, sizes = [], 0, []
        for start in range(0, N, B):
            batch = order[start : start + B]
            loss, right = model.gradient(x[batch], y[batch])
            v[...] = np.float32(settings.momentum) * v + model.g
            model.w -= np.float32(lr) * v
            losses.append(loss)
            correct += right
            sizes.append(len(batch))
        z = model.logits(data.test.images).astype(np.float64)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        truth = data.test.labels
        records.append(
            {
                "train_loss": np.average(losses, weights=sizes),
                "train_accuracy": correct / N,
                "test_loss": -log_p[np.arange(len(truth)), truth].mean(),
                "test_accuracy": (z.argmax(axis=1) == truth).mean(),
                "mean of the batches' means": np.mean(losses),
                "sizes": sizes,
            }
        )
    return records, model.w, v


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_run_is_the_loop_written_by_hand(tiny, momentum):
    """Running metrics, before each update; the last batch, of 4, averaged over its own size."""
    settings = Settings(
        batch_size=32, lr=0.02, momentum=momentum, warmup="gradual", warmup_epochs=2,
        rule="linear", base_batch_size=16, epochs=3, seed=5,
    )  # fmt: skip
    records, states = run(settings, tiny)
    expected, w, v = by_hand(settings, tiny)
    assert expected[0]["sizes"] == [32, 32, 32, 4]
    for record, hand in zip(records, expected, strict=True):
        assert [record[name] for name in METRICS] == pytest.approx(
            [hand[name] for name in METRICS], rel=1e-5
        )
    # The images weigh the same, not the batches; the two differ enough to be told apart here.
    assert abs(expected[-1]["mean of the batches' means"] / records[-1]["train_loss"] - 1) > 1e-3
    np.testing.assert_allclose(states[-1].w, w, rtol=1e-4, atol=1e-6)
    if momentum:
        np.testing.assert_allclose(states[-1].memory["v"], v, rtol=1e-3, atol=1e-5)


def test_a_batch_as_large_as_the_training_set_is_one_update(tiny):
    settings = Settings(batch_size=100, lr=0.1, epochs=1)
    (record,), (state,) = run(settings, tiny)
    model = LeNet5(0)
    loss, correct = model.gradient(tiny.train.images, tiny.train.labels)
    assert record["train_loss"] == pytest.approx(loss, rel=1e-6)
    assert record["train_accuracy"] == correct / 100
    np.testing.assert_allclose(state.w, model.w - np.float32(0.1) * model.g, rtol=1e-4, atol=1e-7)


# -- the same bits


CURVES = {
    "sgd": Settings(batch_size=32, lr=0.05, epochs=4, seed=3),
    "momentum, gradual warmup": Settings(
        batch_size=32, lr=0.01, rule="linear", base_batch_size=8, warmup="gradual",
        warmup_epochs=3, momentum=0.9, epochs=4, seed=3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("settings", CURVES.values(), ids=CURVES.keys())
def test_going_on_from_a_state_gives_the_bits_of_the_uncut_run(tiny, settings):
    records, states = run(settings, tiny)
    for cut in (1, 2, 3):
        kept = states[cut - 1].w.copy(), copied(states[cut - 1].memory)
        rest, after = run(settings, tiny, state=states[cut - 1])
        assert without_seconds(rest) == without_seconds(records[cut:])
        np.testing.assert_array_equal(after[-1].w, states[-1].w)
        np.testing.assert_equal(after[-1].memory, states[-1].memory)
        # A state is a copy: what was trained after it left it alone.
        np.testing.assert_array_equal(states[cut - 1].w, kept[0])
        np.testing.assert_equal(states[cut - 1].memory, kept[1])


def test_a_state_after_the_last_epoch_leaves_nothing_to_do(tiny):
    settings = Settings(batch_size=50, epochs=2)
    assert list(train(settings, tiny, state=State(2, weights()))) == []


@pytest.mark.parametrize("threads", [2, 3, 4])
@pytest.mark.parametrize("batch_size", [64, 250])  # two lanes, and four
def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads(
    small_data, batch_size, threads
):
    settings = Settings(batch_size=batch_size, lr=0.05, momentum=0.9, epochs=1)
    records, states = run(settings, small_data)
    again, others = run(settings, small_data, threads=threads)
    assert without_seconds(again) == without_seconds(records)
    np.testing.assert_array_equal(others[-1].w, states[-1].w)


def test_another_seed_gives_another_run(tiny):
    one, other = (run(Settings(batch_size=32, epochs=1, seed=s), tiny) for s in (0, 1))
    assert one[0][0]["train_loss"] != other[0][0]["train_loss"]
    assert np.mean(one[1][0].w == other[1][0].w) < 0.01


def test_all_batch_sizes_start_from_the_weights_of_the_seed(tiny):
    for batch_size in (10, 64, 100):
        settings = Settings(batch_size=batch_size, lr=STILL, epochs=1, seed=7)
        _, (state,) = run(settings, tiny)
        np.testing.assert_array_equal(state.w, weights(7))
    assert np.mean(weights(7) == weights(8)) < 0.01


def test_the_shuffle_is_of_the_seed_and_of_the_epoch(tiny):
    """From the same weights, another seed or another epoch takes the images in another order."""
    begin = State(1, weights())
    settings = Settings(batch_size=32, lr=0.05, epochs=2)
    ends = [
        run(settings, tiny, state=begin)[1][-1].w,
        run(replace(settings, seed=1), tiny, state=begin)[1][-1].w,
        run(replace(settings, epochs=1), tiny, state=replace(begin, epoch=0))[1][-1].w,
    ]
    for k in range(3):
        assert np.abs(ends[k] - ends[k - 1]).max() > 1e-6


# -- diverged


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("lr", [1e30, 1e4])
def test_a_run_that_diverges_says_at_which_update_and_ends_without_a_warning(tiny, lr, threads):
    settings = Settings(batch_size=64, lr=lr, epochs=5)
    model, t = LeNet5(0), 0
    x, y = tiny.train.images, tiny.train.labels
    with np.errstate(all="ignore"):
        for epoch in range(1, 6):
            order, fine = epoch_order(100, 0, epoch), True
            for batch in (order[:64], order[64:]):
                fine = fine and math.isfinite(model.gradient(x[batch], y[batch])[0])
                t += fine
                model.w -= np.float32(lr) * model.g
            if not (fine and math.isfinite(model.gradient(tiny.test.images, tiny.test.labels)[0])):
                break
        else:
            pytest.fail("this test needs a rate that diverges")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        records, states = run(settings, tiny, threads=threads)
    last = records[-1]
    assert (last["epoch"], last["status"], last["update"]) == (epoch, "diverged", t)
    assert [last[name] for name in METRICS] == [None] * 4
    assert last["lr"] == lr and len(records) == epoch < 5
    assert states[-1].frozen == 0
    json.dumps(records, allow_nan=False)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_update_is_counted_over_all_epochs(tiny, threads):
    """Two whole epochs of 2 updates came before: the first loss of the third is update 4."""
    broken = State(2, weights() * np.float32(1e20))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        settings = Settings(batch_size=64, epochs=9)
        (record,), _ = run(settings, tiny, state=broken, threads=threads)
    assert (record["epoch"], record["status"], record["update"]) == (3, "diverged", 4)


def test_a_test_loss_that_is_not_finite_is_a_divergence_too(tiny):
    """The only update of epoch 1 wrecks the weights: the next one's loss would tell."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (record,), _ = run(Settings(batch_size=100, lr=1e30, epochs=3), tiny)
    assert (record["epoch"], record["status"], record["update"]) == (1, "diverged", 1)


# -- stuck


def one_class(k):
    """Weights that give every image the class k."""
    w = np.zeros(P, np.float32)
    views(w, shapes_of(LENET5))["fc3.b"][k] = 50
    return w


def test_a_network_frozen_on_one_class_is_stuck_from_the_third_epoch_on(tiny):
    settings = Settings(batch_size=50, lr=STILL, epochs=5)
    begin = State(0, one_class(1))
    records, states = run(settings, tiny, state=begin)
    assert [record["status"] for record in records] == ["ok", "ok", "stuck", "stuck", "stuck"]
    assert [(state.predicted_class, state.frozen) for state in states] == [
        (1, n) for n in range(1, 6)
    ]
    assert records[0]["test_accuracy"] == np.mean(tiny.test.labels == 1)
    # Cut in mid-count, it goes on counting.
    rest, _ = run(settings, tiny, state=states[1])
    assert [record["status"] for record in rest] == ["stuck", "stuck", "stuck"]


def test_a_stuck_network_may_escape_and_is_then_ok(tiny):
    model = LeNet5(0)
    model.params["fc3.W"][...] *= 20
    assert len(set(model.logits(tiny.test.images).argmax(axis=1))) > 1
    settings = Settings(batch_size=50, lr=STILL, epochs=4)
    begin = State(3, model.weights(), predicted_class=1, frozen=7)
    (record,), (state,) = run(settings, tiny, state=begin)
    assert (record["status"], state.predicted_class, state.frozen) == ("ok", None, 0)


def test_a_network_that_changes_from_one_class_to_another_is_not_frozen(tiny):
    """Large batches start so: all images class 3, then all class 1. The count begins anew."""
    settings = Settings(batch_size=50, lr=STILL, epochs=4)
    begin = State(2, one_class(1), predicted_class=3, frozen=2)
    records, states = run(settings, tiny, state=begin)
    assert [record["status"] for record in records] == ["ok", "ok"]
    assert [(state.predicted_class, state.frozen) for state in states] == [(1, 1), (1, 2)]


# -- refused, learnt, dtype


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (dict(batch_size=0), "batch size"),
        (dict(base_batch_size=0, rule="linear"), "batch size"),
        (dict(lr=0.0), "learning rate"),
        (dict(lr=-0.1), "learning rate"),
        (dict(lr=math.nan), "learning rate"),
        (dict(lr=math.inf), "learning rate"),
        (dict(momentum=1.0), "momentum"),
        (dict(momentum=-0.1), "momentum"),
        (dict(momentum=math.nan), "momentum"),
        (dict(rule="cubic"), "rule"),
        (dict(warmup="slow"), "warmup"),
        (dict(warmup="gradual", warmup_epochs=0), "warmup"),
        (dict(warmup="gradual", warmup_epochs=31), "warmup"),
        (dict(epochs=0), "epoch"),
        (dict(seed=-1), "seed"),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_one_sentence(wrong, said):
    with pytest.raises(SettingError, match=said) as error:
        Settings(**wrong)
    assert isinstance(error.value, ValueError) and "\n" not in str(error.value)


def test_settings_at_the_edge_are_taken():
    assert Settings(warmup="gradual", warmup_epochs=30).epochs == 30
    assert Settings(warmup_epochs=99, epochs=1).rate(0, 1) == 0.01  # no warmup: it does not matter
    Settings(batch_size=100).check(100)


def test_a_batch_larger_than_the_training_set_is_refused(tiny):
    with pytest.raises(SettingError, match=r"101 .*100 images"):
        next(train(Settings(batch_size=101), tiny))


def test_it_learns(small_data):
    records, _ = run(Settings(batch_size=8, lr=0.05, epochs=4), small_data)
    assert records[-1]["test_accuracy"] > 0.7
    assert records[-1]["train_loss"] < 0.5 * records[0]["train_loss"]


def test_float64_is_the_same_run_more_precisely(tiny):
    settings = Settings(batch_size=32, lr=0.02, momentum=0.5, epochs=2)
    single, states = run(settings, tiny)
    double, finer = run(settings, tiny, dtype=np.float64)
    assert (states[-1].w.dtype, finer[-1].w.dtype) == (np.float32, np.float64)
    assert double[-1]["test_loss"] == pytest.approx(single[-1]["test_loss"], rel=1e-4)
    assert double[-1]["test_loss"] != single[-1]["test_loss"]


# -- what is read is what may train


def test_plain_layers_train_as_the_fused_ones_do(tiny):
    settings = Settings(batch_size=32, lr=0.05, momentum=0.5, epochs=2)
    (fused, states), (plain, others) = (
        run(replace(settings, plain=plain), tiny) for plain in (False, True)
    )
    assert not np.array_equal(states[-1].w, others[-1].w)  # sums in another order
    np.testing.assert_allclose(states[-1].w, others[-1].w, atol=1e-5)
    assert fused[-1]["train_loss"] == pytest.approx(plain[-1]["train_loss"], rel=1e-4)


def test_who_breaks_a_layer_sees_it_where_it_is_trained_with_as_it_stands(tiny, monkeypatch):
    settings = Settings(batch_size=32, lr=0.05, epochs=1)
    before = [run(replace(settings, plain=plain), tiny)[1][-1].w for plain in (False, True)]
    monkeypatch.setattr("minisgd.layers.ReLU.backward", lambda self, dy: dy)  # without its mask
    after = [run(replace(settings, plain=plain), tiny)[1][-1].w for plain in (False, True)]
    assert np.array_equal(before[0], after[0]), "the fused steps have a ReLU of their own"
    assert np.abs(before[1] - after[1]).max() > 1e-3
