"""Every list of 50,000 tasks comes from an index, in its order, and fetches little more than it answers."""

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
from taskmanager.core.storage.collation import natural_key
from taskmanager.core.storage.querysets import Order
from taskmanager.features.insights import search
from taskmanager.features.tasks import listing
from taskmanager.features.tasks.filtering.fields import FIELDS
from taskmanager.features.tasks.models import Task, index_tags_of
from taskmanager.features.tasks.routes import ORDERS
from tests.web.counting import commands

EVERYTHING = bool(os.environ.get("TEST_EVERY_ORDER"))
NUMBER, LIMIT = 50_000 if EVERYTHING else 20_000, 50
NUMBERS = count()
NOW = datetime.now(UTC).replace(microsecond=0)
RANDOM = random.Random(4)
PROJECTS = [ObjectId() for _ in range(12)]
PEOPLE, LABELS = ([ObjectId() for _ in range(25)] for _ in range(2))
PARENT = ObjectId()
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
    found |= {"words": tokens_of(found["title"]), "key_order": natural_key(found["key"])}
    return {name: value for name, value in found.items() if value is not None}


def name_things(database):
    """Store what the filters name."""
    place = {"project_id": PROJECTS[0]}
    database["projects"].insert_many([{"_id": project_id, "key": f"{project_id}"} for project_id in PROJECTS])
    database["memberships"].insert_many([{"user_id": person, **place, "role": "viewer"} for person in PEOPLE])
    database["labels"].insert_many([{"_id": label, "name_key": f"{label}", **place} for label in LABELS])
    database["custom_fields"].insert_one({"key": "points", "type": "number", **place})


@pytest.fixture
def actor(app):
    """A user who sees fifty thousand tasks in twelve projects. They take a while, so all questions are one test."""
    tasks = Task._get_collection()
    with pymongo.timeout(120):
        for _ in range(NUMBER // 1000):
            tasks.insert_many([row() for _ in range(1000)], ordered=False)
        tasks.insert_one(row() | {"_id": PARENT, "project_id": PROJECTS[0]})
        name_things(tasks.database)
    yield Actor(PEOPLE[0], timezone="Europe/Berlin", project_roles=dict.fromkeys(PROJECTS, "viewer"))
    with pymongo.timeout(120):
        tasks.delete_many({})


def asked_of(ask):
    """The questions that `ask` puts to MongoDB."""
    with commands.counting() as seen:
        ask()
    parts = ("find", "filter", "sort", "limit", "projection", "hint", "collation")
    finds = [event.command for event in seen if event.command_name == "find" and event.command["find"] == "tasks"]
    return [{name: command[name] for name in parts if name in command} for command in finds]


def explained(question):
    """What MongoDB says of a question: (stages of its plan, documents fetched, documents answered)."""
    with pymongo.timeout(30):
        found = Task._get_collection().database.command("explain", question, verbosity="executionStats")
    statistics = found["executionStats"]
    return stages(found["queryPlanner"]["winningPlan"]), statistics["totalDocsExamined"], statistics["nReturned"]


def stages(plan):
    inner = [plan.get("inputStage"), *plan.get("inputStages", [])]
    return {plan["stage"]}.union(*(stages(stage) for stage in inner if stage))


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
    f"parent = {PARENT}",
    "parent is not null",
    "due_at < now",
    "due_at = today",
    "due_at is null",
    "due_at is not null",
    "not due_at < now",
    "start_at >= now/w",
    "start_at is not null",
    "estimate_minutes > 480",
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


# These are read from the tasks themselves, in the order of an index: free text, custom fields, and a second condition
# on people or labels, of which an index takes in one.
DEAR = [
    "title ~ rent",
    "description is null",
    "key = T-7",
    "custom_fields.points > 3",
    f"assignee = {PEOPLE[1]} and label = {LABELS[0]}",
]
# Indexes of these orders have nothing that filters ask for.
DEAR_ORDERS = ("title", "-title", "key", "-key")


def order_of(sort):
    words, stored = sort.split(","), ORDERS[sort.replace("-", "")].split(",")
    return Order(tuple((name, word.startswith("-")) for name, word in zip(stored, words, strict=True)))


def questions():
    """(filter, order, project) of every list; each filter in a third of the orders unless everything is asked for."""
    for number, text in enumerate([*FILTERS, *DEAR]):
        for place, sort in enumerate(SORTS):
            if EVERYTHING or (number + place) % 3 == 0:
                yield text, sort, PROJECTS[0] if (number + place) % 2 else None


def dear(actor, text, sort, project, after=None):
    """What is wrong with a list, and the key of its next page."""
    condition = text and GivenFilter(parse(text, FIELDS))
    found = {}

    def ask():
        tasks = listing.visible(actor, project_id=project, condition=condition)
        found["page"] = tasks.page(order_of(sort), LIMIT, after=after)

    question = asked_of(ask)[-1]  # before it, names are looked up
    plan, fetched, answered = explained(question)
    covered = text is None or (text not in DEAR and sort not in DEAR_ORDERS)
    bad = plan & {"SORT", "COLLSCAN"} or (covered and fetched > 3 * max(answered, 1))
    return (text, sort, project is None, fetched, answered, plan) if bad else None, found["page"].next_key


def wrong_pages(actor):
    for text in ("assignee = me and priority >= high", "status = open or due_at < now", None):
        for sort in ("-due_at", "priority", "created_at", "-updated_at", "-due_at,priority"):
            after = None
            for _ in range(4):
                wrong, after = dear(actor, text, sort, None, after)
                yield wrong
                if after is None:
                    break


def wrong_searches(actor):
    for text in ("T-1234", "rent", "inv", "inv 77"):
        for question in asked_of(lambda text=text: search.search(text, 20, actor=actor, fields=["title", "key"])):
            plan, fetched, answered = explained(question)
            exact = " " not in text
            if "COLLSCAN" in plan or (exact and fetched > 3 * max(answered, 1)):
                yield text, question["filter"], plan, fetched, answered


@pytest.mark.timeout(600)
def test_every_list_comes_from_an_index_in_its_order(actor):
    """Every filter, every order, one project and all of them, later pages, and searches.

    Who may see a task sees all of it, so a role changes no question: one actor asks for all.
    """
    wrong = [dear(actor, *question)[0] for question in questions()]
    wrong += [*wrong_pages(actor), *wrong_searches(actor)]
    found = [one for one in wrong if one]
    assert not found, "\n".join(map(str, found))
