"""A MongoDB that fails, or waits, on demand: for the commands of one test process, though all share the server."""

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymongo
from pymongo.uri_parser import parse_uri

from taskmanager.core.configuration import settings
from taskmanager.core.storage import database


@contextmanager
def failpoint(*commands: str, times: int | None = None, **data: Any) -> Iterator[None]:
    """Let the server treat these commands as `data` says, the next `times` of them, within a block.

    A server has one such failpoint, so test processes wait for each other.
    """
    uri = parse_uri(settings.current().mongodb_uri)
    ((_, port),) = uri["nodelist"]
    admin = database.client().admin
    data = {"failCommands": list(commands), "appName": uri["options"]["appname"], **data}
    with (Path(tempfile.gettempdir()) / f"failpoint-{port}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            with pymongo.timeout(None):
                mode = {"times": times} if times else "alwaysOn"
                admin.command("configureFailPoint", "failCommand", mode=mode, data=data)
            yield
        finally:
            with pymongo.timeout(None):  # the server ends what waits before it responds
                admin.command("configureFailPoint", "failCommand", mode="off")
