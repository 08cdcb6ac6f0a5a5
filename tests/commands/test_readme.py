"""What the README says of this repository is so."""

import pkgutil
import re
from pathlib import Path

import pytest

from minisgd.report.carry import everything
from minisgd.report.experiments import EXPERIMENTS
from minisgd.report.verdicts import markdown_page, verdicts

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "figures/README.md",
    "figures/report.md",
    "minisgd/README.md",
    "minisgd/commands/README.md",
    "minisgd/lab/README.md",
    "minisgd/machine/README.md",
]


def test_the_page_of_verdicts_is_that_of_the_results_that_are_kept():
    page = markdown_page(verdicts(*everything(ROOT / "figures").values()))
    assert (ROOT / "figures/verdicts.md").read_text(encoding="utf-8") == "\n".join(page) + "\n"
    assert not any("No sentence is written" in line for line in page)


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_links_to_is_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]*)(#[^)]+)?\)", text)
    assert links
    for link, place in links:
        if not link.startswith("https://"):
            there = (ROOT / page).parent / link if link else ROOT / page
            assert there.exists(), link
            assert not place or place in places(there), f"{link}{place}"


def places(page):
    """The headings of a page as links name them, and its anchors."""
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return {f"#{slug}" for slug in slugs | set(re.findall(r'<a id="([^"]+)"', text))}


def test_every_experiment_that_is_kept_is_shown():
    """Those of the report on its page, and those beyond it in the lesson."""
    beyond = [name for name, experiment in EXPERIMENTS.items() if experiment.beyond]
    here = {"report.md": {*EXPERIMENTS, "tune", "grow"} - {*beyond}, "README.md": beyond}
    for page, names in here.items():
        text = (ROOT / "figures" / page).read_text(encoding="utf-8")
        kept = [name for name in names if (ROOT / f"figures/{name}.png").exists()]
        assert kept and all(f"{name}.png" in text for name in kept)


def rows_of_formulas():
    text = (ROOT / "minisgd/README.md").read_text(encoding="utf-8")
    section = text.split("## Formula, function, test")[1].split("\n## ")[0]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in section.splitlines() if line[:2] == "| "]
    return [row for row in rows if row[2].strip() != "function"]


@pytest.mark.parametrize("row", rows_of_formulas(), ids=lambda row: row[2].strip())
def test_every_formula_has_its_function_and_its_test(row):
    for name in re.findall(r"`([\w.]+)`", row[2]):
        pkgutil.resolve_name(f"minisgd.{name}")  # ImportError or AttributeError if it is not there
    tests = re.findall(r"`(test_\w+(?:\.py)?)`", row[3])
    files = [name for name in tests if name.endswith(".py")] or ["test_report.py"]
    texts = [
        "\n".join(p.read_text("utf-8") for p in ROOT.glob(f"tests/*/{name}")) for name in files
    ]
    assert tests and all(texts)
    for name in tests:
        assert name.endswith(".py") or any(f"def {name}(" in text for text in texts), name
