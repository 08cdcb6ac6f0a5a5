"""The loss of the report: softmax cross-entropy, mean over the batch.

A loss of your own is one function and one entry in LOSSES.
"""

from .backend import module_of


def softmax_cross_entropy(z, y, B):
    """The mean cross-entropy of a batch of B images: the share of it due to the piece in z.

        L = -(1/B) sum_n log p[y_n, n],   p[k, n] = exp z[k, n] / sum_j exp z[j, n]
        dL/dz[k, n] = (p[k, n] - [k = y_n]) / B

    B is the size of the *whole* batch: the pieces' losses and gradients then add up to the batch's.
    This is the only place that divides by the batch size. The largest logit of every image is
    subtracted first, so that exp cannot overflow.

    Shapes:  z (K, n), y (n,) integers below K, n <= B -> loss, correct (numbers), dz (K, n)
    Raises:  ValueError if z is not (K, n), or y does not hold one label per column of z
    Source:  report Sec. I, the loss l(x, w)
    """
    xp = module_of(z)
    if z.ndim != 2 or y.shape != z.shape[1:]:
        raise ValueError(f"expected logits (K, n) and labels (n,), got {z.shape} and {y.shape}")
    columns = xp.arange(z.shape[1])
    correct = (z.argmax(axis=0) == y).sum()
    z = z - z.max(axis=0)  # (K, n)
    p = xp.exp(z)  # (K, n)
    total = p.sum(axis=0)  # (n,)
    loss = (xp.log(total) - z[y, columns]).sum() / B  # Report Sec. I, l(x, w)
    dz = p / total  # (K, n)
    dz[y, columns] -= 1
    dz /= B
    return loss, correct, dz


LOSSES = {"softmax": softmax_cross_entropy}
