"""page, from the outside."""

from pathlib import Path

import pytest
from calling import NOT_MNIST, on_glyphs, sentence

from minisgd.page import library


def test_a_folder_without_results_is_refused(call):
    assert "holds no results: run `python cli.py figures` first" in sentence(
        call("page", code=1).stderr
    )
    assert not Path("figures").exists()


def test_the_page_is_made_of_the_figures(call, short, small_mnist):
    pytest.importorskip("vl_convert", reason="what draws the pages is not installed")
    call(*on_glyphs(small_mnist, "figures", "6", "--seeds", "1"))
    done = call("page")
    assert done.stdout.startswith("page: figures/index.html (")
    text = Path("figures/index.html").read_text("utf-8")
    assert NOT_MNIST in text and text.startswith("<!doctype html>")
    call("page")
    assert Path("figures/index.html").read_text("utf-8") == text  # the same runs, the same page


def test_without_the_library_it_says_how_to_get_it(call, short, small_mnist, monkeypatch):
    call(*on_glyphs(small_mnist, "figures", "6", "--seeds", "1"))
    monkeypatch.setattr(library, "available", lambda: False)
    library.library.cache_clear()
    refused = sentence(call("page", code=1).stderr)
    assert 'pip install -e ".[page]"' in refused
