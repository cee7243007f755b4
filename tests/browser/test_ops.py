"""The pages for operators in a real browser, in light and dark: a stranger finds why mails do not arrive."""

import pytest
from bson import ObjectId

from taskmanager.features.notifications.models import Delivery
from taskmanager.ops.blueprint import _MENU
from taskmanager.testing.factories import UserFactory
from tests.browser.test_pages import log_in, look

__all__ = ["look"]


@pytest.fixture
def operator(app, watched):
    """The page of a new administrator who has logged in."""
    user = UserFactory(role="admin")
    watched.page.goto("/ops")
    log_in(watched.page, user.email)
    watched.page.wait_for_url("**/ops")
    return watched.page


def test_every_page_can_be_read(operator, look, watched, server):
    for path, name in _MENU:
        operator.goto(f"/ops{path}")
        assert operator.get_by_role("link", name=name, exact=True).get_attribute("aria-current") == "page"
        look(name)
    assert watched.hosts == {server.url.removeprefix("http://")}


def test_the_first_screen_says_why_mails_fail_and_they_are_sent_again(operator):
    user = UserFactory()
    Delivery(event_id=ObjectId(), recipient_id=user.id, channel="email", kind="task.assigned", state="dead",
             last_error="ConnectionRefusedError: port 25").save()  # fmt: skip
    operator.set_viewport_size({"width": 1280, "height": 900})
    operator.goto("/ops")
    cause = operator.get_by_text("ConnectionRefusedError: port 25")
    box = cause.bounding_box()
    assert box["y"] + box["height"] < 900, "below the first screen"
    operator.get_by_role("link", name="email", exact=True).click()
    operator.get_by_role("button", name="Send again", exact=True).click()
    operator.get_by_role("heading", name="Pending").wait_for()
    assert Delivery.objects.get().state == "pending"
