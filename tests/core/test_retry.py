"""The retry policy, and the schedules that are made of it: they are what docs/operations.md says."""

from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from taskmanager.core.events import outbox
from taskmanager.core.retry import RetryPolicy
from taskmanager.features.notifications.delivery import service as deliveries
from taskmanager.features.webhooks.delivery import channel as webhooks
from workers import fitness, pool

# place: (policy, jitter, the delays in seconds until they grow no more, attempts and time until it gives up)
SCHEDULES = {
    "event": (outbox.retry_policy, 0, [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600], 40, timedelta()),
    "delivery": (
        deliveries.retry_policy, 0.2, [5, 15, 45, 135, 405, 1215, 3645, 10935, 14400], 8, timedelta(hours=26),
    ),
    "webhook": (webhooks.retry_policy, 0, [2, 4, 8, 16, 32, 64, 128, 256, 300], 8, timedelta(days=5)),
    "server": (lambda: fitness.OUTAGE, 0, [0.2, 0.4, 0.8, 1.6, 2.0], 1, timedelta()),
    "process": (lambda: pool._RESTART, 0, [0.5, 1, 2, 4, 8, 16, 30], 1, timedelta()),
}  # fmt: skip


@pytest.mark.parametrize("place", SCHEDULES)
def test_each_schedule_is_what_the_documents_say(place, app, settings, other_app):
    other_app(job_silence_seconds=10)  # the defaults: tests wait for less
    made, jitter, seconds, attempts, lasts = SCHEDULES[place]
    policy = made()
    delays = [policy.delay(number).total_seconds() for number in range(1, len(seconds) + 2)]
    assert delays == [pytest.approx(each, rel=jitter + 1e-9) for each in [*seconds, seconds[-1]]]
    assert (policy.min_attempts, policy.give_up_after) == (attempts, lasts)


@given(st.integers(1, 10_000), st.floats(0, 0.5))
def test_delays_grow_to_the_longest_and_vary_by_their_share(attempts, jitter):
    policy = RetryPolicy(first_seconds=5, factor=3, max_seconds=1000, jitter=jitter)
    expected = min(5 * 3.0 ** min(attempts - 1, 10), 1000)
    assert expected * (1 - jitter) <= policy.seconds(attempts) <= expected * (1 + jitter)


def test_what_fails_together_does_not_come_back_together():
    policy = RetryPolicy(first_seconds=5, max_seconds=1000, jitter=0.2)
    assert len({policy.seconds(1) for _ in range(50)}) > 10


@pytest.mark.parametrize(
    ("attempts", "hours", "ended"), [(8, 26, True), (7, 26, False), (8, 25, False), (100, 1, False), (1, 100, False)]
)
def test_it_gives_up_after_so_many_attempts_and_so_long(attempts, hours, ended):
    policy = RetryPolicy(first_seconds=5, max_seconds=10, min_attempts=8, give_up_after=timedelta(hours=26))
    assert policy.exhausted(attempts, timedelta(hours=hours)) is ended


def test_without_a_time_the_attempts_decide():
    policy = RetryPolicy(first_seconds=5, max_seconds=10, min_attempts=40)
    assert (policy.exhausted(39), policy.exhausted(40)) == (False, True)


def test_events_and_deliveries_are_tried_for_more_than_a_day(app):
    for policy, fewest, most in ((outbox.retry_policy(), 24, 40), (deliveries.retry_policy(), 10, 16)):
        waited, attempts = timedelta(), 0
        while waited < timedelta(hours=24):
            attempts += 1
            waited += policy.delay(attempts)
        assert fewest <= attempts <= most
