"""What the tests of migrations share."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from taskmanager.core.storage import database


@pytest.fixture
def empty(app: Flask) -> Iterator[Any]:
    """A database that no migration has seen."""
    name = f"{database.database().name}_migrations"
    database.client().drop_database(name)
    yield database.client()[name]
    database.client().drop_database(name)
