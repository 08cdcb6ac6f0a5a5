"""How the tests run a command, and what they look for in what it says."""

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "cli.py"


def program(*args):
    """Run a command as a user does."""
    command = [sys.executable, str(PROGRAM), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def sentence(text):
    """The one sentence that a refusal is."""
    (line,) = text.strip().splitlines()
    assert line.startswith("Error: ") and "Traceback" not in line
    return line


def small(small_mnist, *args):
    return (*args, "--dataset", "glyphs", "--data-dir", small_mnist, "--device", "cpu")


def sweep_of(small_mnist, out, *args):
    more = ("sweep", "--batch-sizes", "64,128", "--epochs", "2", "--rule", "linear", *args)
    return small(small_mnist, *more, "--out", out)


NOT_MNIST = "NOT MNIST: the built-in digits drawn from fonts (glyphs)"


def on_glyphs(small_mnist, *args):
    more = ("--dataset", "glyphs", "--data-dir", small_mnist, "--device", "cpu")
    return (*args, *more, "--jobs", "2")


def run_on(data_dir, dataset="glyphs", out="out"):
    args = ("--dataset", dataset, "--data-dir", data_dir, "--out", out, "--device", "cpu")
    return ("train", "--batch-size", "640", "--epochs", "1", *args)


def epochs_of(out):
    """What the runs of a folder hold of their epochs, by run."""
    return {path.parent.name: path.read_bytes() for path in out.glob("*/epochs.jsonl")}


def bytes_of(folder="figures"):
    """The files of a folder and of those in it, by path."""
    paths = (path for path in Path(folder).rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}
