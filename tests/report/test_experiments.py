"""The report's figures as data: the right runs, and results that are kept and found again."""

from dataclasses import replace

import pytest

from minisgd.data import Dataset
from minisgd.disk.formats import DamagedError, read_json, write_json
from minisgd.errors import SettingError, UserError
from minisgd.lab.metrics import COLUMNS, settings_of, tidy
from minisgd.lab.names import run_name
from minisgd.lab.run_folder import RunFolder
from minisgd.report.experiments import (
    EXPERIMENTS,
    SIZES,
    Experiment,
    Kept,
    named,
    read_reference,
)
from minisgd.settings import Settings
from minisgd.train import METRICS

MNIST = Dataset("mnist", None, None, "abc", "made up")


def records(settings, accuracy=0.9, upto=30):
    """A whole run made up: its accuracy is the same in every epoch."""
    made = dict.fromkeys(METRICS, accuracy) | {"seconds": 1.0, "status": "ok"}
    return [{**made, "epoch": i, "lr": settings.rate(i - 1, 1)} for i in range(1, upto + 1)]


# -- which runs


def rates(name):
    """{batch size: (rate after 30 epochs, momentum)} of an experiment."""
    return {
        s.batch_size: (pytest.approx(s.rate(30 - 1, 1)), pytest.approx(s.momentum))
        for s in EXPERIMENTS[name].settings
    }


def test_figures_1_to_5_have_the_reports_rates_at_every_size():
    assert SIZES == (64, 128, 256, 512, 1024, 2048, 4096, 8192)
    assert rates("figure1") == dict.fromkeys(SIZES, (0.01, 0))
    assert rates("figure2")[8192] == (0.1131371, 0) and rates("figure2")[256] == (0.02, 0)
    assert rates("figure3")[8192] == (1.28, 0) and rates("figure3")[128] == (0.02, 0)
    assert rates("figure4") == rates("figure3") == rates("constant-warmup")
    assert rates("figure5") == dict.fromkeys(SIZES, (0.01, 0.9))
    assert rates("effective-rate") == dict.fromkeys(SIZES, (0.1, 0))
    for name, first, tenth in (("figure4", 0.01, 1.153), ("constant-warmup", 0.01, 0.01)):
        largest = EXPERIMENTS[name].settings[-1]
        assert largest.rate(0, 1) == first and largest.rate(9, 1) == pytest.approx(tenth)
    assert all(s.epochs == 30 and s.seed == 0 for e in EXPERIMENTS.values() for s in e.settings)


def test_the_four_runs_of_figure_6():
    """By hand: .01 √2 = .014142, .01 √4 = .02, 1 - .1/√2 = .929289."""
    found = [(s.batch_size, s.rate(0, 1), s.momentum) for s in EXPERIMENTS["figure6"].settings]
    assert found == [
        (2048, 0.01, 0.9),
        (4096, pytest.approx(0.0141421, rel=1e-5), 0.9),
        (8192, pytest.approx(0.02), 0.9),
        (8192, pytest.approx(0.0141421, rel=1e-5), pytest.approx(0.9292893, rel=1e-6)),
    ]


def test_what_starts_from_hes_weights_is_figures_3_and_4_otherwise():
    for name, of in (("he-linear", "figure3"), ("he-gradual-warmup", "figure4")):
        cells = EXPERIMENTS[name].cells(5)
        assert [cell.batch_size for cell in cells[::5]] == [1024, 2048, 4096, 8192]
        assert {cell.seed for cell in cells} == set(range(5)) and len(cells) == 20
        assert {cell.init for cell in cells} == {"he"}
        assert {replace(cell, init="uniform") for cell in cells} < set(EXPERIMENTS[of].cells(5))


def test_runs_of_luck_have_twice_the_seeds_and_the_longest_come_first():
    cells = EXPERIMENTS["figure3"].cells(5)
    counts = {b: sum(cell.batch_size == b for cell in cells) for b in SIZES}
    assert counts == {b: 10 if b >= 2048 else 5 for b in SIZES}
    assert [cell.batch_size for cell in cells] == sorted(cell.batch_size for cell in cells)
    assert len(EXPERIMENTS["figure1"].cells(3)) == 24
    assert len({run_name(cell) for cell in cells}) == len(cells) == 55


def test_words_mean_experiments():
    assert [e.name for e in named(["3", "figure1"])] == ["figure1", "figure3"]
    reports = [*(f"figure{n}" for n in range(1, 7)), "constant-warmup", "effective-rate"]
    assert [e.name for e in named(["all"])] == reports
    assert [e.name for e in named(["he-linear", "1"])] == ["figure1", "he-linear"]
    for word in ("7", "0", "", "figures"):
        with pytest.raises(SettingError, match="there is no figure"):
            named([word])


# -- kept


