"""What the stream refuses, what its messages have, and what becomes of an error."""

import asyncio
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import uvicorn
from structlog.testing import capture_logs

from taskmanager.core.configuration.settings import use
from taskmanager.core.errors import Forbidden, Malformed, ScopeMissing, TooMany, Unavailable
from taskmanager.core.events import positions
from taskmanager.features.sync import live, window
from taskmanager.features.users.administration import service as administration
from taskmanager.features.users.models import User
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import UserFactory
from taskmanager.web.authentication.credentials import claim_of
from tests.features.sync.store import Store
from tests.features.sync.test_rights import listener_of, read
from tests.features.sync.test_sync import ANY, made, scene  # noqa: F401 a fixture
from tests.moments import from_now
from workers import stream
from workers.stream_hub import Hub


def test_wrong_types_and_tokens_are_refused(scene, app):  # noqa: F811
    token = Store(scene.owner, types="tasks,projects").sync().token
    for query, code in (
        ({"types": "foo"}, "stream.types_invalid"),
        ({"types": "tasks,"}, "stream.types_invalid"),
        ({"types": "tasks", "token": token}, "sync.token_invalid"),
        ({"types": "foo", "token": token}, "stream.types_invalid"),
        ({"token": token, "project": scene.project["id"]}, "stream.token_with_project"),
    ):
        with pytest.raises(Malformed) as refused:
            listener_of(scene.owner, app, **query)
        assert refused.value.code == code, query
    assert listener_of(scene.owner, app, types="projects,tasks", token=token).state.types == ["projects", "tasks"]
    token = {"name": "T", "scopes": ["projects:read"], "expires_at": from_now(days=30)}
    robot = scene.owner.application.test_client()
    made_ = made(scene.owner.post("/api/v1/users/me/tokens", json=token))
    robot.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {made_['token']}"
    with pytest.raises(ScopeMissing):
        listener_of(robot, app, types="tasks")


def test_messages_continue_by_a_token_or_for_one_project_by_their_id(scene, app):  # noqa: F811
    whole, one = listener_of(scene.owner, app), listener_of(scene.owner, app, project=scene.project["id"])
    before = one.state.position
    scene.owner.patch(f"/api/v1/tasks/{scene.task['id']}", json={"title": "x"}, headers=ANY)
    assert [page["objects"]["tasks"][0]["title"] for page in read(whole)] == ["x"]
    made(scene.owner.post(f"{scene.path}/tasks", json={"title": "y"}))
    (page,) = read(whole)
    assert scene.owner.get("/api/v1/sync", query_string={"token": page["next_token"]}).status_code == 200
    assert all("next_token" not in page for page in read(one))
    again = listener_of(scene.owner, app, project=scene.project["id"], last=str(before))
    assert {task["title"] for page in read(again) for task in page["objects"]["tasks"]} == {"x", "y"}


def test_administrators_hear_that_something_has_happened_and_others_nothing(scene, app):  # noqa: F811
    user = UserFactory(role="admin")
    UserFactory(role="admin")
    with app.app_context():
        claim = claim_of(sign_in(app, user).environ_base["HTTP_AUTHORIZATION"])
        with pytest.raises(Forbidden):
            live.watch_log(claim_of(scene.owner.environ_base["HTTP_AUTHORIZATION"]))
        listener = live.watch_log(claim)
    assert listener.next_message(window.advanced(None)) is None
    scene.owner.patch(f"/api/v1/tasks/{scene.task['id']}", json={"title": "x"}, headers=ANY)
    positions.place_all()
    latest = window.advanced(None)
    assert listener.next_message(latest) == b"id: %d\nevent: moved\ndata: {}\n\n" % latest.head
    assert listener.has_all_of(latest) and listener.next_message(latest) is None
    administration.change_role(User.objects.get(id=user.id), "user")
    with pytest.raises(Forbidden):
        listener.next_message(latest)


def test_an_event_wakes_those_that_it_concerns_and_those_that_watch_the_log(scene, app):  # noqa: F811
    user = UserFactory(role="admin")
    with app.app_context():
        watching = live.watch_log(claim_of(sign_in(app, user).environ_base["HTTP_AUTHORIZATION"]))
    hub = Hub()
    listeners = (listener_of(scene.owner, app), listener_of(scene.member, app), watching)
    owner, member, administrator = (hub.add(one) for one in listeners)

    async def look():
        await hub._look()
        made(scene.owner.post(f"{scene.path}/tasks", json={"title": "y"}))
        positions.place_all()
        await hub._look()

    with ThreadPoolExecutor() as threads:
        threads.submit(asyncio.run, look()).result()
    assert [one.wake.is_set() for one in (owner, member, administrator)] == [True, False, True]
    assert owner.listener.version and not member.listener.version  # read for all that were woken, by one round trip


