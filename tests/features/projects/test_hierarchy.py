"""Where projects stand: colors, levels, the order by hand, the archive."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from taskmanager.core.errors import Invalid
from taskmanager.features.projects import service as projects
from taskmanager.features.projects.models import Project
from taskmanager.testing.factories import ProjectFactory, actor_of
from tests.problems import assert_problem
from tests.scene import patch

PROJECTS = "/api/v1/projects"
ANY = {"If-Match": "*"}


def names(client, **query):
    return [project["name"] for project in client.get(PROJECTS, query_string=query).json["items"]]


@pytest.fixture
def three(scene):
    """Paths of three projects of the owner, beside that of the scene."""
    return [f"{PROJECTS}/{ProjectFactory(owner=scene.owner.user, name=name).id}" for name in "ABC"]


def ident(path):
    return path.rsplit("/", 1)[1]


def test_a_project_has_a_color(scene):
    answer = patch(scene.owner, scene.project_path, {"color": "#33aa77"})
    assert (answer.status_code, answer.json["color"]) == (200, "#33aa77")
    assert patch(scene.owner, scene.project_path, {"color": None}).json["color"] is None
    assert_problem(patch(scene.owner, scene.project_path, {"color": "red"}), 422)


def test_projects_stand_under_others_to_three_levels(scene, three):
    a, b, c = three
    assert patch(scene.owner, b, {"parent_id": ident(a)}).json["parent_id"] == ident(a)
    assert patch(scene.owner, c, {"parent_id": ident(b)}).status_code == 200
    problem = assert_problem(patch(scene.owner, scene.project_path, {"parent_id": ident(c)}), 422)
    assert problem["errors"][0]["code"] == "project.too_deep"
    problem = assert_problem(patch(scene.owner, a, {"parent_id": ident(c)}), 422)
    assert problem["errors"][0]["code"] == "project.parent_cycle"
    assert names(scene.owner, filter=f"parent = {ident(a)}") == ["B"]
    made = {"key": "NEW", "name": "New", "parent_id": ident(c)}
    assert_problem(scene.owner.post(PROJECTS, json=made), 422)
    assert scene.owner.post(PROJECTS, json=made | {"parent_id": ident(b)}).status_code == 201


def test_a_parent_must_be_managed(scene):
    strange = ProjectFactory()
    answer = patch(scene.owner, scene.project_path, {"parent_id": str(strange.id)})
    assert assert_problem(answer, 422)["errors"][0]["code"] == "project.parent_unknown"


def test_what_stood_under_a_deleted_project_is_on_top(scene, three):
    a, b, _ = three
    patch(scene.owner, b, {"parent_id": ident(a)})
    assert scene.owner.delete(a, headers=ANY).status_code == 204
    assert scene.owner.get(b).json["parent_id"] is None


def test_parallel_edits_cannot_make_a_circle(scene, three):
    ids = [Project.objects.one(ident(path)).id for path in three]
    actor = actor_of(scene.owner.user)

    def put(pair):
        with suppress(Invalid):
            projects.update(ids[pair[0]], {"parent_id": ids[pair[1]]}, if_match=None, actor=actor)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(put, [(0, 1), (1, 2), (2, 0)]))
    parents = {project.id: project.parent_id for project in Project.objects(id__in=ids)}
    assert list(parents.values()).count(None) >= 1


def test_projects_are_ordered_by_hand(scene, three):
    a, b, c = three
    first = scene.project.name
    assert names(scene.owner, sort="position") == [first, "A", "B", "C"]
    answer = scene.owner.put(f"{c}/position", json={"before": ident(a)}, headers=ANY)
    assert (answer.status_code, names(scene.owner, sort="position")) == (200, [first, "C", "A", "B"])
    scene.owner.put(f"{scene.project_path}/position", json={"kind": "after", "after": ident(b)}, headers=ANY)
    assert names(scene.owner, sort="position") == ["C", "A", "B", first]
    assert names(scene.owner, sort="-name")[-3:] == ["C", "B", "A"]
    pages, query = [], {"sort": "position", "limit": 1}
    while True:
        page = scene.owner.get(PROJECTS, query_string=query).json
        pages += [project["name"] for project in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert pages == ["C", "A", "B", first]


@pytest.mark.parametrize("body", [{}, {"before": "x"}, {"before": "a" * 24, "after": "a" * 24}, {"before": "a" * 24}])
def test_a_place_is_beside_another_project(scene, body):
    assert_problem(scene.owner.put(f"{scene.project_path}/position", json=body, headers=ANY), 422)


def test_an_archived_project_can_only_be_read(scene):
    member = scene.member()
    answer = scene.owner.put(f"{scene.project_path}/archive", headers=ANY)
    assert answer.status_code == 200
    assert answer.json["archived_at"]
    for client in (scene.owner, member):
        assert client.get(scene.task_path).status_code == 200
        assert client.get("/api/v1/tasks").json["items"] == []
        assert len(client.get(scene.tasks_path).json["items"]) == 1
        for answer in (
            client.post(scene.tasks_path, json={"title": "x"}),
            patch(client, scene.task_path, {"title": "x"}),
            client.delete(scene.task_path, headers=ANY),
            client.put(f"{scene.task_path}/completion", headers=ANY),
            client.post(f"{scene.project_path}/labels", json={"name": "x"}),
        ):
            assert_problem(answer, 409, code="project.archived")
    assert_problem(patch(scene.owner, scene.project_path, {"name": "x"}), 409, code="project.archived")
    assert names(scene.owner, filter="archived_at is null") == []
    again = scene.owner.delete(f"{scene.project_path}/archive", headers=ANY)
    assert (again.status_code, again.json["archived_at"]) == (200, None)
    assert patch(member, scene.task_path, {"title": "x"}).status_code == 200


def test_archiving_twice_changes_nothing(scene):
    first = scene.owner.put(f"{scene.project_path}/archive", headers=ANY)
    assert scene.owner.put(f"{scene.project_path}/archive", headers=ANY).json == first.json


def test_a_place_that_was_read_before_another_move_is_not_taken(scene, three):
    """Both ask for the same gap at once; MongoDB has the second run again, and they do not get one position."""
    _, b, c = three
    paths, client = [scene.project_path, c], scene.owner.environ_base["HTTP_AUTHORIZATION"]

    def move(path):
        headers = ANY | {"Authorization": client}
        return scene.app.test_client().put(f"{path}/position", json={"before": ident(b)}, headers=headers).status_code

    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(move, paths)) == {200}
    positions = Project.objects().scalar("position")
    assert len(set(positions)) == len(positions)
