import pytest
from made_up_runs import MadeUp


@pytest.fixture
def kept(tmp_path):
    return MadeUp(tmp_path)
