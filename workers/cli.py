"""The command `taskmanager`: starts processes and one-off steps. Rules live in the services it calls."""

import importlib
from typing import Any

import click

from config.settings import load
from taskmanager.cli import Environment, group
from taskmanager.core.errors import Invalid, TaskManagerError
from taskmanager.core.settings import Settings
from workers.in_force import in_force


class Explaining(click.Group):
    """Tells what is wrong in one sentence, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Invalid as problem:
            raise click.ClickException(problem.extra["errors"][0]["message"]) from None
        except TaskManagerError as problem:
            raise click.ClickException(problem.detail) from None
        except PermissionError as problem:
            raise click.ClickException(f"{problem.strerror}: {problem.filename}") from None


@click.group(cls=Explaining)
@click.pass_context
def main(context: click.Context) -> None:
    """Task Manager: run the service or a part of it."""
    context.obj = Environment(load, _connected)  # the package's own commands may not import `config`


@main.command()
@click.option("--reload", is_flag=True, help="Restart processes when their source changes.")
def up(reload: bool) -> None:
    """Run everything on this machine until Ctrl-C."""
    from workers.up import up as run

    run(load(reload=True) if reload else load())


@main.command()
def stop() -> None:
    """End the service that runs on this data folder."""
    from workers.up import stop as end

    click.echo("Stopped." if end(load()) else "Nothing is running on this data folder.")


@main.command()
@click.option("--dry-run", is_flag=True, help="Only name the migrations that would run.")
def migrate(dry_run: bool) -> None:
    """Bring the database to the form this release needs."""
    from migrations import runner
    from taskmanager.core import database, server_report

    database.connect(in_force())
    runner.run(database.database(), dry_run=dry_run)
    if not dry_run:
        for line in server_report.shorten_lifetimes():
            click.echo(line)


@main.command()
def relay() -> None:
    """Hand committed events to the workers."""
    importlib.import_module("workers.relay").main()


@main.command()
def worker() -> None:
    """Run jobs."""
    importlib.import_module("workers.worker").main()


@main.command()
@click.option("--count", type=click.IntRange(1, 64), help="How many; else TASKMANAGER_WORKER_PROCESSES.")
def workers(count: int | None) -> None:
    """Run several workers; each is started again when it ends by itself."""
    importlib.import_module("workers.pool").main(load(), count)


@main.command()
def dashboard() -> None:
    """Show the queues in a browser (rq-dashboard), to administrators only."""
    importlib.import_module("workers.dashboard").main(in_force())


@main.command()
def scheduler() -> None:
    """Start periodic jobs at their time."""
    importlib.import_module("workers.schedule").main()


@main.command()
def demo() -> None:
    """Show the main job against the service that runs: a task is assigned, a mail arrives."""
    from workers.demo import demo as show

    show(load())


@main.command("bootstrap-admin", hidden=True)
def bootstrap_admin() -> None:
    """Make the administrator of the settings, unless the account is there; says which."""
    from taskmanager.core import database
    from taskmanager.features.users.service import ensure_admin
    from workers.up import CREATED

    settings = in_force()
    database.connect(settings)
    created = ensure_admin(settings.admin_email, settings.admin_password.get_secret_value())
    click.echo(CREATED if created else "kept")


for _command in group.commands.values():
    main.add_command(_command)


def _connected() -> Settings:
    """The settings, with all that the use cases need: database, stores, and listeners that hear what happens."""
    from taskmanager.app import create_app

    settings = in_force()
    create_app(settings)
    return settings


if __name__ == "__main__":
    main()
