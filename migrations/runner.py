"""Runs the migrations in `scripts/` in order of their names: each once, recorded, by one runner at a time."""

import importlib
import pkgutil
from datetime import timedelta
from types import ModuleType
from typing import Any

from pymongo.errors import DuplicateKeyError

from migrations import scripts
from taskmanager.core.clock import now
from taskmanager.core.errors import Conflict

_LOCK_MINUTES = 30


def run(database: Any, dry_run: bool = False) -> list[str]:
    """Run what has not been run; answers the names. Raises Conflict while another runner is at work.

    A migration that fails is not recorded and ends the run: it is written so that it can be run again.
    """
    if dry_run:
        return pending(database)
    _lock(database)
    try:
        names = pending(database)
        for name in names:
            _load(name).upgrade(database)
            database.migrations.insert_one({"_id": name, "run_at": now()})
    finally:
        database.migration_lock.delete_one({"_id": "lock"})
    return names


def pending(database: Any) -> list[str]:
    """Names of the migrations that have not been run, in order."""
    done = {record["_id"] for record in database.migrations.find({}, {"_id": 1})}
    return [name for name in all_names() if name not in done]


def all_names() -> list[str]:
    """Names of all migrations, in order."""
    return sorted(module.name for module in pkgutil.iter_modules(scripts.__path__))


def _load(name: str) -> ModuleType:
    return importlib.import_module(f"{scripts.__name__}.{name}")


def _lock(database: Any) -> None:
    """Take the lock; one that a killed runner left ends by itself."""
    moment = now()
    try:
        database.migration_lock.update_one(
            {"_id": "lock", "until": {"$lt": moment}},
            {"$set": {"until": moment + timedelta(minutes=_LOCK_MINUTES)}},
            upsert=True,
        )
    except DuplicateKeyError:
        raise Conflict(
            "Another runner is migrating this database. If it was killed, delete the document 'lock' from"
            " the collection 'migration_lock', or wait half an hour.",
            code="migration.locked",
        ) from None
