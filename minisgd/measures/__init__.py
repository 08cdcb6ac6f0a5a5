"""The formulas of the report, each measured by a module of its own.

    covariance       Sec. II   is the covariance of an update what the formula says, and does the
                               sqrt rule keep it?
    equivalence      Sec. II   does one large step do the same as k small ones?
    effective-rate   Sec. III  is η/(1-m) all there is to momentum?
    curvature        Sec. IV   what do large batches meet as they begin to learn?
    survival         Sec. IV   which of them fail at a linearly scaled rate, and what saves them?
    noise-scale      Sec. V    how large a batch is worthwhile?
    sharpness        Sec. I    do large batches find sharper minima?
    methods          beyond    how do other methods train where linear scaling fails?
    steps            beyond    how many steps to an accuracy, if every batch size is tuned?

A measure is a function (data, seed, threads, log, ...) -> Measured. `log` is called with each line
of progress. All random numbers come from generators seeded with `seed`. The other arguments have
defaults, with which a measure takes minutes. Those in RESUMED take longer: they are of many runs,
and go on from those that are done, which their argument `remember` keeps.
"""

from importlib import import_module


def _from_module(name):
    """The function that has the same name as its module, which is imported only when it is called,
    so that listing the measures loads neither NumPy nor Matplotlib.
    """

    def measure(data, seed, threads, log, **more):
        function = getattr(import_module(f"{__name__}.{name}"), name)
        return function(data, seed, threads, log, **more)

    return measure


MEASURES = {
    "covariance": _from_module("covariance"),
    "equivalence": _from_module("equivalence"),
    "effective-rate": _from_module("effective_rate"),
    "curvature": _from_module("curvature"),
    "survival": _from_module("survival"),
    "noise-scale": _from_module("noise_scale"),
    "sharpness": _from_module("sharpness"),
    "methods": _from_module("methods"),
    "steps": _from_module("steps"),
}
RESUMED = ("curvature", "survival", "sharpness", "steps")
