"""Lists over more projects than one query merges: pages of conditions that each project has an index for."""

from datetime import UTC, datetime, timedelta
from operator import itemgetter

import pytest
from bson import ObjectId

from taskmanager.core.filters.nodes import GivenFilter
from taskmanager.core.filters.parser import parse
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Order
from taskmanager.core.storage.parts import MAX_MERGED
from taskmanager.features.tasks import listing
from taskmanager.features.tasks.filtering import expensive, pages
from taskmanager.features.tasks.filtering.fields import FIELDS
from taskmanager.features.tasks.filtering.partial import PartialReader
from taskmanager.features.tasks.models import Task, index_tags_of
from taskmanager.features.tasks.querysets import TaskQuerySet
from tests.web.profiling import examined

NUMBER, EACH, LIMIT = MAX_MERGED + 10, 20, 50  # projects, tasks of each, tasks of a page
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
SORTS = ["created_at", "-due_at", "priority", "title", "due_at,-priority"]
# {filter: numbers of the tasks of a project that match}
FEW = {
    "completed_at >= 2024-01-01T00:19Z": {19},
    "start_at = 2024-01-01T00:03Z": {3},
    "estimate_minutes > 3 and estimate_minutes < 5": {4},
    "updated_at < 2024-01-01T00:01Z": {0},
    "completed_at >= 2024-01-01 and created_at >= 2024-01-01T00:18Z": {19},
}
MANY = {"completed_at >= 2024-01-01": set(range(1, EACH, 2)), "due_at > 2024-01-01T00:02Z": set(range(3, EACH))}


def row(project_id, number):
    at = BEGIN + timedelta(minutes=number)
    return {
        "_id": ObjectId(),
        "project_id": project_id,
        "key": f"T-{number}",
        "title": f"T {number % 7}",
        "marks": index_tags_of([], [], []),
        "priority": number % 5,
        "status": "open",
        "status_group": "backlog",
        "estimate_minutes": number,
        "start_at": at,
        "due_at": at,
        "created_at": at,
        "updated_at": at,
        "revision": 1,
    } | ({"completed_at": at} if number % 2 else {})


@pytest.fixture
def actor(app, monkeypatch):
    """A user of many projects, whose queries may take as long as they take: keys are counted."""
    for name in ("WHOLE_SECONDS", "FREQUENT_SECONDS"):
        monkeypatch.setattr(pages, name, 60)
    monkeypatch.setattr(expensive, "MAX_SECONDS", 60)
    projects = [ObjectId() for _ in range(NUMBER)]
    Task._get_collection().insert_many(row(project_id, number) for project_id in projects for number in range(EACH))
    yield Actor(ObjectId(), project_roles=dict.fromkeys(projects, "viewer"))
    Task.drop_collection()


def read(actor, text, sort, after=None, limit=LIMIT):
    condition = GivenFilter(parse(text, FIELDS)) if text else None
    return listing.visible(actor, condition=condition).page(Order.by(*sort.split(",")), limit, after=after)


def walked(actor, text, sort, limit=LIMIT):
    """Return the rows of all pages, none of which is partial, and the keys of the dearest page."""
    rows, dearest, after = [], 0, None
    while not rows or after:
        with examined() as seen:
            page = read(actor, text, sort, after, limit)
        assert page.rows and not page.partial
        rows, after, dearest = [*rows, *page.rows], page.next_key, max(dearest, sum(one.keys for one in seen))
    return rows, dearest


def numbers(rows):
    return {int(one["key"].removeprefix("T-")) for one in rows}


def test_what_few_tasks_meet_is_read_from_its_own_index(actor, monkeypatch):
    """A page has a key or two of each project, and one of each task that matches, though no order has them soon."""
    monkeypatch.setattr(pages, "MAX_FEW", 500)
    for text, expected in FEW.items():
        for sort in SORTS:
            rows, keys = walked(actor, text, sort)
            assert (numbers(rows), len({one["_id"] for one in rows})) == (expected, len(expected) * NUMBER), text
            assert keys <= 9 * NUMBER < EACH * NUMBER // 2, (text, sort)


def test_what_many_tasks_meet_is_found_in_the_order(actor, monkeypatch):
    monkeypatch.setattr(pages, "MAX_FEW", 500)
    for text, expected in MANY.items():
        for sort in SORTS:
            first = read(actor, text, sort)
            with examined() as seen:
                second = read(actor, text, sort, first.next_key)
            assert numbers([*first.rows, *second.rows]) <= expected
            assert len({one["_id"] for one in (*first.rows, *second.rows)}) == 2 * LIMIT
            keys = sum(one.keys for one in seen)
            assert keys <= 500 + 7 * NUMBER < EACH * NUMBER // 2, (text, sort)


def test_each_task_is_on_one_page_of_an_order(actor):
    for text, expected in {"": set(range(EACH)), **MANY}.items():
        for sort in SORTS[1::2] if text else SORTS:
            rows, _ = walked(actor, text, sort, 10 * LIMIT)
            assert len(rows) == len({one["_id"] for one in rows}) == NUMBER * len(expected), (text, sort)
            wanted = list(rows)
            for word in reversed([*sort.split(","), ("-" if sort.split(",")[-1][0] == "-" else "") + "_id"]):
                wanted.sort(key=itemgetter(word.removeprefix("-")), reverse=word[0] == "-")
            assert [one["_id"] for one in rows] == [one["_id"] for one in wanted], (text, sort)


@pytest.mark.parametrize(("gone", "left"), [(60, 42), (200, LIMIT)], ids=["some", "all"])
def test_a_page_whose_tasks_change_while_it_is_read_is_not_the_last_one(actor, monkeypatch, gone, left):
    """A page of each 200 projects is found, and of these a page is read: they may be in the trash by then."""
    read_rows = TaskQuerySet.page_of_ids
    with monkeypatch.context() as patched:

        def meanwhile(tasks, ids, *arguments, **options):
            patched.undo()
            Task._get_collection().update_many({"_id": {"$in": ids[:gone]}}, {"$set": {"deleted_at": BEGIN}})
            return read_rows(tasks, ids, *arguments, **options)

        patched.setattr(TaskQuerySet, "page_of_ids", meanwhile)
        page = read(actor, "", "created_at")
    assert len(page.rows) == left and page.next_key
    assert not any("deleted_at" in one for one in page.rows)
    assert len(read(actor, "", "created_at", page.next_key).rows) == LIMIT


def test_no_task_is_missed_when_the_place_changes_at_which_a_partial_page_ends(actor, monkeypatch):
    """The page ends behind the last task that was compared: not where that task is a moment later."""
    monkeypatch.setattr(pages, "WHOLE_SECONDS", 0.0001)
    up_to, moved = PartialReader._up_to, []

    def meanwhile(reader, ends, ids):
        if not moved:
            moved.extend(ends)
            change = {"$set": {"updated_at": BEGIN + timedelta(days=1)}}
            Task._get_collection().update_many({"_id": {"$in": moved}}, change)
        return up_to(reader, ends, ids)

    monkeypatch.setattr(PartialReader, "_up_to", meanwhile)
    matching, found, after = "title ~ none or title ~ T", [], None
    while not found or after:
        page = read(actor, matching, "updated_at", after, 10 * LIMIT)
        found, after = [*found, *page.rows], page.next_key
    assert moved
    assert len({one["_id"] for one in found}) == len(found) == NUMBER * EACH
