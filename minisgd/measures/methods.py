"""Beyond the report: how do other methods train with batches at which linear scaling fails?

The linear rule is thrown at the exit from the initial plateau. Here runs of other methods with the
same batch, and one with nearly the whole training set, are followed past their exits and beside
that run: how long are their steps, what do they meet on their way, and is it below the bound up to
which they are stable?

On a parabola with curvature λ, an update that forgets at rate m is stable up to these values of λ:

    2 (1+m) / η               gradient descent (m = 0), momentum, LARS: v <- m v + g
    2 (1+m) / ((1+2m) η)      Nesterov's momentum, and Muon's: g + m v
    2 (1+m) / ((1-m) η)       Adam and LAMB: v is a mean, v <- m v + (1-m) g

Where a method multiplies the gradient by a diagonal matrix D, it is the largest eigenvalue of
√D H √D, its own metric, that is to be compared with the bound. The plain one then tells only what
gradient descent would bear at this rate. A gradient that is clipped to a share of itself is one
with that share of the rate. Muon's step is no diagonal matrix times the gradient.

Where there is no such matrix there still is the step: on a parabola, Δ raises the loss if ρ > 1.

    ρ = Δ'HΔ / (-2 g'Δ)

Source:  Cohen et al. 2021, Gradient Descent on Neural Networks Typically Occurs at the Edge of
         Stability, appendix B; Cohen et al. 2022, Adaptive Gradient Methods at the Edge of
         Stability, for Adam
"""

from dataclasses import replace
from itertools import islice
from math import isfinite

import numpy as np

from ..errors import UserError, program
from ..optim import norms, one_if_zero, tensors
from ..train import Run
from . import methods_shown
from .common import Landscape, Measured, generator
from .estimators import largest_eigenvalue, unit
from .following import followed, network_at

COLUMNS = (
    "run batch_size optimizer momentum update epoch lr rate_sum loss accuracy gradient kept step "
    "relative_step length dead_conv1 dead_conv2 dead_fc logits spread fixed_loss fixed_loss_after "
    "slope bend rho bound own_bound eigenvalue eigenvalue_error own_eigenvalue own_eigenvalue_error"
).split()
AROUND = 5  # updates after the exit whose eigenvalues are measured one by one
DESCENTS = ("sgd", "momentum", "nesterov")  # whose D is the share of the gradient that is kept
MEANS = ("adam", "lamb")  # whose v is a mean of gradients, not a sum


def methods(data, seed, threads, log, runs=None, updates=96, points=16, subset=800, probe=256):
    """The measure of these runs, which are those of the answer (answer_plan.watched).

    updates  how many a run is followed for, at most
    points   at how many of them the eigenvalues are measured

    Raises:  UserError if no runs are given
    """
    if not runs:
        raise UserError(
            "the numbers with which the methods train are found by a search: run "
            f"`{program()} answer trials` first, or give the --out that holds it"
        )
    x, y = data.train.images, data.train.labels
    runs = [replace(settings, seed=seed) for settings in runs]
    for settings in runs:
        settings.check(len(y))
    chosen = generator(seed, 8).permutation(len(y))[:subset]
    fixed = Landscape(x[chosen], y[chosen], threads, np.float32, data.pixels)
    rows = []
    for settings, name in zip(runs, methods_shown.names(runs), strict=True):
        log(f"{name}: {min(updates, settings.epochs * settings.updates_per_epoch(len(y)))} updates")
        with np.errstate(all="ignore"):  # a run that diverges shows in its loss, not in warnings
            moments = list(with_metric(Run(settings, data, threads=threads), updates))
            found = rows_of(settings, moments, fixed, (x[:probe], y[:probe]))
            measure_eigenvalues(moments, found, fixed, points, generator(seed, 9))
        rows += [{"run": name} | row for row in found]
    return Measured(
        "How do other methods pass the exit from the plateau?",
        COLUMNS,
        rows,
        methods_shown.table(rows, subset),
        methods_shown.plots(rows),
        methods_shown.text(rows),
        height=1.9,
    )


# ---- what a method does


def bound(optimizer, m, lr):
    """The curvature up to which updates of the rate lr are stable on a parabola, as above."""
    forgets = 1 + 2 * m if optimizer.startswith(("nesterov", "muon")) else 1
    return 2 * (1 + m) / (lr * (1 - m if optimizer in MEANS else forgets))


def own_metric(settings, memory, w, g, t, shapes):
    """D, the diagonal that multiplies the average of the gradients in update t: without momentum
    and weight decay the step is -η D g.

        sgd, momentum, nesterov   1
        lars                      τ|w_l| / (|g_l| + d|w_l|) for the tensor l; 1 for biases
        adam                      1 / ((1-β1^(t+1)) (√û + ε)), where 1-β1^(t+1) makes up for v being
                                  zero at first, as in `adam_direction`
        lamb                      the same times |w_l| / |r_l|

    Where a weight's gradient has always been zero, Adam's D is taken to be 0: nothing moves there.

    Shapes:  memory after the update, w before it (P,), g (P,) as the optimizer got it, maybe
             clipped -> (P,); None if there is no such D
    Source:  for Adam and its 1-β1^(t+1), Cohen et al. 2022
    """
    s = settings
    if s.optimizer in DESCENTS:
        return np.ones_like(w)
    if s.optimizer == "lars":
        D = np.ones_like(w)
        for w_l, g_l, D_l in tensors(shapes, w, g, D):
            if w_l.ndim > 1:
                length, slope = norms([w_l]), norms([g_l])
                ratio = s.trust * length / (slope + s.weight_decay * length)
                D_l[...] = one_if_zero(length, slope, ratio)
        return D
    if s.optimizer not in MEANS:
        return None
    beta1, beta2, epsilon = s.scaled_adam()
    u, v = memory["u"], memory["v"]
    D = 1 / ((1 - beta1 ** (t + 1)) * (np.sqrt(u / (1 - beta2 ** (t + 1))) + epsilon))
    D[u == 0] = 0
    if s.optimizer == "lamb":
        for w_l, D_l, r_l in tensors(shapes, w, D, D * v + s.weight_decay * w):
            length, size = norms([w_l]), norms([r_l])
            D_l *= one_if_zero(length, size, length / size)
    return D


