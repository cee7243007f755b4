"""Lists over more projects than one query merges: pages of conditions that each project has an index for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter

import pytest
from bson import ObjectId, decode

from taskmanager.core.filters.nodes import GivenFilter
from taskmanager.core.filters.parser import parse
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Order
from taskmanager.core.storage.parts import MAX_MERGED
from taskmanager.features.tasks import listing
from taskmanager.features.tasks.filtering import expensive, pages
from taskmanager.features.tasks.filtering.fields import FIELDS
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


@pytest.fixture
def meanwhile(monkeypatch):
    """Do something once, between the queries that find the tasks of a page and those that read it."""

    def do(change):
        joined, done = TaskQuerySet.joined, []

        def changed(tasks, scope, ids, ends, *arguments, **options):
            if not done:
                done.append(ids)
                change(ids, ends)
            return joined(tasks, scope, ids, ends, *arguments, **options)

        monkeypatch.setattr(TaskQuerySet, "joined", changed)

    return do


def update(ids, **fields):
    Task._get_collection().update_many({"_id": {"$in": list(ids)}}, {"$set": fields})


def all_tasks(actor, text, sort, limit=10 * LIMIT):
    found, after = [], None
    while not found or after:
        page = read(actor, text, sort, after, limit)
        found, after = [*found, *page.rows], page.next_key
    return found


CHANGES = {
    "some are in the trash": lambda ids, ends: update(ids[:60], deleted_at=BEGIN),
    "all are in the trash": lambda ids, ends: update(ids, deleted_at=BEGIN),
    "the first ones have moved behind": lambda ids, ends: update(ids[:20], updated_at=BEGIN + timedelta(days=1)),
    "those have moved at which queries ended": lambda ids, ends: update(ends, updated_at=BEGIN + timedelta(days=1)),
    "all have moved behind": lambda ids, ends: update(ids, updated_at=BEGIN + timedelta(days=1)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("text", ["", "title ~ T"])
def test_no_task_is_missed_that_changes_while_a_page_is_read(actor, meanwhile, monkeypatch, change, text):
    """A page is found by several queries, then read: what has moved behind it is on a later page."""
    monkeypatch.setattr(pages, "WHOLE_SECONDS", 0.0001)
    meanwhile(change)
    found = {row["_id"] for row in all_tasks(actor, text, "updated_at")}
    assert {row["_id"] for row in Task._get_collection().find({"deleted_at": None}, {"_id": 1})} <= found


def test_a_partial_page_is_empty_where_its_tasks_do_not_match(actor, monkeypatch):
    """The first projects have many old tasks, and the tasks that match are new ones of a last project."""
    monkeypatch.setattr(pages, "WHOLE_SECONDS", 0.0001)
    monkeypatch.setattr(pages, "MAX_COMPARED", 500)
    wanted = [row(list(actor.project_roles)[-1], number) for number in range(EACH, EACH + 3 * LIMIT)]
    Task._get_collection().insert_many(one | {"title": "needle", "created_at": one["created_at"]} for one in wanted)
    first = read(actor, "title ~ needle", "created_at", limit=10)
    assert (list(first.rows), first.partial) == ([], True) and first.next_key
    found = all_tasks(actor, "title ~ needle", "created_at", 10)
    assert [one["_id"] for one in found] == [one["_id"] for one in wanted]


def test_a_later_page_does_not_begin_anew_where_its_tasks_move_before_it(actor, meanwhile):
    first = read(actor, "", "-updated_at")
    meanwhile(lambda ids, ends: update(set(ids) - set(ends), updated_at=BEGIN + timedelta(days=1)))
    second = read(actor, "", "-updated_at", first.next_key)
    later, after = list(second.rows), second.next_key
    while after:
        page = read(actor, "", "-updated_at", after, 10 * LIMIT)
        later, after = [*later, *page.rows], page.next_key
    assert not {one["_id"] for one in first.rows} & {one["_id"] for one in later}
    assert all(one["updated_at"] < BEGIN.replace(tzinfo=None) + timedelta(days=1) for one in later)


def test_a_task_that_moves_while_a_page_is_read_is_on_it_once(actor, monkeypatch):
    """Of as many projects as one query has: each range of the order is a query."""
    few = Actor(actor.account_id, project_roles=dict(list(actor.project_roles.items())[:50]))
    after = read(few, "", "updated_at", limit=20).next_key
    first_rows, moved = TaskQuerySet.first_rows, []

    def then_moves(tasks, *arguments, **options):
        found = first_rows(tasks, *arguments, **options)
        if found and not moved:
            moved.append(decode(found[0])["_id"])
            update(moved, updated_at=BEGIN + timedelta(seconds=30))
        return found

    monkeypatch.setattr(TaskQuerySet, "first_rows", then_moves)
    page = read(few, "", "updated_at", after, 40)
    assert moved and len(page.rows) == len({one["_id"] for one in page.rows}) == 40


@pytest.mark.parametrize("seconds", [60, 0.0001], ids=["whole", "partial"])
def test_tasks_without_a_due_have_their_place_in_every_direction(actor, monkeypatch, seconds):
    monkeypatch.setattr(pages, "WHOLE_SECONDS", seconds)
    Task._get_collection().update_many({"priority": {"$in": [0, 3]}}, {"$unset": {"due_at": ""}})
    for sort in ("due_at", "-due_at", "due_at,-priority", "-due_at,-priority", "-priority,due_at", "title"):
        found = all_tasks(actor, "title ~ T", sort, 7 * LIMIT)
        assert len(found) == len({one["_id"] for one in found}) == NUMBER * EACH, sort
        wanted, words = list(found), sort.split(",")
        for word in reversed([*words, ("-" if words[-1][0] == "-" else "") + "_id"]):
            key = word.removeprefix("-")
            wanted.sort(key=lambda one, key=key: (key in one, one.get(key)), reverse=word[0] == "-")
        assert [one["_id"] for one in found] == [one["_id"] for one in wanted], sort


ME = ObjectId()
RARE = {  # what six tasks have, and conditions on it
    "parent": ({"parent_id": ME}, {"parent_id": {"$gte": ObjectId("0" * 24)}}),
    "status": ({"status": "waiting"}, {"status": "waiting"}),
    "status and due": ({"status": "waiting"}, {"status": {"$in": ["waiting"]}, "due_at": {"$gte": BEGIN}}),
    "group": ({"status_group": "done"}, {"status_group": {"$eq": "done"}}),
    "priority": ({"priority": 7}, {"priority": {"$gte": 6}, "due_at": {"$lt": BEGIN + timedelta(days=1)}}),
    "key": ({"key": "K-1"}, {"key": "K-1", "status_group": "backlog"}),
    "reporter": ({"reporter_id": ME}, {"reporter_id": ME}),
    "watcher": ({"marks": [f"w:{ME}"]}, {"marks": f"w:{ME}", "status": "open"}),
    "start": ({"start_at": BEGIN - timedelta(days=1)}, {"start_at": {"$lt": BEGIN}}),
    "completed": ({"completed_at": BEGIN - timedelta(days=1)}, {"$or": [{"completed_at": {"$lte": BEGIN}}]}),
}


@pytest.mark.parametrize(("change", "condition"), RARE.values(), ids=RARE)
def test_every_condition_is_answered_by_an_index_in_every_order(actor, monkeypatch, change, condition):
    """The index exists, has all tasks that match, and compares texts as the order does."""
    monkeypatch.setattr(pages.PageReader, "_soon_in_order", lambda reader: None)
    projects = list(actor.project_roles)
    expected = [Task._get_collection().find_one({"project_id": one})["_id"] for one in projects[:6]]
    update(expected, **change)
    for sort in ("title", "-created_at", "priority"):
        reader = pages.PageReader(actor, projects, {"$and": [condition]}, Order.by(sort), 4)
        with examined() as seen:
            first = reader.page()
            second = replace(reader, after=first.next_key).page()
        assert {one["_id"] for one in (*first.rows, *second.rows)} == set(expected), sort
        assert not second.next_key
        assert sum(one.keys for one in seen) < 2 * (pages.MAX_FEW + 4 * NUMBER) < 2 * EACH * NUMBER, sort
