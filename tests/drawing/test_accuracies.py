"""Figures of accuracies from hand-made records: which lines, bands and marks they have."""

import numpy as np
import pytest
from hand_made import SIZES, band, legend, lines, marks, records, texts, titles

from minisgd.drawing import accuracy_figure, batch_color, comparison_figure, report_figure

# ---- lines, medians, bands


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


def test_one_seed_has_no_band():
    figure = accuracy_figure(records([0.5, 0.6]), "t")
    assert all(len(axes.collections) == 0 for axes in figure.axes)
    assert "One seed" in texts(figure)


@pytest.mark.parametrize(
    ("accuracies", "median", "ends", "said"),
    [
        ((0.2, 0.7, 0.3), 0.3, (0.2, 0.7), "3 seeds. Band: minimum to maximum."),
        ((0.0, 0.1, 0.4, 0.8), 0.25, (0.0, 0.8), "4 seeds. Band: minimum to maximum."),
        ((0.0, 0.1, 0.3, 0.7, 0.8), 0.3, (0.1, 0.7), "5 seeds. Band: quartiles."),
    ],
)
def test_the_band_is_minimum_to_maximum_and_from_five_seeds_on_the_quartiles(
    accuracies, median, ends, said
):
    rows = [row for s, a in enumerate(accuracies) for row in records([a, a + 0.1], seed=s)]
    figure = accuracy_figure(rows, "t")
    axes = figure.axes[1]
    line = lines(axes)["b = 64, η = 0.01"]
    np.testing.assert_allclose(line.get_ydata(), [median, median + 0.1])
    (collection,) = axes.collections
    found = band(collection)
    np.testing.assert_allclose(found[1], ends)
    np.testing.assert_allclose(found[2], np.add(ends, 0.1))
    assert tuple(collection.get_facecolor()[0][:3]) == line.get_color()[:3]
    assert f"Line: median of {said}" in texts(figure)


def test_the_small_print_tells_of_different_numbers_of_seeds():
    rows = [row for s in range(2) for row in records([0.5], seed=s)]
    rows += [row for s in range(6) for row in records([0.5], seed=s, batch_size=128)]
    said = texts(accuracy_figure(rows, "t"))
    assert "2 to 6 seeds" in said and "minimum to maximum, or quartiles from five" in said


@pytest.mark.parametrize("best", [0.1, 0.9])
def test_the_zoom_is_left_out_where_nothing_gets_there(best):
    figure = accuracy_figure(records([0.1, best]), "t")
    assert [axes.get_ylabel() for axes in figure.axes] == ["whole range", ""]


def test_the_zoom_is_there_as_soon_as_one_seed_or_somebody_else_gets_there():
    rows = [row for s, a in enumerate((0.5, 0.5, 0.901)) for row in records([a], seed=s)]
    for figure in (
        accuracy_figure(rows, "t"),
        report_figure(records([0.5]), "t", reference=records([0.901])),
    ):
        assert [axes.get_ylabel() for axes in figure.axes] == ["whole range", "0.9 to 1", "", ""]


def test_every_panel_shows_every_epoch():
    rows = records([0.5] * 30) + records([0.5], batch_size=128, status="diverged")
    for axes in report_figure(rows, "t", apart=(128,)).axes:
        first, last = axes.get_xlim()
        assert 0 <= first < 1 and 30 < last <= 31


# ---- marks


def test_a_run_that_diverged_has_an_x_at_its_last_epoch():
    rows = records([0.3, 0.95, None])
    rows[-1]["status"] = "diverged"
    figure = accuracy_figure(rows, "t")
    for axes in figure.axes[2:]:  # test accuracy, whole and zoomed
        assert marks(axes, "diverged") == [(3, 0.95)]
    (mark,) = (line for line in figure.axes[2].lines if line.get_label().startswith("diverged"))
    assert mark.get_marker() == "x" and mark.get_color() == batch_color(64)
    assert any(text.startswith("diverged") for text in legend(figure))
    assert not any(text.startswith("stuck") for text in legend(figure))


def test_a_run_that_diverged_at_once_still_has_its_x():
    rows = records([None], status="diverged")
    assert marks(accuracy_figure(rows, "t").axes[1], "diverged") == [(1, 0.0)]


def test_every_run_that_diverged_has_its_own_x():
    rows = records([0.3, 0.6, None], seed=0) + records([0.4, None], seed=1)
    rows += records([0.5, 0.6, 0.7], seed=2)
    for lost in (2, 4):
        rows[lost]["status"] = "diverged"
    assert marks(accuracy_figure(rows, "t").axes[1], "diverged") == [(2, 0.4), (3, 0.6)]


