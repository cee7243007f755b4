"""Processes that disagree on the time, on real clocks that are moved: the database's clock decides."""

from datetime import UTC, datetime, timedelta

import pytest
from pytest import TempPathFactory

from taskmanager.core.configuration.settings import Settings
from taskmanager.core.events.log import Counter, Event
from taskmanager.core.events.schedule import Due
from taskmanager.features.notifications.models import Delivery
from taskmanager.features.tasks import service as tasks
from taskmanager.testing.factories import ProjectFactory, TaskFactory, owner_of
from taskmanager.testing.fixtures import PATIENCE
from tests import faketime
from tests.faults.assignments import Assignments
from tests.faults.conftest import logged_in, running
from tests.faults.stack import Stack, eventually
from tests.faults.web_client import WebClient

HOUR = 3600
TOKEN = "metrics-token-of-the-clock-tests"


pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not faketime.IS_SUPPORTED, reason="libfaketime is for Linux"),
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: TempPathFactory, settings: Settings):
    """One web process an hour ahead, a relay ten minutes behind, a worker ten minutes ahead, a scheduler behind."""
    with running(tmp_path_factory.mktemp("clocks"), settings, metrics_token=TOKEN, **PATIENCE) as stack:
        for name, seconds in {"web": HOUR, "relay": -600, "worker": 600, "scheduler": -HOUR}.items():
            stack.set_clock(name, seconds)
        yield stack


@pytest.fixture(scope="module")
def web(stack: Stack) -> WebClient:
    return logged_in(stack)


def near(moment: datetime, seconds: float = 30) -> bool:
    return abs((datetime.now(UTC) - moment).total_seconds()) < seconds


def test_what_a_process_an_hour_ahead_writes_has_the_time_of_the_database(web: WebClient):
    made = web.send("POST", "/api/v1/projects", {"key": "AHEAD", "name": "Ahead"})
    assert made.status == 201, made
    task = web.send("POST", f"/api/v1/projects/{made.body['id']}/tasks", {"title": "Now"})
    assert near(datetime.fromisoformat(task.body["created_at"]))
    happened = Event.objects(stream=f"project:{made.body['id']}")
    assert happened.count() >= 2 and all(near(event.at) for event in happened)


def test_health_says_how_wrong_the_clock_is(web: WebClient):
    answer = web.send("GET", "/health", Authorization=f"Bearer {TOKEN}")
    assert abs(answer.body["clock_ahead_s"] - HOUR) < 30  # less when an answer of the database was waited for


def test_a_relay_ten_minutes_behind_and_a_worker_ten_minutes_ahead_tell_everybody_once(stack: Stack):
    stack.start("relay", "worker")
    assignments = Assignments()
    for _ in assignments.make(5):
        pass
    stack.delivered()
    here = list(Delivery.objects(project_id=assignments.project.id, channel="email"))
    assert [delivery.state for delivery in here] == ["sent"] * 5
    assert {delivery.attempts for delivery in here} == {1}
    assert set(stack.mailed().values()) == {1}


def test_times_that_cannot_be_are_mended(stack: Stack):
    """A scheduler, a relay and a web process of an earlier release were ahead once: their times are still stored."""
    never = datetime.now(UTC) + timedelta(days=300)
    for name in ("outbox.watch", "tasks.reminders"):
        Due.objects(name=name).update_one(set__due_at=never, upsert=True)
    project = ProjectFactory()
    Counter.objects(stream=f"project:{project.id}").update_one(set__at=never, set__seq=7, upsert=True)
    if "relay" in stack.processes:  # it would be done with the event before its time is changed
        stack.processes["relay"].stop()
    assignments = Assignments()
    for _ in assignments.make(1):
        pass
    late = Event.objects(stream=f"project:{assignments.project.id}", pending__ne=[]).order_by("-seq").first()
    Event.objects(id=late.id).update(set__due_at=never)
    stack.start("relay", "worker", "scheduler")
    stack.delivered()
    jobs = ("outbox.watch", "tasks.reminders")
    eventually(lambda: all(near(due.due_at, 2 * HOUR) for due in Due.objects(name__in=jobs)), "the next times")
    TaskFactory(project=project)
    owner = owner_of(project.id)
    tasks.create(project.id, {"title": "In its own time"}, actor=owner)
    assert near(Event.objects(stream=f"project:{project.id}").order_by("-seq").first().at)
    eventually(lambda: "corrected" in stack.processes["scheduler"].log.read_text(), "the line of the log")
