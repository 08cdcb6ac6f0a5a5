"""The program as a module: python -m minisgd COMMAND."""

import signal


def main():
    """Run the program. Until it is loaded, Ctrl-C ends it as it ends any program: without a word.
    From then on, see commands/console.py.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell may let it ignore
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .commands.console import forget_unprinted
    from .commands.group import cli

    try:
        cli()
    finally:
        forget_unprinted()


if __name__ == "__main__":
    main()
