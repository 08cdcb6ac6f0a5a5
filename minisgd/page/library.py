"""The library that draws the pages: Vega-Lite, with all that it needs, as text.

A page holds all of it, so it must be small, draw without a network, and say what it draws to a
reader who cannot see it. One page with eight curves, opened from a file:

    Vega-Lite    907 kB  SVG, a role and a label for every mark; BSD; all of it in one wheel
    Bokeh      1,284 kB  SVG or canvas, no labels; BSD; nine more packages
    Plotly     4,826 kB  SVG, labels for its buttons only; MIT
    Plot         498 kB  SVG, a label for a whole chart; ISC; not to be had by pip
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from ..errors import UserError

MISSING = 'a page needs the extra "page": python -m pip install -e ".[page]"'


def available():
    """Whether the library is installed."""
    return find_spec("vl_convert") is not None


@cache
def library():
    """The library as a script that defines vega, vegaLite and vegaEmbed, with its licences.

    Raises:  UserError if it is not installed
    """
    if not available():
        raise UserError(MISSING)
    import vl_convert

    versions = (
        f"Vega {vl_convert.get_vega_version()}, "
        f"Vega-Lite {vl_convert.get_vegalite_versions()[-1]}, "
        f"Vega-Embed {vl_convert.get_vega_embed_version()}"
    )
    licences = Path(__file__).with_name("licences.txt").read_text("utf-8")
    # A function of its own, so that its names are not those of the page's scripts.
    return f"/*\n{versions}\n\n{licences}*/\n(() => {{{vl_convert.javascript_bundle()}\n}})();"
