"""The library that draws the pages: Vega-Lite, with all that it needs, as text.

A page holds all of it, so it must be small, draw without a network, and say what it draws to a
reader who cannot see it. One page with eight curves, opened from a file:

    Vega-Lite    907 kB  SVG, a role and a label for every mark; BSD; all of it in one wheel
    Bokeh      1,284 kB  SVG or canvas, no labels; BSD; nine more packages
    Plotly     4,826 kB  SVG, labels for its buttons only; MIT
    Plot         498 kB  SVG, a label for a whole chart; ISC; not to be had by pip
"""

import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..data.folder import cache_folder
from ..disk.files import StorageError, make_folder, write_aside
from ..errors import UserError, install

PACKAGE = "vl-convert-python"
MISSING = f'a page needs the extra "page": {install("page")}'
# In a process of its own, because it takes 140 MB, which a sweep should not hold while it trains.
MAKE = """
import sys, vl_convert as v
print(f"Vega {v.get_vega_version()}, Vega-Lite {v.get_vegalite_versions()[-1]},",
      f"Vega-Embed {v.get_vega_embed_version()}", flush=True)
sys.stdout.buffer.write(v.javascript_bundle().encode())
"""


def available():
    """Whether the library is installed."""
    return _version() is not None


def _version():
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return None


@cache
def library():
    """The library as a script that defines vega, vegaLite and vegaEmbed, with its licences.

    It takes seconds to make, so it is kept in the cache.

    Raises:  UserError if it is not installed
    """
    if not available():
        raise UserError(MISSING)
    try:
        path = cache_folder() / f"page-library-{_version()}.js"
        return path.read_text("utf-8")
    except RuntimeError:  # there is no home folder
        return _made()
    except OSError:
        text = _made()
        try:
            make_folder(path.parent)
            write_aside(path, text.encode())
        except StorageError:
            pass  # it is made again next time
        return text


def _made():
    done = subprocess.run([sys.executable, "-c", MAKE], capture_output=True, check=False)
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise UserError(f"{PACKAGE} does not give the library that draws: {' '.join(last)}")
    versions, _, script = done.stdout.decode().partition("\n")
    licences = Path(__file__).with_name("licences.txt").read_text("utf-8")
    # A function of its own, so that its names are not those of the page's scripts.
    return f"/*\n{versions.strip()}\n\n{licences}*/\n(() => {{{script}\n}})();"
