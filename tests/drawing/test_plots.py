"""Figures from hand-made records: which lines, where they run, what the labels and marks say."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from minisgd.disk.files import StorageError
from minisgd.drawing.plots import (
    accuracy_figure,
    batch_color,
    comparison_figure,
    rate_figure,
    report_figure,
    save,
)

SIZES = [64 * 2**k for k in range(8)]


def records(curve, **columns):
    """One run: a test accuracy an epoch, the train accuracy .01 below it."""
    row = dict(rule="none", warmup="none", optimizer="sgd", batch_size=64, base_lr=0.01, lr=0.01)
    row |= dict(momentum=0.0, seed=0, train_loss=1.0, test_loss=1.0, seconds=1.0, status="ok")
    row |= columns
    return [
        {**row, "epoch": i, "test_accuracy": a, "train_accuracy": None if a is None else a - 0.01}
        for i, a in enumerate(curve, start=1)
    ]


def lines(axes):
    return {line.get_label(): line for line in axes.lines if line.get_label().startswith("b = ")}


def marks(axes, kind):
    """The points of every mark of that kind, as a list of (epoch, value)."""
    found = [line for line in axes.lines if line.get_label().startswith(kind)]
    return [tuple(point) for line in found for point in line.get_xydata()]


def legend(figure):
    return [text.get_text() for box in figure.legends for text in box.get_texts()]


def texts(figure):
    return " | ".join(text.get_text() for text in figure.texts)


def lightness(color):
    """CIE L* of a colour: what is left of it in greyscale, in even steps for the eye."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    y = linear @ (0.2126, 0.7152, 0.0722)
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


# -- lines, medians, bands


def test_train_stands_left_and_test_right_each_whole_and_zoomed():
    figure = accuracy_figure(records([0.5, 0.95, 0.97]), "title")
    train, train_zoom, test, test_zoom = figure.axes
    assert [train.get_title(), test.get_title()] == ["train accuracy", "test accuracy"]
    assert train.get_position().x1 < test.get_position().x0
    for axes, curve in ((train, [0.49, 0.94, 0.96]), (test, [0.5, 0.95, 0.97])):
        np.testing.assert_array_equal(lines(axes)["b = 64, η = 0.01"].get_xdata(), [1, 2, 3])
        np.testing.assert_allclose(lines(axes)["b = 64, η = 0.01"].get_ydata(), curve)
    for axes in (train, test):
        assert axes.get_ylim()[0] < 0 and axes.get_ylim()[1] > 1
    for axes in (train_zoom, test_zoom):
        assert axes.get_ylim() == (0.9, 1.0)
    assert "title" in texts(figure)


def test_a_line_for_each_batch_size_in_order_with_the_scaled_rate():
    rows = [row for b in reversed(SIZES) for row in records([0.5], batch_size=b, lr=0.01 * b / 64)]
    figure = accuracy_figure(rows, "linear")
    expected = [f"b = {b}, η = {0.01 * b / 64:.4g}" for b in SIZES]
    assert legend(figure) == expected
    assert expected[-1] == "b = 8192, η = 1.28"
    assert all(list(lines(axes)) == expected for axes in figure.axes)


def test_a_warmup_is_labelled_with_the_rate_it_leads_to():
    rows = records([0.5, 0.6, 0.7], warmup="gradual")
    for row, rate in zip(rows, (0.01, 0.645, 1.28), strict=True):
        row["lr"] = rate
    assert legend(accuracy_figure(rows, "t")) == ["b = 64, η = 1.28"]


def band(axes):
    """{epoch: (low, high)} of the only band."""
    (collection,) = axes.collections
    (path,) = collection.get_paths()
    points = path.vertices
    return {
        int(i): (points[points[:, 0] == i, 1].min(), points[points[:, 0] == i, 1].max())
        for i in np.unique(points[:, 0])
    }


def test_one_seed_has_no_band():
    figure = accuracy_figure(records([0.5, 0.6]), "t")
    assert all(len(axes.collections) == 0 for axes in figure.axes)
    assert "One seed" in texts(figure)


def test_a_few_seeds_have_a_band_from_minimum_to_maximum():
    rows = [row for s, a in enumerate((0.2, 0.3, 0.7)) for row in records([a, a + 0.1], seed=s)]
    figure = accuracy_figure(rows, "t")
    axes = figure.axes[1]
    np.testing.assert_allclose(lines(axes)["b = 64, η = 0.01"].get_ydata(), [0.3, 0.4])
    np.testing.assert_allclose(band(axes)[1], (0.2, 0.7))
    np.testing.assert_allclose(band(axes)[2], (0.3, 0.8))
    assert "median of 3 seeds. Band: minimum to maximum." in texts(figure)


