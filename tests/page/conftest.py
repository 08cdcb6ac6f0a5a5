"""Folders to make pages of, and a browser to look at them with."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "report"))  # the made-up runs


@pytest.fixture(scope="session")
def figures(tmp_path_factory, small_data):
    """A folder with runs of the report and of the answer, and with the table of the curvature."""
    pytest.importorskip("vl_convert", reason="what draws the pages is not installed")
    import made_up_folder as made_up

    folder = tmp_path_factory.mktemp("figures")
    made_up.keep_report(folder)
    made_up.keep_answer(folder)
    made_up.keep_curvature(folder, small_data)
    return folder
