"""A test that changes this process for the tests after it fails: they would pass or fail by their order."""

import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

import structlog

from taskmanager.core import clock, registry
from taskmanager.core.configuration import settings
from taskmanager.core.security import access
from taskmanager.core.servers import server_checks
from taskmanager.extensions import limiter
from taskmanager.features.users.signup import policy

_SHOWN = 300  # characters
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1)


def state() -> dict[str, Any]:
    """What all tests of this process share, besides the data of the servers."""
    return _process() | (_application() if registry.is_loaded() else {})


def _process() -> dict[str, Any]:
    return {
        "os.environ": {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"},
        "the working directory": Path.cwd(),
        "sys.path": list(sys.path),
        "signal handlers": {number.name: signal.getsignal(number) for number in _SIGNALS},
        "structlog": structlog.get_config() | {"processors": list(structlog.get_config()["processors"])},
        "the level of the log": logging.getLogger().level,
        "the check of migrations": server_checks._migrations,
    }


def _application() -> dict[str, Any]:
    """What an application sets in its process; nothing before the first one is made."""
    return {
        "the settings": settings.effective(),
        "the registry": registry.current(),
        "the loaders of access": vars(access.loaders).copy(),
        "the loaders of sign-up": vars(policy.loaders).copy(),
        "the switch of the limiter": limiter.enabled,
        "the clock": clock.follows_database,
    }


def differences(before: dict[str, Any]) -> list[str]:
    """What is not as it was `before`, in words."""
    now = state()
    return [
        f"{name}: {str(before[name])[:_SHOWN]} → {str(now.get(name))[:_SHOWN]}"
        for name in before
        if before[name] != now.get(name)
    ]
