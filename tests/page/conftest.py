"""Folders to make pages of, and a browser to look at them with."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "report"))  # the made-up runs


@pytest.fixture(scope="session")
def figures(tmp_path_factory, small_data):
    """A folder with runs of the report and of the answer, and with tables of measures."""
    pytest.importorskip("vl_convert", reason="what draws the pages is not installed")
    import made_up_folder as made_up

    folder = tmp_path_factory.mktemp("figures")
    made_up.keep_report(folder)
    made_up.keep_answer(folder)
    made_up.keep_elsewhere(folder)
    made_up.keep_curvature(folder, small_data)
    made_up.keep_steps(folder)
    return folder


@pytest.fixture(scope="session")
def browser():
    from looking import start, why_not

    if reason := why_not():
        pytest.skip(reason)
    found = start()
    yield found
    found.quit()


@pytest.fixture
def look(browser):
    """Look at a page; at the end, its console was silent and it asked for nothing but itself."""
    from looking import Looked, requests

    opened = set()

    def look(path, *args, **keywords):
        opened.add(path.as_uri())
        return Looked(browser, path, *args, **keywords)

    browser.get("about:blank")
    browser.get_log("browser")
    requests(browser)
    yield look
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    assert {url.split("?")[0].split("#")[0] for url in requests(browser)} <= opened


@pytest.fixture(scope="session")
def project(figures):
    """The page of the made-up folder."""
    from minisgd.page.project import page
    from minisgd.report.carry import everything

    path = figures / "index.html"
    path.write_bytes(page(*everything(figures).values()))
    return path
