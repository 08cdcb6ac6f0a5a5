"""What pages are made of: no text can become HTML, and no data can end the script that holds it."""

import json
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisgd.disk.formats import DamagedError
from minisgd.measures.curvature import COLUMNS
from minisgd.page import curvature
from minisgd.page.formulas import FORMULAS
from minisgd.page.html import Html, as_json, element, join, table
from minisgd.page.sweep import _about


class Seen(HTMLParser):
    """The elements, attributes and text of some HTML."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]))


@given(TEXT, TEXT)
def test_any_text_stays_text_in_an_element_and_in_an_attribute(text, value):
    seen = Seen(element("p", text, title=value))
    assert seen.elements == [("p", {"title": value})] and seen.text == text


def test_an_element_is_what_it_says():
    assert element("input", type="checkbox", checked=True, data_a=None, id="x") == \
        '<input type="checkbox" checked id="x">'  # fmt: skip
    assert element("label", "a < b ", element("b", 1), for_="x") == \
        '<label for="x">a &lt; b <b>1</b></label>'  # fmt: skip
    assert isinstance(join(["a", Html("<br>")]), Html) and join(["<", Html("<br>")]) == "&lt;<br>"


def test_a_table_can_be_sorted_by_other_values_than_it_shows():
    seen = Seen(table(["n"], [[("1,024", 1024)]], sortable=True))
    assert ("td", {"data-value": "1024"}) in seen.elements
    assert ("table", {"data-sortable": None}) in seen.elements


@given(st.recursive(st.none() | st.booleans() | st.integers() | TEXT,
                    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner)))  # fmt: skip
def test_json_says_the_same_and_holds_no_tag(value):
    text = as_json(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)


def test_a_number_that_is_not_finite_is_refused():
    with pytest.raises(ValueError):
        as_json({"loss": float("nan")})


def test_every_formula_is_whole_mathml():
    for what, _, _, formula in FORMULAS:
        names = {name for name, _ in Seen(formula).elements}
        assert names <= set("math mrow mi mn mo mfrac msqrt msub msup msubsup munder".split()), what
        assert formula.count("<mrow>") == formula.count("</mrow>")


def test_a_formula_keeps_its_signs():
    what, _, _, formula = FORMULAS[-1]
    assert what == "a step that a parabola bears" and Seen(formula).text == "λmax<2(1+m)η"
    assert Seen(FORMULAS[2][3]).text == "η=η0bb0"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "2 seconds"), (70, "70 seconds"), (100, "2 minutes"), (5400, "1.5 hours")],
)
def test_a_time_is_told_in_words(seconds, words):
    assert _about(seconds) == words


def test_a_table_of_steps_that_is_damaged_is_left_out_or_refused(tmp_path):
    path = tmp_path / curvature.TABLE
    path.write_bytes(b"\xff")
    assert curvature.runs(tmp_path) == {}
    row = ["sideways", *["1"] * (len(COLUMNS) - 1)]
    path.write_text(f"{','.join(COLUMNS)}\n{','.join(row)}\n")
    with pytest.raises(DamagedError, match="there is no warmup 'sideways'"):
        curvature.runs(tmp_path)


def test_a_table_with_the_line_ends_of_windows_is_the_same_table(tmp_path):
    path = tmp_path / curvature.TABLE
    row = ["gradual", *map(str, range(2, len(COLUMNS) + 1))]
    lines = [",".join(COLUMNS), ",".join(row), ""]
    path.write_bytes("\n".join(lines).encode())
    found = curvature.runs(tmp_path)
    assert found
    path.write_bytes("\r\n".join(lines).encode())
    assert curvature.runs(tmp_path) == found
