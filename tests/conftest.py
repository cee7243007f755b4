"""What every test may ask for. The application, its servers and users are those that authors of plugins have, too."""

import gc
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path

import hypothesis
import pytest
import structlog
from flask import Flask
from hypothesis import HealthCheck
from pymongo import monitoring
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import add_log_level

from taskmanager.core.configuration import settings as core_settings
from taskmanager.core.events import erasure, positions
from taskmanager.core.storage import walks
from taskmanager.features.purging import service as purging
from taskmanager.features.sync import service as sync
from taskmanager.features.tasks.reminders import service as reminders
from taskmanager.features.trash import service as trash
from tests import certificates, documented, leftovers
from tests.commands import COMMANDS, Commands
from tests.web_server import WebServer, server

pytest_plugins = ["taskmanager.testing"]
__all__ = ["server"]

# An example may take as long as the machine likes, and the fixtures of a test serve all its examples.
hypothesis.settings.register_profile(
    "house",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    print_blob=True,
)
hypothesis.settings.load_profile("house")

# Exceptions that are logged as a few lines: drawing boxes with local variables takes half a second each.
structlog.configure(processors=[add_log_level, ConsoleRenderer(colors=False, exception_formatter=plain_traceback)])


gc.disable()  # until all tests are known


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the modules that have a time limit of their own: the last tests are short, so that all ends together.

    The order is that of chance otherwise; this is called after it was made.
    """
    items.sort(key=lambda item: not _has_limit(item.getparent(pytest.Module)))


def _has_limit(module: pytest.Module | None) -> bool:
    return module is not None and any(mark.name == "timeout" for mark in module.own_markers)


def pytest_collection_finish() -> None:
    """Called when all tests are known: what there is now stays, so the garbage collector need not look through it.

    With thousands of tests that takes it half a second, each time that a test has made some applications. It looks
    through what is new ten times less often than by default, because an application that a test makes is large, too.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(7000, 10, 10)
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show with a test that fails what the server of the tests said of its own faults."""
    report = yield
    server = getattr(item, "funcargs", {}).get("server")
    if report.failed and isinstance(server, WebServer) and (faults := server.faults()):
        report.sections.append(("Faults of the server", "\n".join(faults)))
    return report


@pytest.fixture(scope="session", autouse=True)
def _whole_rounds() -> Iterator[None]:
    """Let a round of a periodic job end on a slow machine too: it stops after some seconds, and goes on next time."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (erasure, walks, purging, reminders, trash):
            patch.setattr(module, "_MAX_SECONDS", inf)
        patch.setattr(positions, "_CATCH_UP_SECONDS", inf)
        patch.setattr(sync, "_MAX_SECONDS", inf)
        patch.setattr(trash, "_MAX_REQUEST_SECONDS", inf)
        yield


@pytest.fixture(scope="session")
def prepare_app() -> Callable[[Flask], Flask]:
    """Note what each application answers that its document does not tell of; count what it sends to MongoDB."""
    monitoring.register(COMMANDS)
    return documented.watch


@pytest.fixture(autouse=True)
def _documented() -> Iterator[None]:
    """Fail a test in which the API answers with a status that its document does not tell of."""
    yield
    found, documented.undocumented = documented.undocumented, set()
    assert not found


@pytest.fixture(autouse=True)
def _nothing_left(_empty: None) -> Iterator[None]:
    """Fail a test that changes the process for those after it, see `leftovers`."""
    before = leftovers.state()
    yield
    assert leftovers.differences(before) == []


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See `certificates.make`."""
    return certificates.make(tmp_path_factory.mktemp("tls") / "server.pem")


@pytest.fixture
def change_settings(app: Flask) -> Iterator[Callable[..., None]]:
    """Changes settings of `app` for this test: `change_settings(web_threads=1)`."""
    before = core_settings.current()
    yield lambda **changes: core_settings.use(before.model_copy(update=changes))
    core_settings.use(before)


@pytest.fixture
def commands(app: Flask) -> Commands:
    """Counts commands: `with commands.counted() as sent: …; assert sent == ["find"]`."""
    return COMMANDS


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the project."""
    return Path(__file__).parents[1]
