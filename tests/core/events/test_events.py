"""The event log: numbers that follow the order of commit."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from taskmanager.core.clock import now
from taskmanager.core.errors import Misconfigured
from taskmanager.core.events import log as events
from taskmanager.core.events.log import Event, listen, record
from taskmanager.core.storage.unit_of_work import unit_of_work

pytestmark = pytest.mark.usefixtures("app")


def numbers(stream):
    return [event.seq for event in Event.objects(stream=stream).order_by("seq")]


def test_each_stream_counts_for_itself(happened):
    for name in ("a", "b", "a"):
        record(happened(name))
    assert (numbers("test:a"), numbers("test:b")) == ([1, 2], [1])


def test_an_event_knows_what_happened_and_which_request_caused_it(happened):
    token = events.correlation.set({"request_id": "r-1"})
    try:
        record(happened("a", 7))
    finally:
        events.correlation.reset(token)
    event = Event.objects.get()
    assert (event.kind, event.data, event.correlation) == ("test.happened", {"value": 7}, {"request_id": "r-1"})


def test_an_event_no_one_listens_to_waits_for_no_one(happened):
    record(happened())
    stored = Event.objects.as_pymongo().get()
    assert "pending" not in stored and "due_at" not in stored


def test_an_event_waits_for_its_listeners_by_name(happened, listening):
    listening("second")
    listening("first")
    record(happened())
    assert Event.objects.get().pending == ["first", "second"]


def test_numbers_follow_the_order_of_commit(happened):
    """A reader that polls while eight threads write never meets a number smaller than one it has seen."""
    slow_half = iter(range(10_000))

    @unit_of_work
    def write():
        record(happened())
        time.sleep(0.002 * (next(slow_half) % 3))  # some transactions take longer between number and commit

    seen, writing = [], threading.Event()

    def read():
        last = 0
        while not writing.is_set() or last < 48:
            for event in Event.objects(stream="test:a", seq__gt=last).order_by("seq"):
                seen.append(event.seq)
                last = event.seq

    with ThreadPoolExecutor(9) as pool:
        reader = pool.submit(read)
        for future in [pool.submit(write) for _ in range(48)]:
            future.result()
        writing.set()
        reader.result(timeout=120)
    assert seen == list(range(1, 49))


def test_a_rolled_back_event_leaves_no_gap(happened):
    @unit_of_work
    def write(fails):
        record(happened())
        if fails:
            raise ValueError

    for fails in (False, True, False):
        if fails:
            with pytest.raises(ValueError):
                write(fails)
        else:
            write(fails)
    assert numbers("test:a") == [1, 2]


def test_the_time_of_a_stream_never_runs_back(happened, monkeypatch):
    clock = iter([now(), now() - timedelta(seconds=30), now() + timedelta(seconds=1)])
    monkeypatch.setattr(events, "now", lambda: next(clock))
    for _ in range(3):
        record(happened())
    times = [event.at for event in Event.objects.order_by("seq")]
    assert times == sorted(times)
    assert times[0] == times[1]


def test_a_time_of_a_clock_that_was_wrong_is_not_kept(happened, monkeypatch):
    present = now()
    clock = iter([present + timedelta(hours=1), present, present])
    monkeypatch.setattr(events, "now", lambda: next(clock))
    for _ in range(3):
        record(happened())
    assert [event.at for event in Event.objects.order_by("seq")][1:] == [present, present]


@pytest.mark.parametrize(("name", "queue"), [("with space", "low"), ("a-b", "low"), ("", "low"), ("a.b", "lowest")])
def test_a_listener_that_no_worker_could_serve_is_refused(name, queue):
    with pytest.raises(Misconfigured):
        listen("test.happened", name=name, queue=queue)


def test_the_address_of_the_caller_is_kept_for_audited_events_only(happened):
    audited = type("Audited", (happened,), {"audited": True})
    token = events.correlation.set({"request_id": "r-1", "address": "192.0.2.1"})
    try:
        record(happened(name="plain"))
        record(audited(name="security"))
    finally:
        events.correlation.reset(token)
    kept = {event.stream: dict(event.correlation) for event in Event.objects}
    assert kept == {
        "test:plain": {"request_id": "r-1"},
        "test:security": {"request_id": "r-1", "address": "192.0.2.1"},
    }
