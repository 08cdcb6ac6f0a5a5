"""IDX files of anybody's, mapped: as EMNIST and QMNIST name them, and larger than the memory."""

import gzip
import multiprocessing
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minisgd import load_dataset
from minisgd.data import describe, status
from minisgd.data.idx import DataError, write_idx
from minisgd.data.own_files import find_files
from minisgd.data.sharing import share, shared
from minisgd.settings import Settings
from minisgd.train import train

ROOT = Path(__file__).parents[2]
EMNIST = [
    "emnist-digits-train-images-idx3-ubyte", "emnist-digits-train-labels-idx1-ubyte",
    "emnist-digits-test-images-idx3-ubyte", "emnist-digits-test-labels-idx1-ubyte",
]  # fmt: skip
QMNIST = [
    "qmnist-train-images-idx3-ubyte", "qmnist-train-labels-idx2-int",
    "qmnist-test-images-idx3-ubyte", "qmnist-test-labels-idx2-int",
]  # fmt: skip


def arrays_of(dataset):
    return [
        getattr(s, name) for s in (dataset.train, dataset.test) for name in ("images", "labels")
    ]


@pytest.fixture
def folder(small_data, tmp_path):
    """Four files named as EMNIST's."""
    for name, array in zip(EMNIST, arrays_of(small_data), strict=True):
        write_idx(tmp_path / name, array)
    return tmp_path


def write_int(path, columns):
    head = bytes([0, 0, 12, columns.ndim]) + b"".join(n.to_bytes(4, "big") for n in columns.shape)
    path.write_bytes(head + columns.astype(">i4").tobytes())


def test_what_is_mapped_is_what_is_in_the_files(folder, small_data):
    found = load_dataset("idx", folder)
    assert all(map(np.array_equal, arrays_of(found), arrays_of(small_data)))
    assert all(isinstance(array, np.memmap) for array in arrays_of(found))
    assert str(folder) in found.source and status("idx", folder).startswith("640 + 160 images")
    described = describe(found)
    assert described[1:-1] == describe(small_data)[1:-1]
    with pytest.raises(ValueError, match="read-only"):
        found.train.images[0] = 0


@pytest.mark.skipif(sys.platform != "linux", reason="how pages come in is read as Linux tells it")
def test_pages_come_in_one_by_one_for_whoever_maps_them(folder):
    """Else every image of a file that does not fit brings 128 KiB with it."""
    found = load_dataset("idx", folder)
    again = shared(share(found, multiprocessing.get_context("spawn")))
    mappings = Path("/proc/self/smaps").read_text().split(str(folder))[1:]
    flags = [re.search("VmFlags:(.*)", mapping)[1].split() for mapping in mappings]
    assert len(flags) == 8 and all("rr" in some for some in flags)
    assert all(map(np.array_equal, arrays_of(found), arrays_of(again)))


def test_a_run_on_it_is_the_run_on_what_is_in_memory(folder, small_data):
    settings = Settings(100, epochs=1)
    ends = [next(train(settings, d))[1].w for d in (load_dataset("idx", folder), small_data)]
    assert np.array_equal(*ends)


def test_packed_files_are_the_same_set(folder, small_data):
    before = load_dataset("idx", folder).digest
    for name in EMNIST[:2]:
        (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
        (folder / name).unlink()
    found = load_dataset("idx", folder)
    assert found.digest == before and np.array_equal(found.train.images, small_data.train.images)


def test_the_digest_tells_sets_apart(folder):
    before = load_dataset("idx", folder).digest
    raw = bytearray((folder / EMNIST[2]).read_bytes())
    raw[-1] ^= 1
    (folder / EMNIST[2]).write_bytes(raw)
    assert load_dataset("idx", folder).digest != before


def test_qmnists_labels_are_the_first_of_eight_columns(tmp_path, small_data):
    images, labels, test_images, test_labels = arrays_of(small_data)
    for name, array in zip(QMNIST[::2], (images, test_images), strict=True):
        write_idx(tmp_path / name, array)
    for name, array in zip(QMNIST[1::2], (labels, test_labels), strict=True):
        write_int(tmp_path / name, np.column_stack([array, *[np.full(len(array), 99)] * 7]))
    found = load_dataset("idx", tmp_path)
    assert np.array_equal(found.train.labels, labels) and found.train.labels.dtype == np.uint8
    assert np.array_equal(found.test.labels, test_labels)


def test_qmnist_as_it_is_distributed_is_packed(tmp_path, small_data):
    images, labels, test_images, test_labels = arrays_of(small_data)
    pairs = zip(QMNIST, (images, labels, test_images, test_labels), strict=True)
    for name, array in pairs:
        if "labels" in name:
            write_int(tmp_path / name, np.column_stack([array] * 8))
        else:
            write_idx(tmp_path / name, array)
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress((tmp_path / name).read_bytes()))
        (tmp_path / name).unlink()
    found = load_dataset("idx", tmp_path)
    assert all(map(np.array_equal, arrays_of(found), arrays_of(small_data)))


