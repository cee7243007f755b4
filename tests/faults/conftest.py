"""A service of its own for each module of fault tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pytest import TempPathFactory

from migrations import runner
from taskmanager.app import prepare
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.storage import database
from taskmanager.testing.fixtures import PATIENCE
from tests.faults.stack import Stack, eventually
from tests.faults.web_client import WebClient


@contextmanager
def running(folder: Path, settings: Settings, mongodb: Any = None, **changes: Any) -> Iterator[Stack]:
    """Its servers run and its database is migrated; this process is connected to it, as the web would be.

    Afterwards this process is connected again to what other tests use.
    """
    stack = Stack(folder, mongodb, **changes)
    try:
        stack.start_servers()
        prepare(stack.settings.model_copy(update=PATIENCE))
        runner.run(database.database())
        yield stack
    finally:
        stack.stop()
        prepare(settings)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: TempPathFactory, settings: Settings) -> Iterator[Stack]:
    """See `running`. MongoDB is never away: on a busy machine it must not count as that."""
    patience = {"mongodb_timeout_ms": PATIENCE["mongodb_timeout_ms"]}
    with running(tmp_path_factory.mktemp("stack"), settings, **patience) as stack:
        yield stack


@pytest.fixture(scope="module")
def web(stack: Stack) -> WebClient:
    """A person who is logged in to the running service."""
    return logged_in(stack, "relay", "worker")


def logged_in(stack: Stack, *others: str) -> WebClient:
    """Start a web process and others, and return a user who is logged in once it is ready."""
    return serving(stack, *others).register()


def serving(stack: Stack, *others: str) -> WebClient:
    """Start a web process and others, and return a client of it once it is ready."""
    stack.start("web", *others)
    client = WebClient(stack.url)
    eventually(lambda: _ready(client), "readiness")
    return client


def _ready(client: WebClient) -> bool:
    try:
        return client.get("/health/ready").status == 200
    except OSError:
        return False
