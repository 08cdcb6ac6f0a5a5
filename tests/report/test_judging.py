"""From answers to a verdict on a batch size, and from there to one on the claim."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisgd.report.judging import (
    DEPENDS,
    FAILS,
    HOLDS,
    UNDECIDED,
    agreement,
    by_chance,
    counted,
    worst,
)


def answers(yes, no, silent=0):
    return [True] * yes + [False] * no + [None] * silent


@pytest.mark.parametrize(
    ("yes", "no", "verdict"),
    [
        (5, 0, HOLDS),  # a fair coin does so in 1 of 32, .031
        (4, 0, UNDECIDED),  # .0625: they agree, and are too few
        (4, 1, DEPENDS),
        (9, 1, HOLDS),  # 11 of 1024, .011
        (8, 2, DEPENDS),  # 56 of 1024, .055
        (12, 3, HOLDS),  # 576 of 32,768, .018
        (11, 4, DEPENDS),  # 1941 of 32,768, .059
        (1, 0, UNDECIDED),
        (5, 5, DEPENDS),
    ],
)
def test_a_word_is_given_where_a_coin_would_hardly_do_the_same(yes, no, verdict):
    opposite = {HOLDS: FAILS}.get(verdict, verdict)
    assert agreement(answers(yes, no)) == verdict and agreement(answers(no, yes)) == opposite
    assert agreement(iter(answers(yes, no, silent=yes + no))) == verdict


@given(st.integers(0, 40), st.integers(0, 40))
def test_one_more_yes_makes_no_claim_weaker(yes, no):
    order = [FAILS, DEPENDS, HOLDS]
    before, after = (agreement(answers(y, no)) for y in (yes, yes + 1))
    assert UNDECIDED in (before, after) or order.index(before) <= order.index(after)
    if before in (HOLDS, FAILS):
        share = max(yes, no) / (yes + no)
        assert share > 0.5 and yes + no >= 5


def test_half_of_the_seeds_must_answer():
    assert agreement(answers(0, 0, 2)) == agreement([]) == UNDECIDED
    assert agreement(answers(10, 0, 10)) == HOLDS
    assert agreement(answers(10, 0, 11)) == agreement(answers(0, 10, 11)) == UNDECIDED


@pytest.mark.parametrize("n", range(13))
def test_a_coins_words_are_those_of_all_its_throws(n):
    throws = [agreement(answers) for answers in product((True, False), repeat=n)]
    assert by_chance(n) == throws.count(HOLDS) / 2**n == throws.count(FAILS) / 2**n


def test_a_cell_of_which_most_are_silent_counts_for_nothing():
    assert counted(answers(3, 2, 5)) == 5 and counted(answers(3, 2, 6)) == counted([]) == 0


def test_a_claim_is_judged_by_its_worst_size():
    assert worst({64: HOLDS, 128: HOLDS}) == (HOLDS, ())
    assert worst({64: HOLDS, 128: UNDECIDED}) == (HOLDS, ((HOLDS, (64,)), (UNDECIDED, (128,))))
    assert worst({64: HOLDS, 128: DEPENDS}) == (DEPENDS, ((DEPENDS, (128,)), (HOLDS, (64,))))
    fails_at_two = (FAILS, (128, 256)), (DEPENDS, (64,))
    assert worst({64: DEPENDS, 128: FAILS, 256: FAILS}) == (FAILS, fails_at_two)
    assert worst({64: UNDECIDED}) == (UNDECIDED, ())
