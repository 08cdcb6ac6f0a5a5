"""minisgd: how far can the batch of SGD grow, and what must the rate and the momentum do then?"""

from . import gradcheck, rules
from .data import load_dataset
from .model import LeNet5

__all__ = ["LeNet5", "gradcheck", "load_dataset", "rules"]
__version__ = "0.1.0"
