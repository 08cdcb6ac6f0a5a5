"""From answers to a verdict on a batch size, and from there to one on the claim."""

from minisgd.report.judging import DEPENDS, FAILS, HOLDS, UNDECIDED, agreement, worst


def test_answers_agree_or_depend_on_the_seed():
    assert agreement([True, True]) == agreement([True, None]) == HOLDS
    assert agreement([False, False]) == agreement([None, False]) == FAILS
    assert agreement([True, False]) == agreement(iter([True, False, None, None])) == DEPENDS


def test_half_of_the_seeds_must_answer():
    assert agreement([None, None]) == agreement([]) == UNDECIDED
    assert agreement([True, None, None]) == agreement([False, None, None]) == UNDECIDED
    assert agreement([True] * 10 + [None] * 10) == HOLDS
    assert agreement([True] * 10 + [None] * 11) == UNDECIDED


def test_a_claim_is_judged_by_its_worst_size():
    assert worst({64: HOLDS, 128: HOLDS}) == (HOLDS, ())
    assert worst({64: HOLDS, 128: UNDECIDED}) == (HOLDS, ((HOLDS, (64,)), (UNDECIDED, (128,))))
    assert worst({64: HOLDS, 128: DEPENDS}) == (DEPENDS, ((DEPENDS, (128,)), (HOLDS, (64,))))
    fails_at_two = (FAILS, (128, 256)), (DEPENDS, (64,))
    assert worst({64: DEPENDS, 128: FAILS, 256: FAILS}) == (FAILS, fails_at_two)
    assert worst({64: UNDECIDED}) == (UNDECIDED, ())
