"""The profile of a small dataset: it accounts for the time, and leaves no trace of itself."""

import sys
from pathlib import Path

import numpy as np
import pytest

from minisgd import loss, networks
from minisgd.machine import profiling


@pytest.fixture(scope="module")
def found(small_data):
    """Of 640 images in two batches, each in four lanes of one chunk of 80 images."""
    return profiling.profile(small_data, batch_size=320)


def test_the_rows_add_up_to_the_epoch_that_they_were_timed_in(small_data):
    """The best of five epochs: on a busy machine any of them may be interrupted in between."""
    model, train_epoch = profiling.trainer(small_data, 320)
    shares = []
    for _ in range(5):
        with profiling.timed(profiling.calls_of(model)) as seconds:
            whole, _ = profiling.seconds_and_result(lambda: train_epoch(np.arange(640)))
        shares.append(sum(seconds.values()) / whole)
    assert 0.95 < max(shares) < 1


def test_the_rows_are_the_layers_and_the_other_work(found):
    rows = {row for row, _ in found.rows}
    assert {"conv1", "conv2", "fc1", "fc2", "fc3", "input", "loss", "update"} <= rows
    for layer in ("conv1", "conv2", "fc1", "fc2", "fc3"):
        assert {(layer, "forward"), (layer, "backward")} <= set(found.rows)
    assert found.rows["conv2", "forward"] > found.rows["fc3", "forward"]


def test_the_table_adds_up(found):
    lines = profiling.table(found)
    below = lines.index(next(line for line in lines if line.startswith("all ")))
    totals = [float(line.split()[-2]) for line in lines[2 : below + 1]]
    assert sum(totals[:-1]) == pytest.approx(totals[-1], abs=0.005 * len(totals) + 0.01)
    assert lines[below - 1].startswith("the rest") and "is accounted for" in lines[below + 1]
    assert lines[-1].count("%") == 3  # training, shuffle, test set


def test_the_multiply_adds_of_a_training_image_by_hand(found):
    conv1, conv2 = 6 * 25 * 28 * 28, 16 * 6 * 25 * 10 * 10
    linear = 400 * 120 + 120 * 84 + 84 * 10
    assert profiling.training_multiply_adds() == 2 * conv1 + 3 * (conv2 + linear)
    assert found.floor == pytest.approx(2e6 * 1_131_960 / found.flops)


def test_the_hottest_lines_are_counted_and_quoted(found):
    pytest.importorskip("line_profiler", reason="line_profiler is not installed")
    spent = [microseconds for *_, microseconds in found.lines]
    assert spent == sorted(spent, reverse=True)
    files = {Path(file) for file, *_ in found.lines}
    assert {Path(loss.__file__), Path(networks.__file__)} <= files
    hits = {hits for file, _, hits, _ in found.lines if Path(file) == Path(loss.__file__)}
    assert hits == {8}  # once for each of the four lanes of two batches
    file, number, *_ = found.lines[0]
    source = Path(file).read_text().splitlines()[number - 1].strip()
    (hottest,) = (line for line in profiling.table(found) if line.endswith(source))
    assert f"{Path(file).name}:{number}" in hottest


def test_calls_are_counted_by_hand():
    a, before = np.ones(3), dict(vars(np))

    def own(x):
        return np.maximum(x, 0)

    def work():  # itself a call from Python
        for _ in range(5):  # a call of a class, which is no function
            own(a)
        len("four")
        a.reshape(3, 1)
        a[...] += 1  # neither an operator nor a subscript is a call

    assert profiling.calls_in(work) == {"in Python": 6, "in C": 2, "ufuncs": 5}
    assert dict(vars(np)) == before and sys.getprofile() is None
    with pytest.raises(ZeroDivisionError):
        profiling.calls_in(lambda: 1 / 0)
    assert dict(vars(np)) == before and sys.getprofile() is None


def test_an_update_has_its_calls(found, small_data):
    """As many for 32 images as for 63, a lane each; more for the four lanes of 320."""

    def of_an_update(size):
        _, train_epoch = profiling.trainer(small_data, size)
        train_epoch(np.arange(size))
        return profiling.calls_in(lambda: train_epoch(np.arange(size)))

    few, more, lanes = map(of_an_update, (32, 63, 320))
    assert few == more and all(lanes[kind] > few[kind] > 0 for kind in few)
    whole = sum(lanes.values())
    assert sum(found.calls.values()) == pytest.approx(whole, rel=0.1)  # apart from the epoch's own
    text = "\n".join(profiling.table(found))
    assert f"an update, with nothing wrapped: {found.update:.0f} µs" in text
    assert found.update == pytest.approx(1e6 * found.epoch["training"] / 2)  # of two updates


def test_what_the_calls_of_an_update_take_is_what_one_takes_times_their_number(
    small_data, monkeypatch
):
    monkeypatch.setattr(profiling, "seconds_of_a_call", lambda data, order: 2e-6)
    found = profiling.profile(small_data, batch_size=320)
    took = 2 * sum(found.calls.values())
    text = "\n".join(profiling.table(found))
    assert "a call: at most 2.00 µs, by updates of a single image" in text
    assert f"take at most {took:.0f} µs ({took / found.update:.1%})" in text


@pytest.mark.parametrize(("size", "images"), [(64, 256), (500, 500)])
def test_whole_batches_are_profiled_at_least_one(small_data, monkeypatch, size, images):
    seen, trainer = set(), profiling.trainer

    def noting(data, batch_size):
        model, train_epoch = trainer(data, batch_size)
        return model, lambda order: (seen.add((batch_size, len(order))), train_epoch(order))

    monkeypatch.setattr(profiling, "trainer", noting)
    monkeypatch.setattr(profiling, "IMAGES", 300)
    profiling.profile(small_data, size)
    assert seen == {(size, images), (1, profiling.SINGLES)}


def test_without_line_profiler_one_sentence_says_how_to_get_it(small_data, monkeypatch):
    monkeypatch.setitem(sys.modules, "line_profiler", None)
    found = profiling.profile(small_data, batch_size=320)
    lines = profiling.table(found)
    (sentence,) = (line for line in lines if "line_profiler" in line)
    assert 'python -m pip install -e ".[bench]"' in sentence
    text = "\n".join(lines)
    assert "conv1" in text and "arithmetic floor" in text and "shuffle" in text


def test_the_timers_are_taken_off_again_even_after_an_error(small_data):
    model, _ = profiling.trainer(small_data, 64)
    calls = profiling.calls_of(model)
    before = [call.function for call in calls]
    with pytest.raises(ZeroDivisionError), profiling.timed(calls):
        assert all(call.function != was for call, was in zip(calls, before, strict=True))
        raise ZeroDivisionError
    assert [call.function for call in calls] == before
    (layer, *_) = (call.owner for call in calls)
    assert not set(profiling.PASSES) & set(vars(layer))
