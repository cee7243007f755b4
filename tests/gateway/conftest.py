"""One topology of services apart for all tests of a process."""

from collections.abc import Iterator

import pytest
from flask import Flask

from taskmanager.core.configuration.settings import Settings
from tests.gateway.apart import Apart


@pytest.fixture(scope="session")
def apart(app: Flask, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    """A gunicorn for each service, behind NGINX."""
    topology = Apart(settings, tmp_path_factory.mktemp("apart"), web_threads=4)
    try:
        topology.start()
        yield topology
    finally:
        topology.stop()
