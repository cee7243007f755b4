"""What a process makes once: by one thread, whoever else asks at the same moment."""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from taskmanager.core.locking.made_once import made_once
from taskmanager.core.servers import stores

THREADS = 8


def test_threads_that_are_the_first_get_the_same_object():
    gate, made = threading.Barrier(THREADS), []

    @made_once
    def client(name):
        made.append(name)
        time.sleep(0.05)  # so that the others come while it is made
        return object()

    def find(number):
        gate.wait()
        return client(f"store {number % 2}")

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(find, range(THREADS)))
    assert sorted(made) == ["store 0", "store 1"]
    assert len({id(one) for one in found}) == 2


def test_one_that_fails_is_made_again():
    faults = [OSError("not yet")]

    @made_once
    def client():
        if faults:
            raise faults.pop()
        return "client"

    with pytest.raises(OSError, match="not yet"):
        client()
    assert client() == "client"


def test_threads_share_one_client_of_a_store(app):
    """The one that is dropped would close connections that the others use, and their requests would be 500."""
    pause = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # seconds: threads come between each other's steps
    try:
        for number in range(20):
            gate = threading.Barrier(THREADS)

            def ask(_, gate=gate, seconds=5.001 + number / 1000):
                gate.wait()
                store = stores.queue_store(seconds)
                return store.ping() and id(store)

            with ThreadPoolExecutor(THREADS) as pool:
                assert len(set(pool.map(ask, range(THREADS)))) == 1
    finally:
        sys.setswitchinterval(pause)
