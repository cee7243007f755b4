import pytest

from taskmanager.testing.factories.things import PASSWORD
from tests.gateway.through import own_process, pytest_collection_modifyitems, through_the_gateway
from tests.pages.browsing import Browser
from tests.scene import scene

__all__ = ["own_process", "pytest_collection_modifyitems", "scene", "through_the_gateway"]


@pytest.fixture
def browser(app):
    """A browser that is not logged in."""
    return Browser(app.test_client())


@pytest.fixture
def log_in(app):
    """Returns a browser in which a user is logged in."""

    def log_in(user):
        browser = Browser(app.test_client()).open("/pages/login")
        return browser.send("Log in", email=user.email, password=PASSWORD)

    return log_in
