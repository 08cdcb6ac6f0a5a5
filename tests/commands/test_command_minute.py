"""minute, from the outside."""

from dataclasses import replace
from pathlib import Path

import pytest
from calling import NOT_MNIST, on_glyphs

from minisgd.commands import minute


@pytest.fixture
def smaller(monkeypatch):
    """Its runs with batches that 640 images make."""
    cells = {
        words: replace(s, batch_size=min(320, s.batch_size)) for words, s in minute.runs().items()
    }
    monkeypatch.setattr(minute, "runs", lambda: cells)


def test_a_minute_trains_three_networks_and_says_what_became_of_them(call, smaller, small_mnist):
    done = call(*on_glyphs(small_mnist, "minute"))
    lines = done.stdout.splitlines()
    assert NOT_MNIST in lines
    small, linear, muon = (
        next(line for line in lines if line.startswith(w)) for w in minute.runs()
    )
    assert small.split()[-3] == "50" and linear.split()[-3:-1] == ["10", "0.05"]
    for line in (small, linear, muon):
        accuracy = line.split()[-1]
        assert f" {float(accuracy):.3f}" in " ".join(done.stdout.split())
    assert Path("runs/minute/minute.png").exists() and Path("runs/minute/minute.svg").exists()
    again = call(*on_glyphs(small_mnist, "minute"))
    assert again.stdout == done.stdout and "runs, " not in again.stderr


def test_too_few_images_for_a_minute_are_told(call, small_mnist):
    done = call(*on_glyphs(small_mnist, "minute"), code=2)
    assert "batch size 8192 is larger than the training set of 640 images" in done.stderr
