"""Lines of logs: fields of the Elastic Common Schema, levels by logger, no secrets, nothing at rest."""

import json
import re
import time

import pytest

from config import log_levels
from taskmanager.core.security.redaction import scrub
from taskmanager.core.telemetry.timings import shape
from tests.config.test_logging import lines_of

# Of the schema (ECS 8.11, generated/ecs/ecs_flat.yml): the fields that lines have, and their types.
SCHEMA = {
    "@timestamp": str, "message": str, "ecs.version": str, "log.level": str, "log.logger": str, "service.name": str,
    "service.version": str, "error.type": str, "error.stack_trace": str, "process.name": str, "trace.id": str,
    "http.request.method": str, "http.response.status_code": int, "http.response.body.bytes": int, "user.id": str,
    "client.ip": str, "event.action": str, "event.duration": int,
    "http.request.body.bytes": int, "span.id": str,
}  # fmt: skip
OBJECTS = {name.partition(".")[0] for name in SCHEMA if "." in name}


def test_fields_are_those_of_the_schema(tmp_path):
    [line] = lines_of(
        "structlog.get_logger('a').info('request', method='GET', status=200, bytes=7, duration_ms=1.5, user_id='u',"
        " address='::1', error='E', process='relay', kind='task.created', request_id='ab' * 16, host='x')",
        tmp_path,
    )
    of_schema = {name: value for name, value in line.items() if name.partition(".")[0] in {*OBJECTS, "@timestamp"}}
    assert {name: type(value) for name, value in of_schema.items()} == {name: SCHEMA[name] for name in of_schema}
    assert line["event.duration"] == 1_500_000 and line["trace.id"] == "ab" * 16
    assert line["labels.host"] == "x" and line["request_id"] == "ab" * 16


def test_sentences_of_rq_are_fields_and_its_noise_is_dropped(tmp_path):
    step = """log = logging.getLogger('rq.worker')
log.info('Worker %s: cleaning registries for queue: %s', 'w1', 'high')
log.info('Worker %s: started with PID %d, version %s', 'w1', 7, '3.0')
log.info('a new sentence %s', 1)"""
    started, new = lines_of(step, tmp_path)
    assert (started["message"], started["worker"], started["pid"]) == ("worker started", "w1", 7)
    assert new["message"] == "a new sentence 1"
    assert len(lines_of(step, tmp_path, TASKMANAGER_LOG_LEVELS="rq.worker=DEBUG")) == 3


def test_each_logger_may_have_a_level(tmp_path):
    step = "for name in ('a', 'a.b', 'c'): structlog.get_logger(name).debug('d'); logging.getLogger(name).debug('d')"
    lines = lines_of(step, tmp_path, TASKMANAGER_LOG_LEVELS="a=DEBUG")
    assert [line["log.logger"] for line in lines] == ["a", "a", "a.b", "a.b"]


def test_documents_are_logged_only_when_the_driver_is_named(tmp_path):
    step = "logging.getLogger('pymongo.command').debug('{\"title\": \"private\"}'); logging.getLogger('a').debug('d')"
    assert [line["message"] for line in lines_of(step, tmp_path, TASKMANAGER_LOG_LEVEL="DEBUG")] == ["d"]
    assert len(lines_of(step, tmp_path, TASKMANAGER_LOG_LEVEL="DEBUG", TASKMANAGER_LOG_LEVELS="pymongo=DEBUG")) == 2


def test_levels_are_changed_while_it_runs(tmp_path):
    step = f"""from config import log_levels
import pathlib, time
folder = pathlib.Path({str(tmp_path)!r})
log_levels._LOOK_SECONDS = 0.05
log_levels.watch(folder, 'INFO', {{}})
def wait_for(level):
    while log_levels._Effective.named.get('a') != level: time.sleep(0.01)
log = structlog.get_logger('a')
log.debug('one')
log_levels.change(folder, 'DEBUG', 'a'); wait_for(10)
log.debug('two')
log_levels.change(folder, 'reset'); wait_for(None)
log.debug('three')"""
    messages = [line["message"] for line in lines_of(step, tmp_path)]
    assert [text for text in messages if text != "levels changed"] == ["two"]


def test_a_signal_lets_a_process_log_all_until_the_next_one(tmp_path):
    step = f"""from config import log_levels
import os, pathlib, signal, time
log_levels._LOOK_SECONDS = 0.05
log_levels.watch(pathlib.Path({str(tmp_path)!r}), 'INFO', {{}})
signal.signal(signal.SIGUSR1, log_levels.toggle_debug)
log = structlog.get_logger('a')
for text, level in (('one', 20), ('two', 10), ('three', 20)):
    while log_levels._Effective.default != level: time.sleep(0.01)
    log.debug(text)
    os.kill(os.getpid(), signal.SIGUSR1)"""
    messages = [line["message"] for line in lines_of(step, tmp_path)]
    assert [text for text in messages if text != "levels changed"] == ["two"]


@pytest.mark.parametrize(
    "text",
    ["Bearer abcdefgh12345678", "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "tm_0123456789abcdefABCD",
     "ada.lovelace+x@example.co.uk", "Basic YWRhOnNlY3JldA=="],
)  # fmt: skip
def test_what_looks_like_a_secret_or_an_address_is_hidden(text, tmp_path):
    kept = f"refused: <{text}> by the server"
    secret = text.rpartition(" ")[2]
    assert secret not in scrub(kept) and scrub(kept).endswith("> by the server")
    [line] = lines_of(f"structlog.get_logger('a').info('x', detail={kept!r})", tmp_path)
    assert secret not in json.dumps(line)


def test_a_shape_has_no_values():
    query = {"a": 5, "b": {"$in": ["x", "y"]}, "$or": [{"c": "z"}, {"d": {"$gt": 1}}]}
    assert shape(query) == {"a": "?", "b": {"$in": "?"}, "$or": [{"c": "?"}, {"d": {"$gt": "?"}}]}


def test_other_formats(tmp_path):
    step = "structlog.get_logger('a').info('said', n=1)"
    [line] = lines_of(step, tmp_path, TASKMANAGER_LOG_FORMAT="json")
    assert (line["event"], line["level"], line["n"]) == ("said", "info", 1)


def test_a_bad_level_is_refused_by_the_command(tmp_path):
    assert log_levels.change(tmp_path, "DEBUG", "rq.worker") == {"rq.worker": "DEBUG"}
    assert log_levels.change(tmp_path, "ERROR") == {"rq.worker": "DEBUG", "": "ERROR"}
    assert log_levels.change(tmp_path, "reset") == {}


def test_times_are_of_utc(tmp_path):
    [line] = lines_of("structlog.get_logger('a').info('x')", tmp_path)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", line["@timestamp"]) and time.time() > 0
