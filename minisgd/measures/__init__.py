"""Every formula of the report measured: one room a formula, in the order of the text.

    covariance       Sec. II   is the covariance of an update what the formula says, and does the
                               sqrt rule keep it?
    equivalence      Sec. II   is one large step the same as k small ones?
    effective-rate   Sec. III  is η/(1-m) all that momentum does?
    curvature        Sec. IV   what kills the large batches at a linearly scaled rate?
    noise-scale      Sec. V    how large a batch is worth it?
    sharpness        Sec. I    do large batches find sharper minima?

A measure is a function (data, seed, threads, say, ...) -> Measured. All its draws come from
generators that are seeded with the seed; what it does is in its defaults, which take minutes.
"""

from importlib import import_module


def _from_room(room):
    """The function of a room that has its name, with the room imported at the first call: a list
    of the measures then costs neither NumPy nor matplotlib.
    """

    def measure(data, seed, threads, say, **more):
        function = getattr(import_module(f"{__name__}.{room}"), room)
        return function(data, seed, threads, say, **more)

    return measure


MEASURES = {
    "covariance": _from_room("covariance"),
    "equivalence": _from_room("equivalence"),
    "effective-rate": _from_room("effective_rate"),
    "curvature": _from_room("curvature"),
    "noise-scale": _from_room("noise_scale"),
    "sharpness": _from_room("sharpness"),
}
