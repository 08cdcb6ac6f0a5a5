"""A user's own file: its entries, its digest, and the messages about its mistakes."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from minisgd.errors import SettingError, UserError
from minisgd.lab import own
from minisgd.lab.checkpoints import read_checkpoint
from minisgd.lab.cluster import whole_run
from minisgd.lab.names import folder_name, run_name, title_of
from minisgd.lab.sweep import Question, load_folder, open_folder
from minisgd.lab.workers import BrokenRun, run_cell, run_cells
from minisgd.model import Model
from minisgd.networks import NETWORKS
from minisgd.optim import OPTIMIZERS
from minisgd.rules import RULES
from minisgd.settings import Settings
from minisgd.train import train

OPTIMIZER = "from minisgd.optim import Optimizer\nOPTIMIZERS = {'f': "
INIT = "import numpy as np\n\ndef f(rng, shape, fan_in):\n    return "
MINE = Path(__file__).with_name("mine.py")


@pytest.fixture
def mine():
    found = own.read(MINE)
    yield found
    own.forget()


def written(tmp_path, text):
    (tmp_path / "own.py").write_text(text)
    return tmp_path / "own.py"


def mine_settings(found, **more):
    return Settings(
        50, rule="cube-root", warmup="half", warmup_updates=3, decay="staircase",
        optimizer="two-speeds", network="leaky", init="normal", loss="smoothed", own=found.digest,
        epochs=2, **more,
    )  # fmt: skip


def test_every_kind_of_entry_is_used(mine, small_data):
    settings = mine_settings(mine, lr=0.08, base_batch_size=400)
    # 0.08 (50/400)^(1/3) = 0.04: half of it for 3 of 26 updates, all of it for 12, a third for 11
    wanted = [0.02] * 3 + [0.04] * 12 + [0.04 / 3] * 11
    assert [settings.rate(t, 13) for t in range(26)] == pytest.approx(wanted)
    assert len(Model("leaky").w) == 784 * 30 + 30 + 300 + 10
    w = Model("leaky", init="normal").w[: 784 * 30]
    assert w.std() == pytest.approx((2 / 784) ** 0.5, rel=0.03) and np.abs(w).max() > 3 * w.std()
    *_, (record, state) = train(settings, small_data)
    assert set(state.memory) == {"fast", "slow"} and record["status"] == "ok"
    assert record["lr"] == pytest.approx(0.04 / 3)
    assert not np.array_equal(state.memory["fast"], state.memory["slow"])


def test_a_rule_may_return_a_number_of_numpy(small_data, tmp_path):
    text = "import numpy as np\nRULES = {'f': lambda b, b0: np.float32(2)}\n"
    text += "DECAYS = {'g': lambda t, T: np.float32(1 - t / T)}\n"
    found = own.read(written(tmp_path, text))
    try:
        settings = Settings(160, rule="f", decay="g", epochs=2, own=found.digest)
        assert run_cells(tmp_path, [settings], small_data) == {}
        lines = (tmp_path / run_name(settings) / "epochs.jsonl").read_text().splitlines()
        assert [json.loads(line)["lr"] for line in lines] == pytest.approx([0.02 * 5 / 8, 0.02 / 8])
    finally:
        own.forget()


def test_names_and_titles_follow_from_the_entries(mine):
    settings = mine_settings(mine)
    name = run_name(settings)
    words = "cube-root half3u staircase two-speeds leaky normal smoothed-loss".split()
    for word in (*words, f"own{mine.digest}"):
        assert word in name
        assert word in folder_name(settings, "mnist") or word.startswith("own")
    title = title_of(settings, "mnist")
    assert title.startswith("leaky on MNIST: cube-root scaling, half warmup over 3 updates")
    assert "two-speeds" in title and "staircase decay, normal initialization" in title
    assert "smoothed loss" in title


def test_her_optimizer_may_read_any_setting(mine):
    assert mine_settings(mine, beta2=0.5).key() != mine_settings(mine).key()


def test_processes_have_the_entries_and_end_in_the_same_bits(mine, small_data, tmp_path):
    cells = [mine_settings(mine), replace(mine_settings(mine), batch_size=64)]
    assert run_cells(tmp_path, cells, small_data, jobs=2) == {}
    (tmp_path / "alone").mkdir()
    for cell in cells:
        run_cell(tmp_path / "alone", cell, small_data)
        one, other = (
            read_checkpoint(folder / run_name(cell) / "checkpoint.npz")[2]
            for folder in (tmp_path, tmp_path / "alone")
        )
        assert np.array_equal(one.w, other.w)
        assert all(np.array_equal(one.memory[k], other.memory[k]) for k in ("fast", "slow"))


def test_a_changed_file_is_another_run_and_the_folder_says_so(mine, small_data, tmp_path):
    common = mine_settings(mine)
    open_folder(tmp_path, Question(common, (50,), (0,)), small_data, "a command", print)
    own.forget()
    changed = own.read(written(tmp_path, MINE.read_text() + "\n# changed\n"))
    assert changed.digest != mine.digest
    other = replace(common, own=changed.digest)
    assert run_name(other) != run_name(common) and other.key() != common.key()
    assert folder_name(other, "mnist") == folder_name(common, "mnist")  # so that it is noticed
    with pytest.raises(SettingError, match="--with was another one, or has changed since"):
        open_folder(tmp_path, Question(other, (50,), (0,)), small_data, "a command", print)


def test_a_folder_made_with_a_file_asks_for_it(mine, small_data, tmp_path):
    open_folder(
        tmp_path, Question(mine_settings(mine), (50,), (0,)), small_data, "a command", print
    )
    own.forget()
    with pytest.raises(SettingError, match=r"made with a file of your own .*: give it with --with"):
        load_folder(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n\ny = unknown\n", r"own\.py, line 3: NameError: name 'unknown' is not defined"),
        ("def f(:\n", r"own\.py, line 1: "),
        ("import minisgd\n\n\ndef f():\n    return 1 / 0\n\nf()\n", r"own\.py, line 5: ZeroDiv"),
        ("RULES = []\n", "adds nothing"),
        ("x = 1\n", "adds nothing.*RULES, WARMUPS, DECAYS, OPTIMIZERS, NETWORKS, INITS, LOSSES"),
        ("RULES = {'mine': max, 'sqrt': max}\n", "'sqrt' in its RULES, and so has another table"),
        ("raise SystemExit(3)\n", "line 1: SystemExit: 3"),
        (
            "class D(dict):\n    def keys(self):\n        raise SystemExit\n"
            "    def __iter__(self):\n        raise SystemExit\n\nRULES = D(f=max)\n",
            "line [35]: SystemExit$",
        ),
        ("RULES = {'a/b': max}\n", "'a/b' of its RULES needs a name of letters"),
        ("\ndef f(b):\n    return b\nRULES = {'f': f}\n", r"line 2: 'f' .*takes 1 positional"),
        ("def f(b, b0):\n    return b / 0\nRULES = {'f': f}\n", r"line 1: 'f' .*line 2: ZeroDiv"),
        (
            "def f(t, T):\n    t / T\nDECAYS = {'f': f}\n",
            "line 1: 'f' .*returns None, not a number",
        ),
        ("def f(i, k, a, b):\n    return 'a'\nWARMUPS = {'f': f}\n", "line 1: 'f' .*returns 'a'"),
        ("OPTIMIZERS = {'f': max}\n", r"should be an Optimizer\(step, memory"),
        (OPTIMIZER + "Optimizer(lambda w, g: 1)}\n", "line 2: 'f' .*too many positional"),
        (OPTIMIZER + "Optimizer(print, memory='v')}\n", r"a tuple of names, \(\"v\",\) for one: v"),
        ("NETWORKS = {'f': 3}\n", "'f' of its NETWORKS cannot be used: TypeError: 'int'"),
        ("NETWORKS = {'f': ['x']}\n", r"it should be a list of networks\.Part"),
        ("from minisgd.networks import RELU\nNETWORKS = {'f': [RELU]}\n", "that has weights"),
        (
            "from minisgd.networks import FLATTEN, linear\n"
            "NETWORKS = {'f': [FLATTEN, linear('fc', 784, 10**9), linear('out', 10**9, 10)]}\n",
            "at most 16,000,000 weights, this one 795,000,000,010",
        ),
        ("def f(rng, shape):\n    return 0\nINITS = {'f': f}\n", r"line 1: 'f' .*takes 2 posit"),
        (
            INIT + "0.0\nINITS = {'f': f}\n",
            r"for the shape \(6, 1, 5, 5\) it should return as many",
        ),
        (INIT + "rng.random(shape) * np.inf\nINITS = {'f': f}\n", "as many finite numbers"),
        (
            INIT + "np.random.random(shape)\nINITS = {'f': f}\n",
            "line 3: 'f' .*draw from the generator that it is given",
        ),
        (
            "def f(z, y, B):\n    return 0.0, 0, z[0]\nLOSSES = {'f': f}\n",
            "line 1: 'f' of its LOSSES .*return loss, correct and dz",
        ),
    ],
    ids=[
        "a name",
        "syntax",
        "in a function",
        "a list",
        "nothing",
        "taken",
        "exit",
        "a dict of its own",
        "a slash",
        "arguments",
        "in a call",
        "None",
        "a word",
        "no Optimizer",
        "a step",
        "memory",
        "no list",
        "no Part",
        "no weights",
        "too many weights",
        "a draw",
        "one number",
        "infinite",
        "another generator",
        "a derivative",
    ],
)
def test_mistakes_in_the_file_are_told_with_their_line(tmp_path, text, said):
    before = len(RULES), len(OPTIMIZERS), len(NETWORKS)
    with pytest.raises(SettingError, match=said) as error:
        own.read(written(tmp_path, text))
    assert "\n" not in str(error.value)
    assert before == (len(RULES), len(OPTIMIZERS), len(NETWORKS)) and own.loaded() is None


def test_one_name_in_two_tables_is_refused(tmp_path):
    """Both would be called so in the name of a run's folder."""
    text = "def mine(*given):\n    return 1.0\n\nRULES = {'mine': mine}\nDECAYS = {'mine': mine}\n"
    with pytest.raises(SettingError, match="'mine' in its RULES, and so has another table"):
        own.read(written(tmp_path, text))


