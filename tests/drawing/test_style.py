"""What all figures share: colours, the note, the files, and what importing the package costs."""

import os
import subprocess
import sys
from itertools import pairwise
from math import log2
from pathlib import Path

import numpy as np
import pytest
from hand_made import LAYOUTS, SIZES, lines, records
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb

from minisgd import drawing
from minisgd.disk.files import StorageError
from minisgd.drawing import accuracy_figure, batch_color, save
from minisgd.drawing.palette import BATCH_PALETTE, DARK_PALETTE, as_hex

HERE = Path(__file__).parent


def lightness(color):
    """CIE L* of a colour: what is left of it in greyscale, in even steps for the eye."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    y = linear @ (0.2126, 0.7152, 0.0722)
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


# ---- colours


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


def test_on_dark_paper_larger_batches_are_lighter_and_all_can_be_seen():
    values = [lightness(batch_color(b, dark=True)) for b in SIZES]
    assert all(b - a > 1.5 for a, b in pairwise(values))
    assert values[0] > 48 and values[-1] == pytest.approx(100)


@pytest.mark.parametrize(("dark", "palette"), [(False, BATCH_PALETTE), (True, DARK_PALETTE)])
def test_colours_between_those_of_the_palette_are_as_matplotlib_mixes_them(dark, palette):
    mixed = LinearSegmentedColormap.from_list("", palette)
    for b in {*SIZES, 1, 100, 6000, 10**6, *range(64, 8193, 37)}:
        place = min(max(log2(b / 64) / 7, 0.0), 1.0)
        assert batch_color(b, dark) == pytest.approx(mixed(place)[:3], abs=1e-12)
        assert as_hex(batch_color(b, dark)) == to_hex(mixed(place))


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_every_batch_size_has_a_colour_no_lighter_than_that_of_a_smaller_one(a, b):
    small, large = sorted((a, b))
    assert lightness(batch_color(large)) <= lightness(batch_color(small)) + 0.5


def test_other_sizes_lie_between_their_neighbours():
    assert batch_color(8192 * 4) == batch_color(8192)
    assert lightness(batch_color(128)) < lightness(batch_color(96)) < lightness(batch_color(64))


# ---- the heading


@pytest.mark.parametrize(
    "draw",
    [
        lambda note: accuracy_figure(records([0.5]), "the title", note),
        lambda note: drawing.chart([drawing.Plot("", "x", "y", ())], "the title", note),
    ],
)
def test_the_note_is_bold_and_boxed_under_the_title(draw):
    at = {text.get_text(): text for text in draw("built-in glyphs, not MNIST").texts}
    note = at["built-in glyphs, not MNIST"]
    assert note.get_weight() == "bold" and note.get_bbox_patch() is not None
    assert note.get_position()[1] < at["the title"].get_position()[1]
    assert all(text.get_bbox_patch() is None for text in draw(None).texts)


# ---- files


def test_save_writes_a_png_and_an_svg_and_nothing_else(tmp_path):
    paths = save(accuracy_figure(records([0.5, 0.95]), "t"), tmp_path / "new" / "folder", "a.b")
    assert [path.name for path in paths] == ["a.b.png", "a.b.svg"]
    assert sorted(path.name for path in paths[0].parent.iterdir()) == ["a.b.png", "a.b.svg"]
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    assert paths[1].read_text(encoding="utf-8").rstrip().endswith("</svg>")


def python(script, *arguments, **environment):
    start = f"import sys; sys.path[:0] = [{str(HERE)!r}, {str(HERE.parents[1])!r}]\n"
    command = [sys.executable, "-c", start + script, *arguments]
    subprocess.run(command, check=True, env=os.environ | environment)


# Other colours and sizes, and LaTeX, which a machine may lack.
MATPLOTLIBRC = """
axes.facecolor: red
font.size: 20
lines.linewidth: 9
savefig.bbox: tight
svg.fonttype: none
text.usetex: True
"""


def test_the_same_records_give_the_same_bytes_to_another_user_too(tmp_path):
    (tmp_path / "matplotlibrc").write_text(MATPLOTLIBRC)
    python(
        "from hand_made import LAYOUTS\n"
        "from minisgd.drawing import save\n"
        "save(LAYOUTS['eight sizes'](), sys.argv[1], 'other')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n",
        str(tmp_path),
        MATPLOTLIBRC=str(tmp_path / "matplotlibrc"),
    )
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


# ---- the package


def test_the_package_offers_its_names_and_no_others():
    for name in drawing.__all__:
        assert getattr(drawing, name) and name in dir(drawing)
    with pytest.raises(AttributeError, match=r"minisgd\.drawing.* has no attribute 'pie_figure'"):
        _ = drawing.pie_figure


def test_matplotlib_is_loaded_with_the_first_name_that_draws_and_not_before():
    python(
        "from minisgd import drawing\n"
        "assert 'matplotlib' not in sys.modules\n"
        "drawing.batch_color(64)\n"
        "assert 'matplotlib' not in sys.modules\n"
        "drawing.save\n"
        "assert 'matplotlib' in sys.modules\n"
    )


@pytest.mark.parametrize("name", ["MPLBACKEND", "MATPLOTLIBRC"])
def test_settings_with_which_matplotlib_cannot_be_loaded_are_named(tmp_path, name):
    (tmp_path / "matplotlibrc").write_bytes(b"axes.facecolor: r\xe9d")
    value = {"MPLBACKEND": "nonsense", "MATPLOTLIBRC": str(tmp_path / "matplotlibrc")}[name]
    python(
        "import pytest\n"
        "from minisgd import drawing\n"
        "from minisgd.data import glyphs\n"
        "from minisgd.errors import UserError\n"
        "for use in (lambda: drawing.save, glyphs._fonts):\n"
        "    with pytest.raises(UserError, match='MPLBACKEND .* or your matplotlibrc [(]'):\n"
        "        use()\n",
        **{name: value},
    )
