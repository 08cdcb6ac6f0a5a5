import pytest

from minisgd.data import Dataset, Split


def fewer(whole, train, test):
    """The dataset with only its first images."""
    parts = [
        Split(split.images[:n], split.labels[:n])
        for split, n in ((whole.train, train), (whole.test, test))
    ]
    return Dataset(whole.name, *parts, "few", "made for this test")


@pytest.fixture(scope="session")
def data(small_data):
    """400 + 80 images."""
    return fewer(small_data, 400, 80)


@pytest.fixture(scope="session")
def fewer_data(small_data):
    """200 + 40 images."""
    return fewer(small_data, 200, 40)
