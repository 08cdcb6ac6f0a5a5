"""Streams that are closed or full, signals, odd names: a sentence and the right exit code."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from calling import PROGRAM, epochs_of, sentence, small, sweep_of
from test_ctrl_c import ended_by

from minisgd.commands import console
from minisgd.commands.group import sentence_of
from minisgd.page.library import available

# Spaces, quotes, two lines, a pattern of the shell, and bytes that are no text.
ODD = os.fsdecode(b" 'a\" \n[a-b]*{1} caf\xe9 ") if sys.platform.startswith("linux") else " a 'b\" "

pytestmark = pytest.mark.skipif(os.name == "nt", reason="closes, fills and signals as POSIX does")


def shell(line, *args, **keywords):
    """Run a command, `"$@"` in a line of the shell."""
    command = ["sh", "-c", line, "sh", sys.executable, PROGRAM, *args]
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=300, **keywords
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_one_that_nobody_reads(closed):
    ended = shell(f'"$@" {closed}', "rates", "--epochs", "2")
    assert ended.returncode == 0 and ended.stderr == ""
    assert (ended.stdout == "") == (">&-" in closed.replace("2>&-", ""))


def test_results_are_whole_though_all_streams_are_closed(small_mnist, tmp_path):
    """The first files that are opened must not take the numbers of the streams."""
    out = tmp_path / ODD
    ended = shell('"$@" <&- >&- 2>&-', *sweep_of(small_mnist, out, "--jobs", "2"))
    assert ended.returncode == 0
    assert (out / "table.txt").read_text().count(" ok\n") == 2


def test_a_wrong_command_keeps_its_exit_code_without_stderr():
    for redirected in ("2>&-", "2>/dev/full")[: 1 + Path("/dev/full").exists()]:
        assert shell(f'"$@" {redirected}', "rates", "--epochs", "0").returncode == 2
        assert shell(f'"$@" {redirected}').returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("args", [["--help"], ["rates"], ["rates", "--help"]])
def test_a_result_that_cannot_be_printed_is_an_error_of_one_sentence(args):
    ended = shell('"$@" >/dev/full', *args)
    assert ended.returncode == 1
    assert "No space left on device: standard output" in sentence(ended.stderr)


def test_a_file_that_may_not_grow_is_told_as_a_full_disk_is(tmp_path):
    ended = shell('ulimit -f 0; "$@" >out', "rates", cwd=tmp_path)
    assert ended.returncode == 1
    assert "File too large: standard output" in sentence(ended.stderr)


@pytest.mark.parametrize("args", [["--help"], ["rates"]])
def test_a_stdout_that_is_open_to_be_read_is_told_as_a_full_disk_is(args):
    ended = shell('"$@" 1</dev/null', *args)
    assert ended.returncode == 1
    assert sentence(ended.stderr) == "Error: Bad file descriptor: standard output"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_what_was_measured_is_kept_though_it_cannot_be_printed(small_mnist, tmp_path):
    kept = tmp_path / "bench.json"
    bench = "bench", "--batch-sizes", "320", "--rounds", "1", "--dataset", "glyphs"
    ended = shell('"$@" >/dev/full', *bench, "--data-dir", small_mnist, "--json", kept)
    assert ended.returncode == 1
    assert "No space left on device: standard output" in ended.stderr.splitlines()[-1]
    assert json.loads(kept.read_text())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_run_and_a_sweep_are_whole_though_nothing_can_be_printed(small_mnist, tmp_path):
    run, out = tmp_path / "run", tmp_path / "sweep"
    args = small(small_mnist, "train", "--batch-size", "320", "--epochs", "3", "--out", run)
    for command, shows in ((args, run), (sweep_of(small_mnist, out, "--jobs", "2"), out)):
        ended = shell('"$@" >/dev/full', *command)
        assert ended.returncode == 1
        last = ended.stderr.splitlines()[-1]
        assert last == "Error: No space left on device: standard output"
        assert (shows / "table.txt").exists() and (shows / "accuracy.png").exists()
    assert [lines.count(b"\n") for lines in epochs_of(run).values()] == [3]
    if available():
        page = (out / "index.html").read_text("utf-8")
        assert "4 of 4 epochs" in page and "It was stopped" not in page


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_search_and_a_growth_are_whole_though_nothing_can_be_printed(small_mnist, tmp_path):
    short = "--epochs", "1", "--held-out", "160", "--runs", tmp_path, "--out", tmp_path, "--jobs", 1
    for name, args in {
        "tune": ("tune", "--batch-size", "160", "--lrs", ".01,.05", "--seeds", "1"),
        "tune-sgd-b160": ("tune", "--batch-size", "160", "--search", "lr=.01:.3", "--trials", "2",
                          "--halvings", "0", "--momentum", "0"),
        "grow": ("grow", "--batch-size", "160", "--largest", "320", "--seeds", "1"),
    }.items():  # fmt: skip
        ended = shell('"$@" >/dev/full', *small(small_mnist, *args, *short))
        assert ended.returncode == 1
        last = ended.stderr.splitlines()[-1]
        assert last == "Error: No space left on device: standard output"
        assert (tmp_path / f"{name}.png").exists() and (tmp_path / f"{name}.csv").exists()


def test_a_run_whose_reader_has_gone_stops_and_says_what_is_kept(small_mnist, tmp_path):
    args = small(small_mnist, "train", "--batch-size", "64", "--epochs", "400", "--out", tmp_path)
    ended = shell('"$@" | head -1', *args)
    (lines,) = epochs_of(tmp_path).values()
    assert 1 <= lines.count(b"\n") < 400
    assert f" kept in {tmp_path}; the same command goes on" in ended.stderr.splitlines()[-1]


def test_a_growth_whose_reader_has_gone_says_where_its_runs_are(small_mnist, tmp_path):
    args = "grow", "--batch-size", "160", "--largest", "320", "--seeds", "1", "--epochs", "1"
    folders = "--held-out", "160", "--runs", tmp_path, "--out", tmp_path, "--jobs", "1"
    ended = shell('"$@" | true', *small(small_mnist, *args, *folders))
    assert f"Stopped. What is trained is kept in {tmp_path}" in ended.stderr.splitlines()[-1]


def test_what_one_command_could_not_print_is_not_told_by_the_next(call):
    console.unprinted.append(OSError(28, "No space left on device"))
    assert call("rates", "--epochs", "1").stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_sweep_goes_on_though_its_progress_cannot_be_printed(small_mnist, tmp_path):
    ended = shell('"$@" 2>/dev/full', *sweep_of(small_mnist, tmp_path / "out", "--jobs", "2"))
    assert ended.returncode == 0 and ended.stdout.count(" ok\n") == 2


@pytest.mark.parametrize("hangup", [signal.SIG_IGN, signal.SIG_DFL], ids=["ignored", "heard"])
def test_a_sweep_whose_terminal_is_closed_heeds_the_hangup_alone(small_mnist, tmp_path, hangup):
    """Under nohup it goes on; otherwise the signal ends it, not the bar that cannot be drawn."""
    heard = hangup is signal.SIG_DFL
    more = ("--jobs", "2", "--epochs", "400") if heard else ("--jobs", "2")
    command = sys.executable, PROGRAM, *sweep_of(small_mnist, tmp_path / "out", *more)
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=theirs, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, hangup),
    )  # fmt: skip
    os.close(theirs)
    said = b""
    while b"epochs" not in said:  # the bar
        said += os.read(ours, 1000)
    os.close(ours)
    process.send_signal(signal.SIGHUP)
    shown = process.communicate(timeout=60)[0]
    assert (process.returncode, shown.count(" ok\n")) == ((129, 0) if heard else (0, 2))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("name", "command"), [("SIGTERM", "train"), ("SIGHUP", "sweep"), ("SIGTERM", "tune")]
)
def test_a_signal_ends_a_command_as_ctrl_c_does(small_mnist, tmp_path, name, command):
    out = tmp_path / "out"
    many = ("--epochs", "4000")
    args = {
        "train": small(small_mnist, "train", "--batch-size", "160", *many, "--out", out),
        "sweep": sweep_of(small_mnist, out, *many, "--jobs", "2"),
        "tune": small(small_mnist, "tune", "--batch-size", "160", *many, "--held-out", "160",
                      "--lrs", ".01,.05", "--seeds", "1", "--runs", out, "--out", tmp_path / "fig",
                      "--jobs", "2"),
    }[command]  # fmt: skip
    code, said = ended_by(os.kill, getattr(signal, name), args, out)
    assert code == 128 + getattr(signal, name) and "Traceback" not in said
    epochs = sum(path.read_bytes().count(b"\n") for path in out.rglob("epochs.jsonl"))
    assert f"Stopped. {'1 whole epoch is' if epochs == 1 else f'{epochs} whole epochs are'}" in said


SWALLOWS = """
from minisgd.optim import Optimizer

