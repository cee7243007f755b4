"""Units of work that write one document wait for each other while they hold neither a transaction nor a slot."""

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from taskmanager.core.locking import leases
from taskmanager.core.locking.advisory_locks import advisory_locks
from taskmanager.core.locking.held_locks import MAX_CONFIRMING, HeldLocks
from taskmanager.core.servers.stores import cache_store
from taskmanager.core.storage.capacity import _current
from taskmanager.core.storage.database import capacity
from taskmanager.core.storage.locks import Lock, hold
from taskmanager.core.storage.unit_of_work import hold_advisory_lock, unit_of_work


@pytest.fixture(autouse=True)
def _database(app):
    """The database is there, and empty."""


class JobTimeoutError(Exception):
    """The time limit of a job."""


@pytest.fixture
def time_limit():
    """Return a function that interrupts this thread after some seconds, as RQ does."""

    def interrupt(*_):
        raise JobTimeoutError

    before = signal.signal(signal.SIGALRM, interrupt)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@unit_of_work
def count(name="a"):
    hold_advisory_lock(name)
    hold(name)


def wait_for_waiter(name="a"):
    while not advisory_locks._locks.is_wanted(name):
        time.sleep(0.001)


@unit_of_work
def count_all(names):
    for name in names:
        hold_advisory_lock(name)
    hold("all")


def test_one_that_waits_for_many_locks_is_patient_once(monkeypatch):
    monkeypatch.setattr("taskmanager.core.locking.held_locks.MAX_WAIT_SECONDS", 0.5)
    names = [f"busy {number}" for number in range(20)]
    for name in names:
        assert advisory_locks.try_acquire(name, "another")
    begun = time.monotonic()
    try:
        count_all(names)
    finally:
        for name in names:
            advisory_locks.release(name, "another")
    assert time.monotonic() - begun < 5  # of ten seconds, if it waited for each


def test_one_that_waits_has_no_transaction(commands):
    assert advisory_locks.try_acquire("a", "me")
    with commands.counted() as sent, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(count)
        wait_for_waiter()
        assert sent == []
        advisory_locks.release("a", "me")
        waiting.result()
    assert sent == ["update", "commitTransaction"]


def test_one_that_waits_goes_on_when_the_primary_has_the_commit_before_it(commands, monkeypatch):
    """The second use case runs before the first one asks whether the majority has its commit."""
    begun, ran, started, in_time = threading.Event(), threading.Event(), commands.started, []

    def wait_for_the_second(event):
        started(event)
        if event.command_name == "commitTransaction" and event.command["writeConcern"]["w"] == "majority":
            in_time.append(ran.wait(10))

    @unit_of_work
    def first():
        count()
        begun.set()
        wait_for_waiter()

    @unit_of_work
    def second():
        count()
        ran.set()

    monkeypatch.setattr(commands, "started", wait_for_the_second)
    with commands.counted() as sent, ThreadPoolExecutor(2) as pool:
        done = [pool.submit(first)]
        assert begun.wait(10)
        done.append(pool.submit(second))
        for one in done:
            one.result()
    assert Lock.objects(name="a").first().held == 2
    assert in_time == [True, True]
    assert sorted(sent) == [*["commitTransaction"] * 3, "update", "update"]  # the last one has no waiter
    assert advisory_locks._locks._queues == {}


def test_where_the_majority_is_slow_few_units_of_work_wait_for_it_at_a_time():
    """Each has a slot of the database meanwhile."""
    waiting = [HeldLocks() for _ in range(MAX_CONFIRMING + 1)]
    try:
        for number, one in enumerate(waiting):
            assert not one.may_end_early()
            assert one.is_settled(f"slow {number}")
            advisory_locks.note_conflict(f"slow {number}")
        assert [one.may_end_early() for one in waiting] == [True] * MAX_CONFIRMING + [False]
        assert waiting[0].may_end_early()
        waiting[0].end()
        assert waiting[-1].may_end_early()
    finally:
        for one in waiting:
            one.end()
    assert HeldLocks().may_end_early() is False
    assert advisory_locks._locks._queues == {}


def test_one_that_waits_holds_no_slot_of_the_database():
    assert advisory_locks.try_acquire("a", "me")
    slots = []

    def wait():
        with capacity.acquire_slot():
            slots.append(_current.get())
            count()
            slots.append(_current.get()._held)

    thread = threading.Thread(target=wait)
    thread.start()
    wait_for_waiter()
    assert not slots[0]._held
    advisory_locks.release("a", "me")
    thread.join()
    assert slots[1]


