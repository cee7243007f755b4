"""A label's name that exists in many projects: a page is read from their index, not from all tasks of the labels."""

from datetime import UTC, datetime, timedelta

import pytest
from bson import ObjectId

from taskmanager.core.filters.nodes import GivenFilter
from taskmanager.core.filters.parser import parse
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Order
from taskmanager.features.tasks import listing
from taskmanager.features.tasks.filtering import expensive, pages
from taskmanager.features.tasks.filtering.fields import FIELDS
from taskmanager.features.tasks.filtering.selectivity import many_tags
from taskmanager.features.tasks.models import Task, index_tags_of
from tests.web.profiling import examined

PROJECTS = [ObjectId() for _ in range(pages.MAX_MERGED + 10)]
EACH, LIMIT = 30, 50  # tasks of a project, of which every second has the label `bug`, and the first also `once`
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
ORDERS = [Order((("created_at", True),)), Order((("due_at", False),))]


def rows(project_id, bug, once):
    for number in range(EACH):
        labels = [bug] * (number % 2 or number == 0) + [once] * (number == 0)
        at = BEGIN + timedelta(minutes=number)
        yield {
            "_id": ObjectId(),
            "project_id": project_id,
            "key": f"T-{number}",
            "label_ids": labels,
            "marks": index_tags_of([], labels, []),
            "status": "open",
            "status_group": "backlog",
            "created_at": at,
            "revision": 1,
        } | ({"due_at": at} if number % 3 else {})


@pytest.fixture
def actor(app, monkeypatch):
    """A user of all projects, whose queries may take as long as they take: keys are counted."""
    monkeypatch.setattr(pages, "WHOLE_SECONDS", 60)
    monkeypatch.setattr(expensive, "MAX_SECONDS", 60)
    tasks, labels = Task._get_collection(), Task._get_collection().database["labels"]
    for project_id in PROJECTS:
        bug, once = ObjectId(), ObjectId()
        names = {"bug": bug, "once": once}
        labels.insert_many([
            {"_id": key, "name_key": name, "project_id": project_id} for name, key in names.items()
        ])  # fmt: skip
        tasks.insert_many(rows(project_id, bug, once))
    yield Actor(ObjectId(), project_roles=dict.fromkeys(PROJECTS, "viewer"))
    tasks.drop()


@pytest.mark.parametrize("order", ORDERS)
def test_a_label_of_many_tasks_in_many_projects_is_read_in_the_order(actor, order):
    with examined() as seen:
        page = listing.visible(actor, condition=GivenFilter(parse("label = bug", FIELDS))).page(order, LIMIT)
    assert (len(page.rows), page.partial) == (LIMIT, False)
    keys = sum(one.keys for one in seen)
    assert keys <= len(PROJECTS) + 4 * LIMIT + 50 < len(PROJECTS) * EACH // 2


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


LABELS = ["l:1", "l:2", "l:3"]
OF_LABEL = {"marks": {"$in": LABELS}}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (OF_LABEL, (LABELS, {})),
        ({"$and": [{"status": "open"}, OF_LABEL]}, (LABELS, {"$and": [{"status": "open"}]})),
        ({"$and": [OF_LABEL, {"marks": {"$in": LABELS[:2]}}]}, None),
        ({"$and": [OF_LABEL, {"marks": "a:1"}]}, None),
        ({"$and": [OF_LABEL, {"reporter_id": 1}]}, None),
        ({"$and": [OF_LABEL, {"$or": [{"marks": "a:1"}, {"reporter_id": 1}]}]}, None),
        ({"$or": [OF_LABEL, {"marks": "a:1"}]}, None),
        ({"status": "open"}, None),
        ({"marks": {"$in": [*LABELS, "l"]}}, None),
    ],
)
def test_a_label_is_read_in_parts_when_nothing_narrower_is_asked(query, found):
    assert many_tags(query, 2) == (found or ([], query))
