"""HTML whose text is escaped unless it says that it is HTML, and a whole page in one file.

A page loads nothing: its policy (CSP) forbids the browser to, and forbids forms as well. Data stand
in it as JSON in which no "<" is left, so no text in them can end the script that holds them.
"""

import json
from html import escape
from pathlib import Path

from .library import library

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
ITSELF = "; frame-src 'self' file:"  # for a page that renews itself by reading itself again
VOID = {"input", "meta", "br"}  # elements without an end


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name, /, *children, **attributes):
    """An element as Html. Children that are not Html are escaped; so are all attributes.

    attributes   "_" stands for "-", and an "_" at the end is dropped; True is an attribute without
                 a value, None and False are none
    """
    given = ""
    for key, value in attributes.items():
        key = key.rstrip("_").replace("_", "-")
        if value is True:
            given += f" {key}"
        elif value is not None and value is not False:
            given += f' {key}="{escape(str(value))}"'
    end = "" if name in VOID else f"</{name}>"
    return Html(f"<{name}{given}>{join(children)}{end}")


def join(children, between=""):
    """Html of some children, each escaped if it is not Html."""
    return Html(between.join(c if isinstance(c, Html) else escape(str(c)) for c in children))


def section(name, title, *children):
    """A part of a page, to which its table of contents leads."""
    return element("section", element("h2", title), *children, id=name)


def table(head, rows, caption=None, sortable=False, **attributes):
    """A table with a head. Whoever sorts it finds buttons in the head.

    rows     of cells: text, Html, or (text, the value to sort it by)
    """
    titles = (element("button", cell, type="button") if sortable else cell for cell in head)
    heads = element("thead", element("tr", *(element("th", t, scope="col") for t in titles)))
    body = element("tbody", *(element("tr", *map(_cell, row)) for row in rows))
    children = [element("caption", caption)] if caption else []
    inner = element("table", *children, heads, body, data_sortable=sortable, **attributes)
    return element("div", inner, class_="wide", tabindex="0", role="region",
                   aria_label=caption or "table")  # fmt: skip


def _cell(cell):
    if isinstance(cell, tuple):
        return element("td", cell[0], data_value=cell[1])
    return element("td", cell)


def as_json(value):
    """A value as JSON that may stand in a script.

    Raises:  ValueError for a number that is not finite
    """
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Html(text)


def page(title, body, data, scripts, itself=False):
    """A whole page as bytes.

    body      Html of what the page shows without any script
    data      what its scripts draw, to be stored as JSON
    scripts   the names of the scripts in this folder that it runs
    itself    whether it may read its own file again, as renewal.js does
    Raises:   UserError if the library is not installed
    """
    first = [_beside("renewal.js")] if itself else []
    texts = [*first, library(), *(_beside(f"{name}.js") for name in ("page", *scripts))]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY + ITSELF * itself),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Html(_beside("page.css"))),
    )
    no_script = element("noscript", element("p", "The curves need scripts; the tables do not."))
    # What is shown and the data come first: they are there before the library has been read.
    body = element(
        "body",
        element("main", element("h1", title), no_script, body),
        element("script", as_json(data), type="application/json", id="data"),
        *(element("script", Html(text)) for text in texts),
    )
    text = f"<!doctype html>\n{element('html', head, body, lang='en')}\n"
    return text.encode(errors="replace")  # a folder of the command may have a name that is no text


def _beside(name):
    return Path(__file__).with_name(name).read_text("utf-8")
