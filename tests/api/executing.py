"""Execute the notebook; as a program, keep what it says: python tests/api/executing.py"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "figures" / "first-steps.ipynb"


def executed(folder):
    """The notebook, executed in the folder by this Python and with this minisgd.

    Raises:  nbclient.exceptions.CellExecutionError
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    NotebookClient(
        notebook, timeout=1200, kernel_name="python3", record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    ).execute(env=os.environ | {"PYTHONPATH": path})  # fmt: skip
    return notebook


if __name__ == "__main__":
    import nbformat

    with TemporaryDirectory() as folder:
        done = executed(folder)
    done.metadata["language_info"] = {"name": "python"}  # whatever the version
    nbformat.write(done, NOTEBOOK)
    print(f"{NOTEBOOK}: {NOTEBOOK.stat().st_size / 1000:.0f} kB", file=sys.stderr)
