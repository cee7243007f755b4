"""Runs the migrations in `scripts/` in the order of their names: each once, recorded, by one runner at a time.

A name is `m<yyyymmddhhmm>_<what>`, with the time at which it was written. A script that is older than the last one that
a database has run is refused: it was merged late, and its author did not expect the present data (see CONTRIBUTING.md).

Releases by expand and contract (see docs/operations.md): a script may declare its kind.
`EXPAND = True`: it only adds, so the previous release may still use the database; the record of the run contains it.
`CONTRACT = True`: it only removes what this release no longer uses, so this release may start before it has run, and
scripts that were written after it may run before it.
"""

import importlib
import pkgutil
import re
import secrets
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from typing import Any, NamedTuple

import pymongo
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from migrations import renamed, scripts
from taskmanager.core import registry
from taskmanager.core.clock import now
from taskmanager.core.errors import Conflict, Misconfigured

MIGRATIONS: registry.Part[str] = registry.Part("migrations")
_LOCK_MINUTES = 30
_NAME = re.compile(r"m\d{12}_[a-z0-9_]+")
_ALMOST = re.compile(r"m\d")
_FORMER = {now: then for then, now in renamed.NAMES.items()}
_UNTIMED = frozenset(name for name in renamed.NAMES.values() if name <= renamed.LAST_UNTIMED)


class State(NamedTuple):
    """The migrations of a database compared with this release: names, in order."""

    pending: list[str]  # not run yet
    needed: list[str]  # those of `pending` that this release needs
    unknown: list[str]  # run by another release, and not declared as EXPAND
    late: list[tuple[str, str]]  # those of `needed` that are older than one that was run, with the newest such one

    @property
    def problem(self) -> str | None:
        """Return the problem, in a sentence that says what to run; None when this release may use the database."""
        if self.unknown:
            return (
                f"The database was migrated by a newer release ({self.unknown[-1]} is unknown here): start that"
                " release, or restore the backup that was made before its migration."
            )
        if self.late:
            name, last = self.late[0]
            return (
                f"The migration {name} is older than {last}, which this database has already run: start a"
                " release in which it has a newer name, and run `taskmanager migrate` (docs/operations.md, Migrations)."
            )
        if self.needed:
            return (
                f"The database is not migrated for this release: run `taskmanager migrate` ({len(self.needed)} to run)."
            )
        return None


def run(
    database: Database[dict[str, Any]],
    dry_run: bool = False,
    ran: Callable[[str], None] = lambda name: None,
    *,
    expand: bool = False,
) -> list[str]:
    """Run the pending migrations and call `ran` after each; return their names.

    `expand`: without those that remove something, so that processes of the release before may go on.

    Raises Conflict while another runner works, Misconfigured when a newer release has migrated the database, or a
    pending migration is older than the last one that was run. A migration that fails is not recorded and ends the run;
    migrations are safe to run again.
    """
    if dry_run:
        return _runnable(database, expand)
    holder = secrets.token_hex(8)
    _lock(database, holder)
    try:
        names = _runnable(database, expand)
        _complete_records(database)
        for name in names:
            _prolong(database, holder)
            script = _load(name)
            with pymongo.timeout(_LOCK_MINUTES * 60):  # longer than that of a request: building an index takes long
                script.upgrade(database)
            _record(database, name, {"run_at": now(), "expand": _may_go_on_without(name, script)})
            ran(name)
    finally:
        database.migration_lock.delete_one({"_id": "lock", "holder": holder})
    return names


def _may_go_on_without(name: str, script: ModuleType) -> bool:
    """Return whether a release that lacks the script works on the database: always, for one of a plugin."""
    return _is_of_plugin(name) or getattr(script, "EXPAND", False)


def _record(database: Database[dict[str, Any]], name: str, record: dict[str, Any]) -> None:
    """Record a script, and before it its former name: older releases know only that one."""
    for known in (_FORMER.get(name), name):
        if known:
            database.migrations.update_one({"_id": known}, {"$set": record}, upsert=True)


def _complete_records(database: Database[dict[str, Any]]) -> None:
    """Add what earlier runs did not record: former names, and that releases without a plugin may go on."""
    database.migrations.update_many({"_id": {"$regex": r"\."}, "expand": {"$ne": True}}, {"$set": {"expand": True}})
    for found in list(database.migrations.find({"_id": {"$in": list(_FORMER)}})):
        name = found.pop("_id")
        database.migrations.update_one({"_id": _FORMER[name]}, {"$setOnInsert": found}, upsert=True)


def unshared(database: Database[dict[str, Any]]) -> list[str]:
    """Return the pending migrations after which a release that lacks them cannot go on, and this one cannot wait."""
    pending = state(database).pending
    return [name for name in pending if not _removes(name) and not _may_go_on_without(name, _load(name))]


