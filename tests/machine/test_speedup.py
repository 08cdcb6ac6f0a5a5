"""The model of an epoch on many ranks, fitted to times that come from a known model."""

import json
import sys
from math import ceil

import numpy as np
import pytest
from click.testing import CliRunner
from mpi_jobs import Pretended, needs_mpi

from minisgd import drawing
from minisgd.errors import SettingError, UserError
from minisgd.gradient import lanes_for
from minisgd.machine import speedup, speedup_results, speedup_timing
from minisgd.machine.speedup import NUMBERS, CostModel, fitted, fitted_to
from minisgd.model import LeNet5

TRUE = CostModel(c=90e-6, o=300e-6, alpha=5e-6, beta=0.4e-9)
N = 60_000


def job(model, ranks, sizes, off=1.0):
    """What `measure` would find if this were the true model; `off` multiplies the epochs."""
    wait = model.all_reduce(ranks)
    epochs = [
        [b, off * model.epoch(N, b, ranks), ceil(N / b) * wait] for b in sizes for _ in range(3)
    ]
    messages = [[8 * n, model.all_reduce(ranks, 8 * n)] for n in speedup.MESSAGES]
    return {"ranks": ranks, "epochs": epochs, "messages": messages if ranks > 1 else []}


def test_the_time_of_an_epoch_by_hand():
    model = CostModel(c=2.0, o=10.0, alpha=1.0, beta=0.5)
    assert model.all_reduce(1) == 0
    assert model.all_reduce(4, size=8) == 2 * 2 * 1 + 2 * 0.75 * 0.5 * 8  # 4 + 6
    # 1000 images in batches of 400, 400, 200, of four lanes each: two ranks have two each
    model = CostModel(2.0, 10.0, 0, 0)
    assert model.epoch(1000, 400, 1) == 2 * 1000 + 3 * 10
    assert model.epoch(1000, 400, 2) == model.epoch(1000, 400, 3) == 2 * 500 + 3 * 10
    assert model.epoch(1000, 400, 4) == 2 * 250 + 3 * 10
    assert model.epoch(1000, 400, 7) == 2 * (58 + 58 + 29) + 3 * 10


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("B", [1, 48, 64, 128, 500])
def test_the_largest_share_is_that_of_the_ranks_as_they_are(small_data, ranks, B):
    shares = []
    for rank in range(ranks):
        lanes = LeNet5(0, ranks=Pretended(rank, ranks)).lanes
        shares.append(sum(hi - lo for lo, hi in lanes._bounds(B, lanes_for(B))))
    assert sum(shares) == B and max(shares) == speedup.largest_share(B, ranks)


@pytest.mark.parametrize("ranks", [2, 4, 16])
def test_the_fit_finds_the_model_that_the_times_come_from(ranks):
    sizes = [64, 512, 2048, 8192]
    found = fitted_to(job(TRUE, 1, sizes), job(TRUE, ranks, sizes), N)
    for name, value in vars(TRUE).items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-6), name


def test_what_cannot_be_fitted_is_refused():
    speedup.check([1, 2], [512], cores=2)
    for ranks in ([1], [1, 4]):
        with pytest.raises(SettingError, match="2 ranks or more, and no more than the 2 cores"):
            speedup.check(ranks, [64, 512], cores=2)
    with pytest.raises(SettingError, match="two batch sizes"):
        speedup.check([1, 2], [64], cores=2)


def test_no_part_of_the_model_is_negative():
    """Epochs that get longer with the batch would fit best with a negative time per update."""
    found = fitted({64: 4.0, 8192: 6.0}, {8: 1e-5, 8 * NUMBERS: 1e-6}, N, 2)
    assert min(vars(found).values()) >= 0 and found.o == 0 and found.beta == 0
    assert 4.0 < found.c * N < 6.0


def test_rows_errors_and_words():
    sizes = [64, 512, 8192]
    one, two = job(TRUE, 1, sizes), job(TRUE, 2, [*sizes, 128], off=1.25)
    four = job(TRUE, 4, sizes, off=3.0)  # more ranks than cores: shown, but not compared
    rows = speedup_results.rows_of([one, two, four], TRUE, N, sizes)
    found = speedup_results.model_over_measured(rows, TRUE, N, cores=2)
    assert {key: round(value, 9) for key, value in found.items()} == {
        **{(1, b): 1.0 for b in sizes}, **{(2, b): 0.8 for b in [*sizes, 128]},
    }  # fmt: skip
    lines = speedup_results.table(rows, TRUE, N, cores=2)
    assert lines[-1].endswith("its epochs are 0.80 to 1.00 of the measured ones")
    assert sum("2 cores" in line for line in lines) == len(sizes)
    projected = [row for row in rows if row["projected"]]
    assert max(row["ranks"] for row in projected) == 1024
    assert all(row["ranks"] <= row["batch_size"] <= N for row in projected)
    at = {(r["kind"], r["ranks"], r["batch_size"]): r["seconds"] for r in projected}
    assert at["strong", 16, 512] == TRUE.epoch(N, 512, 16)
    assert at["weak", 16, 1024] == TRUE.epoch(N, 1024, 16)
    assert ("strong", 128, 64) not in at  # a rank without an image gains nothing