def test_what_unpacks_to_too_much_is_to_be_unpacked(folder):
    head = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in (240_000, 28, 28))
    (folder / f"{EMNIST[0]}.gz").write_bytes(gzip.compress(head))
    (folder / EMNIST[0]).unlink()
    with pytest.raises(
        DataError, match=r"unpacks to 188,160,000 bytes, and at most.*gunzip emnist"
    ):
        load_dataset("idx", folder)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda f: (f / EMNIST[0]).unlink(), r"one file of train images.*there is none"),
        (lambda f: (f / f"x-{EMNIST[3]}").write_bytes(b""), r"test labels.*are all there"),
        (
            lambda f: (f / EMNIST[0]).write_bytes(b"PK\3\4"),
            r"is not an IDX file: it begins with 50 4b",
        ),
        (lambda f: (f / EMNIST[0]).write_bytes(b""), r"is not an IDX file: it is empty"),
        (
            lambda f: (f / EMNIST[0]).write_bytes((f / EMNIST[0]).read_bytes()[:-1]),
            r"holds 501,759 bytes of numbers, but \(640, 28, 28\) needs 501,760",
        ),
        (
            lambda f: (f / EMNIST[0]).write_bytes((f / EMNIST[0]).read_bytes() + b"x"),
            r"holds 501,761 bytes of numbers",
        ),
        (lambda f: write_idx(f / EMNIST[1], np.full(640, 10, np.uint8)), r"labels .* up to 10"),
        (lambda f: write_idx(f / EMNIST[1], np.zeros(639, np.uint8)), r"\(639,\)"),
        (
            lambda f: (f / EMNIST[0]).write_bytes(b"\0\0\x08\x03" + b"\xff" * 12),
            r"holds 0 bytes of numbers",
        ),
        (lambda f: (f / EMNIST[0]).write_bytes(b"\x1f\x8bxx"), r"is truncated"),
    ],
)
def test_what_is_amiss_is_said(folder, damage, said):
    damage(folder)
    with pytest.raises(DataError, match=said) as error:
        load_dataset("idx", folder)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="must hold one file of train images"):
        find_files(tmp_path / "no")


LARGE = """
import resource, sys, time
import numpy as np
from minisgd import load_dataset
from minisgd.settings import Settings
from minisgd.train import Run

data = load_dataset("idx", sys.argv[1])
assert len(data.train.labels) == 2_000_000
# Memory of one's own; what is mapped for reading does not count.
now = [int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmData")][0] << 10
resource.setrlimit(resource.RLIMIT_DATA, (now + (512 << 20),) * 2)
try:
    np.array(data.train.images)
except MemoryError:
    print("its images do not fit")

run = Run(Settings(8192), data)
for t, lr, batch in run.batches(1):
    run.update(t, lr, batch)
    if t == 12:
        assert int(batch.max()) > 1_900_000
        break
own = [l.split()[1] for l in open("/proc/self/status") if l.startswith("RssAnon")]
print("trained with", int(own[0]) >> 10, "MiB")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits and /proc are Linux's")
def test_two_million_images_are_trained_on_in_memory_that_does_not_hold_them(folder):
    N = 2_000_000
    with open(folder / EMNIST[0], "wb") as file:  # mostly a hole: it takes no room on the disk
        file.write(bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in (N, 28, 28)))
        file.truncate(16 + N * 784)
    write_idx(folder / EMNIST[1], np.arange(N, dtype=np.int64).astype(np.uint8) % 10)
    done = subprocess.run(
        [sys.executable, "-c", LARGE, folder], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    fits, trained = done.stdout.splitlines()
    assert fits == "its images do not fit"
    assert int(trained.split()[2]) < 400  # of 1,495 MiB of images