def test_from_five_seeds_on_the_band_is_the_quartiles():
    rows = [row for s in range(5) for row in records([s / 10, s / 10], seed=s)]
    figure = accuracy_figure(rows, "t")
    np.testing.assert_allclose(band(figure.axes[1])[1], (0.1, 0.3))
    assert "median of 5 seeds. Band: quartiles." in texts(figure)


def test_sizes_with_different_numbers_of_seeds_are_told_of():
    rows = [row for s in range(2) for row in records([0.5], seed=s)]
    rows += [row for s in range(6) for row in records([0.5], seed=s, batch_size=128)]
    said = texts(accuracy_figure(rows, "t"))
    assert "2 to 6 seeds" in said and "minimum to maximum, or quartiles from five" in said


def test_the_zoom_is_left_out_where_nothing_gets_there():
    figure = accuracy_figure(records([0.1, 0.4]), "t")
    assert [axes.get_ylabel() for axes in figure.axes] == ["whole range", ""]


# -- labels tell apart what differs


def test_the_four_runs_of_figure_6_have_four_labels():
    # Report Fig. 6
    runs = [(2048, 0.01, 0.9), (4096, 0.01414, 0.9), (8192, 0.02, 0.9), (8192, 0.01414, 0.929)]
    rows = [
        row
        for b, lr, m in runs
        for row in records([0.9, 0.98], batch_size=b, lr=lr, base_lr=lr, momentum=m)
    ]
    figure = accuracy_figure(rows, "Fig. 6")
    assert legend(figure) == [
        "b = 2048, η = 0.01, m = 0.9",
        "b = 4096, η = 0.01414, m = 0.9",
        "b = 8192, η = 0.02, m = 0.9",
        "b = 8192, η = 0.01414, m = 0.929",
    ]
    drawn = lines(figure.axes[0])
    one, other = drawn["b = 8192, η = 0.02, m = 0.9"], drawn["b = 8192, η = 0.01414, m = 0.929"]
    assert one.get_color() == other.get_color()
    assert one.get_linestyle() != other.get_linestyle()


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("rule", ("none", "sqrt"), ("no scaling", "sqrt scaling")),
        ("warmup", ("none", "gradual"), ("no warmup", "gradual warmup")),
        ("optimizer", ("sgd", "lars"), ("sgd", "lars")),
        ("base_lr", (0.01, 0.02), ("η0 = 0.01", "η0 = 0.02")),
        ("momentum", (0.0, 0.9), ("m = 0", "m = 0.9")),
    ],
)
def test_whatever_differs_besides_batch_size_and_seed_is_in_the_label(column, values, words):
    rows = [row for v in values for row in records([0.5], **{column: v})]
    assert legend(accuracy_figure(rows, "t")) == [f"b = 64, η = 0.01, {word}" for word in words]


def test_two_records_of_one_epoch_are_refused():
    with pytest.raises(ValueError, match="two records of epoch 1 for batch size 64, seed 0"):
        accuracy_figure(records([0.5]) * 2, "t")


# -- marks


def test_a_run_that_diverged_has_an_x_at_its_last_epoch():
    rows = records([0.3, 0.6, None])
    rows[-1]["status"] = "diverged"
    figure = accuracy_figure(rows, "t")
    assert marks(figure.axes[1], "diverged") == [(3, 0.6)]
    assert any(text.startswith("diverged") for text in legend(figure))
    assert not any(text.startswith("stuck") for text in legend(figure))


def test_a_run_that_diverged_at_once_still_has_its_x():
    rows = records([None], status="diverged")
    assert marks(accuracy_figure(rows, "t").axes[1], "diverged") == [(1, 0.0)]


def test_after_a_divergence_the_line_is_of_the_seeds_that_remain_and_says_so():
    lost = records([0.9], seed=1)
    lost[-1]["status"] = "diverged"
    figure = accuracy_figure(records([0.5, 0.6]) + lost, "t")
    median = lines(figure.axes[1])["b = 64, η = 0.01"].get_ydata()
    np.testing.assert_allclose(median, [0.7, 0.6])
    assert "of those that remain" in texts(figure)


