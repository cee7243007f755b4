"""Lists over many projects: each task is on one page, and a label of many is read from its index, not all its tasks."""

import itertools
import random
from datetime import UTC, datetime, timedelta

import pytest
from bson import ObjectId

from taskmanager.core.filters.nodes import GivenFilter
from taskmanager.core.filters.parser import parse
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.chunked_updates import update_each
from taskmanager.core.storage.orders import Order
from taskmanager.features.tasks import listing
from taskmanager.features.tasks.counts.models import TaskCounts
from taskmanager.features.tasks.counts.numbers import Numbers, add, counted
from taskmanager.features.tasks.counts.writing import updates
from taskmanager.features.tasks.filtering import expensive, pages
from taskmanager.features.tasks.filtering.fields import FIELDS
from taskmanager.features.tasks.filtering.selectivity import branches
from taskmanager.features.tasks.models import Task, index_tags_of
from tests.web.profiling import examined

PROJECTS = [ObjectId() for _ in range(pages.MAX_MERGED + 10)]
EACH, LIMIT = 30, 50  # tasks of a project, of which every second has the label `bug`, and the first also `once`
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
ORDERS = [Order((("created_at", True),)), Order((("due_at", False),))]
ME, OTHER = ObjectId(), ObjectId()


def rows(project_id, bug, once):
    for number in range(EACH):
        labels = [bug] * (number % 2 or number == 0) + [once] * (number == 0)
        at = BEGIN + timedelta(minutes=number)
        mine, watched = [ME] * (number % 5 == 0), [ME] * (number % 7 == 0)
        yield (
            {
                "_id": ObjectId(),
                "project_id": project_id,
                "key": f"T-{number}",
                "label_ids": labels,
                "assignee_ids": mine,
                "watcher_ids": watched,
                "reporter_id": ME if number % 11 == 0 else OTHER,
                "marks": index_tags_of(mine, labels, watched),
                "title": f"T {number}",
                "priority": number % 3,
                "status": "open",
                "status_group": "backlog",
                "created_at": at,
                "revision": 1,
            }
            | ({"due_at": at} if number % 3 else {})
        )


@pytest.fixture
def actor(app, monkeypatch):
    """A user of all projects, whose queries may take as long as they take: keys are counted."""
    monkeypatch.setattr(pages, "WHOLE_SECONDS", 60)
    monkeypatch.setattr(expensive, "MAX_SECONDS", 60)
    tasks, labels = Task._get_collection(), Task._get_collection().database["labels"]
    numbers = Numbers()
    for project_id in PROJECTS:
        bug, once = ObjectId(), ObjectId()
        names = {"bug": bug, "once": once}
        labels.insert_many([
            {"_id": key, "name_key": name, "project_id": project_id} for name, key in names.items()
        ])  # fmt: skip
        stored = list(rows(project_id, bug, once))
        for row in stored:
            add(numbers, counted(row.get))
        tasks.insert_many(stored)
    update_each(TaskCounts._get_collection(), updates(numbers))
    yield Actor(ME, project_roles=dict.fromkeys(PROJECTS, "viewer"))
    tasks.drop()
    TaskCounts.drop_collection()


def test_a_label_of_many_tasks_in_many_projects_is_read_in_the_order(actor):
    for order in ORDERS:
        with examined() as seen:
            page = listing.visible(actor, condition=GivenFilter(parse("label = bug", FIELDS))).page(order, LIMIT)
        assert (len(page.rows), page.partial) == (LIMIT, False)
        keys = sum(one.keys for one in seen)
        assert keys <= len(PROJECTS) + 4 * LIMIT + 50 < len(PROJECTS) * EACH // 2, order


NAMING_PROJECTS = {
    "project != {0}": set(PROJECTS[1:]),
    "not project = {0}": set(PROJECTS[1:]),
    "not project in [{0}, {1}] and status_group = backlog": set(PROJECTS[2:]),
    "project in [{0}, {1}] and project != {1}": {PROJECTS[0]},
    "project = {0} or project = {1}": {PROJECTS[0], PROJECTS[1]},
    "project = {0} and project = {1}": set(),
}


def test_a_condition_on_the_project_leaves_out_projects(actor):
    """Of the order of many projects two pages are read, and no more tasks."""
    for (text, left), order in itertools.product(NAMING_PROJECTS.items(), ORDERS):
        visible = listing.visible(actor, condition=GivenFilter(parse(text.format(*PROJECTS), FIELDS)))
        assert visible.total() == Task._get_collection().count_documents({"project_id": {"$in": list(left)}})
        with examined() as seen:
            first = visible.page(order, LIMIT)
            second = visible.page(order, LIMIT, after=first.next_key) if first.next_key else first
        rows = [*first.rows, *second.rows]
        assert {row["project_id"] for row in rows} <= left and (rows or not left), (text, order)
        if len(left) > LIMIT:
            assert len(rows) == 2 * LIMIT
            keys = sum(one.keys for one in seen)
            assert keys <= 4 * len(PROJECTS) + 16 * LIMIT < len(PROJECTS) * EACH // 3, (text, order)


