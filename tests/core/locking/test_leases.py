"""Leases in the cache store, with the store of the tests; two processes are two objects here."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from taskmanager.core.configuration import settings
from taskmanager.core.locking import leases
from taskmanager.core.locking.advisory_locks import AdvisoryLocks
from taskmanager.core.servers.stores import cache_outage, cache_store
from tests.web.counting import store_trips

LONG = 60.0
KEY = "tm:lease:{a}"


@pytest.fixture(autouse=True)
def _store(app, monkeypatch):
    """The cache store is there, and empty; leases outlast a test on a slow machine."""
    monkeypatch.setattr(leases, "LEASE_SECONDS", LONG)


@pytest.fixture
def process():
    """Another process that competes for the lock `a`, so that it uses leases."""
    locks = AdvisoryLocks()
    locks.note_conflict("a")
    return locks


def test_a_process_that_competes_holds_a_lease_while_it_holds_the_lock(process):
    assert process.acquire("a", "me")
    assert cache_store().exists(KEY)
    process.release("a", "me")
    assert not cache_store().exists(KEY)


def test_a_process_that_does_not_compete_uses_no_lease():
    locks = AdvisoryLocks()
    assert locks.acquire("a", "me")
    assert not cache_store().exists(KEY)
    locks.release("a", "me")


def test_one_process_waits_for_the_other(process):
    held = leases.acquire("a", LONG)
    assert leases.acquire("a", 0.01) is None
    held.release()
    assert process.acquire("a", "me", LONG)


def test_a_free_lease_goes_to_the_process_that_waits_for_it(monkeypatch):
    monkeypatch.setattr(leases, "_RESERVED_MS", int(1000 * LONG))
    held = leases.acquire("a", LONG)
    assert not leases._poll("a", "other")  # it waits, and reserves the lease
    held.release()
    assert not leases._poll("a", "first again")
    assert leases._poll("a", "other")


def test_processes_that_wait_are_woken_in_the_order_in_which_they_came(monkeypatch):
    monkeypatch.setattr(leases, "_RESERVED_MS", int(1000 * LONG))
    held = leases.acquire("a", LONG)
    for token in ("first", "second", "first"):
        assert not leases._poll("a", token)
    for token, others in (("first", "second"), ("second", "first")):
        held.release()
        assert cache_store().keys(f"{KEY}:next:*") == [f"{KEY}:next:{token}".encode()]
        assert not leases._poll("a", others)  # it waits again, behind those that wait
        leases._wait("a", token)
        assert leases._poll("a", token)
        held = leases.StoreLease("a", True, token)
    assert cache_store().keys(f"{KEY}:next*") == []


def test_what_processes_leave_in_the_store_expires():
    held = leases.acquire("a", LONG)
    assert not leases._poll("a", "killed") and not leases._poll("a", "killed too")
    held.release()
    keys = cache_store().keys("tm:lease:*")
    assert len(keys) == 3  # the turn, its list, and the queue
    assert all(0 < cache_store().pttl(key) <= leases._QUEUED_MS for key in keys)


def test_a_process_that_gives_up_leaves_the_queue():
    held = leases.acquire("a", LONG)
    assert leases.acquire("a", 0.01) is None
    held.release()
    assert cache_store().keys("tm:lease:*") == []


def test_a_store_that_wakes_late_is_not_away(monkeypatch):
    """Valkey ends a wait when it comes to it, which may be later than this process waits for a reply."""
    monkeypatch.setattr(leases, "_WAIT_SECONDS", 2 * settings.current().redis_timeout_ms / 1000)
    leases._wait("a", "me")
    assert not cache_outage.resting


def test_a_process_that_was_killed_delays_the_others_until_its_lease_expires(process, monkeypatch):
    monkeypatch.setattr(leases, "LEASE_SECONDS", 2.0)
    assert leases.acquire("a", LONG)  # never released
    assert 0 < cache_store().pttl(KEY) <= leases.LEASE_SECONDS * 1000
    assert process.acquire("a", "me", LONG)
    assert cache_store().get(KEY).decode() == process._leases["a"].token


def test_a_lease_that_expired_is_not_taken_from_its_new_holder():
    lost = leases.acquire("a", LONG)
    cache_store().delete(KEY)
    leases.acquire("a", LONG)
    lost.release()
    assert cache_store().exists(KEY)


def test_a_lease_passes_on_to_a_thread_that_waits_and_saves_trips_to_the_store(process):
    assert process.acquire("a", "me")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(process.acquire, "a", "other", LONG)
        while not process._locks.is_wanted("a"):
            time.sleep(0.001)
        token = process._leases["a"].token
        with store_trips() as trips:
            process._leases["a"] = replace(process._leases["a"], acquired_at=time.monotonic() + LONG)
            process.release("a", "me")
            assert waiting.result()
    assert (process._leases["a"].token, trips) == (token, [])
    process.release("a", "other")
    assert not cache_store().exists(KEY)


def test_a_holder_whose_lease_has_expired_asks_for_another(process):
    assert process.acquire("a", "me")
    assert process.try_acquire("a", "me")
    process._leases["a"] = replace(process._leases["a"], acquired_at=time.monotonic() - LONG - 1)
    assert not process.try_acquire("a", "me")
    process.release("a", "me")


def test_a_process_that_has_had_a_lease_for_long_gives_it_back_although_threads_wait(process):
    assert process.acquire("a", "me")
    process._leases["a"] = replace(process._leases["a"], acquired_at=time.monotonic() - 0.06)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(process.acquire, "a", "other", LONG)
        while not process._locks.is_wanted("a"):
            time.sleep(0.001)
        token = process._leases["a"].token
        process.release("a", "me")
        assert waiting.result()
    assert process._leases["a"].token != token


def test_while_the_store_is_away_there_are_the_locks_of_the_process(process):
    cache_outage.failed()
    try:
        assert process.acquire("a", "me")
        assert not process._locks.try_acquire("a", "other")
        process.release("a", "me")
    finally:
        cache_outage.recovered()


def test_names_that_are_contended_are_bounded():
    locks = AdvisoryLocks()
    for number in range(1_500):
        locks.note_conflict(str(number))
    assert len(locks._contended) == 1_000
    assert not locks.try_acquire("1499", "me")  # needs a lease
    assert locks.try_acquire("1", "me")


def test_a_lock_is_free_when_its_thread_was_interrupted(process, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(leases, "acquire", interrupt)
    with pytest.raises(KeyboardInterrupt):
        process.acquire("a", "me")
    assert process._locks.try_acquire("a", "other")


def test_the_lease_is_free_too_when_its_process_was_interrupted_while_it_got_it(monkeypatch):
    poll = leases._poll

    def interrupted(name, token):
        assert poll(name, token)
        raise KeyboardInterrupt

    monkeypatch.setattr(leases, "_poll", interrupted)
    with pytest.raises(KeyboardInterrupt):
        leases.acquire("a", LONG)
    assert not cache_store().exists(KEY)


def test_the_lease_and_the_lock_are_free_when_the_interruption_came_after_both(process, monkeypatch):
    monkeypatch.setattr(
        process, "_acquire_lease", lambda *given: [AdvisoryLocks._acquire_lease(process, *given), 1 / 0]
    )
    with pytest.raises(ZeroDivisionError):
        process.acquire("a", "me")
    assert not cache_store().exists(KEY)
    assert process._locks.try_acquire("a", "other")
