"""How every figure looks: its width, colours, markers, dashes and heading, and how it is saved.

All lengths are inches, and a figure is laid out from its top without a layout engine, so that
nothing moves between two saves.
"""

from io import BytesIO
from math import log2
from pathlib import Path

from matplotlib import rc_context, rcParamsDefault
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from ..disk.files import make_folder, write_aside

SHOWN = 80  # dots per inch in a notebook
WIDTH = 9.0  # a README shows it about 900 pixels wide, so a point is 1.4 pixels there
DPI = 150
TALLEST = 1400 / DPI  # what is taller cannot be seen as a whole; panels become flatter instead
# Accuracies are drawn twice: over the whole range, and from ZOOM to 1, where good runs differ.
WHOLE_RANGE = (-0.03, 1.03)
ZOOM = 0.9

MARKERS = "os^DvPp*"
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (3, 1, 1, 1, 1, 1)))
GREY = "0.35"
GRID = {"color": "0.9", "linewidth": 0.6}
BAND = {"alpha": 0.16, "linewidth": 0}
TITLE_LINE = 0.26  # the height of one line of the title
NOTE_BOX = 0.32  # the height of the note under the title

# All that draws or saves a figure is decorated with this: a user's matplotlibrc, which may ask for
# other colours, or for LaTeX where there is none, must change nothing.
PLAIN = {k: v for k, v in rcParamsDefault.items() if not k.startswith("backend")}
plain = rc_context(PLAIN | {"svg.hashsalt": "minisgd"})


def batch_marker(batch_size):
    """The marker of a batch size, the same in every figure; they repeat after eight sizes."""
    return MARKERS[round(log2(batch_size / 64)) % len(MARKERS)]


class Picture(Figure):
    """A figure that is in no window and no list of pyplot's, but that a notebook shows."""

    @plain
    def _repr_png_(self):
        picture = BytesIO()
        self.savefig(picture, format="png", dpi=SHOWN)
        return picture.getvalue()


def blank_figure(height):
    """An empty white figure that can be drawn and saved without a window."""
    figure = Picture(figsize=(WIDTH, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def draw_heading(figure, title_lines, note, note_at):
    """Write the lines of the title and, if there is a note, a box that nobody can miss.

    note_at:  the middle of the box, in inches from the top of the figure
    """
    height = figure.get_figheight()
    for k, line in enumerate(title_lines):
        y = 1 - (0.12 + TITLE_LINE * k) / height
        figure.text(0.5, y, line, size=12, ha="center", va="top")
    if note:
        box = {"facecolor": "#fff0b3", "edgecolor": "#b30000", "boxstyle": "round,pad=0.25"}
        y = 1 - note_at / height
        figure.text(0.5, y, note, size=11, weight="bold", ha="center", va="center", bbox=box)


def label_fine_decades(axis):
    """Write numbers at 1, 2 and 5 times every power of ten of a logarithmic axis."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")


@plain
def save(figure, folder, name):
    """Write folder/name.png and folder/name.svg, and return their paths.

    Each file is written under another name and then renamed, so that a reader finds either the
    whole new picture or the old one. The same figure always gives the same bytes: the SVG holds no
    date and no random names.

    Raises:  StorageError if the folder cannot be written
    """
    make_folder(folder)
    paths = []
    for kind, options in (("png", {"dpi": DPI}), ("svg", {"metadata": {"Date": None}})):
        picture = BytesIO()
        figure.savefig(picture, format=kind, **options)
        path = Path(folder) / f"{name}.{kind}"
        write_aside(path, picture.getvalue())
        paths.append(path)
    return paths
