"""A project with people; commands in processes of their own."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from taskmanager.core.configuration.settings import Settings
from tests.scene import scene
from tests.workers.processes import ROOT, environment

__all__ = ["scene"]


@pytest.fixture
def command(app: Any, settings: Settings) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs `taskmanager` with these words and settings that differ."""

    def command(*words: str, given: str = "", **changes: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "workers.cli", *words],
            cwd=ROOT,
            env=environment(settings, **changes),
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return command
