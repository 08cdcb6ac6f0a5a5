"""What tells one line from another: which records share a line, and what its label says."""

import pytest
from hand_made import legend, lines, records

from minisgd.drawing import accuracy_figure, comparison_figure
from minisgd.drawing.groups import IN_ORDER, NOT_SETTINGS, group_records


def test_base_rates_that_tell_batch_sizes_apart_need_no_dashes():
    rows = [row for b in (64, 128) for row in records([0.5], batch_size=b, lr=b, base_lr=b)]
    figure = accuracy_figure(rows, "t")
    assert legend(figure) == ["b = 64, η = 64", "b = 128, η = 128"]
    assert {line.get_linestyle() for line in lines(figure.axes[0]).values()} == {"-"}


def test_sweeps_of_several_base_rates_each_are_told_by_them_where_rates_differ():
    one = [row for lr in (0.01, 0.1) for row in records([0.5], lr=lr, base_lr=lr)]
    other = [row | {"rule": "linear", "lr": 2 * row["lr"]} for row in one]
    figure = comparison_figure([("none", one), ("linear", other)])
    assert legend(figure) == ["b = 64, η0 = 0.01", "b = 64, η0 = 0.1"]


def test_the_four_runs_of_figure_6_have_four_labels():
    # Report Fig. 6
    runs = [(2048, 0.01, 0.9), (4096, 0.01414, 0.9), (8192, 0.02, 0.9), (8192, 0.01414, 0.929)]
    rows = [
        row
        for b, lr, m in runs
        for row in records([0.9, 0.98], batch_size=b, lr=lr, base_lr=lr, momentum=m)
    ]
    figure = accuracy_figure(rows, "Fig. 6")
    assert legend(figure) == [
        "b = 2048, η = 0.01, m = 0.9",
        "b = 4096, η = 0.01414, m = 0.9",
        "b = 8192, η = 0.02, m = 0.9",
        "b = 8192, η = 0.01414, m = 0.929",
    ]
    drawn = lines(figure.axes[0])
    one, other = drawn["b = 8192, η = 0.02, m = 0.9"], drawn["b = 8192, η = 0.01414, m = 0.929"]
    assert one.get_color() == other.get_color()
    assert one.get_linestyle() != other.get_linestyle()


def test_the_rate_of_a_label_is_the_largest_in_force():
    rows = records([0.5, 0.6, 0.7], warmup="gradual")
    for row, rate in zip(rows, (0.01, 1.28, 0.645), strict=True):
        row["lr"] = rate
    assert legend(accuracy_figure(rows, "t")) == ["b = 64, η = 1.28"]


def test_a_base_rate_that_the_rate_in_force_tells_already_is_not_told_twice():
    rows = [row for lr in (0.01, 0.1) for row in records([0.5], lr=lr, base_lr=lr)]
    figure = accuracy_figure(rows, "t")
    assert legend(figure) == ["b = 64, η = 0.01", "b = 64, η = 0.1"]
    dashes = [line.get_linestyle() for line in lines(figure.axes[0]).values()]
    assert dashes[0] != dashes[1]
    rows += records([0.5], lr=0.2, base_lr=0.1, rule="linear", batch_size=128)
    assert legend(accuracy_figure(rows, "t"))[-1] == "b = 128, η = 0.2, linear scaling, η0 = 0.1"


DIFFERENT = [
    ("rule", ("none", "sqrt"), ("no scaling", "sqrt scaling")),
    ("base_batch_size", (64, 128), ("b0 = 64", "b0 = 128")),
    ("warmup", ("none", "gradual"), ("no warmup", "gradual warmup")),
    ("warmup_epochs", (10, 5), ("over 10 epochs", "over 5 epochs")),
    ("warmup_updates", (None, 300), ("", "over 300 updates")),
    ("optimizer", ("sgd", "lars"), ("sgd", "lars")),
    ("base_lr", (0.01, 0.02), ("η0 = 0.01", "η0 = 0.02")),
    ("momentum", (0.0, 0.9), ("m = 0", "m = 0.9")),
    ("momentum", (None, 0.9), ("no m", "m = 0.9")),
    ("decay", ("none", "cosine"), ("no decay", "cosine decay")),
    ("batch_schedule", ("", "x5@3,x2@5"), ("fixed batch", "batch grows (x5@3,x2@5)")),
    ("epochs", (30, 100), ("30 epochs", "100 epochs")),
    ("network", ("lenet5", "mlp"), ("lenet5", "mlp")),
    ("plain", (False, True), ("fused layers", "plain layers")),
    ("own", ("", "1a2b3c"), ("no own file", "own file 1a2b3c")),
    ("init", ("uniform", "he"), ("uniform initialization", "he initialization")),
    ("loss", ("softmax", "mine"), ("softmax loss", "mine loss")),
    # Columns that have no words.
    ("clip", (None, 1.0), ("no clip", "clip = 1")),
    ("label_smoothing", (0.1, 0.25), ("label smoothing = 0.1", "label smoothing = 0.25")),
    ("padding", ("same", "valid"), ("padding = same", "padding = valid")),
]


