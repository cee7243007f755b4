"""Relations: both ends, circles, blockers."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from taskmanager.core.errors import Conflict
from taskmanager.core.storage.locks import Lock
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.relations import acyclic, service as relations
from taskmanager.features.tasks.relations.models import Relation
from taskmanager.testing.factories import MembershipFactory, ProjectFactory, TaskFactory, actor_of, task_row
from tests.problems import assert_problem
from tests.scene import patch

ANY = {"If-Match": "*"}


def path(task):
    return f"/api/v1/tasks/{task.id}"


def relate(client, task, kind, other):
    return client.post(f"{path(task)}/relations", json={"kind": kind, "task_id": str(other.id)})


def shown(client, task):
    items = client.get(f"{path(task)}/relations").json["items"]
    return [(item["kind"], item["task"]["title"]) for item in items]


@pytest.fixture
def other(scene):
    return TaskFactory(project=scene.project, title="Other")


@pytest.mark.parametrize(
    ("kind", "inverse"),
    [
        ("blocks", "blocked_by"),
        ("follows", "precedes"),
        ("duplicates", "duplicated_by"),
        ("duplicated_by", "duplicates"),
        ("relates", "relates"),
    ],
)
def test_a_relation_shows_from_both_ends(scene, other, kind, inverse):
    answer = relate(scene.owner, scene.task, kind, other)
    assert answer.status_code == 201, answer.text
    assert (
        answer.json["task"] | {"id": str(other.id), "status": "open", "status_group": "backlog"} == answer.json["task"]
    )
    assert scene.owner.get(answer.headers["Location"]).json == answer.json
    assert (shown(scene.owner, scene.task), shown(scene.owner, other)) == (
        [(kind, "Other")],
        [(inverse, "Write the notes")],
    )
    again = relate(scene.owner, other, inverse, scene.task)
    assert_problem(again, 409, code="relation.exists")
    gone = f"{path(other)}/relations/{answer.json['id']}"
    assert scene.owner.delete(gone, headers=ANY).status_code == 204
    assert (shown(scene.owner, scene.task), shown(scene.owner, other)) == ([], [])
    told = [entry["kind"] for entry in scene.owner.get(f"{path(other)}/activity").json["items"]]
    assert told == ["task.created", "task.related", "task.unrelated"]


def test_relations_that_make_no_sense_are_refused(scene, other):
    strange = TaskFactory()
    assert assert_problem(relate(scene.owner, scene.task, "blocks", scene.task), 422)
    problem = assert_problem(relate(scene.owner, scene.task, "blocks", strange), 422)
    assert problem["errors"][0]["code"] == "relation.task_unknown"
    assert_problem(relate(scene.owner, scene.task, "loves", other), 422)
    assert_problem(relate(scene.member("commenter"), scene.task, "blocks", other), 403)


def test_who_does_not_see_the_other_end_does_not_see_the_relation(scene):
    elsewhere = TaskFactory(project=ProjectFactory(owner=scene.owner.user), title="Secret")
    made = relate(scene.owner, scene.task, "blocked_by", elsewhere)
    assert made.status_code == 201
    member = scene.member()
    assert (shown(scene.owner, scene.task), shown(member, scene.task)) == ([("blocked_by", "Secret")], [])
    assert_problem(member.get(made.headers["Location"]), 404)
    assert_problem(member.delete(made.headers["Location"], headers=ANY), 404)
    problem = assert_problem(member.put(f"{scene.task_path}/completion", headers=ANY), 409, code="task.blocked")
    assert (problem["blockers"], problem["hidden"]) == ([], 1)
    assert member.get(f"{scene.task_path}/relations?with_total=true").json["total"] == 0


def test_changing_what_another_task_may_do_needs_the_right_there(scene):
    project = ProjectFactory()
    elsewhere = TaskFactory(project=project)
    MembershipFactory(project=project, user=scene.owner.user, role="viewer")
    assert relate(scene.owner, scene.task, "blocked_by", elsewhere).status_code == 403
    assert relate(scene.owner, scene.task, "relates", elsewhere).status_code == 201


def test_a_task_that_is_blocked_by_an_open_one_cannot_be_completed(scene, other):
    relate(scene.owner, other, "blocks", scene.task)
    for answer in (
        scene.owner.put(f"{scene.task_path}/completion", headers=ANY),
        patch(scene.owner, scene.task_path, {"status": "done"}),
    ):
        problem = assert_problem(answer, 409, code="task.blocked")
        assert problem["blockers"] == [{"id": str(other.id), "key": other.key, "title": "Other"}]
    assert patch(scene.owner, scene.task_path, {"status": "cancelled"}).status_code == 200
    assert scene.owner.put(f"{scene.task_path}/completion?force=true", headers=ANY).status_code == 200
    assert patch(scene.owner, scene.task_path, {"status": "done", "title": "Done all the same"}).status_code == 200
    patch(scene.owner, scene.task_path, {"status": "open"})
    scene.owner.put(f"{path(other)}/completion", headers=ANY)
    assert scene.owner.put(f"{scene.task_path}/completion", headers=ANY).status_code == 200


@pytest.mark.parametrize("how", ["cancelled", "trash", "project"])
def test_what_will_not_be_done_blocks_nothing(scene, how):
    project = ProjectFactory(owner=scene.owner.user)
    blocker = TaskFactory(project=project)
    relate(scene.owner, blocker, "blocks", scene.task)
    if how == "cancelled":
        patch(scene.owner, path(blocker), {"status": "cancelled"})
    else:
        gone = path(blocker) if how == "trash" else f"/api/v1/projects/{project.id}"
        assert scene.owner.delete(gone, headers=ANY).status_code == 204
    assert scene.owner.put(f"{scene.task_path}/completion", headers=ANY).status_code == 200


def test_an_owner_may_force_what_is_blocked(scene, other):
    relate(scene.owner, other, "blocks", scene.task)
    forced = f"{scene.task_path}/completion?force=true"
    assert_problem(scene.member("manager").put(forced, headers=ANY), 403)
    assert scene.owner.put(forced, headers=ANY).json["status"] == "done"
    assert_problem(scene.owner.put(f"{scene.task_path}/completion?force=1", headers=ANY), 422)


@pytest.mark.parametrize("kind", ["blocks", "precedes"])
def test_what_has_an_order_makes_no_circle(scene, other, kind):
    third = TaskFactory(project=ProjectFactory(owner=scene.owner.user))
    assert relate(scene.owner, scene.task, kind, other).status_code == 201
    assert relate(scene.owner, other, kind, third).status_code == 201
    assert_problem(relate(scene.owner, third, kind, scene.task), 409, code="relation.cycle")
    assert_problem(relate(scene.owner, other, kind, scene.task), 409, code="relation.cycle")
    assert relate(scene.owner, third, "relates", scene.task).status_code == 201


def cyclic(kind="blocks"):
    """Whether the stored relations have a circle, by taking away what nothing leads to."""
    edges = {(relation.from_id, relation.to_id) for relation in Relation.objects(kind=kind)}
    while edges:
        starts = {start for start, _ in edges} - {end for _, end in edges}
        if not starts:
            return True
        edges = {edge for edge in edges if edge[0] not in starts}
    return False


@given(edits=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans()), max_size=30))
@settings(max_examples=15)
def test_random_edits_make_no_circle(scene, edits):
    Relation.objects.delete()
    Task.objects.delete()
    actor = actor_of(scene.owner.user)
    made = [TaskFactory(project=scene.project).id for _ in range(6)]
    for source, target, adding in edits:
        if adding and source != target:
            with suppress(Conflict):
                relations.create(made[source], "blocks", made[target], actor=actor)
        elif known := Relation.objects(from_id=made[source]).first():
            relations.delete(made[source], known.id, if_match=None, actor=actor)
        assert not cyclic()


@pytest.mark.parametrize("attempt", range(3))
def test_parallel_edits_over_several_projects_make_no_circle(scene, attempt):
    made = [TaskFactory(project=ProjectFactory(owner=scene.owner.user)).id for _ in range(4)]
    actor = actor_of(scene.owner.user)

    def put(number):
        with suppress(Conflict):
            relations.create(made[number], "blocks", made[(number + 1) % 4], actor=actor)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, range(4)))
    assert not cyclic()
    assert Relation.objects.count() == 3


def test_a_purged_task_leaves_no_relations(scene, other):
    relate(scene.owner, scene.task, "blocks", other)
    scene.owner.delete(scene.task_path, headers=ANY)
    assert shown(scene.owner, other) == []
    scene.owner.delete(f"/api/v1/trash/{scene.task.id}", headers=ANY)
    assert Relation.objects.count() == 0


def test_relations_are_listed_in_pages(scene):
    for number in range(5):
        relate(scene.owner, scene.task, "relates", TaskFactory(project=scene.project, title=str(number)))
    for sort, wanted in (("created_at", "01234"), ("-created_at", "43210")):
        found, query = "", {"sort": sort, "limit": 2}
        while True:
            page = scene.owner.get(f"{scene.task_path}/relations", query_string=query).json
            found += "".join(item["task"]["title"] for item in page["items"])
            query["cursor"] = page["next_cursor"]
            if query["cursor"] is None:
                break
        assert found == wanted


@pytest.fixture
def steps(monkeypatch):
    """How many tasks each step of a walk along relations looks at."""
    taken, step = [], acyclic._Side.step

    def counted(self, kind):
        taken.append(len(self.frontier))
        step(self, kind)

    monkeypatch.setattr(acyclic._Side, "step", counted)
    return taken


def chain(scene, number):
    """So many tasks, each of which blocks the next."""
    tasks = [task_row(scene.project.id) for _ in range(number)]
    Task.objects.insert(tasks, load_bulk=False)
    pairs = pairwise(tasks)
    kind = {"kind": "blocks", "created_by": scene.owner.user.id}
    Relation.objects.insert([Relation(from_id=one.id, to_id=two.id, **kind) for one, two in pairs], load_bulk=False)
    return tasks


def test_a_walk_ends_where_the_smaller_side_has_nothing_left(scene, steps):
    tasks = chain(scene, 300)
    assert relate(scene.owner, scene.task, "blocks", tasks[0]).status_code == 201
    assert relate(scene.owner, tasks[-1], "blocks", TaskFactory(project=scene.project)).status_code == 201
    assert len(steps) < 10
    assert_problem(relate(scene.owner, tasks[100], "blocks", tasks[0]), 409, code="relation.cycle")
    assert sum(steps) < 110


def test_a_walk_is_bounded(scene, steps, monkeypatch):
    monkeypatch.setattr(acyclic, "MAX_WALKED", 20)
    one, two = chain(scene, 50), chain(scene, 50)
    assert_problem(relate(scene.owner, one[-1], "blocks", two[0]), 409, code="relation.too_far")
    assert sum(steps) <= 50


def test_what_has_nothing_to_do_with_each_other_holds_no_common_lock(scene, other):
    elsewhere = ProjectFactory(owner=scene.owner.user)
    relate(scene.owner, scene.task, "blocks", other)
    relate(scene.owner, TaskFactory(project=elsewhere), "blocks", TaskFactory(project=elsewhere))
    names = {lock.name for lock in Lock.objects(name__startswith="relations")}
    assert names == {f"relations:{scene.project.id}", f"relations:{elsewhere.id}"}
