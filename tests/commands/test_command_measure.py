"""measure, from the outside, with measures that take a second."""

import csv
from pathlib import Path
from shutil import rmtree

import pytest
from calling import NOT_MNIST

from minisgd.disk.formats import read_json
from minisgd.measures.steps import METHODS, Plan
from minisgd.measures.survival import Change
from minisgd.settings import Settings


def few_kinds(seeds, more_seeds):
    """The runs of `survival`, of two kinds."""
    short = Settings(256, rule="linear", epochs=2)
    return {
        ("no warmup", 256): (short, Change(), more_seeds),
        ("no step over 0.1", 256): (short, Change(0.1), seeds),
    }


SMALL = {
    "covariance": {"sizes": (64, 256), "draws": 4, "epochs": (0,)},
    "equivalence": {"ks": (2, 8), "epochs": (0, 1), "draws": 2, "probe": 100},
    "effective-rate": {"updates": 6, "draws": 2, "epochs": (0,), "batch_size": 64, "probe": 100},
    "curvature": {
        "sizes": (256,),
        "warmups": ("none",),
        "seeds": 1,
        "window": (0, 0.1),
        "subset": 50,
        "probe": 50,
    },
    "survival": {"kinds": few_kinds, "seeds": 2, "more_seeds": 2, "probe": 50},
    "noise-scale": {"updates": (0, 5), "draws": 3, "large": 256},
    "sharpness": {
        "sizes": (64, 256),
        "levels": (2.299,),
        "seeds": 1,
        "subset": 30,
        "subspaces": 2,
    },
    "methods": {
        "runs": [
            Settings(256, rule="linear", epochs=2),
            Settings(320, lr=0.01, momentum=0.9, optimizer="adam", epochs=2),
        ],
        "updates": 4,
        "points": 2,
        "subset": 50,
        "probe": 50,
    },
    "steps": {
        "plan": Plan(
            {"muon": METHODS["muon"]},
            {32: 4, 60000: 12},
            trials=1,
            seeds=2,
            held_out=100,
            pace=0.15,
            targets=(0.2, 0.3),
        )
    },
}


def on_glyphs(small_mnist, *args):
    return (*args, "--dataset", "glyphs", "--data-dir", small_mnist, "--threads", "2")


@pytest.fixture
def quick(monkeypatch):
    """The measures with defaults that take a second."""
    from functools import partial

    from minisgd import measures

    monkeypatch.setattr("minisgd.measures.sharpness.SUBSPACE", 10)
    monkeypatch.setattr("minisgd.measures.curvature.SHARPENED", 256)
    for name, measure in measures.MEASURES.items():
        monkeypatch.setitem(measures.MEASURES, name, partial(measure, **SMALL[name]))


@pytest.mark.parametrize("name", SMALL)
def test_a_measure_leaves_a_table_a_figure_and_a_paragraph(call, quick, small_mnist, name):
    first = call(*on_glyphs(small_mnist, "measure", name, "--seed", "1"))
    made = read_json(f"figures/measure-{name}.json")
    assert made["title"] in first.stdout and made["text"].endswith(".")
    assert " ".join(made["text"].split()) in " ".join(first.stdout.split())
    assert (
        NOT_MNIST in first.stdout and NOT_MNIST in Path(f"figures/measure-{name}.svg").read_text()
    )
    with open(f"figures/measure-{name}.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 2 and Path(f"figures/measure-{name}.png").exists()
    kept = {path: path.read_bytes() for path in Path("figures").glob(f"measure-{name}.[cps]*")}
    call(*on_glyphs(small_mnist, "measure", name, "--seed", "1", "--threads", "3"))
    assert {path: path.read_bytes() for path in kept} == kept  # by the seed, on any threads
    other = call(*on_glyphs(small_mnist, "measure", name, "--seed", "2"), code=2)
    assert f"{name}.json is the answer to another question (it differs in seed)" in other.stderr


def test_the_methods_are_measured_with_the_numbers_that_a_search_found(call, small_mnist):
    done = call(*on_glyphs(small_mnist, "measure", "methods"), code=1)
    assert "run `python cli.py answer trials` first" in done.stderr.splitlines()[-1]


def test_a_measure_that_wants_larger_batches_than_there_are_images_says_so(call, small_mnist):
    needing = "covariance", "equivalence", "curvature", "noise-scale", "sharpness"
    for name in needing:
        done = call(*on_glyphs(small_mnist, "measure", name), code=2)
        assert "is larger than the training set of 640 images" in done.stderr
        assert "Traceback" not in done.stderr and not Path(f"figures/measure-{name}.csv").exists()


def test_the_noise_scale_is_drawn_beside_the_steps_if_it_is_there(call, quick, small_mnist):
    call(*on_glyphs(small_mnist, "measure", "noise-scale"))
    assert "B_noise, along a run" not in call(*on_glyphs(small_mnist, "measure", "steps")).stdout
    with open("figures/measure-noise-scale.csv", newline="") as file:
        header, *_ = file.read().splitlines()
    row = [{"loss": "0.5", "exact_noise": "12"}.get(name, "1") for name in header.split(",")]
    Path("figures/measure-noise-scale.csv").write_text(f"{header}\n{','.join(row)}\n")
    again = call(*on_glyphs(small_mnist, "measure", "steps")).stdout
    assert "is 12 to 12" in " ".join(again.split())


@pytest.mark.parametrize("name", ["steps", "noise-scale"])
def test_what_a_folder_has_is_shown_again_and_not_made_again(call, quick, small_mnist, name):
    first = call(*on_glyphs(small_mnist, "measure", name))
    kept = {path: path.read_bytes() for path in Path("figures").glob(f"measure-{name}.*")}
    assert len(kept) == 4
    rmtree("runs", ignore_errors=True)  # as in a fresh clone
    Path(f"figures/measure-{name}.png").unlink()
    again = call(*on_glyphs(small_mnist, "measure", name))
    assert {path: path.read_bytes() for path in kept} == kept and not Path("runs").exists()
    told = f"what figures/measure-{name}.csv holds is not made again; another --out makes it anew"
    assert told in again.stderr and told not in first.stderr
    assert again.stdout.rpartition(";")[0] == first.stdout.rpartition(";")[0]
    call(*on_glyphs(small_mnist, "measure", name, "--out", "others"))
    others = {path: Path("others", path.name).read_bytes() for path in kept}
    assert {p: b for p, b in others.items() if p.suffix != ".json"} == {
        p: b for p, b in kept.items() if p.suffix != ".json"
    }


def test_a_signal_in_a_measure_of_many_runs_says_what_is_kept(call, small_mnist, monkeypatch):
    from minisgd import measures

    def stopped(data, seed, threads, log, remember):
        for run in ("a", "b"):
            remember(run, {}, lambda: [{"loss": 1.0}])
        raise KeyboardInterrupt(15)

    monkeypatch.setitem(measures.MEASURES, "sharpness", stopped)
    said = call(*on_glyphs(small_mnist, "measure", "sharpness"), code=128 + 15).stderr
    kept = Path("runs", "figures", "glyphs", "measure-sharpness")
    assert said.splitlines()[-1] == (
        f"Stopped. 2 runs are kept in {kept}; the same command goes on from there."
    )
    assert len(list(kept.iterdir())) == 2
