"""A wheel holds the program alone, and runs in a bare environment, far from any checkout."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

import minisgd

ROOT = Path(__file__).parents[2]
# In the package, but not of the program: its pages, which are read in the repository.
PAGES = {"README.md"}


def run(*command, **more):
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=900, **more
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """The python of an empty environment whose pip finds packages; the tests need one that does."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    code, _, said = run(
        python, "-m", "pip", "install", "-q", "--retries", "1", "setuptools>=64", "wheel"
    )
    if code:
        pytest.skip(f"pip cannot install anything here: {said.strip().splitlines()[-1]}")
    return python


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A copy of what a wheel is built from, so that nothing is built in the checkout."""
    folder = tmp_path_factory.mktemp("sources") / "minisgd"
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "runs", "figures", ".*")
    shutil.copytree(ROOT, folder, ignore=unwanted)
    return folder


@pytest.fixture(scope="module")
def wheel(bare, sources, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    build = "-m pip wheel -q --no-deps --no-build-isolation -w".split()
    code, out, said = run(bare, *build, folder, sources)
    assert code == 0, out + said
    (wheel,) = folder.iterdir()
    return wheel


@pytest.fixture(scope="module")
def installed(bare, wheel):
    """The folder of the scripts of an environment that holds the wheel and what it asks for."""
    code, out, said = run(bare, "-m", "pip", "install", "-q", wheel)
    assert code == 0, out + said
    return bare.parent


@pytest.fixture
def program(installed, tmp_path):
    """Run the command minisgd in an empty folder."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MINISGD", "COV"))}
    clean |= {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    (tmp_path / "here").mkdir()

    def program(*args, start=("minisgd",)):
        start = (installed / start[0], *start[1:])
        return run(*start, *args, cwd=tmp_path / "here", env=clean)

    return program


def test_it_holds_the_program_and_nothing_else(wheel, sources):
    inside = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = {path for path in (sources / "minisgd").rglob("*") if path.is_file()}
    needed = {path.relative_to(sources).as_posix() for path in files if path.name not in PAGES}
    assert inside == needed
    assert wheel.name.startswith(f"minisgd-{minisgd.__version__}-py3-none-any")


def test_it_is_the_program(program):
    version = f"minisgd {minisgd.__version__}\n"
    assert program("--version")[:2] == (0, version)
    assert program("--version", start=("python", "-m", "minisgd"))[:2] == (0, version)
    code, out, said = program("rates", "--rule", "linear", "--epochs", "1")
    assert (code, said) == (0, "") and out.splitlines()[2].split()[-1] == "1.28"
    code, out, said = program("--help")
    assert code == 0 and out.startswith("Usage: minisgd [OPTIONS] COMMAND")


def test_it_trains_and_sweeps_where_it_is(program, small_mnist, tmp_path):
    few = "--dataset", "glyphs", "--data-dir", small_mnist, "--epochs", "1", "--device", "cpu"
    code, out, said = program("train", "--batch-size", "640", *few)
    assert code == 0 and "epoch   1" in out and "Traceback" not in said, said
    (results,) = (tmp_path / "here" / "runs").iterdir()
    assert '"command": "minisgd train --batch-size 640 ' in (results / "sweep.json").read_text()
    code, out, said = program("sweep", "--batch-sizes", "320,640", *few)
    assert code == 0 and out.count("  ok\n") == 2, said


def test_it_trains_from_python(program, small_mnist):
    code = (
        "import minisgd; "
        f"records = minisgd.train(640, epochs=1, dataset='glyphs', data_dir={str(small_mnist)!r});"
        "print(minisgd.table(records)); minisgd.plots.accuracy_figure(records, '')._repr_png_()"
    )
    done, out, said = program("-c", code, start=("python",))
    assert done == 0 and out.splitlines()[1].split()[0] == "640", said


def test_outside_a_checkout_a_command_of_the_report_says_what_to_do(program, tmp_path):
    code, out, said = program("verdicts")
    assert (code, out) == (1, "")
    assert said == "Error: figures holds no results: run `minisgd figures` first\n"
    for command in ("figures", "answer"):
        code, out, said = program(command, "--data-dir", "nothing", "--dataset", "idx")
        assert code == 1 and said.splitlines()[-1].startswith("Error: nothing "), said
        assert "Traceback" not in said
    assert program("doctor")[0] == 0