def test_after_a_divergence_the_line_is_of_the_seeds_that_remain_and_says_so():
    lost = records([0.9], seed=1)
    lost[-1]["status"] = "diverged"
    figure = accuracy_figure(records([0.5, 0.6]) + lost, "t")
    median = lines(figure.axes[1])["b = 64, η = 0.01"].get_ydata()
    np.testing.assert_allclose(median, [0.7, 0.6])
    assert marks(figure.axes[1], "stuck") == []
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
    assert mark.get_color() == batch_color(64) and mark.get_linestyle() == "None"
    assert "stuck: every test image given one class" in legend(figure)


def test_without_marks_the_legend_has_lines_only():
    assert legend(accuracy_figure(records([0.5]), "t")) == ["b = 64, η = 0.01"]


def test_a_value_that_is_not_finite_leaves_a_gap():
    figure = accuracy_figure(records([0.5, None, float("nan"), 0.6]), "t")
    median = lines(figure.axes[1])["b = 64, η = 0.01"].get_ydata()
    np.testing.assert_array_equal(median, [0.5, np.nan, np.nan, 0.6])


# ---- several sweeps


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


# ---- the report's figures


def test_losses_have_panels_of_their_own_by_powers_of_ten():
    rows = records([0.5, 0.95], train_loss=2.0, test_loss=0.25)
    rows += records([0.5, 0.95], train_loss=0.01, test_loss=8.0, batch_size=128)
    figure = report_figure(rows, "t", losses=True)
    assert titles(figure) == ["train accuracy", "test accuracy", "train loss", "test loss"]
    train, test = figure.axes[-2:]
    assert train.get_yscale() == test.get_yscale() == "log"
    for axes, values in ((train, (2.0, 0.01)), (test, (0.25, 8.0))):
        for line, value in zip(lines(axes).values(), values, strict=True):
            np.testing.assert_allclose(line.get_ydata(), value)
    assert train.get_ylim() == test.get_ylim()  # only the left one has numbers
    low, high = train.get_ylim()
    assert low < 0.01 and high > 8.0
    assert train.get_ylabel() == "cross-entropy"


def test_seeds_are_drawn_one_by_one_where_the_spread_is_the_story():
    curves = {0: [0.1, 0.95], 1: [0.1, 0.1], 2: [0.2, 0.93]}
    rows = [row for s, c in curves.items() for row in records(c, seed=s, batch_size=4096)]
    rows[3]["status"] = "stuck"
    figure = report_figure(rows + records([0.9, 0.97]), "t", apart=(4096, 2048))
    assert titles(figure)[2:] == ["test accuracy at b = 4096, every seed"]  # there is no 2048
    whole, _ = figure.axes[-2:]
    drawn = [line for line in whole.lines if not line.get_label().startswith("stuck")]
    assert sorted(list(line.get_ydata()) for line in drawn) == sorted(curves.values())
    assert {line.get_color() for line in drawn} == {batch_color(4096)}
    assert marks(whole, "stuck") == [(2, 0.1)]
    assert "every seed is a line" in texts(figure)


def test_a_seed_drawn_alone_has_a_gap_where_a_value_is_not_finite():
    figure = report_figure(records([0.5, None, 0.6]), "t", apart=(64,))
    (line,) = figure.axes[-1].lines
    np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(line.get_ydata(), [0.5, np.nan, 0.6])


def test_somebody_elses_records_are_dashed_and_in_the_legend():
    theirs = records([0.4, 0.85], train_loss=None)
    figure = report_figure(records([0.5, 0.95]), "t", reference=theirs, losses=True)
    assert "the authors' own run" in legend(figure)
    assert "the authors' own run" not in legend(report_figure(records([0.5]), "t"))
    test = figure.axes[2]
    (dashed,) = [line for line in test.lines if line.get_label() == "the authors' own run"]
    np.testing.assert_allclose(dashed.get_ydata(), [0.4, 0.85])
    assert dashed.is_dashed() and dashed.get_color() == batch_color(64)


def test_somebody_elses_seeds_are_drawn_by_their_median_beside_the_same_batch_size():
    ours = [row for b in (64, 128) for row in records([0.5], batch_size=b)]
    theirs = [row for s, a in enumerate((0.2, 0.3, 0.7)) for row in records([a], seed=s)]
    theirs += records([0.6], batch_size=128)
    figure = report_figure(ours, "t", reference=theirs, apart=(64,))
    for axes, expected in ((figure.axes[1], [0.3, 0.6]), (figure.axes[2], [0.3])):
        dashed = [line for line in axes.lines if line.get_label() == "the authors' own run"]
        np.testing.assert_allclose([line.get_ydata()[0] for line in dashed], expected)


def test_held_out_images_are_called_so():
    figure = report_figure(records([0.5]), "t", held_out=True, losses=True, apart=(64,))
    assert titles(figure) == [
        "train accuracy", "validation accuracy", "train loss", "validation loss",
        "validation accuracy at b = 64, every seed",
    ]  # fmt: skip


# ---- what cannot be drawn


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
