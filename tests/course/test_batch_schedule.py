"""Batches that grow while the rate stays: the sizes and rates by hand, and runs that use them."""

import sys
from dataclasses import replace
from math import ceil, pi

import fake_cupy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisgd.errors import SettingError
from minisgd.lab.names import folder_name, run_name, title_of
from minisgd.lab.run_folder import RUN
from minisgd.schedules import DECAYS, batch_size_at, decay_factor, warmup_lr
from minisgd.settings import Settings
from minisgd.train import Run, train


def sizes(schedule, epochs, batch_size, N, warm=0):
    return [batch_size_at(schedule, i, epochs, batch_size, N, warm) for i in range(1, epochs + 1)]


def bits(settings, data, **keywords):
    """[(record without its seconds, w, memory)] of every epoch."""
    return [
        (record | {"seconds": None}, state.w.tobytes(), {k: v.tobytes() for k, v in
                                                         state.memory.items()})
        for record, state in train(settings, data, **keywords)
    ]  # fmt: skip


# ---- the sizes


def test_explicit_steps_multiply_and_end_at_the_training_set():
    assert sizes("x5@3,x2@5", 6, 10, 1000) == [10, 10, 50, 50, 100, 100]
    assert sizes("x5@3,x2@5", 6, 10, 70) == [10, 10, 50, 50, 70, 70]
    assert sizes("x7@2", 2, 1, 9) == [1, 7]
    assert sizes("", 3, 10, 1000) == [10, 10, 10]


def test_a_linear_decay_by_hand():
    """b = 50 of 200 images are 4 updates, T = 12: the middles are t = 1.5, 5.5 and 9.5, and d is
    10.5/12, 6.5/12 and 2.5/12: 57.1, 92.3 and 240.
    """
    assert sizes("linear", 3, 50, 200) == [57, 92, 200]


def test_a_cosine_decay_by_hand():
    """One update an epoch, T = 3: d = (1 + cos 0)/2, (1 + cos π/3)/2 and (1 + cos 2π/3)/2 are 1,
    3/4 and 1/4; 60 images in batches of 60 cannot grow, 3 epochs of 3 updates can. There t = 1, 4
    and 7 of 9: cos 20°, 80° and 140° are .9397, .1736 and -.7660, b/d is 103.1, 170.4 and 854.7.
    """
    assert sizes("cosine", 3, 60, 60) == [60, 60, 60]
    assert sizes("cosine", 3, 100, 300) == [103, 170, 300]


def test_steps_are_the_explicit_schedule_of_thirds():
    assert sizes("steps", 3, 10, 1000) == [10, 50, 250]
    assert sizes("steps", 30, 64, 60_000) == sizes("x5@11,x5@21", 30, 64, 60_000)


def test_the_batch_begins_to_grow_where_the_warmup_ends():
    """b = 500 of 2000: 4 updates, a warmup of 4, then T = 8: t = 1.5 and 5.5, d = 6.5/8, 2.5/8."""
    assert sizes("linear", 3, 500, 2000, warm=4) == [500, 615, 1600]
    settings = Settings(500, warmup="ramp", warmup_epochs=1, epochs=3, batch_schedule="linear")
    assert [settings.batch_size_at(i, 2000) for i in (1, 2, 3)] == [500, 615, 1600]
    other = replace(settings, warmup_epochs=10, warmup_updates=4)
    assert [other.batch_size_at(i, 2000) for i in (1, 2, 3)] == [500, 615, 1600]


@given(
    st.sampled_from(["linear", "cosine"]), st.integers(1, 40), st.integers(1, 300),
    st.integers(1, 60),
)  # fmt: skip
def test_the_noise_of_an_update_is_that_of_the_decay_on_average(name, epochs, b, n):
    """η/b over an epoch: the mean of d/b, against 1/B of the grown batch."""
    N = n * b
    for i, B in enumerate(sizes(name, epochs, b, N)):
        factors = [decay_factor(name, i * n + k, epochs * n) for k in range(n)]
        mean = sum(factors) / n
        off = pi**2 / 48 / epochs**2 * (name == "cosine") + b / B - b / (B + 0.5)
        if B < N:
            assert abs(b / B - mean) <= off + b / (B - 0.5) - b / B + 1e-12
        else:
            assert b / B >= mean - 2 * off - 1e-12


