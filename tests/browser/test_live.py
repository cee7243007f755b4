"""Live pages in a real browser, with real processes: what one page does appears on another, also after an outage.

LIVE_OUTAGE_SECONDS (0) sets for how long one browser has no network.
"""

import os
import re
import time
from collections.abc import Iterator

import pytest
from bson import ObjectId

from taskmanager.features.notifications.models import Delivery
from taskmanager.features.tasks.models import Task
from taskmanager.features.users.administration import service as administration
from taskmanager.features.users.models import User
from taskmanager.testing.factories import MembershipFactory, UserFactory
from tests.browser.conftest import Watched
from tests.browser.test_pages import log_in, look
from tests.scene import patch, scene
from tests.web_server import WebServer
from workers.sequencer import Sequencer

__all__ = ["look", "scene"]

OUTAGE_SECONDS = float(os.environ.get("LIVE_OUTAGE_SECONDS", "0"))
CONNECTED, LOST = "Connected:", "Not connected:"


@pytest.fixture
def server(shared: WebServer) -> Iterator[WebServer]:
    """A web process whose pages know the process of the stream; positions are given as in a relay."""
    sequencer = Sequencer()
    sequencer.start()
    yield shared
    sequencer.end()


def opened(watched, user, path):
    """Log a browser in, and open a live page."""
    watched.page.goto(path)
    log_in(watched.page, user.email)
    watched.page.get_by_text(CONNECTED).wait_for()
    return watched.page


@pytest.fixture
def others(browser, server):
    """More browsers of their own."""
    contexts = []

    def open_one(user, path):
        contexts.append(browser.new_context(base_url=server.url))
        contexts[-1].set_default_timeout(60_000)
        return opened(Watched(contexts[-1].new_page()), user, path)

    yield open_one
    for context in contexts:
        context.close()


def column(page, name):
    return page.get_by_role("region", name=re.compile(f"^{name}"))


def seconds_until(wanted):
    started = time.monotonic()
    wanted.wait_for()
    return time.monotonic() - started


def test_a_move_on_a_board_appears_on_another_also_after_an_outage(scene, watched, others, look, server):
    board, path = f"/pages/projects/{scene.project.id}/board", f"/pages/tasks/{scene.task.id}"
    reader = UserFactory()
    MembershipFactory(project=scene.project, user=reader, role="viewer")
    page = opened(watched, scene.owner.user, board)
    other, task_page = others(reader, board), others(reader, path)
    look("board")
    assert other.get_by_role("button", name="Move").count() == 0

    title, key = scene.task.title, scene.task.key
    page.get_by_role("button", name=f"Move {key} to In progress").press("Enter")
    moved = seconds_until(column(other, "In progress").get_by_text(title))
    print(f"a move appeared after {moved:.2f} s")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == f"Move {key} to Done"
    task_page.get_by_text("In progress", exact=True).wait_for()
    fetches = []
    page.on("request", lambda request: fetches.append(request.url))

    other.context.set_offline(True)
    other.get_by_text(LOST).wait_for()
    page.get_by_role("button", name=f"Move {key} to Done").press("Enter")
    column(page, "Done").get_by_text(title).wait_for()
    made = scene.owner.post(scene.tasks_path, json={"title": "<b>New</b>"})
    column(page, "Open").get_by_text("<b>New</b>").wait_for()
    assert column(other, "In progress").get_by_text(title).is_visible()
    time.sleep(OUTAGE_SECONDS)  # no condition: the outage itself
    other.context.set_offline(False)
    column(other, "Done").get_by_text(title).wait_for()
    column(other, "Open").get_by_text("<b>New</b>").wait_for()
    other.get_by_text(CONNECTED).wait_for()
    # The own move is one POST and its page; its echo on the stream is known, so the only other one is for the new task.
    assert [url.removeprefix(server.url) for url in fetches] == [f"{board}/{scene.task.id}", board, board], fetches

    scene.owner.post(f"{scene.task_path}/comments", json={"text": "Well done"})
    task_page.get_by_text("Well done").wait_for()
    assert patch(scene.owner, f"/api/v1/tasks/{made.json['id']}", {"title": "Newer"}).status_code == 200
    column(other, "Open").get_by_text("Newer").wait_for()

    scene.owner.delete(f"{scene.members_path}/{reader.id}", headers={"If-Match": "*"})
    other.get_by_role("heading", name="This page does not exist").wait_for()
    assert title not in other.content()
    scene.owner.post("/api/v1/users/me/sessions/end", json={"except_current": False})
    page.wait_for_url("**/pages/login?**")


