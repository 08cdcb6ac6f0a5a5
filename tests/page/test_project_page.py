"""The page of the figures in a browser: what it shows, and what one can do with it."""

from statistics import median

import pytest
from looking import ActionChains, Keys, Select

from minisgd.disk.formats import write_json
from minisgd.page import curvature, explorer
from minisgd.page.formulas import FORMULAS
from minisgd.report import answer_shown
from minisgd.report.answer import METHODS, SIZES
from minisgd.report.answer_plan import known, plan
from minisgd.report.experiments import EXPERIMENTS, Kept
from minisgd.report.trials import Trials
from minisgd.report.verdicts import verdicts


@pytest.fixture(scope="module")
def kept(figures):
    return Kept(figures, known(Trials(figures)))


def finals(kept, name, b):
    cells = [c for c in kept.cells(EXPERIMENTS[name]) if c.batch_size == b]
    return [kept.records(cell)[-1]["test_accuracy"] for cell in cells]


@pytest.mark.parametrize("width", [360, 1024, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_width_in_both_schemes(look, project, width, scheme):
    page = look(project, width=width, scheme=scheme)
    assert page.js("return document.documentElement.scrollWidth") <= width
    light = (
        page.js("return getComputedStyle(document.body).backgroundColor") == "rgb(246, 247, 249)"
    )
    assert light == (scheme == "light")
    assert all(chart.size["height"] > 150 for chart in page.all(".chart"))


def test_the_longest_entry_of_a_list_fits_a_telephone(look, tmp_path):
    """A network whose numbers have three digits makes the widest list of the page."""
    from made_up_folder import keep_report, keep_steps

    from minisgd.page.project import page as page_of

    keep_report(tmp_path, ["figure1"], seeds=1)
    keep_steps(tmp_path)
    model = {"c": 1e-4, "o": 1e-4, "alpha": 2.09e-6, "beta": 5.67e-10}
    steps = {"momentum": 1e-4, "muon": 2e-3}
    write_json(tmp_path / "scaling.json", {"model": model, "steps": steps, "misfits": [1]})
    path = tmp_path / "index.html"
    path.write_bytes(page_of(Kept(tmp_path)))
    page = look(path, width=360)
    assert "2.09 µs, 14.1 Gbit/s" in page.text("#ranks-network")
    assert page.js("return document.documentElement.scrollWidth") <= 360


def test_the_first_view_gives_way_where_its_runs_are_not_there(look, tmp_path):
    from made_up_folder import keep_report

    from minisgd.page.project import page as page_of

    keep_report(tmp_path, ["figure1", "constant-warmup"], seeds=1)
    path = tmp_path / "index.html"
    path.write_bytes(page_of(Kept(tmp_path)))
    assert look(path).lines() == 8


def test_it_is_one_small_file(project):
    text = project.read_text("utf-8")
    assert len(text.encode()) < 5e6
    for what in ("<link", "src=", "@import", "url("):
        assert what not in text.partition("<script")[0]


# ---- the answer


def test_the_answer_stands_first_with_the_numbers_of_the_tables(look, project, kept):
    page = look(project)
    assert page.one("main section").get_attribute("id") == "answer"
    cells = plan(Trials(kept.folder)).sizes
    found = answer_shown.results(kept, "answer", cells)
    rows = page.table("#answer table")
    for row, b in zip(rows, SIZES, strict=False):
        assert row == [f"{b:,}", *(answer_shown.spread(found[name, b]) for name in METHODS)]
    # The kth method loses .001 k with every step: 0, 6 steps, 5, ... by hand from .9910 - .0002 s.
    assert rows[SIZES.index(8192)][2] == "0.9876 (0.9874 to 0.9878)"
    assert "Nesterov 60,000 and 60,000; Adam 512 and 16,384; LARS 64 and" in page.text("#answer")


def test_the_reports_rules_stand_in_the_answer_with_how_far_they_go(look, project, kept):
    """At η = .01 every doubling from 64 loses .001, and seed 1 .0002, against .9906 of 64 at its
    best: 64 is .0006 + .0002 below it, 128 is .0018, 1,024 is .0048.
    """
    page = look(project)
    assert "the best of the report's rules 128 and 1,024." in page.text("#answer p")
    rules = page.all("#answer > .wide table")[1]
    rows = [row.text for row in rules.find_elements("css selector", "tbody tr")]
    values = finals(kept, "figure1", 256)
    assert rows[2] == f"256 {answer_shown.spread(values)}"
    assert rows[-1] == "largest within 0.005 in every seed 1,024"


def test_hovering_tells_the_settings_seeds_and_epochs(look, project, kept):
    page = look(project)
    said = page.hover("#answer-chart", "datum.method === 'Adam' && datum.size === 8192")
    settings = plan(Trials(kept.folder)).sizes["adam", 8192]
    for part in ("Adam", "8,192", "0.9876 (0.9874 to 0.9878)", f"m = {settings.momentum:.4g}",
                 f"η0 = {settings.lr:.4g}", "cosine decay"):  # fmt: skip
        assert part in said
    assert "seeds 3" in said.replace(":", "") and "epochs 30" in said.replace(":", "")


def test_the_answer_can_be_seen_in_its_whole_range_and_without_the_reports_rules(look, project):
    page = look(project)
    assert page.axis("#answer-chart", "y")[1][0] == "0.950"
    assert page.lines("#answer-chart") == 5 + 1
    page.tick("#answer-reported", "#answer-chart")
    assert page.lines("#answer-chart") == 5
    page.tick("#answer-whole", "#answer-chart")
    assert page.axis("#answer-chart", "y")[1][0] == "0.0"


def test_the_answers_legend_tells_methods_by_shape_and_rules_by_dashes(look, project):
    page = look(project)
    legend = page.legend("#answer-chart")
    methods = [shape for name, _, shape in legend if name in titles()]
    assert len(set(methods)) == len(methods) == len(METHODS)
    rules = [(dash, shape) for name, dash, shape in legend if name not in titles()]
    assert [dash for dash, _ in rules] == ["5,2"] and rules[0][1] not in methods


def titles():
    return [method.title for method in METHODS.values()]


def test_the_answers_dotted_lines_have_names(look, project):
    page = look(project)
    names = lambda: [t.text for t in page.all("#answer-chart .mark-text.role-mark text")]  # noqa: E731
    assert names() == ["64 at its best", "0.002 below it", "0.005 below it"]
    page.tick("#answer-whole", "#answer-chart")
    assert names() == ["64 at its best"]


# ---- the explorer


def test_lines_are_chosen_by_rule_and_batch_size(look, project):
    page = look(project)
    assert page.lines() == 8 and "22 runs of 8 settings" in page.text("#matching")
    page.choose("rule", "none")
    assert "16 runs of 8 settings" in page.text("#matching")
    page.tick("#choices input[value='64']")
    assert page.lines() == 7
    page.one("[data-sizes=none]").click()
    assert "No run is like that" in page.text("#matching")
    page.changed("#curves", page.one("[data-sizes=all]").click)
    page.choose("optimizer", "adam")
    assert page.lines() == 7


def test_what_was_chosen_before_gives_way_to_the_last_choice(look, project, kept):
    """A figure is shown whole, whatever was chosen of other runs; and no list leads to nothing."""
    page = look(project)
    first = page.text("#matching"), page.js("return location.hash")
    page.one("[data-sizes=none]").click()
    page.choose("figure", EXPERIMENTS["figure1"].title)
    assert "16 runs of 8 settings" in page.text("#matching")
    for name in ("figure", "dataset", "rule", "optimizer", "momentum"):
        place = Select(page.one(f"#choices select[data-choice={name}]"))
        for value in [option.get_attribute("value") for option in place.options]:
            page.changed("#curves", page.one("#choices [type=reset]").click)
            if value != place.first_selected_option.get_attribute("value"):
                page.choose(name, value)
                assert page.lines() >= 1, (name, value)
    page.one("#at").send_keys(Keys.HOME)
    page.changed("#curves", page.one("#choices [type=reset]").click)
    assert (page.text("#matching"), page.js("return location.hash")) == first
    assert page.text(".cursor") == "epoch 30"


def test_only_sizes_that_the_chosen_runs_have_can_be_ticked(look, project):
    page = look(project)
    labels = lambda: [box.text.split()[-1] for box in page.all("fieldset label") if box.text]  # noqa: E731
    assert labels() == [f"{b:,}" for b in (64, 128, 256, 512, 1024, 2048, 4096, 8192)]
    page.choose("figure", "How large a batch does each method carry?")
    assert labels() == [f"{b:,}" for b in SIZES]


def test_sizes_of_nearly_one_colour_have_different_markers():
    sizes = [64, 80, 2000, 2048, 7500, 8192, 15_000, 16_384, 30_000, 32_768, 60_000]
    lines = [{"size": b, "values": {"optimizer": "sgd"}} for b in sizes]
    marks = {line["size"]: line["mark"] for line in explorer.data(lines)["lines"]}
    assert [marks[64], marks[2048], marks[8192]] == [0, 5, 7]  # those of the figures
    assert marks[80] != marks[64] and marks[2000] != marks[2048]
    assert len({marks[b] for b in sizes[4:]}) == 7  # all black


def test_a_figure_is_shown_with_its_own_seeds_alone(look, tmp_path):
    """Seeds 0 and 1 of Fig. 5 are at .983 and .9828; those of 8192 that another experiment has made
    with the same settings, 1 to 4, are at .9 but for seed 1, which is one run for both.
    """
    from made_up_folder import keep_again, keep_answer, keep_report

    from minisgd.page.project import page as page_of

    keep_answer(tmp_path, seeds=1)
    keep_report(tmp_path, ["figure5"])
    title = keep_again(tmp_path, seeds=(1, 2, 3, 4)).title
    path = tmp_path / "index.html"
    path.write_bytes(page_of(Kept(tmp_path, known(Trials(tmp_path)))))
    page = look(path)

    def at_8192():
        rows = page.table("#values table")
        return next(row[1:4] for row in rows if row[0].startswith("● b = 8192, η = 0.01"))

    page.choose("figure", EXPERIMENTS["figure5"].title)
    assert at_8192() == ["0.9829", "0.9828 to 0.9830, lowest and highest", "2"]
    page.choose("figure", title)
    assert at_8192() == ["0.9000", "0.9000 to 0.9828, lowest and highest", "4"]
    page.choose("figure", "any")
    assert at_8192() == ["0.9000", "0.9000 to 0.9828, quartiles", "5"]
    # Of the others there are two seeds, whatever the line beside them shows.
    ends = {row[3]: row[2].partition(", ")[2] for row in page.table("#values table")}
    assert ends["2"] == "lowest and highest"


def test_runs_on_another_dataset_are_chosen_by_its_name(look, project):
    page = look(project)
    page.choose("dataset", "Fashion-MNIST")
    assert "4 runs of 4 settings" in page.text("#matching")
    assert {row[1] for row in page.table("#values table")} == {"0.9000"}
    page.choose("dataset", "any")
    (muon,) = (
        row[0]
        for row in page.table("#values table")
        if row[0].startswith("● b = 8192, ") and row[1] == "0.9000"
    )
    assert "on Fashion-MNIST" in muon


def test_the_values_are_those_of_the_tables(look, project, kept):
    page = look(project)
    rows = {row[0].removeprefix("● "): row[1:] for row in page.table("#values table")}
    for b, label in ((64, "b = 64, η = 0.01"), (2048, "b = 2048, η = 0.32")):
        values = finals(kept, "figure3", b)
        ends = f"{min(values):.4f} to {max(values):.4f}, lowest and highest"
        assert rows[label] == [f"{median(values):.4f}", ends, str(len(values)), "–"]
    assert rows["b = 8192, η = 1.28"][0] == "0.1135"
    assert rows["b = 8192, η = 1.28"][3] == "4 stuck"
    assert rows["b = 4096, η = 0.64"][2:] == ["3", "1 diverged"]


def test_the_cursor_follows_the_keys(look, project, kept):
    page = look(project)
    page.one("#at").send_keys(Keys.HOME, Keys.ARROW_RIGHT)
    assert page.text(".cursor") == "epoch 2"
    records = [kept.records(c)[1] for c in kept.cells(EXPERIMENTS["figure3"]) if c.batch_size == 64]
    shown = page.table("#values table")[0]
    assert shown[1] == f"{median(r['test_accuracy'] for r in records):.4f}"


def test_the_cursor_goes_to_the_end_where_its_unit_changes(look, project):
    """Epoch 2 is not update 2. The last update of 64 is 30 · 938."""
    page = look(project)
    page.one("#at").send_keys(Keys.HOME, Keys.ARROW_RIGHT)
    assert "at=2" in page.js("return location.hash")
    page.choose("by", "update")
    assert page.text(".cursor") == "update 28,140"
    page.one("#at").send_keys(Keys.ARROW_LEFT)
    page.choose("by", "epoch")
    assert page.text(".cursor") == "epoch 30" and "at=" not in page.js("return location.hash")


def test_hovering_over_a_curve_tells_its_value(look, project, kept):
    page = look(project)
    said = page.hover("#curves", "datum.tip.run.startsWith('b = 64,') && datum.tip.epoch === 30")
    assert f"{median(finals(kept, 'figure3', 64)):.4f}" in said and "28140" in said


def test_a_ring_stands_where_one_seed_is_stuck_as_the_key_says(look, tmp_path):
    """From epoch 20 on, one of the two seeds of 64 is stuck."""
    from made_up_folder import MNIST, records

    from minisgd.page.project import page as page_of

    experiment = EXPERIMENTS["figure1"]
    cells = experiment.cells(2)[:2]
    done = {c: records(c, 0.99, stuck=range(20, 31) if c.seed else ()) for c in cells}
    Kept(tmp_path).add(experiment, done, MNIST, {"command": "made up"})
    path = tmp_path / "index.html"
    path.write_bytes(page_of(Kept(tmp_path)))
    page = look(path)
    assert "○ at least one seed is stuck" in page.text("#explorer")
    rings = page.js("return [...document.querySelectorAll('#curves .mark-symbol path')].filter("
                    "path => path.__data__.datum?.stuck && path.getAttribute('stroke-width'))"
                    ".map(path => path.__data__.datum.x)")  # fmt: skip
    assert sorted(set(rings)) == list(range(20, 31))


def test_a_click_moves_the_cursor_however_many_lines_there_are(look, project):
    """Above 4,000 points there is nothing to point at, and the page says so."""
    page = look(project)
    page.choose("show", "seeds")
    for more in ("rule", "momentum", "optimizer", "dataset"):
        page.choose(more, "any")
    assert page.lines() * 30 > 4000 and "too many to point at" in page.text("#matching")
    plot = page.one("#curves .role-frame .background")
    page.js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", plot)
    width = plot.size["width"]
    for epoch in (12, 30, 2):
        across = round((epoch - 1) / 29 * width - width / 2)
        ActionChains(page.browser).move_to_element_with_offset(plot, across, 0).click().perform()
        assert page.text(".cursor") == f"epoch {epoch}"
    page.changed("#curves", page.one("#choices [type=reset]").click)
    assert "too many" not in page.text("#matching")


def test_zoom_update_loss_and_single_seeds_do_what_they_say(look, project):
    page = look(project)
    assert page.axis("#curves", "y")[1][0] == "0.0"
    page.tick("[data-choice=zoom]")
    assert page.axis("#curves", "y")[1][0] in ("0.90", "0.9", "0.900")
    page.choose("by", "update")
    assert page.axis("#curves", "x")[0] == "update"
    page.choose("show", "seeds")
    assert page.lines() == 22
    assert not page.one("[data-choice=log]").is_enabled()
    page.choose("metric", "test_loss")
    assert not page.one("[data-choice=zoom]").is_enabled()
    linear = page.axis("#curves", "y")[1]
    page.tick("[data-choice=log]")
    logarithmic = [float(label) for label in page.axis("#curves", "y")[1] if label]
    assert linear[0] == "0.0" and min(logarithmic) > 0


def test_a_method_and_a_rule_look_alike_at_every_batch_size(look, project):
    """The colour is that of the batch size or of the method, the dash that of the rule; a legend
    says so, however many lines there are.
    """
    page = look(project)

    def looks(of, attribute):
        """{what a line stands for: its looks}."""
        found = {}
        for path in page.all("#curves .mark-line path"):
            name = page.js(f"return arguments[0].__data__.datum.{of}", path)
            found.setdefault(name, set()).add(path.get_attribute(attribute))
        assert all(len(each) == 1 for each in found.values()), found
        assert len(set(map(frozenset, found.values()))) == len(found), found
        return set(found)

    page.choose("rule", "any")
    assert looks("hue", "stroke") == {f"{64 * 2**k:,}" for k in range(8)}
    rules = {"sgd", "sgd: linear scaling"}
    assert looks("way", "stroke-dasharray") == rules
    legend = page.text("#curves svg")
    assert "batch size" in legend and "dash: method, rule and warmup" in legend
    assert all(rule in legend for rule in rules)
    page.choose("figure", "How large a batch does each method carry?")
    page.choose("colour", "method")
    assert page.lines() == 35 and looks("hue", "stroke") == set(METHODS)
    legend = page.text("#curves svg")
    assert "colour: method" in legend and "marker: batch size" in legend
    assert all(name in legend for name in METHODS)


def test_the_first_view_is_of_the_reports_initial_weights_and_network(look, tmp_path):
    """Four sizes of the linear rule have been run from He's weights as well, one of the answer's
    methods in another network.
    """
    from made_up_folder import keep_answer, keep_place, keep_report

    from minisgd.page.project import page as page_of
    from minisgd.report.carry import everything

    keep_answer(tmp_path, seeds=1)
    keep_report(tmp_path, ["figure3", "he-linear"])
    keep_place(tmp_path, "mlp")
    path = tmp_path / "index.html"
    path.write_bytes(page_of(*everything(tmp_path).values()))
    page = look(path)
    assert [row[0] for row in page.table("#values table")] == [
        f"● b = {b}, η = {0.01 * b / 64:.4g}" for b in (64, 128, 256, 512, 1024, 2048, 4096, 8192)
    ]
    page.choose("init", "he")
    assert page.lines() == 4
    page.choose("network", "mlp")
    assert {row[1] for row in page.table("#values table")} == {"0.9000"}


@pytest.mark.parametrize("width", [400, 1200])
def test_a_row_names_what_tells_it_apart_and_unfolds_the_rest(look, project, kept, width):
    page = look(project, width=width)
    page.choose("figure", "How large a batch does each method carry?")
    table = page.one("#values .wide")
    assert page.js("return arguments[0].scrollWidth - arguments[0].clientWidth", table) <= 0
    names = [row[0].removeprefix("● ") for row in page.table("#values table")]
    settings = plan(Trials(kept.folder)).sizes["adam", 8192]
    name = f"b = 8192, η = {settings.scaled_lr:.4g}, adam"
    assert names.count(name) == 1 and len(set(names)) == 35
    row = page.all("#values details")[names.index(name)]
    row.find_element("css selector", "summary").click()
    page.one("#at").send_keys(Keys.ARROW_LEFT)
    row = page.all("#values details")[names.index(name)]
    for part in (f"m = {settings.momentum:.4g}", "cosine decay", "30 epochs", "on MNIST"):
        assert part in row.text


def test_what_was_chosen_survives_a_reload(look, project):
    page = look(project)
    page.tick("[data-choice=zoom]")
    page.choose("rule", "none")
    page.tick("#choices input[value='64']")
    chosen = page.js("return location.hash")
    again = look(project, chosen)
    assert again.lines() == 7 and again.axis("#curves", "y")[1][0] != "0.0"
    assert "14 runs of 7 settings" in again.text("#matching")


# ---- step by step


def test_one_cursor_leads_through_all_panels(look, project, figures):
    page = look(project)
    (run, *others) = curvature.runs(figures).values()
    assert others
    slider = page.one("#curvature-at")
    slider.send_keys(Keys.HOME)
    slider.send_keys(*[Keys.ARROW_RIGHT] * 2)
    row = run[2]
    assert page.text("#curvature-shown") == str(row["update"])
    shown = dict(page.table("#curvature-values table"))
    assert float(shown["train loss"]) == pytest.approx(row["loss"], rel=1e-3)
    assert float(shown["2(1+m)/η"]) == pytest.approx(row["bound"], rel=1e-3)
    assert float(shown["dead units of fc"]) == pytest.approx(row["dead_fc"], rel=1e-3)
    cursors = "[...document.querySelectorAll('#curvature-chart .mark-rule line')].filter("
    cursors += "line => line.__data__.datum.cursor !== undefined)"
    at = f"{cursors}.map(line => line.getBoundingClientRect().x)"
    page.wait(f"new Set({at}.map(Math.round)).size === 1")
    assert len(page.js(f"return {at}")) == len(curvature.PANELS)


def test_a_line_breaks_where_its_value_is_negative(look, project, figures):
    page = look(project)
    run, *_ = curvature.runs(figures).values()
    middle = [row["batch_sharpness"] for row in run].index(-2.5)
    page.one("#curvature-at").send_keys(Keys.HOME, *[Keys.ARROW_RIGHT] * middle)
    assert dict(page.table("#curvature-values table"))["batch sharpness"] == "-2.5"
    pieces = page.js(
        "return [...document.querySelectorAll('#curvature-chart .mark-line path')].filter(path => "
        "path.__data__.datum.label === 'batch sharpness').map(path => path.getAttribute('d'))"
    )
    assert "".join(pieces).count("M") == 2
    assert "its line is broken there" in page.text("#curvature")


def test_the_pointer_moves_the_cursor_and_another_run_can_be_chosen(look, project):
    page = look(project)
    target = page.js(
        "return [...document.querySelectorAll('#curvature-chart .mark-rule line')].filter(line => "
        "line.__data__.datum.update === 1)[1]"
    )
    page.js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", target)
    ActionChains(page.browser).move_to_element(target).perform()
    page.wait("document.querySelector('#curvature-shown').textContent === '1'")
    place = Select(page.one("#curvature-run"))
    assert [option.text for option in place.options] == [
        "no warmup, b = 512, seed 0", "gradual warmup, b = 512, seed 0",
    ]  # fmt: skip
    page.changed("#curvature-chart", lambda: place.select_by_index(1))


# ---- the claims and the formulas


def test_a_claim_unfolds_its_numbers(look, project, kept):
    page = look(project)
    found = verdicts(kept)
    place = next(k for k, v in enumerate(found) if v.claim.startswith("larger batches at a fixed"))
    details = page.all("#claims details")[place]
    assert details.get_attribute("open") is None
    details.find_element("css selector", "summary").send_keys(Keys.ENTER)
    assert details.get_attribute("open") is not None
    for part in found[place].observed.split("; "):
        assert part in details.text
    page.one("[data-unfold]").click()
    assert all(each.get_attribute("open") is not None for each in page.all("#claims details"))


def test_the_claims_are_sorted_by_any_column_both_ways(look, project, kept):
    page = look(project)
    in_order = [row[0] for row in page.table("#claims table")]
    assert in_order == [str(k + 1) for k in range(len(verdicts(kept)))]
    button = page.all("#claims thead button")[3]
    button.send_keys(Keys.ENTER)
    words = [row[3] for row in page.table("#claims table")]
    assert words == page.js("return [...arguments[0]].sort((a, b) => a.localeCompare(b, 'en', "
                            "{numeric: true}))", words)  # fmt: skip
    assert button.find_element("xpath", "..").get_attribute("aria-sort") == "ascending"
    button.click()
    assert [row[3] for row in page.table("#claims table")] == words[::-1] or len(set(words)) > 1
    page.all("#claims thead button")[0].click()
    assert [row[0] for row in page.table("#claims table")] == in_order


def test_a_claim_that_continues_another_says_which(look, project):
    """Sorted by their verdicts, they stand apart."""
    said = [row[1] for row in look(project).table("#claims table")]
    assert not [text for text in said if text.startswith("...")]
    assert ("larger batches at a fixed rate converge more slowly ... and to a worse result") in said
    assert len(set(said)) == len(said)


def test_the_names_of_the_formulas_are_seen_on_a_telephone(look, project):
    page = look(project, width=400)
    for name, *_ in FORMULAS:
        cells = page.all("#formulas td")
        (cell,) = (cell for cell in cells if cell.text == name)
        assert cell.rect["x"] + cell.rect["width"] < 400


def test_the_formulas_are_formulas(look, project):
    page = look(project)
    formulas = page.all("#formulas math")
    assert len(formulas) >= 10
    assert all(each.size["height"] > 12 for each in formulas)
    fractions = page.all("#formulas mfrac")
    assert fractions and all(each.size["height"] > 25 for each in fractions[:3])


# ---- what is not there


def test_parts_without_runs_are_left_out_with_a_sentence(look, tmp_path):
    from made_up_folder import keep_report

    from minisgd.page.project import page as page_of

    keep_report(tmp_path, ["figure1"], seeds=1)
    (tmp_path / "measure-curvature.csv").write_text("warmup,clip\nnone,\n")  # an older form
    path = tmp_path / "index.html"
    path.write_bytes(page_of(Kept(tmp_path)))
    page = look(path)
    assert "its runs are not here" in page.text("#answer")
    assert "of an older form" in page.text("#curvature")
    assert len(page.all(".chart")) == 1 and page.lines() == 8
