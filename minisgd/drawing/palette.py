"""The colours of the figures, which are those of the pages, too. Matplotlib is not needed here:
loading it takes longer than writing a page, and a sweep writes one before its first update.
"""

from math import log2

import numpy as np

# From light to dark. Colour-blind readers, too, can tell neighbours apart.
BATCH_PALETTE = (
    "#f0b81c", "#e8913f", "#e5646c", "#c93a9c", "#7f4ad0", "#1f4f98", "#10432c", "#000000",
)  # fmt: skip
# The same hues for dark paper, from dark to light.
DARK_PALETTE = (
    "#8f7012", "#b0672c", "#d65b64", "#dc6cb9", "#ab8df0", "#72abf6", "#66d49e", "#ffffff",
)  # fmt: skip
STEPS = 256  # into which a palette is divided, as Matplotlib divides one
# The same colours for curves that have no batch size, neighbours as different as can be.
PALETTE = ("#1f4f98", "#e5646c", "#10432c", "#e8913f", "#7f4ad0", "#c93a9c", "#000000", "#f0b81c")
BAR = PALETTE[3]  # what methods are compared with
METHOD_PALETTE = tuple(color for color in PALETTE if color != BAR)


def batch_color(batch_size, dark=False):
    """The colour of a batch size, the same in every figure: the larger, the darker; on dark paper,
    the lighter.

    The sizes 64, 128, ..., 8192 have the colours of the palette. Sizes in between have colours in
    between, by log2, and sizes beyond have the colour of the nearer end.

    Returns: red, green and blue, from 0 to 1
    """
    place = float(np.clip(log2(batch_size / 64) / 7, 0.0, 1.0))
    step = min(int(STEPS * place), STEPS - 1) / (STEPS - 1)
    palette = [_red_green_blue(color) for color in (DARK_PALETTE if dark else BATCH_PALETTE)]
    places = np.linspace(0, 1, len(palette))
    return tuple(float(np.interp(step, places, part)) for part in zip(*palette, strict=True))


def _red_green_blue(color):
    return [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]


def as_hex(color):
    """A colour as `batch_color` gives it, as "#rrggbb"."""
    return "#" + "".join(f"{round(255 * part):02x}" for part in color)
