"""Who leaves or is removed: what they had opened ends, they are taken off the tasks, and nothing waits for them."""

import pytest

from taskmanager.core.clock import now
from taskmanager.features.notifications.models import Delivery
from taskmanager.features.projects.models import Invitation, ShareLink
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.reminders.models import Reminder
from taskmanager.features.users.administration import service as administration
from taskmanager.features.users.models import User
from taskmanager.features.webhooks.models import Webhook
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import MembershipFactory, TaskFactory, UserFactory, task_row
from taskmanager.testing.mailbox import text_of
from tests.features.matrix import HOOK
from tests.problems import assert_problem
from tests.scene import patch

ANY = {"If-Match": "*"}


@pytest.fixture
def manager(scene):
    return scene.member("manager")


def leaves(scene, person):
    assert person.delete(f"{scene.members_path}/{person.user.id}", headers=ANY).status_code == 204


def is_removed(scene, person):
    assert scene.owner.delete(f"{scene.members_path}/{person.user.id}", headers=ANY).status_code == 204


def deletes_the_account(scene, person):
    assert person.delete("/api/v1/users/me", headers=ANY).status_code == 204


ENDINGS = pytest.mark.parametrize("ending", [leaves, is_removed, deletes_the_account])


def link_of(scene, person, **more):
    answer = person.post(f"{scene.project_path}/share-links", json={"role": "viewer", **more})
    assert answer.status_code == 201, answer.text
    return answer.json["token"]


def visitor(scene, token):
    client = scene.app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


@ENDINGS
def test_their_share_links_end_at_once_and_the_owner_is_told(scene, manager, deliver, mail, ending):
    token, kept = link_of(scene, manager), link_of(scene, scene.owner)
    assert visitor(scene, token).get(scene.task_path).status_code == 200
    deliver()
    mail.empty()
    ending(scene, manager)
    assert visitor(scene, token).get(scene.task_path).status_code == 401
    assert visitor(scene, kept).get(scene.task_path).status_code == 200
    assert ShareLink.objects.count() == 1
    deliver()
    kinds = [item["kind"] for item in scene.owner.get("/api/v1/notifications").json["items"]]
    assert kinds.count("share_links.closed") == 1
    assert "closed: 1" in text_of(mail.to(scene.owner.user.email)[-1])


@ENDINGS
def test_their_webhooks_of_the_project_are_turned_off_and_an_owners(scene, manager, deliver, ending):
    made = manager.post(f"{scene.project_path}/webhooks", json=HOOK).json
    deliver()
    ending(scene, manager)
    deliver()
    hook = scene.owner.get(f"/api/v1/webhooks/{made['id']}").json
    assert hook["state"] == "disabled"
    assert Webhook.objects.get().owner_id == scene.owner.user.id
    assert "webhook.disabled" in [item["kind"] for item in scene.owner.get("/api/v1/notifications").json["items"]]


def test_nothing_is_sent_to_a_webhook_of_a_former_member_before_it_was_given_on(scene, manager):
    from taskmanager.features.notifications.channels.base import Cancelled
    from taskmanager.features.webhooks.delivery import channel

    made = manager.post(f"{scene.project_path}/webhooks", json=HOOK).json
    is_removed(scene, manager)
    delivery = Delivery(recipient_id=made["id"], kind="task.created", channel="webhook", body="{}")
    with pytest.raises(Cancelled):
        channel._check_deliverable(Webhook.objects.get(), delivery)
    assert Webhook.objects.get().disabled_at


def test_the_webhooks_of_a_disabled_account_are_turned_off_and_its_links_closed_while_it_is(scene, manager, deliver):
    manager.post(f"{scene.project_path}/webhooks", json=HOOK)
    token = link_of(scene, manager)
    administration.disable(User.objects.one(manager.user.id))
    deliver()
    assert Webhook.objects.get().owner_id == scene.owner.user.id
    assert visitor(scene, token).get(scene.task_path).status_code == 401
    User.objects(id=manager.user.id).update(unset__disabled_at=True)
    assert visitor(scene, token).get(scene.task_path).status_code == 200


