"""Charts of the measures: curves, error bars and bands stand where the numbers are."""

import numpy as np
import pytest
from hand_made import band, legend, texts

from minisgd.drawing import PALETTE, Curve, Plot, chart


def only(*curves, **axes):
    """The axes of a chart of one panel."""
    (found,) = chart([Plot("title", "x", "y", curves, **axes)], "t").axes
    return found


def test_a_curve_runs_through_its_points_in_its_own_looks():
    axes = only(Curve("a", (1, 2, 3), (4.0, 6.0, 5.0), (), PALETTE[2], "--", "s"))
    (line,) = axes.lines
    np.testing.assert_array_equal(line.get_xydata(), [(1, 4), (2, 6), (3, 5)])
    looks = line.get_color(), line.get_linestyle(), line.get_marker()
    assert looks == (PALETTE[2], "--", "s")
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == ("title", "x", "y")


def test_points_alone_have_no_line():
    (line,) = only(Curve("a", (1, 2), (3.0, 4.0), dash="", marker="o")).lines
    assert line.get_linestyle() == "None" and line.get_marker() == "o"


def test_error_bars_reach_one_error_up_and_down():
    axes = only(Curve("a", (1, 2), (3.0, 4.0), (0.5, 0.25)))
    (bars,) = axes.collections
    np.testing.assert_array_equal(
        bars.get_segments(), [[(1, 2.5), (1, 3.5)], [(2, 3.75), (2, 4.25)]]
    )


def test_a_band_reaches_one_error_up_and_down():
    axes = only(Curve("a", (1, 2), (3.0, 4.0), (0.5, 0.25), band=True))
    (collection,) = axes.collections
    assert band(collection) == {1: (2.5, 3.5), 2: (3.75, 4.25)}


@pytest.mark.parametrize(("logy", "left"), [(False, [1, 4, 5]), (True, [1])])
def test_what_cannot_be_shown_is_left_out_with_its_error(logy, left):
    x, y = (1, 2, 3, 4, 5), (1.0, None, float("nan"), -1.0, 0.0)
    axes = only(Curve("a", x, y, (0.1, 9, 9, 0.2, 0.3)), logy=logy)
    assert list(axes.lines[0].get_xdata()) == left
    (bars,) = axes.collections
    halves = [np.ptp(segment[:, 1]) / 2 for segment in bars.get_segments()]
    np.testing.assert_allclose(halves, [{1: 0.1, 4: 0.2, 5: 0.3}[x] for x in left])


def test_the_legend_names_every_curve_once_and_those_that_have_no_points():
    shared, alone = Curve("a", (1, 2), (1.0, 2.0)), Curve("alone", (), (), (), PALETTE[1], ":")
    hidden, unnamed = Curve("hidden", (1,), (None,)), Curve("", (1, 2), (2.0, 1.0))
    figure = chart([Plot("", "", "", (shared, alone)), Plot("", "", "", (shared, hidden, unnamed))],
                   "t")  # fmt: skip
    assert legend(figure) == ["a", "alone"]
    _, line = figure.legends[0].get_lines()
    assert (line.get_color(), line.get_linestyle()) == (PALETTE[1], ":")
    assert [len(axes.lines) for axes in figure.axes] == [1, 2]


def test_axes_run_as_they_are_asked_to():
    curve = Curve("a", (1, 1024), (1.0, 50.0))
    axes = only(curve, logx=True, logy=True, ylim=(0.5, 80), xticks=(1, 64, 1024, 8192))
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert axes.get_ylim() == (0.5, 80)
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "64", "1024", "8192"]
    assert axes.get_xlim()[1] < 8192  # a tick beyond the data does not widen the panel
    assert only(curve).get_xscale() == only(curve).get_yscale() == "linear"


@pytest.mark.parametrize(("top", "numbered"), [(50.0, True), (5e4, False)])
def test_few_decades_have_numbers_at_two_and_five_as_well(top, numbered):
    axes = only(Curve("a", (1, 2), (1.0, top)), logy=True)
    axes.figure.canvas.draw()
    shown = {text.get_text() for text in axes.get_yticklabels()}
    assert ({"2", "5", "10", "20", "50"} <= shown) is numbered


def test_panels_stand_in_rows_from_the_top_left():
    figure = chart([Plot(name, "", "", ()) for name in "abc"], "the title")
    a, b, c = (axes.get_position() for axes in figure.axes)
    assert [axes.get_title() for axes in figure.axes] == ["a", "b", "c"]
    assert a.x1 < b.x0 and a.y0 == b.y0
    assert c.x0 == a.x0 and c.y1 < a.y0
    assert texts(figure) == "the title"
