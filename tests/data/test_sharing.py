"""A dataset in shared memory: the same bits in another process, and no copy of them."""

import multiprocessing
from dataclasses import replace
from multiprocessing import heap

import numpy as np
import pytest

from minisgd.data import Dataset, Split, load_dataset, share, shared, write_idx
from minisgd.data.idx import digest_of
from minisgd.disk.files import StorageError

SPAWN = multiprocessing.get_context("spawn")


def arrays_of(dataset):
    return [dataset.train.images, dataset.train.labels, dataset.test.images, dataset.test.labels]


def report(handle, pipe):
    """What another process sees of the dataset."""
    dataset = shared(handle)
    writeable = [array.flags.writeable for array in arrays_of(dataset)]
    pipe.send((replace(dataset, train=None, test=None), digest_of(*arrays_of(dataset)), writeable))


def test_another_process_sees_the_same_dataset(small_data):
    ours, theirs = SPAWN.Pipe()
    dataset = replace(small_data, pixels=(0.25, 0.5))
    process = SPAWN.Process(target=report, args=(share(dataset, SPAWN), theirs))
    process.start()
    seen, digest, writeable = ours.recv()
    process.join()
    assert seen == replace(dataset, train=None, test=None)  # its pixels, too
    assert seen.identity == dataset.identity != small_data.identity
    assert digest == small_data.digest and not any(writeable)


def test_the_memory_is_the_same(small_data):
    handle = share(small_data, SPAWN)
    one, two = shared(handle), shared(handle)
    assert all(map(np.shares_memory, arrays_of(one), arrays_of(two)))
    with pytest.raises(ValueError, match="read-only"):
        one.train.images[0] = 0


def test_what_is_mapped_from_files_is_not_copied(small_data, tmp_path):
    for name, array in zip(
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte",
         "test-images-idx3-ubyte", "test-labels-idx1-ubyte"),
        arrays_of(small_data), strict=True,
    ):  # fmt: skip
        write_idx(tmp_path / name, array)
    found = load_dataset("idx", tmp_path)
    handle = share(found, SPAWN)
    assert len(handle.block) == 1  # RawArray holds at least one byte
    there = shared(handle)
    assert all(map(np.array_equal, arrays_of(there), arrays_of(found)))
    assert there.digest == found.digest
    # A slice of a mapped array does not begin where the file says: it is copied.
    part = Dataset("idx", Split(found.train.images[5:], found.train.labels[5:]), found.test, "", "")
    there = shared(share(part, SPAWN))
    assert np.array_equal(there.train.images, found.train.images[5:])


def test_without_a_dev_shm_the_folder_for_temporary_files_does(small_data, monkeypatch):
    if not hasattr(heap.Arena, "_dir_candidates"):
        pytest.skip("this system has no such folder")
    monkeypatch.setattr(heap.Arena, "_dir_candidates", ["/no/such/folder"])
    there = shared(share(small_data, SPAWN))
    assert all(map(np.array_equal, arrays_of(there), arrays_of(small_data)))


def test_no_room_is_one_sentence(small_data):
    class Full:
        def RawArray(self, kind, size):
            raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match=r"cannot share .*: No space left on device; free some"):
        share(small_data, Full())