def test_an_optimizer_that_does_not_change_w_in_place_is_told(small_data, tmp_path):
    text = """
from minisgd.optim import Optimizer

def rebinds(w, g, memory, lr, t, settings, shapes):
    w = w - lr * g

OPTIMIZERS = {"rebinds": Optimizer(rebinds)}
"""
    found = own.read(written(tmp_path, text))
    try:
        settings = Settings(320, optimizer="rebinds", own=found.digest, epochs=2)
        with pytest.raises(UserError, match="rebinds left every weight as it was"):
            list(train(settings, small_data))
    finally:
        own.forget()


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(SettingError, match=r"cannot read .*none\.py: No such file"):
        own.read(tmp_path / "none.py")
    with pytest.raises(SettingError, match=r"cannot read .*: embedded null byte"):
        own.read(tmp_path / "no\0ne.py")


def test_an_error_while_training_names_the_line_and_the_traceback(small_data, tmp_path):
    text = MINE.read_text().replace("    slow += g\n", "    slow += g / len(memory['none'])\n")
    line = text[: text.index("slow += g /")].count("\n") + 1
    (tmp_path / "out").mkdir()
    found, said = own.read(written(tmp_path, text)), []
    cell = mine_settings(found)
    try:
        failures = run_cells(tmp_path / "out", [cell], small_data, log=said.append)
    finally:
        own.forget()
    path = tmp_path / "out" / run_name(cell) / "error.txt"
    assert failures[cell].startswith(f"{tmp_path / 'own.py'}, line {line}: KeyError: 'none'")
    assert str(path) in failures[cell] and said == []  # once is enough
    assert f'own.py", line {line}' in path.read_text()
    assert "slow += g / len(memory['none'])" in path.read_text()  # the line itself


