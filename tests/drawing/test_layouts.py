"""Layout: nothing is cut off, nothing lies on anything else, and any records can be drawn."""

import pytest
from hand_made import LAYOUTS, lines, records
from hypothesis import given, settings
from hypothesis import strategies as st

from minisgd.drawing import Curve, Plot, accuracy_figure, chart, report_figure
from minisgd.drawing.style import DPI


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


@pytest.mark.parametrize("apart", [(), (64,), (64, 8192)])
def test_no_figure_is_too_tall_to_be_seen_as_a_whole(apart):
    rows = [row for b in (64, 128, 8192) for row in records((0.3, 0.95), batch_size=b)]
    figure = report_figure(rows, "t", losses=True, apart=apart, note="note")
    panels = chart([Plot("title", "x", "y", (Curve("a", (1, 2), (3, 4)),))] * 8, "t", "note")
    for each in (figure, panels):
        assert each.get_figheight() * DPI <= 1400 + 1e-6
        heights = [axes.get_position().height * each.get_figheight() for axes in each.axes]
        assert min(heights) > 0.6  # inches
