"""Initial weights: what each tensor of a network is drawn from.

An init is a function of the generator, the tensor's shape and the fan-in of its layer, that is, how
many inputs each of the layer's outputs sums over. A tensor with a single axis is a layer's bias. An
init of your own is one function and one entry in INITS.

Both of these take as many numbers from the generator, in the same order. So with the same seed W
points in the same direction and differs in its length alone: runs that differ in the init can be
compared in pairs, seed by seed.
"""

from math import sqrt


def uniform(rng, shape, fan_in):
    """W and b ~ U(-a, a), a = 1/√fan_in: variance 1/(3 fan_in).

    Shapes:  -> shape
    Source:  the authors' code, which leaves PyTorch's default in place. The long plateau at
             the start of large-batch runs depends on it.
    """
    a = 1 / sqrt(fan_in)
    return rng.uniform(-a, a, shape)


# Not in the report:
def he(rng, shape, fan_in):
    """W ~ U(-a, a), a = √(6/fan_in): variance 2/fan_in, √6 times `uniform`'s W. b = 0.

    A ReLU halves the mean square of what it is given, if that is as often below 0 as above; this
    variance makes up for it, so that the signal keeps its size from layer to layer. All layers are
    drawn alike: the first as well, although no ReLU has halved the pixels, and the last, whose
    inputs are halved like those of the others but whose logits enter no ReLU.

    Shapes:  -> shape
    Source:  He et al. 2015, "Delving Deep into Rectifiers", Sec. 2.2, Eq. 10, for the first layer
             too. Departures: W is normal there; and its layers follow one another directly, where
             max-pooling, which makes the signal larger, lies between ours. For a leaky ReLU of
             slope s the variance should be 2/((1 + s²) fan_in), Eq. 15; s = 0.01 is neglected.
    """
    a = sqrt(6 / fan_in) if len(shape) > 1 else 0.0  # a bias uses up its numbers all the same
    return rng.uniform(-a, a, shape)


INITS = {"uniform": uniform, "he": he}
