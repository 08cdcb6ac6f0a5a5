"""Sec. IV: which runs survive, as a table, as a figure and in words."""

from statistics import median

from ..drawing import rows_figure
from .common import columned
from .following import DEAD

HEADS = (
    "b", "what is different", "epochs", "learnt", "accuracy", "exit at Σ", "thrown: never", "once",
    "more", "learnt of those", "thrown at other thresholds", "longest step", "dead conv1", "conv2",
    "fc", "diverged",
)  # fmt: skip


def file_name(kind):
    """A kind of run as the name of a file: "η/16 to a sum" -> "η-16-to-a-sum"."""
    return "".join(c if c.isalnum() or c == "." else "-" for c in kind)


def groups(rows):
    """{(batch size, kind): rows}, by batch size."""
    found = {}
    for row in sorted(rows, key=lambda row: row["batch_size"]):  # stable
        found.setdefault((row["batch_size"], row["kind"]), []).append(row)
    return found


def table(rows, learnt):
    lines = []
    for (b, kind), runs in groups(rows).items():
        has_learnt = [run["accuracy"] >= learnt for run in runs]
        thrown = [run["thrown"] for run in runs]
        exits = [run["exit_rate_sum"] for run in runs if run["exit_rate_sum"] is not None]
        again = [yes for yes, times in zip(has_learnt, thrown, strict=True) if times]
        others = (sum(run[name] > 0 for run in runs) for name in ("thrown_low", "thrown_high"))
        lines.append(
            [
                b, kind, runs[0]["epochs"], f"{sum(has_learnt)} of {len(runs)}",
                _range([run["accuracy"] for run in runs], "{:.3f}"), _range(exits, "{:.2g}"),
                thrown.count(0), thrown.count(1), sum(times > 1 for times in thrown),
                f"{sum(again)} of {len(again)}", " ".join(map(str, others)),
                _range([run["step"] for run in runs], "{:.2g}"),
                *(f"{median(run[n] for run in runs):.2f}" for n in DEAD),
                sum(run["diverged"] is not None for run in runs),
            ]
        )  # fmt: skip
    return [
        *columned(lines, HEADS),
        "Learnt: a test accuracy at the end of .9 or more. Thrown: how many runs, and how many of "
        "those that were thrown have learnt at the end; at other thresholds, how many are thrown "
        "at all if a spread of .3 counts as left and .05 as thrown, and .8 and .2. Ranges are from "
        "the least to the largest of the seeds, dead units medians at the end.",
    ]


def _range(values, form):
    if not values:
        return "-"
    low, high = form.format(min(values)), form.format(max(values))
    return low if low == high else f"{low} to {high}"


def figure(rows, title, note, learnt):
    """A row for every batch size and kind, a dot for every seed; a line where a run has learnt."""
    usual = min(row["epochs"] for row in rows)

    def label(b, kind, epochs):
        return f"{b}: {kind}" + (f", {epochs} epochs" if epochs != usual else "")

    accuracies = {
        label(b, kind, runs[0]["epochs"]): [run["accuracy"] for run in runs]
        for (b, kind), runs in groups(rows).items()
    }
    return rows_figure(accuracies, title, (-0.02, 1.02), note, learnt)


def text(rows, learnt):
    """For every batch size, how many runs of each kind have learnt."""
    parts, sizes = [], {}
    for (b, kind), runs in groups(rows).items():
        count = sum(run["accuracy"] >= learnt for run in runs)
        sizes.setdefault(b, []).append(f"{kind} {count} of {len(runs)}")
    for b, kinds in sizes.items():
        parts.append(f"Of the runs of {b} have learnt: {'; '.join(kinds)}.")
    once = [row for row in rows if row["kind"].endswith("warmup") and row["thrown"] == 1]
    more = [row for row in rows if row["kind"].endswith("warmup") and row["thrown"] > 1]
    for some, what in ((once, "once"), (more, "more than once")):
        if some:
            count = sum(row["accuracy"] >= learnt for row in some)
            parts.append(
                f"Of the report's runs that are thrown back {what}, {count} of {len(some)} have "
                "learnt at the end."
            )
    return " ".join(parts)
