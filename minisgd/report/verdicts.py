"""What the runs say to each claim of the report, and the table of it."""

from dataclasses import dataclass
from itertools import zip_longest
from textwrap import wrap

from .claims import CLAIMS
from .judging import CHANCE, FAILS, HOLDS, MISSING, NoRuns, Results, by_chance
from .statistics import FINAL_EPOCHS, LOST

HEAD = ("the report's claim", "where", "how it was tested", "seen", "verdict")
HOW_TO_READ = (
    "`python cli.py verdicts --markdown` writes this page from the results in this folder. The "
    "criterion for each claim is in `minisgd/report/claims.py`, which says what had been seen when "
    f'the criteria were written. "At the end" means the median of the last {FINAL_EPOCHS} epochs '
    f'(no more than the last, where that is at most {LOST:g} of the best), "A against B" gives '
    'medians over the seeds that both have, and "2 of 3" counts the seeds that answer yes. A claim '
    "holds where a fair coin would give as many a yes with a probability below "
    f"{CHANCE:g}: five of five do, and nine of ten; it does not hold where as many say no. Where "
    "they are fewer it depends on the seed, or, if all of those few agree or if most do not "
    "answer, it cannot be told."
)
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


def markdown_page(found, note=None):
    """The lines of figures/verdicts.md: the same table in Markdown, with how a claim was tested and
    what was seen in one column, below how to read it.
    """
    below = wrap(chance(found), 100)
    return [
        "# What became of the claims",
        "",
        *([note, ""] if note else []),
        *wrap(HOW_TO_READ, 100),
        "",
        "| the report says | seen here | verdict |",
        "|---|---|---|",
        *(
            f"| {v.claim} ({v.section}) | {v.method}. {v.observed[:1].upper()}{v.observed[1:]} | "
            f"**{v}** |"
            for v in found
        ),
        *(["", *below] if below else []),
    ]
