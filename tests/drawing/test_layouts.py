"""Layout: nothing is cut off, nothing lies on anything else, and any records can be drawn."""

import pytest
from hand_made import LAYOUTS, lines, records
from hypothesis import given, settings
from hypothesis import strategies as st

from minisgd.drawing import accuracy_figure


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
