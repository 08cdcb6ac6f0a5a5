"""What a command publishes: the words around a result, its files, and whose place they may take."""

import os
import time

import pytest
from calling import program
from matplotlib.figure import Figure

from minisgd.disk import files
from minisgd.disk.files import BusyError, locked
from minisgd.disk.formats import read_json, write_json, write_table
from minisgd.errors import SettingError
from minisgd.report.publish import how_made, note_on, page, publish, refuse_another_question


def test_a_page_has_a_title_a_note_a_table_and_a_text():
    assert page("title") == ["", "title", ""]
    lines = page("title", "note", ["a  b", "1  2"], "word " * 25)
    assert lines[:7] == ["", "title", "note", "", "a  b", "1  2", ""]
    assert lines[7:] == [" ".join(["word"] * 20), " ".join(["word"] * 5), ""]


def test_a_note_says_what_is_not_mnist():
    assert note_on("mnist") is None
    assert note_on("fashion-mnist") == "NOT MNIST: fashion-mnist"
    assert "fonts" in note_on("glyphs")


def test_a_figure_is_published_with_its_table_and_its_making(tmp_path):
    folder = tmp_path / "new" / "figures"
    rows = [{"x": 1, "y": 2}]
    made = {"title": "title"} | how_made("python cli.py tune")
    where = publish(folder, "tune", Figure(), "every run", made,
                    lambda path: write_table(path, ["x", "y"], rows))  # fmt: skip
    assert where == f"figure: {folder / 'tune.png'} and tune.svg; every run: {folder / 'tune.csv'}"
    assert (folder / "tune.csv").read_text() == "x,y\n1,2\n"
    known = read_json(folder / "tune.json")
    assert list(known) == ["title", "command", "commit", "versions", "machine"]
    first = {path: path.read_bytes() for path in folder.glob("tune.*")}
    publish(folder, "tune", Figure(), "every run")  # the figure alone, the same to the byte
    assert {path: path.read_bytes() for path in folder.glob("tune.*")} == first


def test_one_who_publishes_owns_the_folder_and_clears_up_after_one_who_was_killed(tmp_path):
    def write_csv(path):
        path.touch()
        with pytest.raises(BusyError), locked(tmp_path):
            pass

    half = tmp_path / ".tune.png.0badcafe-1.part"
    half.write_text("half")
    os.utime(half, (time.time() - files.ABANDONED - 5,) * 2)
    publish(tmp_path, "tune", Figure(), "every run", {"title": "title"}, write_csv)
    found = sorted(path.name for path in tmp_path.iterdir())
    assert found == [".lock", "tune.csv", "tune.json", "tune.png", "tune.svg"]


def test_the_answer_to_another_question_stays(tmp_path):
    asked = {"lr": 0.1, "seeds": [0]}
    refuse_another_question(tmp_path, "tune", asked)  # there is none yet
    write_json(tmp_path / "tune.json", {"asked": asked})
    refuse_another_question(tmp_path, "tune", asked)
    with pytest.raises(SettingError, match=r"tune.json .*differs in seeds\): give another --out"):
        refuse_another_question(tmp_path, "tune", asked | {"seeds": [0, 1]})


def test_an_older_answer_had_the_defaults_of_what_it_does_not_know(tmp_path):
    write_json(tmp_path / "tune.json", {"asked": {"lr": 0.1}})
    refuse_another_question(tmp_path, "tune", {"lr": 0.1, "momentum": 0.0})
    with pytest.raises(SettingError, match="differs in momentum"):
        refuse_another_question(tmp_path, "tune", {"lr": 0.1, "momentum": 0.9})


@pytest.mark.parametrize(
    "asked",
    [
        "measure equivalence", "figures 1", "answer trials", "minute",
        "grow --batch-size 64 --held-out 100", "tune --lrs .01 --held-out 100",
        "tune --search lr=.01:.1 --held-out 100",
        "scaling --ranks 2 --batch-sizes 64,128",
    ],
)  # fmt: skip
def test_a_folder_that_cannot_be_written_is_told_before_the_work(small_mnist, tmp_path, asked):
    (tmp_path / "file").write_text("mine")
    runs = () if asked.startswith("scaling") else ("--runs", "made")
    on = "--dataset", "glyphs", "--data-dir", small_mnist, "--out", "file"
    done = program(*asked.split(), *on, *runs)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.endswith("file is no folder; move it away, or name another one")
    assert "epoch" not in done.stderr and not (tmp_path / "made").exists()
