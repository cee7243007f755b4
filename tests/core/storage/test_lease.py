"""The lease: one holder at a time, by the clock of the database."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from taskmanager.core.clock import now
from taskmanager.core.storage.lease import Lease, LeaseRecord

pytestmark = pytest.mark.usefixtures("app")


def test_only_one_holds():
    first, second = Lease("work"), Lease("work")
    assert (first.hold(), second.hold(), first.hold()) == (True, False, True)


def test_leases_of_other_names_are_free():
    assert Lease("work").hold()
    assert Lease("play").hold()


def test_a_released_lease_is_free_at_once():
    first, second = Lease("work"), Lease("work")
    first.hold()
    first.release()
    assert second.hold()
    assert not first.hold()


def test_releasing_what_another_holds_changes_nothing():
    first, second = Lease("work"), Lease("work")
    first.hold()
    second.release()
    assert not second.hold()


def test_ends_by_itself_when_it_is_not_prolonged():
    first, second = Lease("work", seconds=0.2), Lease("work")
    first.hold()
    time.sleep(0.3)
    assert second.hold()
    assert not first.hold()


def test_is_prolonged_by_holding_on():
    first, second = Lease("work", seconds=60), Lease("work")
    assert first.hold()
    LeaseRecord.objects.update(set__until=now() + timedelta(seconds=1))
    first._renew_at = 0.0  # a third of its time is over
    assert first.hold()
    assert LeaseRecord.objects.get().until > now() + timedelta(seconds=30)
    assert not second.hold()


def test_of_many_who_ask_at_once_one_gets_it():
    leases = [Lease("work") for _ in range(16)]
    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(Lease.hold, leases)) == 1
