"""Copying a large project, and deleting one with many below it, are a few commands each."""

from bson import ObjectId

from taskmanager.core.events.log import Event
from taskmanager.features.projects.models import CustomField, Label, Project
from taskmanager.features.tasks.models import Task
from taskmanager.features.templates.service import MAX_TASKS
from taskmanager.testing.factories import task_row

ANY = {"If-Match": "*"}
MAX_COMMANDS = 30


def test_the_largest_copy_is_a_few_commands(scene, commands):
    project_id = scene.project.id
    Label.insert_all([Label(id=ObjectId(), project_id=project_id, name=f"l{n}") for n in range(1000)])
    fields = [CustomField(id=ObjectId(), project_id=project_id, key=f"k{n}", name="K", type="text") for n in range(50)]
    CustomField.insert_all(fields)
    label = Label.objects(name="l7").first()
    rows = [task_row(project_id, title=f"{n}", label_ids=[label.id]) for n in range(MAX_TASKS - 1)]
    Task.objects.insert(rows, load_bulk=False)
    body = {"key": "COPY", "name": "Copy", "with_tasks": True}
    with commands.counted() as sent:
        answer = scene.owner.post(f"{scene.project_path}/copy", json=body)
    assert answer.status_code == 201, answer.text
    assert len(sent) <= MAX_COMMANDS
    copied = Project.objects.one(ObjectId(answer.json["id"]))
    assert (copied.task_count, Label.objects(project_id=copied.id).count()) == (MAX_TASKS, 1000)
    assert Event.objects(stream=f"project:{copied.id}").count() == 1 + 1000 + 50 + MAX_TASKS
    task = Task.objects(project_id=copied.id, title="7").first()
    assert [Label.objects.one(one).project_id for one in task.label_ids] == [copied.id]
    found = scene.owner.get("/api/v1/search", query_string={"q": "7", "project_id": str(copied.id)}).json["items"]
    assert found[0]["task"]["id"] == str(task.id)


def test_a_project_with_many_below_it_is_deleted_by_a_few_commands(scene, commands):
    projects = Project._get_collection()
    row = {"parent_id": scene.project.id, "name": "Below", "revision": 1}
    projects.insert_many([row | {"_id": ObjectId(), "key": f"B{n}", "position": f"b{n}"} for n in range(300)])
    with commands.counted() as sent:
        assert scene.owner.delete(scene.project_path, headers=ANY).status_code == 204
    assert len(sent) <= MAX_COMMANDS
    assert Project.objects(parent_id=scene.project.id).count() == 0
    assert Event.objects(kind="project.updated").count() == 300
    assert {project.revision for project in Project.objects(name="Below")} == {2}
