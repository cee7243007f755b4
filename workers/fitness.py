"""The checks of servers and database that every process makes before it works, and the end of one that cannot work."""

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

OUTAGE = RetryPolicy(first_seconds=0.2, max_seconds=2.0)  # how often a server that is away is checked again
_WATCH_SECONDS = 15.0


class Unfit(TaskManagerError):
    """The database cannot be used: it is away, is no replica set, or its schema does not fit this release."""

    code = "database.unfit"


def check(code: int = 1) -> list[ServerProblem]:
    """Return the temporary problems. For final ones end the process, with a message and the exit code `code`."""
    server_checks.compare_migrations(runner.problem)
    problems = server_checks.problems()
    final = [problem.sentence for problem in problems if problem.final]
    if final:
        refuse(" ".join(final), code)
    return problems


def check_before_forks(settings: Settings) -> None:
    """Do the same in a process that forks later, and close the connection."""
    use(settings)
    database.connect(settings)
    for problem in check():
        sys.stderr.write(f"warning: {problem.sentence}\n")
    database.disconnect()


def require_database() -> None:
    """Raise Unfit, with the reason, unless the database is available and fits: for commands that use it."""
    server_checks.compare_migrations(runner.problem)
    for problem in server_checks.database_problems(seconds=2.0):
        raise Unfit(problem.sentence)


def wait(alive: Callable[[], None]) -> None:
    """Wait until the database is available and fits, and call `alive` at each attempt; do not wait for stores.

    Ends the process as `check` does.
    """
    attempts, logged = 0, ""
    while waiting := [problem.sentence for problem in check() if problem.check in ("database", "migrations")]:
        if waiting[0] != logged:
            log.warning("waiting", reason=waiting[0])
        logged = waiting[0]
        alive()
        attempts += 1
        time.sleep(OUTAGE.seconds(attempts))


class Watch:
    """Ends a process when the database does not fit any more, for example because a newer release has migrated it.

    The process itself handles temporary problems, such as a database that is away.
    """

    def __init__(self) -> None:
        self._look_at = time.monotonic() + _WATCH_SECONDS

    def look(self) -> None:
        """End the process, with a message, when the database does not fit; call it between two units of work.

        Cheap to call often: it checks the database four times a minute.
        """
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + _WATCH_SECONDS
        final = [problem.sentence for problem in server_checks.database_problems(seconds=2.0) if problem.final]
        if final:
            log.error("ending", reason=final[0])
            refuse(final[0])


def refuse(reason: str | TaskManagerError, code: int = 1) -> NoReturn:
    """End the process with a message on standard error and the exit code `code`."""
    sentence = reason.detail if isinstance(reason, TaskManagerError) else reason
    sys.stderr.write(f"error: {redact(sentence)}\n")
    raise SystemExit(code)
