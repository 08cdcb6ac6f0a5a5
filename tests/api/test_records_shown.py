"""Records as tables, frames and figures, by hand and as a notebook shows them."""

import sys
import types

import matplotlib
import pytest
from matplotlib import pyplot
from matplotlib.image import imread

import minisgd
from minisgd.commands.progress import Progress
from minisgd.errors import SettingError, UserError
from minisgd.lab.metrics import tidy
from minisgd.settings import Settings


def run(accuracies, diverges=False, **settings):
    """The records of a run that reaches these test accuracies, epoch by epoch."""
    settings = Settings(epochs=len(accuracies), **settings)
    metrics = {"train_loss": 1.0, "train_accuracy": 0.5, "test_loss": 1.0, "status": "ok"}
    records = [
        metrics | {"epoch": i, "lr": settings.rate_in(i, 0, 60_000), "test_accuracy": a}
        for i, a in enumerate(accuracies, 1)
    ]
    if diverges:
        records[-1] |= dict.fromkeys(metrics) | {"test_accuracy": None, "status": "diverged"}
    return [tidy(settings, record | {"seconds": 1.0}) for record in records]


TWO_SIZES = [
    *run([0.5, 0.98], batch_size=64, lr=0.1, rule="linear"),
    *run([0.2, 0.95], batch_size=512, lr=0.1, rule="linear"),
    *run([0.4, 0.97], batch_size=512, lr=0.1, rule="linear", seed=1),
]


def test_the_table_by_hand():
    head, first, second = minisgd.table(TWO_SIZES).splitlines()
    assert head.split("  ")[0] == "batch size" and "seeds" in head
    assert first.split()[:4] == ["64", "0.1", "1", "0.9800"] and first.endswith("ok")
    assert "0.9600 (0.9500 to 0.9700)" in second and "2 in 1 of 2" in second


def test_the_frame_has_the_records_and_nan_where_nothing_was_finite():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    records = run([0.5, 0.0], diverges=True)
    frame = minisgd.frame(records)
    assert isinstance(frame, pandas.DataFrame) and list(frame) == list(records[0])
    assert frame["test_accuracy"].tolist()[0] == 0.5 and frame["test_accuracy"].isna()[1]
    assert frame["test_accuracy"].dtype == float
    best = minisgd.frame(TWO_SIZES).groupby("batch_size")["test_accuracy"].max()
    assert best.to_dict() == {64: 0.98, 512: 0.97}


def test_without_pandas_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UserError, match=r"^frame needs pandas: .*install pandas; "):
        minisgd.frame(TWO_SIZES)


# ---- figures


def lines(axes):
    return {line.get_label(): list(line.get_ydata()) for line in axes.get_lines()}


def test_the_rates_of_a_schedule_by_hand():
    records = [
        *run([0.5] * 3, lr=0.1, rule="linear", warmup="gradual", warmup_epochs=2),
        *run([0.5] * 3, batch_size=128, lr=0.1, rule="linear", warmup="gradual", warmup_epochs=2),
    ]
    (axes,) = minisgd.plots.schedule_figure(records, "rates").axes
    drawn = lines(axes)
    assert len(drawn) == 2 and axes.get_yscale() == "log"
    assert sorted(drawn.values()) == [pytest.approx([0.1] * 3), pytest.approx([0.1, 0.15, 0.2])]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2", "3"]


def test_where_each_batch_size_ends_by_hand():
    other = run([0.6, 0.0], batch_size=512, diverges=True)
    sweeps = {"linear": TWO_SIZES, "none": [*run([0.9]), *other]}
    figure = minisgd.plots.size_figure(sweeps, "ends")
    whole, zoomed = figure.axes
    for axes in (whole, zoomed):
        values = list(lines(axes).values())
        assert values == [pytest.approx([0.98, 0.96]), [0.9, 0.0]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["linear", "none"]


@pytest.mark.parametrize("draw", [minisgd.plots.schedule_figure, minisgd.plots.accuracy_figure])
def test_nothing_to_draw_is_refused(draw):
    with pytest.raises(SettingError, match="there are no records to draw"):
        draw([], "nothing")


def test_two_kinds_of_runs_are_not_one_line():
    with pytest.raises(SettingError, match="'all' has runs at batch size 64 that differ in more"):
        minisgd.plots.size_figure({"all": [*run([0.5]), *run([0.5], momentum=0.9)]}, "mixed")
    with pytest.raises(SettingError, match="none: there are no records"):
        minisgd.plots.size_figure({"none": []}, "nothing")
    with pytest.raises(SettingError, match="size_figure has no sweeps"):
        minisgd.plots.size_figure({}, "nothing")


def test_a_notebook_shows_a_figure_without_pyplot(tmp_path):
    before = dict(matplotlib.rcParams), pyplot.get_fignums(), matplotlib.get_backend()
    figure = minisgd.plots.accuracy_figure(TWO_SIZES, "two sizes")
    (tmp_path / "shown.png").write_bytes(figure._repr_png_())
    height, width, _ = imread(tmp_path / "shown.png").shape
    assert width == 720 and height > 300
    assert before == (dict(matplotlib.rcParams), pyplot.get_fignums(), matplotlib.get_backend())


# ---- the line of progress


@pytest.fixture
def notebook(monkeypatch):
    """An IPython of a notebook, as far as a line of progress needs it: the texts that it shows."""
    texts = []

    class Handle:
        def update(self, data, raw):
            assert raw
            texts[-1] = data["text/plain"]

    def display(data, raw, display_id):
        assert raw and display_id
        texts.append(data["text/plain"])
        return Handle()

    module = types.ModuleType("IPython")
    module.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    module.display = types.SimpleNamespace(display=display)
    monkeypatch.setitem(sys.modules, "IPython", module)
    return texts


def test_in_a_notebook_one_line_says_how_it_goes(notebook, capsys):
    settings = Settings(batch_size=512, epochs=4)
    seen = []
    with Progress({settings: 4}) as progress:
        for epoch in range(1, 5):
            record = {"epoch": epoch, "status": "ok", "test_accuracy": epoch / 10}
            progress(settings, record)
            seen += notebook
    assert seen[0].startswith("█████░") and "1 of 4 epochs, 0:00 left; b 512, seed 0" in seen[0]
    assert seen[-1] == "█" * 20 + " 4 of 4 epochs, 0:00 left; b 512, seed 0: test accuracy 0.4000"
    assert notebook == ["4 epochs: done"]
    assert capsys.readouterr() == ("", "")


def test_a_line_that_is_interrupted_stays(notebook):
    settings = Settings(epochs=4)
    with pytest.raises(KeyboardInterrupt), Progress({settings: 4}) as progress:
        progress(settings, {"epoch": 1, "status": "ok", "test_accuracy": 0.5})
        raise KeyboardInterrupt
    assert "1 of 4 epochs" in notebook[0]


def test_ipython_in_a_terminal_is_no_notebook(notebook, capsys, monkeypatch):
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: types.SimpleNamespace())
    settings = Settings(epochs=1)
    with Progress({settings: 1}) as progress:
        progress(settings, {"epoch": 1, "status": "ok", "test_accuracy": 0.5})
    assert notebook == [] and "1 of 1 runs" in capsys.readouterr().err
