"""Whatever is done in whatever order: each stored counter says what there is to count."""

import random

import pytest
from bson import ObjectId

from taskmanager.features.accounts import service as accounts
from taskmanager.features.attachments.models import Attachment
from taskmanager.features.projects.models import Project
from taskmanager.features.tasks import service as tasks
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.reminders.models import Reminder
from taskmanager.features.users.models import User
from taskmanager.testing.factories import actor_of
from tests.features.files import attach
from tests.scene import patch

ANY = {"If-Match": "*"}
V1 = "/api/v1"
STEPS = 60
RECURRING = {"due": "2100-01-01", "recurrence": "FREQ=DAILY"}


class World:
    """Two projects of two members, in which things are done at random."""

    def __init__(self, scene, seed):
        self.scene, self.pick = scene, random.Random(seed)
        self.people = [scene.owner, scene.member("manager")]
        self.projects = [str(scene.project.id), self.new_project("SECOND")]
        scene.owner.post(f"{V1}/projects/{self.projects[1]}/members", json=self.second_member())

    def new_project(self, key):
        return self.scene.owner.post(f"{V1}/projects", json={"key": key, "name": key}).json["id"]

    def second_member(self):
        return {"user_id": str(self.people[1].user.id), "role": "manager"}

    @property
    def who(self):
        return self.pick.choice(self.people)

    def one(self, **query):
        """The path of a task, whatever its state."""
        found = sorted(Task.objects(**query).scalar("id"))
        return f"{V1}/tasks/{self.pick.choice(found) if found else '0' * 24}"

    def create(self):
        path = f"{V1}/projects/{self.pick.choice(self.projects)}/tasks"
        part = {"parent_id": self.one().rpartition("/")[2]}
        more = self.pick.choice([{}, RECURRING, part, part | RECURRING])
        return self.who.post(path, json={"title": "A task"} | more)

    def attach(self):
        return attach(self.who, self.one(deleted_at=None), b"x" * self.pick.randrange(1, 50))

    def detach(self):
        found = list(Attachment.objects)
        if found:
            chosen = self.pick.choice(found)
            path = f"{V1}/tasks/{chosen.task_id}/attachments/{chosen.id}"
            return self.people[0].delete(path, headers=ANY)
        return None

    def remind(self):
        body = {"relative_to": "due", "minutes_before": self.pick.randrange(60)}
        return self.who.post(f"{self.one(deleted_at=None)}/reminders", json=body)

    def complete(self):
        return self.who.put(f"{self.one(deleted_at=None, status_group='backlog')}/completion", headers=ANY)

    def reopen(self):
        return self.who.delete(f"{self.one(deleted_at=None, status_group='done')}/completion", headers=ANY)

    def cancel(self):
        return patch(self.who, self.one(deleted_at=None), {"status": "cancelled"})

    def stand_elsewhere(self):
        parent = self.pick.choice([None, self.one().rpartition("/")[2]])
        return patch(self.who, self.one(deleted_at=None), {"parent_id": parent})

    def move(self):
        return self.who.post(f"{self.one(deleted_at=None)}/move", json={"project_id": self.pick.choice(self.projects)})

    def delete(self):
        return self.who.delete(self.one(deleted_at=None), headers=ANY)

    def restore(self):
        return self.who.post(f"{self.one(deleted_at__ne=None)}/restore")

    def purge(self):
        return self.who.delete(f"{V1}/trash/{self.one(deleted_at__ne=None).rpartition('/')[2]}", headers=ANY)

    def in_bulk(self):
        operations = [{"op": "delete", "task_id": self.one(deleted_at=None).rpartition("/")[2]} for _ in range(2)]
        return self.who.post(f"{V1}/tasks/bulk", json={"operations": operations})

    def copy(self):
        body = {"key": f"C{self.pick.randrange(10**6)}", "name": "Copy", "with_tasks": True}
        return self.people[0].post(f"{V1}/projects/{self.pick.choice(self.projects)}/copy", json=body)


USE_CASES = [name for name, value in vars(World).items() if callable(value) and not name.startswith("_")]
USE_CASES = [name for name in USE_CASES if name not in ("new_project", "second_member", "one")]


def counted():
    """What the counters say, and what there is: {what: (stored, found)}."""
    found = {}
    for project in Project.objects:
        inside = Task.objects(project_id=project.id)
        files = Attachment.objects(task_id__in=inside.scalar("id"))
        found[f"tasks of {project.key}"] = (project.task_count, inside.count())
        found[f"bytes of {project.key}"] = (project.attachment_bytes, files.sum("size"))
    for user in User.objects:
        found[f"bytes of {user.id}"] = (user.attachment_bytes, Attachment.objects(uploader_id=user.id).sum("size"))
    for task in Task.objects:
        parts = [part for part in Task.objects(parent_id=task.id) if _counts(part)]
        done = sum(part.status_group == "done" for part in parts)
        stored = task.progress or {"total": 0, "done": 0}
        found[f"parts of {task.key}"] = (stored, {"total": len(parts), "done": done})
    return found


def _counts(part):
    return part.status_group != "cancelled" and (part.deleted_at is None or part.trashed_with is not None)


def assert_right(after):
    wrong = {name: values for name, values in counted().items() if values[0] != values[1]}
    assert not wrong, f"after {after}: (stored, found) {wrong}"
    lost = Reminder.objects(task_id__nin=list(Task.objects.scalar("id"))).count()
    assert lost == 0, f"after {after}: reminders of tasks that are gone"


@pytest.mark.parametrize("seed", range(4))
def test_counters_say_what_there_is_after_anything(scene, deliver, seed):
    world, done, worked = World(scene, seed), [], set()
    for _ in range(3):
        world.create()
    for _ in range(STEPS):
        name = world.pick.choice(USE_CASES)
        answer = getattr(world, name)()
        if answer is not None and answer.status_code < 300:
            done.append(name)
            worked.add(name)
            assert_right(done)
        assert answer is None or answer.status_code < 500, answer.text
    deliver()
    assert len(worked) > len(USE_CASES) // 2, worked
    scene.owner.delete(f"{scene.members_path}/{world.people[1].user.id}", headers=ANY)
    deliver()
    assert_right([*done, "a member leaves"])


def test_reminders_of_a_series_do_not_become_more(scene):
    """A series that is completed each day takes the room of one reminder, not of one more each day."""
    made = scene.owner.post(scene.tasks_path, json={"title": "Stretch"} | RECURRING).json
    scene.owner.post(f"{V1}/tasks/{made['id']}/reminders", json={"relative_to": "due", "minutes_before": 5})
    actor, task_id = actor_of(scene.owner.user), ObjectId(made["id"])
    for _ in range(5):
        task_id = tasks.complete(task_id, if_match=None, actor=actor).next_task_id
    assert [reminder.task_id for reminder in Reminder.objects] == [task_id]


def test_an_account_that_is_gone_leaves_no_reminders(scene):
    scene.owner.post(f"{scene.task_path}/reminders", json={"at": "2100-01-01T00:00:00Z"})
    accounts.delete_private(scene.owner.user.id)
    assert Reminder.objects.count() == 0
