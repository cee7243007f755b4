"""What bulk requests are tried on: a project with tasks of every kind, and a parent with its subtasks."""

from collections import Counter

from taskmanager.core.events.log import Event
from taskmanager.features.projects.models import Project
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.reminders.models import Reminder
from taskmanager.testing.factories import ProjectFactory
from tests.scene import patch

BULK, TASKS = "/api/v1/tasks/bulk", "/api/v1/tasks"
_TIMES = {"created_at", "updated_at", "completed_at", "closed_at", "started_at", "deleted_at"}


class Place:
    """A project with what its tasks refer to, and `number` tasks with a parent, some with reminders or a rule."""

    def __init__(self, owner, number):
        self.owner, self.project = owner, ProjectFactory(owner=owner.user)
        self.path = f"/api/v1/projects/{self.project.id}"
        self.label = self.made("labels", {"name": "bug"})
        self.made("custom-fields", {"key": "points", "name": "Points", "type": "number"})
        self.parent = self.made("tasks", {"title": "parent"})
        self.other = self.made("tasks", {"title": "other parent"})
        self.parts = [task["id"] for task in self.made_together([self.body(index) for index in range(number)])]
        for index, part in enumerate(self.parts):
            if index % 2:
                body = {"relative_to": "due", "minutes_before": 60}
                assert owner.post(f"{TASKS}/{part}/reminders", json=body).status_code == 201

    def made(self, kind, body):
        answer = self.owner.post(f"{self.path}/{kind}", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json["id"]

    def made_together(self, bodies):
        """Tasks by one request: a hundred single ones would take longer than the test."""
        given = [{"op": "create", "project_id": str(self.project.id), "task": body} for body in bodies]
        answer = self.owner.post(BULK, json={"operations": given})
        assert answer.status_code == 200, answer.text
        return [result["task"] for result in answer.json["results"]]

    def body(self, index):
        """The body of a task; every third one recurs."""
        found = {
            "title": f"task {index:03}",
            "parent_id": self.parent,
            "label_ids": [self.label],
            "assignee_ids": [str(self.owner.user.id)],
            "custom_fields": {"points": index},
            "due": "2031-01-15",
        }
        return found | ({"recurrence": "FREQ=WEEKLY"} if index % 3 == 0 else {})

    def changes(self, index):
        """A change of everything that has consequences."""
        return {
            "title": f"task {index:03} again",
            "priority": "high",
            "status": "in_progress",
            "label_ids": [],
            "custom_fields": {"points": None},
            "due": "2031-02-15",
            "parent_id": self.other,
        }

    def operations(self, action):
        if action == "create":
            given = [{"project_id": str(self.project.id), "task": self.body(index)} for index in range(len(self.parts))]
        else:
            given = [{"task_id": part} for part in self.parts]
        if action == "update":
            given = [operation | {"task": self.changes(index)} for index, operation in enumerate(given)]
        return [{"op": action} | operation for operation in given]

    def one_by_one(self, action):
        """The same as the bulk request, by single requests."""
        for index, part in enumerate(self.parts):
            headers = {"If-Match": "*"}
            answer = {
                "create": lambda: self.owner.post(f"{self.path}/tasks", json=self.body(index)),  # noqa: B023
                "update": lambda: patch(self.owner, f"{TASKS}/{part}", self.changes(index)),  # noqa: B023
                "complete": lambda: self.owner.put(f"{TASKS}/{part}/completion", headers=headers),  # noqa: B023
                "reopen": lambda: self.owner.delete(f"{TASKS}/{part}/completion", headers=headers),  # noqa: B023
                "delete": lambda: self.owner.delete(f"{TASKS}/{part}", headers=headers),  # noqa: B023
            }[action]()
            assert answer.status_code < 300, answer.text

    def at_once(self, action):
        answer = self.owner.post(BULK, json={"operations": self.operations(action)})
        assert answer.status_code == 200, answer.text
        return answer.json["results"]

    def stored(self):
        """What the database has of the project, without ids and times."""
        tasks = list(Task.objects(project_id=self.project.id))
        names = {task.id: f"{task.title} {task.due}" for task in tasks}
        rows = [self._row(task, names) for task in tasks]
        reminders = Counter(
            (names[one.task_id], one.fire_at, one.carried) for one in Reminder.objects(task_id__in=list(names))
        )
        project = Project.objects.get(id=self.project.id)
        counters = (project.last_number, project.last_position, project.task_count)
        return sorted(rows, key=lambda row: row["key"]), reminders, counters

    def _row(self, task, names):
        row = {name: value for name, value in task.to_mongo().items() if name not in {*_TIMES, "_id", "project_id"}}
        row["times"] = sorted(name for name in _TIMES if task.to_mongo().get(name))
        row["key"] = row.pop("key_order").partition("-")[2] or task.key.partition("-")[2]
        row["labels"], row["tags"] = len(row.pop("label_ids", [])), len(row.pop("marks"))
        row["people"] = [row.pop("assignee_ids", None), row.pop("reporter_id")]
        for field in ("parent_id", "series_id", "next_task_id", "withdrawn_id", "trashed_with"):
            row[field] = names.get(row.get(field), field in row)
        row["withdrawn_key"] = row.get("withdrawn_key", "-").partition("-")[2]
        if row.get("progress"):
            row["revision"] = "the progress of a parent is written once"
        return row

    def events(self):
        """The events of the project, without ids and times; how often the progress of a parent was written is free."""
        found = Event.objects(stream=f"project:{self.project.id}").order_by("seq")
        seq = [event.seq for event in found]
        assert seq == list(range(1, len(seq) + 1))
        assert len({event.at for event in found}) <= len(seq)
        changed = [(event.kind, tuple(sorted(event.data.get("changes", {})))) for event in found]
        return Counter(event for event in changed if event[0] != "task.progressed")


def prepare(place, action):
    """Bring the tasks into the state in which the action does something."""
    if action == "reopen":
        place.at_once("complete")


def run(scene, *operations):
    answer = scene.owner.post(BULK, json={"operations": list(operations)})
    assert answer.status_code == 200, answer.text
    return answer.json["results"]


def create(scene):
    return {"op": "create", "project_id": str(scene.project.id), "task": {"title": "new"}}


class Family:
    """A parent with two subtasks, as requests see them."""

    def __init__(self, scene, **more):
        self.owner, self.path = scene.owner, scene.tasks_path
        self.parent = self.made("parent")
        self.first, self.second = (self.made(title, parent_id=self.parent, **more) for title in ("first", "second"))

    def made(self, title, **more):
        answer = self.owner.post(self.path, json={"title": title, **more})
        assert answer.status_code == 201, answer.text
        return answer.json["id"]

    def get(self, task):
        return self.owner.get(f"{TASKS}/{task}").json

    def done(self, task):
        answer = self.owner.put(f"{TASKS}/{task}/completion", headers={"If-Match": "*"})
        assert answer.status_code == 200, answer.text
        return answer.json

    def operations(self, kind, *tasks):
        """The operations on tasks: each is an id, or a pair of it and what else the operation has."""
        pairs = [(task, {}) if isinstance(task, str) else task for task in tasks]
        return [{"op": kind, "task_id": task, **more} for task, more in pairs]


def to(status, **more):
    return {"task": {"status": status}, **more}
