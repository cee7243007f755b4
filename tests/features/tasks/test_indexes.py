"""Every list of 50,000 tasks is read from the index that has least to read for it: keys are counted, not documents."""

import os
import random
from datetime import UTC, datetime, timedelta
from itertools import count

import pymongo
import pytest
from bson import ObjectId

from taskmanager.core.filters.nodes import GivenFilter
from taskmanager.core.filters.parser import parse
from taskmanager.core.search_tokens import tokens_of
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Order, natural_key
from taskmanager.features.insights import search
from taskmanager.features.tasks import listing
from taskmanager.features.tasks.filtering import expensive, pages
from taskmanager.features.tasks.filtering.fields import FIELDS
from taskmanager.features.tasks.models import Task, index_tags_of
from taskmanager.features.tasks.routes import ORDERS
from tests.web.profiling import examined

EVERYTHING = bool(os.environ.get("TEST_EVERY_ORDER"))
NUMBER, LIMIT = 50_000 if EVERYTHING else 20_000, 50
NUMBERS = count()
NOW = datetime.now(UTC).replace(microsecond=0)
RANDOM = random.Random(4)
PROJECTS = [ObjectId() for _ in range(12)]
PEOPLE, LABELS = ([ObjectId() for _ in range(25)] for _ in range(2))
PARENT, ME, RARE_LABEL = ObjectId(), ObjectId(), ObjectId()
STATUSES = [{"key": key} for key in ("open", "in_progress", "done", "cancelled", "waiting")]
GROUPS = {"open": "backlog", "in_progress": "active", "done": "done", "cancelled": "cancelled"}
SORTS = [
    ",".join(sign + name for sign, name in zip(signs, names.split(","), strict=True))
    for names in ORDERS
    for signs in ((("",), ("-",)) if "," not in names else (("", ""), ("", "-"), ("-", ""), ("-", "-")))
]


