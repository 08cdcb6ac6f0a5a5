"""Datasets: which are known, where they are found, how they are fetched, read and split.

The names below are looked up in their rooms when they are first used, so that a room which needs
no NumPy (`known`, `folder`) can be imported without it.
"""

from importlib import import_module

ROOMS = {
    "folder": ("DataError", "MissingError", "data_folder"),
    "idx": ("read_idx", "write_idx"),
    "known": ("FILES", "KNOWN", "MNIST_PIXELS", "NAMES", "Known", "dataset_title"),
    "loading": ("import_files", "load_dataset", "status"),
    "sharing": ("share", "shared"),
    "splits": ("Dataset", "Split", "describe", "epoch_order", "split_validation"),
}
ROOM_OF = {name: room for room, names in ROOMS.items() for name in names}

__all__ = list(ROOM_OF)


def __getattr__(name):
    if name not in ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{ROOM_OF[name]}", __name__), name)


def __dir__():
    return sorted({*globals(), *ROOM_OF})
