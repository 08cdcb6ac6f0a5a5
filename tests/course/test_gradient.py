"""The gradient of a batch is the sum over its pieces: whatever the chunks, lanes and threads."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisgd import LeNet5
from minisgd.backend import to_host
from minisgd.gradient import even_bounds

RNG = np.random.default_rng(5)
IMAGES, LABELS = RNG.normal(size=(200, 1, 28, 28)), RNG.integers(0, 10, 200)


def relative(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


@settings(max_examples=20)
@given(
    B=st.integers(1, 200),
    chunk=st.integers(1, 70),
    other_chunk=st.integers(1, 70),
    splits=st.sets(st.integers(1, 199), max_size=4),
)
def test_a_batch_is_the_sum_over_any_split_of_it(B, chunk, other_chunk, splits):
    """(1/B) Σ_batch = Σ_pieces n/B (1/n) Σ_piece, to the rounding of float64."""
    x, y = IMAGES[:B], LABELS[:B]
    whole = LeNet5(seed=1, dtype=np.float64, chunk=chunk)
    loss, correct = whole.gradient(x, y)
    pieces = LeNet5(seed=1, dtype=np.float64, chunk=other_chunk)
    ends = [0, *sorted(k for k in splits if k < B), B]
    sums = np.zeros(3, object)
    for lo, hi in pairwise(ends):
        piece_loss, piece_correct = pieces.gradient(x[lo:hi], y[lo:hi])
        weight = (hi - lo) / B
        sums += np.array([weight * pieces.g, weight * piece_loss, piece_correct], object)
    assert relative(sums[0], whole.g) < 1e-12
    assert sums[1] == pytest.approx(loss, rel=1e-12)
    assert sums[2] == correct


@pytest.mark.parametrize("B", [1, 31, 63, 64, 65, 96, 128, 191, 192, 200])
def test_the_bits_do_not_depend_on_the_threads(B):
    """Sizes below, at and above those where the lanes change, with partial chunks."""
    alone = LeNet5(seed=1, chunk=20)
    told = alone.gradient(IMAGES[:B], LABELS[:B])
    logits = alone.logits(IMAGES[:B])
    for threads in (2, 3, 4, 7):
        model = LeNet5(seed=1, chunk=20, threads=threads)
        for _ in range(3):  # who finishes first differs from time to time
            assert model.gradient(IMAGES[:B], LABELS[:B]) == told
            assert np.array_equal(model.g, alone.g)
        assert np.array_equal(model.logits(IMAGES[:B]), logits)


def test_nothing_is_left_over_from_the_batch_before(device):
    """A large batch fills every lane; the small one after it must not see what they hold."""
    used, fresh = (LeNet5(seed=1, device=device, chunk=20) for _ in range(2))
    used.gradient(IMAGES, LABELS)
    assert used.gradient(IMAGES[:3], LABELS[:3]) == fresh.gradient(IMAGES[:3], LABELS[:3])
    assert np.array_equal(to_host(used.g), to_host(fresh.g))


def test_the_order_of_the_images_does_not_matter():
    model = LeNet5(seed=1, dtype=np.float64, chunk=7)
    order = np.random.default_rng(0).permutation(90)
    loss, correct = model.gradient(IMAGES[:90], LABELS[:90])
    g = model.g.copy()
    shuffled_loss, shuffled_correct = model.gradient(IMAGES[order], LABELS[order])
    assert (shuffled_loss, shuffled_correct) == (pytest.approx(loss, rel=1e-12), correct)
    assert relative(model.g, g) < 1e-12


def peak(work):
    tracemalloc.start()
    work()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


@pytest.mark.parametrize("work", ["gradient", "logits"])
def test_a_large_batch_needs_the_memory_of_a_chunk(work):
    """2,000 images and 240, both in four lanes of full chunks of 20, peak alike.

    Without chunks 2,000 images would lower to 156 MB for conv1 alone (25 x 784 x 2,000 x 4 bytes).
    """
    images = np.zeros((2000, 28, 28), np.uint8)
    labels = np.zeros(2000, int)
    model = LeNet5(chunk=20)

    def at(N):
        arguments = (images[:N], labels[:N]) if work == "gradient" else (images[:N],)
        return peak(lambda: getattr(model, work)(*arguments))

    at(240)  # fills the caches
    small, large = at(240), at(2000)
    assert large < small + 1e6
    assert large < 30e6


@given(N=st.integers(0, 10_000), parts=st.integers(1, 50))
def test_cut_covers_everything_once_in_even_pieces(N, parts):
    bounds = even_bounds(N, parts)
    assert len(bounds) == parts
    assert bounds[0][0] == 0 and bounds[-1][1] == N
    assert all(left[1] == right[0] for left, right in pairwise(bounds))
    sizes = [hi - lo for lo, hi in bounds]
    assert 0 <= min(sizes) and max(sizes) - min(sizes) <= 1
