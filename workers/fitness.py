"""What every process does before it works: look at its servers and at the database, and refuse what cannot work."""

import sys
import time
from collections.abc import Callable
from typing import NoReturn

import structlog

from migrations import runner
from taskmanager.core.configuration.settings import Settings, use
from taskmanager.core.errors import TaskManagerError
from taskmanager.core.retry import RetryPolicy
from taskmanager.core.security.redaction import redact
from taskmanager.core.servers import server_checks
from taskmanager.core.servers.server_checks import ServerProblem
from taskmanager.core.storage import database

log = structlog.get_logger("taskmanager.fitness")

OUTAGE = RetryPolicy(first_seconds=0.2, max_seconds=2.0)  # how often a server that is away is asked again
_WATCH_SECONDS = 15.0


class Unfit(TaskManagerError):
    """The database cannot be worked on: it is away, no replica set, or not in the form that this release needs."""

    code = "database.unfit"


def check(code: int = 1) -> list[ServerProblem]:
    """Return what is wrong now but may pass. Ends the process, with one sentence and this code, for what does not."""
    server_checks.compare_migrations(runner.problem)
    problems = server_checks.problems()
    final = [problem.sentence for problem in problems if problem.final]
    if final:
        refuse(" ".join(final), code)
    return problems


def check_before_forks(settings: Settings) -> None:
    """Do the same in a process that forks later, and leave no connection open."""
    use(settings)
    database.connect(settings)
    for problem in check():
        sys.stderr.write(f"warning: {problem.sentence}\n")
    database.disconnect()


def require_database() -> None:
    """Raise Unfit, saying why, unless the database is there and fits: for commands that begin to work on it."""
    server_checks.compare_migrations(runner.problem)
    for problem in server_checks.database_problems(seconds=2.0):
        raise Unfit(problem.sentence)


def wait(alive: Callable[[], None]) -> None:
    """Return once the database is there and fits, calling `alive` meanwhile; a store that is away is waited for later.

    Ends the process as `check` does.
    """
    attempts, told = 0, ""
    while waiting := [problem.sentence for problem in check() if problem.check in ("database", "migrations")]:
        if waiting[0] != told:
            log.warning("waiting", reason=waiting[0])
        told = waiting[0]
        alive()
        attempts += 1
        time.sleep(OUTAGE.seconds(attempts))


class Watch:
    """Ends a process when the database becomes one that it cannot work on, such as one that was migrated meanwhile.

    What may pass by itself, such as a database that is away, is left to the process.
    """

    def __init__(self) -> None:
        self._look_at = time.monotonic() + _WATCH_SECONDS

    def look(self) -> None:
        """End the process, with one sentence, when it is time to look and the database does not fit.

        Between two pieces of work. Cheap to call often: it asks four times a minute.
        """
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + _WATCH_SECONDS
        final = [problem.sentence for problem in server_checks.database_problems(seconds=2.0) if problem.final]
        if final:
            log.error("ending", reason=final[0])
            refuse(final[0])


def refuse(reason: str | TaskManagerError, code: int = 1) -> NoReturn:
    """End the process with one sentence on standard error."""
    sentence = reason.detail if isinstance(reason, TaskManagerError) else reason
    sys.stderr.write(f"error: {redact(sentence)}\n")
    raise SystemExit(code)
