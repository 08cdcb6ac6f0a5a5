"""Figures: records in, pictures out. To the outside, this package is known as `plots`.

    palette      the colours, which are those of the pages, too
    style        how every figure looks, and how it is saved
    groups       from records to lines: the runs of a line, and the label that tells it apart
    lines        how a line is drawn: its median, band and marks, and its entry in the legend
    accuracies   accuracy and loss by epoch, as in the report's figures
    sweeps       the rate by epoch, and final accuracy against the batch size
    rates        final accuracy against the learning rate
    methods      final accuracies of methods, against the batch size or the rate, or in rows
    panels       curves of any kind in panels: the figures of the measures

Importing this package loads nothing: Matplotlib comes with the first name that is not in palette.
"""

from importlib import import_module

from ..errors import UserError

_MODULES = {
    "accuracy_figure": "accuracies",
    "report_figure": "accuracies",
    "comparison_figure": "accuracies",
    "schedule_figure": "sweeps",
    "size_figure": "sweeps",
    "rate_figure": "rates",
    "carried_figure": "methods",
    "method_figure": "methods",
    "rows_figure": "methods",
    "losses_figure": "methods",
    "Carried": "methods",
    "Line": "methods",
    "Losses": "methods",
    "chart": "panels",
    "Plot": "panels",
    "Curve": "panels",
    "save": "style",
    "batch_color": "palette",
    "batch_marker": "style",
    "PALETTE": "palette",
    "GREY": "style",
    "MARKERS": "style",
    "METHOD_PALETTE": "palette",
}
__all__ = list(_MODULES)


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _MODULES[name] != "palette":
        load_matplotlib()
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__():
    return sorted({*globals(), *__all__})


def load_matplotlib():
    """Load Matplotlib.  Raises: UserError if what a user has set keeps it from being loaded"""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise UserError(
            "Matplotlib cannot be loaded: mend or remove MPLBACKEND in the environment, or your "
            f"matplotlibrc ({why})"
        ) from None
