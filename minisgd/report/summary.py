"""What a sweep came to: its records as a table, a line a batch size."""

from statistics import median

TARGET = 0.97  # test accuracy


def epochs_to(records, target=TARGET):
    """The first epoch of one run whose test accuracy reaches the target; None if none does."""
    for record in records:
        if (record["test_accuracy"] or 0) >= target:
            return record["epoch"]
    return None


def status_of(records):
    """A run's status in words: that of its last epoch, and the epochs in which it was stuck."""
    last = records[-1]
    if last["status"] == "diverged":
        at = f", update {last['update']}" if "update" in last else ""  # metrics.csv has none
        return f"diverged in epoch {last['epoch']}{at}"
    stuck = [record["epoch"] for record in records if record["status"] == "stuck"]
    if last["status"] == "stuck":
        return f"stuck (from epoch {_start_of_last_stretch(stuck)})"
    epochs = "epoch" if len(stuck) == 1 else "epochs"
    return f"ok (stuck in {epochs} {_stretches(stuck)})" if stuck else "ok"


def _stretches(epochs):
    """[3, 4, 5, 9] -> "3-5, 9"."""
    parts = []
    for epoch in epochs:
        if parts and epoch == parts[-1][1] + 1:
            parts[-1][1] = epoch
        else:
            parts.append([epoch, epoch])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


def _start_of_last_stretch(epochs):
    return _stretches(epochs).split(", ")[-1].split("-")[0]


def _spread(values, form):
    """Median and, where there are several, minimum and maximum: ".981 (.978 to .985)"."""
    values = [value for value in values if value is not None]
    if not values:
        return "-"
    middle = form.format(median(values))
    if len(values) == 1 or min(values) == max(values):
        return middle
    return f"{middle} ({form.format(min(values))} to {form.format(max(values))})"


def table(runs):
    """The lines of the table: runs with the same settings but for the seed share a line.

    runs: (settings, records, failure) of every run: its records so far, and why it failed or None.
    """
    groups = {}
    for settings, records, failure in runs:
        key = settings.batch_size, settings.scaled_lr, settings.momentum
        groups.setdefault(key, []).append((settings, records, failure))
    several = any(len(group) > 1 for group in groups.values())
    heads = ["batch size", "rate", "best test", "final test", "epochs to 97 %", "status"]
    rows = [heads[:2] + (["seeds"] if several else []) + heads[2:]]
    with_momentum = len({key[2] for key in groups}) > 1
    if with_momentum:
        rows[0].insert(2, "momentum")
    for key in sorted(groups):
        batch_size, lr, momentum = key
        group = groups[key]
        begun = [records for _, records, _ in group if records]
        reached = [epochs_to(records) for records in begun]
        to_target = _spread(reached, "{:g}")
        if several and None in reached and to_target != "-":
            to_target += f" in {sum(epoch is not None for epoch in reached)} of {len(reached)}"
        finals = [records[-1]["test_accuracy"] for records in begun]
        bests = [max((r["test_accuracy"] or 0) for r in records) or None for records in begun]
        row = [f"{batch_size}", f"{lr:.4g}"]
        row += [f"{momentum:.4g}"] if with_momentum else []
        row += [f"{len(group)}"] if several else []
        row += [_spread(bests, "{:.4f}"), _spread(finals, "{:.4f}"), to_target]
        rows.append([*row, _statuses(group)])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        lines.append("  ".join([*cells, row[-1]]))
    return lines


def _statuses(group):
    """One run: its status in words; several: how many of each kind."""
    words = []
    for settings, records, failure in group:
        if failure:
            words.append(f"failed: {failure}")
        elif not records:
            words.append("not started")
        elif records[-1]["status"] != "diverged" and records[-1]["epoch"] < settings.epochs:
            words.append(f"cut after epoch {records[-1]['epoch']}")
        else:
            words.append(status_of(records))
    if len(words) == 1:
        return words[0]
    kinds = [word.split(" (")[0].split(" in ")[0].split(" after ")[0] for word in words]
    counted = {kind: kinds.count(kind) for kind in kinds}
    return ", ".join(f"{count} {kind}" for kind, count in counted.items())