def test_the_figure_shows_the_measured_and_the_projected():
    sizes = [64, 512, 8192]
    rows = speedup_results.rows_of([job(TRUE, 1, sizes), job(TRUE, 2, sizes)], TRUE, N, sizes)
    panels = speedup_results.plots(rows, cores=2)
    assert len(panels) == 3 and drawing.chart(panels, "title").axes
    strong = [curve for curve in panels[0].curves if curve.x]
    assert {curve.dash for curve in strong} == {"", "--"} and len(strong) == 6
    assert strong[0].y[0] == pytest.approx(TRUE.epoch(N, 64, 1))


@needs_mpi
def test_the_command_measures_projects_and_draws(small_mnist, tmp_path, monkeypatch):
    from minisgd.commands.group import cli

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
    assert len(made["jobs"][1]["messages"]) == len(speedup.MESSAGES)
    assert "NOT MNIST" in done.output and "of the measured ones" in done.output
    assert "left out: `python cli.py measure steps` counts" in made["text"]
    kept = {path: path.read_bytes() for path in tmp_path.glob("scaling*")}
    assert {path.suffix for path in kept} == {".png", ".svg", ".csv", ".json"}
    begun = []

    def start(R, *_):
        begun.append(R)
        return made["jobs"][R - 1]

    monkeypatch.setattr(speedup_timing, "start", start)
    again = ["scaling", *given, "--data-dir", str(small_mnist), "--out", str(tmp_path)]
    done = CliRunner().invoke(cli, again)
    assert done.exit_code == 0 and "scaling.json are not taken again" in done.output
    assert {path: path.read_bytes() for path in kept} == kept and not begun
    assert CliRunner().invoke(cli, [*again, "--rounds", "3"]).exit_code == 0 and begun == [1, 2]
    assert CliRunner().invoke(cli, again).exit_code == 0 and begun == [1, 2, 1, 2]
    (tmp_path / "scaling.json").write_text("{}")  # damaged: the times are taken
    assert CliRunner().invoke(cli, again).exit_code == 0 and begun == [1, 2, 1, 2, 1, 2]


@needs_mpi
def test_a_job_that_fails_gives_its_reason_in_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"1 ranks could not be measured: Error: .*must hold") as e:
        speedup_timing.start(1, "idx", tmp_path, [64], 1)
    assert "\n" not in str(e.value)


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """Write a program that is taken for mpiexec."""

    path, python = tmp_path / "mpiexec", sys.executable

    def write(program):
        path.write_text(f"#!{python}\nimport os, sys, time\n{program}")
        path.chmod(0o755)
        monkeypatch.setattr(speedup_timing.sys, "executable", str(tmp_path / "python"))
        monkeypatch.setattr(speedup_timing, "find_spec", lambda name: True)

    return write


WAITS = """
sys.stderr.write("Rank 0 has waited\\n")
sys.stderr.flush()
for _ in range(100):
    if os.path.exists("heard"):
        print("x" * 1_000_000)
        print('{"ranks": 2}')
        sys.exit()
    time.sleep(0.1)
sys.exit("nobody heard it")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a script stands for mpiexec")
def test_what_ranks_say_is_told_while_they_wait(stand_in, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    told = []

    def log(line):
        told.append(line)
        (tmp_path / "heard").touch()

    stand_in(WAITS)
    assert speedup_timing.start(2, "idx", tmp_path, [64], 1, log) == {"ranks": 2}
    assert told == ["Rank 0 has waited"]


@pytest.mark.skipif(sys.platform == "win32", reason="a script stands for mpiexec")
def test_a_reason_is_told_once_whatever_else_is_said(stand_in, tmp_path):
    told = []
    for said, reason in (("Error: no such data", "Error: no such data"), ("no MPI", "killed")):
        stand_in(f"sys.exit('a note\\n\\n{said}\\nkilled')")
        with pytest.raises(UserError, match=rf"^2 ranks could not be measured: {reason}$"):
            speedup_timing.start(2, "idx", tmp_path, [64], 1, told.append)
    assert told == ["a note", "killed", "a note", "no MPI", "killed"]


def test_an_epoch_is_measured_on_one_process(small_data):
    from minisgd.gradient import Alone

    found = speedup_timing.measure(Alone(), small_data, [64, 640], 2)
    assert [b for b, _, _ in found["epochs"]] == [64, 64, 640, 640] and found["messages"] == []
    assert all(np.isfinite(took) and took > 0 for _, took, _ in found["epochs"])
