"""The question whether everything was reached comes after all tests that reach something."""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
LAST = "test_reached.py"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Move the question behind all tests."""
    items.sort(key=lambda item: item.path.name == LAST and item.path.parent == FOLDER)


@pytest.fixture
def is_whole(request) -> bool:
    """Whether all modules of this folder were collected, none of their tests left out."""
    collected = {item.path for item in request.session.items}
    return {*FOLDER.glob("test_*.py")} <= collected and not request.config.getoption("keyword")
