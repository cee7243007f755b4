"""The command `taskmanager` inside the process of the tests: a process of its own takes a second of CPU to start."""

import signal
import subprocess
import sys
from typing import Any

import structlog
from click.testing import CliRunner, Result

from taskmanager.app import prepare
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.servers import server_checks
from taskmanager.core.storage import database
from tests.workers.processes import environment
from workers.cli import main


def invoke(*words: str, given: str = "", **environment: str | None) -> Result:
    """Run a command with these variables, None for none; its log goes to standard error, as in a process.

    Afterwards this process has its own handler of SIGTERM, log and check of migrations again.
    """
    before, log, migrations = signal.getsignal(signal.SIGTERM), structlog.get_config(), server_checks._migrations
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    try:
        return CliRunner().invoke(main, words, input=given, env=environment)
    finally:
        server_checks._migrations = migrations
        structlog.configure(**log)
        signal.signal(signal.SIGTERM, before)


class Terminal:
    """Runs commands as an operator does who has the settings of the tests: `terminal("migrate", mongodb_uri=…)`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, *words: str, given: str = "", **changes: Any) -> "subprocess.CompletedProcess[str]":
        variables = environment(self._settings, **changes)
        ours = {name: value for name, value in variables.items() if name.startswith("TASKMANAGER_")}
        database.disconnect()
        try:
            ran = invoke(*words, given=given, **ours)
        finally:
            prepare(self._settings)  # what the command was connected to may be another database
        if ran.exception and not isinstance(ran.exception, SystemExit):
            raise ran.exception
        return subprocess.CompletedProcess(words, ran.exit_code, ran.stdout, ran.stderr)
