"""A run's checkpoint: an npz file that holds the weights, the optimizer's memory, and in `said` the
run and its records so far. Nothing is pickled, and no memory is reserved for an array before what
it claims to be is checked.

`check_settings` is for run.json and sweep.json as well, which name the same settings.
"""

import io
import json
import zipfile
from math import prod

import numpy as np

from ..disk.files import read
from ..disk.formats import FORMAT, DamagedError, NewerError, check_format, is_record
from ..networks import NETWORKS, size_of
from ..optim import OPTIMIZERS
from ..settings import DEFAULTS
from ..train import State

LARGEST = 1 << 26  # bytes of a vector in a checkpoint, see networks.MOST
MEMORY = "memory."  # the prefix of the optimizer's vectors in a checkpoint


def checkpoint_bytes(about, records, state):
    """The bytes of a checkpoint.npz.

    about      the run, as in run.json
    records    one for each epoch so far
    state      the State after the last of them
    """
    said = {"format": FORMAT, "run": about, "records": records, "epoch": state.epoch}
    said |= {"predicted_class": state.predicted_class, "frozen": state.frozen}
    said |= {"memory": list(state.memory)}
    text = np.frombuffer(json.dumps(said, allow_nan=False).encode(), np.uint8)
    memory = {MEMORY + name: vector for name, vector in state.memory.items()}
    buffer = io.BytesIO()
    np.savez(buffer, w=state.w, **memory, said=text)
    return buffer.getvalue()


def read_checkpoint(path):
    """(run, records, state) of a checkpoint.npz; run is what run.json says, too.

    Raises:  DamagedError for anything but what this program wrote; NewerError; FileNotFoundError;
             StorageError if it cannot be read
    """
    if (content := read(path)) is None:
        raise FileNotFoundError(path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            said = json.loads(_member(archive, "said").tobytes())
            check_format(said, path)
            check_settings(said["run"], path)
            w = _member(archive, "w")
            if "memory" in said:
                memory = {name: _member(archive, MEMORY + name) for name in said["memory"]}
            else:  # format 1
                memory = {"v": _member(archive, "v")}
        frozen, predicted = int(said["frozen"]), said.get("predicted_class", said.get("told"))
        state = State(int(said["epoch"]), w, memory, predicted, frozen)
        run, records = dict(said["run"]), list(said["records"])
        if w.ndim != 1 or w.dtype.kind != "f":
            raise ValueError(f"w is {w.shape} {w.dtype}")
        for name, vector in memory.items():
            if vector.shape != w.shape or vector.dtype != w.dtype:
                raise ValueError(f"w is {w.shape} {w.dtype}, {name} {vector.shape} {vector.dtype}")
        epochs = [record["epoch"] for record in records]
        if state.epoch != len(epochs) or epochs != list(range(1, len(epochs) + 1)):
            raise ValueError("its records do not end at its epoch")
        if not all(map(is_record, records)):
            raise ValueError("its records are not those of epochs")
    except (MemoryError, NewerError):
        raise
    except Exception as error:  # a damaged archive can raise nearly anything
        raise DamagedError(f"{path} is damaged ({type(error).__name__}: {error})") from None
    return run, records, state


def _member(archive, name):
    """An array of a checkpoint; no memory is reserved before its claims are checked."""
    member = archive.getinfo(name + ".npy")
    if member.file_size > LARGEST or member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is not as this program writes it")
    whole = io.BytesIO(archive.read(member))  # read whole: its CRC is checked first
    if np.lib.format.read_magic(whole) != (1, 0):
        raise ValueError(f"{name} is not as this program writes it")
    shape, _, dtype = np.lib.format.read_array_header_1_0(whole)
    if prod(shape) * dtype.itemsize > member.file_size:  # before memory is reserved
        raise ValueError(f"{name} claims to be {shape}")
    whole.seek(0)
    return np.load(whole, allow_pickle=False)


def check_settings(about, path):
    """Refuse what a later version wrote: its format, or a setting that this one does not know.

    Raises:  NewerError
    """
    check_format(about, path)
    settings = about.get("settings")
    names = settings if isinstance(settings, dict) else ()  # anything else is damage
    unknown = [name for name in names if name not in DEFAULTS]
    if unknown:
        raise NewerError(
            f"{path} was written by a newer minisgd: this one does not know its setting "
            f"{', '.join(unknown)}; use that one, or give another --out"
        )


def check_vectors(state, settings, path):
    """Refuse weights and a memory that are not those of a run of such settings.

    Raises:  DamagedError
    """
    P, wanted = size_of(NETWORKS[settings.network]), OPTIMIZERS[settings.optimizer].memory
    if state.w.shape != (P,) or not set(wanted) <= set(state.memory):
        raise DamagedError(
            f"{path} is damaged: it holds {state.w.shape} weights and "
            f"{', '.join(state.memory) or 'no memory'}, not {P} and {', '.join(wanted) or 'none'}"
        )
