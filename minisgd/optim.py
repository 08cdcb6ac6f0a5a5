"""The update equations, on the whole vector of weights. Both change w (and v) in place."""


def sgd_step(w, g, lr):
    """w <- w - lr g.

    Shapes:  w, g (P,), g the gradient of the mean loss of the batch
    Source:  report Sec. I: w_{t+1} = w_t - η (1/b) Σ ∇l(x, w_t)
    """
    w -= lr * g  # Report Sec. I, SGD


def momentum_step(w, v, g, lr, m):
    """v <- m v + g, then w <- w - lr v: the rate stands outside v.

    With the rate inside v the two differ as soon as the rate changes, as it does in a warmup.

    Shapes:  w, v, g (P,), v zero before the first update
    Source:  report Sec. III: v_{t+1} = m v_t + (1/b) Σ ∇l(x, w_t), w_{t+1} = w_t - η v_{t+1}
    """
    v *= m  # Report Sec. III, momentum
    v += g
    w -= lr * v
