"""Built-in digits: drawn from matplotlib's fonts, then written badly, so that no network is needed.

Each font's digit becomes a field of distances to its outline. An image looks that field up at
bent coordinates and inks what lies inside: the weight of the stroke is then one added number.
Not in the report: a stand-in for MNIST, with its size, its mean grey and about its difficulty.
"""

from pathlib import Path

import numpy as np

from ..errors import UserError

RECIPE = 1  # raise it when the same seed gives other digits: what is kept on disk is then redrawn
SIDE = 28  # of an image, in pixels
BODY = 20  # a digit's height, as in MNIST
FINE = 2  # field points a pixel
STROKE = 1.6  # pixels from the middle of a stroke to its edge
REACH = 4  # pixels beyond which distances are not told apart
KNOTS = 5  # the bending is drawn on a KNOTS x KNOTS grid
CHUNK = 1000  # images drawn at once, from one generator each: memory stays small
# Fonts of symbols, or of boxes where digits should be.
NO_DIGITS = ("cmex", "cmsy", "LastResort", "STIXNonUni", "STIXSiz")
# Fonts that only the test set shows, so that it asks for more than memory.
TEST_ONLY = ("DejaVuSansMono-Oblique", "STIXGeneralBol", "cmti10")


def make(train=60_000, test=10_000, seed=0, log=None):
    """Draw the digits: the same for the same seed, fonts and library versions.

    Shapes:  -> train images uint8 (train, 28, 28), labels uint8 (train,), test images, test labels
    Raises:  UserError if matplotlib has no fonts
    """
    if log:
        log(f"drawing {train + test:,} digits from matplotlib's fonts")
    fonts = _fonts()
    fields = _fields(fonts)  # (fonts * 10, P, P)
    seen = [f for f, font in enumerate(fonts) if font.stem not in TEST_ONLY]
    return (
        *_draw(train, fields, seen, seed, stream=0),
        *_draw(test, fields, range(len(fonts)), seed, stream=1),
    )


def _draw(N, fields, fonts, seed, stream):
    """N images in a shuffled order, the classes as equal in number as N allows."""
    # The streams and their chunks are keys of one seed: no draw is shared between train and test.
    order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream,)))
    labels = order.permutation(np.arange(N) % 10).astype(np.uint8)
    images = np.empty((N, SIDE, SIDE), dtype=np.uint8)
    for chunk, start in enumerate(range(0, N, CHUNK)):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream, chunk)))
        part = slice(start, min(start + CHUNK, N))
        which = rng.choice(fonts, size=part.stop - start) * 10 + labels[part]
        images[part] = _write(fields, which, rng)
    return images, labels


def _write(fields, which, rng):
    """Digits number `which` in a new hand each.

    Shapes:  fields (G, P, P), which (N,) -> uint8 (N, 28, 28)
    """
    N, P = len(which), fields.shape[1]

    def normal(spread, *shape):
        return rng.standard_normal((N, *shape), dtype=np.float32) * np.float32(spread)

    # Where each pixel looks in the field: turned, slanted, scaled, shifted...
    turn, slant = normal(0.13), normal(0.15)
    wide, high = np.exp(normal(0.12)), np.exp(normal(0.1))
    cos, sin = np.cos(turn), np.sin(turn)
    bend = np.array([[cos / wide, (sin + slant * cos) / wide], [-sin / high, cos / high]])
    pixel = np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2
    x = (pixel - normal(0.7, 1))[:, None, :]  # (N, 1, 28)
    y = (pixel - normal(0.7, 1))[:, :, None]  # (N, 28, 1)
    # ...and bent smoothly; a third smooth field makes the stroke thick here and thin there.
    smooth = _smooth()  # (28, KNOTS)
    dx, dy, dt = (smooth @ normal(s, KNOTS, KNOTS) @ smooth.T for s in (1.0, 1.0, 0.3))
    (a, b), (c, d) = bend[..., None, None].astype(np.float32)
    middle = (P - 1) / 2
    u = np.clip((a * x + b * y + dx) * FINE + middle, 0, P - 1.01)  # (N, 28, 28)
    v = np.clip((c * x + d * y + dy) * FINE + middle, 0, P - 1.01)

    # The distance there, between the four nearest points of the field.
    left, top = u.astype(np.int32), v.astype(np.int32)
    u -= left
    v -= top
    at = which[:, None, None].astype(np.int32) * (P * P) + top * P + left
    flat = fields.ravel()
    above = flat[at] * (1 - u) + flat[at + 1] * u
    below = flat[at + P] * (1 - u) + flat[at + P + 1] * u
    depth = above * (1 - v) + below * v  # (N, 28, 28)

    # Ink: full inside, none outside, a slope of `blur` pixels between, rough at the edges.
    blur = rng.uniform(0.8, 1.8, (N, 1, 1)).astype(np.float32)
    depth += dt + normal(0.25, 1, 1) + normal(0.15, SIDE, SIDE)
    ink = np.clip(depth / blur + 0.5, 0, 1)
    ink *= rng.uniform(0.9, 1, (N, 1, 1)).astype(np.float32)
    return (ink * 255 + 0.5).astype(np.uint8)


def _smooth():
    """Bumps that turn KNOTS numbers into a smooth line over the pixels.  Shapes: -> (28, KNOTS)"""
    pixel = np.linspace(0, KNOTS - 1, SIDE, dtype=np.float32)[:, None]
    return np.exp(-((pixel - np.arange(KNOTS, dtype=np.float32)) ** 2))


def _fonts():
    """The fonts that matplotlib brings along and that have digits, sorted by name."""
    # Not at the top: reading kept digits, or MNIST, must not wait for matplotlib.
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    files = sorted(folder.glob("*.ttf"))
    fonts = [f for f in files if not f.stem.startswith(NO_DIGITS) and "Display" not in f.stem]
    if not any(font.stem not in TEST_ONLY for font in fonts):
        raise UserError(f"no fonts to draw digits from in {folder}; use MNIST or mend matplotlib")
    return fonts


def _fields(fonts):
    """Signed distance to each digit's outline in pixels, positive inside.

    Shapes:  fonts F -> float32 (F * 10, P, P) with P = 28 FINE; font f's digit k is f * 10 + k
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
    # Between two points of the field runs the outline, half a step from each.
    depth = (np.maximum(_far(~inside) - 0.5, 0) - np.maximum(_far(inside) - 0.5, 0)) / FINE
    # Thin fonts gain and bold ones lose, half-way to STROKE, so that few lines break or clot.
    return depth + (STROKE - depth.max(axis=(1, 2), keepdims=True)) / 2


def _far(target):
    """Distance to the nearest True in field points, at most REACH pixels.

    (y, x) -> min over dy, dx of sqrt(dy^2 + dx^2): first along one axis, then along the other.
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
