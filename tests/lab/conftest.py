"""A scheduler of distributed, for the tests of runs on other machines."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def scheduler(tmp_path):
    """(address, start a worker) of a scheduler of its own."""
    pytest.importorskip("distributed", reason="distributed is not installed")
    started = []

    def start(*arguments):
        log = open(tmp_path / f"log{len(started)}", "w")
        process = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:]],
            stdout=log, stderr=subprocess.STDOUT, start_new_session=True, cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        started.append(process)
        return process

    start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    until, address = time.monotonic() + 60, None
    while address is None:
        assert time.monotonic() < until, (tmp_path / "log0").read_text()
        address = re.search(r"tcp://127\.0\.0\.1:\d+", (tmp_path / "log0").read_text())
        time.sleep(0.1)
    address = address[0]

    def worker():
        given = "--nthreads", "1", "--no-dashboard", "--local-directory", str(tmp_path)
        return start("dask_worker", address, *given)

    yield address, worker
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