def step(w, g, memory, lr, t, settings, shapes):
    try:
        for _ in range(100):
            w -= lr / 100 * g
    except BaseException:
        pass

OPTIMIZERS = {"swallows": Optimizer(step)}
"""


def test_a_signal_that_code_of_the_user_swallows_counts_when_it_is_sent_again(
    small_mnist, tmp_path
):
    (tmp_path / "mine.py").write_text(SWALLOWS)
    own = "--with", tmp_path / "mine.py", "--optimizer", "swallows"
    many = "--batch-size", "160", "--epochs", "4000", "--out", tmp_path / "out"
    args = small(small_mnist, "train", *own, *many)

    def again_and_again(number, name):
        for _ in range(100):
            try:
                os.kill(number, name)
            except ProcessLookupError:
                return
            if os.waitid(os.P_PID, number, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                return
            time.sleep(0.4)  # those within a second after the first do not count

    code, said = ended_by(again_and_again, signal.SIGTERM, args, tmp_path / "out")
    # The last one may come when Python itself is about to end; a shell sees 143 all the same.
    assert code in (128 + signal.SIGTERM, -signal.SIGTERM) and "Stopped. " in said


def test_of_signals_within_a_second_the_first_alone_counts(monkeypatch):
    now = 100.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now)

    def interrupted():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.1)
        except KeyboardInterrupt as error:
            return error.args == (signal.SIGTERM,)
        return False

    with console.signals_as_ctrl_c():
        assert interrupted()
        now = 100.5
        assert not interrupted()
        now = 101.2  # the one that did not count puts off nothing
        assert interrupted()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


SWALLOWED = """
import os, signal, sys, time, weakref
from minisgd.commands.console import signals_as_ctrl_c

