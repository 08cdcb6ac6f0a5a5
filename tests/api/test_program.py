"""However the program is started, it is the same, and names its commands as one calls it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import minisgd
from minisgd import errors
from minisgd.commands.console import command_line
from minisgd.lab.ranks import over_mpi

ROOT = Path(__file__).parents[2]
STARTS = {"cli.py": [ROOT / "cli.py"], "module": ["-m", "minisgd"]}


def started(*args, **environment):
    return subprocess.run(
        [sys.executable, *map(str, args)], capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )  # fmt: skip


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_the_version_and_a_command(start):
    assert started(*start, "--version").stdout == f"minisgd {minisgd.__version__}\n"
    done = started(*start, "rates", "--epochs", "1", "--rule", "linear")
    assert done.returncode == 0 and done.stdout.splitlines()[2].split()[-1] == "1.28"


@pytest.mark.parametrize(
    ("start", "name"),
    list(zip(STARTS.values(), ("python cli.py", "python -m minisgd"), strict=True)), ids=STARTS,
)  # fmt: skip
def test_a_sentence_names_commands_as_they_are_called(start, name):
    done = started(*start, "verdicts")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr == f"Error: figures holds no results: run `{name} figures` first\n"


@pytest.mark.parametrize(
    ("called", "program", "typed", "mpi"),
    [
        ("cli.py", "python cli.py", "python cli.py train --lr .1", "cli.py"),
        ("../cli.py", "python cli.py", "python ../cli.py train --lr .1", "cli.py"),
        ("/x/minisgd/__main__.py", "python -m minisgd", "python -m minisgd train --lr .1",
         "-m minisgd"),
        ("/x/bin/minisgd", "minisgd", "minisgd train --lr .1", "-m minisgd"),
        ("minisgd.exe", "minisgd", "minisgd train --lr .1", "-m minisgd"),
        ("/x/pytest/__main__.py", "python cli.py", "python cli.py train --lr .1", "cli.py"),
    ],
)  # fmt: skip
def test_the_program_by_the_name_it_has(monkeypatch, called, program, typed, mpi):
    monkeypatch.setattr(sys, "argv", [called, "train", "--lr", ".1"])
    assert errors.program() == program and command_line() == typed
    assert over_mpi("mpi4py") == f"mpiexec -n 4 python -m mpi4py {mpi}"


def test_outside_a_checkout_it_is_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py"])
    monkeypatch.setattr(errors, "__file__", str(tmp_path / "minisgd" / "errors.py"))
    assert errors.program() == "minisgd"
    assert errors.install("page") == 'python -m pip install "minisgd[page]"'


def test_a_shell_completes_commands_options_and_their_values():
    def completed(words):
        given = {"_CLI_PY_COMPLETE": "bash_complete", "COMP_WORDS": words}
        done = started(ROOT / "cli.py", **given, COMP_CWORD=str(words.count(" ")))
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert completed("cli.py sw") == ["sweep"]
    assert completed("cli.py sweep --warmup-") == ["--warmup-epochs", "--warmup-updates"]
    assert completed("cli.py sweep --rule ") == ["none", "sqrt", "linear", "adam-sqrt"]
