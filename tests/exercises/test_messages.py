"""What is said of an answer, besides which mistake it is."""

from io import StringIO

import pytest
from answering import verdict
from planted import linear, pool

RIGHT = "return self.W.T @ dy"


def told(name, body):
    found = verdict(name, body)
    assert not found.right
    return found.lines


def one_line(name, body):
    return " ".join(" ".join(told(name, body)).split())


def test_every_output_is_judged_on_its_own():
    lines = told("linear", linear(db="self.db += dy.sum()", dx="return 3 * self.W @ dy"))
    assert "outputs" in lines[0] or "ValueError" in lines[0]  # W @ dy does not fit: an error first
    lines = told("linear", linear(db="self.db += dy.sum()", dx="return 3 * (self.W.T @ dy)"))
    assert lines[0] == "mine.py is not right yet. Compared with central differences:"
    starts = [line.split()[:2] for line in lines if line and not line.startswith(" ")][1:]
    assert starts == [["dW", "right"], ["db", "wrong:"], ["dx", "wrong:"]]
    assert "All of db is one and the same number" in " ".join(lines)
    assert "Where dx is wrong, all of it is what it should be, times 3." in " ".join(lines)


def test_the_entry_that_is_furthest_off_is_named():
    assert "factor is 0.5 and should be 2 (b = 128, b0 = 64)." in one_line(
        "linear-rule", "return b0 / b"
    )
    said = one_line("momentum", "v *= m\nv += g\nw -= lr * v\nv[0] += 1")
    assert "v[2, 0] is " in said and "(two weights, three updates)" in said


def test_an_unknown_mistake_is_told_by_where_it_shows():
    said = one_line("relu", "return dy * (self.x > 0) + (self.x == 0)")
    assert "It is wrong only with some x exactly 0" in said
    said = one_line("linear", linear(dx=RIGHT + " * (1 if dy.shape[1] == 1 else 7)"))
    assert "It is right only with a single image, 3 inputs, 2 outputs." in said
    assert "all of it is what it should be, times 7." in said


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("linear", linear(dx=""), "dx is None: is a `return` missing?"),
        ("linear-rule", "b / b0", "factor is None: is a `return` missing?"),
        ("relu", "return [1.0, 2.0]", "dx is a list, where an array or a number should be."),
        ("relu", "return 'dx'", "dx is a str, where an array"),
        ("relu", "return np.array(dy, object)", "dx is of object, and should be of numbers"),
        ("relu", "return (dy * (self.x > 0)).astype(np.float32)", "its numbers are of float32"),
        ("relu", "return np.zeros_like(dy, int)", "its numbers are of int64, and should be of"),
        ("relu", "return dy * (self.x > 0) + 0j", "its numbers are of complex128"),
        ("relu", "return (dy * (self.x > 0))[:1]", "its shape is (1, 4), and should be (3, 4)"),
        ("relu", "return 0.0", "its shape is (), and should be (3, 4)"),
        ("linear-rule", "return b == b0", "its numbers are of bool, and should be of float64"),
        ("linear-rule", "return float('nan')", "factor is nan and should be 2"),
        ("linear-rule", "return b ** 9999", "factor is of object"),
        ("linear-rule", "return float('inf')", "factor is inf and should be 2"),
        ("warmup", "return [lr]", "rate is a list"),
        ("relu", "dy *= self.x > 0\nreturn dy", "Your code changes dy."),
        ("relu", "self.x[self.x < 0] = 0\nreturn dy * (self.x > 0)", "Your code changes x."),
        ("linear", "self.W[0] = 0\n" + linear(), "Your code changes W."),
        ("momentum", "g *= lr\nv *= m\nv += g / lr\nw -= lr * v", "Your code changes g."),
        ("softmax", "z = None\ndz = p\ndz[y, columns] -= 1\ndz /= B\nreturn dz", "three things"),
        ("softmax", "loss = 2 * loss\ndz = p", "loss comes from the part that was given to you"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_told_in_a_sentence(name, body, said):
    assert said in one_line(name, body)


def test_what_is_changed_is_told_even_if_all_else_is_right():
    lines = told("relu", "dy *= self.x > 0\nreturn dy")
    assert [line for line in lines if line.startswith("dx")] == ["dx  right"]


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("linear", "return dy @ self.x", ["ValueError: matmul", "return dy @ self.x"]),
        ("relu", "a = 1\nreturn dz", ["NameError: name 'dz' is not defined", "    return dz"]),
        ("relu", "raise SystemExit(0)", ["SystemExit: 0", "    raise SystemExit(0)"]),
        ("relu", "raise KeyboardInterrupt", ["KeyboardInterrupt\n    raise Keyboard"]),
        ("relu", "assert dy.size < 2", ["AssertionError\n    assert dy.size < 2"]),
        ("relu", "return self.backward(dy)", ["RecursionError: maximum recursion depth"]),
        ("linear-rule", "return b / 0", ["ZeroDivisionError", "with b = 128, b0 = 64."]),
        ("relu", "return input()", ["EOFError: ", "    return input()"]),
    ],
)
def test_an_error_shows_her_line(name, body, said, monkeypatch):
    monkeypatch.setattr("sys.stdin", StringIO())  # as it is in a process of its own
    lines = told(name, body)
    assert lines[0].startswith("mine.py, line ")
    assert all(part in "\n".join(lines) for part in said)
    assert "Traceback" not in "".join(lines) and lines[2].startswith("It was called with ")


def test_the_first_of_several_errors_is_told():
    """The transposed product fits where D = M, and it is another line that fails there."""
    found = verdict(
        "linear",
        linear(
            dW="self.dW += self.x @ dy.T", db="self.db += dy.sum(axis=0)", dx="return self.W @ dy"
        ),
    )
    assert "self.dW += self.x @ dy.T" in found.lines[1]
    assert [mistake.says[:10] for mistake in found.mistakes] == ["dW comes o", "dx is made"]


def test_many_cases_are_counted():
    said = one_line("warmup", "return base_lr + 3 * (i // k) * (lr - base_lr)")
    assert "It is right in 6 of 20 cases, such as i = 1, k = 4, η0 = 0.1, η = 0.5; i = 1" in said


def test_a_mistake_in_a_tie_is_shown_at_a_tie():
    assert "(ties: " in one_line("maxpool", pool("into[window == window.max()] = d"))


def test_what_returns_too_little_is_told_that_alone():
    lines = told("softmax", "dz = p\nreturn dz")
    assert [line.split()[0] for line in lines[2:]] == ["dz"]


def test_an_error_in_every_case_is_no_mistake_that_ends_in_another_error():
    """W @ dy does not fit, nor does dy added to db: they must not be taken for one another."""
    found = verdict("linear", "self.db += np.zeros(77)")
    assert found.mistakes == [] and "ValueError" in found.lines[0]


def test_what_is_not_begun_is_called_so():
    body = 'raise NotImplementedError("write this")'
    (line,) = told("conv", body)
    assert line.startswith("mine.py, line ") and "Conv2d.backward is still to be written" in line
