"""The connection: bounded waits, and a breaker that answers at once while the database is gone."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from mongoengine.connection import get_db
from pymongo import CursorType
from pymongo.errors import AutoReconnect, ExecutionTimeout, NetworkTimeout, OperationFailure, PyMongoError

from taskmanager.core.errors import Misconfigured, Unavailable
from taskmanager.core.events.log import Event
from taskmanager.core.storage import database
from taskmanager.core.storage.breaker import CircuitBreaker
from taskmanager.core.storage.capacity import Capacity
from taskmanager.core.storage.unit_of_work import long_unit_of_work
from tests.faults.stack import eventually

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def pings():
    """What the database answers to a ping, and how often it was asked."""

    class Pings:
        answer, asked = False, 0

        def __call__(self):
            self.asked += 1
            return self.answer

    return Pings()


@pytest.fixture
def breaker(pings):
    return CircuitBreaker(pings)


@pytest.fixture
def capacity(breaker):
    capacity = Capacity(breaker, lambda: False)
    capacity.set_threads(4)
    return capacity


def test_lets_through_what_comes_while_all_is_well(breaker, pings):
    breaker.check()
    assert pings.asked == 0


def test_an_error_of_the_request_does_not_open_it(breaker):
    breaker.trip(OperationFailure("a duplicate key, for instance"))
    breaker.check()


def test_answers_at_once_after_the_database_was_lost(breaker, pings):
    breaker.trip(AutoReconnect("gone"))
    for _ in range(100):
        with pytest.raises(Unavailable):
            breaker.check()
    assert pings.asked == 0


def test_one_request_that_took_too_long_is_not_held_against_a_server_that_answers(breaker, pings):
    pings.answer = True
    breaker.trip(NetworkTimeout("slow, or hung"))
    breaker.check()
    breaker.check()
    assert pings.asked == 1


def test_a_server_that_says_itself_that_time_is_up_is_there(failing, breaker, pings):
    with failing("find", errorCode=50), pytest.raises(ExecutionTimeout) as slow:
        Event.objects.first()
    breaker.trip(slow.value)
    breaker.check()
    assert pings.asked == 0


def test_asks_again_after_a_while_and_closes_when_the_database_answers(breaker, pings, monkeypatch):
    breaker.trip(AutoReconnect("gone"))
    monkeypatch.setattr(breaker, "_probe_at", time.monotonic())
    with pytest.raises(Unavailable):
        breaker.check()
    pings.answer = True
    with pytest.raises(Unavailable):  # not yet time to ask again
        breaker.check()
    monkeypatch.setattr(breaker, "_probe_at", time.monotonic())
    breaker.check()
    breaker.check()
    assert pings.asked == 2


def test_one_thread_in_four_is_kept_from_waiting_for_a_database_that_hangs(capacity, pings):
    """Four threads: three may wait, and the fourth finds out."""
    release, waiting = threading.Event(), threading.Barrier(4)

    def wait_for_the_database():
        with capacity.acquire_slot():
            waiting.wait(60)
            release.wait(60)

    threads = [threading.Thread(target=wait_for_the_database) for _ in range(3)]
    for thread in threads:
        thread.start()
    waiting.wait(60)
    try:
        for _ in range(2):
            with pytest.raises(Unavailable), capacity.acquire_slot():
                pass
        assert pings.asked == 1
    finally:
        release.set()
        for thread in threads:
            thread.join()


def test_waits_for_a_slot_while_the_database_answers(capacity, pings):
    pings.answer = True
    capacity.set_threads(1)
    taken = threading.Event()

    def work():
        with capacity.acquire_slot():
            taken.set()
            eventually(lambda: pings.asked, "the question whether the database answers")

    thread = threading.Thread(target=work)
    thread.start()
    taken.wait(60)
    with capacity.acquire_slot():
        assert pings.asked == 1
    thread.join()


def test_waits_for_other_requests_as_long_as_operations_may_take(caller, failing):
    """With the limits of production half of them are 503 after 1.75 s, as on a machine that pauses for so long."""
    client = caller()
    assert client.get("/api/v1/users/me").status_code == 200  # from now on it is one query
    token = {"Authorization": client.environ_base["HTTP_AUTHORIZATION"]}

    def status(_):
        return client.application.test_client().get("/api/v1/users/me", headers=token).status_code

    with failing("find", times=1000, blockConnection=True, blockTimeMS=2000), ThreadPoolExecutor(12) as pool:
        assert set(pool.map(status, range(12))) == {200}


def test_gives_its_slot_back_after_an_error(capacity):
    capacity.set_threads(1)
    for _ in range(3):
        with pytest.raises(ValueError), capacity.acquire_slot():
            raise ValueError


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://",
        "http://127.0.0.1",
        "mongodb://127.0.0.1/x?w=1",
        "mongodb://127.0.0.1/x?w=majority",
        "mongodb://127.0.0.1/x?journal=false",
        "mongodb://127.0.0.1/x?wTimeoutMS=5",
        "mongodb://127.0.0.1/x?readConcernLevel=local",
        "mongodb://127.0.0.1/x?readPreference=secondaryPreferred",
        "mongodb://127.0.0.1/x?retryWrites=false",
    ],
)
def test_a_uri_that_cannot_work_is_refused_without_telling_it(settings, uri):
    with pytest.raises(Misconfigured) as caught:
        database.connect(settings.model_copy(update={"mongodb_uri": uri}))
    assert "127.0.0.1" not in caught.value.detail


@pytest.mark.parametrize("options", ["retryWrites=true", "readPreference=primary&readConcernLevel=majority"])
def test_a_uri_may_say_what_holds_anyway(settings, options):
    database._check_uri(f"mongodb://127.0.0.1/x?{options}")


def test_limits_of_longer_work_grow_with_the_time_that_an_operation_may_take(other_app):
    """A query of half a second, with a limit of 0.2 s and with one that is thirty times as long."""

    def query():
        return len(list(database.database().counters.find({"$where": "sleep(500) || true"})))

    database.database().counters.insert_one({"_id": "a"})
    other_app(mongodb_timeout_ms=1900)
    with pytest.raises(Unavailable), database.bounded(0.2):
        query()
    with pytest.raises(PyMongoError):
        long_unit_of_work(0.2)(query)()
    other_app(mongodb_timeout_ms=60_000)
    with database.bounded(0.2):
        assert query() == 1
    assert long_unit_of_work(0.2)(query)() == 1


@pytest.mark.parametrize("alias", database.ALIASES)
def test_every_read_is_a_majority_read_of_the_primary(alias):
    found = get_db(alias)
    assert (found.read_concern.level, found.read_preference.name) == ("majority", "Primary")


def test_a_failed_ping_is_an_answer_too(failing):
    assert database.ping()
    with failing("ping", errorCode=8000, times=1):
        assert not database.ping()


def test_the_relay_asks_for_due_events_through_its_index(happened, listening):
    """Keys examined are those of due events, however many wait for their time."""
    plan = Event.objects(due_at__lte="2026-01-01").order_by("due_at", "seq").hint("relay").explain()
    stages = str(plan["queryPlanner"]["winningPlan"])
    assert "'relay'" in stages
    assert "SORT'" not in stages and "COLLSCAN" not in stages


def test_connections_are_counted_while_they_are_open_and_in_use():
    rows = database.database()["counted_connections"]
    rows.insert_many([{} for _ in range(9)])
    opened, used = database.pool_sizes()
    assert (opened >= 1, used) == (True, 0)
    with rows.find(cursor_type=CursorType.EXHAUST, batch_size=2) as cursor:
        next(cursor)
        assert database.pool_sizes()[1] == 1
    assert database.pool_sizes()[1] == 0
