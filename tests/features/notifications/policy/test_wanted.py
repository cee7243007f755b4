"""What the relay makes no job of: what is never told to anybody. All else must come through."""

import pytest

from taskmanager.core.events.log import Event
from taskmanager.features.notifications import service as notifications
from taskmanager.features.notifications.content import registry as notices
from taskmanager.features.tasks.reminders import service as reminders
from taskmanager.features.webhooks import service as webhooks
from taskmanager.features.webhooks.kinds import KINDS
from taskmanager.features.webhooks.models import Webhook
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import ProjectFactory, TaskFactory, UserFactory
from tests.scene import patch

HOOK = {"url": "https://8.8.8.8/", "events": ["*"]}


@pytest.fixture
def happened(scene, deliver):
    """The kinds of what happens within the block, as one of the two services wants it of the relay."""
    deliver()

    def of(service):
        found = list(
            Event.objects(kind__in=[*notices.kinds_with_notices(), *KINDS], due_at__exists=True).order_by("seq")
        )
        wanted = service.wanted(found)
        return [event.kind for event in found if event.id in wanted]

    return of


def test_what_one_does_alone_in_a_project_makes_no_job(scene, happened):
    scene.owner.post(scene.tasks_path, json={"title": "New"})
    scene.owner.post(f"{scene.task_path}/comments", json={"text": "Hm"})
    patch(scene.owner, scene.task_path, {"status": "done"})
    assert happened(notifications) == []


def test_what_others_may_be_told_of_comes_through(scene, deliver, happened):
    member = scene.member()
    deliver()
    scene.owner.post(scene.tasks_path, json={"title": "New"})
    patch(member, scene.task_path, {"title": "Other"})
    assert happened(notifications) == ["task.created", "task.updated"]


def test_a_project_with_others_is_told_apart_from_one_without_in_one_batch(scene, deliver, happened):
    scene.member()
    alone = ProjectFactory(owner=scene.owner.user)
    deliver()
    TaskFactory(project=alone)
    scene.owner.post(scene.tasks_path, json={"title": "New"})
    assert happened(notifications) == ["task.created"]


def test_what_is_not_told_to_members_comes_through_also_beside_what_is(scene, happened):
    """In the same batch as something that one did alone."""
    scene.owner.post(scene.tasks_path, json={"title": "New"})
    body = {"email": "new@example.com", "role": "member"}
    assert scene.owner.post(f"{scene.project_path}/invitations", json=body).status_code == 201
    body = {"at": "2020-01-01T00:00:00Z", "fire_if_past": True}
    assert scene.owner.post(f"{scene.task_path}/reminders", json=body).status_code == 201
    reminders.fire_due()
    UserFactory()
    assert sorted(happened(notifications)) == ["invitation.created", "reminder.fired", "user.registered"]


def test_what_no_one_did_comes_through(scene, happened):
    scene.owner.post(scene.tasks_path, json={"title": "New"})
    Event.objects(kind="task.created", due_at__exists=True).update(unset__actor_id=True)
    assert happened(notifications) == ["task.created"]


@pytest.mark.parametrize(
    ("place", "change", "found"),
    [
        ("{project}/webhooks", {}, ["task.created"]),
        ("/api/v1/webhooks", {}, ["task.created"]),
        ("{project}/webhooks", {"active": False}, []),
        ("/api/v1/webhooks", {"active": False}, []),
    ],
)
def test_webhooks_want_what_their_project_or_their_owner_may_hear(scene, happened, place, change, found):
    place = place.format(project=scene.project_path)
    assert scene.owner.post(place, json=HOOK | change).status_code == 201
    scene.owner.post(scene.tasks_path, json={"title": "New"})
    assert [kind for kind in happened(webhooks) if kind in KINDS] == found


def test_a_webhook_of_another_user_wants_nothing_of_it(scene, happened, app):
    stranger = sign_in(app, UserFactory())
    assert stranger.post("/api/v1/webhooks", json=HOOK).status_code == 201
    scene.owner.post(scene.tasks_path, json={"title": "New"})
    assert happened(webhooks) == []
    assert Webhook.objects.count() == 1
