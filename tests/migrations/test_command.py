"""`taskmanager migrate` says what it does, and its exit code tells scripts how the database stands."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from migrations import runner
from taskmanager.core.storage import database
from tests.workers.conftest import command  # noqa: F401 a fixture

COUNT = len(runner.all_names())


@pytest.fixture
def name(app: Any) -> Iterator[str]:
    """A database that no migration has seen."""
    name = f"{database.database().name}_command"
    database.client().drop_database(name)
    yield name
    database.client().drop_database(name)


@pytest.fixture
def migrate(command: Callable[..., Any], settings: Any, name: str) -> Callable[..., tuple[int, list[str], str]]:  # noqa: F811
    """Runs it with these options; answers exit code, lines of output, and what went wrong."""
    uri = settings.mongodb_uri.replace(f"/{database.database().name}?", f"/{name}?")

    def migrate(*options: str) -> tuple[int, list[str], str]:
        ran = command("migrate", *options, mongodb_uri=uri)
        return ran.returncode, ran.stdout.splitlines(), ran.stderr

    return migrate


def test_it_says_what_it_would_do_what_it_does_and_how_the_database_stands(migrate, name):
    code, lines, _ = migrate("--check")
    assert (code, len(lines)) == (3, COUNT + 1) and "run `taskmanager migrate`" in lines[-1]
    code, lines, _ = migrate("--dry-run")
    assert (code, lines[-1]) == (0, f"{COUNT} migrations would be run.")
    assert lines[0].startswith(f"would run {runner.all_names()[0]}: ")
    code, lines, _ = migrate()
    assert (code, lines[-1]) == (0, f"The database is up to date: {COUNT} migrations run.")
    assert [line.split()[:2] for line in lines[:-1]] == [["ran", f"{known}:"] for known in runner.all_names()]
    assert migrate()[:2] == (0, ["Nothing to run: the database is up to date."])
    assert migrate("--check")[:2] == (0, ["The database fits this release."])

    database.client()[name].migrations.insert_one({"_id": "m9999_newer"})
    code, lines, _ = migrate("--check")
    assert code == 4 and "m9999_newer" in lines[-1]
    code, _, wrong = migrate()
    assert code == 1 and "m9999_newer" in wrong and len(wrong.splitlines()) == 1


def test_with_expand_it_says_what_is_left_for_later(migrate):
    later = [name for name in runner.all_names() if runner._removes(name)]
    code, lines, _ = migrate("--expand")
    assert (code, lines[-1]) == (
        0,
        f"Run `taskmanager migrate` when all processes are replaced: {len(later)} left, {COUNT - len(later)} run.",
    )
    assert [line.split(":")[1].split()[0] for line in lines if line.startswith("left")] == later
    assert migrate("--check")[:1] == (0,)
    assert migrate()[1][-1] == f"The database is up to date: {len(later)} migrations run."