def kept_with(folder, name, cells, dataset=MNIST):
    folder.mkdir(exist_ok=True)
    kept = Kept(folder)
    done = {cell: records(cell) for cell in cells}
    kept.add(EXPERIMENTS[name], done, dataset, {"runs": len(done)})
    return kept


def test_what_is_kept_is_found_again(tmp_path):
    cells = EXPERIMENTS["figure4"].cells(1)[:3]
    kept_with(tmp_path, "figure4", cells)
    kept = Kept(tmp_path)
    assert kept.cells(EXPERIMENTS["figure4"]) == cells and kept.digest == "abc"
    for cell in cells:
        found = kept.records(cell)
        assert [record["epoch"] for record in found] == list(range(1, 31))
        assert [record["lr"] for record in found] == [cell.rate(i - 1, 1) for i in range(1, 31)]
    assert kept.records(replace(cells[0], seed=1)) == []
    assert kept.records(EXPERIMENTS["figure3"].cells(1)[0]) == []  # another rule of warmup


def test_a_run_may_be_kept_by_another_experiment(tmp_path):
    """Fig. 6 begins with a run of Fig. 5."""
    shared = replace(EXPERIMENTS["figure6"].settings[0], seed=2)
    kept_with(tmp_path, "figure5", [shared])
    assert len(Kept(tmp_path).records(shared)) == 30
    assert Kept(tmp_path).cells(EXPERIMENTS["figure6"]) == [shared]


def test_the_reports_experiments_take_no_run_from_those_that_begin_later(tmp_path):
    """The later ones take what the report's have, from their own first seed on."""
    fig5 = EXPERIMENTS["figure5"]
    later = replace(fig5, name="later", first_seed=1)
    experiments = {"figure5": fig5, "later": later}
    setting = replace(fig5.settings[0], epochs=30)
    kept_with(tmp_path, "figure5", [replace(setting, seed=s) for s in (0, 1)])
    kept = Kept(tmp_path, experiments)
    more = {replace(setting, seed=2): records(replace(setting, seed=2))}
    kept.add(later, more, MNIST, {"runs": 1})
    for now in (kept, Kept(tmp_path, experiments)):
        assert [cell.seed for cell in now.cells(fig5)] == [0, 1]
        assert [cell.seed for cell in now.cells(later)] == [1, 2]


def test_seeds_are_added_to_those_that_are_kept(tmp_path):
    first, second = EXPERIMENTS["figure1"].cells(2)[:2]
    kept_with(tmp_path, "figure1", [second])
    kept_with(tmp_path, "figure1", [first])
    assert Kept(tmp_path).cells(EXPERIMENTS["figure1"]) == [first, second]


def test_how_every_run_was_made_stays_written(tmp_path):
    cells = EXPERIMENTS["figure1"].cells(2)
    kept_with(tmp_path, "figure1", cells[:3])
    kept_with(tmp_path, "figure1", cells[3:])
    assert Kept(tmp_path).made["figure1"]["makings"] == [{"runs": 3}, {"runs": 13}]


def test_what_another_process_adds_meanwhile_is_not_lost(tmp_path):
    first, second = EXPERIMENTS["figure1"].cells(2)[:2]
    one, other = Kept(tmp_path), Kept(tmp_path)
    one.add(EXPERIMENTS["figure1"], {first: records(first)}, MNIST, {})
    other.add(EXPERIMENTS["figure1"], {second: records(second)}, MNIST, {})
    assert Kept(tmp_path).cells(EXPERIMENTS["figure1"]) == [first, second]


def test_rows_that_miss_or_disagree_are_not_taken(tmp_path):
    shared = EXPERIMENTS["figure6"].settings[0]  # of Fig. 5, too
    kept_with(tmp_path, "figure5", [shared])
    kept_with(tmp_path, "figure6", [shared])
    path = tmp_path / "figure6.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:5] + lines[6:]))
    (tmp_path / "figure5.json").unlink()
    assert Kept(tmp_path).records(shared) == []  # 29 epochs, the last one among them
    path.write_text("".join(lines[:5]) + lines[5].replace(",0.9,0.9,", ",0.9,0.8,"))
    kept_with(tmp_path / "other", "figure5", [shared])
    (tmp_path / "other" / "figure6.csv").write_bytes(path.read_bytes())
    (tmp_path / "other" / "figure6.json").write_bytes((tmp_path / "figure6.json").read_bytes())
    with pytest.raises(
        DamagedError,
        match=r"disagrees with another table there on epoch 5 of batch size 2048, seed 0\): bring",
    ):
        Kept(tmp_path / "other")


def test_a_cut_run_does_not_count(tmp_path):
    kept = kept_with(tmp_path, "figure1", [])
    cell = EXPERIMENTS["figure1"].cells(1)[0]
    kept.add(EXPERIMENTS["figure1"], {cell: records(cell, upto=29)}, MNIST, {})
    assert Kept(tmp_path).records(cell) == [] and Kept(tmp_path).cells(EXPERIMENTS["figure1"]) == []