def test_one_that_waits_too_long_goes_on_without_the_lock(monkeypatch):
    assert advisory_locks.try_acquire("a", "me")
    monkeypatch.setattr("taskmanager.core.locking.held_locks.MAX_WAIT_SECONDS", 0.01)
    count()
    assert Lock.objects(name="a").first().held == 1
    advisory_locks.release("a", "me")


def test_a_free_lock_costs_no_command_and_is_free_afterwards(commands):
    with commands.counted() as sent:
        count()
    assert sent == ["update", "commitTransaction"]
    assert advisory_locks._locks._queues == {}


def test_a_lock_is_free_after_an_error():
    @unit_of_work
    def fail():
        hold_advisory_lock("a")
        raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert advisory_locks._locks._queues == {}


def test_a_conflict_makes_the_process_use_leases(failing):
    with failing("update", errorCode=112, labels=("TransientTransactionError",)):
        count("b")
    assert not advisory_locks.try_acquire("b", "me")
    assert Lock.objects(name="b").first().held == 1


@pytest.mark.parametrize("has_waited", [False, True])
def test_one_that_met_another_process_waits_for_its_lease_before_it_runs_again(
    failing, commands, monkeypatch, has_waited
):
    """Without the lease it would meet that process again and again, and those behind it would wait for it."""
    monkeypatch.setattr(leases, "LEASE_SECONDS", 60.0)
    name = f"met, {has_waited}"  # it stays contended for some seconds
    of_another = leases.acquire(name, 1)
    if has_waited:
        assert advisory_locks.try_acquire(name, "me")
    conflict = failing("update", errorCode=112, labels=("TransientTransactionError",))
    with conflict, commands.counted() as sent, ThreadPoolExecutor(1) as pool:
        running = pool.submit(count, name)
        if has_waited:
            wait_for_waiter(name)
            advisory_locks.release(name, "me")
        while not cache_store().exists(f"tm:lease:{{{name}}}:queue"):
            assert not running.done()
        of_another.release()
        running.result()
    assert sent == ["update", "abortTransaction", "update", "commitTransaction", "commitTransaction"]
    assert Lock.objects(name=name).first().held == 1


@pytest.mark.parametrize(("seconds", "pauses"), [(60.0, 3), (0.0, 0)])
def test_one_that_meets_others_again_and_again_makes_short_pauses_for_some_time(failing, monkeypatch, seconds, pauses):
    """Those of the driver grow to half a second, while another process is first each time."""
    paused = []
    monkeypatch.setattr("taskmanager.core.locking.held_locks.MAX_REPEAT_SECONDS", seconds)
    monkeypatch.setattr(HeldLocks, "pause", lambda _: paused.append(1))
    with failing("update", times=3, errorCode=112, labels=("TransientTransactionError",)):
        count(f"met {pauses} times")
    assert len(paused) == pauses
    assert Lock.objects(name=f"met {pauses} times").first().held == 1


def test_a_nested_use_case_holds_the_lock_of_the_outer_one():
    @unit_of_work
    def outer():
        hold_advisory_lock("a")
        count()

    outer()
    assert Lock.objects(name="a").first().held == 1


def test_a_job_whose_time_is_over_while_it_waits_leaves_the_lock_to_others(time_limit):
    assert advisory_locks.try_acquire("a", "me")
    with pytest.raises(JobTimeoutError):
        time_limit(0.1)
        count()
    assert not advisory_locks._locks.is_wanted("a")
    advisory_locks.release("a", "me")
    count()
    assert advisory_locks._locks._queues == {}


@pytest.mark.parametrize("step", ["try_acquire", "acquire"])
def test_a_lock_is_free_when_its_unit_of_work_is_interrupted_just_after_it_got_it(monkeypatch, step):
    acquire = getattr(advisory_locks, step)

    def interrupted(name, owner, *seconds):
        assert acquire(name, owner, *seconds)
        raise JobTimeoutError

    if step == "acquire":
        monkeypatch.setattr(advisory_locks, "try_acquire", lambda name, owner: False)
    monkeypatch.setattr(advisory_locks, step, interrupted)
    with pytest.raises(JobTimeoutError):
        count()
    assert advisory_locks._locks._queues == {}


@pytest.mark.parametrize("commits", [True, False])
def test_all_locks_are_free_when_their_release_is_interrupted(monkeypatch, commits):
    release, interrupts = advisory_locks.release, [JobTimeoutError()]

    def interrupted(name, owner):
        if interrupts:
            raise interrupts.pop()
        release(name, owner)

    @unit_of_work
    def both():
        count("a")
        count("b")
        if not commits:
            raise LookupError

    monkeypatch.setattr(advisory_locks, "release", interrupted)
    with pytest.raises(JobTimeoutError):
        both()
    assert advisory_locks._locks._queues == {}
