"""Lines of the log: the service's own, which go past the standard library, have the form of those of libraries."""

import json
from pathlib import Path

import pytest

from taskmanager import __version__
from tests import forked

ALWAYS = {"ecs.version": "8.11.0", "service.name": "taskmanager", "service.version": __version__}
CODE = """
import logging, structlog
from config import logging as ours
from config.settings import load
from taskmanager.core.configuration import settings
settings.use(load())
ours.configure(settings.current())
{step}
"""


def lines_of(step, tmp_path, **environment):
    environment = {"TASKMANAGER_DATA_DIR": str(tmp_path), **environment}
    ran = forked.run(["-c", CODE.format(step=step)], environment=environment, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_both_ways_write_the_same_members(tmp_path):
    ours = "structlog.get_logger('a').warning('said', moment=object, password='x')"
    theirs = "logging.getLogger('a').warning('said')"
    one, other = lines_of(f"{ours}\n{theirs}", tmp_path)
    assert (one.pop("moment"), one.pop("password")) == ("<class 'object'>", "[hidden]")
    assert one.pop("@timestamp") <= other.pop("@timestamp")
    assert one == other == {"message": "said", "log.level": "warning", "log.logger": "a", **ALWAYS}


def test_an_exception_is_in_its_line(tmp_path):
    step = "try: 1 / 0\nexcept ArithmeticError: structlog.get_logger('a').exception('failed')"
    [line] = lines_of(step, tmp_path)
    assert line["log.level"] == "error"
    assert line["error.stack_trace"].endswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize(("level", "written"), [("INFO", ["info", "error"]), ("WARNING", ["error"])])
def test_events_below_the_level_are_not_written(level, written, tmp_path):
    step = "log = structlog.get_logger('a')\nfor level in ('debug', 'info', 'error'): getattr(log, level)('said')"
    assert [line["log.level"] for line in lines_of(step, tmp_path, TASKMANAGER_LOG_LEVEL=level)] == written


def test_what_orjson_refuses_is_written_all_the_same(tmp_path):
    step = "log = structlog.get_logger('a')\nlog.info('large', n=2**70)\nlog.info('half', text='\\ud800')"
    large, half = lines_of(step, tmp_path)
    assert (large["n"], half["text"]) == (2**70, "\ud800")


def test_a_line_that_cannot_be_written_stops_nothing(tmp_path):
    step = "structlog.get_logger('a').info('said')\nsys.stderr.write('went on')"
    environment = {"TASKMANAGER_DATA_DIR": str(tmp_path)}
    code = "import sys\n" + CODE.format(step=step)
    with Path("/dev/full").open("wb") as full:
        ran = forked.run(["-c", code], environment=environment, timeout=120, output=full)
    assert "went on" in ran.stderr