def expected(words):
    return [", ".join(filter(None, ("b = 64, η = 0.01", word))) for word in words]


@pytest.mark.parametrize(("column", "values", "words"), DIFFERENT)
def test_whatever_differs_besides_batch_size_and_seed_is_in_the_label(column, values, words):
    rows = [row for v in values for row in records([0.5], **{column: v})]
    figure = accuracy_figure(rows, "t")
    assert legend(figure) == expected(words)
    dashes = [line.get_linestyle() for line in lines(figure.axes[0]).values()]
    assert dashes[0] != dashes[1]


@pytest.mark.parametrize(("column", "values", "words"), DIFFERENT)
def test_what_is_the_same_in_all_runs_is_not_in_the_label(column, values, words):
    rows = [row for b in (64, 128) for row in records([0.5], batch_size=b, **{column: values[1]})]
    if column != "base_lr":  # η0 is told where the rates in force are others
        assert legend(accuracy_figure(rows, "t")) == ["b = 64, η = 0.01", "b = 128, η = 0.01"]


def test_a_decayed_rate_is_told_as_it_was_before_the_decay():
    """0.01 * 128/64, of which 0.015 was left at the end of the first epoch."""
    more = dict(batch_size=128, rule="linear", lr=0.015, decay="cosine")
    assert legend(accuracy_figure(records([0.5], **more), "t")) == ["b = 128, η = 0.02"]


def test_all_settings_with_words_are_tried_here():
    assert {column for column, *_ in DIFFERENT} >= set(IN_ORDER) - {"batch_size"}


def test_several_settings_are_told_in_the_order_of_the_words_and_unknown_ones_last():
    other = dict(clip=1.0, momentum=0.9, warmup_epochs=5, warmup="gradual", rule="linear")
    rows = records([0.5], clip=None, warmup_epochs=10) + records([0.5], **other)
    assert legend(accuracy_figure(rows, "t"))[1] == (
        "b = 64, η = 0.01, linear scaling, gradual warmup, over 5 epochs, m = 0.9, clip = 1"
    )


@pytest.mark.parametrize("column", sorted(NOT_SETTINGS - {"epoch", "seed"}))
def test_what_is_measured_tells_no_lines_apart(column):
    rows = records([0.5, 0.6])
    rows[1][column] = "stuck" if column == "status" else 0.625
    assert len(group_records(rows, "here")) == 1


# ---- tables that lack a column


@pytest.mark.parametrize(
    ("column", "default", "words"),
    [
        ("base_batch_size", 64, "b0 = 64"),
        ("warmup_epochs", 10, "over 10 epochs"),
        ("epochs", 30, "30 epochs"),
        ("momentum", 0.0, "m = 0"),
        ("base_lr", 0.01, "η0 = 0.01"),
        ("clip", None, "no clip"),  # of a column that is no setting of ours nothing is known
    ],
)
def test_a_table_without_a_column_has_its_default(column, default, words):
    old, new = records([0.5]), records([0.5], **{column: 7})
    for row in old:
        row.pop(column, None)
    assert legend(accuracy_figure(old + new, "t"))[0] == f"b = 64, η = 0.01, {words}"
    same = records([0.5], seed=1, **{column: default})
    assert len(group_records(old + same, "here")) == 1
    with pytest.raises(ValueError, match="no column tells them apart"):
        group_records(old + [row | {"seed": 0} for row in same], "here")


def test_sweeps_of_an_old_and_a_new_table_stand_beside_each_other():
    new = [row for m in (10, 5) for row in records([0.5], warmup="gradual", warmup_epochs=m)]
    figure = comparison_figure([("old", records([0.5], warmup="gradual")), ("new", new)])
    assert legend(figure) == ["b = 64, η = 0.01, over 10 epochs", "b = 64, η = 0.01, over 5 epochs"]
    old, new = (lines(figure.axes[place]) for place in (0, 1))
    assert list(old) == legend(figure)[:1] and list(new) == legend(figure)
    assert old[legend(figure)[0]].get_linestyle() == new[legend(figure)[0]].get_linestyle()


def test_two_records_of_one_epoch_are_refused():
    with pytest.raises(ValueError, match="two records of epoch 1 for batch size 64, seed 0"):
        accuracy_figure(records([0.5]) * 2, "t")


def test_comparison_tells_what_differs_inside_a_sweep():
    rows = [row for m in (0.0, 0.9) for row in records([0.5], momentum=m)]
    figure = comparison_figure([("a", rows), ("b", records([0.5]))])
    assert legend(figure) == ["b = 64, η = 0.01, m = 0", "b = 64, η = 0.01, m = 0.9"]


def test_a_warmup_by_updates_within_the_last_epoch_leaves_the_rules_rate_in_the_label():
    rows = records([0.5, 0.6], batch_size=128, lr=0.005, base_lr=0.01)
    more = {"rule": "linear", "base_batch_size": 64, "warmup": "ramp", "warmup_updates": 900}
    assert legend(accuracy_figure([row | more for row in rows], "t")) == ["b = 128, η = 0.02"]
