"""How many steps a batch needs and what more ranks buy, on the page of the figures."""

import csv
import shutil
from math import inf
from re import findall

import pytest
from looking import Keys, Select

from minisgd.disk.formats import DamagedError, read_json, write_json, write_table
from minisgd.machine import buying
from minisgd.machine.speedup import CostModel
from minisgd.measures import noise_scale, steps_shown
from minisgd.page import project, ranks, steps
from minisgd.report.carry import everything

MOMENTUM = "SGD, clipped, momentum"

# ---- how many steps a batch needs


def test_the_steps_follow_the_accuracy_and_the_unit(look, project, figures):
    """To 97 % the made-up steps of muon with 1024 are 101 to 103, to 98.5 % those of momentum with
    64 are 3 · 4 · 1002 in the median.
    """
    page = look(project)
    assert "updates to 97 %" in page.text("#steps-chart")
    said = page.hover("#steps-chart", "datum.tip && datum.method === 'Muon' && datum.b === 1024")
    for part in ("batch size 1,024", "updates 102", "101 to 103", "epochs 1.9", "3 of 3 seeds"):
        assert part in said.replace(":", ""), (part, said)
    page.changed("#steps-chart", lambda: Select(page.one("#steps-target")).select_by_value("1"))
    page.changed("#steps-chart", lambda: Select(page.one("#steps-unit")).select_by_value("1"))
    said = page.hover("#steps-chart", "datum.b === 64 && datum.method.endsWith('momentum')")
    assert "updates 12,000" in said.replace(":", "") and "epochs 14" in said.replace(":", "")
    again = look(project, page.js("return location.hash"))
    assert again.one("#steps-target").get_attribute("value") == "1"
    assert "epochs to 98.5 %" in again.text("#steps-chart")


def test_the_table_of_the_steps_is_that_of_the_measure(look, project, figures):
    rows = look(project).table("#steps table")
    lines = steps_shown.lines(steps_shown.read(figures / "measure-steps.csv"))
    assert [row[:2] for row in rows] == [
        [f"{target} %", method] for target in (97, 98.5) for method in (MOMENTUM, "Muon")
    ]
    for (_, _, fewest, critical, least, *_), line in zip(rows, lines, strict=True):
        assert fewest == f"{min(line.medians.values()):,.0f}, b = 16,384"
        assert (critical, least) == line.law.in_words


def marks(page, chart):
    """The datums of the marks that are seen in a chart, and their fill."""
    return page.js(
        "return [...document.querySelectorAll(arguments[0] + ' .mark-symbol.role-mark path')]"
        ".filter(path => path.getAttribute('opacity') !== '0')"
        ".map(path => [path.__data__.datum, path.getAttribute('fill')])", chart,
    )  # fmt: skip


def test_a_seed_that_never_got_there_makes_a_mark_hollow(look, project):
    page = look(project)
    hollow = [mark for mark, fill in marks(page, "#steps-chart") if fill == "#ffffff"]
    assert [(mark["method"], mark["b"]) for mark in hollow] == [("Muon", 16384)]
    assert hollow[0]["tip"]["get there"] == "2 of 3 seeds"
    said = page.text("#steps p")
    for part in ("Both kinds of SGD are clipped", "A hollow mark", "A size without a mark"):
        assert part in said
    page.changed("#steps-chart", lambda: Select(page.one("#steps-target")).select_by_value("1"))
    assert "#ffffff" not in [fill for _, fill in marks(page, "#steps-chart")]


def test_methods_have_their_markers_in_every_chart(look, project):
    page = look(project)
    in_answer = {name: shape for name, _, shape in page.legend("#answer-chart")}
    for chart in ("#steps-chart", "#ranks-chart"):
        legend = {name: shape for name, _, shape in page.legend(chart)}
        assert list(legend) == [MOMENTUM, "Muon"]
        assert legend["Muon"] == in_answer["Muon"] != legend[MOMENTUM]


def test_the_noise_scale_stands_beside_the_steps_of_the_same_images(figures, tmp_path):
    def drawn(of_steps, of_noise):
        for name, digest in (("steps", of_steps), ("noise-scale", of_noise)):
            write_json(tmp_path / f"measure-{name}.json", {"asked": {"digest": digest}})
        _, found = steps.section(tmp_path)
        return [layer["data"]["values"] for layer in found["spec"]["layer"] if "data" in layer]

    assert steps.section(tmp_path) == (f"<p>{steps.NONE}</p>", None)
    shutil.copy(figures / "measure-steps.csv", tmp_path)
    row = dict.fromkeys(noise_scale.COLUMNS, 1)
    rows = [row | {"loss": loss, "exact_noise": b} for loss, b in ((2, 5), (0.5, 40), (0.1, 600))]
    write_table(tmp_path / "measure-noise-scale.csv", noise_scale.COLUMNS, rows)
    assert drawn("one", "one") == [[{"b": 40}, {"b": 600}]]
    assert drawn("one", "other") == []


# ---- more ranks


def expected(figures, latency, bandwidth):
    """The numbers of the table by Python's own functions, in its order."""
    model, steps = CostModel(1e-4, 1e-4, 0, 0), {"momentum": 1e-4, "muon": 2e-3}
    model = buying.with_network(model, latency, bandwidth)
    lines = steps_shown.lines(steps_shown.read(figures / "measure-steps.csv"))
    found = []
    for one in buying.all_bought(buying.to_the_target(lines), {}, model, steps, [0.9, 1.1]):
        ranks = min(one.times, key=lambda ranks, times=one.times: times[ranks][1])
        b, *soonest = one.times[ranks]
        title = steps_shown.title_of(one.method)
        found.append((title, *one.worth, *one.times[1][1:], *soonest, ranks, b))
    return found