def test_stuck_epochs_are_hollow_marks_even_of_one_seed_among_several():
    rows = [row for s in range(3) for row in records([0.5, 0.6, 0.7], seed=s)]
    rows += records([0.1135] * 3, seed=3)
    for row in rows[-2:]:
        row["status"] = "stuck"
    figure = accuracy_figure(rows, "t")
    assert marks(figure.axes[1], "stuck") == [(2, 0.1135), (3, 0.1135)]
    (mark,) = (line for line in figure.axes[1].lines if line.get_label().startswith("stuck"))
    assert mark.get_markerfacecolor() == "white" != mark.get_markeredgecolor()
    assert "stuck: every test image given one class" in legend(figure)


def test_without_marks_the_legend_has_lines_only():
    assert legend(accuracy_figure(records([0.5]), "t")) == ["b = 64, η = 0.01"]


def test_a_value_that_is_not_finite_leaves_a_gap():
    figure = accuracy_figure(records([0.5, None, float("nan"), 0.6]), "t")
    median = lines(figure.axes[1])["b = 64, η = 0.01"].get_ydata()
    np.testing.assert_array_equal(median, [0.5, np.nan, np.nan, 0.6])


def test_the_note_is_bold_and_boxed_under_the_title():
    figure = accuracy_figure(records([0.5]), "the title", note="built-in glyphs, not MNIST")
    at = {text.get_text(): text for text in figure.texts}
    note = at["built-in glyphs, not MNIST"]
    assert note.get_weight() == "bold" and note.get_bbox_patch() is not None
    assert note.get_position()[1] < at["the title"].get_position()[1]


# -- colours


def test_a_batch_size_has_the_same_colour_and_marker_in_every_subset():
    def looks(sizes):
        rows = [row for b in sizes for row in records([0.5, 0.6], batch_size=b)]
        drawn = lines(accuracy_figure(rows, "t").axes[0])
        return {
            label: (line.get_color(), line.get_marker(), line.get_linestyle())
            for label, line in drawn.items()
        }

    everything = looks(SIZES)
    assert len(set(everything.values())) == len(SIZES)
    for subset in ([64], [8192, 256], SIZES[3:6]):
        assert looks(subset).items() <= everything.items()


def test_larger_batches_are_darker_in_greyscale_by_steps_that_can_be_seen():
    values = [lightness(batch_color(b)) for b in SIZES]
    assert all(a - b > 4 for a, b in pairwise(values))
    assert values[0] < 82  # still seen on white


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_every_batch_size_has_a_colour_no_lighter_than_that_of_a_smaller_one(a, b):
    small, large = sorted((a, b))
    assert lightness(batch_color(large)) <= lightness(batch_color(small)) + 0.5


def test_other_sizes_lie_between_their_neighbours():
    assert batch_color(8192 * 4) == batch_color(8192)
    assert lightness(batch_color(128)) < lightness(batch_color(96)) < lightness(batch_color(64))


# -- several sweeps


def test_comparison_has_a_panel_for_each_sweep_one_scale_and_one_legend():
    base = [row for b in (64, 128) for row in records([0.5, 0.95], batch_size=b)]
    linear = [{**row, "rule": "linear", "lr": row["batch_size"] / 6400} for row in base]
    figure = comparison_figure([("η = 0.01", base), ("linear", linear)])
    assert [axes.get_title() for axes in figure.axes[::2]] == ["η = 0.01", "linear"]
    assert figure.axes[0].get_ylim() == figure.axes[2].get_ylim()
    assert figure.axes[1].get_ylim() == figure.axes[3].get_ylim()
    assert legend(figure) == ["b = 64", "b = 128"]  # the sweeps differ in the rate of 128
    np.testing.assert_allclose(lines(figure.axes[0])["b = 64"].get_ydata(), [0.5, 0.95])
    assert texts(figure).startswith("Test accuracy")


def test_comparison_names_the_rates_that_all_sweeps_share_and_takes_a_metric_and_a_note():
    rows = records([0.5])
    figure = comparison_figure([("a", rows), ("b", rows)], metric="train_accuracy", note="glyphs")
    assert legend(figure) == ["b = 64, η = 0.01"]
    np.testing.assert_allclose(lines(figure.axes[0])["b = 64, η = 0.01"].get_ydata(), [0.49])
    assert "Train accuracy | glyphs" in texts(figure)


def test_comparison_tells_what_differs_inside_a_sweep():
    rows = [row for m in (0.0, 0.9) for row in records([0.5], momentum=m)]
    figure = comparison_figure([("a", rows), ("b", records([0.5]))])
    assert legend(figure) == ["b = 64, η = 0.01, m = 0", "b = 64, η = 0.01, m = 0.9"]


