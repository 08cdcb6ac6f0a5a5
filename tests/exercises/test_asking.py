"""A learner's file in its own process, whatever it does there."""

import sys
import time

import numpy as np
import pytest
from answering import filled, verdict
from solutions import SOLUTIONS

from minisgd.disk.formats import DamagedError
from minisgd.exercises import asking
from minisgd.exercises.asking import ask
from minisgd.exercises.judging import check, judge
from minisgd.lab.own import OwnFile


def asked(name, body, limit=asking.LIMIT):
    own = OwnFile("mine.py", filled(name, body))
    return judge(name, own, *ask(name, own, limit))


@pytest.mark.parametrize("name", ["conv", "momentum", "warmup"])
def test_answers_cross_the_border_unchanged(name):
    assert asked(name, SOLUTIONS[name]) == verdict(name, SOLUTIONS[name])
    assert asked(name, SOLUTIONS[name]).right


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("linear", "self.db += dy\nreturn dy"),
        ("relu", "return None"),
        ("linear-rule", "return b / 0"),
    ],
)
def test_what_is_said_does_not_depend_on_where_it_ran(name, body):
    assert asked(name, body) == verdict(name, body)


def test_an_endless_loop_ends_and_its_line_is_shown():
    began = time.monotonic()
    found = asked("relu", "n = 0\nwhile n < 1:\n    n = n * 1\nreturn dy", limit=1)
    assert not found.right and time.monotonic() - began < 30
    first, second = found.lines
    assert first.endswith(" was stopped after 1 seconds: is there a loop that never ends?")
    assert first.startswith("mine.py, line ") and second.strip() in ("while n < 1:", "n = n * 1")


def test_what_holds_the_interpreter_is_stopped_from_outside(monkeypatch):
    monkeypatch.setattr(asking, "SLACK", 3)
    found = asked("linear-rule", "return len(str(9 ** 9 ** 9))", limit=1)
    assert not found.right and "mine.py was stopped: it takes longer than 1" in found.lines[0]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no limit of the memory there")
def test_too_much_memory_is_an_error_in_her_line():
    found = asked("relu", "return np.ones((1 << 20, 1 << 20))")
    assert not found.right and "MemoryError: Unable to allocate 8.00 TiB" in found.lines[0]
    assert found.lines[1] == "    return np.ones((1 << 20, 1 << 20))"


@pytest.mark.parametrize("cut", [0, 40, 300, -30])
def test_an_answer_that_was_torn_is_none(tmp_path, cut):
    """A process that is ended while it writes, or on a full disk, leaves a part of the archive."""
    path = tmp_path / "answers.npz"
    asking._write(path, None, [asking.Answer({"dW": np.ones((2, 3))}, {}, [])])
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DamagedError):
        asking._read(path)


@pytest.mark.parametrize("way", ["import os\nos._exit(0)", "import os\nos.abort()"])
def test_who_ends_the_program_has_not_answered(way):
    found = asked("relu", way)
    assert not found.right and "ended the program before there was an answer" in found.lines[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('EXERCISE = "relu"\nclass ReLU(:\n', ["line 2: ", "class ReLU(:"]),
        ('EXERCISE = "relu"\nx = y\n', ["line 2: NameError: name 'y'", "    x = y"]),
        ('EXERCISE = "relu"\n', ["has no ReLU: the exercise asks for it by this name"]),
        ('EXERCISE = "relu"\nclass ReLU:\n    pass\n', ["has no ReLU.backward: the exercise"]),
        ('EXERCISE = "warmup"\ngradual = 3\n', ["has no gradual"]),
    ],
)
def test_a_file_that_cannot_be_asked(text, said):
    lines = check(OwnFile("mine.py", text)).lines
    assert lines[0].startswith("mine.py") and all(part in "\n".join(lines) for part in said)


def test_her_own_prints_are_shown(capfd):
    assert asked("linear-rule", "print('factor of', b)\nreturn b / b0").right
    assert "factor of 128\n" in capfd.readouterr().out