def shown_on_ranks(page):
    """The numbers of the table, without their words."""
    rows = page.table("#ranks-values table")
    numbers = lambda text: [float(n.replace(",", "")) for n in findall(r"[\d.,]*\d", text)]  # noqa: E731
    return [(name, *(n for cell in cells for n in numbers(cell))) for name, *cells in rows]


def test_what_more_ranks_buy_follows_the_network(look, project, figures):
    page = look(project)
    assert "5 µs a message, 20 Gbit/s" in page.text("#ranks-values caption")
    for row, wanted in zip(shown_on_ranks(page), expected(figures, 5, 20), strict=True):
        assert row[0] == wanted[0] and row[1:] == pytest.approx(wanted[1:], rel=6e-3)
    place = Select(page.one("#ranks-network"))
    page.changed("#ranks-chart", lambda: place.select_by_value("2"))
    slower = expected(figures, *buying.CLUSTERS["Ethernet"])
    for row, wanted in zip(shown_on_ranks(page), slower, strict=True):
        assert row[0] == wanted[0] and row[1:] == pytest.approx(wanted[1:], rel=6e-3)
    assert shown_on_ranks(look(project, page.js("return location.hash"))) == shown_on_ranks(page)
    page.changed("#ranks-chart", lambda: page.one("#ranks-latency").send_keys(Keys.END))
    assert page.text("#ranks-latency-shown") == "1,000"
    slowest = expected(figures, 1000, 25)
    assert slowest[0][1] < expected(figures, 5, 20)[0][1]
    for row, wanted in zip(shown_on_ranks(page), slowest, strict=True):
        assert row[1:] == pytest.approx(wanted[1:], rel=6e-3)
    said = page.hover("#ranks-chart", "datum.method === 'Muon' && datum.ranks === 4")
    assert "ranks 4" in said.replace(":", "") and "as efficient as one" in said


def test_only_the_most_ranks_worth_having_are_marked(look, project, figures):
    page = look(project)
    wanted = [(name, worth) for name, worth, *_ in expected(figures, 5, 20)]
    assert [(mark["method"], mark["ranks"]) for mark, _ in marks(page, "#ranks-chart")] == wanted
    assert "the mark on a line is at the most of them" in page.text("#ranks p")


def test_the_intervals_are_those_of_the_command(look, project, figures):
    page = look(project)
    rows = csv.reader((figures / "scaling.csv").read_text().splitlines())
    kind = f"0.985 with muon, {buying.HERE}"
    (row,) = (row for row in rows if row[:2] == [kind, "4"])
    low, high = map(float, row[-2:])
    said = page.hover("#ranks-chart", "datum.method === 'Muon' && datum.ranks === 4")
    assert f"({low:.3g} to {high:.3g})" in said
    assert len(page.all("#ranks-chart .mark-area path")) == 2


def test_a_network_beyond_the_sliders_is_not_bent_to_them(figures, tmp_path, look):
    """The model may find nothing that an all-reduce takes by the byte, or by the message."""
    folder = shutil.copytree(figures, tmp_path / "figures")
    made = read_json(folder / "scaling.json")
    made["model"] |= {"alpha": 2e-8, "beta": 0.0}
    write_json(folder / "scaling.json", made)
    html, drawn = ranks.section(folder)
    assert drawn["networks"][0] == [pytest.approx(0.02), None]
    assert "0.02 µs, without end Gbit/s" in html
    path = folder / "index.html"
    path.write_bytes(project.page(*everything(folder).values()))
    page = look(path)
    wanted = expected(folder, 0.02, inf)
    for row, (name, *numbers) in zip(shown_on_ranks(page), wanted, strict=True):
        assert row[0] == name and row[1:] == pytest.approx(numbers, rel=6e-3)


def test_a_network_that_is_chosen_to_be_set_below_survives_a_reload(look, project):
    page = look(project)
    page.changed("#ranks-chart", lambda: Select(page.one("#ranks-network")).select_by_value("1"))
    page.changed("#ranks-chart", lambda: Select(page.one("#ranks-network")).select_by_value(""))
    again = look(project, page.js("return location.hash"))
    assert again.one("#ranks-network").get_attribute("value") == ""
    assert "another network: 2 µs a message, 200 Gbit/s" in again.text("#ranks-values caption")


def test_without_its_script_the_table_of_the_ranks_is_that_of_this_machine(figures):
    html, drawn = ranks.section(figures)
    for name, worth, least, most, *times, count, b in expected(figures, 5, 20):
        first, soonest = ("{:.3g} ({:.3g} to {:.3g})".format(*times[k : k + 3]) for k in (0, 3))
        ends = f"{soonest} s on {count:,}, b = {b:,}"
        cells = name, f"{worth:,} ({least:,} to {most:,})", first, ends
        assert "".join(f"<td>{cell}</td>" for cell in cells) in html
    assert drawn["networks"][0] == pytest.approx([5.0, 20.0])


def test_without_its_numbers_nothing_is_said_of_ranks(figures, tmp_path):
    assert ranks.section(tmp_path) == (f"<p>{ranks.NONE}</p>", None)
    shutil.copy(figures / "measure-steps.csv", tmp_path)
    nothing = dict.fromkeys(("c", "o", "alpha", "beta"), 0)  # so that no time passes
    for model in ({"c": -1}, nothing):
        made = {"model": model, "steps": {"muon": 0.0}, "misfits": [1]}
        write_json(tmp_path / "scaling.json", made)
        with pytest.raises(DamagedError, match=r"scaling\.json is damaged"):
            ranks.section(tmp_path)
