"""Runs as the lines that the scripts draw."""

from made_up_folder import records

from minisgd.page.curves import lines
from minisgd.settings import Settings


def test_the_updates_are_those_of_the_batch_as_it_grows():
    """60,000 images are 938 batches of 64, and from the second epoch on 235 of 256."""
    fixed = Settings(64, epochs=3)
    grown = Settings(64, epochs=3, batch_schedule="x4@2")
    for settings, updates in ((fixed, [938, 1876, 2814]), (grown, [938, 1173, 1408])):
        (line,) = lines([(settings, records(settings, 0.9))], 60_000)
        assert line["updates"] == updates
        (line,) = lines([(settings, records(settings, 0.9))])
        assert line["updates"] is None
