"""The program from a checkout: python cli.py COMMAND. Its commands are in minisgd/commands."""

from minisgd.commands.group import cli

if __name__ == "__main__":
    cli()