# -- the report's figures, and the choice of a rate


def titles(figure):
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def test_losses_have_panels_of_their_own_by_powers_of_ten():
    rows = records([0.5, 0.95], train_loss=2.0, test_loss=0.25)
    figure = report_figure(rows, "t", losses=True)
    assert titles(figure) == ["train accuracy", "test accuracy", "train loss", "test loss"]
    train, test = figure.axes[-2:]
    assert train.get_yscale() == test.get_yscale() == "log"
    for axes, value in ((train, 2.0), (test, 0.25)):
        np.testing.assert_allclose(lines(axes)["b = 64, η = 0.01"].get_ydata(), value)
        low, high = axes.get_ylim()
        assert low < value < high
    assert train.get_ylim() == test.get_ylim()  # only the left one has numbers


def test_seeds_are_drawn_one_by_one_where_the_spread_is_the_story():
    curves = {0: [0.1, 0.95], 1: [0.1, 0.1], 2: [0.2, 0.93]}
    rows = [row for s, c in curves.items() for row in records(c, seed=s, batch_size=4096)]
    figure = report_figure(rows + records([0.9, 0.97]), "t", apart=(4096, 2048))
    assert titles(figure)[2:] == ["test accuracy at b = 4096, every seed"]  # there is no 2048
    whole, _ = figure.axes[-2:]
    drawn = sorted(list(line.get_ydata()) for line in whole.lines)
    assert drawn == sorted(curves.values())
    assert "every seed is a line" in texts(figure)


def test_somebody_elses_records_are_dashed_and_in_the_legend():
    theirs = records([0.4, 0.85], train_loss=None)
    figure = report_figure(records([0.5, 0.95]), "t", reference=theirs, losses=True)
    assert "the authors' own run" in legend(figure)
    test = figure.axes[2]
    (dashed,) = [line for line in test.lines if line.get_label() == "the authors' own run"]
    np.testing.assert_allclose(dashed.get_ydata(), [0.4, 0.85])
    assert dashed.is_dashed() and dashed.get_color() == batch_color(64)


def test_held_out_images_are_called_so():
    assert titles(report_figure(records([0.5]), "t", held_out=True)) == [
        "train accuracy", "validation accuracy",
    ]  # fmt: skip


def test_accuracy_against_the_rate_with_both_choices():
    rows = [
        {"lr": lr, "validation_accuracy": v + s / 100, "test_accuracy": v - 0.02}
        for lr, v in ((0.01, 0.9), (0.1, 0.95))
        for s in (0, 1, 2)
    ]
    figure = rate_figure(rows, {"validation": 0.1, "test": 0.01}, "which rate", "NOT MNIST: glyphs")
    assert legend(figure) == ["validation: best at 0.1", "test: best at 0.01", "the report's 0.01"]
    for axes in figure.axes:
        assert axes.get_xscale() == "log"
        middle = {
            line.get_label(): line.get_ydata() for line in axes.lines if len(line.get_xdata()) == 2
        }
        np.testing.assert_allclose(middle["validation: best at 0.1"], [0.91, 0.96])
        np.testing.assert_allclose(middle["test: best at 0.01"], [0.88, 0.93])
    assert "NOT MNIST: glyphs" in texts(figure)


