"""Tasks that one request creates are numbered and dated one after the other."""

from datetime import timedelta

from taskmanager.core.clock import iso, now
from taskmanager.core.events.log import Event
from taskmanager.features.projects.models import Project
from taskmanager.testing.factories import ProjectFactory
from tests.features.bulk.together import Place, create, run


def test_tasks_that_are_created_together_are_created_one_after_the_other(scene):
    place = Place(scene.owner, 12)
    last = now() + timedelta(seconds=20)  # of another process, whose clock is ahead
    Project.objects(id=place.project.id).update(set__last_created_at=last)
    created = [result["task"] for result in place.at_once("create")]
    later = place.owner.post(f"{place.path}/tasks", json={"title": "later"}).json
    times = [task["created_at"] for task in [*created, later]]
    assert [iso(last), *times] == sorted({iso(last), *times})
    numbers = [int(task["key"].partition("-")[2]) for task in [*created, later]]
    assert numbers == list(range(numbers[0], numbers[0] + 13))


def test_creations_in_two_projects_are_numbered_in_each(scene):
    other = ProjectFactory(owner=scene.owner.user)
    given = [
        {"op": "create", "project_id": str(project.id), "task": {"title": f"{number}"}}
        for number, project in enumerate([scene.project, other, scene.project, other])
    ]
    keys = [result["task"]["key"] for result in run(scene, *given)]
    assert keys == [f"{scene.project.key}-2", f"{other.key}-1", f"{scene.project.key}-3", f"{other.key}-2"]


def test_a_parent_that_is_created_with_its_subtasks_is_created_before_it_progresses(scene):
    given = [create(scene) | {"temp_id": "top"}, create(scene), create(scene)]
    for operation in given[1:]:
        operation["task"] = {"title": "part", "parent_id": "temp:top"}
    parent = run(scene, *given)[0]["task"]
    assert (parent["revision"], parent["progress"]) == (1, {})
    kinds = [event.kind for event in Event.objects(subject_id=parent["id"]).order_by("seq")]
    assert kinds == ["task.created", "task.progressed"]
