"""From events to jobs: nothing is lost, nothing is queued twice, nothing is tried for ever."""

import json
from datetime import timedelta

import pytest
from rq.job import Job, JobStatus
from structlog.testing import capture_logs

from taskmanager.core.clock import now
from taskmanager.core.errors import Forbidden
from taskmanager.core.events import outbox
from taskmanager.core.events.log import Event, record
from taskmanager.core.jobs import perform
from taskmanager.core.servers.stores import RedisError, queue_store

pytestmark = pytest.mark.usefixtures("app")


def queued():
    """(listener, event id) of each queued job, in the order in which they will be run."""
    return [tuple(job.args) for name in outbox.QUEUES for job in outbox.queue(name).jobs]


def stored():
    return Event.objects.as_pymongo().get()


def make_due():
    """As if the time to look again had come."""
    Event.objects(due_at__exists=True).update(set__due_at=now())


def test_an_event_becomes_one_job_per_listener_on_its_queue(happened, listening):
    listening("slow", queue="low")
    listening("fast", queue="high")
    record(happened())
    assert outbox.relay_batch() == 1
    event_id = str(Event.objects.get().id)
    assert queued() == [("fast", event_id), ("slow", event_id)]
    assert outbox.queue("task-high").job_ids == [f"fast-{event_id}"]


def test_jobs_are_queued_in_the_order_of_commit(happened, listening, deliver):
    hearing = listening()
    for value in range(5):
        record(happened("a", value))
    deliver()
    assert hearing.heard == [0, 1, 2, 3, 4]


def test_an_event_heard_by_all_is_finished(happened, listening, deliver):
    listening("one"), listening("two")
    record(happened())
    assert deliver() == 2
    assert (stored()["pending"], "due_at" in stored(), outbox.count_pending()) == ([], False, 0)


def test_a_listener_that_is_done_is_not_called_again(happened, listening, deliver):
    hearing = listening()
    record(happened(value=3))
    deliver()
    perform("test.hearing", str(stored()["_id"]))
    assert hearing.heard == [3]


def test_only_the_listener_that_failed_is_tried_again(happened, listening):
    good, bad = listening("good"), listening("bad")
    bad.trouble = ValueError("not now")
    record(happened(value=1))
    event_id = str(stored()["_id"])
    perform("good", event_id)
    with pytest.raises(ValueError, match="not now"):
        perform("bad", event_id)
    assert stored()["pending"] == ["bad"]
    bad.trouble = None
    outbox.relay_batch()
    assert queued() == [("bad", event_id)]
    assert good.heard == [1]


def test_a_queued_job_is_not_queued_again(happened, listening):
    listening()
    record(happened())
    for _ in range(3):
        outbox.relay_batch()
        make_due()
    assert len(queued()) == 1
    assert stored()["attempts"] == 1


def test_two_relays_that_read_the_same_event_make_one_job(happened, listening):
    listening()
    record(happened())
    event = Event.objects.get()
    wanted = outbox._wanted([event])
    outbox._dispatch(event, set(), wanted)
    outbox._dispatch(event, set(), wanted)  # the other relay: it looked before the first one wrote
    assert len(queued()) == 1


def test_an_emptied_queue_loses_nothing(happened, listening, deliver):
    hearing = listening()
    record(happened(value=9))
    outbox.relay_batch()
    queue_store().flushdb()
    make_due()
    deliver()
    assert hearing.heard == [9]


def test_a_job_whose_worker_died_before_starting_it_is_handed_out_again(happened, listening):
    """RQ calls it "queued" for ever, though it is in no queue."""
    listening()
    record(happened())
    outbox.relay_batch()
    job_id = outbox.queue("task-default").job_ids[0]
    queue_store().lpop(outbox.queue("task-default").key)
    assert Job.fetch(job_id, queue_store(), outbox.CallSerializer).get_status() == JobStatus.QUEUED
    make_due()
    outbox.relay_batch()
    assert outbox.queue("task-default").job_ids == [job_id]


@pytest.mark.parametrize(("silent", "queued_again"), [(-1, True), (60, False)])
def test_a_running_job_is_handed_out_again_only_when_its_worker_is_silent(happened, listening, silent, queued_again):
    listening()
    record(happened())
    outbox.relay_batch()
    queue = outbox.queue("task-default")
    job_id = queue_store().lpop(queue.key).decode()
    alive_until = {f"{job_id}:execution": now().timestamp() + silent}
    queue_store().zadd(queue.started_job_registry.key, alive_until)
    make_due()
    outbox.relay_batch()
    assert bool(queued()) is queued_again


def test_one_event_that_cannot_be_handed_out_does_not_hold_up_the_others(happened, listening, monkeypatch):
    listening()
    for value in range(3):
        record(happened(value=value))
    poison = Event.objects(data__value=1).get().id
    dispatch, before = outbox._dispatch, now()
    monkeypatch.setattr(outbox, "_dispatch", lambda event, *args: 1 / (event.id != poison) and dispatch(event, *args))
    outbox.relay_batch()
    assert len(queued()) == 2
    assert Event.objects.get(id=poison).due_at > before


