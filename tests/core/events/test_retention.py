"""Events end after their days, and nothing that is counted, listed or told breaks when they do."""

from datetime import timedelta

import pytest
from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.events import retention
from taskmanager.core.events.log import Counter, Event
from taskmanager.core.storage import walks
from taskmanager.features.notifications.models import Delivery, Notification
from taskmanager.features.webhooks.models import Body
from taskmanager.testing.factories import TaskFactory
from tests.scene import patch, scene  # noqa: F401 a fixture
from tests.web.profiling import of_this_process

ANY = {"If-Match": "*"}


@pytest.fixture
def old(settings):
    """Makes an event that is older than all is kept: `old(stream="x", due_at=now())`."""
    made = iter(range(1, 10_000))

    def make(**fields):
        number = next(made)
        at = now() - timedelta(days=max(settings.event_days, settings.audit_days) + 1, seconds=number)
        row = {"_id": ObjectId(), "kind": "x.y", "stream": "project:x", "seq": number, "at": at, "data": {}}
        Event._get_collection().insert_one(row | fields)
        return row["_id"]

    return make


def left(*ids):
    return [event_id for event_id in ids if Event.objects(id=event_id).first()]


@pytest.mark.parametrize("audited", [{}, {"audited": True}])
def test_an_event_that_a_user_still_needs_stays(app, old, audited):
    done, waiting, given_up = old(**audited), old(due_at=now(), pending=["a"], **audited), old(died_at=now(), **audited)
    to_send, listed, stored = old(**audited), old(**audited), old(**audited)
    Delivery(event_id=to_send, channel="email", recipient_id=ObjectId()).save()
    Notification(user_id=ObjectId(), event_id=listed, kind="k", title="t", text="t", expires_at=now()).save()
    Body(id=stored, text="{}", expires_at=now()).save(force_insert=True)
    needed = [waiting, given_up, to_send, listed, stored]
    assert retention.remove_old() == 1
    assert left(done, *needed) == needed
    Delivery.objects.delete()
    Notification.objects.delete()
    Body.objects.delete()
    assert (retention.remove_old(), left(*needed)) == (3, [waiting, given_up])


def test_each_sort_of_event_has_days_of_its_own(other_app, settings):
    other_app(event_days=30, audit_days=100)
    for days, fields in ((31, {}), (31, {"audited": True}), (101, {"audited": True})):
        at = now() - timedelta(days=days)
        Event(kind=f"k.{days}", stream="s", seq=days + len(fields), at=at, **fields).save()
    assert retention.remove_old() == 2
    assert list(Event.objects.scalar("kind")) == ["k.31"]


def test_a_round_ends_in_time_and_the_next_goes_on_behind_what_stays(app, old, monkeypatch):
    """What must stay is not looked at again before all behind it was."""
    monkeypatch.setattr(walks, "BATCH", 4)
    monkeypatch.setattr(walks, "_MAX_SECONDS", 0)
    ids = [old() for _ in range(12)][::-1]  # the oldest first
    for event_id in ids[:6]:
        Delivery(event_id=event_id, channel="email", recipient_id=ObjectId()).save()
    assert [retention.remove_old() for _ in range(4)] == [0, 2, 4, 0]
    assert left(*ids) == ids[:6]


def test_only_what_goes_is_examined(app, old):
    """Neither what is young nor what waits costs anything."""
    for _ in range(20):
        old(due_at=now())
        Event(kind="k.k", stream="s", seq=Event.objects.count(), at=now()).save()
    first, *_ = gone = [old() for _ in range(5)][::-1]
    row = Event.objects(id=gone[1]).as_pymongo().first()
    for after, expected in ([], 5), ([row["at"], row["_id"]], 3):
        with _explained() as plans:
            assert len(retention.old(None, now() - timedelta(days=1), after, 100)) == expected
        (stats,) = plans
        assert stats["totalKeysExamined"] <= expected + 2
        assert stats["totalDocsExamined"] <= expected + 1
    assert first


class _explained:
    """What the server did for each `find` of events inside."""

    def __enter__(self):
        database = Event._get_collection().database
        database.command("profile", 2)
        self._database = database
        self._plans = []
        return self._plans

    def __exit__(self, *error):
        self._database.command("profile", 0)
        found = self._database["system.profile"].find(of_this_process("events") | {"op": "query"})
        for row in found:
            self._plans.append({"totalKeysExamined": row["keysExamined"], "totalDocsExamined": row["docsExamined"]})
        self._database["system.profile"].drop()


def test_numbers_of_streams_go_on_and_pages_of_activity_end(scene, deliver):  # noqa: F811
    for number in range(4):
        patch(scene.owner, scene.task_path, {"title": f"Title {number}"})
    deliver()
    page = scene.owner.get(f"{scene.task_path}/activity?limit=2").json
    before = Event.objects(stream=f"project:{scene.project.id}").order_by("-seq").first().seq
    Delivery.objects.delete()
    Notification.objects.delete()
    Event.objects.update(set__at=now() - timedelta(days=10_000))
    assert retention.remove_old()
    following = scene.owner.get(f"{scene.task_path}/activity", query_string={"cursor": page["next_cursor"]})
    assert (following.status_code, following.json["items"]) == (200, [])
    assert scene.owner.get("/api/v1/users/me/events").json["items"] == []
    TaskFactory(project=scene.project)
    assert Event.objects(stream=f"project:{scene.project.id}").order_by("seq").first().seq == before + 1


def test_the_counter_of_an_address_without_an_account_ends_with_its_last_event(app, client, old):
    client.post("/api/v1/auth/login", json={"email": "unknown@example.com", "password": "wrong password"})
    counter = Counter.objects(stream__startswith="address:").first()
    if counter is None:
        pytest.skip("failed logins are recorded in no stream of their own")
    Event.objects(stream=counter.stream).update(set__at=now() - timedelta(days=10_000), unset__due_at=True)
    Counter(stream="user:x", seq=3, at=now()).save()
    old(stream="user:x")
    retention.remove_old()
    assert {row.stream for row in Counter.objects} == {"user:x"}
