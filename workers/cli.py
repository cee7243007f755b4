"""The command `taskmanager`: it starts processes and one-off steps. The services that it calls have the rules.

A command imports what it needs when it runs, so that `taskmanager --help` is fast.
"""

import importlib
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click

import taskmanager
from taskmanager.cli import Environment, group
from workers import stopping
from workers.heartbeat import ROLES
from workers.operations import commands as operations

if TYPE_CHECKING:
    from taskmanager.core.configuration.settings import KeySettings, Settings


class Explaining(click.Group):
    """A group that reports an error in one sentence, without a traceback, and ends in order at SIGTERM."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the Task Manager service or a part of it."""
        if threading.current_thread() is threading.main_thread():
            stopping.exit_on_sigterm()
        return super().main(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            sentence = importlib.import_module("workers.explain").explain(error)
            if sentence is None:
                raise
            raise click.ClickException(sentence) from None


@click.group(cls=Explaining)
@click.version_option(taskmanager.__version__, prog_name="taskmanager", message="%(prog)s %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Run the Task Manager service or a part of it."""
    context.obj = Environment(
        _load_settings, _load_keys, _connected
    )  # the package's own commands may not import `config`


@main.command()
@click.option("--reload", is_flag=True, help="Restart processes when their source changes.")
def up(reload: bool) -> None:
    """Run all processes on this machine until Ctrl-C."""
    from config.settings import load

    _supervised().up(load(reload=True) if reload else load())


@main.command()
def stop() -> None:
    """Stop the service that runs on this data folder."""
    from config.settings import load

    click.echo("Stopped." if _supervised().stop(load()) else "Nothing is running on this data folder.")


@main.command()
@click.option("--dry-run", is_flag=True, help="Only list the migrations that would run.")
@click.option("--expand", is_flag=True, help="Run only what the release before can live with.")
@click.option(
    "--check",
    is_flag=True,
    help="Run nothing: exit with 3 if some must run, 4 if a newer release ran some, 5 if one comes too late.",
)
def migrate(dry_run: bool, check: bool, expand: bool) -> None:
    """Run the migrations that this release needs."""
    from migrations import command
    from workers.effective_settings import effective_settings

    sys.exit(command.migrate(effective_settings(), dry_run=dry_run, check=check, expand=expand, say=click.echo))


@main.command()
def web() -> None:
    """Serve the API with gunicorn."""
    importlib.import_module("workers.web").main()


@main.command()
@click.option("--folder", type=click.Path(path_type=Path), help="Of the sockets; else `release` in the data folder.")
@click.option("--drain", type=click.FloatRange(0, 600), default=8.0, show_default=True, help="Seconds until it ends.")
@click.option("--check", default="", help="A command before the switch; {colour} and {socket} are replaced.")
@click.option("--verify", default="", help="A command after the switch, such as a request through the gateway.")
@click.option("--start", default="", help="The command that starts a colour, in place of starting it directly.")
@click.option("--stop", default="", help="The command that stops a colour.")
def release(folder: Path | None, drain: float, **commands: str) -> None:
    """Replace the web processes of this machine by those of this installation, without a failed request."""
    from workers.effective_settings import effective_settings
    from workers.release import Plan, release as replace

    settings = effective_settings()
    plan = Plan(folder=(folder or settings.data_dir / "release").absolute(), drain_seconds=drain, **commands)
    replace(settings, plan, click.echo)


@main.command()
def relay() -> None:
    """Dispatch committed events to the workers."""
    _process("relay").main()


@main.command()
def stream() -> None:
    """Serve the live stream."""
    _process("stream").main()


@main.command()
def worker() -> None:
    """Run jobs."""
    _process("worker").main()


@main.command()
@click.option("--count", type=click.IntRange(1, 64), help="How many; else TASKMANAGER_WORKER_PROCESSES.")
def workers(count: int | None) -> None:
    """Run several workers, and restart each that ends."""
    from workers.effective_settings import effective_settings

    importlib.import_module("workers.pool").main(effective_settings(), count)


@main.command()
def scheduler() -> None:
    """Run periodic jobs when they are due."""
    _process("schedule").main()


@main.command()
@click.argument("role", type=click.Choice(ROLES), required=False)
def healthcheck(role: str | None) -> None:
    """Exit with 1 unless the processes on this machine are healthy: all, or those of one role."""
    from workers.heartbeat import unhealthy

    sentences = unhealthy(role)
    for sentence in sentences:
        click.echo(sentence, err=True)
    sys.exit(bool(sentences))


@main.command("log-level")
@click.argument("level", type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR", "reset"]))
@click.option("--logger", default="", help="Such as rq.worker; also those below it. Default: all.")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
def log_level(level: str, logger: str, as_json: bool) -> None:
    """Change the level of logs of the processes that run on this machine, within two seconds; reset ends that."""
    import json

    from config import log_levels
    from workers import heartbeat, telemetry

    changed = log_levels.change(heartbeat.folder(telemetry.PURPOSE), level, logger)
    sentence = ", ".join(f"{name or 'all'}: {now}" for name, now in changed.items()) or "The settings are effective."
    click.echo(json.dumps(changed) if as_json else sentence)


@main.command()
def demo() -> None:
    """Show the main use case with the running service: a task is assigned, and a mail arrives."""
    from config.settings import load
    from workers.demo import demo as show

    show(load())


@main.command("bootstrap-admin", hidden=True)
def bootstrap_admin() -> None:
    """Create the administrator of the settings, unless the account exists; print `created` or `kept`."""
    from taskmanager.features.users.administration.service import ensure_admin

    settings = _connected()
    created = ensure_admin(settings.admin_email, settings.admin_password.get_secret_value())
    click.echo("created" if created else "kept")


for _command in (*group.commands.values(), *operations.COMMANDS):
    main.add_command(_command)
group.commands["users"].add_command(operations.delete_user)  # type: ignore[attr-defined]


def _process(name: str) -> ModuleType:
    """Return the module of a process, which shares its libraries with others."""
    importlib.import_module("workers.lean_imports").import_libraries()
    return importlib.import_module(f"workers.{name}")


def _supervised() -> ModuleType:
    """Return `workers.up`. Raises Misconfigured when there are no embedded servers: in the wheel and the image."""
    try:
        return importlib.import_module("workers.up")
    except ModuleNotFoundError as error:
        from taskmanager.core.errors import Misconfigured

        raise Misconfigured(
            f"This installation has no embedded servers ({error.name} is missing): in a checkout, 'make run' has them; "
            "elsewhere, start `taskmanager web`, `relay`, `worker`, `scheduler` and `stream` with servers of your own."
        ) from error


def _connected() -> "Settings":
    """Return the settings, and prepare what use cases need: database, stores, and listeners."""
    from taskmanager.app import prepare
    from workers import fitness
    from workers.effective_settings import effective_settings

    settings = effective_settings()
    prepare(settings)
    fitness.require_database()
    return settings


def _load_settings() -> "Settings":
    from config.settings import load

    return load()


def _load_keys() -> "KeySettings":
    from taskmanager.core.configuration.settings import KeySettings, build

    return build(KeySettings)


if __name__ == "__main__":
    main()
