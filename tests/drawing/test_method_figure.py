"""The figures of the answer: what they draw is what the runs came to."""

import numpy as np
import pytest
from hand_made import legend, texts
from matplotlib.colors import to_rgb

from minisgd.drawing import (
    MARKERS,
    METHOD_PALETTE,
    PALETTE,
    Carried,
    Line,
    Losses,
    carried_figure,
    losses_figure,
    method_figure,
    rows_figure,
)

LINES = [
    Line("Muon", {64: [0.99, 0.98, 0.97], 60000: [0.5, 0.99, 0.9]}),
    Line("LAMB", {64: [0.95], 60000: [0.1]}),
    Line("η = .01", {64: [0.9, 0.91], 8192: [0.5, 0.6]}, faint=True),
]


@pytest.fixture(scope="module")
def figure():
    return method_figure(LINES, "How far?", "batch size", (0.95, 1), "NOT MNIST")


def drawn(axes, label):
    (line,) = [line for line in axes.lines if line.get_label() == label]
    return line


def faint(axes):
    (line,) = [line for line in axes.lines if line.get_color() == "0.55"]
    return line


@pytest.mark.parametrize("place", [0, 1])
def test_a_line_is_the_median_over_the_seeds(figure, place):
    axes = figure.axes[place]
    for label, y in (("Muon", [0.98, 0.9]), ("LAMB", [0.95, 0.1])):
        np.testing.assert_allclose(drawn(axes, label).get_ydata(), y)
    np.testing.assert_allclose(faint(axes).get_ydata(), [0.905, 0.55])
    assert to_rgb(drawn(axes, "Muon").get_color()) == to_rgb(PALETTE[0])
    assert faint(axes).get_linestyle() != "-"
    vertices = axes.collections[0].get_paths()[0].vertices
    assert (vertices[:, 1].min(), vertices[:, 1].max()) == (0.5, 0.99)


def test_the_note_and_the_legend_are_there(figure):
    assert "NOT MNIST" in texts(figure) and len(legend(figure)) == 2
    assert figure.axes[1].get_ylim() == (0.95, 1)
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["64", "60,000"]


@pytest.fixture(scope="module")
def carried():
    far = {"Muon": Carried(64, 60000), "LAMB": Carried(None, None), "η = .01": Carried(64, 64)}
    found = {0.002: dict.fromkeys(far, Carried(None, None)), 0.005: far}
    return carried_figure(LINES, "How far?", (0.9, 1), 0.985, found, "NOT MNIST")


def test_the_headline_shows_the_lines_between_their_bar_and_its_tolerances(carried):
    axes = carried.axes[0]
    np.testing.assert_allclose(drawn(axes, "Muon").get_ydata(), [0.98, 0.9])
    np.testing.assert_allclose(faint(axes).get_ydata(), [0.905, 0.55])
    (bar,) = (line for line in axes.lines if list(line.get_ydata()) == [0.985, 0.985])
    assert list(bar.get_xdata()) == [0, 1]  # from side to side
    np.testing.assert_allclose(sorted(p.get_height() for p in axes.patches), [0.004, 0.01])
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["Muon", "LAMB"]
    assert {"η = .01", "64 at its best: 0.9850"} <= {t.get_text() for t in axes.texts}
    assert "NOT MNIST" in texts(carried)


def test_the_headline_has_a_bar_up_to_what_a_method_carries(carried):
    rows = carried.axes[1]
    assert [t.get_text() for t in rows.get_yticklabels()] == ["Muon", "LAMB", "η = .01"]
    ends = sorted(round(bar.get_x() + bar.get_width()) for bar in rows.patches)
    assert ends == [64, 64, 64, 60000]  # Muon's two, those of η = .01; LAMB has none
    assert [t.get_text() for t in rows.texts] == ["none"] * 4


def test_a_row_has_a_dot_for_every_seed_and_a_tick_at_the_median():
    rows = {"whole": [0.99, 0.98, 0.97], "without": [0.5, 0.6], "some": [0.99, 0.98, 0.1]}
    figure = rows_figure(rows, "What?", (0.95, 1))
    (axes,) = figure.axes
    dots, tick = axes.lines[0], axes.lines[1]
    assert list(dots.get_xdata()) == [0.99, 0.98, 0.97] and list(tick.get_xdata()) == [0.98]
    assert [t.get_text() for t in axes.get_yticklabels()] == [*rows]
    assert [t.get_text() for t in axes.texts] == [" ← 0.550", " ← 1 more"]


def test_a_way_has_one_colour_in_every_panel_of_losses():
    """Also where another line stands before it; and every way is in the legend once."""
    muon, lamb = Line("Muon", {64: [0.0], 8192: [-0.01]}), Line("LAMB", {64: [0.0], 8192: [-0.05]})
    rule = Line("sqrt rule", {64: [-0.01], 8192: [-0.9]}, faint=True)
    panels = [Losses("one", [muon, lamb, rule]), Losses("other", [lamb])]
    figure = losses_figure(panels, "t", "lost", (-0.1, 0.02), (0.002,))
    colours = [{line.get_label(): line.get_color() for line in axes.lines} for axes in figure.axes]
    assert colours[0]["LAMB"] == colours[1]["LAMB"] != colours[0]["Muon"]
    (key,) = figure.legends
    assert [text.get_text() for text in key.get_texts()] == ["Muon", "LAMB", "sqrt rule"]
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim() == (-0.1, 0.02)


def test_no_loss_lies_below_the_figure_and_small_ones_can_be_told_apart():
    """The scale is linear within .01 of nothing: .005 lies half way, and 1 is the lower edge."""
    lines = [Line("Muon", {64: [0.0], 2048: [-0.005], 8192: [-0.01], 60000: [-1.0]})]
    axes = losses_figure([Losses("one", lines)], "t", "lost", (-1.0, 0.01), (0.002,)).axes[0]
    height = [axes.transData.transform((64, y))[1] for y in (0.0, -0.005, -0.01, -0.1, -1.0)]
    assert height == sorted(height, reverse=True)
    assert height[0] - height[1] == pytest.approx(height[1] - height[2])
    assert height[2] - height[3] == pytest.approx(height[3] - height[4], rel=0.1)
    assert height[-1] == pytest.approx(axes.bbox.y0)


def test_a_method_keeps_its_colour_and_marker_where_others_are_missing():
    lines = [Line("Muon", {64: [0.0], 8192: [-0.01]}, place=4), Line("LAMB", {64: [0.0]}, place=3)]
    axes = losses_figure([Losses("one", lines)], "t", "lost", (-0.1, 0.01), (0.002,)).axes[0]
    looks = {line.get_label(): (line.get_color(), line.get_marker()) for line in axes.lines}
    assert looks["Muon"] == (METHOD_PALETTE[4], MARKERS[4])
    assert looks["LAMB"] == (METHOD_PALETTE[3], MARKERS[3])
