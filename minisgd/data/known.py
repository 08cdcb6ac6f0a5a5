"""The published datasets, one entry each. This module does not import NumPy.

To add a dataset of 28 x 28 images in ten classes, add an entry to KNOWN. Its name on the command
line, its title in figures and its normalisation follow from the entry. Its four files must have
the names of MNIST's (FILES). Two commands print what the entry needs: `sha256sum` of each unpacked
file, and `python cli.py data --dataset idx --data-dir DIR` for the mean and the deviation.
"""

from dataclasses import dataclass

# In the order in which the digests are listed: training images and labels, then test.
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
# The mean and the deviation for every dataset that has no constants of its own.
MNIST_PIXELS = (0.1307, 0.3081)


@dataclass(frozen=True)
class Known:
    """A published dataset.

    digests  SHA-256 of the four unpacked FILES, in their order
    mirrors  base addresses ending in "/", the preferred one first
    folders  where operating systems keep it
    package  of Debian and Ubuntu, which puts it there
    title    its name in figures and tables
    pixels   mean and standard deviation of the training images, with which images are normalised
    Units:   pixels run from 0 (black) to 1 (white)
    """

    digests: tuple
    mirrors: tuple = ()
    folders: tuple = ()
    package: str = ""
    title: str = ""
    pixels: tuple = MNIST_PIXELS


KNOWN = {
    "mnist": Known(
        title="MNIST",
        pixels=MNIST_PIXELS,
        digests=(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
    ),
    "fashion-mnist": Known(
        title="Fashion-MNIST",
        pixels=(0.2860, 0.3530),
        digests=(
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
        # The project's own server does not speak TLS: here the digests are the only protection.
        mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
        folders=("/usr/share/datasets/fashion-mnist",),
        package="dataset-fashion-mnist",
    ),
}


# The built-in digits: what glyphs.make is asked for. Those that are bent take more than 60,000 to
# learn.
GLYPHS = {
    "glyphs": {},
    "bent-glyphs": {"bent": 1.5},
    "bent-glyphs-240000": {"train": 240_000, "bent": 1.5},
    "bent-glyphs-960000": {"train": 960_000, "bent": 1.5},
}


def dataset_names(known=KNOWN):
    """The names that `load_dataset` accepts: known datasets, built-in digits, a user's files."""
    return ("auto", *known, *GLYPHS, "idx")


def dataset_title(name):
    """The name of a dataset in figures and tables: its title, or its own name if it has none."""
    title = KNOWN[name].title if name in KNOWN else ""
    return title or name


NAMES = dataset_names()