def test_a_run_that_diverged_is_whole(tmp_path):
    cell = EXPERIMENTS["figure3"].cells(1)[-1]
    rows = records(cell, upto=4)
    rows[-1] |= dict.fromkeys(METRICS) | {"status": "diverged", "update": 25}
    kept_with(tmp_path, "figure3", [])
    Kept(tmp_path).add(EXPERIMENTS["figure3"], {cell: rows}, MNIST, {})
    assert [record["status"] for record in Kept(tmp_path).records(cell)][-1] == "diverged"


def test_results_of_different_datasets_do_not_mix(tmp_path, small_data):
    kept = kept_with(tmp_path, "figure1", EXPERIMENTS["figure1"].cells(1)[:1])
    with pytest.raises(SettingError, match="results of another dataset than"):
        kept.check(small_data)
    with pytest.raises(SettingError, match="results of another dataset than"):
        kept_with(tmp_path, "figure2", EXPERIMENTS["figure2"].cells(1)[:1], small_data)
    made = read_json(tmp_path / "figure1.json")
    write_json(tmp_path / "figure2.json", made | {"digest": "x"})
    (tmp_path / "figure2.csv").write_bytes((tmp_path / "figure1.csv").read_bytes())
    with pytest.raises(SettingError, match="different datasets"):
        Kept(tmp_path)


def test_an_empty_folder_keeps_nothing(tmp_path, small_data):
    kept = Kept(tmp_path / "none")
    assert kept.made == {} and kept.cells(EXPERIMENTS["figure1"]) == []
    kept.check(small_data)


# -- the authors' own


AUTHORS = """,model,train_accuracy,test_accuracy,train_loss,test_loss,epoch,time,batch_size,lr
0,LeNet5,0.5,0.8,0.3,0.4,1,9.2,64,0.01
1,LeNet5,0.6,0.9,0.2,0.3,2,8.9,64,0.01
2,LeNet5,0.1,0.2,2.2,2.3,1,8.9,8192,1.28
"""


def test_the_authors_records_are_read_as_ours(tmp_path):
    (tmp_path / "linearLrLeNet5.csv").write_text(AUTHORS)
    rows = read_reference(tmp_path, EXPERIMENTS["figure3"])
    assert [(r["batch_size"], r["epoch"], r["test_accuracy"]) for r in rows] == [
        (64, 1, 0.8), (64, 2, 0.9), (8192, 1, 0.2),
    ]  # fmt: skip
    assert all(set(row) == set(COLUMNS) and row["rule"] == "linear" for row in rows)
    assert rows[0]["train_loss"] is None  # theirs is the last batch's
    assert read_reference(tmp_path, EXPERIMENTS["figure5"]) == []
    assert read_reference(tmp_path, EXPERIMENTS["figure1"]) == []


@pytest.mark.parametrize("text", ["epoch\n1\n", "\xff", AUTHORS.replace("0.8", "much")])
def test_what_is_not_the_authors_table_is_refused(tmp_path, text):
    (tmp_path / "linearLrLeNet5.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match="not a table of the authors'"):
        read_reference(tmp_path, EXPERIMENTS["figure3"])


def test_no_two_runs_of_an_experiment_look_alike_in_its_table():
    for experiment in EXPERIMENTS.values():
        rows = [tidy(s, {**records(s)[0]}) for s in experiment.settings]
        assert len({settings_of(row).key() for row in rows}) == len(experiment.settings)
    assert Settings() in EXPERIMENTS["figure1"].settings


LINEAR = Settings(2048, rule="linear", warmup="gradual")


@pytest.mark.parametrize(
    "other",
    [
        dict(warmup_epochs=5),
        dict(base_batch_size=128),
        dict(epochs=20),
        dict(warmup_updates=50),
        dict(plain=True),
        dict(own="0123abcd"),
        dict(init="he"),
    ],
    ids=str,
)
def test_runs_that_differ_are_never_taken_for_each_other(tmp_path, monkeypatch, other):
    """Two experiments of runs that differ in one setting: what one has, the other has to train."""
    there = replace(LINEAR, **other)
    for name, settings in (("one", LINEAR), ("two", there)):
        experiment = Experiment(name, name, (settings,))
        monkeypatch.setitem(EXPERIMENTS, name, experiment)
    kept = Kept(tmp_path)
    kept.add(EXPERIMENTS["one"], {LINEAR: records(LINEAR)}, MNIST, {})
    again = Kept(tmp_path)
    assert again.records(LINEAR) and again.records(there) == []
    assert again.cells(EXPERIMENTS["two"]) == []
    again.add(EXPERIMENTS["two"], {there: records(there, upto=there.epochs)}, MNIST, {})
    both = Kept(tmp_path)
    assert both.cells(EXPERIMENTS["one"]) == [LINEAR] and both.cells(EXPERIMENTS["two"]) == [there]
    assert RunFolder(tmp_path, LINEAR, "d").path != RunFolder(tmp_path, there, "d").path
