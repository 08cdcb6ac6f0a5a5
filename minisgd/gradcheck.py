"""Is a backward pass the derivative of its forward pass? Central differences will tell.

This file needs nothing but NumPy: copy it next to layers of your own. A layer is anything with
`forward(x) -> y` and `backward(dy) -> dx`. For a random dy the number φ = Σ dy · y has the
derivative dx with respect to x, and dW with respect to a weight W. Each is compared with

    (φ(θ + h e) - φ(θ - h e)) / 2h      for every entry e of θ = x, W, b, ...

A random dy matters: with dy = 1 a backward that permutes the batch would pass. Use float64, and
keep the inputs away from kinks and ties, where there is no derivative. A layer may add to its
gradients or overwrite them. A float array that it holds (but not inside a function) is

- a *weight* if its gradient is found: under a name made from its own (for W dW, W_grad, grad_W or
  gW), in a container parallel to its own (params and grads), as the second of a pair, or as the
  grad of the object whose value it is;
- a *cache* if a pass replaces it, changes it or, after it was altered, restores it, if y does not
  depend on it, or if it is in a workspace: an object that is no layer and that forward writes to;
- an *error* otherwise: name its gradient with `weights`, or exempt it with `ignore`.

>>> class Scale:                                    # somebody else's layer
...     def __init__(self, gamma):
...         self.gamma = gamma
...     def forward(self, x):
...         self.x = x
...         return self.gamma[:, None] * x
...     def backward(self, dy):
...         self.dgamma = (dy * self.x).sum(axis=1)
...         return self.gamma[:, None] * dy
>>> rng = np.random.default_rng(0)
>>> checks = check_layer(Scale(rng.normal(size=3)), rng.normal(size=(3, 5)), rng)
>>> [(check.name, check.entries, check.passed) for check in checks]
[('x', 15, True), ('gamma', 3, True)]
"""

import sys
from dataclasses import dataclass
from itertools import product

import numpy as np

STEP = 1e-6  # in float64 truncation and rounding then each cause errors of about 1e-10
TOLERANCE = 1e-6

# Usual names for the gradient of {}, for a weight (or what holds weights), and for its gradient.
DERIVATIVE = "d{} _d{} d_{} {}_grad _{}_grad grad_{} {}_gradient gradient_{} g{} nabla_{}".split()
WEIGHTS = "params param parameters weights weight value data".split()
GRADIENTS = "grads grad gradients gradient".split()
CONTAINERS, CLOSED = (dict, list, tuple), (type, type(sys))  # closed: not looked into


@dataclass(frozen=True)
class Check:
    """The verdict on one tensor: its gradient by hand against the one by central differences."""

    name: str
    error: float  # max |by hand - by differences|, relative to the largest magnitude in either
    entries: int
    analytic: float  # by hand, at the entry where the two differ most
    numeric: float  # by differences, at the same entry
    passed: bool

    def __str__(self):
        line = f"{self.name:<24} {self.entries:>6} derivatives   relative error {self.error:.1e}   "
        wrong = f"WRONG: {self.analytic:.9g} by hand, {self.numeric:.9g} by differences"
        return line + ("ok" if self.passed else wrong)


def compare(name, analytic, numeric, tolerance=TOLERANCE, floor=1e-9):
    """Compare derivatives by hand with those by differences, relative to `floor` or more."""
    if analytic.shape != numeric.shape:
        raise ValueError(f"the gradient of {name} is {analytic.shape}, expected {numeric.shape}")
    analytic, numeric = (getattr(a, "get", a.copy)().ravel() for a in (analytic, numeric))
    difference = np.abs(analytic - numeric)
    worst = int(difference.argmax())  # the first NaN counts as the largest
    scale = max(np.abs(analytic).max(), np.abs(numeric).max(), floor)
    error = float(difference[worst] / scale)
    both = float(analytic[worst]), float(numeric[worst])
    return Check(name, error, analytic.size, *both, error < tolerance)


