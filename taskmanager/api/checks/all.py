"""All checks of the report for operators, and their results as metrics."""

from collections.abc import Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily

from taskmanager.api.checks.machine import MACHINE_CHECKS
from taskmanager.api.checks.measured import HealthChecks, Status
from taskmanager.api.checks.processes import PROCESS_CHECKS
from taskmanager.api.checks.servers import SERVER_CHECKS
from taskmanager.core.locking.made_once import made_once

_NUMBERS: dict[Status, int] = {"pass": 0, "warn": 1, "fail": 2}


@made_once
def health_checks() -> HealthChecks:
    """Return the checks of this process; made at the first use, so after a fork."""
    return HealthChecks((*SERVER_CHECKS, *PROCESS_CHECKS, *MACHINE_CHECKS))


def families() -> Iterator[Any]:
    """Yield the status of each check, and what it has measured when that is a number."""
    names = ["check", "component"]
    statuses = GaugeMetricFamily("taskmanager_check_status", "0 passes, 1 warns, 2 fails", labels=names)
    values = GaugeMetricFamily("taskmanager_check_value", "What a check has measured, in its unit", labels=names)
    seen: dict[tuple[str, str], int] = {}
    for one in health_checks().run():
        key = (one.key, one.name)
        seen[key] = max(seen.get(key, 0), _NUMBERS[one.status])
        if isinstance(one.value, int | float):
            values.add_metric(list(key), one.value)
    for key, number in seen.items():
        statuses.add_metric(list(key), number)
    yield from (statuses, values)
