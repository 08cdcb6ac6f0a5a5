"""What is kept for the next time that the same is asked."""

import json
import zlib

import pytest

from minisgd.disk.formats import (
    FORMAT,
    DamagedError,
    NewerError,
    read_json,
    read_records,
    record_line,
    remembered,
    write_json,
)


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


def test_rows_that_are_none_are_computed(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"asked": {}, "rows": 7})
    assert remembered(path, {}, lambda: [1]) == [1]


def test_json_that_lacks_what_is_asked_of_it_is_damaged(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"asked": [1], "rows": []})
    assert read_json(path, rows=list) == {"asked": [1], "rows": []}
    for kinds in ({"asked": dict}, {"makings": list}):
        with pytest.raises(DamagedError, match=rf"a\.json is damaged \(its {min(kinds)} is "):
            read_json(path, **kinds)
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    with pytest.raises(DamagedError, match=r"differs\): bring back a copy of it, or move it away$"):
        read_json(path)
    with pytest.raises(DamagedError, match=r"differs\): ask for another$"):
        read_json(path, "ask for another")


def test_json_holds_no_number_that_is_not_finite(tmp_path):
    value = {"lr": float("nan")}
    whole = value | {"crc32": zlib.crc32(json.dumps(value).encode())}
    (tmp_path / "a.json").write_text(json.dumps(whole))
    with pytest.raises(DamagedError, match="NaN is no number"):
        read_json(tmp_path / "a.json")


RECORD = dict.fromkeys(("train_loss", "train_accuracy", "test_loss", "test_accuracy"), 0.5)
RECORD |= {"epoch": 1, "lr": 0.1, "seconds": 1.0, "status": "ok"}


@pytest.mark.parametrize(
    "wrong", [{"status": 3}, {"lr": "0.1"}, {"seconds": None}, {"test_loss": 10**400}], ids=str
)
def test_a_line_that_is_no_record_of_an_epoch_is_damaged_though_its_checksum_is_right(
    tmp_path, wrong
):
    path = tmp_path / "epochs.jsonl"
    path.write_bytes(record_line(RECORD))
    assert read_records(path) == [RECORD]
    path.write_bytes(record_line(RECORD | wrong))
    assert read_records(path) == []


def test_json_of_a_version_without_checksums_is_told_as_such(tmp_path):
    (tmp_path / "sweep.json").write_text('{"settings": {}}')
    with pytest.raises(DamagedError, match=r"or of a minisgd that wrote no checksums \(it has no"):
        read_json(tmp_path / "sweep.json")
