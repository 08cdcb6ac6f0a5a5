"""minisgd: how far can the batch of SGD grow, and what must the rate and the momentum do then?

Only what is used is loaded: each public name is imported from its module when it is first asked
for.
"""

from importlib import import_module

__version__ = "0.1.0"

# The public names: the module of each, and its name there; "" for the module itself.
FACE = {
    "LeNet5": ("minisgd.model", "LeNet5"),
    "Model": ("minisgd.model", "Model"),
    "Settings": ("minisgd.settings", "Settings"),
    "load_dataset": ("minisgd.data", "load_dataset"),
    "gradcheck": ("minisgd.gradcheck", ""),
    "optim": ("minisgd.optim", ""),
    "plots": ("minisgd.drawing", ""),
    "rules": ("minisgd.rules", ""),
    "schedules": ("minisgd.schedules", ""),
    "sweep": ("minisgd.lab.sweep", ""),
    "train": ("minisgd.train", ""),
}
__all__ = list(FACE)


def __getattr__(name):
    if name not in FACE:
        raise AttributeError(f"module 'minisgd' has no attribute {name!r}")
    module, inside = FACE[name]
    found = import_module(module)
    return getattr(found, inside) if inside else found


def __dir__():
    return [*globals(), *FACE]
