"""The implementation of `taskmanager migrate` and `python -m migrations`.

Exit codes: 0 the database fits, 1 it cannot be reached or a migration failed, 3 migrations are missing, 4 a newer
release has migrated it, 5 a missing migration is older than the last one that was run. Only `--check` returns the last
three, for scripts.
"""

from collections.abc import Callable
from typing import Any

from pymongo.database import Database

from migrations import runner
from taskmanager.app import load_features
from taskmanager.core.configuration.settings import Settings, use
from taskmanager.core.errors import Misconfigured
from taskmanager.core.servers import server_checks, server_report
from taskmanager.core.storage.database import connect, database

FITS, MISSING, NEWER, LATE = 0, 3, 4, 5
Say = Callable[[str], None]


def migrate(settings: Settings, *, dry_run: bool, check: bool, expand: bool = False, say: Say) -> int:
    """Run, list or only check the migrations; return the exit code. Raises TaskManagerError."""
    _connect(settings)
    if check:
        return compare(database(), say)
    if expand and database().migrations.find_one({}, {"_id": 1}):  # else there is no release before
        _refuse_unshared()
    names = runner.run(database(), dry_run, lambda name: say(_line("ran", name)), expand=expand)
    for name in names if dry_run else ():
        say(_line("would run", name))
    for line in () if dry_run else server_report.shorten_lifetimes():
        say(line)
    left = runner.state(database()).pending if expand and not dry_run else []
    for name in left:
        say(_line("left for later:", name))
    say(_summary(len(names), dry_run, left))
    return FITS


def expand_for_release(settings: Settings, *, shared: bool) -> list[str]:
    """Run the migrations that the release before can live with; return a line for each.

    `shared`: a release before this one is running. Raises Misconfigured when it could not go on after a migration.
    """
    _connect(settings)
    if shared:
        _refuse_unshared()
    return [_line("ran", name) for name in runner.run(database(), expand=shared)]


def _refuse_unshared() -> None:
    if names := runner.unshared(database()):
        raise Misconfigured(
            f"The release before cannot go on after the migration {names[0]}, which is neither EXPAND nor CONTRACT:"
            " stop all processes, run `taskmanager migrate`, and start this release (docs/operations.md, Migrations)."
        )


def _connect(settings: Settings) -> None:
    """Connect with the migrations of all features and plugins. Raises Misconfigured for a database that is not fit."""
    use(settings)
    load_features(settings)
    connect(settings)
    for problem in server_checks.database_problems(seconds=5.0):
        if problem.check == "database":
            raise Misconfigured(problem.sentence)


def left_for_later(settings: Settings) -> list[str]:
    """Return the names of the migrations that wait until all processes are replaced."""
    connect(settings)
    return runner.state(database()).pending


def compare(database: Database[dict[str, Any]], say: Say) -> int:
    """Print how the database and this release fit together; return the exit code."""
    found = runner.state(database)
    for name in found.pending:
        say(_line("missing" if name in found.needed else "missing, but may be run later:", name))
    say(found.problem or "The database fits this release.")
    if found.unknown:
        return NEWER
    if found.late:
        return LATE
    return MISSING if found.needed else FITS


def _line(verb: str, name: str) -> str:
    return f"{verb} {name}: {runner.about(name)}"


def _summary(count: int, dry_run: bool, left: list[str]) -> str:
    if left:
        return f"Run `taskmanager migrate` when all processes are replaced: {len(left)} left, {count} run."
    if not count:
        return "Nothing to run: the database is up to date."
    migrations = "1 migration" if count == 1 else f"{count} migrations"
    return f"{migrations} would be run." if dry_run else f"The database is up to date: {migrations} run."
