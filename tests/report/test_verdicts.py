"""The verdicts and their tables."""

from made_up_runs import curve

from minisgd.report.experiments import SIZES
from minisgd.report.judging import DEPENDS, FAILS, HOLDS, MISSING
from minisgd.report.sentences import LONGEST, PLAIN
from minisgd.report.verdicts import CLAIMS, Verdict, chance, markdown_page, table, verdicts


def test_without_results_nothing_is_tested(kept):
    found = verdicts(kept)
    assert len(found) == len(CLAIMS) == 76
    assert {verdict.verdict for verdict in found} == {MISSING}


def test_a_verdict_names_its_sizes_where_they_differ():
    by_size = (FAILS, (128, 256)), (DEPENDS, (64,))
    shown = Verdict("a claim", "Sec. I", "method", "observed", FAILS, by_size)
    assert str(shown) == "does not hold at 128, 256; depends on the seed at 64"
    assert str(Verdict("a claim", "Sec. I", "method", "observed", FAILS)) == "does not hold"


def test_the_tables_have_every_claim(kept):
    kept.keep("figure2", {b: [curve(0.97)] for b in SIZES})
    found = verdicts(kept)
    markdown = markdown_page(found)
    rows = [line for line in markdown if line.startswith(("| ", "|-"))]
    assert len(rows) == 2 + len(found) and {row.count("|") for row in rows} == {5}
    assert chance(found) and chance(found) in " ".join(markdown)
    numbers = " ".join(markdown[markdown.index("## The numbers") :])
    assert all(f"**{v.claim}** ({v.section}). {v.method}" in numbers for v in found)
    assert all(f"[{k}](#{k})" in " ".join(rows) for k in range(1, 1 + len(found)))
    lines = table(found)
    assert max(map(len, lines)) <= 120
    words = " ".join(" ".join(lines).split())
    assert "not tested Its runs are not here." in words and "5 of 5" not in words
    lines = table(found, numbers=True)
    assert max(map(len, lines)) <= 120
    assert "5 of 5" in " ".join(" ".join(lines).split())


def test_a_sentence_belongs_to_a_verdict():
    claim = "sqrt scaling keeps all sizes training"
    say = lambda word: Verdict(claim, "", "", "", word).sentence  # noqa: E731
    assert say(HOLDS) == "Every run of every size ends above 90 %."
    assert say(FAILS) == "No sentence is written for this verdict."
    assert say(MISSING) == "Its runs are not here."


def test_every_sentence_is_short_and_of_a_claim():
    assert not PLAIN.keys() - {claim for claim, *_ in CLAIMS}
    for sentences in PLAIN.values():
        for sentence in sentences.values():
            assert len(sentence.split()) <= LONGEST and sentence.endswith(".")


def test_what_a_coin_would_have_said_is_told():
    """Five answers have a word by chance in 1 of 32 cases, ten in 11 of 1024, four in none."""
    found = [
        Verdict("a", "Sec. I", "", "", HOLDS, (), (5, 5, 10)),
        Verdict("b", "Sec. I", "", "", FAILS, ((FAILS, (64,)), (DEPENDS, (128,))), (5, 4)),
        Verdict("c", "Sec. I", "", "", HOLDS, (), ()),  # by a test of its own
    ]
    assert chance(found) == (
        "The seeds are counted in 5 cells, a claim at a batch size each. If every answer were the "
        "toss of a fair coin, 0.1 of them would be expected to hold, and as many not to; 3 hold, "
        "and 1 do not."
    )
    assert chance(found[2:]) == ""