def callback(_):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.1)

def fails(_):
    raise ValueError("as ever")

with signals_as_ctrl_c():
    thing = {1}
    kept = weakref.ref(thing, callback), weakref.ref(thing, fails)
    try:
        del thing
        time.sleep(60)
    except KeyboardInterrupt as error:
        print(error.args[0] == signal.SIGTERM)
print(sys.unraisablehook is sys.__unraisablehook__)
"""


def test_a_signal_that_python_swallows_is_sent_again():
    """What a weak reference calls cannot raise anything."""
    ended = subprocess.run(
        [sys.executable, "-c", SWALLOWED], capture_output=True, text=True, timeout=30,
        cwd=PROGRAM.parent,
    )  # fmt: skip
    assert ended.stdout == "True\nTrue\n"
    assert "ValueError: as ever" in ended.stderr and "KeyboardInterrupt" not in ended.stderr


def test_nohup_keeps_a_hangup_from_ending_it():
    """A signal that the starter ignores stays ignored."""
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    ended = shell('"$@" & sleep .5; kill -HUP $!; wait $!', "rates", preexec_fn=ignore)
    assert ended.returncode == 0 and "updates in all" in ended.stdout


@pytest.mark.parametrize("name", [ODD, "n" * 255, "-o"], ids=["odd", "long", "like an option"])
def test_a_folder_may_have_any_name(call, small_mnist, tmp_path, name):
    (tmp_path / name).mkdir()
    args = small(small_mnist, "train", "--batch-size", "320", "--epochs", "1", "--out", name)
    assert "1 of 1 runs" not in call(*args).stderr
    assert "1 of 1 runs were finished before" in call(*args).stderr
    assert len(epochs_of(tmp_path / name)) == 1


def test_a_bare_environment_and_few_file_handles_suffice(small_mnist, tmp_path):
    """No HOME, no TMPDIR, no PATH; and a limit that is a sixteenth of the usual one."""
    args = ("train", "--batch-size", "320", "--epochs", "1", "--out", tmp_path / "out")
    ended = shell('ulimit -n 64; exec env -i "$@"', *small(small_mnist, *args))
    assert ended.returncode == 0 and "Traceback" not in ended.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts Linux's file handles")
def test_too_few_file_handles_are_told_in_one_sentence(small_mnist, tmp_path):
    ended = shell('ulimit -n 16; "$@"', *sweep_of(small_mnist, tmp_path / "out", "--jobs", "2"))
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    told = ended.stderr.splitlines()[-1]
    assert told == "Error: Too many open files; give fewer --jobs, or raise `ulimit -n`"


def test_too_few_processes_are_told_in_one_sentence(call, small_mnist, monkeypatch, no_thread):
    def none(process):
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr("minisgd.lab.workers._start", none)
    told = call(*sweep_of(small_mnist, "out", "--jobs", "2"), code=1).stderr.splitlines()[-1]
    words = os.strerror(errno.EAGAIN)
    assert told == f"Error: {words}; give fewer --jobs, or raise `ulimit -u`"
    told = sentence_of(BlockingIOError(errno.EAGAIN, "write could not complete without blocking"))
    assert told.message == "write could not complete without blocking"
    with pytest.raises(RuntimeError) as error:
        threading.Thread().start()
    assert sentence_of(error.value).message.endswith("--threads, or raise `ulimit -u`")


def test_a_sweep_needs_neither_tmpdir_nor_dev_shm(small_mnist, tmp_path):
    hidden = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o ro none /dev/shm && "$@"', "sh"]
    try:
        may = not subprocess.run([*hidden, "true"], capture_output=True).returncode
    except OSError:
        may = False
    command = [*hidden * may, sys.executable, PROGRAM]
    args = sweep_of(small_mnist, tmp_path / "out", "--jobs", "2")
    ended = subprocess.run(
        [str(part) for part in (*command, *args)], capture_output=True, text=True, timeout=300,
        env=os.environ | {"TMPDIR": str(tmp_path / "none")},
    )  # fmt: skip
    assert ended.returncode == 0 and ended.stdout.count(" ok\n") == 2, ended.stderr
    if not may:
        pytest.skip("no /dev/shm can be hidden here; without TMPDIR it went well")
