"""Many documents in one command: each on the revision that was read, with what is derived, or none of them."""

from datetime import UTC, datetime

import pytest
from bson import encode

from taskmanager.core.errors import PreconditionFailed
from taskmanager.core.storage import querysets
from taskmanager.core.storage.listings import all_rows
from taskmanager.core.storage.orders import CREATED
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects.models import Label
from taskmanager.features.tasks.models import Task
from taskmanager.testing.factories import task_row
from tests.scene import Scene
from tests.web.counting import commands


@pytest.fixture
def scene(app):
    return Scene(app)


@pytest.fixture
def tasks(scene):
    rows = [task_row(scene.project.id, title=f"Task {number}", description="Old") for number in range(5)]
    Task.objects.insert(rows, load_bulk=False)
    return list(Task.objects(id__in=[row.id for row in rows]).order_by("id"))


def changes_of(tasks):
    return [{"title": f"Changed {number}", "description": None} for number in range(len(tasks))]


def test_several_documents_are_written_by_one_command_as_each_would_be(tasks):
    with commands.counting() as seen:
        stored = Task.write_each(tasks, changes_of(tasks))
    # one for all tasks, and one for the generation of their project, as no event changes it here
    assert [event.command_name for event in seen] == ["update", "update"]
    read = list(Task.objects(id__in=[task.id for task in tasks]).order_by("id"))
    assert [task.to_mongo() for task in stored] == [task.to_mongo() for task in read]
    single = read[0].write(title="Changed 0", description="Old").write(title="Changed 0", description=None)
    kept = ("title", "title_tokens", "description_tokens", "index_tags")
    assert [single[name] for name in kept] == [read[0][name] for name in kept]
    assert ([task.title for task in tasks], {task.revision for task in tasks}) == ([f"Task {n}" for n in range(5)], {1})


def test_none_is_written_when_another_writer_was_faster_with_one(tasks):
    tasks[3].write(title="Faster")
    with pytest.raises(PreconditionFailed):
        unit_of_work(Task.write_each)(tasks, changes_of(tasks))
    titles = Task.objects(id__in=[task.id for task in tasks]).order_by("id").scalar("title")
    assert list(titles) == ["Task 0", "Task 1", "Task 2", "Faster", "Task 4"]


def test_nothing_to_write_is_no_command():
    with commands.counting() as seen:
        assert Task.write_each([], []) == []
    assert seen == []


def test_what_is_derived_is_stored_beside_a_change(scene):
    label = Label(project_id=scene.project.id, name="Bug").save(force_insert=True)
    assert label.write(name="FIX").name_key == "fix"
    assert label.write_each([Label.objects.one(label.id)], [{"name": "Later"}])[0].name_key == "later"


def test_all_rows_are_read_a_page_at_a_time(tasks):
    mine = Task.objects(id__in=[task.id for task in tasks])
    with commands.counting() as seen:
        rows = list(all_rows(mine, CREATED, 2))
    assert [row["_id"] for row in rows] == [task.id for task in tasks]
    assert [event.command_name for event in seen] == ["find"] * 3


def test_a_page_has_the_rows_that_the_driver_reads_with_moments_without_a_zone(scene, tasks):
    rows = Task.objects.in_project(scene.project.id).page(CREATED, 10).rows
    stored = list(Task._get_collection().find({"project_id": scene.project.id}).sort([("created_at", 1), ("_id", 1)]))
    assert [row["created_at"].tzinfo for row in rows] == [None] * len(stored)
    assert [with_zones(row) for row in rows] == stored


def with_zones(row):
    return {name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for name, value in row.items()}


def test_narrowing_a_query_means_what_filtering_means(scene, tasks):
    first, other = tasks[0].id, tasks[1].id
    narrowed = Task.objects.narrowed(_id=first)
    assert [task.id for task in narrowed] == [first] == [task.id for task in Task.objects.filter(id=first)]
    assert narrowed.narrowed(title="Task 0").filter(priority=0).count() == 1
    # conditions on one field are all kept
    assert narrowed.narrowed(_id=other).count() == narrowed.filter(id=other).count() == 0
    assert narrowed.filter(id__in=[first, other]).count() == 1
    # a use of the narrowed queryset changes neither it nor the one that it was made of
    assert Task.objects.narrowed(project_id=scene.project.id).count() == len(tasks) + 1
    assert Task.objects.narrowed(_id=first).modify(set__title="Other", new=True).title == "Other"
    assert Task.objects(title="Other").count() == 1


@pytest.mark.parametrize(("fitting", "pages"), [(0, [1] * 6), (3, [3, 3]), (6, [6])])
def test_a_page_is_read_up_to_its_size_and_has_one_row_at_least(scene, tasks, monkeypatch, fitting, pages):
    """The bound counts what is stored, before anything is made of it."""
    sizes = sorted(len(encode(row)) for row in Task._get_collection().find({"project_id": scene.project.id}))
    monkeypatch.setattr(querysets, "MAX_PAGE_BYTES", sum(sizes[6 - fitting :]) + 100)
    found, after = [], None
    while not found or after:
        page = Task.objects.in_project(scene.project.id).page(CREATED, 10, after=after)
        found, after = [*found, page.rows], page.next_key
    assert [len(rows) for rows in found] == pages
    assert len({row["_id"] for rows in found for row in rows}) == 6
