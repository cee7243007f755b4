"""Stores the plan: people, projects, members and labels by their models, tasks by rows of the same form."""

import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pymongo
from bson import ObjectId
from pymongo import IndexModel, WriteConcern
from pymongo.database import Database

from taskmanager.core import fractional
from taskmanager.core.clock import now
from taskmanager.features.projects.models import CustomField, Label, Membership, Project
from taskmanager.features.users import passwords
from taskmanager.features.users.models import User
from taskmanager.testing.factories.things import PASSWORD
from tests.bench.seeding import plan as plans, tasks
from tests.bench.seeding.plan import LABELS, Plan

_BATCH = 2_000
_SECONDS = 3600
_MEGABYTES = 2_000  # of the cache of MongoDB


def email_of(name: str) -> str:
    return f"{name}@example.com"


def seed(database: Database[dict[str, Any]], plan: Plan) -> None:
    """Fill a database that is migrated and empty; prints what it takes."""
    moment, began = now(), time.monotonic()
    with pymongo.timeout(_SECONDS):
        for name, rows in _surroundings(plan, moment).items():
            database[name].insert_many(rows)
        indexes = _drop_indexes(database)
        _insert(database, (row for rows in tasks.every(plan, moment) for row in rows))
        inserted = time.monotonic() - began
        database["tasks"].create_indexes(indexes)
        count()
    print(
        f"{plan.tasks:,} tasks in {plan.owners:,} projects: {inserted:.0f} s, "
        f"and {time.monotonic() - began - inserted:.0f} s for {len(indexes)} indexes and the counts",
        flush=True,
    )


def count(project_ids: Iterable[ObjectId] = ()) -> None:
    """Count the tasks of projects, or of all: rows that go round the services go round the counts of statistics."""
    if find_spec("taskmanager.features.insights.counts") is None:
        return
    recount = import_module("taskmanager.features.insights.counts.repair").Recount.of_service()
    with pymongo.timeout(_SECONDS):
        for project_id in project_ids or recount.project_ids():
            recount.repair(project_id)


def grow_cache(database: Database[dict[str, Any]]) -> None:
    """Let MongoDB use more memory than the servers of tests, as a deployment with a million tasks does."""
    size = f"cache_size={_MEGABYTES}MB"
    database.client.admin.command("setParameter", 1, wiredTigerEngineRuntimeConfig=size)


def _surroundings(plan: Plan, moment: datetime) -> dict[str, list[dict[str, Any]]]:
    return {
        "users": [_stored(user) for user in _users(plan)],
        "projects": [_stored(_project(plan, number, moment)) for number in range(plan.owners)],
        "memberships": [member.to_mongo().to_dict() for member in _memberships(plan)],
        "labels": [_stored(label) for label in _labels(plan)],
        "custom_fields": [_stored(_field(number)) for number in range(plan.owners)],
    }


def _stored(document: Any) -> dict[str, Any]:
    document.clean()
    return {name: value for name, value in document.to_mongo().to_dict().items() if value is not None}


def _users(plan: Plan) -> Iterator[User]:
    named = {plans.user_id(number): f"owner-{number}" for number in range(plan.owners)}
    named |= {person.id: person.name for person in plan.people}
    password = passwords.make_hash(PASSWORD)
    for user_id, name in named.items():
        user = User(id=user_id, email=email_of(name), name=name, password_hash=password)
        user.email_verified_at = user.created_at
        yield user


def _project(plan: Plan, number: int, moment: datetime) -> Project:
    size = plan.size_of(number)
    project = Project(id=plans.project_id(number), key=plans.key_of(number), name=f"Project {number}")
    project.position = fractional.at(number)
    project.last_number = project.last_position = project.task_count = size
    project.last_created_at = moment
    return project


def _memberships(plan: Plan) -> Iterator[Membership]:
    for number in range(plan.owners):
        for place, user_id in enumerate(plan.members_of(number)):
            yield Membership(project_id=plans.project_id(number), user_id=user_id, role="member" if place else "owner")
        for person in plan.people_of(number):
            yield Membership(project_id=plans.project_id(number), user_id=person.id, role="member")


def _labels(plan: Plan) -> Iterator[Label]:
    for number in range(plan.owners):
        for name in LABELS:
            yield Label(id=plans.label_id(number, name), project_id=plans.project_id(number), name=name)


def _field(number: int) -> CustomField:
    project_id = plans.project_id(number)
    return CustomField(id=plans.field_id(number), project_id=project_id, key="points", name="Points", type="number")


def _drop_indexes(database: Database[dict[str, Any]]) -> list[IndexModel]:
    """Drop the indexes of tasks, which are built faster over all rows than kept row by row; return them."""
    found = [dict(index) for index in database["tasks"].list_indexes() if index["name"] != "_id_"]
    database["tasks"].drop_indexes()
    return [_model(index) for index in found]


def _model(index: dict[str, Any]) -> IndexModel:
    keys = list(index["key"].items())
    return IndexModel(keys, **{name: value for name, value in index.items() if name not in ("key", "v", "ns")})


def _insert(database: Database[dict[str, Any]], rows: Iterable[dict[str, Any]]) -> None:
    collection = database["tasks"].with_options(write_concern=WriteConcern(w=1, j=False))
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            collection.insert_many(batch, ordered=False)
            batch = []
    if batch:
        collection.insert_many(batch, ordered=False)
