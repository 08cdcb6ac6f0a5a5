"""Every known mistake is recognised where it was made, and nothing else is."""

import numpy as np
import pytest
from answering import verdict
from planted import PLANTED

from minisgd.exercises import EXERCISES
from minisgd.exercises.asking import Crash
from minisgd.exercises.judging import cases_of, outputs_of, returned

KNOWN = [(name, mistake) for name, entry in EXERCISES.items() for mistake in entry.mistakes]


@pytest.mark.parametrize(("name", "body", "said"), PLANTED)
def test_a_planted_mistake_is_told(name, body, said):
    found = verdict(name, body)
    lines = [" ".join(line.split()) for line in found.lines]
    assert not found.right
    assert said in " ".join(lines), "\n".join(found.lines)
    assert len(found.mistakes) <= 1  # one mistake, one sentence


def test_every_known_mistake_was_planted():
    told = {id(m) for name, body, _ in PLANTED for m in verdict(name, body).mistakes}
    assert [mistake.says for _, mistake in KNOWN if id(mistake) not in told] == []
    assert len(KNOWN) >= 20


def differ(one, other):
    """Whether two answers can be told apart: where both give an output, or one ends in an error."""
    if isinstance(one, Crash) or isinstance(other, Crash):
        return type(one) is not type(other) or one.said != other.said
    if one.keys() != other.keys():
        return not one.keys() & other.keys()  # two mistakes, in different outputs
    return any(
        one[k].shape != other[k].shape or not np.allclose(one[k], other[k], rtol=1e-3) for k in one
    )


@pytest.mark.parametrize("name", EXERCISES)
def test_no_two_mistakes_look_alike_and_none_is_right(name):
    entry, cases = EXERCISES[name], cases_of(name)
    found = {m: [returned(entry, m, case) for case in cases] for m in entry.mistakes}
    for mistake, mine in found.items():
        right = [{output: case.right[output] for output in outputs_of(mistake)} for case in cases]
        assert any(map(differ, mine, right)), mistake.says
        for other in found:
            alike = not any(map(differ, mine, found[other]))
            assert alike == (mistake is other), (mistake.says, other.says)
