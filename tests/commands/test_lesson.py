"""The example of the lesson runs, as it stands there."""

import re

from calling import sentence, small
from test_readme import ROOT

from minisgd.lab import own


def test_the_file_in_the_lesson_is_swept_with(call, small_mnist, tmp_path):
    text = (ROOT / "figures" / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.S)
    (tmp_path / "mine.py").write_text(example)
    (command,) = re.findall(r"(?m)^    python cli\.py (sweep --with mine\.py .*[^.])$", text)
    try:
        args = small(small_mnist, *command.split(), "--batch-sizes", "64,128", "--epochs", "2")
        done = call(*args, "--out", "out")
        assert "cube-root scaling, two-speeds" in done.stdout and done.stdout.count("  ok") == 2
        assert "two-speeds" in (tmp_path / "out" / "metrics.csv").read_text()
    finally:
        own.forget()


def test_readme_says_how_in_a_few_lines(call, small_mnist, tmp_path):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.split("## An idea of your own")[1].split("\n## ")[0]
    code = [line[4:] for line in section.splitlines() if line.startswith("    ")]
    command = code.pop()
    (tmp_path / "mine.py").write_text("\n".join(code))
    assert len([line for line in [*code, command] if line]) <= 6
    try:
        words = command.split()[2:]
        args = small(small_mnist, *words, "--batch-sizes", "64", "--epochs", "1", "--out", "out")
        assert "cube-root scaling" in call(*args).stdout
    finally:
        own.forget()


def test_a_mistake_that_only_some_settings_meet_is_one_sentence_with_its_line(call, tmp_path):
    text = "def mine(b, b0):\n    return 1 / (b - b0)\n\n\nRULES = {'mine': mine}\n"
    (tmp_path / "mine.py").write_text(text)
    try:
        args = ("rates", "--with", "mine.py", "--rule", "mine", "--batch-sizes", "64")
        assert "mine.py, line 2: ZeroDivisionError" in sentence(call(*args, code=2).stderr)
    finally:
        own.forget()
