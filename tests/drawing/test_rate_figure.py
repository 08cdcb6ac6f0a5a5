"""The figure of `tune`: what it draws is what the runs came to, at the rates that were chosen."""

import numpy as np
import pytest
from hand_made import band, legend, texts
from matplotlib.colors import to_rgb

from minisgd.drawing import rate_figure

# Three seeds for each rate, in no order, none of them symmetric: here the median is neither the
# mean nor an end.
RUNS = {
    0.1: {"validation": (0.99, 0.95, 0.94), "test": (0.91, 0.97, 0.98)},
    0.001: {"validation": (0.30, 0.10, 0.11), "test": (0.20, 0.92, 0.21)},
    0.02: {"validation": (0.96, 0.10, 0.97), "test": (0.95, 0.93, 0.30)},
}
RATES = [0.001, 0.02, 0.1]
MEDIANS = {"validation": [0.11, 0.96, 0.95], "test": [0.21, 0.93, 0.97]}
ENDS = {
    "validation": [(0.10, 0.30), (0.10, 0.97), (0.94, 0.99)],
    "test": [(0.20, 0.92), (0.30, 0.95), (0.91, 0.98)],
}
CHOSEN = {"validation": 0.02, "test": 0.1}


@pytest.fixture(scope="module")
def figure():
    rows = [
        {"lr": lr, "validation_accuracy": v, "test_accuracy": t}
        for lr, runs in RUNS.items()
        for v, t in zip(runs["validation"], runs["test"], strict=True)
    ]
    return rate_figure(rows, CHOSEN, "which rate", "NOT MNIST: glyphs")


def drawn(axes, label):
    (line,) = [line for line in axes.lines if line.get_label() == label]
    return line


def verticals(axes):
    """{x: line} of the vertical lines."""
    return {
        line.get_xdata()[0]: line
        for line in axes.lines
        if len(line.get_xdata()) == 2 and len(set(line.get_xdata())) == 1
    }


@pytest.mark.parametrize("by", CHOSEN)
@pytest.mark.parametrize("place", [0, 1])
def test_the_line_is_the_median_over_seeds_at_every_rate(figure, by, place):
    line = drawn(figure.axes[place], f"{by}: best at {CHOSEN[by]:g}")
    np.testing.assert_array_equal(line.get_xdata(), RATES)
    np.testing.assert_array_equal(line.get_ydata(), MEDIANS[by])


@pytest.mark.parametrize("place", [0, 1])
def test_the_band_is_from_minimum_to_maximum_and_has_the_colour_of_its_line(figure, place):
    axes = figure.axes[place]
    for by, collection in zip(CHOSEN, axes.collections, strict=True):
        found = band(collection)
        assert sorted(found) == RATES
        np.testing.assert_array_equal([found[lr] for lr in RATES], ENDS[by])
        line = drawn(axes, f"{by}: best at {CHOSEN[by]:g}")
        assert to_rgb(collection.get_facecolor()[0][:3]) == to_rgb(line.get_color())


@pytest.mark.parametrize("place", [0, 1])
def test_vertical_lines_stand_at_both_choices_and_at_the_reports_rate(figure, place):
    axes = figure.axes[place]
    found = verticals(axes)
    assert sorted(found) == [0.01, 0.02, 0.1]
    for by, lr in CHOSEN.items():  # each in the looks of its curve
        curve = drawn(axes, f"{by}: best at {lr:g}")
        assert found[lr].get_color() == curve.get_color()
        assert found[lr].get_linestyle() == curve.get_linestyle()
    assert found[0.01].get_label() == "the report's 0.01"
    assert all(list(line.get_ydata()) == [0, 1] for line in found.values())  # over all the height


def test_the_legend_tells_the_choices_and_the_two_curves_apart(figure):
    (box,) = figure.legends
    assert legend(figure) == [
        "validation: best at 0.02", "test: best at 0.1", "the report's 0.01",
    ]  # fmt: skip
    for handle, text in zip(box.get_lines(), box.get_texts(), strict=True):
        line = drawn(figure.axes[1], text.get_text())
        assert handle.get_color() == line.get_color()
        assert handle.get_linestyle() == line.get_linestyle()
    assert len({line.get_color() for line in box.get_lines()}) == 3
    assert len({line.get_linestyle() for line in box.get_lines()}) == 3


def test_the_left_part_is_the_whole_range_and_the_right_one_is_zoomed(figure):
    whole, zoomed = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["whole range", "0.9 to 1"]
    assert whole.get_ylim()[0] < 0 and whole.get_ylim()[1] > 1
    assert zoomed.get_ylim() == (0.9, 1.0)
    assert whole.get_position().x1 < zoomed.get_position().x0
    assert all(axes.get_xscale() == "log" for axes in figure.axes)


def test_title_and_note_stand_above(figure):
    assert texts(figure) == "which rate | NOT MNIST: glyphs"
    title, note = figure.texts
    assert title.get_position()[1] > note.get_position()[1] > figure.axes[0].get_position().y1
