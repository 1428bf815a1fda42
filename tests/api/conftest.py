"""One played town for all tests that only read."""

from __future__ import annotations

import pytest
from tests.api.served import make_town


@pytest.fixture(scope="package")
def town(tmp_path_factory):
    """A town that no test changes."""
    return make_town(tmp_path_factory.mktemp("town"))


@pytest.fixture
def own_town(tmp_path):
    """A town for one test, to be changed."""
    return make_town(tmp_path)
