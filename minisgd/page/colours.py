"""How lines look, as in the figures. A colour is a pair: on light paper and on dark."""

from ..drawing.palette import (
    BATCH_PALETTE,
    DARK_PALETTE,
    METHOD_PALETTE,
    PALETTE,
    as_hex,
    batch_color,
)

GREY = ("#595959", "#a6a6a6")
DASHED = 4  # dashes that tell grey lines apart: the first of page.js after the solid line
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


def look(name, place):
    """How a method is drawn, as in the figures: colour and marker by its place among the methods.

    name, colour, mark (None: no marker), dash (0: none)
    """
    return {"name": name, "colour": of_method(place), "mark": place, "dash": 0}


def looks(lines):
    """How some drawing.Lines are drawn: the faint ones grey and dashed, without a marker."""
    faint = [line.label for line in lines if line.faint]
    clear = [line for line in lines if not line.faint]
    found = [look(m.label, k if m.place is None else m.place) for k, m in enumerate(clear)]
    return found + [{"name": label, "colour": GREY, "mark": None, "dash": 1 + k % DASHED}
                    for k, label in enumerate(faint)]  # fmt: skip
