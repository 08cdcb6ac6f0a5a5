"""The model of an epoch on many ranks, against times of which it is known how they came about."""

import json
from math import ceil

import numpy as np
import pytest
from click.testing import CliRunner
from test_ranks import needs_mpi

from minisgd import charts, scaling
from minisgd.errors import UserError
from minisgd.scaling import NUMBERS, Model, fitted, fitted_to

TRUE = Model(c=90e-6, o=300e-6, alpha=5e-6, beta=0.4e-9)
N = 60_000


def job(model, ranks, sizes, off=1.0):
    """What `measure` would find if the model were so, but for a factor."""
    wait = model.all_reduce(ranks)
    epochs = [
        [b, off * model.epoch(N, b, ranks), ceil(N / b) * wait] for b in sizes for _ in range(3)
    ]
    messages = [[8 * n, model.all_reduce(ranks, 8 * n)] for n in scaling.MESSAGES]
    return {"ranks": ranks, "epochs": epochs, "messages": messages if ranks > 1 else []}


def test_the_time_of_an_epoch_by_hand():
    model = Model(c=2.0, o=10.0, alpha=1.0, beta=0.5)
    assert model.all_reduce(1) == 0
    assert model.all_reduce(4, size=8) == 2 * 2 * 1 + 2 * 0.75 * 0.5 * 8  # 4 + 6
    # 10 images in batches of 4, 4, 2 on 4 ranks: 1 + 1 + 1 images, 3 updates
    assert Model(2.0, 10.0, 0, 0).epoch(10, 4, 4) == 2 * 3 + 3 * 10
    # on 3 ranks the slowest has 2 + 2 + 1
    assert Model(2.0, 10.0, 0, 0).epoch(10, 4, 3) == 2 * 5 + 3 * 10


@pytest.mark.parametrize("ranks", [2, 4, 16])
def test_the_fit_finds_the_model_that_the_times_come_from(ranks):
    sizes = [64, 512, 2048, 8192]
    found = fitted_to(job(TRUE, 1, sizes), job(TRUE, ranks, sizes), N)
    for name, value in vars(TRUE).items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-6), name


def test_no_part_of_the_model_is_negative():
    """Epochs that get longer with the batch want a negative time an update."""
    found = fitted({64: 4.0, 8192: 6.0}, {8: 1e-5, 8 * NUMBERS: 1e-6}, N, 2)
    assert min(vars(found).values()) >= 0 and found.o == 0 and found.beta == 0
    assert 4.0 < found.c * N < 6.0


def test_rows_errors_and_words():
    sizes = [64, 512, 8192]
    one, two = job(TRUE, 1, sizes), job(TRUE, 2, [*sizes, 128], off=1.25)
    four = job(TRUE, 4, sizes, off=3.0)  # more ranks than cores: it is shown and not compared
    rows = scaling.rows_of([one, two, four], TRUE, N, sizes)
    found = scaling.errors(rows, TRUE, N, cores=2)
    assert {key: round(value, 9) for key, value in found.items()} == {
        **{(1, b): 1.0 for b in sizes}, **{(2, b): 0.8 for b in [*sizes, 128]},
    }  # fmt: skip
    lines = scaling.table(rows, TRUE, N, cores=2)
    assert lines[-1].endswith("its epochs are 0.80 to 1.00 of the measured ones")
    assert sum("2 cores" in line for line in lines) == len(sizes)
    projected = [row for row in rows if row["projected"]]
    assert max(row["ranks"] for row in projected) == 1024
    assert all(row["ranks"] <= row["batch_size"] <= N for row in projected)
    at = {(r["kind"], r["ranks"], r["batch_size"]): r["seconds"] for r in projected}
    assert at["strong", 16, 512] == TRUE.epoch(N, 512, 16)
    assert at["weak", 16, 1024] == TRUE.epoch(N, 1024, 16)
    assert ("strong", 128, 64) not in at  # a rank without an image helps nobody


def test_the_best_batch_grows_with_the_ranks():
    epochs_to = {64: 2.0, 512: 4.0, 8192: 20.0}
    said = scaling.describe(TRUE, N, epochs_to)
    assert "1 ranks" not in said or "with b = 64" in said
    best = {
        ranks: min((TRUE.epoch(N, b, ranks) * e, b) for b, e in epochs_to.items() if b >= ranks)[1]
        for ranks in scaling.FAR
    }
    assert best[1] == 64 and best[1024] == 8192
    assert f"64 ranks {TRUE.epoch(N, best[64], 64) * epochs_to[best[64]]:.3g} s" in said
    assert "no runs that reach 97 %" in scaling.describe(TRUE, N, {})


def test_the_figure_has_a_panel_for_what_is_known():
    sizes = [64, 512, 8192]
    rows = scaling.rows_of([job(TRUE, 1, sizes), job(TRUE, 2, sizes)], TRUE, N, sizes)
    assert len(scaling.plots(rows, N, 2, {})) == 3
    panels = scaling.plots(rows, N, 2, {64: 2.0, 512: 4.0})
    assert len(panels) == 4
    last = [curve for curve in panels[-1].curves if curve.x]
    assert {curve.dash for curve in last} == {"", "--"} and len(last) == 4
    assert charts.chart(panels, "title").axes
    assert last[0].y[0] == pytest.approx(2.0 * TRUE.epoch(N, 64, 1))


@needs_mpi
def test_the_command_measures_projects_and_draws(small_mnist, tmp_path):
    from cli import cli

    given = ["--ranks", "1,2", "--batch-sizes", "64,320", "--rounds", "2", "--dataset", "glyphs"]
    done = CliRunner().invoke(
        cli, ["scaling", *given, "--data-dir", str(small_mnist), "--out", str(tmp_path)]
    )
    assert done.exit_code == 0, done.output
    made = json.loads((tmp_path / "scaling.json").read_text())
    assert [job["ranks"] for job in made["jobs"]] == [1, 2]
    assert [b for b, _, _ in made["jobs"][1]["epochs"]] == [64, 64, 128, 128, 320, 320]
    assert all(0 <= waited < took for job in made["jobs"] for _, took, waited in job["epochs"])
    assert all(waited > 0 for _, _, waited in made["jobs"][1]["epochs"])
    assert len(made["jobs"][1]["messages"]) == len(scaling.MESSAGES)
    assert "NOT MNIST" in done.output and "of the measured ones" in done.output
    for name in ("scaling.png", "scaling.svg", "scaling.csv"):
        assert (tmp_path / name).stat().st_size > 0


@needs_mpi
def test_a_job_that_fails_is_told_in_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"1 ranks could not be measured: Error: .*must hold") as e:
        scaling.start(1, "idx", tmp_path, [64], 1)
    assert "\n" not in str(e.value)


def test_an_epoch_is_measured_on_one_process(small_data):
    from minisgd.ranks import Alone

    found = scaling.measure(Alone(), small_data, [64, 640], 2)
    assert [b for b, _, _ in found["epochs"]] == [64, 64, 640, 640] and found["messages"] == []
    assert all(np.isfinite(took) and took > 0 for _, took, _ in found["epochs"])
