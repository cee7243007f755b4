"""Restore a backup into an installation that no process works on yet, and verify it."""

from collections.abc import Callable
from pathlib import Path

from migrations import runner
from taskmanager.app import prepare
from taskmanager.core.errors import Misconfigured
from taskmanager.core.servers import server_checks
from taskmanager.core.storage import database
from workers.effective_settings import effective_settings
from workers.operations import backup, verify


def restore_and_verify(
    path: Path, passphrase: str | None, say: Callable[[str], None]
) -> tuple[dict[str, list[str]], str]:
    """Restore a backup. Return what is wrong with its books, and what is to be done for this release, if anything."""
    settings = effective_settings()
    prepare(settings)
    for problem in server_checks.database_problems(seconds=5.0):
        if problem.check == "database":  # that it is not migrated is as it should be
            raise Misconfigured(problem.sentence)
    backup.restore(path, settings, passphrase=passphrase, say=say)
    sentence = runner.state(database.database()).problem
    return verify.verify(), sentence or ""
