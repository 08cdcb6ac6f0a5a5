"""The built-in digits: the same every time, MNIST's statistics, and something to learn."""

import subprocess
import sys

import numpy as np
import pytest

from minisgd.data import glyphs
from minisgd.errors import UserError


@pytest.fixture(scope="module")
def drawn():
    return glyphs.make(train=1500, test=500)


def test_shapes_types_and_balance(drawn):
    train_images, train_labels, test_images, test_labels = drawn
    assert train_images.shape == (1500, 28, 28) and test_images.shape == (500, 28, 28)
    assert {array.dtype for array in drawn} == {np.dtype(np.uint8)}
    np.testing.assert_array_equal(np.bincount(train_labels), [150] * 10)
    np.testing.assert_array_equal(np.bincount(test_labels), [50] * 10)
    # Shuffled: no run of one class, and not 0 to 9 over and over.
    assert (np.diff(train_labels.astype(int)) == 1).mean() < 0.2


def test_the_classes_stay_balanced_beyond_a_byte(monkeypatch):
    """uint8 labels must not be counted in uint8."""
    monkeypatch.setattr(glyphs, "_handwrite", lambda *_: 0)
    labels = glyphs._draw(60_000, np.zeros((10, 4, 4)), [0], seed=0, stream=0, bent=1.0)[1]
    np.testing.assert_array_equal(np.bincount(labels), [6000] * 10)


def test_the_same_seed_draws_the_same_digits_and_another_does_not(drawn):
    again, other = glyphs.make(train=1500, test=500), glyphs.make(train=200, test=100, seed=1)
    for first, second in zip(drawn, again, strict=True):
        np.testing.assert_array_equal(first, second)
    assert (drawn[0][:200] != other[0]).any(axis=(1, 2)).mean() > 0.99


def test_no_test_image_is_a_training_image(drawn):
    seen = {image.tobytes() for image in drawn[0]}
    assert len(seen) == 1500
    assert not seen & {image.tobytes() for image in drawn[2]}


def test_the_normalisation_of_mnist_fits(drawn):
    for images in (drawn[0], drawn[2]):
        assert abs(images.mean() / 255 - 0.1307) < 0.01
        assert abs((images / 255).std() - 0.3081) < 0.03
        assert (images == 0).mean() > 0.7  # white on black
        assert images[:, (0, -1)].mean() < 3 and images[:, :, (0, -1)].mean() < 3  # and centred


def test_every_image_shows_something(drawn):
    ink = drawn[0].reshape(1500, -1).max(axis=1)
    assert (ink > 128).mean() > 0.99


def test_the_digits_can_be_told_apart_but_not_by_one_template_each(drawn):
    """The nearest class mean finds most of them; it is no easy data set either."""
    x, y = drawn[0].reshape(1500, -1) / 255, drawn[1]
    means = np.array([x[y == k].mean(axis=0) for k in range(10)])  # (10, 784)
    distance = ((drawn[2].reshape(500, 1, -1) / 255 - means) ** 2).sum(axis=2)
    accuracy = (distance.argmin(axis=1) == drawn[3]).mean()
    assert 0.5 < accuracy < 0.9


def test_some_fonts_are_in_the_test_set_alone(monkeypatch):
    seen = {}

    def draw(N, fields, fonts, seed, stream, bent):
        seen[stream] = set(fonts)
        return (None, None)

    monkeypatch.setattr(glyphs, "_fields", lambda fonts: None)
    monkeypatch.setattr(glyphs, "_draw", draw)
    glyphs.make()
    assert seen[0] < seen[1] and len(seen[1] - seen[0]) == len(glyphs.TEST_ONLY)


def test_symbol_fonts_are_left_out():
    names = {font.stem for font in glyphs._fonts()}
    assert {"DejaVuSans", "cmr10", "STIXGeneral"} <= names
    assert not {name for name in names if name.startswith(("cmex", "cmsy", "STIXSiz", "Last"))}


def test_distances_are_those_of_the_definition():
    rng = np.random.default_rng(0)
    target = rng.random((2, 9, 11)) < 0.04
    target[:, 4, 5] = True
    far = glyphs._distance_to(target)
    for image in range(2):
        ys, xs = np.nonzero(target[image])
        for y in range(9):
            for x in range(11):
                nearest = np.sqrt(((ys - y) ** 2 + (xs - x) ** 2).min())
                assert far[image, y, x] == pytest.approx(
                    min(nearest, glyphs.REACH * glyphs.FINE), abs=1e-6
                )


def test_without_fonts_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr("matplotlib.get_data_path", lambda: str(tmp_path))
    with pytest.raises(UserError, match="no fonts to draw digits from"):
        glyphs.make(train=1, test=1)


def test_it_says_what_it_does(monkeypatch):
    monkeypatch.setattr(glyphs, "_fields", lambda fonts: None)
    monkeypatch.setattr(glyphs, "_draw", lambda *args, **kinds: (None, None))
    said = []
    glyphs.make(train=10, test=0, log=said.append)
    assert said == ["drawing 10 digits from matplotlib's fonts"]


def test_importing_the_room_does_not_import_matplotlib():
    code = "import sys, minisgd.data.glyphs; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_bent_digits_are_harder_and_the_others_as_they_were():
    """Bent by half as much again they are further from the mean image of their class."""

    def spread(bent):
        images, labels, *_ = glyphs.make(train=500, test=10, bent=bent)
        x = images.reshape(len(images), -1) / 255
        means = np.stack([x[labels == k].mean(axis=0) for k in range(10)])
        return ((x - means[labels]) ** 2).sum(axis=1).mean()

    plain, bent = spread(1.0), spread(1.5)
    assert bent > 1.1 * plain
