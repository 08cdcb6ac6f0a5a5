"""The program as a module: python -m minisgd COMMAND."""

from .commands.group import cli

if __name__ == "__main__":
    cli()
