"""Limits of what operators are shown, as long as a busy machine needs: in production they are a second and less.

A conftest imports the fixture for the tests of its folder; a test of a limit sets its own.
"""

from collections.abc import Iterator

import pytest

from taskmanager.api import metrics
from taskmanager.api.checks import machine, measured, processes, servers
from taskmanager.core.events import outcome_counters, queue_report
from taskmanager.ops import figures, work

_ONE, _ALL = 5.0, 10.0  # seconds for one server, and for all that is read at once
_LIMITS = {
    metrics: {"_DATABASE_SECONDS": _ONE, "_QUEUE_SECONDS": _ONE, "_SECONDS": _ALL},
    measured: {"_SECONDS": _ALL},
    **{module: {"_SECONDS": _ONE} for module in (machine, processes, servers, figures, work)},
    **{module: {"_WAIT_SECONDS": _ONE} for module in (outcome_counters, queue_report)},
}


@pytest.fixture(scope="module", autouse=True)
def patience() -> Iterator[None]:
    """Not by `monkeypatch`, whose tests are skipped where other processes answer (`tests/gateway/through.py`)."""
    with pytest.MonkeyPatch.context() as patch:
        for module, limits in _LIMITS.items():
            for name, seconds in limits.items():
                patch.setattr(module, name, seconds)
        yield
