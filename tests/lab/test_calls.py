"""Functions of a dataset, called in processes that share it."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from minisgd.errors import UserError
from minisgd.lab.calls import calls


def images_and_process(dataset, more):
    return int(dataset.train.images.sum()) + more, os.getpid()


def fails(dataset):
    raise UserError("a sentence")


def dies(dataset):
    os.kill(os.getpid(), signal.SIGKILL)


def test_one_job_is_made_here(small_data):
    with calls(small_data, 1) as call:
        assert call(images_and_process, 1)[1] == os.getpid()


def test_two_jobs_are_made_in_processes_that_have_the_dataset(small_data):
    expected = images_and_process(small_data, 5)[0]
    with ThreadPoolExecutor(2) as threads, calls(small_data, 2) as call:
        found = list(threads.map(lambda k: call(images_and_process, k), [5, 5, 5]))
        assert {total for total, _ in found} == {expected}
        assert os.getpid() not in {process for _, process in found}
        with pytest.raises(UserError, match="a sentence"):
            call(fails)


def test_no_place_for_its_locks_is_told_in_a_sentence(small_data, monkeypatch):
    def none(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("minisgd.lab.calls.ProcessPoolExecutor", none)
    with (
        pytest.raises(UserError, match=r"\(Read-only file system: is there a /dev/shm "),
        calls(small_data, 2),
    ):
        pass


def test_a_process_that_is_killed_is_told_in_a_sentence(small_data):
    with (
        pytest.raises(UserError, match="a process was killed at its work"),
        calls(small_data, 2) as call,
    ):
        call(dies)
