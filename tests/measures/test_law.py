"""The law of steps and batch sizes: found again, with an interval that holds the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisgd.measures.law import fitted, nothing_from, perfect_until

SIZES = (64, 256, 1024, 4096, 16384, 60000)


def exact(least, critical, sizes=SIZES):
    return {b: least * (1 + critical / b) for b in sizes}


@given(st.floats(2, 2000), st.floats(10, 1e5))
def test_the_law_is_found_again(least, critical):
    found = fitted(exact(least, critical))
    assert found.critical == pytest.approx(critical, rel=0.003)
    assert found.least == pytest.approx(least, rel=0.01)
    assert found.low <= found.critical <= found.high and found.miss < 0.005


def test_the_interval_holds_the_truth_as_often_as_it_says(rng):
    held = 0
    for _ in range(200):
        shaken = {b: s * np.exp(0.1 * rng.normal()) for b, s in exact(30, 500).items()}
        found = fitted(shaken)
        held += found.low <= 500 <= found.high
    assert 180 <= held <= 199  # 95 % of 200


def test_a_law_that_three_sizes_cannot_settle_has_an_open_end():
    found = fitted({64: 100.0, 256: 24.0, 1024: 6.6})  # steeper than 1/b at first
    assert found.high == float("inf") and "to ?)" in str(found)
    with pytest.raises(ValueError, match="three or more, got 2"):
        fitted({64: 100.0, 256: 30.0})


def test_where_scaling_bends_by_hand():
    """Images: 6400, 7680, 8192, 10240, 40960: 1.28 times the first at 1024, 1.6 at 1024."""
    steps = {64: 100, 256: 30, 1024: 8, 4096: 2.5}
    assert perfect_until(steps) == 256  # 1.2 times, then 1.28
    assert perfect_until({64: 100, 256: 20}) == 256  # 64 needs 1.25 times what 256 does
    assert perfect_until({64: 100, 256: 19}) is None
    # Four times the batch must leave less than .9 of the steps.
    assert nothing_from({64: 100, 256: 91, 1024: 60, 4096: 55}) == 1024
    assert nothing_from({64: 100, 256: 91, 1024: 82}) == 64
    assert nothing_from({64: 100, 256: 40, 1024: 35}) is None
    # Twice the batch: half of the way, √.9 = .949 of the steps.
    assert nothing_from({64: 100, 128: 96}) == 64
    assert nothing_from({64: 100, 128: 94}) is None