def state(database: Database[dict[str, Any]]) -> State:
    """Compare the migrations that were run with the scripts of this release. Reads one small collection."""
    found = database.migrations.find({}, {"expand": 1})
    records = {renamed.NAMES.get(record["_id"], record["_id"]): record.get("expand", False) for record in found}
    names = all_names()
    pending = [name for name in names if name not in records]
    needed = [name for name in pending if not _removes(name)]
    unknown = (name for name, expand in records.items() if not (name in names or expand or _is_of_plugin(name)))
    return State(pending, needed, sorted(unknown), _late(needed, [name for name in names if name in records]))


def _late(pending: list[str], run: list[str]) -> list[tuple[str, str]]:
    """Return (name, newest that was run) for late migrations; the service and each plugin are compared separately."""
    last = {_source(name): name for name in sorted(run)}
    found = [(name, last.get(_source(name), "")) for name in pending]
    return [(name, newest) for name, newest in found if name < newest and name not in _UNTIMED]


def _source(name: str) -> str:
    """Return the package of a plugin's migration; empty for a migration of the service."""
    return name.rpartition(".")[0]


def problem(database: Database[dict[str, Any]]) -> str | None:
    """Return what is wrong with the migrations of the database, for `server_checks.compare_migrations`."""
    return state(database).problem


def pending(database: Database[dict[str, Any]]) -> list[str]:
    """Return the names of the migrations that have not been run, in order."""
    return state(database).pending


def all_names() -> list[str]:
    """Return the names of all migrations, in order: of the service, then of each plugin as `<package>.<module>`."""
    own = sorted(module.name for module in pkgutil.iter_modules(scripts.__path__))
    return [*own, *(name for package in _packages_of_features() for name in _names_in(package))]


def _packages_of_features() -> list[str]:
    """Return the packages with migrations of features and plugins; none in a process that has loaded no features.

    gunicorn's main process has loaded none; the processes that it forks load them, and compare again.
    """
    return list(MIGRATIONS) if registry.is_loaded() else []


def _names_in(package: str) -> list[str]:
    """Return the migrations in a package; other modules are no migrations. Raises Misconfigured for a half one."""
    found = sorted(module.name for module in pkgutil.iter_modules(importlib.import_module(package).__path__))
    for name in found:
        if _ALMOST.match(name) and not _NAME.fullmatch(name):
            raise Misconfigured(f"the migration {package}.{name} must be called m<yyyymmddhhmm>_<what>")
    return [f"{package}.{name}" for name in found if _NAME.fullmatch(name)]


def _is_of_plugin(name: str) -> bool:
    return bool(_source(name))


def about(name: str) -> str:
    """Return the first paragraph of a migration's docstring, in one line."""
    return " ".join((_load(name).__doc__ or "").strip().split("\n\n")[0].split())


def _runnable(database: Database[dict[str, Any]], expand: bool) -> list[str]:
    found = state(database)
    if found.unknown or found.late:
        raise Misconfigured(found.problem, code="migration.newer" if found.unknown else "migration.late")
    return found.needed if expand else found.pending


def _removes(name: str) -> bool:
    return getattr(_load(name), "CONTRACT", False)


def _load(name: str) -> ModuleType:
    if not _is_of_plugin(name):
        return importlib.import_module(f"{scripts.__name__}.{name}")
    try:
        script = importlib.import_module(name)
    except Exception as error:
        raise Misconfigured(f"the migration {name} cannot be loaded: {type(error).__name__}: {error}") from error
    if not callable(getattr(script, "upgrade", None)):
        raise Misconfigured(f"the migration {name} has no function upgrade(database)")
    return script


def _lock(database: Database[dict[str, Any]], holder: str = "") -> None:
    """Acquire the lock; the lock of a killed runner expires. Raises Conflict (`migration.locked`)."""
    moment = now()
    try:
        database.migration_lock.update_one(
            {"_id": "lock", "until": {"$lt": moment}},
            {"$set": {"until": moment + timedelta(minutes=_LOCK_MINUTES), "holder": holder}},
            upsert=True,
        )
    except DuplicateKeyError:
        raise Conflict(
            "Another runner is migrating this database. If it was killed, delete the document 'lock' from"
            " the collection 'migration_lock', or wait half an hour.",
            code="migration.locked",
        ) from None


def _prolong(database: Database[dict[str, Any]], holder: str) -> None:
    """Extend the lock for the next script. Raises Conflict (`migration.locked`) when another runner has taken it."""
    until = now() + timedelta(minutes=_LOCK_MINUTES)
    kept = database.migration_lock.update_one({"_id": "lock", "holder": holder}, {"$set": {"until": until}})
    if not kept.matched_count:
        raise Conflict("Another runner has taken over this migration.", code="migration.locked")
