"""A run update by update, as the measure of the curvature has looked at it: what kills 8,192?"""

from ..disk.formats import read_table
from ..measures.curvature import COLUMNS
from ..measures.curvature_shown import NAMES, by_run
from . import colours, specs
from .curves import rounded
from .html import element, join

TABLE = "measure-curvature.csv"
SHOWN = "none", 8192  # the warmup and the batch size of the run that is shown at first
_BLUE, _RED, _GREEN, _ORANGE = (colours.of_place(place) for place in range(4))
PANELS = (
    ("loss", True, {"loss": ("train loss", _BLUE, False)}),
    ("λ and 2/η", True, {
        "eigenvalue": ("λ, without kinks", _BLUE, False),
        "eigenvalue_kinks": ("λ, with kinks", _RED, False),
        "batch_sharpness": ("batch sharpness", _ORANGE, False),
        "bound": ("2(1+m)/η", colours.GREY, True)}),
    ("step", True, {"step": ("length of the step", _BLUE, False)}),
    ("dead", False, {
        "dead_conv1": ("conv1", _BLUE, False),
        "dead_conv2": ("conv2", _RED, False),
        "dead_fc": ("fc", _ORANGE, True)}),
)  # fmt: skip
# What the table under the cursor gives of an update.
READ = {
    "epoch": "epoch", "lr": "rate η", "rate_sum": "sum of the rates before", "loss": "train loss",
    "eigenvalue": "λ, without kinks", "eigenvalue_kinks": "λ, with kinks",
    "batch_sharpness": "batch sharpness", "bound": "2(1+m)/η",
    "step": "length of the step", "gradient": "length of the gradient",
    "length": "length of the weights", "dead_conv1": "dead channels of conv1",
    "dead_conv2": "dead channels of conv2", "dead_fc": "dead units of fc",
    "spread": "how far the logits of images differ",
}  # fmt: skip


def runs(folder):
    """{(warmup, batch size, seed): rows} of the measure in a folder; empty if it is not there or
    has other columns, as an older one has.
    """
    path = folder / TABLE
    if not path.exists() or path.read_bytes().splitlines()[:1] != [",".join(COLUMNS).encode()]:
        return {}
    rows = read_table(path, _cell, lambda header: None)
    return {run: looks for run, looks in by_run(rows).items() if looks}


def _cell(column, text):
    if column == "warmup":
        if text not in NAMES:
            raise ValueError(f"there is no warmup {text!r}")
        return text
    if column in ("batch_size", "seed", "update"):
        return int(text)
    return float(text) if text else None


def section(found):
    """(Html, what the script draws) of the runs that `runs` has found."""
    ordered = sorted(found, key=lambda run: (run[:2] != SHOWN, list(NAMES).index(run[0]), run[1:]))
    options = (
        element("option", f"{NAMES[warmup]}, b = {b}, seed {seed}", value=place)
        for place, (warmup, b, seed) in enumerate(ordered)
    )
    html = join([
        element("p", "Linear scaling, update by update from where the network begins to learn. "
                "A step is stable on a parabola while λ, its largest curvature, is below 2/η; a "
                "channel is dead when it gives 0 for every image. Negative values of the "
                "batch sharpness are not drawn: its line is broken there."),
        element("form", element("label", "run ", element("select", *options, id="curvature-run")),
                class_="row"),
        element("div", id="curvature-chart", class_="chart"),
        element("p",
                element("label", "update ",
                        element("output", id="curvature-shown", for_="curvature-at"),
                        for_="curvature-at"),
                element("input", type="range", id="curvature-at", min=0, max=0, value=0),
                class_="cursor"),
        element("div", id="curvature-values"),
    ])  # fmt: skip
    columns = ["update", *READ]
    drawn = {
        "spec": specs.curvature(PANELS),
        "read": READ,
        "runs": [[_thinned(row, columns) for row in found[run]] for run in ordered],
    }
    return html, drawn


def _thinned(row, columns):
    return {column: rounded(row[column]) for column in columns}
