"""The verdicts and their tables."""

from made_up_runs import curve

from minisgd.report.claims import CLAIMS
from minisgd.report.experiments import SIZES
from minisgd.report.judging import DEPENDS, FAILS, MISSING
from minisgd.report.verdicts import Verdict, markdown_table, table, verdicts


def test_without_results_nothing_is_tested(kept):
    found = verdicts(kept)
    assert len(found) == len(CLAIMS) == 41
    assert {verdict.verdict for verdict in found} == {MISSING}


def test_a_verdict_names_its_sizes_where_they_differ():
    by_size = (FAILS, (128, 256)), (DEPENDS, (64,))
    shown = Verdict("a claim", "Sec. I", "method", "observed", FAILS, by_size)
    assert str(shown) == "does not hold at 128, 256; depends on the seed at 64"
    assert str(Verdict("a claim", "Sec. I", "method", "observed", FAILS)) == "does not hold"


def test_the_tables_have_every_claim(kept):
    kept.keep("figure2", {b: [curve(0.97)] for b in SIZES})
    found = verdicts(kept)
    markdown = markdown_table(found)
    assert len(markdown) == 2 + len(found) and {row.count("|") for row in markdown} == {4}
    lines = table(found)
    assert max(map(len, lines)) <= 120
    words = " ".join(" ".join(lines).split())
    assert "sqrt scaling keeps all" in words and "not tested" in words and "1 of 1" in words
