"""The help of the program and of its commands, and the values that their options take."""

import os
import subprocess
import sys
import types
from dataclasses import fields

import click
import pytest
from calling import PROGRAM, program, sentence

from minisgd import rules, schedules
from minisgd.commands.group import SECTIONS, cli
from minisgd.commands.options import RUN, settings_of
from minisgd.commands.types import Entry, Seeds
from minisgd.data import NAMES
from minisgd.inits import INITS
from minisgd.measures import MEASURES
from minisgd.networks import NETWORKS
from minisgd.optim import OPTIMIZERS
from minisgd.settings import Settings

NEEDS = {
    "Train": ["minute", "train", "sweep", "rates", "plot"],
    "Learn": ["exercise"],
    "The report": ["figures", "tune", "grow", "answer", "carry", "verdicts", "page"],
    "Measure": ["measure"],
    "This machine": ["doctor", "data", "gradcheck", "bench", "scaling"],
}


def test_the_help_lists_the_commands_by_need_with_one_line_each():
    done = program("--help")
    assert (done.returncode, done.stderr) == (0, "")
    sections = [section.splitlines() for section in done.stdout.split("\n\n")[-len(NEEDS) :]]
    assert [title for title, *_ in sections] == [f"{need}:" for need in NEEDS]
    columns = set()
    for (_, *lines), names in zip(sections, NEEDS.values(), strict=True):
        helps = dict(line.strip().split(maxsplit=1) for line in lines)
        assert list(helps) == names
        assert all(text.endswith(".") and "..." not in text for text in helps.values())
        columns |= {line.index(text) for line, text in zip(lines, helps.values(), strict=True)}
    assert len(columns) == 1  # the sections stand under one another


def imported(*calls):
    """Which of the heavy packages these calls of the program import."""
    script = f"""
import sys
sys.path.insert(0, {str(PROGRAM.parent)!r})
from minisgd.commands.group import cli
for args in {calls!r}:
    try:
        cli(list(args), prog_name="cli.py")
    except SystemExit as end:
        assert not end.code
print(sorted({{"numpy", "matplotlib", "cupy", "threadpoolctl"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()[-1]


def test_help_needs_nothing_heavy():
    assert imported(("--help",), ("verdicts", "--help"), ("plot", "--help")) == "[]"
    assert "matplotlib" not in imported(*((name, "--help") for name in cli.commands))


def test_every_command_is_in_one_section_and_has_a_help_of_its_own(call):
    assert [c.name for section in SECTIONS.values() for c in section] == list(cli.commands)
    for name in cli.commands:
        assert f"Usage: cli {name} " in call(name, "--help").output


def test_no_command_is_the_help_and_an_unknown_one_is_refused(call):
    assert "The report:" in call(code=2).output
    assert "swep" in sentence(call("swep", code=2).stderr)


def test_the_choices_are_those_of_the_tables(call):
    for command, table in (
        ("sweep", rules.RULES), ("sweep", schedules.WARMUPS), ("train", schedules.DECAYS),
        ("rates", OPTIMIZERS), ("sweep", NETWORKS), ("grow", INITS), ("bench", NAMES),
        ("measure", [*MEASURES, "all"]), ("grow", ["sqrt", "linear"]),
    ):  # fmt: skip
        shown = call(command, "--help").output.replace("\n", "").replace(" ", "")
        assert f"[{'|'.join(table)}]" in shown


def test_every_option_of_a_run_is_a_setting_with_its_default():
    assert set(RUN) | {"batch_size", "seed"} == {field.name for field in fields(Settings)}
    for name in ("train", "sweep", "rates"):
        given = cli.commands[name].make_context(name, []).params
        assert settings_of(**{option: given[option] for option in RUN}) == Settings()


# -- the types


@pytest.fixture
def table(monkeypatch):
    """A table that is not there before a value is converted."""
    module = types.ModuleType("a_module")
    module.TABLE = {"one": 1, "two": 2}
    monkeypatch.setitem(sys.modules, "a_module", module)
    return module.TABLE


def test_an_entry_is_looked_up_when_it_is_needed(table):
    kind = Entry("a_module", "TABLE")
    with pytest.raises(click.BadParameter):
        kind.convert("mine", None, None)
    table["mine"] = 3  # as a user's own file does
    assert kind.convert("mine", None, None) == "mine"
    option = click.Option(["--number"], type=kind)
    assert option.make_metavar(click.Context(click.Command("c"))) == "[one|two|mine]"
    assert Entry("no_such_module", "TABLE").name == "choice"  # nothing is imported yet


def test_an_entry_is_refused_in_the_words_of_a_choice(table):
    said = []
    for kind in (Entry("a_module", "TABLE"), click.Choice(["one", "two"])):
        with pytest.raises(click.BadParameter) as refused:
            kind.convert("three", None, None)
        said.append(refused.value.message)
    assert said[0] == said[1] == "'three' is not one of 'one', 'two'."


def test_an_entry_may_be_one_of_fewer_or_of_more(table):
    assert Entry("a_module", "TABLE", besides=["all"], without=["one"]).choices == ("two", "all")


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("3", (0, 1, 2)), ("3,", (3,)), ("0,1,2", (0, 1, 2)), ("5,5,1", (5, 1)), ("1", (0,))],
)
def test_seeds_are_a_count_or_a_list(text, seeds):
    assert Seeds().convert(text, None, None) == seeds


# -- how it is started and where it prints


def test_a_terminal_without_greek_gets_a_question_mark():
    command = [sys.executable, str(PROGRAM), "rates", "--epochs", "1"]
    done = subprocess.run(
        command, capture_output=True, timeout=120, env={**os.environ, "PYTHONIOENCODING": "latin-1"}
    )
    assert done.returncode == 0 and b"effective rate ?/(1-m)" in done.stdout


@pytest.mark.parametrize(
    ("program", "command"),
    [("cli.py", "python cli.py train --lr .1"), ("/x/minisgd/__main__.py",
      "python -m minisgd train --lr .1")],
)  # fmt: skip
def test_the_command_is_noted_as_one_would_type_it(monkeypatch, program, command):
    from minisgd.commands.console import command_line

    monkeypatch.setattr(sys, "argv", [program, "train", "--lr", ".1"])
    assert command_line() == command
