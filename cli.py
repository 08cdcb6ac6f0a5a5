"""The program from a checkout: python cli.py COMMAND. Its commands are in minisgd/commands."""

from minisgd.__main__ import main

if __name__ == "__main__":
    main()
