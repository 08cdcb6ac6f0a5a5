"""The numbers of minisgd/lab/README.md. A chapter is a function of kept_files.Files."""

from page_numbers import given, listed, measured


def nothing_lost(files):
    return listed(
        given("hundred 20,000", "what the command below asks for"),
        measured("6,000", "python tests/endurance.py --kills 100 --cases 20000"),
        measured("90", "python tests/endurance.py --faults --step 3"),
    )


CHAPTERS = {
    "Nothing lost": nothing_lost,
}
NOT_YET = ()