def along_step(g, Hd, d):
    """ρ = d'Hd / (-2 g'd): how far the step d goes, where 1/2 leads to the lowest point of the
    parabola along it and 1 to where the loss is what it was. For d = -η g it is η/2 times the
    curvature along g.

    Shapes:  g, Hd, d (P,) -> (ρ, g'd, d'Hd); ρ is None if d does not lead downhill
    """
    slope, bend = float(g @ d), float(d @ Hd)
    return (bend / (-2 * slope) if slope < 0 else None), slope, bend


def in_metric(product, D):
    """The product of √D H √D with a vector, from that of H."""
    root = np.sqrt(D.astype(np.float64))
    return lambda u: root * product(root * u)


# ---- following a run


def with_metric(run, updates):
    """Make the first updates of a run, yielding a Moment of each and the method's D in it."""
    for moment in islice(followed(run), updates):
        model, t = run.model, moment.t
        D = own_metric(run.settings, run.memory, moment.before, model.g, t, model.shapes)
        yield moment, None if D is None else D * np.float32(moment.kept)


def rows_of(settings, moments, fixed, probe):
    """A row for every update, without the eigenvalues; none from where nothing is finite any more.

    moments [(Moment, D)]
    fixed   the Landscape on which the step is judged
    probe   images and labels that are sent through the network
    """
    rows, rate_sum, s = [], 0.0, settings
    for moment, D in moments:
        before, after = (w.astype(np.float64) for w in (moment.before, moment.after))
        step = after - before
        length, step_length = (float(np.linalg.norm(v)) for v in (before, step))
        seen = network_at(moment.before, *probe, fixed.model.pixels)
        loss, g = fixed(before)
        rho, slope, bend = along_step(g, fixed.hessian(before).product(step), step)
        if not isfinite(loss + seen["loss"] + slope + bend):
            break  # it diverges
        lr, m = moment.lr, s.scaled_adam()[0]
        effective = lr * moment.kept if s.optimizer in DESCENTS else lr
        own = None if D is None else bound(s.optimizer, m, lr)
        row = dict.fromkeys(COLUMNS[1:]) | seen
        row |= {"batch_size": s.batch_size, "optimizer": s.optimizer, "momentum": m}
        row |= {"update": moment.t, "epoch": moment.epoch, "lr": lr, "rate_sum": rate_sum}
        row |= {"loss": moment.loss, "accuracy": moment.accuracy, "gradient": moment.gradient}
        row |= {"kept": moment.kept, "step": step_length, "relative_step": step_length / length}
        row |= {"length": length, "fixed_loss": loss, "rho": rho, "slope": slope, "bend": bend}
        row |= {"fixed_loss_after": fixed.loss(after)}
        row |= {"bound": bound(s.optimizer, m, effective), "own_bound": own}
        rows.append(row)
        rate_sum += lr
    return rows


def measure_eigenvalues(moments, rows, fixed, points, rng):
    """Add the largest eigenvalues of H, and of √D H √D if there is a D, to some of the rows."""
    last = {}  # the eigenvectors found last, from which the next search starts
    for k in examined(rows, points):
        moment, D = moments[k]
        w, product = moment.before, fixed.hessian(moment.before).product
        searches = {"": product}
        if D is not None and D.min() < D.max():
            searches["own_"] = in_metric(product, D)
        for kind, of in searches.items():
            random = unit(rng.normal(size=len(w)))
            start = random + last[kind] if kind in last else random
            found, last[kind] = largest_eigenvalue(of, start, steps=8, tolerance=0.05)
            values = {"eigenvalue": found.value, "eigenvalue_error": found.error}
            rows[k] |= {kind + name: value for name, value in values.items()}
        if D is not None and "own_" not in searches:  # D is a number
            for name in ("eigenvalue", "eigenvalue_error"):
                rows[k]["own_" + name] = float(D[0]) * rows[k][name]


def examined(rows, points):
    """The places of the rows whose eigenvalues are measured: those around the exit, or around where
    the run is thrown, up to AROUND updates after it; the others, if there are any, evenly spaced.
    """
    if not rows:
        return []
    end = methods_shown.middle_of(rows) + AROUND + 1
    dense = range(max(0, end - min(points, 2 * AROUND)), min(len(rows), end))
    evenly = np.linspace(0, len(rows) - 1, max(0, points - len(dense))).round().astype(int)
    return sorted({*dense, *evenly.tolist()})
