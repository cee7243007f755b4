"""A browser in which an administrator is logged in to the pages for operators."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from taskmanager.testing.factories import UserFactory
from taskmanager.testing.factories.things import PASSWORD
from tests.pages.browsing import Browser
from tests.patience import patience
from tests.scene import scene

__all__ = ["patience", "scene"]


@pytest.fixture
def enter(app: Flask) -> Callable[..., Browser]:
    """Returns a browser in which a user, else a new administrator, is logged in."""

    def enter(user: Any = None, application: Flask = app) -> Browser:
        browser = Browser(application.test_client()).open("/ops")
        return browser.send("Log in", email=(user or UserFactory(role="admin")).email, password=PASSWORD)

    return enter
