"""The quick way to a line of the log says what the long way says."""

import json
from types import SimpleNamespace

import pytest
from hypothesis import example, given, strategies as st

from config.log_fields import NAMES
from config.log_lines import quick_line
from config.logging import thorough
from taskmanager.core.events.log import correlation

LOGGER = SimpleNamespace(name="taskmanager.requests")
REQUEST = {
    "event": "request", "method": "GET", "route": "/api/v1/tasks", "status": 200, "duration_ms": 1.25, "bytes": 7,
    "request_bytes": None, "user_id": "6b0abecc4dab57e4e8d00868", "database_commands": 1, "cache_ms": 0.4,
}  # fmt: skip
TEXTS = st.one_of(st.text(), st.sampled_from(["ada@example.com", "Bearer " + "x" * 20, "tm_" + "y" * 29, "ab" * 16]))
NUMBERS = st.one_of(st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
FIELDS = st.one_of(
    st.sampled_from([*NAMES, "host", "user", "api_token", "Password", "request_id"]), st.text(max_size=8)
)
TRACES = st.sampled_from(["", f"00-{'a' * 32}-{'b' * 16}-01", f"00-{'c' * 32}-{'d' * 16}-00"])


def long_line(method, event):
    return json.loads(thorough("ecs")(LOGGER, method, dict(event)))


def same(method, event):
    """Compare both ways; answers what they say, without the time."""
    line = quick_line(LOGGER, method, dict(event))
    assert line is not None and line.endswith(b"\n") and line.count(b"\n") == 1
    quick, long = json.loads(line), long_line(method, event)
    times = quick.pop("@timestamp"), long.pop("@timestamp")
    assert {(time[10], time[-1]) for time in times} == {("T", "Z")}
    assert quick == long
    return quick


@example({"request_id": "tm_" + "y" * 29, "level": "DEBUG", "logger": "b", "timestamp": "1"}, "", "info")
@given(st.dictionaries(FIELDS, st.one_of(TEXTS, NUMBERS, st.none())), TRACES, st.sampled_from(["info", "error"]))
def test_both_ways_say_the_same(fields, trace, method):
    fields = {name: value for name, value in fields.items() if name != "traceparent"} | {"duration_ms": 2.5}
    known = correlation.set({"request_id": "ab" * 16, **({"traceparent": trace} if trace else {})})
    try:
        same(method, {"event": "said", **fields})
    finally:
        correlation.reset(known)


def test_the_line_of_a_request_takes_the_quick_way(app):
    line = same("info", REQUEST | {"note": "ada@example.com", "session_token": None})
    assert (line["event.duration"], line["http.request.method"], line["log.level"]) == (1_250_000, "GET", "info")
    assert (line["note"], line["session_token"]) == ("[address]", "[hidden]")
    assert "http.request.body.bytes" not in line


@pytest.mark.parametrize(
    "other", [{"exc_info": True}, {"stack_info": True}, {"n": 2**70}, {"text": "\ud800"}, {"a": ["x"]}, {"a": object()}]
)
def test_other_events_take_the_long_way(other):
    assert quick_line(LOGGER, "info", REQUEST | other) is None
    assert quick_line(LOGGER, "exception", REQUEST) is None