@pytest.mark.parametrize("value", [0, -1, 1.5, float("nan")])
def test_a_decay_by_which_no_batch_can_grow_is_refused_before_anything_is_trained(
    monkeypatch, small_data, value
):
    monkeypatch.setitem(DECAYS, "odd", lambda t, T: 1 if t < 30 else value)
    settings = Settings(64, epochs=4, batch_schedule="odd")
    with pytest.raises(SettingError, match=f"decay odd is {value:g} in epoch 4"):
        Run(settings, small_data)


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("slowly", "a decay .cosine, linear, steps. or steps such as x5@11,x5@21, got 'slowly'"),
        ("x5", "must be a decay"),
        ("x5@3,", "must be a decay"),
        ("x5@3, x5@4", "must be a decay"),
        ("x-5@3", "must be a decay"),
        ("x5@03x", "must be a decay"),
        ("x5@" + 5000 * "9", "must be a decay"),
        ("x0@3", "a whole factor of at least 2, got x0@3"),
        ("x1@3", "a whole factor of at least 2, got x1@3"),
        ("x2.0@3", "a whole factor of at least 2, got x2.0@3"),
        ("x5@1", "in order, from 2 to the last, which is 30, got x5@1"),
        ("x5@5,x5@5", "in order"),
        ("x5@5,x5@4", "in order"),
        ("x5@31", "from 2 to the last, which is 30, got x5@31"),
    ],
)
def test_what_is_no_schedule_is_refused_in_a_sentence(schedule, said):
    with pytest.raises(SettingError, match=said) as error:
        Settings(batch_schedule=schedule)
    assert "\n" not in str(error.value)


def test_one_schedule_has_one_spelling():
    for other in ("x05@3", "x5@03"):
        with pytest.raises(SettingError, match="must be a decay"):
            Settings(batch_schedule=other)
    assert Settings(batch_schedule="none") == Settings()


# ---- the rates


def rates(N, **settings):
    settings = Settings(lr=1.0, **settings)
    found, made = [], 0
    for i in range(1, settings.epochs + 1):
        made, before = settings.updates_after(i, N), made
        found.append([settings.rate_in(i, k, N) for k in range(made - before)])
    return found


def test_decays_count_the_part_of_the_run_that_is_over():
    """40 images: 4 updates, then 2, each half an epoch; T = 8, so 1 - t/T is 4/8 and 2/8."""
    found = rates(40, batch_size=10, epochs=2, decay="linear", batch_schedule="x2@2")
    assert found == [[1, 7 / 8, 6 / 8, 5 / 8], [4 / 8, 2 / 8]]
    # 3 batches of 14, 14 and 12: a third of 4/8 each.
    found = rates(40, batch_size=7, epochs=2, decay="linear", batch_schedule="x2@2")
    assert found[1] == pytest.approx([1 / 2, 1 / 3, 1 / 6])


def test_warmups_count_so_too():
    given = dict(batch_size=10, epochs=3, batch_schedule="x2@2")
    assert rates(40, warmup="ramp", warmup_epochs=2, **given) == [[0.5] * 4, [1, 1], [1, 1]]
    found = rates(40, warmup="ramp", warmup_updates=8, **given)
    assert found == [[1 / 8, 2 / 8, 3 / 8, 4 / 8], [5 / 8, 7 / 8], [1, 1]]


def test_the_rate_follows_the_size_that_the_run_begins_with():
    found = rates(400, batch_size=128, rule="linear", epochs=3, batch_schedule="steps")
    assert found == [[2] * 4, [2], [2]]


def before(settings, t, per_epoch):
    """The rate of update t as it was computed before batches could grow."""
    i, k = t // per_epoch + 1, settings.warmup_epochs
    warm = 0 if settings.warmup == "none" else k * per_epoch
    if settings.warmup_updates and warm:
        i, k = t + 1, settings.warmup_updates
        warm = k
    lr = warmup_lr(settings.warmup, i, settings.lr, settings.scaled_lr, k)
    return lr * decay_factor(settings.decay, t - warm, settings.epochs * per_epoch - warm)


@given(st.data())
def test_without_a_schedule_rates_and_updates_are_to_the_bit_what_they_were(data):
    draw = lambda *of: data.draw(st.sampled_from(of))  # noqa: E731
    settings = Settings(
        draw(1, 7, 64, 100), lr=0.013, rule=draw("none", "sqrt", "linear"), epochs=7,
        warmup=draw("none", "constant", "gradual", "ramp"), warmup_epochs=draw(1, 3),
        warmup_updates=draw(None, 5), decay=draw(*DECAYS),
    )  # fmt: skip
    N, t = data.draw(st.integers(100, 300)), 0
    per_epoch = ceil(N / settings.batch_size)
    for epoch in range(1, 8):
        assert settings.updates_after(epoch - 1, N) == t
        assert settings.batch_size_at(epoch, N) == settings.batch_size
        for k in range(per_epoch):
            assert settings.rate_in(epoch, k, N) == before(settings, t, per_epoch)
            t += 1


