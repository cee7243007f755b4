"""Fixtures that several folders share; they are written in modules of their own."""

import pytest

from taskmanager.api.checks.all import health_checks
from tests.scene import scene
from tests.web_server import server

__all__ = ["scene", "server"]


@pytest.fixture(autouse=True)
def _fresh_checks():
    """Results of the checks of health are reused for a moment, also by the next test."""
    health_checks.cache_clear()