# -- what cannot be drawn


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: accuracy_figure([], "t"), "accuracy_figure: there are no records to draw"),
        (lambda: comparison_figure([]), "no sweeps to draw"),
        (lambda: comparison_figure([("Fig. 3", [])]), "Fig. 3: there are no records to draw"),
        (lambda: comparison_figure([("a", records([0.5]))], "seconds"), "metric must be one of"),
    ],
)
def test_nothing_to_draw_is_one_clear_sentence(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


# -- layout: nothing is cut off, nothing lies on anything else


LAYOUTS = {
    "one epoch": lambda: accuracy_figure(records([0.5]), "t"),
    "eight sizes": lambda: accuracy_figure(
        [row for b in SIZES for row in records([0.2, 0.95], batch_size=b, lr=0.01414 * b / 64)],
        "a title so long that it has to go on in a second line " * 2,
        note="built-in glyphs, not MNIST",
    ),
    "long labels and both marks": lambda: accuracy_figure(
        [
            row
            for b in SIZES
            for w in ("none", "gradual")
            for m in (0.9, 0.929)
            for status in ("stuck", "diverged")
            for row in records(
                [0.95],
                batch_size=b,
                warmup=w,
                momentum=m,
                base_lr=0.02 - m / 100,
                seed=len(status),
                status=status,
            )
        ],
        "t",
    ),
    "six sweeps": lambda: comparison_figure(
        [(f"Fig. {k}: a title that needs two lines here", records([0.2, 0.95])) for k in range(6)]
    ),
    "all that a figure of the report has": lambda: report_figure(
        [
            row
            for b in SIZES
            for s in (0, 1)
            for row in records([0.2, 0.95], batch_size=b, lr=0.01 * b / 64, seed=s, status="stuck")
        ],
        "Fig. 3: linear scaling, η = 0.01 b/64",
        losses=True,
        apart=(2048, 4096),
        reference=records([0.3, 0.9]),
        note="NOT MNIST: glyphs",
    ),
    "rates": lambda: rate_figure(
        [
            {"lr": lr, "validation_accuracy": lr, "test_accuracy": 0.95}
            for lr in (0.001, 0.01, 0.1, 0.92)
        ],
        {"validation": 0.92, "test": 0.001},
        "Which rate? b = 64, m = 0, 30 epochs, 5,000 training images held out",
        note="NOT MNIST: glyphs",
    ),
    "200 seeds": lambda: accuracy_figure(
        [row for s in range(200) for row in records([0.2, 0.9 + s / 2000], seed=s)], "t"
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_everything_is_inside_the_figure_and_apart(name):
    figure = LAYOUTS[name]()
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.texts]
    boxes += [box.get_window_extent() for box in figure.legends]
    boxes += [axes.get_tightbbox() for axes in figure.axes]
    for box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0
        assert box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
    for k, box in enumerate(boxes[: len(figure.texts) + len(figure.legends)]):
        assert not any(box.overlaps(other) for other in boxes[k + 1 :])


@settings(max_examples=10, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from((1, 64, 100, 8192)),
            st.integers(0, 6),
            st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=5),
            st.sampled_from(("ok", "stuck", "diverged")),
        ),
        min_size=1,
        max_size=6,
        unique_by=lambda run: run[:2],
    )
)
def test_any_records_can_be_drawn(runs):
    rows = [
        row
        for b, seed, curve, status in runs
        for row in records(curve, batch_size=b, seed=seed, status=status)
    ]
    figure = accuracy_figure(rows, "t")
    figure.canvas.draw()
    assert len(lines(figure.axes[0])) == len({run[0] for run in runs})


# -- files


def test_save_writes_a_png_and_an_svg_and_nothing_else(tmp_path):
    paths = save(accuracy_figure(records([0.5, 0.95]), "t"), tmp_path / "new" / "folder", "a.b")
    assert [path.name for path in paths] == ["a.b.png", "a.b.svg"]
    assert sorted(path.name for path in paths[0].parent.iterdir()) == ["a.b.png", "a.b.svg"]
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    assert paths[1].read_text(encoding="utf-8").rstrip().endswith("</svg>")


def test_the_same_records_give_the_same_bytes_in_another_process_too(tmp_path):
    script = (
        "import sys; sys.path[:0] = [sys.argv[2], sys.argv[3]]\n"
        "from test_plots import LAYOUTS, save\n"
        "save(LAYOUTS['eight sizes'](), sys.argv[1], 'other')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    here = __file__.rsplit("test_plots", 1)[0]
    subprocess.run([sys.executable, "-c", script, tmp_path, here, here + ".."], check=True)
    figure = LAYOUTS["eight sizes"]()
    for name in ("first", "again"):  # a second save of one figure changes nothing either
        for path in save(figure, tmp_path, name):
            assert path.read_bytes() == (tmp_path / f"other{path.suffix}").read_bytes()
    assert "<dc:date>" not in (tmp_path / "first.svg").read_text(encoding="utf-8")


def test_a_write_that_fails_leaves_the_old_picture_and_no_rubbish(tmp_path, monkeypatch):
    figure = accuracy_figure(records([0.5]), "t")
    old = [path.read_bytes() for path in save(figure, tmp_path, "a")]

    def full(_):
        raise OSError("No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space"):
        save(accuracy_figure(records([0.9]), "another"), tmp_path, "a")
    assert [(tmp_path / name).read_bytes() for name in ("a.png", "a.svg")] == old
    assert len(list(tmp_path.iterdir())) == 2