# ---- the run


def test_an_epoch_is_all_images_in_batches_of_its_size(small_data):
    settings = Settings(100, epochs=3, batch_schedule="x2@2,x9@3", lr=1e-6)
    run, t = Run(settings, small_data), 0
    for epoch, wanted in enumerate(([100] * 6 + [40], [200] * 3 + [40], [640]), 1):
        batches = list(run.batches(epoch))
        assert [len(batch) for _, _, batch in batches] == wanted
        assert sorted(np.concatenate([batch for _, _, batch in batches])) == list(range(640))
        assert [at for at, _, _ in batches] == list(range(t, t + len(wanted)))
        t += len(wanted)
    assert t == settings.updates_after(3, 640) == 12
    records = [record for record, _ in train(settings, small_data)]
    found = [(record["batch_size"], record["updates"]) for record in records]
    assert found == [(100, 7), (200, 11), (640, 12)]


def test_a_grown_batch_is_a_run_that_goes_on_with_a_larger_one(small_data):
    """So the loss is averaged over the images of the batches that there were, too."""
    given = dict(lr=0.05, momentum=0.9, seed=2)
    grown = list(train(Settings(60, epochs=2, batch_schedule="x4@2", **given), small_data))
    (_, state), = train(Settings(60, epochs=1, **given), small_data)  # fmt: skip
    (record, end), = train(Settings(240, epochs=2, **given), small_data, state=state)  # fmt: skip
    assert np.array_equal(grown[-1][1].w, end.w) and not np.array_equal(state.w, end.w)
    for name in ("lr", "train_loss", "train_accuracy", "test_loss", "test_accuracy"):
        assert grown[-1][0][name] == record[name]


def test_cut_anywhere_and_on_any_number_of_threads_it_has_the_same_bits(small_data):
    settings = Settings(
        64, lr=0.002, momentum=0.9, optimizer="adam", epochs=4, decay="cosine", seed=1,
        batch_schedule="steps",
    )  # fmt: skip
    whole = bits(settings, small_data)
    states = [state for _, state in train(settings, small_data)]
    for cut in (1, 2, 3):
        assert bits(settings, small_data, state=states[cut - 1]) == whole[cut:]
    assert bits(settings, small_data, threads=2) == whole
    assert bits(replace(settings, batch_schedule=""), small_data)[-1][1] != whole[-1][1]


def test_a_divergence_names_the_update_that_it_is(small_data):
    """7 updates of 100, 4 of 200: epoch 3 begins with update 11."""
    settings = Settings(100, epochs=3, batch_schedule="x2@2")
    *_, (_, state) = train(replace(settings, epochs=2), small_data)
    state.w[...] *= np.float32(1e20)
    ((record, _),) = train(settings, small_data, state=state)
    assert (record["status"], record["update"]) == ("diverged", 11)


def test_on_a_gpu_nothing_waits_where_the_batch_has_grown(small_data, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy.module())
    monkeypatch.setattr(fake_cupy, "waits", 0)
    settings = Settings(100, lr=0.05, momentum=0.9, epochs=2, batch_schedule="x2@2")
    seen, update = [], Run.update

    def counted(run, t, lr, batch):
        seen.append((len(batch), fake_cupy.waits))
        return update(run, t, lr, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "update", counted)
        *_, (there, _) = train(settings, small_data, "cuda")
    assert [size for size, _ in seen] == [100] * 6 + [40] + [200] * 3 + [40]
    for epoch in (seen[:7], seen[7:]):
        assert len({waits for _, waits in epoch}) == 1
    *_, (here, _) = train(settings, small_data)
    assert there["train_loss"] == pytest.approx(here["train_loss"], rel=1e-3)


# ---- the name


def test_it_is_part_of_every_name_and_without_it_none_changes():
    assert Settings(64, batch_schedule="").differing() == {}
    assert run_name(Settings()) == "b64-lr0.01-seed0"
    for schedule in ("steps", "x5@11,x5@21"):
        settings = Settings(batch_schedule=schedule)
        assert run_name(settings) == f"b64-lr0.01-{schedule}-batch-seed0"
        assert RUN.fullmatch(run_name(settings))
        assert folder_name(settings, "mnist") == f"mnist-none-{schedule}-batch"
        assert f"constant rate, batch grows ({schedule})" in title_of(settings, "mnist")
