"""Lines of logs: fields of the Elastic Common Schema, levels by logger, no secrets, nothing at rest."""

import json
import re
import time
from types import SimpleNamespace

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


def test_texts_and_numbers_of_messages_are_in_no_line_at_debug(tmp_path):
    """The address refuses, so the line that Apprise logs of that is there."""
    step = """import apprise
known = apprise.Apprise()
known.add('json://127.0.0.1:1/4915112345678?:phone=4915112345678')
assert not known.notify(title='You were assigned', body='Divorce lawyer')
structlog.get_logger('a').debug('d')"""
    lines = lines_of(step, tmp_path, TASKMANAGER_LOG_LEVEL="DEBUG")
    assert "d" in [line["message"] for line in lines] and "apprise" in {line["log.logger"] for line in lines}
    assert not re.search("4915112345678|Divorce", json.dumps(lines))


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


def test_levels_may_change_while_a_line_is_written(monkeypatch):
    """By the thread that follows the file: the line of a request would be a 500."""

    class Changing(dict):
        def __contains__(self, name):
            if found := super().__contains__(name):
                log_levels._Effective.named = {}
            return found

    monkeypatch.setattr(log_levels._Effective, "named", Changing(a=20))
    event = {"event": "said"}
    assert log_levels.drop_below_level(SimpleNamespace(name="a.b"), "info", event) == event


def test_a_signal_lets_a_process_log_all_for_a_while_or_until_a_reset(tmp_path):
    """A second signal ends nothing: a worker that was started anew between two would be out of step for ever."""
    step = """from config import log_levels
from workers import heartbeat, stopping, telemetry
import os, shutil, signal, time
log, chosen = structlog.get_logger('a'), settings.current()
def say(text, level):
    while log_levels._Effective.default != level: time.sleep(0.01)
    log.debug(text)
stopping.exit_on_signals(0)
os.kill(os.getpid(), signal.SIGUSR1)
log_levels._LOOK_SECONDS = 0.05
telemetry.start(chosen, 'relay')
say('zero', 20)
os.kill(os.getpid(), signal.SIGUSR1); say('one', 10)
os.kill(os.getpid(), signal.SIGUSR1); time.sleep(0.2); say('two', 10)
log_levels.change(heartbeat.folder(telemetry.PURPOSE), 'reset'); say('three', 20)
log_levels._DEBUG_SECONDS = 3
os.kill(os.getpid(), signal.SIGUSR1); say('four', 10); say('five', 20)
shutil.rmtree(heartbeat.folder(telemetry.PURPOSE))"""
    messages = [line["message"] for line in lines_of(step, tmp_path)]
    assert [text for text in messages if text != "levels changed"] == ["one", "two", "four"]


@pytest.mark.parametrize(
    "start",
    ["from workers.pool import Pool; begin = Pool(0).run",
     "from workers import up; up.print = lambda *_, **__: None\n"
     "begin = lambda: (up._stop_on_signals(), time.sleep(30))"],
)  # fmt: skip
def test_the_signal_ends_no_parent_of_processes(start, tmp_path):
    """It may be sent to all processes of a unit."""
    step = f"""import os, signal, threading, time
{start}
sent = []
def send():
    for number in (signal.SIGUSR1, signal.SIGTERM):
        while signal.getsignal(number) is signal.SIG_DFL: time.sleep(0.01)
        time.sleep(0.5)  # in which the one before would have ended it
        sent.append(number); os.kill(os.getpid(), number)
threading.Thread(target=send).start()
try: begin()
except BaseException as error: ended = error
assert sent == [signal.SIGUSR1, signal.SIGTERM], 'it ended at the first'
structlog.get_logger('a').info('ended as it should')"""
    assert lines_of(step, tmp_path)


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