@ENDINGS
def test_they_are_taken_off_the_tasks(scene, deliver, ending):
    member, other = scene.member(), scene.member()
    task = TaskFactory(project=scene.project, assignees=(member.user, other.user))
    trashed = TaskFactory(project=scene.project, assignees=(member.user,))
    member.put(f"{scene.task_path}/watchers/{member.user.id}", headers=ANY)
    member.post(f"{scene.task_path}/reminders", json={"at": f"{now().year + 1}-01-01T00:00:00Z"})
    scene.owner.delete(f"/api/v1/tasks/{trashed.id}", headers=ANY)
    ending(scene, member)
    deliver()
    assert scene.owner.get(f"/api/v1/tasks/{task.id}").json["assignee_ids"] == [str(other.user.id)]
    assert scene.owner.get(scene.task_path).json["watcher_ids"] == []
    assert Task.objects.one(trashed.id).assignee_ids == []
    assert Reminder.objects.count() == 0


def test_other_projects_keep_them(scene, deliver):
    from taskmanager.testing.factories import ProjectFactory

    member = scene.member()
    other = ProjectFactory(owner=scene.owner.user)
    MembershipFactory(project=other, user=member.user)
    task = TaskFactory(project=other, assignees=(member.user,))
    sign_in(scene.app, member.user).post(
        f"/api/v1/tasks/{task.id}/reminders", json={"at": f"{now().year + 1}-01-01T00:00:00Z"}
    )
    leaves(scene, member)
    deliver()
    assert Task.objects.one(task.id).assignee_ids == [member.user.id]
    assert Reminder.objects.count() == 1


def test_very_many_tasks_are_changed_a_few_at_a_time(scene, deliver, commands):
    member = scene.member()
    rows = [task_row(scene.project.id, assignee_ids=[member.user.id]) for _ in range(120)]
    Task.objects.insert(rows)
    is_removed(scene, member)
    with commands.counted() as sent:
        deliver()
    assert sent.count("commitTransaction") >= 12
    assert Task.objects(index_tags=f"a:{member.user.id}").count() == 0


def test_before_they_are_taken_off_they_block_no_edit_and_inherit_no_next(scene):
    member = scene.member()
    ids = [str(member.user.id)]
    path = f"/api/v1/tasks/{TaskFactory(project=scene.project, assignees=(member.user,)).id}"
    patch(scene.owner, path, {"due": "2026-12-01", "recurrence": "FREQ=DAILY"})
    is_removed(scene, member)
    assert patch(scene.owner, path, {"title": "Edited", "assignee_ids": ids}).status_code == 200
    other = UserFactory()
    answer = patch(scene.owner, path, {"assignee_ids": [*ids, str(other.id)]})
    assert assert_problem(answer, 422)["errors"][0]["code"] == "task.not_a_member"
    done = scene.owner.put(f"{path}/completion", headers=ANY).json
    assert Task.objects.one(done["next_task_id"]).assignee_ids == []


def test_who_comes_back_before_the_job_ran_keeps_what_they_had(scene, deliver):
    member = scene.member()
    task = TaskFactory(project=scene.project, assignees=(member.user,))
    deliver()
    leaves(scene, member)
    MembershipFactory(project=scene.project, user=member.user)
    deliver()
    assert Task.objects.one(task.id).assignee_ids == [member.user.id]


def test_what_waits_for_them_is_cancelled(scene, deliver):
    member = scene.member()
    deliver()
    patch(member, "/api/v1/notifications/preferences", {"digest": "daily"})
    task = TaskFactory(project=scene.project, assignees=(member.user,))
    deliver()
    scene.owner.post(f"/api/v1/tasks/{task.id}/comments", json={"text": "Hello"})
    deliver()
    waiting = Delivery.objects(recipient_id=member.user.id, state="pending")
    assert waiting.count() > 0
    leaves(scene, member)
    deliver()
    assert waiting.count() == 0


def test_the_invitations_that_they_sent_end(scene, manager):
    manager.post(scene.members_path, json={"email": "guest@example.com", "role": "viewer"})
    leaves(scene, manager)
    assert Invitation.objects.get().state == "revoked"


@pytest.mark.parametrize("by", ["user_id", "email"])
def test_an_invitation_that_waits_lets_no_one_back_in_who_was_removed(scene, by):
    person = scene.who("stranger")
    whom = {"user_id": str(person.user.id)} if by == "user_id" else {"email": person.user.email}
    invited = scene.owner.post(scene.members_path, json=whom | {"role": "manager"})
    assert invited.status_code == 202, invited.text
    MembershipFactory(project=scene.project, user=person.user, role="member")
    is_removed(scene, person)
    answer = person.post(f"/api/v1/invitations/{invited.json['id']}/accept")
    assert_problem(answer, 404, 409, 410)
    assert person.get(scene.project_path).status_code == 404
