"""The clock that counts is that of the present primary: after a failover, what the one before said is forgotten."""

from collections import deque
from datetime import UTC, datetime, timedelta

import pytest
from bson import ObjectId
from pymongo.hello import Hello
from pymongo.monitoring import ServerHeartbeatSucceededEvent

from taskmanager.core import clock
from taskmanager.core.servers.heartbeats import ClockListener
from taskmanager.core.storage import database

SECONDS = timedelta(seconds=1)
EARLIER, LATER = ObjectId("7fffffff0000000000000003"), ObjectId("7fffffff0000000000000004")


@pytest.fixture
def hears(monkeypatch):
    """Lets a primary whose clock is so many seconds ahead say hello; returns how far the database is ahead."""
    monkeypatch.setattr(clock, "_readings", deque(maxlen=8))
    monkeypatch.setattr(clock, "_reading", None)
    listener = ClockListener()

    def says(seconds, election, hosts=("a:1", "b:1", "c:1"), *, writable=True):
        hello = {
            "ok": 1,
            "isWritablePrimary": writable,
            "setName": "rs0",
            "hosts": list(hosts),
            "localTime": (datetime.now(UTC) + seconds * SECONDS).replace(tzinfo=None),
            "maxWireVersion": 21,
        } | ({"electionId": election} if election else {})
        listener.succeeded(ServerHeartbeatSucceededEvent(0.001, Hello(hello), ("a", 1)))
        ahead = clock.ahead()
        return None if ahead is None else -round(ahead.total_seconds())

    return says


def test_of_one_primary_the_word_that_was_read_soonest_counts(hears):
    assert [hears(60, EARLIER), hears(58, EARLIER), hears(61, EARLIER)] == [60, 60, 61]


def test_after_a_failover_the_clock_of_the_new_primary_counts_at_once(hears):
    hears(60, EARLIER)
    assert hears(0, LATER) == 0
    assert hears(-3, LATER) == 0


def test_a_primary_that_does_not_know_yet_that_it_was_replaced_is_not_heard(hears):
    hears(60, EARLIER)
    hears(0, LATER)
    assert [hears(60, EARLIER), hears(0, LATER)] == [0, 0]


def test_a_primary_of_another_set_is_heard_whatever_its_elections(hears):
    hears(60, LATER)
    assert hears(0, EARLIER, hosts=("d:1",)) == 0


def test_secondaries_are_not_heard(hears):
    assert hears(60, None, writable=False) is None


def test_routers_of_a_sharded_cluster_count_together(hears):
    assert [hears(1, None), hears(0, None)] == [1, 1]


def test_a_real_primary_tells_its_election(app):
    hello = database.client().admin.command("hello")
    assert {"electionId", "localTime", "setName", "hosts"} <= hello.keys()
