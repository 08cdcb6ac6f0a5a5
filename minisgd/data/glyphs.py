"""Built-in digits, drawn from matplotlib's fonts and distorted, for machines without a network.

Each digit of a font becomes a field of distances to its outline. An image reads the field at
distorted coordinates and inks what lies inside. Adding a number to the field thickens the stroke.
Not in the report: a stand-in for MNIST of the same size and mean grey, and about as difficult.
"""

from pathlib import Path

import numpy as np

from ..errors import UserError

RECIPE = 1  # raise it when a seed comes to draw other digits; those kept on disk are then redrawn
SIDE = 28  # of an image, in pixels
BODY = 20  # a digit's height, as in MNIST
FINE = 2  # field points per pixel
STROKE = 1.6  # pixels from the middle of a stroke to its edge
REACH = 4  # pixels; longer distances count as this one
KNOTS = 5  # smooth distortions are drawn on a KNOTS x KNOTS grid
CHUNK = 1000  # images drawn at a time, to bound the memory; each chunk has its own generator
# Fonts of symbols, or of boxes where digits should be.
NO_DIGITS = ("cmex", "cmsy", "LastResort", "STIXNonUni", "STIXSiz")
# Fonts that only the test set uses, so that memorising the training fonts is not enough.
TEST_ONLY = ("DejaVuSansMono-Oblique", "STIXGeneralBol", "cmti10")


def make(train=60_000, test=10_000, seed=0, log=None, bent=1.0):
    """Draw the digits. The same seed, fonts and library versions give the same digits.

    bent     how strongly they are turned, slanted, stretched and bent, over how MNIST's are

    Shapes:  -> train images uint8 (train, 28, 28), labels uint8 (train,), test images, test labels
    Raises:  UserError if matplotlib has no fonts
    """
    if log:
        log(f"drawing {train + test:,} digits from matplotlib's fonts")
    fonts = _fonts()
    fields = _fields(fonts)  # (fonts * 10, P, P)
    training_fonts = [f for f, font in enumerate(fonts) if font.stem not in TEST_ONLY]
    return (
        *_draw(train, fields, training_fonts, seed, 0, bent),
        *_draw(test, fields, range(len(fonts)), seed, 1, bent),
    )


def _draw(N, fields, fonts, seed, stream, bent):
    """N images in random order, as many of each class as N allows.

    Shapes:  -> uint8 (N, 28, 28), uint8 (N,)
    """
    # Stream and chunk are keys of the seed, so training and test images share no random numbers.
    order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream,)))
    labels = order.permutation(np.arange(N) % 10).astype(np.uint8)
    images = np.empty((N, SIDE, SIDE), dtype=np.uint8)
    for chunk, start in enumerate(range(0, N, CHUNK)):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream, chunk)))
        part = slice(start, min(start + CHUNK, N))
        which = rng.choice(fonts, size=part.stop - start) * 10 + labels[part]
        images[part] = _handwrite(fields, which, rng, bent)
    return images, labels


def _handwrite(fields, which, rng, bent):
    """The digits numbered `which` in the fields, each with a distortion of its own.

    Shapes:  fields (G, P, P), which (N,) -> uint8 (N, 28, 28)
    """
    N, P = len(which), fields.shape[1]

    def normal(spread, *shape):
        return rng.standard_normal((N, *shape), dtype=np.float32) * np.float32(spread)

    # Where each pixel reads the field: turned, slanted, scaled and shifted ...
    turn, slant = normal(0.13 * bent), normal(0.15 * bent)
    wide, high = np.exp(normal(0.12 * bent)), np.exp(normal(0.1 * bent))
    cos, sin = np.cos(turn), np.sin(turn)
    bend = np.array([[cos / wide, (sin + slant * cos) / wide], [-sin / high, cos / high]])
    pixel = np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2
    x = (pixel - normal(0.7, 1))[:, None, :]  # (N, 1, 28)
    y = (pixel - normal(0.7, 1))[:, :, None]  # (N, 28, 1)
    # ... and bent smoothly. A third smooth field makes the stroke thick here and thin there.
    smooth = _bumps()  # (28, KNOTS)
    dx, dy, dt = (smooth @ normal(s, KNOTS, KNOTS) @ smooth.T for s in (bent, bent, 0.3))
    (a, b), (c, d) = bend[..., None, None].astype(np.float32)
    middle = (P - 1) / 2
    u = np.clip((a * x + b * y + dx) * FINE + middle, 0, P - 1.01)  # (N, 28, 28)
    v = np.clip((c * x + d * y + dy) * FINE + middle, 0, P - 1.01)

    # The distance there, interpolated between the four nearest points of the field.
    left, top = u.astype(np.int32), v.astype(np.int32)
    u -= left
    v -= top
    at = which[:, None, None].astype(np.int32) * (P * P) + top * P + left
    flat = fields.ravel()
    above = flat[at] * (1 - u) + flat[at + 1] * u
    below = flat[at + P] * (1 - u) + flat[at + P + 1] * u
    depth = above * (1 - v) + below * v  # (N, 28, 28)

    # Ink is full inside, none outside, with a slope of `blur` pixels between, rough at the edges.
    blur = rng.uniform(0.8, 1.8, (N, 1, 1)).astype(np.float32)
    depth += dt + normal(0.25, 1, 1) + normal(0.15, SIDE, SIDE)
    ink = np.clip(depth / blur + 0.5, 0, 1)
    ink *= rng.uniform(0.9, 1, (N, 1, 1)).astype(np.float32)
    return (ink * 255 + 0.5).astype(np.uint8)


