"""IDX files: the same bytes every time, and no bytes that do harm when they are read."""

import errno
import gzip
import io
import os
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_sets import DIGITS, unpacked

from minisgd.data import DataError, idx, read_idx, write_idx
from minisgd.data.idx import map_idx
from minisgd.disk.files import StorageError


@pytest.mark.parametrize("name", ["plain", "packed.gz"])
@pytest.mark.parametrize("shape", [(7,), (2, 3), (3, 28, 28), (2, 1, 3, 4)])
def test_idx_round_trip_in_the_same_bytes(tmp_path, name, shape):
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    write_idx(tmp_path / name, array)
    first = (tmp_path / name).read_bytes()
    write_idx(tmp_path / name, array)
    assert (tmp_path / name).read_bytes() == first
    if name == "packed.gz":
        assert first[3:8] == bytes(5)  # neither a name nor a time in gzip's header
    assert (first if name == "plain" else gzip.decompress(first)) == unpacked(array)
    np.testing.assert_array_equal(read_idx(tmp_path / name), array)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_write_idx_takes_bytes_only_and_leaves_nothing_when_it_fails(tmp_path, monkeypatch):
    with pytest.raises(TypeError, match="uint8, got float64"):
        write_idx(tmp_path / "x", np.zeros(3))

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space"):
        write_idx(tmp_path / "x", DIGITS[1])
    assert list(tmp_path.iterdir()) == []


GOOD = unpacked(DIGITS[3])  # 4 + 4 + 10 bytes
PACKED = gzip.compress(GOOD, mtime=0)  # it names tests: every process must name them alike


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "it is empty"),
        (b"\0\0\x08", "not an IDX file"),
        (b"\x89PNG\r\n", "it begins with 89 50 4e 47"),
        (b"\0\0\x0d\x01" + GOOD[4:], "not an IDX file of bytes"),
        (b"\0\0\x08\x00", "not an IDX file"),
        (b"\0\0\x08\xff", "not an IDX file"),
        (GOOD[:6], "truncated: it ends in its header"),
        (GOOD[:-1], "is truncated: its header, (10,), promises 10 bytes"),
        (GOOD + b"x", "is too long"),
        (b"\0\0\x08\x01\xff\xff\xff\xff" + bytes(8), "claims the dimensions"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "claims the dimensions"),
        (b"\0\0\x08\x03" + bytes(4) + b"\xff" * 8, "claims the dimensions"),
        (PACKED[:-3], "is truncated"),
        (PACKED[:5], "is truncated"),
        (gzip.compress(GOOD + b"x", mtime=0), "is too long"),
        (PACKED + b"rubbish", "cannot be read"),
        (PACKED[:-8] + bytes(8), "cannot be read"),
        (b"\x1f\x8b\x08\0" + bytes(6) + b"\xff" * 30, "cannot be read"),
    ],
)
def test_a_foreign_file_is_a_data_error_naming_the_path(tmp_path, content, complaint):
    path = tmp_path / "some-idx"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_idx(path)
    assert str(path) in str(error.value) and complaint in str(error.value)


def test_a_folder_or_nothing_is_a_data_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path, tmp_path / "none", tmp_path / "file" / "below", tmp_path / "a\0b"):
        with pytest.raises(DataError):
            read_idx(path)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.EMFILE])
def test_a_file_that_the_system_does_not_read_is_not_called_damaged(tmp_path, monkeypatch, code):
    def refused(*_):
        raise OSError(code, os.strerror(code))

    path = tmp_path / "x"
    write_idx(path, DIGITS[1])
    monkeypatch.setattr(idx, "open", refused, raising=False)
    for reads in (read_idx, map_idx):
        with pytest.raises(StorageError, match=rf"^cannot read {path}: {os.strerror(code)}$"):
            reads(path)


def test_a_lack_of_memory_is_no_damage(tmp_path, monkeypatch):
    def full(*_):
        raise MemoryError

    write_idx(tmp_path / "x", DIGITS[1])
    monkeypatch.setattr(idx, "_shape", full)
    with pytest.raises(MemoryError):
        read_idx(tmp_path / "x")


@pytest.mark.parametrize("promised", [10, 1 << 31])
def test_a_small_file_does_not_unpack_to_gigabytes(tmp_path, promised):
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb") as out:
        out.write(b"\0\0\x08\x01" + promised.to_bytes(4, "big"))
        for _ in range(64):
            out.write(bytes(1 << 20))
    path = tmp_path / "bomb.gz"
    path.write_bytes(bomb.getvalue())
    tracemalloc.start()
    try:
        with pytest.raises(DataError):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("packed", [False, True])
def test_a_promise_alone_takes_no_memory(tmp_path, packed):
    content = b"\0\0\x08\x01" + (1 << 27).to_bytes(4, "big") + bytes(9)
    path = tmp_path / "promise"
    path.write_bytes(gzip.compress(content) if packed else content)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="is truncated"):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()


SEEDS = [GOOD, PACKED, PACKED * 2, unpacked(DIGITS[0][:1])]


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.sampled_from(SEEDS),
    changes=st.lists(st.tuples(st.integers(0, 40), st.binary(max_size=4)), max_size=4),
    keep=st.integers(0, 1000),
)
def test_no_bytes_raise_anything_but_a_data_error(tmp_path, content, changes, keep):
    content = bytearray(content)
    for at, piece in changes:
        content[at : at + len(piece)] = piece
    path = tmp_path / "mutant"
    path.write_bytes(content[:keep])
    try:
        array = read_idx(path)
    except DataError as error:
        assert str(path) in str(error)
    else:
        assert array.dtype == np.uint8 and 0 < array.size <= idx.MOST_BYTES