def check_layer(layer, x, rng, name="", h=STEP, tolerance=TOLERANCE, weights=None, ignore=()):
    """Check dx and the gradient of every weight of a layer, entry by entry.

    name      a prefix for the names of the tensors, "Linear." for instance
    weights   {"W": (array, function)} for weights not found by themselves; after a backward pass
              the function returns the layer's own gradient array, which is set to zero beforehand
    ignore    what is not learned, by its path in the layer: ("running_mean", "blocks.0.scale")

    Shapes:  x (any that the layer takes), float64
    Raises:  TypeError if x or a weight is not float64, or a pass returns no array; ValueError if y
             depends on an array without a gradient, if x is not finite, if a gradient has the wrong
             shape, if a pass changes its input or if two forward passes differ
    """
    if x.dtype != np.float64:
        raise TypeError(f"gradients are checked in float64, got x of {x.dtype}")
    if not bool(module_of(x).isfinite(x).all()):
        raise ValueError("x must be finite where gradients are checked")
    y = _run(layer, "forward", x)
    dy = module_of(x).asarray(rng.normal(size=y.shape))
    _run(layer, "backward", dy)  # now the layer holds all that its first passes create
    if not _equal(y, _run(layer, "forward", x), 1e-12):
        problem = "gave two different outputs for the same x: check it without random numbers"
        raise ValueError(f"{type(layer).__name__} {problem} and without updates of its weights")
    found = _find_weights(layer, x, dy, y, weights or {}, ignore)
    for weight, (W, gradient) in found.items():
        if not (_is_array(W) and _is_array(gradient())):
            raise TypeError(f"{weight} and its gradient must be arrays, got {W!r}, {gradient()!r}")
        if W.dtype != np.float64:
            raise TypeError(f"gradients are checked in float64, got {weight} of {W.dtype}")
        gradient()[...] = 0  # in case the layer adds to it
    _run(layer, "forward", x)
    tensors = {"x": (x.copy(), _run(layer, "backward", dy))}
    tensors |= {weight: (W, gradient().copy()) for weight, (W, gradient) in found.items()}
    x, checks = tensors["x"][0], []
    for n, (tensor, analytic) in tensors.items():
        numeric = by_differences(layer, x, tensor, dy, h)
        checks.append(compare(name + n, analytic, numeric, tolerance))
    return checks


def _run(layer, half, given):
    """A copy of what layer.forward or layer.backward returns: the next pass may overwrite it."""
    result = getattr(layer, half)(own := given.copy())
    if not hasattr(result, "shape"):
        raise TypeError(f"{half} must return one array, got {type(result).__name__}")
    if not _equal(given, own):
        raise ValueError(f"{type(layer).__name__} changed its input: work on a copy")
    return result.copy()


def by_differences(layer, x, tensor, dy, h):
    """dφ/dθ for every entry of the tensor, φ = Σ dy · layer.forward(x)."""
    numeric = module_of(tensor).empty_like(tensor)
    for place in np.ndindex(tensor.shape):
        middle = tensor[place].copy()
        tensor[place] = middle + h
        above = layer.forward(x).copy()
        tensor[place] = middle - h
        numeric[place] = (dy * (above - layer.forward(x))).sum() / (2 * h)
        tensor[place] = middle
    return numeric


def check_model(model, x, y, rng, directions=10, h=STEP, tolerance=TOLERANCE):
    """Check model.gradient for every named tensor, along random directions.

    Along u, which is random within one tensor and zero elsewhere, the derivative of the loss is
    g · u by hand and (L(w + h u) - L(w - h u)) / 2h by differences. A model is anything with w,
    params and grads by name, and gradient(x, y) -> (loss, anything), which fills grads.

    Raises:  TypeError if model.w is not float64
    """
    if model.w.dtype != np.float64:
        raise TypeError(f"gradients are checked in float64, got a model of {model.w.dtype}")
    model.gradient(x, y)
    checks, grads = [], {name: grad.copy() for name, grad in model.grads.items()}
    for name, W in model.params.items():
        g, middle, (analytic, numeric) = grads[name], W.copy(), np.empty((2, directions))
        for k in range(directions):
            u = module_of(W).asarray(rng.normal(size=W.shape))
            analytic[k] = (g * u).sum()
            for step in (h, h / 10, h / 100):  # smaller where a kink lies on the way
                W[...] = middle + step * u
                above, _ = model.gradient(x, y)
                W[...] = middle - step * u
                numeric[k] = (above - model.gradient(x, y)[0]) / (2 * step)
                if abs(analytic[k] - numeric[k]) <= tolerance * float((g**2).sum()) ** 0.5:
                    break
        W[...] = middle
        checks.append(compare(name, analytic, numeric, tolerance))
    return checks


# From here on: which of the arrays that a layer holds are its weights.
def _find_weights(layer, x, dy, y, named, ignore):
    """{name: (W, function that returns its gradient)}: those the caller named, then the others."""
    before, noise = _held(layer), np.random.default_rng(0).uniform(0, 1e-3, x.shape)
    # Other inputs, so close to x that they are valid if x is: what they change is no weight.
    _run(layer, "forward", x * (1 - module_of(x).asarray(noise)))
    between = _held(layer)
    _run(layer, "backward", -dy)
    steady = _unchanged(before, between)
    written = {id(between[n][3]) for n in between.keys() - steady.keys()} - {id(None)}
    steady = _unchanged(steady, _held(layer))
    ignored = {n for n in steady for part in ignore if f"{n}.".startswith(f"{part}.")}
    found, known = dict(named), [W for W, _ in named.values()] + [steady[n][1] for n in ignored]
    for n, (path, W, *_) in steady.items():
        place = next(_gradient_places(layer, path, steady), None)
        if place and not any(W is V for V in known) and _trial(layer, x, y, W, known) != "cache":
            found[n] = W, lambda place=place: _get(layer, place)
            known.append(W)
    rest = [n for n in steady if n not in ignored and id(steady[n][3]) not in written]
    if lost := [n for n in rest if _trial(layer, x, y, steady[n][1], known) == "matters"]:
        names = ", ".join(f'"{n}"' for n in lost)
        raise ValueError(
            f"{type(layer).__name__}.forward reads {names} without a gradient: name it, weights={{"
            f"name: (array, function that returns it)}}, or say that it is fixed, ignore=({names},)"
        )
    return found


