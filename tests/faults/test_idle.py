"""The log of a service at rest: at most ten lines an hour of all its processes."""

import time

import pytest

from taskmanager.core.events.schedule import PERIODIC_JOBS
from tests.faults.conftest import logged_in
from tests.faults.stack import Stack

MAX_LINES_AN_HOUR = 10
_OF_A_BUSY_MACHINE = '"log.level":"warning"'  # slow queries, and servers that do not respond in time
_QUIET_SECONDS = 12.0  # RQ would log every 5 seconds, a retry of a server every second

pytestmark = pytest.mark.timeout(300)


def test_processes_that_have_nothing_to_do_write_nothing(stack: Stack):
    logged_in(stack, "relay", "worker", "scheduler", "stream")
    stack.delivered()
    roles = ("web", "relay", "worker", "scheduler", "stream")

    def lines() -> dict[str, list[str]]:
        written = {name: stack.processes[name].log.read_text().splitlines() for name in roles}
        return {name: [line for line in found if _OF_A_BUSY_MACHINE not in line] for name, found in written.items()}

    before, since = lines(), time.monotonic()
    while time.monotonic() - since < _QUIET_SECONDS:
        if (found := lines()) != before and time.monotonic() - since < _QUIET_SECONDS / 2:
            before = found  # the last of what the start caused, such as the first runs of periodic jobs
        time.sleep(0.5)  # between two looks
    assert {name: after[len(before[name]) :] for name, after in lines().items()} == {name: [] for name in roles}


def test_periodic_jobs_that_find_nothing_write_little(app, capsys):
    an_hour = {}
    for job in PERIODIC_JOBS.values():
        capsys.readouterr()
        job()
        lines = [line for line in capsys.readouterr().out.splitlines() if "[debug" not in line]
        an_hour[job.name] = len(lines) * 3600 / job.seconds
    assert len(an_hour) >= 10
    assert sum(an_hour.values()) <= MAX_LINES_AN_HOUR, an_hour
