"""Checks of a system with thresholds, in the format of draft-inadarei-api-health-check.

Each is bounded to a second; all run in parallel, and their results are reused for a moment.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import structlog

from taskmanager.api.checks.bounded_reads import BoundedReads
from taskmanager.core.clock import iso, now
from taskmanager.core.configuration import settings
from taskmanager.core.security.redaction import redact

log = structlog.get_logger("taskmanager.health")

Status = Literal["pass", "warn", "fail"]
_ORDER: tuple[Status, ...] = ("pass", "warn", "fail")
_SECONDS = 1.0
_FRESH_SECONDS = 2.0


@dataclass(frozen=True)
class Measured:
    """One value of a component: `key` is `component:measurement`, `name` tells several of one key apart."""

    key: str
    value: float | str | None = None
    unit: str = ""
    status: Status = "pass"
    output: str = ""
    name: str = ""

    def member(self, at: str) -> dict[str, Any]:
        """Return the object of the draft, section 4; empty members are left out."""
        found = {
            "componentId": self.name,
            "observedValue": self.value,
            "observedUnit": self.unit,
            "status": self.status,
            "time": at,
            "output": redact(self.output),
        }
        return {name: value for name, value in found.items() if value not in ("", None)}


def above(key: str, value: float, unit: str, *, warn: float, fail: float = float("inf"), name: str = "") -> Measured:
    """Return a value that is a warning from `warn` on, and a failure from `fail` on."""
    status: Status = "fail" if value >= fail else "warn" if value >= warn else "pass"
    bound = fail if status == "fail" else warn
    output = "" if status == "pass" else f"{round(value, 2)} {unit} is not below {bound:g} {unit}."
    return Measured(key, round(value, 3), unit, status, output, name)


def worst(statuses: Iterable[Status]) -> Status:
    """Return the worst of these."""
    return max(statuses, key=_ORDER.index, default="pass")


@dataclass(frozen=True)
class HealthCheck:
    """A function that measures one component; an exception, or a second without a result, has the status `away`."""

    key: str
    measure: Callable[[], Iterable[Measured]]
    away: Status = "fail"


@dataclass
class HealthChecks:
    """Runs checks in threads of its own, and keeps the results of the last run for two seconds."""

    checks: Sequence[HealthCheck]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _found: list[Measured] = field(default_factory=list)
    _until: float = 0.0
    _made_of: object = None

    def __post_init__(self) -> None:
        self._reads = BoundedReads({check.key: partial(_listed, check) for check in self.checks}, "health")

    def forget(self) -> None:
        """Let the next run measure anew."""
        self._until = 0.0

    def run(self) -> list[Measured]:
        """Return what the checks have measured; takes a second at most."""
        with self._lock:
            chosen = settings.current()
            if time.monotonic() >= self._until or self._made_of is not chosen:
                self._made_of = chosen
                self._found = self._measure()
                self._until = time.monotonic() + _FRESH_SECONDS
            return self._found

    def _measure(self) -> list[Measured]:
        found = self._reads.start(_SECONDS).results()
        return [one for check in self.checks for one in found.get(check.key, [_late(check)])]


def _late(check: HealthCheck) -> Measured:
    return Measured(check.key, status=check.away, output="This check took longer than a second.")


def _listed(check: HealthCheck) -> list[Measured]:
    try:
        return list(check.measure())
    except Exception as error:
        log.info("a check failed", check=check.key, error=type(error).__name__)
        return [Measured(check.key, status=check.away, output=f"This cannot be read: {type(error).__name__}.")]


def members(found: Iterable[Measured]) -> dict[str, list[dict[str, Any]]]:
    """Return {component:measurement: [values]}."""
    at, grouped = iso(now()), dict[str, list[dict[str, Any]]]()
    for one in found:
        grouped.setdefault(one.key, []).append(one.member(at))
    return grouped
