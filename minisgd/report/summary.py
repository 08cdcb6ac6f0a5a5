"""The outcome of a sweep: a table of its records, with one line per batch size."""

from statistics import median

TARGET = 0.97  # test accuracy


def first_epoch_reaching(target, records):
    """The first epoch of a run whose test accuracy reaches the target; None if none does."""
    for record in records:
        if (record["test_accuracy"] or 0) >= target:
            return record["epoch"]
    return None


def status_of(records):
    """The status of a run in words: how it ended, and in which epochs it was stuck."""
    last = records[-1]
    if last["status"] == "diverged":
        at = f", update {last['update']}" if "update" in last else ""  # not in metrics.csv
        return f"diverged in epoch {last['epoch']}{at}"
    stretches = _stretches([r["epoch"] for r in records if r["status"] == "stuck"])
    if last["status"] == "stuck":
        return f"stuck (from epoch {stretches[-1][0]})"
    if not stretches:
        return "ok"
    epochs = "epoch" if stretches[0][0] == stretches[-1][1] else "epochs"
    listed = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in stretches)
    return f"ok (stuck in {epochs} {listed})"


def _stretches(epochs):
    """The stretches of consecutive epochs: [3, 4, 5, 9] -> [[3, 5], [9, 9]]."""
    stretches = []
    for epoch in epochs:
        if stretches and epoch == stretches[-1][1] + 1:
            stretches[-1][1] = epoch
        else:
            stretches.append([epoch, epoch])
    return stretches


def table(runs):
    """The lines of the table of `rows`, aligned."""
    return _aligned(rows(runs))


def rows(runs, going_on=False):
    """The head and the rows of the table: runs whose settings differ only in the seed share one.

    runs:      (settings, records, failure) of every run: its records so far, and why it failed, or
               None
    going_on:  whether runs that are not over are still being made
    """
    groups = {}
    for settings, records, failure in runs:
        key = settings.batch_size, settings.scaled_lr, settings.momentum
        groups.setdefault(key, []).append((settings, records, failure))
    with_momentum = len({momentum for _, _, momentum in groups}) > 1
    with_seeds = any(len(group) > 1 for group in groups.values())
    with_updates = any(settings.batch_schedule for settings, _, _ in runs)
    found = [
        ["batch size", "rate"]
        + ["momentum"] * with_momentum
        + ["seeds"] * with_seeds
        + ["best test", "final test", f"epochs to {100 * TARGET:g} %"]
        + [f"updates to {100 * TARGET:g} %", "updates in all"] * with_updates
        + ["status"]
    ]
    for (batch_size, lr, momentum), group in sorted(groups.items(), key=lambda item: item[0]):
        found.append(
            [f"{batch_size}", f"{lr:.4g}"]
            + [f"{momentum:.4g}"] * with_momentum
            + [f"{len(group)}"] * with_seeds
            + [*_accuracies(group, with_seeds)]
            + [*_updates(group)] * with_updates
            + [_statuses(group, going_on)]
        )
    return found


def _accuracies(group, with_seeds):
    """The cells of a line: best accuracy, final accuracy, and epochs to the target."""
    begun = [records for _, records, _ in group if records]
    bests = [max((r["test_accuracy"] or 0) for r in records) or None for records in begun]
    finals = [records[-1]["test_accuracy"] for records in begun]
    reached = [first_epoch_reaching(TARGET, records) for records in begun]
    to_target = _spread(reached, "{:g}")
    if with_seeds and None in reached and to_target != "-":
        to_target += f" in {sum(epoch is not None for epoch in reached)} of {len(reached)}"
    return _spread(bests, "{:.4f}"), _spread(finals, "{:.4f}"), to_target


def _updates(group):
    """The cells of a line: updates to the target, and those that the runs have made."""
    begun = [records for _, records, _ in group if records]
    reached = [(records, first_epoch_reaching(TARGET, records)) for records in begun]
    to_target = [records[epoch - 1].get("updates") for records, epoch in reached if epoch]
    in_all = [records[-1].get("updates") for records in begun]
    return _spread(to_target, "{:.0f}"), _spread(in_all, "{:.0f}")


def _spread(values, form):
    """The median and, if values differ, the smallest and the largest: ".981 (.978 to .985)"."""
    values = [value for value in values if value is not None]
    if not values:
        return "-"
    middle = form.format(median(values))
    if len(values) == 1 or min(values) == max(values):
        return middle
    return f"{middle} ({form.format(min(values))} to {form.format(max(values))})"


def _statuses(group, going_on):
    """The status of a single run in words, or how many of several runs have each kind of status."""
    words = []
    for settings, records, failure in group:
        if failure:
            words.append(f"failed: {failure}")
        elif not records:
            words.append("not started")
        elif records[-1]["status"] != "diverged" and records[-1]["epoch"] < settings.epochs:
            how = "going on" if going_on else "cut"
            words.append(f"{how} after epoch {records[-1]['epoch']}")
        else:
            words.append(status_of(records))
    if len(words) == 1:
        return words[0]
    # The kind is what comes before the details: "stuck (from epoch 3)" is of the kind "stuck".
    kinds = [word.split(" (")[0].split(" in ")[0].split(" after ")[0] for word in words]
    counts = {kind: kinds.count(kind) for kind in kinds}
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())


def _aligned(rows):
    """The rows as lines, with every column but the last, the status, aligned to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    lines = []
    for *cells, status in rows:
        padded = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        lines.append("  ".join([*padded, status]))
    return lines
