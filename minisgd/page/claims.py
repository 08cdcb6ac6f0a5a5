"""What became of the claims: a table that can be sorted, and the numbers under each of them."""

from ..report.verdicts import chance
from .html import element, join, table


def section(found):
    """Html of report.verdicts.Verdicts."""
    rows = [
        [(str(k), k), _claim(v), v.section, element("strong", v)] for k, v in enumerate(found, 1)
    ]
    head = ["no.", "the report says", "where", "verdict"]
    button = element("button", "unfold all, or fold", type="button", data_unfold="claims")
    below = chance(found)
    return join([element("p", button), table(head, rows, "the claims, by their place in the text",
                                             sortable=True),
                 *([element("p", below)] if below else [])])  # fmt: skip


def _claim(verdict):
    """The claim, which unfolds what its verdict means, how it was tested and what was seen."""
    numbers = element("ul", *(element("li", part) for part in verdict.observed.split("; ")))
    inside = [element("p", verdict.sentence), element("p", verdict.method, "."), numbers]
    return element("details", element("summary", verdict.claim), *inside)
