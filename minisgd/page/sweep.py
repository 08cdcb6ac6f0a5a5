"""The page of a sweep. While the sweep runs, it is written again after an epoch, and a reader's
browser renews what it shows; when the sweep is over, it stands still.
"""

import time

from ..lab.run_folder import is_last
from ..report import summary
from . import curves, explorer, html
from .html import Html, element, join

PATIENCE = 120, 600, 1e9  # seconds: at least, before the first epoch of all, and at most
SLOW = 5  # times the longest epoch


def page(title, note, collected, command, going_on=None, pause=0):
    """The page as bytes.

    collected   (settings, records, failure) of every run, as lab.sweep.collect gives them
    command     that the sweep was started with
    going_on    seconds left of a sweep that runs, 0 if unknown; None if it is over or was stopped
    pause       seconds that are let pass before the page is written again
    Raises:     UserError if the library that draws is not installed
    """
    running = going_on is not None
    lines = curves.lines([(settings, records) for settings, records, _ in collected])
    head, *rows = summary.rows(collected, running)
    sections = {
        "now": ("How far it is" if running else "How it ended", _state(collected, going_on)),
        "outcome": ("Every batch size", html.table(head, rows, "test accuracies")),
        "explorer": ("The curves", explorer.controls(lines)),
    }
    body = join([
        *([element("p", note, class_="note")] if note else []),
        *(html.section(name, head, part) for name, (head, part) in sections.items()),
        element("p", "made by ", element("code", command)),
    ])  # fmt: skip
    data = {"explorer": explorer.data(lines), "live": _live(collected, pause) if running else None}
    return html.page(title, body, data, ["choices", "explorer", "live"], itself=True)


def _live(collected, pause):
    """When the page was written, and after how many seconds without news it says so."""
    seconds = [record["seconds"] for _, records, _ in collected for record in records]
    least, at_first, most = PATIENCE
    patience = max(least, SLOW * max(seconds)) if seconds else at_first
    return {"written": round(time.time(), 1), "patience": round(min(patience + pause, most))}


def _state(collected, going_on):
    """How many runs and epochs are done, how long it will take, and what is amiss."""
    over = [bool(records) and is_last(records[-1], s) for s, records, _ in collected]
    total = sum(s.epochs for s, _, _ in collected)
    done = sum(
        settings.epochs if whole else len(records)
        for whole, (settings, records, _) in zip(over, collected, strict=True)
    )
    said = f"{sum(over)} of {len(over)} runs are over, {done} of {total} epochs are done"
    if going_on:
        said += f"; about {_about(going_on)} left"
    elif going_on is None and done < total:
        said += ". It was stopped: the same command goes on from there"
    amiss = list(_amiss(collected))
    return join([
        element("p", said + "."),
        element("progress", Html(""), max=total, value=done, aria_label="epochs"),
        element("p", id="silence", role="status"),
        *([element("h3", "Stuck, diverged or failed"),
           element("ul", *(element("li", line) for line in amiss))] if amiss else []),
    ])  # fmt: skip


def _amiss(collected):
    for settings, records, failure in collected:
        state = f"failed: {failure}" if failure else summary.status_of(records) if records else "ok"
        if state != "ok":
            yield f"b = {settings.batch_size}, seed {settings.seed}: {state}"


def _about(seconds):
    """A time in words."""
    if seconds < 90:
        return f"{max(2, round(seconds))} seconds"
    if seconds < 5400:
        return f"{round(seconds / 60)} minutes"
    return f"{seconds / 3600:.1f} hours"
