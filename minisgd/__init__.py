"""minisgd: how far can the batch of SGD grow, and what must the rate and the momentum do then?

Only what is used is loaded: each public name is imported from its module when it is first asked
for.
"""

from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"

# The public names: the module of each, and its name there; "" for the module itself.
FACE = {
    "LeNet5": ("minisgd.model", "LeNet5"),
    "Model": ("minisgd.model", "Model"),
    "Settings": ("minisgd.settings", "Settings"),
    "frame": ("minisgd.commands.from_python", "frame"),
    "load_dataset": ("minisgd.data", "load_dataset"),
    "gradcheck": ("minisgd.gradcheck", ""),
    "optim": ("minisgd.optim", ""),
    "plots": ("minisgd.drawing", ""),
    "rules": ("minisgd.rules", ""),
    "schedules": ("minisgd.schedules", ""),
    "sweep": ("minisgd.lab.sweep", ""),
    "table": ("minisgd.commands.from_python", "table"),
    "train": ("minisgd.train", ""),
}
__all__ = list(FACE)


class CallableModule(ModuleType):
    """A module that can be called as well: minisgd.train is train.py, and minisgd.train(...) trains
    one network.
    """

    def __call__(self, *args, **settings):
        """Do what the command of this name does: help(minisgd.commands.from_python)."""
        return self._function(*args, **settings)

    @property
    def __signature__(self):
        from inspect import signature

        return signature(self._function)

    @property
    def _function(self):
        from .commands import from_python

        return getattr(from_python, self.__name__.rpartition(".")[2])


def __getattr__(name):
    if name not in FACE:
        raise AttributeError(f"module 'minisgd' has no attribute {name!r}")
    module, inside = FACE[name]
    found = import_module(module)
    return getattr(found, inside) if inside else found


def __dir__():
    return [*globals(), *FACE]
