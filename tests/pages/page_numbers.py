"""The numbers in the prose of a page, each held to what it is.

What is scanned: paragraphs, lists and tables. What is not: code blocks, what stands `in backticks`,
pictures, the targets of links, headings, and the formulas and references in UNREAD.

A number is written in digits (.872, 8,192, 1.6) or as one of WORDS ("a quarter", "ten"). Digits
that belong to a name are none: LeNet-5, b0, float64. Neither is "one", which is seldom a number,
except in "one of five" and "one collapses".

A chapter is what stands under a heading; a paragraph that begins in bold begins a chapter of its
own, "heading: what is bold". The numbers of a chapter are listed in order, in entries of three
kinds:

    given("64 8192", "batch sizes")       what they are: settings, definitions, what others say
    here(value, "measure-equivalence")    computed from a file of this repository
    measured("1.51 1.69", "command")      printed by a command, and kept in no file

A number that is computed stands on the page as its file gives it, rounded to the digits that are
printed; a half may go either way. One in words is right to within 5 %, a count exactly.
"""

import re
from collections import Counter
from dataclasses import dataclass

WORDS = {
    "none": 0, "half": 1 / 2, "third": 1 / 3, "quarter": 1 / 4, "fifth": 1 / 5, "sixth": 1 / 6,
    "seventh": 1 / 7, "eighth": 1 / 8, "tenth": 1 / 10, "hundredth": 1 / 100, "one": 1, "two": 2,
    "twice": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "dozen": 12, "twenty": 20, "thirty": 30, "forty": 40,
    "hundred": 100,
}  # fmt: skip
CLOSE = 0.05  # no measured number is relatively further from the word that is used for it
ANY_WORD = "|".join(WORDS)
DIGITS = r"(?<![\w.])(?<![A-Za-z]-)(?:\d{1,3}(?:,\d{3})+|\d+|(?=\.\d))(?:\.\d+)*"
NUMBER = re.compile(
    rf"{DIGITS}|\b(?!one\b)(?:{ANY_WORD})\b|\bone(?= collapses| of (?:{ANY_WORD})\b)", re.I
)
CODE = r"```.*?```|^ {4}[^\n]*$"
UNREAD = (
    r"^!\[.*\]\(.*\)$",
    r"^\|[-|]+\|$",
    r"^\d\. ",  # of a numbered list
    r"`[^`]*`",
    r"(?<=\])\([^)]*\)",
    r"\b(Figures?|Fig\.|figures|[Cc]hapters?)\s\d+( (to|and) \d+)?\b",
    r"(\b1|η)/\(1-m\)|\b2\(1\+m\)/η|\b2/η|\bb/\d+|\b1 - M/N|S_min \(1 \+ B_crit/b\)|±1/√",
)
BOLD = re.compile(r"^(?=\*\*)", re.M)


def chapters(page):
    """{name: prose} of the text of a page. What stands above the first chapter is called ""."""
    text = re.sub(rf"{CODE}|^# [^\n]*$", "", page, flags=re.S | re.M)
    headings = ["", *re.findall(r"^##+ (.*)$", text, re.M)]
    found = {}
    for heading, part in zip(headings, re.split(r"^##+ .*$", text, flags=re.M), strict=True):
        plain, *bold = BOLD.split(part)
        found[heading] = prose(plain)
        for paragraph in bold:
            lead = " ".join(paragraph.split("**")[1].split()).rstrip(".?")
            found[f"{heading}: {lead}"] = prose(paragraph)
    return found


def prose(text):
    for pattern in UNREAD:
        text = re.sub(pattern, "", text, flags=re.M)
    return re.sub(r"[*\[\]]", "", text)


def numbers(text):
    """[(number, the sentence around it)] of prose, in order, as they stand there."""
    found = []
    for paragraph in re.split(r"\n\s*\n|\n(?=[|-])", text):
        for sentence in re.split(r"(?<=[.?:;]) (?=\W*[A-Zλ])", " ".join(paragraph.split())):
            found += [(match[0], sentence) for match in NUMBER.finditer(sentence)]
    return found


@dataclass(frozen=True)
class Entry:
    """What a number on a page has to be.

    kind    "given", "here" or "measured"
    value   the number, or the text that stands for it if it cannot be computed
    source  the file or the command it comes from, or what it is
    to      what it is rounded to, if not to the digits that are printed
    """

    kind: str
    value: object
    source: str
    to: float | None = None

    def accepts(self, printed):
        if isinstance(self.value, str):
            return printed == self.value
        if printed.lower() in WORDS:
            distance, close = abs(WORDS[printed.lower()] - self.value), CLOSE * abs(self.value)
        else:
            number, decimals = float(printed.replace(",", "")), len(printed.partition(".")[2])
            if self.to and number % self.to:
                return False
            distance, close = abs(number - self.value), (self.to or 10**-decimals) / 2
        return distance <= (0 if isinstance(self.value, int) else close * (1 + 1e-9))

    def __str__(self):
        if self.kind == "here":
            value = self.value if isinstance(self.value, int) else f"{self.value:.5g}"
            return f"{self.source} gives {value}"
        return f"{self.value} is listed as {self.kind} ({self.source})"


def given(texts, what):
    return [Entry("given", text, what) for text in texts.split()]


def measured(texts, command):
    return [Entry("measured", text, command) for text in texts.split()]


def here(value, file, to=None):
    return [Entry("here", value, file, to)]


def listed(*groups):
    """The entries of a chapter, one list of them."""
    return [entry for group in groups for entry in group]


def faults(page, chapter, text, entries):
    """A line for each number of a chapter that is not what its entry says, or has no entry, and for
    each entry that has no number.
    """
    found, lines = numbers(text), []
    for printed, some in gaps([printed for printed, _ in found], entries):
        for k in range(max(len(printed), len(some))):
            where = f"{page}, {chapter!r}: "
            if k < len(printed):
                stands, sentence = found[printed[k]]
                other = str(entries[some[k]]) if k < len(some) else "no entry holds it"
                lines.append(f"{where}{stands} stands in {sentence!r}, but {other}")
            else:
                lines.append(f"{where}{entries[some[k]]}, but no number stands for it")
    return lines


def gaps(printed, entries):
    """What is left between the numbers that fit their entries, when as many fit as can:
    [(indices of numbers, indices of entries)].
    """
    n, m = len(printed), len(entries)
    fits = [[entry.accepts(number) for entry in entries] for number in printed]
    most = [[0] * (m + 1) for _ in range(n + 1)]  # that fit from the ith and jth on
    for i in reversed(range(n)):
        for j in reversed(range(m)):
            skip = max(most[i + 1][j], most[i][j + 1])
            most[i][j] = max(skip, fits[i][j] + most[i + 1][j + 1])
    found, i, j = [([], [])], 0, 0
    while i < n or j < m:
        if i < n and j < m and fits[i][j] and most[i][j] == 1 + most[i + 1][j + 1]:
            found.append(([], []))
            i, j = i + 1, j + 1
        elif j == m or (i < n and most[i][j] == most[i + 1][j]):
            found[-1][0].append(i)
            i += 1
        else:
            found[-1][1].append(j)
            j += 1
    return [gap for gap in found if any(gap)]


def kinds(entries):
    """How many entries there are of each kind."""
    return Counter(entry.kind for entry in entries)
