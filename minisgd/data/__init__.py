"""Datasets: which are known, where they are found, how they are fetched, read and split.

The names below are imported from their modules when they are first used, so that a module which
needs no NumPy (`known`, `folder`) can be imported without it.
"""

from importlib import import_module

MODULES = {
    "folder": ("DataError", "MissingError", "data_folder"),
    "idx": ("read_idx", "write_idx"),
    "known": ("FILES", "KNOWN", "MNIST_PIXELS", "NAMES", "Known", "dataset_title"),
    "loading": ("import_files", "load_dataset", "status"),
    "sharing": ("share", "shared"),
    "splits": ("Dataset", "Split", "describe", "epoch_order", "split_validation"),
}
MODULE_OF = {name: module for module, names in MODULES.items() for name in names}

__all__ = list(MODULE_OF)


def __getattr__(name):
    if name not in MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{MODULE_OF[name]}", __name__), name)


def __dir__():
    return sorted({*globals(), *MODULE_OF})
