"""What a run, a sweep's folder and a figure are called: all from the settings that differ."""

from ..data.known import dataset_title
from ..settings import Settings, in_names, in_words, written

NETWORK_TITLES = {"lenet5": "LeNet-5", "mlp": "MLP", "lenet5-wide": "Wide LeNet-5"}
# What every name below words in its own way; all else is worded by settings.in_names and in_words.
WORDED = set(
    "batch_size lr rule base_batch_size warmup warmup_epochs warmup_updates momentum seed".split()
)
OLD = set("batch_size lr rule base_batch_size warmup warmup_epochs momentum epochs seed".split())


def run_name(settings):
    """The folder of a run: batch size, rate, seed and what differs from the report's protocol."""
    s = settings
    parts = [f"b{s.batch_size}", f"lr{written(s.lr)}"]
    if s.rule != "none":
        parts.append(s.rule + (f"{s.base_batch_size}" if s.base_batch_size != 64 else ""))
    parts += _warmup(s)
    parts += [f"m{written(s.momentum)}"] if s.momentum else []
    parts += _others(s, WORDED)
    return "-".join([*parts, f"seed{s.seed}"])


def older_run_name(settings):
    """What an earlier version called the folder of such a run; None if it had no such runs.

    It left out the epochs, and wrote numbers to six digits.
    """
    s = settings
    if not set(s.differing()) <= OLD:
        return None
    name = f"b{s.batch_size}-lr{s.lr:g}"
    if s.rule != "none":
        name += f"-{s.rule}" + (f"{s.base_batch_size}" if s.base_batch_size != 64 else "")
    if s.warmup != "none":
        name += f"-{s.warmup}{s.warmup_epochs}"
    if s.momentum:
        name += f"-m{s.momentum:g}"
    return f"{name}-seed{s.seed}"


def folder_name(settings, dataset_name):
    """The folder of a sweep: the dataset, then whatever differs from the report's protocol."""
    s = settings
    parts = [dataset_name, s.rule, *_warmup(s)]
    parts += [f"m{written(s.momentum)}"] if s.momentum else []
    for field, letters in (("lr", "lr"), ("base_batch_size", "base"), ("epochs", "epochs")):
        value = getattr(s, field)
        parts += [f"{letters}{written(value)}"] if value != getattr(Settings, field) else []
    # A changed file of the user's must find the folder of the unchanged one, and be refused there.
    return "-".join([*parts, *_others(s, WORDED | {"epochs", "own"})])


def title_of(settings, dataset_name):
    """What a figure of such runs shows, in one line."""
    s = settings
    constant = s.rule == s.decay == "none"
    parts = ["constant rate" if constant else in_words("rule", s.rule)]
    if s.warmup != "none":
        k, unit = s.warmup_updates or s.warmup_epochs, "updates" if s.warmup_updates else "epochs"
        parts.append(f"{s.warmup} warmup over {k} {unit}")
    if s.momentum:
        parts.append(f"m = {s.momentum:g}")
    covered = WORDED | {"epochs", "network", "own"}
    parts += [in_words(k, v) for k, v in s.differing().items() if k not in covered]
    parts.append(f"η0 = {s.lr:g} at b0 = {s.base_batch_size}")
    network = NETWORK_TITLES.get(s.network, s.network)
    return f"{network} on {dataset_title(dataset_name)}: " + ", ".join(parts)


def _warmup(s):
    if s.warmup == "none":
        return []
    return [s.warmup + (f"{s.warmup_updates}u" if s.warmup_updates else f"{s.warmup_epochs}")]


def _others(s, named):
    return [in_names(k, v) for k, v in s.differing().items() if k not in named]
