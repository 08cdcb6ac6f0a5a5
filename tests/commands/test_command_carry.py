"""carry, from the outside, on small data: searches, runs, tables and figures."""

import shutil
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from calling import bytes_of, sentence

from minisgd.data import FILES, glyphs, write_idx
from minisgd.data import known as data
from minisgd.data.idx import digest_of
from minisgd.disk.formats import read_json, write_json
from minisgd.drawing import Line
from minisgd.report import carry, carry_shown
from minisgd.report.judging import Results
from minisgd.report.statistics import final_accuracy

pytest.importorskip("scipy", reason="SciPy, which draws the trials, is not installed")


@pytest.fixture
def small_carry(small_answer, small_mnist, small_data, monkeypatch, tmp_path):
    """The arguments that train on 640 images, and on their negatives as Fashion-MNIST; in the place
    of drawn digits the same images 1, 4 and 16 times. Runs are made up, as by small_answer.
    """
    folder = shutil.copytree(small_mnist, tmp_path / "data")
    train, test = small_data.train, small_data.test
    clothes = [255 - train.images, train.labels, 255 - test.images, test.labels]
    (folder / "fashion-mnist").mkdir()
    for file, array in zip(FILES, clothes, strict=True):
        write_idx(folder / "fashion-mnist" / file, array)
    entry = data.Known(tuple(map(digest_of, clothes)), title="Fashion-MNIST", pixels=(0.3, 0.4))
    monkeypatch.setitem(data.KNOWN, "fashion-mnist", entry)

    def make(log=None, train=60_000, bent=1.0):
        times = train // 60_000 if train > 60_000 else 1
        images = np.concatenate([small_data.train.images] * times)
        return [images, np.concatenate([small_data.train.labels] * times), *clothes[2:]]

    monkeypatch.setattr(glyphs, "make", make)
    drawn = {"bent-glyphs": 640, "bent-glyphs-240000": 4 * 640, "bent-glyphs-960000": 16 * 640}
    place = carry.Place
    places = {
        "fashion": place("Fashion", dataset="fashion-mnist", sizes=(64, 128, 320), tuned=True),
        "mlp": place("an MLP", changes={"network": "mlp"}, sizes=(64, 128, 320), tuned=True),
        "he": place("He", changes={"init": "he"}, sizes=(64, 128, 320)),
        "wide": place("wide", None, {"network": "lenet5-wide"}, (64,), rules=False, seeds=1),
    }  # fmt: skip
    small = {"PLACES": places, "DRAWN": drawn, "DIVISORS": (64, 128, 320), "SEEN": 16 * 640}
    for name, value in small.items():
        monkeypatch.setattr(carry, name, value)
    return ("--dataset", "glyphs", "--data-dir", folder, "--device", "cpu", "--jobs", "2")


def test_it_is_searched_run_kept_and_drawn_again(call, small_carry, tmp_path):
    call("answer", "trials", *small_carry)
    call("answer", "sizes", "--seeds", "2", *small_carry)
    done = call("carry", "--seeds", "2", *small_carry)
    costs = {line[:22].strip(): line[22:].split() for line in done.stderr.splitlines()
             if line.startswith(("fashion", "mlp", "he ", "wide", "bent"))}  # fmt: skip
    # 3 methods and 4 rules at two sizes, and at 64 the methods, η = .01 and momentum: 19, by 2.
    assert costs["fashion"][::2] == costs["he"][::2] == ["38", "38"]
    assert costs["wide"][::2] == ["3", "3"]
    assert costs["fashion: searches"][::2] == ["15", "15"]  # 3 x (2 + 1) and 3 x 2
    assert costs["mlp-tuned"][::2] == ["18", "18"]
    assert costs["bent-glyphs"][::2] == costs["bent-glyphs-960000"][::2] == ["12", "12"]
    names = ["carry-fashion", "carry-fashion-tuned", "carry-fashion-trials", "carry-mlp",
             "carry-mlp-tuned", "carry-mlp-trials", "carry-he", "carry-wide"]  # fmt: skip
    made = {name for name in bytes_of() if "carry" in name and name.endswith(".json")}
    folders = {name: "fashion-mnist/" if "fashion" in name else "" for name in names}
    drawn = {f"{name}/carry-{name}.json" for name in carry.DRAWN}
    assert made == {f"{folders[name]}{name}.json" for name in names} | drawn
    assert {name for name in bytes_of() if "carry" in name and name.endswith(".png")} == {
        "fashion-mnist/carry-fashion.png", "carry-mlp.png", "carry-he.png", "carry-wide.png",
        "bent-glyphs/carry-bent-glyphs.png",
    }  # fmt: skip
    assert read_json(Path("figures/fashion-mnist/carry-fashion.json"))["dataset"] == "fashion-mnist"
    # Elsewhere, with neither runs nor data: nothing to do, the same bytes.
    kept = bytes_of()
    shutil.rmtree("runs")
    again = call("carry", "--seeds", "2", "--data-dir", tmp_path / "none")
    assert "nothing to do: all runs are kept" in again.stderr
    assert bytes_of() == kept
    # The verdicts find the runs of every part, and all of its seeds.
    found = Results(*carry.everything("figures").values())
    for name in {*names, *(f"carry-{name}" for name in carry.DRAWN)}:
        if not name.endswith("-trials"):
            ends = found.values(final_accuracy, name, 64)
            assert list(ends) == ([1] if name == "carry-wide" else [1, 2])
            assert all(end == pytest.approx(ends[1] + 0.001 * (s - 1)) for s, end in ends.items())
    call("verdicts")


