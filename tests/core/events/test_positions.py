"""Positions: one order of all events, without gaps, in which no smaller one appears later."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from hypothesis import given, settings as hypothesis_settings, strategies

from migrations.scripts import m202611272112_positions_of_events as migration
from taskmanager.core.clock import now
from taskmanager.core.events import positions, retention
from taskmanager.core.events.log import Counter, Event, record
from taskmanager.core.storage.database import database
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.testing.emptying import empty_all

pytestmark = pytest.mark.usefixtures("app")


def placed(after=0):
    """What a reader sees: the head first, then the events up to it."""
    head = positions.head()
    found = Event.objects(position__gt=after, position__lte=head).order_by("position")
    return head, [(event.position, event.stream, event.seq) for event in found.only("position", "stream", "seq")]


def kept_streams(events):
    seen = {}
    return all(seq > seen.get(stream, 0) and not seen.update({stream: seq}) for _, stream, seq in events)


def test_each_event_gets_the_next_position_in_the_order_of_commit(happened):
    for seconds, stream in enumerate(("a", "b", "a"), -3):
        with time_machine.travel(timedelta(seconds=seconds)):  # two commits of one millisecond have no order
            record(happened(stream))
    assert positions.are_waiting() and positions.lag_seconds() > 0 and positions.head() == 0
    assert positions.place_all() == 3
    assert placed() == (3, [(1, "test:a", 1), (2, "test:b", 1), (3, "test:a", 2)])
    assert (positions.place_all(), positions.are_waiting(), positions.lag_seconds()) == (0, False, 0.0)


def test_an_event_of_the_release_before_is_placed_too(happened):
    """It knows nothing of positions, and writes events beside this one while processes are replaced."""
    row = {"kind": "x", "stream": "old", "seq": 1, "at": now(), "data": {}}
    database().events.insert_one(row)
    positions.place_all()
    assert placed() == (1, [(1, "old", 1)])


def test_a_reader_catches_up_with_more_than_one_batch():
    rows = [{"kind": "x", "stream": "s", "seq": seq, "at": now()} for seq in range(2 * positions.MAX_BATCH + 1)]
    database().events.insert_many(rows)
    positions.catch_up()
    assert (positions.head(), positions.are_waiting()) == (len(rows), False)


def test_events_of_before_are_placed_by_the_migration(happened):
    rows = [
        {"kind": "x", "stream": f"s{n % 3}", "seq": n, "at": now() + timedelta(seconds=n // 4)} for n in range(1, 31)
    ]
    database().events.insert_many(rows[::-1])
    migration.upgrade(database())
    migration.upgrade(database())
    head, found = placed()
    assert head == 30 and [position for position, _, _ in found] == list(range(1, 31)) and kept_streams(found)


@hypothesis_settings(max_examples=6)
@given(
    writers=strategies.lists(strategies.sampled_from("abcd"), min_size=2, max_size=6),
    skews=strategies.lists(strategies.integers(-3600, 3600), min_size=4, max_size=4),
    sequencers=strategies.integers(1, 3),
)
def test_a_reader_misses_nothing_whatever_writers_sequencers_and_clocks_do(happened, writers, skews, sequencers):
    """Writers on shared streams, some slow between number and commit; sequencers beside each other.

    Each stream was last written by a process whose clock was wrong.
    """
    empty_all()
    for stream, skew in zip("abcd", skews, strict=True):
        Counter(stream=f"test:{stream}", seq=0, at=now() + timedelta(seconds=skew)).save()
    done, seen, heads = threading.Event(), [], []

    @unit_of_work
    def write(stream, number):
        record(happened(stream))
        time.sleep(0.003 * (number % 3))

    def work(stream):
        for number in range(6):
            write(stream, number)

    def sequence():
        while not done.is_set() or positions.are_waiting():
            positions.place_next()

    def read():
        while not done.is_set() or positions.are_waiting():
            head, found = placed(heads[-1] if heads else 0)
            heads.append(head)
            seen.extend(found)

    with ThreadPoolExecutor(16) as pool:
        others = [*(pool.submit(sequence) for _ in range(sequencers)), pool.submit(read)]
        for result in [pool.submit(work, stream) for stream in writers]:
            result.result()
        done.set()
        for result in others:
            result.result()
    seen.extend(placed(heads[-1])[1])
    number = 6 * len(writers)
    assert [position for position, _, _ in seen] == list(range(1, number + 1))
    assert kept_streams(seen) and heads == sorted(heads)


def test_a_corrected_clock_does_not_change_the_order_of_a_stream(happened, monkeypatch):
    """Times of a wrong clock do not last, so the second event of the stream is earlier than the first."""
    with time_machine.travel(now() + timedelta(hours=1)):
        record(happened("a"))
    record(happened("a"))
    record(happened("b"))
    monkeypatch.setattr(positions, "MAX_BATCH", 1)
    assert positions.place_all() == 3
    assert kept_streams(placed()[1])


def test_retention_keeps_the_days_of_sync_and_notes_what_it_deletes(other_app, happened):
    other_app(event_days=30, sync_days=60)
    record(happened("a"))
    record(happened("a"))
    positions.place_all()
    Event.objects(seq=1).update(set__at=now() - timedelta(days=61))
    Event.objects(seq=2).update(set__at=now() - timedelta(days=59))
    assert positions.bounds() == (2, 0)
    assert retention.remove_old() == 1
    assert positions.bounds() == (2, 1)
