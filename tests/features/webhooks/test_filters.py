"""Filters of many webhooks cost what the filter of one does, and each means what it means to its owner."""

import pytest

from taskmanager.core.events.log import Event
from taskmanager.features.webhooks import filters
from taskmanager.features.webhooks.models import Webhook
from taskmanager.testing.factories import MembershipFactory, ProjectFactory, UserFactory
from tests.features.webhooks.test_webhooks import new_task


def told(scene, kind="task.created"):
    """The descriptions of the webhooks that the latest event of a kind is for."""
    event = Event.objects(kind=kind).order_by("-seq").first()
    return sorted(webhook.description for webhook in filters.matching(list(Webhook.objects), event))


def fields(scene, name):
    """A filter with a name of each sort, for a task that `new_task` makes with a label."""
    person = scene.owner.user.id
    return (
        f'label = bug and status = open and reporter = "{person}" and custom_fields.points = {name} and priority != low'
    )


@pytest.fixture
def labelled(scene):
    """What a task has that the filter of each webhook holds for."""
    label = scene.owner.post(f"{scene.project_path}/labels", json={"name": "bug"}).json["id"]
    field = {"key": "points", "name": "Points", "type": "number"}
    assert scene.owner.post(f"{scene.project_path}/custom-fields", json=field).status_code == 201
    return {"label_ids": [label], "custom_fields": {"points": 3}}


@pytest.mark.parametrize("own", [False, True])
def test_twenty_webhooks_of_twenty_people_cost_what_one_does(scene, hook, labelled, commands, own):
    people = [scene.owner, *(scene.member("manager") for _ in range(19))]
    hook(client=people[0], own=own, filter=fields(scene, 3), description="0")
    new_task(scene, **labelled)
    with commands.counted() as one:
        assert told(scene) == ["0"]
    for number, client in enumerate(people[1:], 1):
        hook(client=client, own=own, filter=fields(scene, 3 if number % 2 else 4), description=str(number))
    with commands.counted() as twenty:
        assert len(told(scene)) == 11
    assert twenty == one
    assert len(one) <= 12


def test_a_name_is_looked_up_in_the_projects_of_the_owner(scene, hook, labelled):
    """A label of another's project is not known to this one, although both webhooks are asked at once."""
    other = ProjectFactory(owner=scene.owner.user)
    foreign = scene.owner.post(f"/api/v1/projects/{other.id}/labels", json={"name": "elsewhere"}).json["id"]
    member = scene.member("manager")
    hook(own=True, filter="label != elsewhere", description="owner")
    MembershipFactory(project=other, user=member.user)
    stranger_too = hook(client=member, own=True, filter="label != elsewhere", description="member")
    assert stranger_too["filter_problem"] is None
    new_task(scene, **labelled)
    assert told(scene) == ["member", "owner"]
    assert (
        scene.owner.delete(
            f"/api/v1/projects/{other.id}/members/{member.user.id}", headers={"If-Match": "*"}
        ).status_code
        == 204
    )
    assert told(scene) == ["owner"]
    assert foreign


def test_people_tasks_and_projects_are_those_that_the_owner_sees(scene, hook, labelled):
    outsider, other = UserFactory(), ProjectFactory(owner=scene.owner.user)
    MembershipFactory(project=other, user=outsider)
    member = scene.member("manager")
    for client, name in ((scene.owner, "owner"), (member, "member")):
        made = hook(client=client, own=True, description=name)
        Webhook.objects(id=made["id"]).update(set__filter=f'assignee != "{outsider.id}"')
    new_task(scene, **labelled)
    assert told(scene) == ["owner"]
    Webhook.objects.update(set__filter=f'project != "{other.id}"')
    assert told(scene) == ["owner"]
    Webhook.objects.update(set__filter="assignee != me")
    assert told(scene) == ["member", "owner"]


def test_one_that_is_not_understood_and_one_too_wide_hold_up_no_other(scene, hook, labelled, monkeypatch):
    hook(filter="label = bug", description="good")
    hook(filter="priority = urgent", description="bad")
    hook(description="all")
    Webhook.objects(description="bad").update(set__filter="no such thing")
    new_task(scene, **labelled)
    assert told(scene) == ["all", "good"]
    monkeypatch.setattr("taskmanager.features.projects.filtering.names.MAX_LABELS", 0)
    assert told(scene) == ["all"]


def test_what_is_no_task_and_what_is_deleted_is_let_through_by_no_filter(scene, hook, labelled):
    hook(filter="label = bug", description="filtered")
    hook(description="all")
    task = new_task(scene, **labelled)
    scene.member()
    assert told(scene, "member.added") == ["all"]
    assert told(scene) == ["all", "filtered"]
    scene.owner.delete(f"/api/v1/tasks/{task['id']}", headers={"If-Match": "*"})
    assert told(scene) == ["all"]