def test_a_change_of_its_own_is_no_news_to_a_page_although_it_comes_before_the_answer(scene, watched):
    board = f"/pages/projects/{scene.project.id}/board"
    page, fetches = opened(watched, scene.owner.user, board), []

    def answer_late(route):
        answer = route.fetch()
        time.sleep(1)  # in which the stream brings the change
        route.fulfill(response=answer)

    page.route(f"**{board}/*", answer_late)
    page.on("request", lambda request: fetches.append(request.url) if request.url.endswith(board) else None)
    page.get_by_role("button", name=f"Move {scene.task.key} to In progress").press("Enter")
    column(page, "In progress").get_by_text(scene.task.title).wait_for()
    page.wait_for_timeout(1500)  # in which it would be fetched again
    assert fetches == []


def test_a_changed_role_changes_an_open_board_and_the_focus_stays(scene, watched, server):
    reader = UserFactory()
    membership = MembershipFactory(project=scene.project, user=reader, role="viewer")
    page = opened(watched, reader, f"/pages/projects/{scene.project.id}/board")
    assert page.get_by_role("button", name="Move").count() == 0
    page.get_by_role("link", name="The project").focus()
    path, ours = f"{scene.members_path}/{reader.id}", {"If-Match": f'"{membership.revision}"'}
    assert scene.owner.patch(path, json={"role": "member"}, headers=ours).status_code == 200
    page.get_by_role("button", name=f"Move {scene.task.key} to In progress").wait_for()
    assert page.evaluate("document.activeElement.textContent") == "The project"


def test_a_page_for_operators_shows_what_happens_until_it_is_held(scene, watched, server):
    administrator, page = UserFactory(role="admin"), watched.page
    UserFactory(role="admin")  # the last one cannot be demoted
    page.goto("/ops/deliveries?state=pending")
    log_in(page, administrator.email)
    page.get_by_role("link", name="Keep this page up to date").click()
    page.get_by_text(CONNECTED).wait_for()
    page.evaluate("window.isTheSame = true")
    Delivery(
        event_id=ObjectId(), recipient_id=administrator.id, channel="email", kind="x", last_error="No route"
    ).save()
    scene.owner.post(f"{scene.task_path}/comments", json={"text": "Something has happened"})
    page.get_by_text("No route").wait_for()
    assert page.evaluate("window.isTheSame") and "Something has happened" not in page.content()
    page.get_by_role("link", name="Hold this page").click()
    page.get_by_role("link", name="Keep this page up to date").wait_for()
    assert (page.locator("script").count(), page.url) == (0, f"{server.url}/ops/deliveries?state=pending")
    page.get_by_role("link", name="Keep this page up to date").click()
    page.get_by_text(CONNECTED).wait_for()
    administration.change_role(User.objects.get(id=administrator.id), "user")
    scene.owner.post(f"{scene.task_path}/comments", json={"text": "More"})
    page.get_by_role("heading", name="This is for administrators").wait_for()


def test_a_board_without_a_stream_says_so_and_works(scene, watched, server):
    page = opened(watched, scene.owner.user, f"/pages/projects/{scene.project.id}/board")
    server.stream.kill()
    page.get_by_text(LOST).wait_for()
    Task.objects(id=scene.task.id).update(inc__revision=1)  # as another user does
    page.get_by_role("button", name=f"Move {scene.task.key} to In progress").click()
    page.get_by_text("It was changed meanwhile.").wait_for()
    page.get_by_role("button", name=f"Move {scene.task.key} to In progress").click()
    column(page, "In progress").get_by_text(scene.task.title).wait_for()
    assert page.get_by_text("It was changed meanwhile.").count() == 0
    page.context.set_offline(True)
    page.get_by_role("button", name=f"Move {scene.task.key} to Done").click()
    page.get_by_text("It is not certain that the change was made").wait_for()
    page.context.set_offline(False)
    server.stream.start()
    page.get_by_text(CONNECTED).wait_for()
    page.get_by_role("button", name=f"Move {scene.task.key} to Done").click()
    column(page, "Done").get_by_text(scene.task.title).wait_for()
