"""Say which tests use the most CPU: `make test ARGS="-p tests.cpu"`.

Seconds of other work on the machine do not count, as they do in `--durations`. For each test the CPU of its own process
and that of all processes below it (servers, workers, commands) are added; what a server of the whole run does for it
(MongoDB, Valkey) is told in the last line only.
"""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

_SHOWN = 25
_NAME = "cpu seconds"


def _seconds() -> float:
    """CPU of this process and of those below it, whether they have ended or not."""
    times = os.times()
    ended = times.children_user + times.children_system
    return times.user + times.system + ended + sum(map(_of, psutil.Process().children(recursive=True)))


def _of(process: psutil.Process) -> float:
    try:
        return float(sum(process.cpu_times()[:4]))
    except psutil.NoSuchProcess:
        return 0.0


_before = pytest.StashKey[float]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    item.stash[_before] = _seconds()
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Count once for the whole test: to look for the processes below this one takes a millisecond or two."""
    try:
        return (yield)
    finally:
        item.user_properties.append((_NAME, round(_seconds() - item.stash[_before], 3)))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Called at the end, in the process that collects the reports of all others."""
    tests, files = Counter[str](), Counter[str]()
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        if getattr(report, "when", "") == "teardown":
            spent = sum(value for name, value in report.user_properties if name == _NAME)
            tests[report.nodeid] += spent
            files[report.nodeid.partition("::")[0]] += spent
    for what, counted in {"files": files, "tests": tests}.items():
        terminalreporter.section(f"CPU seconds of {what}")
        for name, spent in counted.most_common(_SHOWN):
            terminalreporter.line(f"{spent:7.1f}  {name}")
    terminalreporter.line(
        f"{sum(tests.values()):7.1f}  all tests; {_seconds():.0f} with starting, collecting and servers"
    )
