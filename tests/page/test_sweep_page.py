"""The page of a sweep in a browser: its numbers, how it follows, and text that stays text."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from looking import Looked, Select
from made_up_folder import records

from minisgd import rules
from minisgd.disk.files import StorageError, write_aside
from minisgd.lab.sweep import Question
from minisgd.settings import Settings

PROGRAM = Path(__file__).parents[2] / "cli.py"
COMMON = Settings(rule="linear", epochs=4)
CELLS = [replace(COMMON, batch_size=b, seed=s) for b in (64, 128) for s in (0, 1)]
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;"


@pytest.fixture(scope="module")
def page_of():
    pytest.importorskip("vl_convert", reason="what draws the pages is not installed")
    from minisgd.page.sweep import page

    return page


def collected(epochs, **states):
    """The runs of CELLS after so many epochs of each."""
    return [(cell, records(cell, 0.95, **states)[:epochs], None) for cell in CELLS]


def write(path, page_of, runs, going_on=None, title="a title"):
    write_aside(path, page_of(title, None, runs, "python cli.py sweep", going_on))
    return path


def test_a_sweep_that_is_over_shows_its_table_and_stands_still(look, page_of, tmp_path):
    page = look(write(tmp_path / "index.html", page_of, collected(4)))
    assert page.text("#now p") == "4 of 4 runs are over, 16 of 16 epochs are done."
    rows = page.table("#outcome table")
    assert rows == [["64", "0.01", "2", "0.9500", "0.9500", "-", "2 ok"],
                    ["128", "0.02", "2", "0.9500", "0.9500", "-", "2 ok"]]  # fmt: skip
    assert page.lines() == 2
    page.tick("[data-choice=zoom]")
    page.choose("show", "seeds")
    assert page.lines() == 4
    assert not page.all("iframe") and page.js("return DATA.live") is None


def test_runs_of_one_epoch_stand_in_the_middle(look, page_of, tmp_path):
    page = look(write(tmp_path / "index.html", page_of, collected(1)))
    assert page.axis("#curves", "x") == ("epoch", ["1"])
    at, left, right = page.js(
        "const of = (css) => document.querySelector('#curves ' + css).getBoundingClientRect();"
        "const [plot, point] = [of('.role-frame .background'), of('.mark-symbol path')];"
        "return [point.x + point.width / 2, plot.left, plot.right]"
    )
    assert at == pytest.approx((left + right) / 2, abs=2)
    assert not page.one("#at").is_enabled()


def test_the_same_runs_give_the_same_page(page_of):
    assert page_of("t", None, collected(4), "c") == page_of("t", None, collected(4), "c")


def test_what_writes_a_page_does_not_load_matplotlib():
    """A sweep writes one while its first updates are made, and Matplotlib takes long to load."""
    modules = "minisgd.page.sweep, minisgd.commands.live, minisgd.commands.plot"
    script = f"import sys, {modules}; print('matplotlib' in sys.modules)"
    asked = [sys.executable, "-c", script]
    done = subprocess.run(asked, cwd=PROGRAM.parent, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_live_page_follows_and_keeps_what_was_chosen(look, page_of, tmp_path):
    path = write(tmp_path / "index.html", page_of, collected(1), 100)
    page = look(path, scheme="dark")
    assert "0 of 4 runs are over, 4 of 16 epochs are done; about 2 minutes left" in page.text(
        "#now"
    )
    assert page.table("#outcome table")[0][-1] == "2 going on"
    page.tick("[data-choice=zoom]")
    page.tick("#choices input[value='128']")
    kept = page.js("window.stays = 1; return location.hash")
    write(path, page_of, collected(2, stuck=(1, 2)), 50)
    page.wait("document.querySelector('#now').innerText.includes('8 of 16 epochs')")
    assert "b = 64, seed 0: stuck (from epoch 1)" in page.text("#now")
    assert page.text(".cursor") == "epoch 2"  # the cursor stays at the end
    assert page.one("[data-choice=zoom]").is_selected() and page.lines() == 1
    assert page.js("return location.hash") == kept and page.js("return window.stays") == 1
    write(path, page_of, collected(4))
    page.wait("document.querySelector('#now').innerText.includes('16 of 16 epochs')")
    assert page.js("return DATA.live") is None
    page.wait("!document.querySelector('iframe')")


def test_an_epoch_of_no_time_that_makes_sense_is_waited_for_no_longer_than_thirty_years(
    page_of, tmp_path
):
    ((settings, (record, *_), failure), *_) = collected(1)
    slow = [(settings, [record | {"seconds": 1e308}], failure)]
    text = write(tmp_path / "index.html", page_of, slow, 50).read_text("utf-8")
    assert json.loads(re.search(r'"live":({[^}]*})', text)[1])["patience"] == 10**9


def test_a_sweep_that_was_killed_is_silent(look, page_of, tmp_path):
    path = write(tmp_path / "index.html", page_of, collected(2), 50)
    text = path.read_text("utf-8")
    said = json.loads(re.search(r'"live":({[^}]*})', text)[1])
    assert said["patience"] == 120
    assert Looked.text(look(path), "#silence") == ""
    long_ago = text.replace(f'"written":{said["written"]}', f'"written":{said["written"] - 700}')
    path.write_text(long_ago, "utf-8")
    page = look(path)
    assert "Nothing has come in for 11 minutes" in page.text("#silence")
    write(path, page_of, collected(3), 50)  # the same command was given again
    page.wait("document.querySelector('#now').innerText.includes('12 of 16 epochs')")
    assert page.text("#silence") == ""


def test_hostile_names_show_as_text(look, page_of, tmp_path, monkeypatch):
    monkeypatch.setitem(rules.RULES, HOSTILE, lambda b, b0: 1.0)
    cells = [replace(cell, rule=HOSTILE) for cell in CELLS[:2]] + CELLS[2:]
    runs = [(cell, records(cell, 0.95), None) for cell in cells]
    runs[0] = (cells[0], [], HOSTILE)
    folder = tmp_path / "<img src=x onerror=alert(3)>"
    folder.mkdir()
    path = folder / "index.html"
    write_aside(path, page_of(HOSTILE, HOSTILE, runs, f"sweep {HOSTILE}"))
    page = look(path)
    assert page.text("h1") == HOSTILE and page.text(".note") == HOSTILE
    assert HOSTILE in page.text("#now") and HOSTILE in page.text("code")
    assert HOSTILE in page.text("#values") and HOSTILE in page.one("#curves svg").text
    rules_there = Select(page.one("#choices select[data-choice=rule]"))
    place = [option.text for option in rules_there.options].index(HOSTILE)
    page.changed("#curves", lambda: rules_there.select_by_index(place))
    assert page.lines() == 1
    assert not page.all("main script, main img, svg img, svg script")
    page.changed("#curves", lambda: rules_there.select_by_index(0))
    assert HOSTILE in page.hover("#curves", "datum.tip.run.includes('script')")


def test_a_page_follows_a_real_sweep_to_its_end(look, page_of, small_mnist, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, str(PROGRAM), "sweep", "--batch-sizes", "64,128", "--epochs", "40",
               "--dataset", "glyphs", "--data-dir", str(small_mnist), "--device", "cpu",
               "--out", str(out)]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as sweep:
        while not (out / "index.html").exists() and sweep.poll() is None:
            pass
        page = look(out / "index.html")
        said = sweep.communicate(timeout=120)
    assert sweep.returncode == 0, said
    page.wait("document.querySelector('#now').innerText.includes('80 of 80 epochs')")
    table = (out / "table.txt").read_text().splitlines()[-2:]
    assert [re.split(r"\s{2,}", line.strip()) for line in table] == page.table("#outcome table")
    assert f"page:   {out / 'index.html'}" in said[0].decode()


def test_without_the_library_a_sweep_says_how_to_get_it(capsys, monkeypatch, tmp_path):
    from minisgd.commands import live
    from minisgd.page import library

    monkeypatch.setattr(library, "available", lambda: False)
    said = live.page_of(tmp_path, tmp_path, [])
    assert "\n" not in said and 'pip install -e ".[page]"' in said
    assert not list(tmp_path.iterdir())


def test_at_the_end_a_page_that_cannot_be_written_is_told_of_in_a_line(capsys, monkeypatch):
    from minisgd.commands import live
    from minisgd.disk.files import StorageError
    from minisgd.page import library

    def full(*args):
        raise StorageError("the disk is full")

    monkeypatch.setattr(library, "available", lambda: True)
    monkeypatch.setattr(live, "write_page", full)
    assert live.page_of(Path("out"), Path("out"), []) == "page:   none, the disk is full"


def test_the_first_page_is_made_when_the_runs_have_been_started(capsys, monkeypatch, tmp_path):
    from minisgd.commands import live
    from minisgd.page import library

    made = []
    monkeypatch.setattr(library, "available", lambda: True)
    monkeypatch.setattr(live, "write_page", lambda *given: made.append(given))
    page = live.LivePage(tmp_path, Question(COMMON, (64,), (0,)), "digest", {CELLS[0]: 4})
    assert not made and not capsys.readouterr().err
    page.begin()
    assert len(made) == 1
    said = f"{tmp_path / 'index.html'} shows how it goes; open it in a browser.\n"
    assert capsys.readouterr().err == said


def test_a_page_takes_at_most_a_hundredth_of_the_time_however_long_the_first_took(
    monkeypatch, tmp_path
):
    from minisgd.commands import live
    from minisgd.page import library

    clock, made = [0.0], []

    def write_page(out, into, collected, going_on=None, pause=0):
        clock[0] += 3.0 if not made else 0.5  # the first one makes the library
        made.append((clock[0], pause))

    monkeypatch.setattr(library, "available", lambda: True)
    monkeypatch.setattr(live, "write_page", write_page)
    monkeypatch.setattr(live.time, "monotonic", lambda: clock[0])
    cell = replace(CELLS[0], epochs=200)
    page = live.LivePage(tmp_path, Question(COMMON, (64,), (0,)), "digest", {cell: 200})
    page.begin()
    for record in records(cell, 0.9):
        clock[0] += 1.0
        page(cell, record)
    assert made[:3] == [(3.0, 0.0), (4.5, 0.0), (55.0, 50.0)] and len(made) == 5


def test_a_page_is_silent_for_as_long_as_it_is_not_renewed(page_of):
    def patience(**given):
        text = page_of("t", None, collected(2), "c", 50, **given).decode()
        return json.loads(re.search(r'"live":({[^}]*})', text)[1])["patience"]

    assert (patience(), patience(pause=300)) == (120, 420)


@pytest.mark.parametrize("error", [StorageError("the disk is full"), OSError("the disk is worn")])
def test_a_page_that_cannot_be_made_does_not_stop_the_sweep(capsys, monkeypatch, tmp_path, error):
    from minisgd.commands import live
    from minisgd.page import library

    def fails(*args):
        raise error

    monkeypatch.setattr(library, "available", lambda: True)
    monkeypatch.setattr(live, "write_page", fails)
    question = type("Question", (), {"cells": lambda self: []})()
    page = live.LivePage(tmp_path, question, "digest", {CELLS[0]: 4})
    page(CELLS[0], records(CELLS[0], 0.9)[0])
    page.stopped()
    assert capsys.readouterr().err == f"The page is not renewed any more: {error}\n"
