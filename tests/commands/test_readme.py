"""What the README says of this repository is so."""

import re
from pathlib import Path

import pytest

from minisgd.report.answer import known
from minisgd.report.experiments import EXPERIMENTS, Kept
from minisgd.report.trials import Trials
from minisgd.report.verdicts import markdown_page, verdicts

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "figures/README.md",
    "figures/report.md",
    "minisgd/README.md",
    "minisgd/lab/README.md",
    "minisgd/machine/README.md",
]


def test_the_page_of_verdicts_is_that_of_the_results_that_are_kept():
    page = markdown_page(verdicts(Kept(ROOT / "figures", known(Trials(ROOT / "figures")))))
    assert (ROOT / "figures/verdicts.md").read_text(encoding="utf-8") == "\n".join(page) + "\n"
    assert not any("No sentence is written" in line for line in page)


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_links_to_is_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)", text)
    assert links
    for link in links:
        assert link.startswith("https://") or (ROOT / page).parent.joinpath(link).exists(), link


def test_every_experiment_that_is_kept_is_shown():
    text = (ROOT / "figures/report.md").read_text(encoding="utf-8")
    names = [*EXPERIMENTS, "tune", "grow"]
    missing = [n for n in names if (ROOT / f"figures/{n}.png").exists() and f"{n}.png" not in text]
    assert not missing
