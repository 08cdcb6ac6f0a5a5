"""What the tests of the commands share: a place of their own, and a small dataset."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from calling import program, sweep_of
from click.testing import CliRunner

from minisgd.commands.group import cli
from minisgd.data import known as data
from minisgd.data.idx import digest_of
from minisgd.disk.files import make_folder
from minisgd.lab import sweep
from minisgd.lab.run_folder import RunFolder
from minisgd.networks import NETWORKS, size_of
from minisgd.optim import OPTIMIZERS
from minisgd.report import answer, answer_plan, answer_shown
from minisgd.train import State


@pytest.fixture(autouse=True)
def apart(monkeypatch, tmp_path):
    """Every test in an empty folder, without the data of whoever runs it, and without a network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINISGD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def call():
    """Run a command in this process; nothing but an exit may come out of it."""

    def call(*args, code=0):
        result = CliRunner().invoke(cli, [str(arg) for arg in args])
        if not isinstance(result.exception, SystemExit | None):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    return call


@pytest.fixture(scope="session")
def swept(small_mnist, tmp_path_factory):
    """(folder, finished process) of 2 batch sizes x 2 seeds x 2 epochs."""
    out = tmp_path_factory.mktemp("swept") / "out"
    return out, program(*sweep_of(small_mnist, out, "--seeds", "2", "--jobs", "2"))


@pytest.fixture
def copy(swept, tmp_path):
    """A copy of the finished sweep, to do something to."""
    return shutil.copytree(swept[0], tmp_path / "copy")


@pytest.fixture
def short(monkeypatch):
    """The experiments with an epoch a run, few runs, and the seeds of luck."""
    from minisgd.report import experiments

    for name, experiment in experiments.EXPERIMENTS.items():
        settings = tuple(
            replace(s, batch_size=s.batch_size // 32, epochs=1, warmup="none")
            for s in (experiment.settings[0], experiment.settings[-1])
        )
        few = replace(experiment, settings=settings, lucky=(256,), apart=(256,))
        monkeypatch.setitem(experiments.EXPERIMENTS, name, few)


@pytest.fixture
def as_mnist(small_mnist, small_data, monkeypatch):
    """The small files taken for MNIST: their folder."""
    arrays = [small_data.train.images, small_data.train.labels]
    arrays += [small_data.test.images, small_data.test.labels]
    digests = tuple(digest_of(array) for array in arrays)
    monkeypatch.setitem(data.KNOWN, "mnist", data.Known(digests, title="MNIST"))
    return small_mnist / "glyphs"


@pytest.fixture
def mnist_copy(as_mnist, tmp_path):
    """A copy of the folder of as_mnist, to damage."""
    return shutil.copytree(as_mnist, tmp_path / "data" / "mnist")


@pytest.fixture
def small_answer(monkeypatch):
    """`answer` with three batch sizes, two trials and two epochs, and made-up records instead of
    training.
    """
    names = ("nesterov", "adam", "lars", "lamb", "muon")
    monkeypatch.setattr(answer, "BUDGET", {64: (2, 1), 128: (2, 1), 320: (2, 0)})
    monkeypatch.setattr(answer, "LEFT", 540)
    methods = {}
    for name in names:
        method = answer.METHODS[name]
        guesses = {64: method.guesses[64], 128: method.guesses[64], 320: method.guesses[8192]}
        base = replace(method.base, epochs=2)
        methods[name] = replace(method, base=base, guesses=guesses)
    searches = {(name, b): methods[name].search(b) for b in (64, 320) for name in names}
    searches |= {
        ("adam", 128): methods["adam"].search(128, answer.REMEMBERING),
        ("lars", 128): methods["lars"].search(128),
    }
    for module in (answer, answer_plan, answer_shown):
        monkeypatch.setattr(module, "METHODS", methods)
        monkeypatch.setattr(module, "SEARCHES", searches)
        monkeypatch.setattr(module, "SIZES", (64, 128, 320))
        monkeypatch.setattr(module, "LARGE", 320)
    monkeypatch.setattr(answer, "SEARCHED", (64, 320))
    monkeypatch.setattr(answer, "HELD_OUT", 100)
    small = {"RULED": 128, "RAMP": 2, "WARM": 1, "FACTORS": (0.5, 1.0), "FOLLOWING": "x4@2"}
    for name, value in small.items():
        monkeypatch.setattr(answer_plan, name, value)

    w = np.zeros(size_of(NETWORKS["lenet5"]), np.float32)

    def made_up(out, cells, data, *_):
        for cell in cells:
            folder = RunFolder(out, cell, data.identity)
            make_folder(folder.path)
            folder.resume(print)
            accuracy = 0.9 + 0.05 * cell.momentum + 0.001 * cell.seed
            measured = {"train_loss": 1.0, "train_accuracy": 0.5, "test_loss": cell.lr}
            ends = {"test_accuracy": accuracy, "seconds": 1.0, "status": "ok", "lr": cell.lr}
            records = [{"epoch": k, **measured, **ends} for k in range(1, cell.epochs + 1)]
            memory = {name: w for name in OPTIMIZERS[cell.optimizer].memory}
            folder.save(records, State(cell.epochs, w, memory), new=cell.epochs)
        return {}

    monkeypatch.setattr(sweep, "run_cells", made_up)