def row():
    """One of many tasks: half of them in the first project, a third done, all that is optional now there, now not."""
    number = next(NUMBERS)
    status = RANDOM.choices(list(GROUPS), [50, 10, 35, 5])[0]
    day = timedelta(days=1)
    people, labels = RANDOM.sample(PEOPLE, RANDOM.choice([0, 1, 1, 2])), RANDOM.sample(LABELS, RANDOM.choice([0, 1, 2]))
    watchers = RANDOM.sample(PEOPLE, RANDOM.choice([0, 0, 1]))
    found = {
        "_id": ObjectId(),
        "project_id": PROJECTS[0] if number % 2 else RANDOM.choice(PROJECTS[1:]),
        "key": f"T-{number}",
        "title": f"Task {number} {RANDOM.choice(['rent', 'invoice', 'garden'])}",
        "status": status,
        "status_group": GROUPS[status],
        "priority": RANDOM.choice([0, 0, 0, 1, 2, 3, 4]),
        "assignee_ids": people,
        "label_ids": labels,
        "watcher_ids": watchers,
        "marks": index_tags_of(people, labels, watchers),
        "reporter_id": RANDOM.choice(PEOPLE),
        "position": f"c{number:06d}",
        "created_at": NOW - timedelta(minutes=number),
        "updated_at": NOW - timedelta(minutes=RANDOM.randrange(10**5)),
        "due_at": NOW + RANDOM.randrange(-50, 50) * day if RANDOM.random() < 0.5 else None,
        "due_floating": True if RANDOM.random() < 0.3 else None,
        "start_at": NOW + RANDOM.randrange(-50, 50) * day if RANDOM.random() < 0.2 else None,
        "estimate_minutes": RANDOM.randrange(500) if RANDOM.random() < 0.3 else None,
        "completed_at": NOW - RANDOM.randrange(50) * day if status == "done" else None,
        "parent_id": RANDOM.choice([PARENT, ObjectId()]) if RANDOM.random() < 0.1 else None,
        "revision": 1,
    }
    if number % 700 == 1:
        found |= rare(found, number // 700)
    found |= {"words": tokens_of(found["title"]), "key_order": natural_key(found["key"])}
    return {name: value for name, value in found.items() if value is not None}


def rare(found, number):
    """What only some thirty tasks have."""
    lists = {"assignee_ids": [ME], "label_ids": [RARE_LABEL], "watcher_ids": [ME] if number % 2 else []}
    early = NOW - timedelta(days=500 + number)
    kinds = [{"status": "waiting"}, {"due_at": early}, {"completed_at": NOW + timedelta(days=310)}]
    return lists | {"marks": index_tags_of(*lists.values()), "reporter_id": ME} | kinds[number % 3]


def name_things(database):
    """Store what the filters name."""
    place = {"project_id": PROJECTS[0]}
    database["projects"].insert_many(
        [{"_id": project_id, "key": f"{project_id}", "statuses": STATUSES} for project_id in PROJECTS]
    )
    database["memberships"].insert_many([{"user_id": person, **place, "role": "viewer"} for person in [*PEOPLE, ME]])
    database["labels"].insert_many([{"_id": label, "name_key": f"{label}", **place} for label in [*LABELS, RARE_LABEL]])
    database["custom_fields"].insert_one({"key": "points", "type": "number", **place})


@pytest.fixture
def patient(monkeypatch):
    """Let each query take as long as it takes: keys are counted here, whatever else the machine does."""
    monkeypatch.setattr(pages, "WHOLE_SECONDS", 60)
    monkeypatch.setattr(expensive, "MAX_SECONDS", 60)


@pytest.fixture
def actor(app, patient):
    """A user who sees fifty thousand tasks in twelve projects. They take a while, so all questions are one test."""
    tasks = Task._get_collection()
    indexes = [dict(index) for index in tasks.list_indexes() if index["name"] != "_id_"]
    with pymongo.timeout(120):
        tasks.drop_indexes()
        for _ in range(NUMBER // 1000):
            tasks.insert_many([row() for _ in range(1000)], ordered=False)
        tasks.insert_one(row() | {"_id": PARENT, "project_id": PROJECTS[0]})
        tasks.database.command("createIndexes", tasks.name, indexes=indexes)  # built at once they cost a part of that
        name_things(tasks.database)
    yield Actor(ME, timezone="Europe/Berlin", project_roles=dict.fromkeys(PROJECTS, "viewer"))
    with pymongo.timeout(120):
        tasks.drop()  # which costs less than deleting them, and its indexes come back before the next test


FILTERS = [
    None,
    "status = in_progress",
    "status in [in_progress, cancelled]",
    "status != open",
    "not status = open",
    "status_group in [backlog, active]",
    "priority >= urgent",
    "priority != none",
    "not priority < high",
    "assignee = me",
    f"assignee in [me, {PEOPLE[1]}]",
    "assignee != me",
    "assignee is null",
    "assignee is not null",
    "watcher = me",
    "watcher is not null",
    "watcher is null",
    f"label = {LABELS[0]}",
    "label is null",
    f"label not in [{LABELS[0]}]",
    f"reporter = {PEOPLE[3]}",
    f"assignee = {PEOPLE[3]} or reporter = {PEOPLE[3]}",
    f"parent = {PARENT}",
    "parent is not null",
    "due_at < now",
    "due_at = today",
    "due_at is null",
    "due_at is not null",
    "not due_at < now",
    "start_at >= now/w",
    "start_at is not null",
    "estimate_minutes is null",
    "estimate_minutes is not null",
    "completed_at >= today-1d",
    "created_at > now-5h",
    "updated_at > now-1h",
    "status = open and priority >= high and assignee = me and due_at < now",
    "status = cancelled or priority = urgent",
    "status = open and (priority = urgent or due_at < now-40d)",
    "not (status = open or priority = none)",
]


# Few tasks match these, so each must be read from an index of its own, whatever the order is.
RARE = [
    "assignee = me",
    "watcher = me",
    "reporter = me",
    "assignee = me and status_group in [backlog, active]",
    "assignee = me and due_at = now/w",
    "assignee = me or watcher = me",
    f"label = {RARE_LABEL}",
    f"label = {RARE_LABEL} and title ~ rent",
    "status = waiting",
    "due_at < now-400d",
    "due_at < now-400d and status_group in [backlog, active]",
    "completed_at >= today+300d",
    "start_at = today",
    "estimate_minutes > 497",
    "status = waiting or due_at < now-400d",
]
# Many tasks match these, so each page is read in its order, from an index that begins with the person.
OF_A_PERSON = [
    f"assignee = {PEOPLE[5]}",
    f"watcher = {PEOPLE[5]}",
    f"reporter = {PEOPLE[5]}",
    f"assignee = {PEOPLE[5]} or watcher = {PEOPLE[5]}",
    f"assignee = {PEOPLE[5]} or reporter = {PEOPLE[5]}",
    f"(assignee = {PEOPLE[5]} and status = open) or reporter in [{PEOPLE[5]}, {PEOPLE[6]}]",
]
OF_LONG_LISTS = ["created_at", "-created_at", "updated_at", "-updated_at", "-due_at", "priority,due_at"]
# Many tasks match this, and all have one value of these orders.
OF_ONE_VALUE, ITS_ORDERS = "due_at is null", [sort for sort in SORTS if "due_at" in sort]
# These are compared with the tasks themselves, in the order of the list.
COMPARED = ["title ~ rent", "description is null", "key = T-7", "custom_fields.points > 3"]


def order_of(sort):
    words, stored = sort.split(","), ORDERS[sort.replace("-", "")].split(",")
    return Order(tuple((name, word.startswith("-")) for name, word in zip(stored, words, strict=True)))


def page(actor, text, sort, project, after=None):
    """One page of a list, and what MongoDB examined for it."""
    condition = GivenFilter(parse(text, FIELDS)) if text else None
    with examined() as seen:
        tasks = listing.visible(actor, project_id=project, condition=condition)
        found = tasks.page(order_of(sort), LIMIT, after=after)
    return found, seen


def wrong(actor, text, sort, project, bound, pages=3):
    """What is wrong with the first pages of a list: more keys than `bound` of a page says, or a whole scan."""
    after = None
    for number in range(pages):
        found, seen = page(actor, text, sort, project, after)
        keys, projects = sum(one.keys for one in seen), 1 if project else len(PROJECTS)
        scans = [one.plan for one in seen if "COLLSCAN" in one.plan]
        if found.partial or scans or keys > bound(len(found.rows), projects):
            yield text, sort, projects, number, keys, len(found.rows), [one.plan for one in seen]
        after = found.next_key
        if after is None:
            return


def few(answered, projects):
    """Four keys for each returned task, and a seek for each of the ranges of a project."""
    return 4 * answered + 50 + 4 * projects


def a_page_of_each(answered, projects):
    """A page of each range of the order, for each of three alternatives, of which half the tasks match."""
    return 3 * 4 * 2 * answered


def some_thousand(answered, projects):
    """As many as are sorted in memory, or passed over in the index of an order."""
    return 6_000


def all_of_them(answered, projects):
    return NUMBER + 100


def faults(actor):
    places = [PROJECTS[0], None]
    for number, text in enumerate([None, *RARE, *FILTERS, *COMPARED]):
        bound = all_of_them if text in COMPARED else few if text is None or text in RARE else some_thousand
        for place, sort in enumerate(SORTS):
            if EVERYTHING or (number + place) % 8 == 0:
                yield from wrong(actor, text, sort, places[(number // 8 + place // 8) % 2], bound)


def wrong_people(actor):
    for text in OF_A_PERSON:
        for sort in OF_LONG_LISTS:
            yield from wrong(actor, text, sort, None, a_page_of_each if " or " in text else few, pages=8)


def wrong_values(actor):
    for sort in ITS_ORDERS:
        for project in (PROJECTS[0], None):
            yield from wrong(actor, OF_ONE_VALUE, sort, project, few)


def wrong_searches(actor):
    for text in ("T-1234", "rent", "inv", "inv 77"):
        with examined() as seen:
            search.search(text, 20, actor=actor, fields=["title", "key"])
        for one in seen:
            exact = " " not in text
            if "COLLSCAN" in one.plan or (exact and one.documents > 3 * max(one.returned, 1)):
                yield text, one


@pytest.mark.timeout(600)
def test_every_list_comes_from_the_index_that_has_least_to_read(actor):
    """Every filter, every order, one project and all of them, later pages, and searches.

    Who may see a task sees all of it, so a role changes no question: one actor asks for all.
    """
    found = [*faults(actor), *wrong_people(actor), *wrong_values(actor), *wrong_searches(actor)]
    assert not found, "\n".join(map(str, found))
