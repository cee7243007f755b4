"""A project with people; the command `taskmanager`."""

from typing import Any

import pytest

from taskmanager.core.configuration.settings import Settings
from tests.patience import patience
from tests.scene import scene
from tests.terminal import Terminal

__all__ = ["patience", "scene"]


@pytest.fixture
def command(app: Any, settings: Settings) -> Terminal:
    """Runs `taskmanager` with these words and settings that differ."""
    return Terminal(settings)
