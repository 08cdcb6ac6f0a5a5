"""Every formula of the report measured: one room a formula, in the order of the text.

    covariance       Sec. II   is the covariance of an update what the formula says, and does the
                               sqrt rule keep it?
    equivalence      Sec. II   is one large step the same as k small ones?
    effective-rate   Sec. III  is η/(1-m) all that momentum does?
    curvature        Sec. IV   what kills the large batches at a linearly scaled rate?
    noise-scale      Sec. V    how large a batch is worth it?
    sharpness        Sec. I    do large batches find sharper minima?

A measure is a function (data, seed, threads, say, ...) -> Measured. All its draws come from
generators made of the seed; what it does is in its defaults, which take minutes.
"""

from .covariance import covariance
from .curvature import curvature
from .effective_rate import effective_rate
from .equivalence import equivalence
from .noise_scale import noise_scale
from .sharpness import sharpness

MEASURES = {
    "covariance": covariance,
    "equivalence": equivalence,
    "effective-rate": effective_rate,
    "curvature": curvature,
    "noise-scale": noise_scale,
    "sharpness": sharpness,
}
