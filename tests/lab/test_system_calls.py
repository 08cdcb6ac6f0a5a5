"""A few of the faults that `python tests/endurance.py --faults` tries one by one."""

import gzip
import queue
from types import SimpleNamespace

import pytest
from endurance import kept_files, make_data
from forks import Ended, Forks
from power_loss import PowerLosses
from system_calls import INTERRUPTED, Faults, Mirror, commands, is_whole, library, results

from minisgd.page.library import available


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("system-calls")
    built, why = library(folder)
    if built is None:
        pytest.skip(f"no system call can be made to fail: {why}")
    make_data(folder / "data")
    return folder


@pytest.fixture(scope="module")
def small(work):
    mirror = Mirror(work / "data")
    yield commands(work / "data", mirror)
    mirror.server.shutdown()
    mirror.server.server_close()


@pytest.fixture(scope="module")
def forks(work):
    made = Forks(work / "faults", work / "system_calls.c.so")
    yield made
    made.end()


@pytest.mark.parametrize(
    ("name", "kind", "share"),
    [
        ("train", "short", 0.5),
        ("train", "EINTR", 0.5),
        ("sweep", "kill -9", 0.45),
        ("page", "EIO", 0.5),
        ("figures", "kill -9", 0.9),
        ("tune", "ENOSPC", 0.8),
        ("download", "kill -9", 0.4),
    ],
)
def test_a_system_call_that_fails_costs_nothing(small, forks, name, kind, share):
    if name == "page" and not available():
        pytest.skip("the library that draws pages is not installed")
    faults = Faults(forks, small[name], forks.work / name)
    assert len(faults.calls) > 100
    places = faults.places(kind, 1)
    if kind == "EINTR":  # nothing may be seen of it in these
        places = [at for at in places if faults.calls[at - 1] in INTERRUPTED]
    assert faults.one(places[round(len(places) * share)], kind) is None
    assert not faults.missed


@pytest.mark.parametrize(("name", "step"), [("download", 19), ("train", 60)])
def test_a_power_loss_costs_nothing_that_was_told(work, small, name, step):
    built, _ = library(work, "trace.c")
    power = PowerLosses(built, name, small[name], work / f"power-{name}")
    count, losses = power.all(step)
    # A body that comes in more pieces takes more writes.
    assert power.made > 30 and count >= 6 and count % 3 == 0 and losses == []


def test_a_file_that_is_there_in_part_is_noticed(tmp_path):
    texts = {"svg": "<svg></svg>\n", "html": "<html></html>\n", "csv": "abc\n1\n", "txt": "a\n"}
    for kind, text in texts.items():
        (tmp_path / f"a.{kind}").write_text(text)
    (tmp_path / "a.png").write_bytes(b"\x89PNG IEND\xaeB`\x82")
    (tmp_path / "a.gz").write_bytes(gzip.compress(bytes(range(200))))
    kept_files(tmp_path)
    whole = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in whole} >= {".json", ".jsonl", ".npz", ".gz", ".png"}
    for path in whole:
        assert is_whole(path), path
        if path.suffix:  # that of a lock has none
            cut = path.read_bytes()[: path.stat().st_size // 2]
            for part in (cut + b"\n" if path.suffix == ".jsonl" else cut, b""):
                path.write_bytes(part)
                assert is_whole(path) == (path.suffix == ".jsonl" and part == b""), path


def test_a_figure_torn_by_a_loss_of_power_counts_before_it_is_drawn_anew(tmp_path):
    figure = tmp_path / "lost" / "out" / "figure.svg"

    class Redraws:
        def run(self, *_):
            figure.write_text("<svg></svg>\n")
            return Ended(0, "", "")

    losses = object.__new__(PowerLosses)
    losses.name, losses.disk = "train", tmp_path / "disk"
    told = lambda *_: None  # noqa: E731
    losses.command = SimpleNamespace(told_in_vain=told, given=lambda out: [], change=None)
    free = queue.SimpleQueue()
    free.put(Redraws())
    for text, wrong in (("<svg></svg>\n", None), ("<svg></s", "in part under their names")):
        figure.parent.mkdir(parents=True)
        figure.write_text("<svg></svg>\n")
        losses.uncut = results(figure.parent)
        figure.write_text(text)
        found = losses._one(free, tmp_path / "lost", "after change 1", "")
        assert found is wrong is None or wrong in found


@pytest.mark.parametrize(
    ("kind", "call", "code", "wrong"),
    [
        ("EINTR", "write", 1, "exit 1"),
        ("EINTR", "rename", 1, None),
        ("EINTR", "rename", -9, "exit -9"),
        ("short", "read", 1, "exit 1"),
        ("EIO", "write", 1, None),
        ("EIO", "write", -9, "exit -9"),
        ("kill -9", "write", -9, None),
        ("kill -9", "write", 1, "exit 1"),
        ("kill -9", None, 1, "exit 1"),
    ],
)
def test_what_a_command_may_end_with_after_a_fault(tmp_path, kind, call, code, wrong):
    class Planted:
        def run(self, given, loaded, change):
            if not loaded["FAULT_AT"]:
                return Ended(0, "", "")
            if call:
                faults.count.with_suffix(".hit").write_text(f"{call} a path\n")
            return Ended(code, "", "Error: it did not work\n")

    command = SimpleNamespace(
        goes_on=False, change=None, given=lambda out: [], told_in_vain=lambda *_: None
    )
    faults = Faults(Planted(), command, tmp_path, SimpleNamespace(calls=[call], uncut={}))
    found = faults.one(1, kind)
    assert found is wrong is None or f"): {wrong}: " in found