def test_the_connections_of_a_process_share_one_read_of_the_log(scene, app, commands, monkeypatch):  # noqa: F811
    link = made(scene.owner.post(f"{scene.path}/share-links", json={"role": "viewer"}))
    visitor = scene.owner.application.test_client()
    visitor.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {link['token']}"
    callers = [scene.owner] * 10 + [visitor] * 5 + [scene.member] * 5

    def listeners():
        positions.place_all()
        one_project = [listener_of(scene.owner, app, project=scene.project["id"]) for _ in range(5)]
        return [*(listener_of(caller, app) for caller in callers), *one_project]

    shared, own, latest = listeners(), listeners(), window.advanced(None)
    changes = (
        lambda: scene.owner.patch(f"/api/v1/tasks/{scene.task['id']}", json={"title": "x"}, headers=ANY),
        lambda: made(scene.owner.post(f"{scene.path}/tasks", json={"title": "y"})),
        scene.join,
        lambda: made(scene.owner.post(f"/api/v1/tasks/{scene.task['id']}/comments", json={"text": "z"})),
        scene.leave,
        lambda: made(scene.member.post("/api/v1/projects", json={"key": "OWN", "name": "Own"})),
    )
    for number, change in enumerate(changes):
        monkeypatch.setattr(window, "MAX_EVENTS", 1 if number == 2 else 1_000)  # then each reads the log, and is right
        change()
        positions.place_all()
        with commands.counted("events") as sent, commands.counted("tasks") as of_tasks:
            latest = window.advanced(latest)
            found = [list(iter(partial(one.next_message, latest), None)) for one in shared]
        assert number > 1 or len(of_tasks) == 1, of_tasks  # the changed task is read once for all
        assert len(sent) == 1 if number < 2 else len(sent) < 2 * len(shared), (number, sent)
        assert found == [list(iter(one.next_message, None)) for one in own], number
        assert any(found)
    assert latest.head == positions.head()


def test_visitors_of_a_link_are_counted_by_address_and_leave_places_to_accounts(scene, app, settings):  # noqa: F811
    link = made(scene.owner.post(f"{scene.path}/share-links", json={"role": "viewer"}))
    visitor = scene.owner.application.test_client()
    visitor.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {link['token']}"
    visit, own = listener_of(visitor, app), listener_of(scene.owner, app)
    use(settings.model_copy(update={"stream_connections": 60, "proxy_count": 1}))
    hub = Hub()
    scope = {"client": ("10.0.0.1", 1), "headers": [(b"x-forwarded-for", b"9.9.9.9, 192.0.2.7")]}
    address = stream._address_of(scope)
    assert address == "192.0.2.7"
    first = [hub.add(visit, address) for _ in range(20)]
    with pytest.raises(TooMany):
        hub.add(visit, address)
    hub.remove(first.pop())
    hub.add(visit, address)
    for number in range(10):
        hub.add(visit, f"192.0.2.{10 + number}")
    with pytest.raises(Unavailable):
        hub.add(visit, "192.0.2.99")
    for _ in range(20):
        hub.add(own, address)
    with pytest.raises(TooMany):
        hub.add(own, "192.0.2.99")
    use(settings.model_copy(update={"proxy_count": 0}))
    assert stream._address_of(scope) == "10.0.0.1"


def test_an_unexpected_error_is_logged_and_ends_the_stream(scene, app):  # noqa: F811
    sent = []

    async def serve():
        hub = Hub()
        connection = hub.add(listener_of(scene.owner, app))
        connection.listener.state = None  # no message can be made

        async def send(message):
            sent.append(message)

        await stream._serve(connection, hub, asyncio.Event().wait, send)

    with capture_logs() as lines, ThreadPoolExecutor() as threads:  # the tests of pages have a loop in this one
        threads.submit(asyncio.run, serve()).result()
    levels = [line["log_level"] for line in lines if line["log_level"] != "warning"]  # such as a slow query
    assert sent[0]["status"] == 200 and levels == ["error"], lines


def test_the_system_ends_the_connections_of_readers_that_take_nothing():
    listening = stream.listening(uvicorn.Config(stream.StreamApplication, host="127.0.0.1", port=0))
    with listening:
        listening.listen()
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/api/v1/stream", b"ticket=x", 401),
        ("/api/v1/tasks", b"", 404),
        ("/api/v1/stream", b"heartbeat=x", 422),
        ("/api/v1/stream", b"watch=x", 422),
        ("/api/v1/stream", b"watch=log&types=tasks", 422),
    ],
)
def test_refusals_are_problems_as_the_document_says(app, path, query, status):
    sent = []

    async def call():
        scope = {"type": "http", "method": "GET", "path": path, "query_string": query, "client": ("192.0.2.1", 1)}
        scope["headers"] = [(b"x-request-id", b"from-the-gateway")]

        async def send(message):
            sent.append(message)

        await stream.StreamApplication(app, Hub())(scope, asyncio.Event().wait, send)

    with ThreadPoolExecutor() as threads:  # the tests of pages have a loop in this one
        threads.submit(asyncio.run, call()).result()
    headers, problem = dict(sent[0]["headers"]), json.loads(sent[1]["body"])
    assert (sent[0]["status"], headers[b"content-type"]) == (status, b"application/problem+json")
    assert problem["request_id"].encode() == headers[b"x-request-id"] == b"from-the-gateway"
    assert (problem["status"], problem["instance"]) == (status, path)
    assert problem["type"].startswith("http") and problem["title"] != problem["code"]
