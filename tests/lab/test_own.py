"""A user's own file: its entries, its digest, and what is said of its mistakes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from minisgd.errors import SettingError
from minisgd.lab import own
from minisgd.lab.names import folder_name, run_name, title_of
from minisgd.lab.run_folder import read_checkpoint
from minisgd.lab.sweep import Question, load_folder, open_folder
from minisgd.lab.workers import run_cell, run_cells
from minisgd.model import Model
from minisgd.networks import NETWORKS
from minisgd.optim import OPTIMIZERS
from minisgd.rules import RULES
from minisgd.settings import Settings
from minisgd.train import train

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
        optimizer="two-speeds", network="leaky", own=found.digest, epochs=2, **more,
    )  # fmt: skip


def test_every_kind_of_entry_is_used(mine, small_data):
    settings = mine_settings(mine, lr=0.08, base_batch_size=400)
    # 0.08 (50/400)^(1/3) = 0.04; half of it for 3 of 26 updates, then 23 of which 12 come first
    wanted = [0.02] * 3 + [0.04] * 12 + [0.04 / 3] * 11
    assert [settings.rate(t, 13) for t in range(26)] == pytest.approx(wanted)
    assert len(Model("leaky").w) == 784 * 30 + 30 + 300 + 10
    *_, (record, state) = train(settings, small_data)
    assert set(state.memory) == {"fast", "slow"} and record["status"] == "ok"
    assert record["lr"] == pytest.approx(0.04 / 3)
    assert not np.array_equal(state.memory["fast"], state.memory["slow"])


def test_names_and_titles_follow_from_the_entries(mine):
    settings = mine_settings(mine)
    name = run_name(settings)
    for word in ("cube-root", "half3u", "staircase", "two-speeds", "leaky", f"own{mine.digest}"):
        assert word in name
        assert word in folder_name(settings, "mnist") or word.startswith("own")
    title = title_of(settings, "mnist")
    assert title.startswith("leaky on MNIST: cube-root scaling, half warmup over 3 updates")
    assert "two-speeds" in title and "staircase decay" in title


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
        ("x = 1\n", "adds nothing.*RULES, WARMUPS, DECAYS, OPTIMIZERS, NETWORKS"),
        ("RULES = {'mine': max, 'sqrt': max}\n", "'sqrt' in its RULES, and so has minisgd"),
    ],
    ids=["a name", "syntax", "in a function", "a list", "nothing", "taken"],
)
def test_mistakes_in_the_file_are_told_with_their_line(tmp_path, text, said):
    before = len(RULES), len(OPTIMIZERS), len(NETWORKS)
    with pytest.raises(SettingError, match=said) as error:
        own.read(written(tmp_path, text))
    assert "\n" not in str(error.value)
    assert before == (len(RULES), len(OPTIMIZERS), len(NETWORKS)) and own.loaded() is None


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(SettingError, match=r"cannot read .*none\.py: No such file"):
        own.read(tmp_path / "none.py")


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


def test_a_worker_may_be_given_one_file_after_another(mine, tmp_path):
    other = own.OwnFile("other.py", "RULES = {'other': lambda b, b0: 2.0}\n")
    own.add(other)
    assert "other" in RULES and "cube-root" not in RULES and "leaky" not in NETWORKS
    own.add(mine)
    assert "cube-root" in RULES and "other" not in RULES
