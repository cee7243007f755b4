"""Periodic jobs: each run once, caught up once, repeated when it failed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from taskmanager.core.clock import now
from taskmanager.core.events import schedule
from taskmanager.core.events.schedule import Due, every, run_due

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture(autouse=True)
def only_ours(contribute):
    contribute.only()


@pytest.fixture
def ran(contribute):
    """A list that a periodic job adds to each hour."""
    runs = []
    contribute(periodic_jobs=(every(3600, name="test.hourly")(lambda: runs.append(now())),))
    return runs


def test_a_new_job_runs_at_once_and_then_at_its_time(ran):
    assert (run_due(), run_due(), len(ran)) == (1, 0, 1)
    left = Due.objects.get().due_at - now()
    assert timedelta(minutes=59) < left <= timedelta(hours=1)


def test_missed_runs_are_caught_up_once(ran):
    run_due()
    Due.objects.update(due_at=now() - timedelta(days=3))
    assert (run_due(), run_due(), len(ran)) == (1, 0, 2)


def test_of_many_schedulers_one_runs_it(ran):
    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(lambda _: run_due(), range(12))) == 1
    assert len(ran) == 1


def test_a_job_that_fails_is_repeated_and_does_not_stop_the_others(ran, contribute):
    contribute(periodic_jobs=(every(3600, name="test.failing")(lambda: 1 / 0),))
    assert run_due() == 2
    failing = Due.objects.get(name="test.failing")
    assert failing.ran_at is None
    assert failing.due_at - now() <= timedelta(minutes=1)
    assert len(ran) == 1


def test_a_run_whose_process_died_is_repeated(ran):
    schedule._claim(schedule.PERIODIC_JOBS["test.hourly"])
    assert run_due() == 0
    Due.objects.update(due_at=now())
    assert run_due() == 1
