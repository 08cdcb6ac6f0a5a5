"""page: everything that is kept, in one file to play with."""

import click

from .console import Sentence
from .options import options


@click.command()
@options("figures")
def page(out):
    """Make the page to play with: OUT/index.html.

    One file, which needs no server and no network: the answer and whether it carries over, every
    run that is kept, a run update by update, how many steps a batch needs, what more ranks buy,
    the claims with their numbers, and the formulas.
    """
    from minisgd.disk.files import write_aside
    from minisgd.errors import program
    from minisgd.page import project
    from minisgd.report.carry import everything

    kept, *elsewhere = everything(out).values()
    if not kept.made:
        raise Sentence(f"{out} holds no results: run `{program()} figures` first", 1)
    text = project.page(kept, *elsewhere)
    path = out / "index.html"
    write_aside(path, text)
    click.echo(f"page: {path} ({len(text) / 1e6:.1f} MB); open it in any browser")
