"""What the commands of the report leave in the folder of the figures.

<name>.csv           every number
<name>.json          what was asked, and how the answer was made: command, commit, versions, machine
<name>.png and .svg  the figure
"""

from pathlib import Path
from textwrap import wrap

from .. import drawing
from ..disk.files import locked, make_folder
from ..disk.formats import read_json, write_json
from ..errors import SettingError
from ..lab import facts
from ..settings import DEFAULTS


def prepare_folder(folder):
    """Make the folder of the figures, and find out whether it can be written before hours of work
    are to be written there.

    Raises:  StorageError; BusyError
    """
    make_folder(folder)
    with locked(folder, wait=60.0):
        pass


def refuse_another_question(folder, name, asked):
    """Make sure that an answer does not overwrite the answer to another question.

    asked    {what is asked: value}, as the JSON of this name stores it. A setting that is missing
             from an older file had its default there

    Raises:  SettingError, naming what differs
    """
    path = Path(folder) / f"{name}.json"
    known = read_json(path, asked=dict)
    if known is None:
        return
    before = DEFAULTS | known["asked"]
    differs = [
        "the file given by --with" if key == "own" else key
        for key, value in asked.items()
        if before.get(key) != value
    ]
    if differs:
        raise SettingError(
            f"{path} is the answer to another question (it differs in {', '.join(differs)}): "
            "give another --out"
        )


def how_made(command):
    """What the JSON beside a figure records of how it was made: the command and where it ran."""
    return {
        "command": command,
        "commit": facts.commit(),
        "versions": facts.versions(),
        "machine": facts.machine(),
    }


def note_on(dataset_name):
    """The line under a title that warns that the data are not MNIST; None if they are."""
    if dataset_name == "glyphs":
        return "NOT MNIST: the built-in digits drawn from fonts (glyphs)"
    return None if dataset_name == "mnist" else f"NOT MNIST: {dataset_name}"


def page(title, note=None, table=(), text=""):
    """The lines in which a result is printed: its title, its note, its table and its text."""
    lines = ["", title, *([note] if note else []), ""]
    if table:
        lines += [*table, ""]
    if text:
        lines += [*wrap(text, 100), ""]
    return lines


def publish(folder, name, figure, rows_are, made=None, write_csv=None, csv=None):
    """Write a figure, its table and how they were made; each file is replaced whole.

    rows_are     what a row of the table is, for the sentence: "every epoch"
    made         what the JSON holds; None if it was written before
    write_csv    a function that writes the table to a path; None if it was written before
    csv          the name of the table, if it is not that of the figure

    Returns: the sentence that says where the files are
    Raises:  StorageError if the folder cannot be written; BusyError
    """
    make_folder(folder)  # again: it may be gone since it was checked
    folder = Path(folder)
    table = folder / f"{csv or name}.csv"
    with locked(folder, wait=60.0):  # else who takes the lock deletes what is written aside here
        if write_csv:
            write_csv(table)
        if made:
            write_json(folder / f"{name}.json", made)
        png, svg = drawing.save(figure, folder, name)
    return f"figure: {png} and {svg.name}; {rows_are}: {table}"
