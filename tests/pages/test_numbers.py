"""Every number on a page that no command writes is what its file gives; see page_numbers.py."""

import re
from pathlib import Path

import code_numbers
import commands_numbers
import lab_numbers
import lesson_numbers
import machine_numbers
import pytest
import readme_numbers
import report_numbers
from kept_files import Files
from page_numbers import NUMBER, chapters, faults, here, kinds, listed, numbers

ROOT = Path(__file__).parents[2]
PAGES = {
    "README.md": readme_numbers,
    "figures/README.md": lesson_numbers,
    "figures/report.md": report_numbers,
    "minisgd/README.md": code_numbers,
    "minisgd/commands/README.md": commands_numbers,
    "minisgd/lab/README.md": lab_numbers,
    "minisgd/machine/README.md": machine_numbers,
}
EVERY = [(page, chapter) for page, listed_in in PAGES.items() for chapter in listed_in.CHAPTERS]


@pytest.fixture(scope="module")
def files():
    return Files(ROOT / "figures")


def read(page):
    return chapters((ROOT / page).read_text(encoding="utf-8"))


def told(page, chapter, text, files):
    return faults(page, chapter, text, PAGES[page].CHAPTERS[chapter](files))


@pytest.mark.parametrize("page, chapter", EVERY)
def test_the_numbers_are_those_of_their_files(page, chapter, files):
    assert chapter in read(page), f"{page} has no chapter {chapter!r}"
    found = told(page, chapter, read(page)[chapter], files)
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("page", PAGES)
def test_every_chapter_with_a_number_is_listed(page):
    later = PAGES[page].NOT_YET
    missing = [
        chapter
        for chapter, text in read(page).items()
        if numbers(text) and chapter not in PAGES[page].CHAPTERS
        and not any(chapter == name or chapter.startswith(f"{name}: ") for name in later)
    ]  # fmt: skip
    assert not missing
    assert not set(later) & set(PAGES[page].CHAPTERS)
    assert all(any(chapter.startswith(name) for chapter in read(page)) for name in later)


def test_few_numbers_are_those_of_no_file(files):
    """`pytest -s` shows how many there are of each kind."""
    entries = [listed(*(c(files) for c in numbers.CHAPTERS.values())) for numbers in PAGES.values()]
    count = kinds(listed(*entries))
    print(
        f"{count['here']} numbers are held to files, {count['given']} are given, "
        f"{count['measured']} are what a command printed"
    )
    assert count["measured"] < count["here"] / 2


def test_the_steps_of_growth_are_those_of_its_file(files):
    steps = "".join(f"    {step}\n" for step in files.made("grow")["steps"])
    assert f"\n\n{steps}\n" in (ROOT / "figures" / "report.md").read_text(encoding="utf-8")


# ---- planted errors are found

LESSON = "figures/README.md"
STEPS = "4. Is one large step as good as many small ones? (Sec. II)"


def test_a_digit_that_is_changed_is_told(files):
    text = read(LESSON)[STEPS]
    changed, times = re.subn(r"(off\s+by\s+\.1)2", r"\g<1>3", text)
    assert times == 1
    (line,) = told(LESSON, STEPS, changed, files)
    assert line.startswith(f"{LESSON}, '{STEPS}': .13 stands in ")
    assert "After 20 epochs" in line and "measure-equivalence gives 0.12248" in line


@pytest.mark.parametrize(
    "words", ["It takes 7 steps.", "Half of it is lost.", "One of five fails."]
)
def test_a_sentence_that_is_added_is_told(words, files):
    lines = told(LESSON, STEPS, f"{read(LESSON)[STEPS]}\n\n{words}\n", files)
    assert lines and all(words in line and "no entry holds it" in line for line in lines)


def test_a_sentence_that_is_gone_is_told(files):
    text = read(LESSON)[STEPS]
    gone = text[text.index("After five epochs") : text.index("After 20 epochs")]
    lines = told(LESSON, STEPS, text.replace(gone, ""), files)
    assert len(lines) == len(numbers(gone))
    assert all("no number stands for it" in line for line in lines)


def test_a_cell_that_is_changed_is_told(tmp_path):
    name = "measure-equivalence.csv"
    table = (ROOT / "figures" / name).read_text(encoding="utf-8")
    assert table.count("0.12247938255313784") == 1
    (tmp_path / name).write_text(table.replace("0.12247938255313784", "0.13"), encoding="utf-8")
    (line,) = told(LESSON, STEPS, read(LESSON)[STEPS], Files(tmp_path))
    assert ".12 stands in " in line and "gives 0.13" in line


def test_a_number_is_rounded_to_the_digits_that_are_printed():
    fits = [(".12", 0.1249), (".12", 0.115), (".13", 0.125), (".12", 0.125), ("8,192", 8192)]
    fits += [("630", 630.4), ("half", 0.51), ("twice", 2.08), ("twice", 2)]
    assert all(here(value, "a file")[0].accepts(printed) for printed, value in fits)
    misses = [(".12", 0.1251), ("630", 630.6), ("quarter", 0.27), ("twice", 2.2), ("ten", 11)]
    misses += [("1.0", 2), ("2.0", 1.94)]
    assert not any(here(value, "a file")[0].accepts(printed) for printed, value in misses)
    assert here(635.8, "a file", to=10)[0].accepts("640")


def test_what_is_a_number_and_what_is_not():
    page = """# Title 1
Above **5 %**.

## Chapter 2
LeNet-5 on float64 at b0, [8 of](9.md) `10` and 1,024: .5; one is none.

    code 11

![picture 12](12.png)

**Bold 13**: b/64 in Figures 1 to 4.

| 14 | ten |
|---|---|
"""
    found = {name: [number for number, _ in numbers(text)] for name, text in chapters(page).items()}
    assert found == {
        "": ["5"],
        "Chapter 2": ["8", "1,024", ".5", "none"],
        "Chapter 2: Bold 13": ["13", "14", "ten"],
    }


@pytest.mark.parametrize("page, chapter", EVERY)
def test_any_last_digit_that_is_changed_is_told(page, chapter, files):
    text, entries = read(page)[chapter], PAGES[page].CHAPTERS[chapter](files)
    for match in NUMBER.finditer(text):
        if match[0][-1].isdigit():
            digit = (int(match[0][-1]) + 1) % 10
            changed = f"{text[: match.end() - 1]}{digit}{text[match.end() :]}"
            assert faults(page, chapter, changed, entries), match[0]
