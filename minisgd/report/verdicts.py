"""What the runs say to each claim of the report, and the table of it."""

from dataclasses import dataclass
from itertools import zip_longest
from textwrap import wrap

from . import claims, claims_answer, claims_elsewhere
from .judging import CHANCE, FAILS, HOLDS, MISSING, NoRuns, Results, by_chance
from .sentences import PLAIN
from .statistics import FINAL_EPOCHS, LOST

CLAIMS = (*claims.CLAIMS, *claims_answer.CLAIMS, *claims_elsewhere.CLAIMS)
HOW_TO_READ = (
    "`python cli.py verdicts --markdown` writes this page from the results in this folder. The "
    "criterion for each claim is in `minisgd/report/claims.py`, or in `claims_answer.py` or "
    "`claims_elsewhere.py` beside it, which say what had been seen when the criteria were written. "
    "A claim holds where a fair coin would give as many a yes with a probability below "
    f"{CHANCE:g}: five seeds of five do, and nine of ten; it does not hold where as many say no. "
    "Where they are fewer it depends on the seed, or, if all of those few agree or if most do not "
    "answer, it cannot be told. How many steps a batch needs and what more machines buy, chapters "
    "13 and 14 of the lesson, get no verdict: three seeds cannot give one."
)
HOW_TO_COUNT = (
    f'"At the end" means the median of the last {FINAL_EPOCHS} epochs (no more than the last, '
    f'where that is at most {LOST:g} of the best), "A against B" gives medians over the seeds that '
    'both have, and "2 of 3" counts the seeds that answer yes.'
)
HEAD = ("the report's claim", "where", "verdict", "in a sentence")
WIDTHS = (36, 8, 26, 44)  # of the columns on a terminal, in characters
NUMBERS_HEAD = ("the report's claim", "where", "how it was tested", "seen", "verdict")
NUMBERS_WIDTHS = (26, 8, 28, 34, 15)


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

    @property
    def sentence(self):
        """What the verdict means, in a sentence; what the claim lacks is said."""
        if self.verdict == MISSING:
            return "Its runs are not here."
        return PLAIN.get(self.claim, {}).get(str(self), "No sentence is written for this verdict.")

    def __str__(self):
        if not self.by_size:
            return self.verdict
        return "; ".join(f"{word} at {', '.join(map(str, sizes))}" for word, sizes in self.by_size)


def verdicts(kept, *elsewhere):
    """A Verdict on every claim, in the order of the text, from the results of experiments.Kept: of
    the report's dataset, and of others.
    """
    results, found = Results(kept, *elsewhere), []
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


def table(found, numbers=False):
    """The lines of the table of verdicts, for a terminal.

    numbers   how each was tested and what was seen, in place of a sentence
    """
    if numbers:
        head, widths = NUMBERS_HEAD, NUMBERS_WIDTHS
        rows = [(v.claim, v.section, v.method, v.observed, str(v)) for v in found]
    else:
        head, widths = HEAD, WIDTHS
        rows = [(v.claim, v.section, str(v), v.sentence) for v in found]
    lines = []
    for cells in [head, *rows]:
        folded = [wrap(cell, width) for cell, width in zip(cells, widths, strict=True)]
        for parts in zip_longest(*folded, fillvalue=""):
            padded = (part.ljust(width) for part, width in zip(parts, widths, strict=True))
            lines.append("  ".join(padded).rstrip())
        lines.append("")
    below = wrap(chance(found), 100)
    return [*lines, *below] if below else lines[:-1]


def markdown_page(found, note=None):
    """The lines of figures/verdicts.md: how to read it, the same table, and the numbers below."""
    below = wrap(chance(found), 100)
    lines = ["# What became of the claims", "", *([note, ""] if note else [])]
    lines += [*wrap(HOW_TO_READ, 100), "", "| | the report says | verdict | in a sentence |"]
    lines += ["|---|---|---|---|"]
    for k, v in enumerate(found, 1):
        lines.append(f"| [{k}](#{k}) | {v.claim} ({v.section}) | **{v}** | {v.sentence} |")
    lines += ["", *([*below, ""] if below else []), "## The numbers", "", *wrap(HOW_TO_COUNT, 100)]
    for k, v in enumerate(found, 1):
        seen = f"{v.method}. {v.observed[:1].upper()}{v.observed[1:]}."
        lines += ["", f"### {k}", "", *wrap(f"**{v.claim}** ({v.section}). {seen}", 100)]
    return lines
