"""Statistics of made-up runs, and p-values that can be counted by hand."""

from math import inf

import pytest
from made_up_runs import curve, diverged

from minisgd.report.statistics import (
    best_accuracy,
    binomial_tail,
    epochs_to,
    final_accuracy,
    largest_fall,
    left_after_rise,
    loss_at,
    sign_flip_p,
)

RUN = curve(0.1, 0.3, 0.2, 0.8, 0.95, 0.91, 0.98)


def test_best_and_final_accuracy():
    assert best_accuracy(RUN) == final_accuracy(RUN) == 0.98
    # The last five are .9 .9 .1 .8 .2; the last four have the median .5, the last six .85.
    assert final_accuracy(curve(*[0.9] * 27, 0.1, 0.8, 0.46)) == 0.8
    assert final_accuracy(curve(*[0.9] * 27, 0.1, 0.8, 0.45)) == 0.45  # lost at half of the best
    assert final_accuracy(curve(*[0.9] * 10, *[0.1] * 19, 0.2)) == 0.1  # for long: still the median


def test_losses_at_an_epoch():
    run = curve(*[i / 100 for i in range(30)], train_losses=[*range(1, 31)])
    assert loss_at(1, "train_loss")(run) == 1 and loss_at(30, "train_loss")(run) == 30
    assert loss_at(4, "test_loss")(run) == pytest.approx(0.97)


def test_epochs_to_a_target_are_read_off_straight_lines_between_epochs():
    assert epochs_to(0.5)(RUN) == pytest.approx(3.5)  # .2 after epoch 3, .8 after epoch 4
    assert epochs_to(0.5)(curve(0.9)) == pytest.approx(0.5)  # .1 at the start
    assert epochs_to(0.98)(RUN) == 7
    assert epochs_to(0.99)(RUN) == inf


def test_the_largest_fall_after_the_start():
    assert largest_fall(0.5)(RUN) == pytest.approx(0.04)  # not that from .3 to .2
    assert largest_fall(0.3)(RUN) == pytest.approx(0.1)
    assert largest_fall(0.5)(curve(0.1, 0.3, 0.2)) == 0


def test_what_is_left_of_the_best_accuracy_so_far():
    assert left_after_rise(0.2)(curve(0.8, 0.2, 0.9, 0.6)) == pytest.approx(0.25)
    assert left_after_rise(0.2)(curve(0.19, 0.1)) == inf
    assert left_after_rise(0.2)(curve(0.1, 0.5)) == 1  # it only rises


def test_a_run_that_diverged_has_lost_everything():
    run = diverged(0.5, 0.95)
    assert best_accuracy(run) == 0.95 and final_accuracy(run) == 0
    assert best_accuracy(diverged()) == final_accuracy(diverged()) == 0
    assert epochs_to(0.97)(run) == inf and epochs_to(0.95)(run) == 2
    assert largest_fall(0.5)(run) == 1 and left_after_rise(0.2)(run) == 0
    assert loss_at(2, "test_loss")(run) == pytest.approx(0.05)
    assert loss_at(3, "train_loss")(run) == loss_at(30, "test_loss")(run) == inf


def test_the_p_value_of_few_differences_is_counted():
    """Of the four signs of (1, 2), only ++ sums to 3; +- and -+ give -1 and 1."""
    assert sign_flip_p([1, 2]) == 1 / 4
    assert sign_flip_p([-1, 2]) == 2 / 4
    assert sign_flip_p([-1, -2]) == 1
    assert sign_flip_p([0.1] * 5) == 1 / 32
    assert sign_flip_p([0.0, 0.0]) == 1
    assert sign_flip_p([0.1, 0.2, -0.3]) == 5 / 8  # +++ ++- +-+ -++ and --+, which sums to 0


def test_the_p_value_of_many_differences_is_drawn():
    """From 17 on: the exact value of all positive differences, 1/2^17, cannot be drawn."""
    assert sign_flip_p([1] * 16) == 2**-16
    assert sign_flip_p([1] * 17) >= 2**-16
    assert sign_flip_p([1] + [0] * 19) == pytest.approx(0.5, abs=0.01)
    assert 0 < sign_flip_p([1] * 20) < 1e-4
    assert sign_flip_p([1, -1] * 10) == sign_flip_p([1, -1] * 10)


def test_the_tail_of_fair_throws():
    assert binomial_tail(0, 0) == binomial_tail(0, 3) == 1
    assert binomial_tail(3, 3) == 1 / 8 and binomial_tail(2, 3) == 4 / 8
    assert binomial_tail(5, 5) == 1 / 32
