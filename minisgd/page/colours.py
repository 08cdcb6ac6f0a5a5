"""The palette of the figures. A colour is a pair: on light paper and on dark."""

from ..drawing.palette import (
    BATCH_PALETTE,
    DARK_PALETTE,
    METHOD_PALETTE,
    PALETTE,
    as_hex,
    batch_color,
)

GREY = ("#595959", "#a6a6a6")
_ON_DARK = dict(zip(BATCH_PALETTE, DARK_PALETTE, strict=True))


def of_batch(batch_size):
    """The colour of a batch size."""
    return tuple(as_hex(batch_color(batch_size, dark)) for dark in (False, True))


def of_place(place, palette=PALETTE):
    """The colour of what has no batch size, by its place among its like."""
    colour = palette[place % len(palette)]
    return colour, _ON_DARK[colour]


def of_method(place):
    """The colour of a method, by its place among the methods."""
    return of_place(place, METHOD_PALETTE)
