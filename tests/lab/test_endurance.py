"""A handful of each of endurance.py's attacks; `python tests/endurance.py` is the long form."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import damage
import endurance
import power_loss
import pytest
import system_calls
import upgrade
from endurance import (
    faults,
    fingerprint,
    flipped_bits,
    kill_and_resume,
    make_data,
    start,
    wait_for,
)

from minisgd.errors import UserError

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills as POSIX does")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("endurance-data")
    make_data(folder)
    return folder


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds workers in /proc")
def test_a_killed_sweep_resumes_to_the_bits_of_one_that_was_not(data, tmp_path):
    counts = kill_and_resume(data, tmp_path, kills=3, log=lambda line: None)
    assert counts["kills"] == 3 and counts["losses"] == 0


@pytest.mark.parametrize(
    ("crash", "whom"),
    [
        ("echo 'Traceback (most recent call last):' >&2; exit 1", None),
        ("echo 'Error: one sentence' >&2; exit 1", None),
        ("echo 'Traceback (most recent call last):' >&2", None),
        ("sleep .6; exit 1", "worker"),
    ],
)
def test_a_resume_that_crashes_is_a_loss(tmp_path, monkeypatch, crash, whom):
    # Undisturbed, killed once, and then the crash, which later starts would hide.
    scripts = iter(["sleep .3", crash if whom else "exec sleep 60", crash, *["exit 0"] * 50])

    def planted(*_):
        return subprocess.Popen(
            ["sh", "-c", next(scripts)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, start_new_session=True,
        )  # fmt: skip

    monkeypatch.setattr(endurance, "start", planted)
    monkeypatch.setattr(endurance, "fingerprint", lambda out: "as ever")
    if whom:  # a worker alone is hit
        monkeypatch.setattr(endurance, "_kill", lambda *_: whom)
    told = []
    counts = kill_and_resume(None, tmp_path, kills=1, log=told.append)
    assert counts == {"kills": 1, "sweeps": 1, "losses": 1}
    assert told[0].startswith("LOST") and "hit: " in told[0]


def test_a_traceback_of_python_itself_counts_unless_the_parent_was_killed():
    pythons = 'Traceback\n  File "/lib/multiprocessing/spawn.py", line 130, in _main\nEOFError'
    own = f'Traceback\n  File "{endurance.ROOT / "minisgd" / "lab" / "workers.py"}", line 1'
    assert not endurance.crashed(pythons, "parent") and not endurance.crashed("", None)
    assert all(endurance.crashed(pythons, whom) for whom in ("worker", None))
    assert all(endurance.crashed(own, whom) for whom in ("parent", "worker", None))


def test_no_input_brings_down_a_reader(tmp_path):
    told = []
    counts = damage.damage(tmp_path / "damage", cases=1_500, told=told.append)
    assert not told and counts["values"] + counts["refused"] == counts["cases"] == 1_500
    assert counts["refused"] > 500
    assert counts["too_much"] == 0 and 0 < counts["peak_mb"] < damage.MOST_MB


def test_an_input_that_takes_too_much_is_named_and_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(damage, "MOST_SECONDS", -1)
    told = []
    counts = damage.damage(tmp_path, cases=3, told=told.append, only="IDX, images")
    assert counts["too_much"] == len(told) == 3
    for line in told:
        kept = re.fullmatch(r"TOO MUCH for IDX, images(\.gz)?: .* MB, .* s \((.*)\)", line)[2]
        assert Path(kept).exists()


def test_a_flipped_bit_is_never_believed(tmp_path):
    assert flipped_bits(tmp_path, cases=150) == {"flips": 450, "believed": 0}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts and limits as Linux does")
def test_a_fault_in_mid_run_ends_in_a_sentence_and_costs_nothing(data, tmp_path):
    counts, sentences = faults(data, tmp_path)
    assert counts["injected"] >= 3 and counts["losses"] == 0, "\n".join(sentences)
    left_out = [sentence for sentence in sentences if "left out" in sentence]
    if left_out:
        pytest.skip("; ".join(left_out))


def test_one_result_whatever_the_jobs_and_threads(data, tmp_path):
    found = set()
    for jobs, threads, cut in ((1, 1, False), (2, 2, True), (2, 3, False), (1, 4, True)):
        out = tmp_path / f"{jobs}-{threads}"
        more = "--jobs", str(jobs), "--threads", str(threads)
        if cut:
            process = start(data, out, *more)
            wait_for(lambda out=out: any(p.stat().st_size for p in out.glob("*/epochs.jsonl")))
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        process = start(data, out, *more)
        said = process.communicate()[1]
        assert process.returncode == 0 and ("continues after epoch" in said) == cut
        found.add(fingerprint(out))
    assert len(found) == 1


ALL = Counter({("train", "calls"): 9, ("train", "EIO"): 8, ("train", "missed"): 1})
NONE = Counter({("train", "calls"): 9, ("train", "missed"): 9})
POWER = Counter({("train", "power"): 3})


@pytest.mark.parametrize(
    ("calls", "power", "code", "told"),
    [
        ((ALL, []), (POWER, []), 0, "did not come: 1\nlosses: 0 of 11 faults"),
        ((ALL, ["a loss"]), (POWER, []), 1, "losses: 1 of 11 faults"),
        ((NONE, []), (Counter(), []), 1, "did not come: 9\nlosses: 0 of 0 faults"),
        ((ALL, []), "no compiler", 1, "no loss of power can be tried here: no compiler\n"),
        ("no compiler", (POWER, []), 1, "no system call can be made to fail here: no compiler\n"),
    ],
)
def test_faults_that_were_not_tried_are_told_and_do_not_pass(
    monkeypatch, capsys, calls, power, code, told
):
    monkeypatch.setattr(system_calls, "enumerate_faults", lambda *_, **__: calls)
    monkeypatch.setattr(power_loss, "enumerate_power", lambda *_, **__: power)
    assert endurance.every_fault(None, None, ["train"], step=1, at_once=1) == code
    printed = capsys.readouterr().out
    assert told in printed and "Counter" not in printed


def early_and_late():
    """The first commit, whose files have no checksums, and one whose runs are continued."""
    found = upgrade.commits()
    if not found:
        pytest.skip("the history of the repository is not here")
    return found[0], found[10]


def test_what_an_earlier_commit_left_is_continued_or_refused_in_a_true_sentence(data, tmp_path):
    said = []
    counts = upgrade.upgrades(data, tmp_path, said.append, only=early_and_late())
    assert counts == {
        "commits": 2, "continued": 1, "refused": 1, "tables": 8, "losses": 0, "difference": 0,
    }, said  # fmt: skip


def test_what_an_earlier_commit_left_may_not_be_refused_for_another_reason(
    data, tmp_path, monkeypatch
):
    def refuse(_):
        raise UserError("it is of an older version")

    monkeypatch.setattr(upgrade.sweep, "load_folder", refuse)
    counts = upgrade.upgrades(data, tmp_path, str, only=early_and_late()[1:])
    assert (counts["continued"], counts["refused"], counts["losses"]) == (0, 0, 1)
