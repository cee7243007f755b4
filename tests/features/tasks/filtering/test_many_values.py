"""Filters that become long: a name stands for a label in each project, and lists repeat it for each part they read."""

from datetime import UTC, datetime

import pytest
from bson import ObjectId

from taskmanager.core.errors import Invalid
from taskmanager.core.filters.nodes import GivenFilter
from taskmanager.core.filters.parser import parse
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Order
from taskmanager.features.tasks import listing
from taskmanager.features.tasks.filtering import expensive, pages
from taskmanager.features.tasks.filtering.fields import FIELDS
from taskmanager.features.tasks.models import Task, index_tags_of

NAMES = ("a", "b", "c", "d", "e", "f", "g", "h")
NUMBER, LIMIT = 1_000, 50  # projects, as many as the quota of memberships allows
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ONLY_B = (
    "label != a",
    "not (label = a)",
    "label = b or title ~ x",
    "label in [b, c, d] and label not in [a, e, f, g, h]",
    "label in [a, b, c, d, e, f, g, h] and label not in [a, c, d, e, f, g, h]",
)
ORDERS = [Order((("created_at", True),)), Order((("due_at", False), ("priority", False)))]


def row(project_id, label_id, number):
    return {
        "_id": ObjectId(),
        "project_id": project_id,
        "key": f"T-{number}",
        "label_ids": [label_id],
        "marks": index_tags_of([], [label_id], []),
        "priority": number % 3,
        "status": "open",
        "status_group": "backlog",
        "created_at": BEGIN,
        "revision": 1,
    } | ({"due_at": BEGIN} if number % 2 else {})


@pytest.fixture
def actor(app, monkeypatch):
    """A user of many projects: each has all labels, and two tasks, of which one has the label `a`."""
    monkeypatch.setattr(pages, "WHOLE_SECONDS", 60)
    monkeypatch.setattr(expensive, "MAX_SECONDS", 60)
    tasks, projects = Task._get_collection(), [ObjectId() for _ in range(NUMBER)]
    labels = [
        {"_id": ObjectId(), "name_key": name, "project_id": project_id} for project_id in projects for name in NAMES
    ]
    tasks.database["labels"].insert_many(labels)
    tasks.insert_many(
        row(label["project_id"], label["_id"], number)
        for number, label in enumerate(labels)
        if label["name_key"] in ("a", "b")
    )
    yield Actor(ObjectId(), project_roles=dict.fromkeys(projects, "viewer"))
    tasks.drop()


def pages_of(actor, text, order):
    visible = listing.visible(actor, condition=GivenFilter(parse(text, FIELDS)))
    first = visible.page(order, LIMIT)
    return first, visible.page(order, LIMIT, after=first.next_key)


def test_a_name_of_a_label_in_each_of_many_projects_is_no_error(actor):
    wanted = {tag["_id"] for tag in Task._get_collection().database["labels"].find({"name_key": "b"}, {"_id": 1})}
    for text in ONLY_B:
        for order in ORDERS:
            first, second = pages_of(actor, text, order)
            assert len(first.rows) == len(second.rows) == LIMIT
            assert {label for one in (*first.rows, *second.rows) for label in one["label_ids"]} <= wanted


def test_a_filter_that_repeats_its_names_is_refused_before_it_is_too_long(actor):
    with pytest.raises(Invalid) as refused:
        pages_of(actor, " or ".join(f"label = {name}" for name in NAMES * 6), ORDERS[0])
    assert [error["code"] for error in refused.value.extra["errors"]] == ["filter.too_wide"]


def test_the_condition_on_the_project_that_the_refusal_advises_helps(actor):
    project_id = next(iter(actor.project_roles))
    text = f"project = {project_id} and (" + " or ".join(f"label = {name}" for name in NAMES * 5) + ")"
    visible = listing.visible(actor, condition=GivenFilter(parse(text, FIELDS)))
    assert len(visible.page(ORDERS[0], LIMIT).rows) == 2