@pytest.mark.parametrize(("text", "number"), [("label = once", 1), ("label in [once, bug]", 1 + EACH // 2)])
def test_every_task_of_the_labels_is_on_one_page(actor, text, number):
    """The first task of each project has both labels, which are in different parts of what is read."""
    visible, order = listing.visible(actor, condition=GivenFilter(parse(text, FIELDS))), ORDERS[0]
    found, after = [], None
    while not found or after:
        page = visible.page(order, 10 * LIMIT, after=after)
        assert not page.partial
        found, after = found + page.rows, page.next_key
    assert len(found) == len({row["_id"] for row in found}) == number * len(PROJECTS)
    assert found == sorted(found, key=lambda row: (row["created_at"], row["_id"]), reverse=True)


IN_MEMORY = ["-priority", "due_at,-priority", "title"]  # no index of people and labels has these orders
SORTS = ["-created_at", "due_at", "-due_at", "priority,due_at", "-priority,-due_at", *IN_MEMORY]
NULL_OR_LOW = {"$or": [{"due_at": None}, {"priority": 1}]}
ALL = {
    "label = bug": {0, *range(1, EACH, 2)},
    "assignee = me": set(range(0, EACH, 5)),
    "reporter = me": set(range(0, EACH, 11)),
    "assignee = me or watcher = me": {*range(0, EACH, 5), *range(0, EACH, 7)},
    "assignee = me or reporter = me": {*range(0, EACH, 5), *range(0, EACH, 11)},
    "assignee = me or (label = bug and watcher = me) or label = once": {*range(0, EACH, 5), 7, 21},
    "due_at is null": set(range(0, EACH, 3)),
    "priority = low": set(range(1, EACH, 3)),
    "assignee = me and due_at is null": set(range(0, EACH, 15)),
}


def all_pages(actor, text, order, *, partial=False):
    visible = listing.visible(actor, condition=GivenFilter(parse(text, FIELDS)))
    found, after = [], None
    for _ in range(len(PROJECTS)):  # else pages are repeated
        page = visible.page(order, 500, after=after)
        assert partial or (page.rows and not page.partial)
        found, after = [*found, *page.rows], page.next_key
        if not after:
            break
    assert not after, (text, order)
    return found


def test_each_task_is_on_one_of_the_pages_in_its_place(actor):
    assert_walks(actor, ALL, SORTS)


def test_no_task_is_lost_or_repeated_where_pages_are_partial(actor, monkeypatch):
    """A cursor after a partial page is the key of a task that does not match the filter."""
    monkeypatch.setattr(pages, "WHOLE_SECONDS", 0.0001)
    assert_walks(actor, ["due_at is null", "priority = low"], SORTS[::3], partial=True)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("due_at is null or priority = low", NULL_OR_LOW),
        ("reporter = me and (due_at is null or priority = low)", NULL_OR_LOW | {"reporter_id": ME}),
        (
            f"reporter = {OTHER} or (reporter = me and (due_at is null or priority = low))",
            {"$or": [{"reporter_id": OTHER}, NULL_OR_LOW | {"reporter_id": ME}]},
        ),
    ],
    ids=["alone", "of one person", "within another one"],
)
def test_no_task_is_lost_where_one_of_two_alternatives_is_null(app, text, wanted):
    """Of tasks whose order has nothing to do with that of their ids."""
    chance, ids = random.Random(1), [ObjectId() for _ in range(120)]
    chance.shuffle(ids)
    for place, _id in enumerate(ids):
        row = next(rows(PROJECTS[place % 5], ObjectId(), ObjectId())) | {"_id": _id, "key": f"T-{place}"}
        row |= {"reporter_id": chance.choice([ME, OTHER]), "priority": chance.randrange(5)}
        due = {"due_at": BEGIN + timedelta(minutes=chance.randrange(3))} if chance.random() < 0.5 else {}
        Task._get_collection().insert_one(row | due)
    expected = sorted(row["_id"] for row in Task._get_collection().find(wanted).hint("_id_"))
    visible = listing.visible(
        Actor(ME, project_roles=dict.fromkeys(PROJECTS[:5], "viewer")), condition=GivenFilter(parse(text, FIELDS))
    )
    for sort in SORTS:
        found, after = [], None
        while not found or after:
            page = visible.page(Order.by(*sort.split(",")), 7, after=after)
            found, after = [*found, *page.rows], page.next_key
        assert sorted(row["_id"] for row in found) == expected, sort


def assert_walks(actor, texts, sorts, *, partial=False):
    for text, sort in itertools.product(texts, sorts):
        words = [(word.removeprefix("-"), word.startswith("-")) for word in sort.split(",")]
        found = all_pages(actor, text, Order(tuple(words)), partial=partial)
        keys = sorted((row["project_id"], int(row["key"].removeprefix("T-"))) for row in found)
        assert keys == sorted(itertools.product(PROJECTS, ALL[text])), (text, sort)
        expected = list(found)
        for field, descending in reversed([*words, ("_id", words[-1][1])]):
            expected.sort(key=lambda row, field=field: (field in row, row.get(field)), reverse=descending)
        assert [row["_id"] for row in found] == [row["_id"] for row in expected], (text, sort)


def first_pages(actor, text, sort):
    """The ids on the first two pages, and the keys that were examined."""
    visible = listing.visible(actor, condition=GivenFilter(parse(text, FIELDS)))
    order = Order.by(*sort.split(","))
    with examined() as seen:
        first = visible.page(order, LIMIT)
        second = visible.page(order, LIMIT, after=first.next_key)
    assert not (first.partial or second.partial)
    return [row["_id"] for row in (*first.rows, *second.rows)], sum(one.keys for one in seen)


FREQUENT = ["label = bug", "label = bug and status_group = backlog", "label = bug and priority >= low"]
RARE = {  # keys of each project for a page, with seeks
    "label = once": 3,
    "reporter = me": 4,
    "label = bug and assignee = me and due_at >= 2024-01-01": 7,  # not all conditions are counted
}


def test_what_many_tasks_have_is_found_in_the_order(actor):
    """Of 3,360 tasks that have the label not all are read, to sort them."""
    for text, sort in itertools.product(FREQUENT, IN_MEMORY):
        found, keys = first_pages(actor, text, sort)
        assert len(set(found)) == 2 * LIMIT
        assert keys < 8 * len(PROJECTS), (text, sort)


def test_what_few_tasks_have_is_sorted(actor):
    """Each task of the rarest person or label is read once for a page, and no other."""
    for (text, each), sort in itertools.product(RARE.items(), IN_MEMORY):
        found, keys = first_pages(actor, text, sort)
        assert len(set(found)) == 2 * LIMIT
        assert keys <= 2 * each * len(PROJECTS), (text, sort)


def test_what_is_not_soon_found_in_the_order_is_sorted(actor, monkeypatch):
    expected = [first_pages(actor, text, IN_MEMORY[1])[0] for text in FREQUENT]
    monkeypatch.setattr(pages, "FREQUENT_SECONDS", 0.0001)
    assert [first_pages(actor, text, IN_MEMORY[1])[0] for text in FREQUENT] == expected


def test_every_condition_beside_a_wide_label_holds(actor):
    text = "label = bug and due_at >= 2024-01-01T00:05Z and due_at < 2024-01-01T00:10Z"
    page = listing.visible(actor, condition=GivenFilter(parse(text, FIELDS))).page(ORDERS[0], 10 * LIMIT)
    assert {row["due_at"].minute for row in page.rows} == {5, 7}
    assert len(page.rows) == 2 * len(PROJECTS)


LABELS = [f"l:{number}" for number in range(pages.MAX_MERGED + 1)]
OF_LABEL = {"marks": {"$in": LABELS}}
IN_PARTS = [{"marks": {"$in": LABELS[:-1]}}, {"marks": LABELS[-1]}]
MINE, WATCHED, REPORTED, IS_OPEN = {"marks": "a:1"}, {"marks": "w:1"}, {"reporter_id": 1}, {"status": "open"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (OF_LABEL, (IN_PARTS, [])),
        ({"$and": [IS_OPEN, OF_LABEL]}, (IN_PARTS, [IS_OPEN])),
        ({"$and": [IS_OPEN, OF_LABEL, {"status": "done"}]}, (IN_PARTS, [IS_OPEN, {"status": "done"}])),
        ({"$and": [OF_LABEL, {"marks": {"$in": LABELS[:2]}}]}, None),
        ({"$and": [OF_LABEL, MINE]}, None),
        ({"$and": [OF_LABEL, REPORTED]}, None),
        ({"$or": [MINE, WATCHED]}, None),  # one list of tags for MongoDB
        ({"$or": [MINE, REPORTED]}, ([{"$or": [MINE]}, {"$or": [REPORTED]}], [])),
        ({"$and": [OF_LABEL, {"$or": [MINE, REPORTED]}]}, ([{"$or": [MINE]}, {"$or": [REPORTED]}], [OF_LABEL])),
        ({"$and": [REPORTED, {"$or": [MINE, REPORTED]}]}, None),
        ({"$or": [OF_LABEL, MINE]}, ([{"$or": [{"$and": [part]}]} for part in IN_PARTS] + [{"$or": [MINE]}], [])),
        ({"$or": [MINE, IS_OPEN]}, None),
        (IS_OPEN, None),
        ({"marks": {"$in": [*LABELS, "l"]}}, None),
    ],
)
def test_a_list_is_read_in_branches_when_nothing_narrower_is_asked(query, found):
    assert branches(query) == (found or ([], [query]))
