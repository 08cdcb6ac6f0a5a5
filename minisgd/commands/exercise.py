"""exercise: a file to finish, and what is wrong with it."""

import shlex
from pathlib import Path

import click

from .console import Sentence, show
from .options import PATH
from .types import Entry


@click.command()
@click.argument(
    "name", required=False, type=Entry("minisgd.exercises", "EXERCISES"), metavar="[NAME]"
)
@click.argument("folder", required=False, type=PATH, metavar="[DIR]")
@click.option("--check", "path", type=PATH, metavar="FILE", help="Judge a file that is done.")
@click.pass_context
def exercise(ctx, name, folder, path):
    """Write an exercise to DIR, or judge one that is done.

    An exercise is a short Python file with a formula, its forward pass and a function to write.
    Without a NAME all of them are listed. What is right can be trained: train --with FILE.
    """
    from minisgd.exercises import EXERCISES

    if path is not None:
        if name:
            raise click.UsageError("--check judges a FILE: leave out NAME and DIR")
        ctx.exit(0 if judged(path) else 1)
    elif name:
        write(name, folder or Path())
    else:
        show([f"{key:<12} {entry.title}" for key, entry in EXERCISES.items()])


def write(name, folder):
    """Write the file of an exercise to a folder.

    Raises:  Sentence if it is there already
    """
    from minisgd.disk.files import make_folder, storage_errors
    from minisgd.errors import program
    from minisgd.exercises import sheet

    make_folder(folder)
    text = sheet(name).read_text("utf-8").replace("python cli.py", program()).encode()
    path = folder / sheet(name).name
    with storage_errors(path):
        try:
            with open(path, "xb") as file:
                file.write(text)
        except FileExistsError:
            raise Sentence(
                f"{path} is there already and is left as it is: move it away, or give another DIR",
                1,
            ) from None
    check = f"{program()} exercise --check {shlex.quote(str(path))}"
    click.echo(f"{path} is yours to finish; then: {check}")


def judged(path):
    """Whether an answer is right; what is wrong is said.

    Raises:  SettingError if the file cannot be read, or is of no exercise
    """
    from minisgd.errors import program
    from minisgd.exercises import EXERCISES, judging
    from minisgd.lab import own

    file = own.opened(path, "--check")
    verdict = judging.check(file)
    show(verdict.lines)
    if verdict.right:
        train = EXERCISES[judging.exercise_in(file)].train
        click.echo(f"Train with it: {program()} {train.format(shlex.quote(str(path)))}")
    return verdict.right
