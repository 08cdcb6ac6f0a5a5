"""What the runs say to each claim of the report, and the table of it."""

from dataclasses import dataclass
from itertools import zip_longest
from textwrap import wrap

from .claims import CLAIMS
from .judging import FAILS, HOLDS, MISSING, NoRuns, Results, by_chance

HEAD = ("the report's claim", "where", "how it was tested", "seen", "verdict")
WIDTHS = (26, 8, 28, 34, 15)  # of the table's columns on a terminal, in characters


@dataclass(frozen=True)
class Verdict:
    """The verdict on one claim: one of the five words of judging.py.

    method    how the claim was tested, in words
    observed  what was seen, in numbers
    by_size   ((verdict, batch sizes), ...) if the sizes do not agree; then `verdict` is the worst
    answers   how many answers were counted at each size; empty where it is not counts that decide
    """

    claim: str
    section: str
    method: str
    observed: str
    verdict: str
    by_size: tuple = ()
    answers: tuple = ()

    def __str__(self):
        if not self.by_size:
            return self.verdict
        return "; ".join(f"{word} at {', '.join(map(str, sizes))}" for word, sizes in self.by_size)


def verdicts(kept):
    """A Verdict on every claim, in the order of the text, from the results of experiments.Kept."""
    results, found = Results(kept), []
    for claim, section, method, criterion in CLAIMS:
        try:
            judged = criterion(results)
        except NoRuns:
            judged = "its runs are not here", MISSING
        found.append(Verdict(claim, section, method, *judged))
    return found


def chance(found):
    """In words, how many of the verdicts a fair coin would have given."""
    counted = [v for v in found if any(v.answers)]
    if not counted:
        return ""
    n = sum(len(v.answers) for v in counted)
    expected = sum(by_chance(answers) for v in counted for answers in v.answers)
    seen = {HOLDS: 0, FAILS: 0}
    for v in counted:
        for word, sizes in v.by_size or ((v.verdict, v.answers),):
            if word in seen:
                seen[word] += len(sizes)
    return (
        f"The seeds are counted in {n} cells, a claim at a batch size each. If every answer were "
        f"the toss of a fair coin, {expected:.1f} of them would be expected to hold, and as many "
        f"not to; {seen[HOLDS]} hold, and {seen[FAILS]} do not."
    )


def table(found):
    """The lines of the table of verdicts, for a terminal."""
    lines = []
    rows = [(v.claim, v.section, v.method, v.observed, str(v)) for v in found]
    for cells in [HEAD, *rows]:
        folded = [wrap(cell, width) for cell, width in zip(cells, WIDTHS, strict=True)]
        for parts in zip_longest(*folded, fillvalue=""):
            padded = (part.ljust(width) for part, width in zip(parts, WIDTHS, strict=True))
            lines.append("  ".join(padded).rstrip())
        lines.append("")
    below = wrap(chance(found), 100)
    return [*lines, *below] if below else lines[:-1]


def markdown_table(found):
    """The same table in Markdown, with how a claim was tested and what was seen in one column."""
    below = wrap(chance(found), 100)
    return [
        "| the report says | seen here | verdict |",
        "|---|---|---|",
        *(
            f"| {v.claim} ({v.section}) | {v.method}. {v.observed[:1].upper()}{v.observed[1:]} | "
            f"**{v}** |"
            for v in found
        ),
        *(["", *below] if below else []),
    ]
