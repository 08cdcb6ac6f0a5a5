"""Datasets: what is known, where it is found, how it is fetched and read."""

from .datasets import (
    FILES,
    KNOWN,
    NAMES,
    DataError,
    Dataset,
    Known,
    MissingError,
    Split,
    data_folder,
    describe,
    epoch_order,
    import_files,
    load_dataset,
    read_idx,
    split_validation,
    status,
    write_idx,
)  # fmt: skip

__all__ = [
    "FILES", "KNOWN", "NAMES", "DataError", "Dataset", "Known", "MissingError", "Split",
    "data_folder", "describe", "epoch_order", "import_files", "load_dataset", "read_idx",
    "split_validation", "status", "write_idx",
]  # fmt: skip
