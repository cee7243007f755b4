"""Fixtures that several folders share; they are written in modules of their own."""

import os
from collections.abc import Iterator

import pytest

from tests.scene import scene
from tests.web_server import server

__all__ = ["scene", "server"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out, behind the gateway, what only the process of the tests can be asked."""
    if os.environ.get("SERVICES_APART"):
        from tests.gateway import through  # which counts commands from then on

        through.mark(items)


@pytest.fixture(scope="session", autouse=True)
def _through_the_gateway(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the clients of `app` use services apart, with SERVICES_APART (`make services-test`)."""
    if not os.environ.get("SERVICES_APART"):
        yield
        return
    from tests.gateway import through

    app = request.getfixturevalue("app")
    app.wsgi_app, before = through.Through(request.getfixturevalue("server").url), app.wsgi_app
    yield
    app.wsgi_app = before
