"""Locks between threads: one holder, in the order of arrival, and no entry that stays."""

import threading
import time

from taskmanager.core.locking.fair_locks import FairLocks

LONG = 60.0


def waiting(locks, name, done, label, seconds=LONG):
    """A thread that waits for a lock, notes its label and releases the lock; it waits when this returns."""

    def run():
        if locks.acquire(name, seconds):
            done.append(label)
            locks.release(name)

    before = len(locks._waiting[name])
    thread = threading.Thread(target=run)
    thread.start()
    while len(locks._waiting.get(name, ())) == before:
        time.sleep(0.001)
    return thread


def test_threads_get_a_lock_in_the_order_in_which_they_came():
    locks, done = FairLocks(), []
    assert locks.try_acquire("a")
    threads = [waiting(locks, "a", done, number) for number in range(8)]
    locks.release("a")
    for thread in threads:
        thread.join()
    assert done == list(range(8))


def test_a_held_lock_is_not_taken_and_another_name_is():
    locks = FairLocks()
    assert locks.try_acquire("a")
    assert not locks.try_acquire("a")
    assert locks.acquire("b", LONG)


def test_a_thread_that_waits_too_long_goes_on_and_is_forgotten():
    locks = FairLocks()
    assert locks.try_acquire("a")
    assert not locks.acquire("a", 0.01)
    assert not locks.is_wanted("a")
    locks.release("a")
    assert locks.try_acquire("a")


def test_nothing_stays_of_a_lock_after_its_release():
    locks = FairLocks()
    for number in range(100):
        assert locks.try_acquire(str(number))
        locks.release(str(number))
    assert locks._waiting == {}
