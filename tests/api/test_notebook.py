"""The notebook runs as it stands, and says the same kind of things as it did when it was kept."""

import json
import re
from importlib.util import find_spec

import pytest
from executing import NOTEBOOK, ROOT, executed

import minisgd

LARGEST = 300_000  # bytes


def outputs(notebook):
    """[(the kind of an output, its text)] of all cells; a figure has the text "figure"."""
    found = []
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            text = output.get("text") or data.get("text/plain", "")
            text = "figure" if "image/png" in data else "".join(text)
            if text.strip():  # a kernel may send a stream of nothing
                found.append((output["output_type"], *sorted(data), text))
    return found


def kind(output):
    """An output without what may be otherwise next time: numbers, and how a run of luck ended."""
    *what, text = output
    text = re.sub(r"ok\b|stuck \(.*?\)|diverged in .*", "STATUS", text)
    text = re.sub(r"(?<= )-(?= )|\d*\.?\d+", "#", text)
    return *what, " ".join(text.split())


def best(output, batch_size):
    """The best accuracy of a batch size in a table; 0 if its loss was never finite."""
    (row,) = re.findall(rf"(?m)^ *{batch_size} +\S+ +(\S+)", output[-1])
    return 0.0 if row == "-" else float(row)


@pytest.fixture(scope="module")
def kept():
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def now(tmp_path_factory):
    for needed in ("nbclient", "ipykernel"):
        if find_spec(needed) is None:
            pytest.skip(f"{needed}, which executes notebooks, is not installed")
    folder = tmp_path_factory.mktemp("notebook")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINISGD_DATA", str(folder / "data"))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        minisgd.load_dataset("glyphs", log=lambda line: None)  # or the notebook would draw them
        return executed(folder)


def test_its_outputs_are_kept_and_small(kept):
    assert all(cell["outputs"] for cell in kept["cells"] if cell["cell_type"] == "code")
    assert [cell["execution_count"] for cell in kept["cells"] if cell["cell_type"] == "code"] == [
        *range(1, 1 + sum(cell["cell_type"] == "code" for cell in kept["cells"]))
    ]
    assert NOTEBOOK.stat().st_size < LARGEST
    assert sum(output[-1] == "figure" for output in outputs(kept)) == 2


def test_nothing_of_the_machine_is_kept(kept):
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert str(ROOT) not in text and "/home/" not in text and "/tmp/" not in text
    assert all("stderr" not in output.get("name", "") for cell in kept["cells"]
               for output in cell.get("outputs", ()))  # fmt: skip


def test_what_it_links_to_is_there(kept):
    text = "".join("".join(cell["source"]) for cell in kept["cells"])
    links = re.findall(r"\]\(([^)#]+)", text)
    assert links and all((NOTEBOOK.parent / link).exists() for link in links)


def test_it_runs_and_says_the_same_kind_of_things(kept, now):
    assert list(map(kind, outputs(now))) == list(map(kind, outputs(kept)))


def test_what_it_concludes_is_so(kept, now):
    for notebook in (kept, now):
        one, linear, gentle = (out for out in outputs(notebook) if "best test" in out[-1])
        assert best(one, 128) > 0.9 and best(linear, 256) > 0.95 and best(gentle, 256) > 0.95
        assert best(linear, 1024) < 0.5 and best(linear, 4096) < 0.5
        assert best(gentle, 1024) > 0.85 and best(gentle, 4096) > best(linear, 4096)