def _bumps():
    """Gaussian bumps, which turn KNOTS numbers into a smooth curve over the pixels.

    Shapes:  -> float32 (28, KNOTS)
    """
    pixel = np.linspace(0, KNOTS - 1, SIDE, dtype=np.float32)[:, None]
    return np.exp(-((pixel - np.arange(KNOTS, dtype=np.float32)) ** 2))


def _fonts():
    """The fonts with digits among those that come with matplotlib, sorted by name."""
    # Imported here because reading kept digits, or MNIST, must not wait for matplotlib.
    from ..drawing import load_matplotlib

    load_matplotlib()
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    files = sorted(folder.glob("*.ttf"))
    fonts = [f for f in files if not f.stem.startswith(NO_DIGITS) and "Display" not in f.stem]
    if not any(font.stem not in TEST_ONLY for font in fonts):
        raise UserError(
            f"no fonts to draw digits from in {folder}; use MNIST or reinstall matplotlib"
        )
    return fonts


def _fields(fonts):
    """The signed distance to each digit's outline, positive inside.

    Shapes:  F fonts -> float32 (F * 10, P, P) with P = 28 FINE; font f's digit k is f * 10 + k
    Units:   pixels
    """
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    P = SIDE * FINE
    inside = np.empty((len(fonts) * 10, P, P), dtype=bool)
    renderer = RendererAgg(P, P, 72)
    gc = renderer.new_gc()
    gc.set_linewidth(0)
    for f, font in enumerate(fonts):
        for k in range(10):
            path = TextPath((0, 0), str(k), size=100, prop=FontProperties(fname=str(font)))
            box = path.get_extents()
            scale = BODY * FINE / max(box.width, box.height)
            place = Affine2D().translate(-(box.x0 + box.x1) / 2, -(box.y0 + box.y1) / 2)
            renderer.clear()
            renderer.draw_path(gc, path, place.scale(scale).translate(P / 2, P / 2), (0, 0, 0))
            inside[f * 10 + k] = np.asarray(renderer.buffer_rgba())[..., 3] > 127
    # The outline runs between two points of the field, half a step from each.
    within = np.maximum(_distance_to(~inside) - 0.5, 0)
    beyond = np.maximum(_distance_to(inside) - 0.5, 0)
    depth = (within - beyond) / FINE
    # Every stroke is brought half-way to STROKE: thin fonts do not break up, bold ones do not clog.
    return depth + (STROKE - depth.max(axis=(1, 2), keepdims=True)) / 2


def _distance_to(target):
    """The distance from every point to the nearest True, at most REACH pixels.

        distance(y, x) = min over (dy, dx) of sqrt(dy^2 + dx^2)

    The minimum is taken along one axis and then along the other.

    Shapes:  bool (G, P, P) -> float32 (G, P, P)
    Units:   field points
    """
    R = REACH * FINE
    squared = np.where(target, np.float32(0), np.float32(R * R))
    for axis in (1, 2):
        pad = [(0, 0), (0, 0), (0, 0)]
        pad[axis] = (R, R)
        padded = np.pad(squared, pad, constant_values=R * R)
        n = squared.shape[axis]
        for step in range(-R, R + 1):
            shifted = padded[(slice(None),) * axis + (slice(R + step, R + step + n),)]
            np.minimum(squared, shifted + np.float32(step * step), out=squared)
    return np.sqrt(squared)