def _trial(layer, x, y, W, known):
    """Alter W, except what it shares with known arrays: does y depend on it, or is it a cache?"""
    if not _is_array(W):
        return "setting"  # a number
    known = [(V, V.copy()) for V in known if _is_array(V)]
    saved, noise = W.copy(), np.random.default_rng(0).normal(size=W.shape)
    try:
        W[...] = saved + 10 * (1 + abs(saved)) * module_of(W).asarray(noise)
        for V, content in known:
            if not _equal(content, V):
                V[...] = content
        altered = W.copy()
        with np.errstate(all="ignore"):
            moved = not _equal(y, layer.forward(x.copy()), 1e-12)
        if not _equal(altered, W) and bool(((altered == W) | (saved == W)).all()):
            return "cache"  # forward put old values back
        return "matters" if moved else "unused"
    except Exception:  # W is read-only, or forward rejects what it reads there
        return "matters"
    finally:
        if not _equal(saved, W):
            W[...] = saved


def _gradient_places(layer, path, steady):
    """Yield the paths to what may be the gradient of the array at a path, the likeliest first."""
    *parents, last = path
    bases = [path, (*parents, "params", last), (*path, "params")]  # W: dW, grads["W"], W.grad
    bases += [(*parents[:-1], last) for p in parents[-1:] if p in WEIGHTS]  # params["W"]: dW
    places = [(*b[:-3], *tail) for b in bases for tail in product(*map(_names, b[-3:]))]
    if last == 0 and ".".join(map(str, (*parents, 1))) not in steady:
        places.append((*parents, 1))  # [W, dW]
    for place in places:
        try:
            if place not in bases and _is_float(_get(layer, place)):
                yield place
        except (AttributeError, LookupError, TypeError):
            continue


def _names(part):
    """What this part of a weight's path may be called in the path to its gradient."""
    forms = DERIVATIVE if isinstance(part, str) else []
    return [part, *(f.format(part.lstrip("_")) for f in forms), *GRADIENTS * (part in WEIGHTS)]


def _get(layer, path):
    for key in path:
        layer = layer[key] if isinstance(layer, CONTAINERS) else getattr(layer, key)
    return layer


def _held(layer):
    """{name: (path, array, copy, the object that holds it, None for a layer)}"""
    held, seen, queue = {}, {id(layer)}, [((), layer, None)]
    for path, thing, owner in queue:
        for key, value in _parts(thing):
            here = *path, key
            if _is_float(value):
                copy = value.copy() if _is_array(value) else np.float64(value)
                held[".".join(map(str, here))] = here, value, copy, owner
            elif not (id(value) in seen or _is_array(value) or isinstance(value, CLOSED)):
                seen.add(id(value))
                a_layer = hasattr(value, "forward") and hasattr(value, "backward")
                inside = owner if isinstance(value, CONTAINERS) else None if a_layer else value
                queue.append((here, value, inside))
    return held


def _parts(thing):
    """The (key, value) pairs that a container or an object holds."""
    if isinstance(thing, CONTAINERS):
        return thing.items() if isinstance(thing, dict) else enumerate(thing)
    slots = [n for parent in type(thing).__mro__ for n in vars(parent).get("__slots__", ())]
    found = {n: getattr(thing, n) for n in slots if hasattr(thing, n)}
    return (found | getattr(thing, "__dict__", {})).items()


def _unchanged(one, two):
    same = {n for n in one.keys() & two.keys() if one[n][1] is two[n][1]}
    return {n: held for n, held in one.items() if n in same and _equal(held[2], two[n][2])}


def _equal(a, b, tolerance=0):
    near = tolerance and abs(a - b) <= tolerance * abs(a).max()
    return bool(((a == b) | (a != a) | near).all())


def _is_array(a):
    return isinstance(a, np.ndarray) or type(a).__name__ == "ndarray"


def _is_float(a):
    return isinstance(a, (float, np.floating)) or (_is_array(a) and a.dtype.kind == "f")


def module_of(a):
    """The module that an array belongs to: numpy, or cupy, which this file need not import."""
    return np if isinstance(a, np.ndarray) else sys.modules[type(a).__module__.partition(".")[0]]
