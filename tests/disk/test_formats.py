"""What is kept for the next time that the same is asked."""

import pytest

from minisgd.disk.formats import FORMAT, NewerError, read_json, remembered, write_json


def no_more():
    raise AssertionError("it is kept, and should not be computed")


def test_rows_are_computed_once_for_the_same_question(tmp_path):
    path, asked = tmp_path / "runs" / "none-1024-0.json", {"window": (1.0, 6.0), "probe": 256}
    rows = [{"update": 0, "lr": 0.1, "exit": None}]
    assert remembered(path, asked, lambda: rows) == rows
    assert remembered(path, dict(asked), no_more) == rows
    other = [{"update": 1, "lr": 0.2, "exit": 3}]
    assert remembered(path, asked | {"probe": 128}, lambda: other) == other
    assert remembered(path, asked | {"probe": 128}, no_more) == other


def test_a_damaged_file_is_made_again(tmp_path):
    path = tmp_path / "a.json"
    remembered(path, {}, lambda: [1])
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    assert remembered(path, {}, lambda: [3]) == remembered(path, {}, no_more) == [3]


def test_a_file_of_a_later_format_is_left_alone(tmp_path):
    path = tmp_path / "a.json"
    remembered(path, {}, lambda: [1])
    write_json(path, read_json(path) | {"format": FORMAT + 1})
    before = path.read_bytes()
    with pytest.raises(NewerError, match="written by a newer minisgd"):
        remembered(path, {}, no_more)
    assert path.read_bytes() == before
