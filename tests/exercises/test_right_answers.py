"""What is right is called right, however it is written."""

import pytest
from answering import verdict
from solutions import SOLUTIONS, VARIANTS

from minisgd.exercises import EXERCISES


def test_every_exercise_has_a_solution():
    assert list(SOLUTIONS) == list(EXERCISES)


@pytest.mark.parametrize("name", SOLUTIONS)
def test_a_solution_is_right(name):
    found = verdict(name, SOLUTIONS[name])
    assert found.right and found.mistakes == [], found.lines
    assert found.lines[0].startswith("mine.py is right: ")


@pytest.mark.parametrize(("name", "body"), VARIANTS)
def test_no_other_way_to_write_it_is_called_wrong(name, body):
    found = verdict(name, body)
    assert found.right, found.lines


def test_there_are_enough_ways():
    assert len(VARIANTS) >= 20 and {name for name, _ in VARIANTS} == set(EXERCISES)
