"""exercise: what it writes, what it says, and with which exit code."""

from pathlib import Path

import pytest
from calling import program, sentence

from minisgd.exercises import EXERCISES, sheet


def test_without_a_name_all_of_them_are_listed(call):
    lines = call("exercise").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(EXERCISES)
    assert all(entry.title in line for entry, line in zip(EXERCISES.values(), lines, strict=True))


@pytest.mark.parametrize("name", EXERCISES)
def test_a_file_is_written_and_is_not_begun(name, call):
    said = call("exercise", name, "some/folder").stdout
    path = Path("some/folder") / f"{name.replace('-', '_')}.py"
    assert path.read_bytes() == sheet(name).read_bytes()
    assert said == f"{path} is yours to finish; then: python cli.py exercise --check {path}\n"
    assert f"python cli.py exercise --check {path.name}\n" in path.read_text("utf-8")


def test_a_file_that_is_there_is_left_alone(call):
    Path("relu.py").write_text("mine")
    said = sentence(call("exercise", "relu", code=1).stderr)
    assert "relu.py is there already and is left as it is" in said
    assert Path("relu.py").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_told(call):
    Path("file").write_text("")
    assert "cannot write file" in sentence(call("exercise", "relu", "file", code=1).stderr)


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("return b / b0", 0, "linear_rule.py is right: 9 numbers in 9 cases compared with values"),
        ("return b0 / b", 1, "It is upside down: your rate falls where the batch grows."),
        ("return b / o", 1, "NameError: name 'o' is not defined"),
        ('raise NotImplementedError("write this")', 1, "linear is still to be written"),
    ],
)
def test_the_exit_code_is_0_for_right_alone(body, code, said):
    assert program("exercise", "linear-rule").returncode == 0
    path = Path("linear_rule.py")
    text = path.read_text("utf-8").replace('raise NotImplementedError("write this")', body)
    path.write_text(text, "utf-8")
    done = program("exercise", "--check", path)
    assert (done.returncode, done.stderr) == (code, "") and said in done.stdout
    train = "Train with it: python cli.py sweep --with linear_rule.py --rule mine"
    assert (train in done.stdout) == (code == 0)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("nothing",), "'nothing' is not one of 'linear', 'relu'"),
        (("--check", "none.py"), "--check: cannot read none.py: No such file"),
        (("--check", "."), "--check: cannot read .: "),
        (("--check", "other.py"), "other.py does not say which exercise it is: it needs the line"),
        (("--check", "odd.py"), "odd.py is of an exercise 'odd', and there is none: the names are"),
        (("relu", "--check", "other.py"), "leave out NAME and DIR"),
    ],
)
def test_what_makes_no_sense_is_refused(args, said, call):
    Path("other.py").write_text("x = 1\n")
    Path("odd.py").write_text("EXERCISE = 'odd'\n")
    assert said in sentence(call("exercise", *args, code=2).stderr)
