"""Locks between threads: one holder, in the order of arrival, and no entry that stays."""

import signal
import threading
import time
from contextlib import contextmanager

import pytest

from taskmanager.core.locking.fair_locks import FairLocks

LONG = 60.0


@contextmanager
def interrupted_after(seconds):
    """The thread of the test is interrupted after some seconds, as by the time limit of a job."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def waiting(locks, name, done, label, seconds=LONG):
    """A thread that waits for a lock, notes its label and releases the lock; it waits when this returns."""

    def run():
        if locks.acquire(name, label, seconds):
            done.append(label)
            locks.release(name, label)

    before = len(locks._queues[name])
    thread = threading.Thread(target=run)
    thread.start()
    while len(locks._queues.get(name, ())) == before:
        time.sleep(0.001)
    return thread


def test_threads_get_a_lock_in_the_order_in_which_they_came():
    locks, done = FairLocks(), []
    assert locks.try_acquire("a", "me")
    threads = [waiting(locks, "a", done, number) for number in range(8)]
    locks.release("a", "me")
    for thread in threads:
        thread.join()
    assert done == list(range(8))


def test_a_held_lock_is_not_taken_and_another_name_is():
    locks = FairLocks()
    assert locks.try_acquire("a", "me")
    assert not locks.try_acquire("a", "other")
    assert locks.acquire("b", "me", LONG)


def test_a_thread_that_waits_too_long_goes_on_and_is_forgotten():
    locks = FairLocks()
    assert locks.try_acquire("a", "me")
    assert not locks.acquire("a", "other", 0.01)
    assert not locks.is_wanted("a")
    locks.release("a", "me")
    assert locks.try_acquire("a", "me")


def test_nothing_stays_of_a_lock_after_its_release():
    locks = FairLocks()
    for number in range(100):
        assert locks.try_acquire(str(number), "me")
        locks.release(str(number), "me")
    assert locks._queues == {}


def test_a_release_by_another_owner_changes_nothing():
    locks = FairLocks()
    assert locks.try_acquire("a", "me")
    locks.release("a", "other")
    assert locks.holds("a", "me")
    assert not locks.try_acquire("a", "other")


def test_one_that_was_interrupted_while_it_waited_is_passed_over():
    locks, done = FairLocks(), []
    assert locks.try_acquire("a", "me")
    with pytest.raises(KeyboardInterrupt), interrupted_after(0.1):
        locks.acquire("a", "interrupted", LONG)
    thread = waiting(locks, "a", done, "next")
    locks.release("a", "me")
    thread.join()
    assert done == ["next"]
    assert locks._queues == {}