def test_an_error_whose_message_is_no_text_is_told(small_data, tmp_path):
    raised = "    raise ValueError('caf\\udce9')\n"
    found = own.read(written(tmp_path, MINE.read_text().replace("    slow += g\n", raised)))
    try:
        with pytest.raises(BrokenRun, match="ValueError: caf\udce9 "):
            run_cell(tmp_path, mine_settings(found), small_data)
    finally:
        own.forget()
    (path,) = tmp_path.rglob("error.txt")
    assert path.read_text("utf-8").endswith("ValueError: caf\\udce9\n")


def test_an_iterator_that_has_ended_is_told_with_its_line(small_data, tmp_path):
    """Training is a generator, which a StopIteration ends as a RuntimeError."""
    text = MINE.read_text().replace("    slow += g\n", "    next(iter(()))\n")
    line = text[: text.index("next(iter")].count("\n") + 1
    cell = mine_settings(own.read(written(tmp_path, text)))
    try:
        failures = run_cells(tmp_path, [cell], small_data)
    finally:
        own.forget()
    assert failures[cell].startswith(f"{tmp_path / 'own.py'}, line {line}: ")


@pytest.mark.parametrize("base", ["Exception", "BaseException", "SystemExit"])
def test_an_error_of_any_class_is_told(small_data, tmp_path, base):
    """It may be no Exception, and its message may fail."""
    odd = f"class Odd({base}):\n    def __str__(self):\n        raise ValueError\n\n\n"
    text = odd + MINE.read_text().replace("    slow += g\n", "    raise Odd\n")
    line = text[: text.index("raise Odd")].count("\n") + 1
    file = own.read(written(tmp_path, text))
    cell = mine_settings(file)
    try:
        failures = run_cells(tmp_path, [cell], small_data)  # in another process, and in this one
        with pytest.raises(UserError) as error:
            run_cell(tmp_path, cell, small_data)
        with pytest.raises(BrokenRun) as far:  # on another machine
            whole_run(cell, small_data, "cpu", 1, None, file)
    finally:
        own.forget()
    for said in (failures[cell], str(error.value)):
        assert said.startswith(f"{tmp_path / 'own.py'}, line {line}: Odd (the whole traceback")
    arrived = pickle.loads(pickle.dumps(far.value))
    assert str(arrived) == f"{tmp_path / 'own.py'}, line {line}: Odd"
    assert "raise Odd" in arrived.traceback
    with pytest.raises(SettingError, match=r"line 6: Odd$"):
        own.read(written(tmp_path, odd + "raise Odd\n"))


def test_a_worker_may_be_given_one_file_after_another(mine, tmp_path):
    other = own.OwnFile("other.py", "RULES = {'other': lambda b, b0: 2.0}\n")
    own.add(other)
    assert "other" in RULES and "cube-root" not in RULES and "leaky" not in NETWORKS
    own.add(mine)
    assert "cube-root" in RULES and "other" not in RULES


def test_a_memory_that_could_not_be_kept_ends_the_run(small_data, tmp_path):
    """It would be written, and called damaged when the run goes on."""
    step = "    w -= lr * (fast + slow) / 2\n"
    text = MINE.read_text().replace(step, step + "    memory['fast'] = fast.astype('d')\n")
    found = own.read(written(tmp_path, text))
    try:
        with pytest.raises(
            ValueError, match=r"two-speeds made its memory 'fast' \(23860,\) float64"
        ):
            next(train(mine_settings(found), small_data))
    finally:
        own.forget()