def test_a_failed_job_is_handed_out_again_later_and_later(happened, listening):
    listening()
    record(happened())
    for seconds in (2, 4, 8, 16):
        delay, before = timedelta(seconds=seconds), now()
        outbox.relay_batch()
        assert before + delay <= stored()["due_at"] <= now() + delay
        queue_store().flushdb()
        make_due()


def test_an_event_that_fails_too_often_is_given_up(happened, listening):
    listening()
    record(happened())
    Event.objects.update(attempts=outbox.retry_policy().min_attempts)
    outbox.relay_batch()
    assert queued() == []
    assert stored()["died_at"] and "due_at" not in stored()
    assert (outbox.count_pending(), outbox.count_dead()) == (0, 1)


def test_an_event_that_was_given_up_and_is_done_after_all_is_given_up_no_more(happened, listening):
    listening()
    record(happened())
    Event.objects.update(attempts=outbox.retry_policy().min_attempts)
    outbox.relay_batch()
    outbox.acknowledge(stored()["_id"], stored()["pending"][0])
    assert (outbox.count_pending(), outbox.count_dead(), outbox.revive()) == (0, 0, 0)


def test_a_listener_that_is_not_installed_any_more_is_taken_off(happened, listening, contribute):
    listening("gone")
    record(happened())
    contribute.undo()
    outbox.relay_batch()
    assert (stored()["pending"], queued()) == ([], [])


def test_a_finished_event_is_not_revived_by_the_relay(happened, listening, monkeypatch):
    """A worker was done with its job before the relay wrote down that it had made it."""
    listening()
    record(happened())
    monkeypatch.setattr(outbox, "_enqueue_for", lambda event, name, correlation: outbox.acknowledge(event.id, name))
    assert outbox.relay_batch() == 1
    assert "due_at" not in stored()


def test_a_batch_costs_one_write_however_many_events_it_has(happened, listening, commands):
    listening()
    for _ in range(5):
        record(happened())
    with commands.counted() as sent:
        assert outbox.relay_batch() == 5
    assert sent == ["find", "update", "find"]


def test_a_full_queue_is_not_filled_further(happened, listening, monkeypatch):
    listening()
    monkeypatch.setattr(outbox, "_MAX_IN_FLIGHT", 3)
    for _ in range(5):
        record(happened())
    assert (outbox.relay_batch(), outbox.relay_batch(), len(queued())) == (3, 0, 3)


def test_says_so_when_the_queue_is_away(other_app, happened, listening):
    listening()
    record(happened())
    other_app(queue_url="redis://127.0.0.1:1/0")
    with pytest.raises(RedisError):
        outbox.relay_batch()
    assert "due_at" in stored()


@pytest.mark.parametrize("call", ["os.system", "taskmanager.core.events.outbox.dead", None, ["os.system"], {}])
def test_no_other_function_can_be_called(call):
    with pytest.raises(Forbidden):
        outbox.CallSerializer.loads(json.dumps([call, None, ["true"], {}]).encode())


def test_the_backlog_is_reported_and_a_dead_event_is_a_warning(happened, listening):
    listening()
    record(happened())
    with capture_logs() as logs:
        outbox.watch()
        Event.objects.update(set__died_at=now())
        outbox.watch()
    found = [log for log in logs if "waiting" in log]  # a query that was slow is logged, too
    assert [(log["log_level"], log["waiting"], log["given_up"]) for log in found] == [
        ("info", 1, 0),
        ("warning", 1, 1),
    ]


def test_an_idle_relay_asks_mongodb_for_events_and_deliveries_once_each(commands):
    with commands.counted() as sent:
        outbox.relay_batch()
    assert sent == ["find", "find"]


@pytest.mark.parametrize("end", ["success_callback_name", "failure_callback_name", "stopped_callback_name"])
def test_what_a_job_names_for_its_end_is_not_called(happened, listening, end):
    listening()
    record(happened())
    outbox.relay_batch()
    (job,) = [job for name in outbox.QUEUES for job in outbox.queue(name).jobs]
    queue_store().hset(job.key, end, "builtins.print")
    fresh = outbox.queue("task-high").job_class.fetch(
        job.id, connection=queue_store(), serializer=outbox.CallSerializer
    )
    assert getattr(fresh, end.removesuffix("_name")) is None


def test_bytes_that_are_no_text_do_not_end_the_relay(happened, listening):
    listening()
    record(happened())
    queue_store().rpush(outbox.queue("task-low").key, b"\xff\xfe")
    queue_store().zadd("rq:wip:high", {b"\xff:x": 9e12})
    assert outbox.relay_batch() == 1


def test_deliveries_by_the_thousand_leave_room_for_events(happened, listening, monkeypatch):
    listening()
    record(happened())
    monkeypatch.setattr(outbox, "_MAX_IN_FLIGHT", 5)
    monkeypatch.setattr(outbox, "_in_flight", lambda: {f"notifications-send-{number}" for number in range(100)})
    assert outbox.relay_batch() == 1


def test_a_listener_that_cannot_say_what_it_wants_gets_all_and_holds_up_no_one(happened, listening):
    listening("first")
    listening("second", wanted=lambda found: 1 / 0)
    record(happened())
    assert outbox.relay_batch() == 1
    assert len(queued()) == 2
