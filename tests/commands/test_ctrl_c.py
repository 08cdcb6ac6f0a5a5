"""Ctrl-C: what is kept, what is said, and that no process stays behind."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from calling import PROGRAM, epochs_of, program, small, sweep_of

from minisgd.page.library import available


def test_ctrl_c_in_a_single_run_says_what_is_kept(call, small_mnist, interrupted):
    args = small(small_mnist, "train", "--batch-size", "640", "--epochs", "4", "--out", "out")
    with interrupted(3):
        stopped = call(*args, code=130)
    assert "Stopped. 2 whole epochs are kept in out" in stopped.stderr
    assert [line.split()[1] for line in call(*args).stdout.splitlines() if line[:5] == "epoch"] == [
        "3",
        "4",
    ]


def group(number):
    """Processes of a process group that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = stat.read_text().rsplit(")", 1)[1].split()[:3]
        except OSError:
            continue
        if int(group) == number and state not in "ZX":
            found.append(int(stat.parent.name))
    return found


def ended_by(send, number, args, out):
    """Start the program in a process group, and send it a signal after the first epoch in `out`.

    send     os.kill, or os.killpg for the whole group, as a terminal does
    Returns: (exit code, what it said); no process of the group is left
    """
    process = subprocess.Popen(
        [str(part) for part in (sys.executable, PROGRAM, *args)], start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # A suite that was started in the background ignores SIGINT, and so would its children.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while not any(b"\n" in path.read_bytes() for path in out.rglob("epochs.jsonl")):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        send(process.pid, number)
        said = process.communicate(timeout=30)[1]
        until = time.monotonic() + 10
        while group(process.pid) and time.monotonic() < until:
            time.sleep(0.02)
        assert group(process.pid) == []
    finally:
        if group(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, said


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_ctrl_c_says_what_is_kept_leaves_no_process_and_the_same_command_goes_on(
    small_mnist, tmp_path
):
    out = tmp_path / "out"
    args = ("--batch-sizes", "64,128", "--epochs", "16", "--jobs", "2")
    asked = sweep_of(small_mnist, out, *args)
    code, said = ended_by(os.killpg, signal.SIGINT, asked, out)
    assert code == 130 and "Traceback" not in said
    kept = int(re.search(r"Stopped\. (\d+) whole epochs? (?:is|are) kept in ", said)[1])
    before = epochs_of(out)
    assert kept == sum(text.count(b"\n") for text in before.values()) and 1 <= kept < 32
    assert "the same command goes on from there" in said
    if available():
        page = (out / "index.html").read_text("utf-8")
        assert "It was stopped: the same command goes on from there" in page

    again = program(*sweep_of(small_mnist, out, *args))
    assert again.returncode == 0, again.stderr
    after = epochs_of(out)
    assert all(text.count(b"\n") == 16 for text in after.values()) and len(after) == 2
    assert all(after[name].startswith(text) for name, text in before.items())
    assert (out / "table.txt").read_text().count(" ok\n") == 2


def test_an_interrupt_that_code_of_the_user_raises_is_one(call, tmp_path):
    """It carries a text, where that of a signal carries its number."""
    text = "def f(b, b0):\n    raise KeyboardInterrupt('why')\n\nRULES = {'f': f}\n"
    (tmp_path / "mine.py").write_text(text)
    said = call("rates", "--with", tmp_path / "mine.py", "--rule", "f", code=130).stderr
    assert said.splitlines()[-1] == "Stopped."


def test_an_interrupt_while_the_options_are_read_is_one_too(call, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt(signal.SIGTERM)

    monkeypatch.setattr(click.Group, "make_context", interrupted)
    assert call("rates", code=128 + signal.SIGTERM).stderr == "\nStopped.\n"


INTERRUPTED = """
import os, signal, sys

class Finder:
    def find_spec(self, name, *rest):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
sys.argv = ["cli.py", "rates"]
from minisgd.__main__ import main
main()
"""


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX does")
@pytest.mark.parametrize(
    ("module", "code", "said"), [("click", -signal.SIGINT, ""), ("numpy", 130, "\nStopped.\n")]
)
def test_ctrl_c_is_no_traceback_while_modules_are_loaded(module, code, said):
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(module=module)], capture_output=True, text=True,
        cwd=PROGRAM.parent, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert (ended.returncode, ended.stderr, ended.stdout) == (code, said, "")