def test_one_part_does_not_wait_for_the_others(call, small_carry):
    call("answer", "trials", *small_carry)
    done = call("carry", "fashion", "--seeds", "1", *small_carry)
    assert "carry over to Fashion?" in done.stdout and "tuned there" not in done.stdout
    assert Path("figures/fashion-mnist/carry-fashion.png").exists()
    assert not list(Path("figures").rglob("*mlp*"))
    more = call("carry", "fashion-tuned", "--seeds", "1", *small_carry)
    assert "there, with the answer's settings" in more.stdout and "tuned there" in more.stdout


def test_what_is_tuned_there_is_shown_without_what_is_not(call, small_carry):
    call("answer", "trials", *small_carry)
    done = call("carry", "fashion-tuned", "--seeds", "1", *small_carry)
    assert "tuned there; 64 at its best" in done.stdout and "there, with" not in done.stdout
    assert Path("figures/fashion-mnist/carry-fashion.png").exists()


def test_without_runs_of_the_methods_there_is_no_bar(call, small_carry, monkeypatch):
    """The searches and the report's figures alone say what to run elsewhere, but not what 64 comes
    to at its best.
    """
    call("answer", "trials", *small_carry)
    rule = Line("η = .01", {64: [0.9], 128: [0.8]}, faint=True)
    monkeypatch.setattr(carry_shown, "reported_lines", lambda home: [rule])
    done = call("carry", "he", "--seeds", "1", *small_carry)
    assert "there, with the answer's settings; 64" in done.stdout
    assert "LeNet-5 on" not in done.stdout and "NOT MNIST" in done.stdout
    assert "[default: mnist]" in " ".join(call("carry", "--help").stdout.split())


def test_results_of_two_datasets_are_never_mixed(call, small_carry):
    call("answer", "trials", *small_carry)
    call("carry", "fashion", "fashion-tuned", "--seeds", "1", *small_carry)
    for name in ("carry-fashion", "carry-fashion-trials", "carry-fashion-tuned"):
        path = Path(f"figures/fashion-mnist/{name}.json")
        made = read_json(path)
        write_json(path, made | {"digest": "another"})
        refused = call("carry", "fashion", "--seeds", "2", *small_carry, code=2)
        assert "different datasets: give another --out" in sentence(refused.stderr)
        write_json(path, made)
    # Settings found on glyphs must not be used for runs of an MLP on other images.
    path = Path("figures/answer-trials.json")
    write_json(path, read_json(path) | {"digest": "another"})
    for part in ("mlp", "mlp-tuned"):
        refused = call("carry", part, "--seeds", "1", *small_carry, code=2)
        assert "holds trials on another dataset than glyphs" in refused.stderr


def test_what_makes_no_sense_is_refused(call, small_carry):
    wrong = call("carry", "everything", code=2)
    assert "'everything' is not one of" in sentence(wrong.stderr)
    early = call("carry", "mlp", "--out", "typo", code=1)
    assert sentence(early.stderr) == (
        "Error: typo lacks 12 of 12 searches, such as that of nesterov at 64: "
        "run `python cli.py answer trials --out typo` first"
    )
    assert not Path("typo").exists()


def test_the_drawn_digits_are_held_against_the_smallest_batch(call, small_carry):
    call("answer", "trials", *small_carry)
    done = call("carry", "data", "--seeds", "2", *small_carry)
    assert "640 images" in done.stdout and "10,240 images" in done.stdout
    found = carry_shown.data_panels(carry.parts("figures"), carry.everything("figures"))
    for losses in carry_shown.data_losses(found):
        assert all(line.values[64] == [0.0, 0.0] for line in losses.lines)  # against itself
    (muon, *_), (lost, *_) = found["muon"], carry_shown.data_losses(found)[0].lines
    largest = max(muon.values)
    for run, (seed, first) in enumerate(zip(muon.values[largest], muon.values[64], strict=True)):
        assert lost.values[largest][run] == pytest.approx(seed - first)
    assert f"{median(lost.values[largest]):+.4f} (" in done.stdout
