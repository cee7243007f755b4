"""The log of a service at rest: at most ten lines an hour of all its processes."""

import time

import pytest

from taskmanager.core.events.schedule import PERIODIC_JOBS
from tests.faults.conftest import logged_in
from tests.faults.stack import Stack

MAX_LINES_AN_HOUR = 10
_OF_A_BUSY_MACHINE = '"log.level":"warning"'  # slow queries, and servers that do not respond in time
_QUIET_SECONDS = 12.0  # RQ would log every 5 seconds, a retry of a server every second
_MAX_SECONDS = 90.0  # in which the last of what the start causes comes, such as the first runs of periodic jobs

pytestmark = pytest.mark.timeout(300)


def test_processes_that_have_nothing_to_do_write_nothing(stack: Stack):
    logged_in(stack, "relay", "worker", "scheduler", "stream")
    stack.delivered()
    roles = ("web", "relay", "worker", "scheduler", "stream")

    def lines() -> dict[str, list[str]]:
        written = {name: stack.processes[name].log.read_text().splitlines() for name in roles}
        return {name: [line for line in found if _OF_A_BUSY_MACHINE not in line] for name, found in written.items()}

    began = since = time.monotonic()
    before = lines()
    while time.monotonic() - since < _QUIET_SECONDS:
        time.sleep(0.5)  # between two looks
        if (found := lines()) != before:
            assert time.monotonic() - began < _MAX_SECONDS, {name: found[name][len(before[name]) :] for name in roles}
            before, since = found, time.monotonic()


def test_periodic_jobs_that_find_nothing_write_little(app, capsys):
    an_hour = {}
    for job in PERIODIC_JOBS.values():
        capsys.readouterr()
        job()
        said = capsys.readouterr().out.splitlines()
        lines = [line for line in said if not any(sign in line for sign in ("[debug", "slow query"))]
        an_hour[job.name] = len(lines) * 3600 / job.seconds
    assert len(an_hour) >= 10
    assert sum(an_hour.values()) <= MAX_LINES_AN_HOUR, an_hour
