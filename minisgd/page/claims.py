"""What became of the claims: a table that can be sorted, and the numbers under each of them."""

from ..report.verdicts import chance
from .html import element, join, table


def section(found):
    """Html of report.verdicts.Verdicts."""
    rows, subject = [], ""
    for k, verdict in enumerate(found, 1):
        # "... by LAMB" goes on from the last claim that does not begin with dots: sorted, it would
        # stand apart from it.
        continues = verdict.claim.startswith("...")
        subject = subject if continues else verdict.claim
        claim = _claim(verdict, subject if continues else "")
        rows.append([(str(k), k), claim, verdict.section, element("strong", verdict)])
    head = ["no.", "the report says", "where", "verdict"]
    button = element("button", "unfold all, or fold", type="button", data_unfold="claims")
    below = chance(found)
    return join([element("p", button), table(head, rows, "the claims, by their place in the text",
                                             sortable=True),
                 *([element("p", below)] if below else [])])  # fmt: skip


def _claim(verdict, subject):
    """The claim, which unfolds what its verdict means, how it was tested and what was seen.

    subject    the claim that it continues, or nothing
    """
    numbers = element("ul", *(element("li", part) for part in verdict.observed.split("; ")))
    inside = [element("p", verdict.sentence), element("p", verdict.method, "."), numbers]
    before = [element("span", subject, " ", class_="small")] if subject else []
    return element("details", element("summary", *before, verdict.claim), *inside)
