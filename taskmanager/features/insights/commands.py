"""`taskmanager counters …`: verify and repair the counts of tasks. A command imports what it needs when it runs."""

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from bson import ObjectId

    from taskmanager.features.insights.counts.repair import Differences, Recount

_MAX_LINES = 20  # of one project

_project = click.option("--project", help="The id of a project. Default: all projects.")


@click.group()
def counters() -> None:
    """Verify and repair the counts of tasks, from which statistics and facets are answered."""


@counters.command()
@_project
@click.pass_obj
def verify(environment: Any, project: str | None) -> None:
    """Compare the counts with the tasks; exit status 1 when they differ."""
    from taskmanager.features.insights.counts.repair import Recount

    environment.connect()
    recount = Recount.of_service()
    wrong, failed = _each(recount.differences, _ids(recount, project))
    click.echo(f"{wrong} projects with wrong counts." if wrong or failed else "All counts are right.")
    sys.exit(1 if wrong or failed else 0)


@counters.command()
@_project
@click.pass_obj
def repair(environment: Any, project: str | None) -> None:
    """Correct the counts; the service may run meanwhile. Exit status 1 when that failed for a project."""
    from taskmanager.features.insights.counts.repair import Recount

    environment.connect()
    recount = Recount.of_service()
    wrong, failed = _each(recount.repair, _ids(recount, project))
    click.echo(f"The counts of {wrong} projects were repaired.")
    sys.exit(1 if failed else 0)


def _each(work: "Callable[[ObjectId], Differences]", ids: "Iterator[ObjectId]") -> tuple[int, int]:
    """Print what `work` finds in each project, and return in how many it found something and in how many it failed."""
    from pymongo.errors import ConnectionFailure

    wrong = failed = 0
    for project_id in ids:
        try:
            wrong += _say(work(project_id))
        except ConnectionFailure:
            raise
        except Exception as error:  # one project that fails must not keep the others from being repaired
            failed += 1
            click.echo(f"{project_id}  failed: {error}", err=True)
    return wrong, failed


def _ids(recount: "Recount", project: str | None) -> Iterator[Any]:
    from bson import ObjectId

    if project and not ObjectId.is_valid(project):
        raise click.UsageError("--project must be the id of a project.")
    return iter([ObjectId(project)]) if project else recount.project_ids()


def _say(found: "Differences") -> bool:
    """Print the differences of a project, and return whether there are any."""
    lines = [
        f"{found.project_id}  {path}{'' if week is None else f' in week {week}'}: {number:+}"
        for (_, week, path), number in sorted(found.numbers.items(), key=str)
    ]
    for line in lines[:_MAX_LINES]:
        click.echo(line)
    if len(lines) > _MAX_LINES:
        click.echo(f"{found.project_id}  and {len(lines) - _MAX_LINES} more")
    return bool(lines)


COMMANDS = (counters,)
