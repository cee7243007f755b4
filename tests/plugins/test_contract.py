"""The contract with plugins: what docs/plugins.md promises them, shown with one that contributes one of each."""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import click
import marshmallow as ma
import pytest
from bson import ObjectId
from click.testing import Result
from flask import Flask, Response
from flask.testing import FlaskClient

from migrations import runner
from taskmanager.core.clock import now
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.errors import Misconfigured
from taskmanager.core.events import schedule
from taskmanager.core.events.log import Event
from taskmanager.core.filters.kinds import IntegerKind
from taskmanager.core.filters.nodes import FilterField
from taskmanager.core.jobs import Job
from taskmanager.core.storage.database import database
from taskmanager.feature import Feature
from taskmanager.features.accounts import orphans
from taskmanager.features.notifications.channels import base as channels
from taskmanager.features.notifications.models import Delivery
from taskmanager.features.purging import service as purging
from taskmanager.features.purging.steps import Step
from taskmanager.features.tasks.expansions import Expansion
from taskmanager.features.users.models import Identity, User
from taskmanager.pages import forms
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import MembershipFactory, ProjectFactory, TaskFactory, UserFactory
from taskmanager.web.blueprint import Blueprint
from tests.features.files import attach
from tests.moments import from_now
from tests.pages.browsing import Browser
from tests.scene import Scene
from tests.terminal import invoke

PLUGIN = Path(__file__).parent / "sample_plugin"
API = "/api/v1"
PATH = f"{API}/x/sample/greetings"
LOGIN = f"{API}/x/sample/login/badge"
ANY = {"If-Match": "*"}
GERMAN = {"Accept-Language": "de"}
MIGRATION = "taskmanager_sample.migrations.m202611270900_indexes_of_greetings"


@pytest.fixture
def installed(other_app: Callable[..., Flask]) -> Iterator[None]:
    """The plugin as it is after `pip install`: importable, with its entry point. It ends before `other_app` does.

    So this cannot use the fixture `monkeypatch`, which may end last.
    """
    with pytest.MonkeyPatch.context() as path:
        path.syspath_prepend(str(PLUGIN))
        yield
    for name in [name for name in sys.modules if name.startswith("taskmanager_sample")]:
        sys.modules.pop(name)
    database()["x_sample_greetings"].drop()
    database().migrations.delete_one({"_id": MIGRATION})


@pytest.fixture
def extended(installed: None, other_app: Callable[..., Flask]) -> Flask:
    """An application with the plugin."""
    return other_app()


@pytest.fixture
def plugin(extended: Flask) -> SimpleNamespace:
    """What the tests need of the plugin."""
    from taskmanager_sample import channel, listeners, models

    return SimpleNamespace(board=channel.board, listeners=listeners, Greeting=models.Greeting)


@pytest.fixture
def scene(extended: Flask) -> Scene:
    return Scene(extended)


def greet(scene: Scene, by: FlaskClient | None = None, name: str = "Ada"):
    return (by or scene.owner).post(f"{API}/x/sample/tasks/{scene.task.id}/greetings", json={"name": name})


# routes


def test_its_route_works_with_its_setting(monkeypatch, installed, other_app):
    monkeypatch.setenv("TASKMANAGER_X_SAMPLE_GREETING", "Moin")
    caller = sign_in(other_app(), UserFactory())
    assert caller.post(PATH, json={"name": "Ada"}).json == {"text": "Moin, Ada!"}


def test_its_route_needs_a_login_like_every_other(extended):
    answer = extended.test_client().post(PATH, json={"name": "Ada"})
    assert (answer.status_code, answer.content_type) == (401, "application/problem+json")


@pytest.mark.parametrize(
    ("sent", "status"),
    [({"json": {}}, 422), ({"json": {"name": "A", "x": 1}}, 422), ({"data": "{"}, 415), ({"json": []}, 422)],
)
def test_its_route_is_as_strict_as_every_other(extended, sent, status):
    assert sign_in(extended, UserFactory()).post(PATH, **sent).status_code == status


def test_its_route_is_in_the_document(extended):
    document = extended.test_client().get(f"{API}/openapi.json").json
    operation = document["paths"][PATH]["post"]
    assert operation["summary"] == "Be greeted"
    assert "422" in operation["responses"]


def test_what_it_contributes_is_in_the_document(extended):
    document = extended.test_client().get(f"{API}/openapi.json").json
    schemas, text = document["components"]["schemas"], json.dumps(document)
    assert "sample:read" in schemas["Scope"]["enum"]
    assert "sample.*" in schemas["WebhookEventPattern"]["enum"]
    assert "sample.greeted" in schemas["NotificationKind"]["enum"]
    assert "updated_at, effort, custom_fields" in text
    assert "project, parent, greetings" in text


# what is stored, and who may do what


def test_its_collection_and_its_permission(scene, plugin):
    answer = greet(scene, scene.member("commenter"))
    assert (answer.status_code, answer.json["text"]) == (201, "Hello, Ada!")
    assert greet(scene, scene.member("viewer")).status_code == 403
    assert greet(scene, scene.who("stranger")).status_code == 404
    assert plugin.Greeting.objects.count() == 1


def test_its_permission_is_listed_with_its_roles(scene):
    roles = scene.owner.get(f"{scene.project_path}/permissions").json["roles"]
    assert [role for role, names in roles.items() if "sample:greet" in names] == [
        "commenter", "member", "manager", "owner"
    ]  # fmt: skip


def test_its_scope_admits_api_tokens(scene):
    def token(scope):
        body = {"name": "x", "scopes": [scope], "expires_at": from_now(days=1)}
        answer = scene.owner.post(f"{API}/users/me/tokens", json=body)
        assert answer.status_code == 201, answer.text
        return {"Authorization": f"Bearer {answer.json['token']}"}

    client = scene.app.test_client()
    for scope, status in (("sample:write", 200), ("sample:read", 403), ("tasks:write", 403)):
        assert client.post(PATH, json={"name": "Ada"}, headers=token(scope)).status_code == status


def test_its_migration_is_run_once_and_is_no_riddle_when_it_is_removed(installed, extended, other_app):
    assert runner.state(database()).needed == [MIGRATION]
    assert (runner.run(database()), runner.run(database())) == ([MIGRATION], [])
    assert "task_id" in database()["x_sample_greetings"].index_information()
    assert runner.about(MIGRATION).startswith("Greetings are found")
    other_app(plugins_enabled=False)
    assert runner.problem(database()) is None


def test_its_settings_of_other_names_are_refused(monkeypatch, installed, other_app):
    with monkeypatch.context() as patch:
        patch.setenv("TASKMANAGER_X_SAMPLE_GRETING", "Moin")
        with pytest.raises(Misconfigured, match="did you mean TASKMANAGER_X_SAMPLE_GREETING"):
            other_app()


def test_a_wrong_setting_is_one_sentence_at_start(monkeypatch, installed, other_app):
    with monkeypatch.context() as patch, pytest.raises(Misconfigured, match="X_SAMPLE_GREETING") as refused:
        patch.setenv("TASKMANAGER_X_SAMPLE_GREETING", "much too long for a greeting")
        other_app()
    assert "sample" in refused.value.detail
    assert "much too long" not in refused.value.detail


def test_its_file_storage_keeps_attachments(installed, other_app):
    scene = Scene(other_app(attachment_store="sample"))
    made = attach(scene.owner, scene.task_path, b"in memory").json
    from taskmanager_sample.storage import contents

    assert list(contents.values()) == [b"in memory"]
    content = scene.owner.get(f"{scene.task_path}/attachments/{made['id']}/content")
    assert content.data == b"in memory"


# the end of what is stored


def test_its_data_goes_with_a_purged_project(scene, plugin, deliver):
    greet(scene)
    assert scene.owner.delete(scene.project_path, headers=ANY).status_code == 204
    assert scene.owner.delete(f"{API}/trash/projects/{scene.project.id}", headers=ANY).status_code == 204
    deliver()
    purging.purge_due()
    assert not plugin.Greeting.objects


def test_its_data_goes_with_a_purged_task(scene, plugin, deliver):
    greet(scene)
    scene.owner.delete(scene.task_path, headers=ANY)
    assert scene.owner.delete(f"{API}/trash/{scene.task.id}", headers=ANY).status_code == 204
    deliver()
    assert not plugin.Greeting.objects


def test_its_data_goes_with_an_erased_account(scene, plugin, deliver):
    member = scene.member()
    greet(scene, member)
    assert member.delete(f"{API}/users/me", headers=ANY).status_code == 204
    deliver()
    assert not plugin.Greeting.objects


def test_what_is_left_of_its_data_is_found(scene, plugin):
    old = now() - timedelta(days=1)
    plugin.Greeting(
        project_id=ObjectId(), task_id=ObjectId(), author_id=ObjectId(), text="x", created_at=old
    ).save()  # fmt: skip
    assert orphans.remove() == 1
    assert not plugin.Greeting.objects


def test_what_it_attaches_to_a_task_counts(scene, plugin):
    from taskmanager.features.tasks import attached

    assert attached.with_any([scene.task.id]) == set()
    greet(scene)
    assert attached.with_any([scene.task.id]) == {scene.task.id}


# tasks


def test_its_filter_field_filters(scene):
    made = TaskFactory(project=scene.project, estimate_minutes=30)
    found = scene.owner.get(scene.tasks_path, query_string={"filter": "effort >= 30"}).json["items"]
    assert [task["id"] for task in found] == [str(made.id)]


def test_its_expansion_expands(scene):
    greet(scene)
    assert scene.owner.get(f"{scene.task_path}?expand=greetings").json["greetings"] == {"count": 1}
    assert scene.owner.get(f"{scene.tasks_path}?expand=greetings").json["items"][0]["greetings"] == {"count": 1}


# what happens after a write, and at its time


def test_its_listener_hears_of_events(plugin, deliver):
    task = TaskFactory()
    deliver()
    assert plugin.listeners.made == [str(task.id)]


def test_its_periodic_job_runs(plugin, deliver):
    schedule.run_due()
    assert plugin.listeners.wiped == [0]


def watching(scene: Scene, **channels: dict[str, bool]) -> FlaskClient:
    """A member who watches the task."""
    member = scene.member()
    scene.task.update(push__watcher_ids=member.user.id)
    answer = member.patch(f"{API}/notifications/preferences", json={"channels": channels}, headers=ANY)
    assert answer.status_code == 200, answer.text
    return member


def test_its_kind_of_notification_is_told_and_chosen(scene, deliver):
    member = watching(scene)
    quiet = watching(scene, in_app={"sample.greeted": False})
    greet(scene)
    deliver()
    told = [
        [item["title"] for item in client.get(f"{API}/notifications").json["items"] if item["kind"] == "sample.greeted"]
        for client in (member, quiet)
    ]
    assert told == [[f"[{scene.task.key}] Hello, Ada!"], []]


def test_its_kind_of_event_is_sent_to_webhooks(scene, hook, receiver, deliver):
    hook(events=["sample.*"])
    greet(scene)
    deliver()
    sent = json.loads(receiver.received[0].body)
    assert (sent["type"], sent["data"]["greeting"]) == ("sample.greeted", "Hello, Ada!")
    assert sent["data"]["task"]["id"] == str(scene.task.id)


def test_what_waits_of_one_that_is_removed_ends(scene, hook, receiver, other_app, deliver):
    hook(events=["*"])
    hook(events=["sample.*"])
    watching(scene)
    greet(scene)
    other_app(plugins_enabled=False)
    deliver()
    assert Event.objects.get(kind="sample.greeted").pending == []
    assert not Delivery.objects(kind="sample.greeted")


@pytest.fixture
def reader(extended, plugin):
    """A user who wants to be notified of assignments on the plugin's channel, and by no other."""
    client = sign_in(extended, UserFactory())
    wanted = {"channels": {"blackboard": {"task.assigned": True}, "email": {"task.assigned": False}}}
    answer = client.patch(f"{API}/notifications/preferences", json=wanted, headers=ANY)
    assert answer.status_code == 200, answer.text
    assert answer.json["channels"]["blackboard"] == {
        kind: kind == "task.assigned" for kind in answer.json["channels"]["email"]
    }
    return client


def assigned(client):
    """A task that another user assigns to this user."""
    project = ProjectFactory()
    MembershipFactory(project=project, user=client.user)
    return TaskFactory(project=project, assignees=(client.user,))


def test_its_channel_notifies_who_has_chosen_it(plugin, reader, deliver):
    task = assigned(reader)
    deliver()
    ((delivery_id, line),) = plugin.board.lines.items()
    assert line == f"[{task.key}] {task.title}"
    assert Delivery.objects(channel="blackboard").get().id == delivery_id


def test_what_its_channel_raises_is_tried_again_or_given_up(plugin, reader, deliver):
    plugin.board.trouble = OSError("no chalk")
    assigned(reader)
    deliver()
    delivery = Delivery.objects(channel="blackboard").get()
    assert (delivery.state, delivery.attempts) == ("pending", 1)
    plugin.board.trouble = channels.Rejected("the board is gone")
    delivery.modify(set__due_at=now(), set__claimed_until=now())
    deliver()
    assert delivery.reload().state == "dead"


# logins


def test_its_login_makes_an_account_and_begins_a_session(extended, deliver):
    client = extended.test_client()
    badge = {"email": "ada@example.com", "code": "open sesame"}
    answer = client.post(LOGIN, json=badge)
    assert answer.status_code == 200, answer.text
    headers = {"Authorization": f"Bearer {answer.json['access_token']}"}
    assert client.get(f"{API}/users/me", headers=headers).json["email"] == "ada@example.com"
    assert client.post(LOGIN, json=badge).status_code == 200
    assert User.objects.count() == 1
    assert Identity.objects.get().issuer == "urn:taskmanager:x:sample:badge"


def test_its_login_is_a_page_too(extended):
    browser = Browser(extended.test_client()).open("/pages/login?next=/pages/projects/65f1c0ffee0123456789abcd")
    browser.follow("Log in by a badge")
    assert browser.source.count("<label") == 2 and 'type="password"' in browser.source
    browser.send("Log in", email="ada@example.com", code="x")
    assert browser.status == 401 and "This badge is none of ours." in browser.text
    assert 'value="ada@example.com"' in browser.source and 'value="x"' not in browser.source
    assert browser.send("Log in", email="no address", code="x").status == 422
    browser.send("Log in", email="ada@example.com", code="open sesame")
    assert (browser.status, browser.path) == (404, "/pages/projects/65f1c0ffee0123456789abcd"), (
        "logged in, and no member"
    )
    assert "Logged in as Ada" in browser.open("/pages").text
    assert Browser(extended.test_client()).open("/pages/login/x/sample/nothing").status == 404
    assert Browser(extended.test_client()).open("/pages/login/x/users/badge").status == 404


def test_only_what_it_refuses_is_in_its_words(extended, monkeypatch):
    login = sys.modules["taskmanager_sample.login"]
    claims = login.LoginClaims(subject="1", email="ada@example.com", email_verified=False)
    monkeypatch.setattr(login, "SECRET", "x")
    monkeypatch.setattr(login, "LoginClaims", lambda **_given: claims)
    browser = Browser(extended.test_client()).open("/pages/login/x/sample/badge", headers=GERMAN)
    browser.send("Anmelden", email="ada@example.com", code="x", headers=GERMAN)
    assert browser.status == 401 and "Bestätigen Sie" in browser.text and "Confirm your" not in browser.text
    browser.send("Anmelden", email="ada@example.com", code="y", headers=GERMAN)
    assert browser.status == 401 and "This badge is none of ours." in browser.text


@pytest.mark.parametrize(
    ("name", "field", "shown"),
    [
        ("note", ma.fields.String(), ["note"]),
        ("note", ma.fields.String(dump_only=True), []),
        ("note", ma.fields.String(data_key="remark"), None),
        ("next", ma.fields.String(), None),
        ("form_token", ma.fields.String(), None),
    ],
)
def test_a_form_has_what_it_can_send(name, field, shown):
    schema = ma.Schema.from_dict({name: field})
    assert forms.can_ask_for(schema) == (shown is not None)
    assert shown is None or [one.name for one in forms.fields_of(schema)] == shown


def test_its_login_is_among_the_ways_to_log_in(extended):
    found = extended.test_client().get("/api/v1/info").json
    assert f"x/{found['plugins'][0]['name']}/login/badge" in [way["method"] for way in found["login"]]


def test_its_login_refuses_whom_it_does_not_know(extended):
    refused = extended.test_client().post(LOGIN, json={"email": "ada@example.com", "code": "x"})
    assert (refused.status_code, refused.json["code"]) == (401, "auth.invalid_credentials")
    assert not User.objects


def test_its_login_is_limited_like_every_other_on_the_page_together(installed, other_app):
    client = other_app(ratelimit_enabled=True, ratelimit_login_address="2/minute").test_client()
    badge = {"email": "ada@example.com", "code": "x"}
    assert [client.post(LOGIN, json=badge).status_code for _ in range(2)] == [401, 401]
    page = Browser(client).open("/pages/login/x/sample/badge")
    assert page.send("Log in", **badge).status == 429
    assert client.post(LOGIN, json=badge).status_code == 429


# the command line


@pytest.fixture
def command(extended: Flask, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Callable[..., Result]:
    """Runs `taskmanager …` in this process."""
    runner.run(database())
    for name in ("MONGODB_URI", "QUEUE_URL", "CACHE_URL", "DATA_DIR", "BCRYPT_COST"):
        monkeypatch.setenv(f"TASKMANAGER_{name}", str(getattr(settings, name.lower())))
    return invoke


def test_its_command_runs_below_x(command):
    ran = command("x", "sample", "count")
    assert (ran.exit_code, ran.output) == (0, "0 greetings\n")
    assert "sample" in command("x", "--help").output
    assert "Say how many greetings are stored." in command("x", "sample", "--help").output


def test_what_is_loaded_is_listed(command):
    lines = command("plugins").output.splitlines()
    assert lines[0] == "sample 1.0 (interface 1.1)"
    assert "  listeners: sample.count, sample.forget_task, sample.forget_account" in lines
    assert "  settings: TASKMANAGER_X_SAMPLE_GREETING" in lines
    assert "  purge steps: x_sample_greetings" in lines
    (listed,) = json.loads(command("plugins", "--json").output)
    assert (listed["name"], listed["version"], listed["interface"]) == ("sample", "1.0", "1.1")
    assert listed["adds"]["scopes"] == ["sample:read", "sample:write"]


def test_no_command_runs_when_plugins_are_turned_off(command, monkeypatch):
    monkeypatch.setenv("TASKMANAGER_PLUGINS_ENABLED", "false")
    for words in (("x", "sample", "count"), ("x", "sample", "--help")):
        ran = command(*words)
        assert (ran.exit_code, ran.output) == (
            1,
            "Error: Plugins are turned off (TASKMANAGER_PLUGINS_ENABLED): no command of one runs.\n",
        )


@pytest.fixture
def twins(command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Two plugins that call their things the same, and as features of the service call theirs."""
    for name in (names := ("north", "south")):
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[taskmanager.plugins]\n{name} = {name}_plugin\n")
        monkeypatch.setitem(sys.modules, f"{name}_plugin", module(FEATURE=twin(name)))
    monkeypatch.syspath_prepend(str(tmp_path))
    return names


def twin(name: str) -> Feature:
    blueprints = tuple(Blueprint(called, __name__) for called in ("main", "tasks"))
    for blueprint in blueprints:

        @blueprint.route(f"/{blueprint.name}", public=True)
        @blueprint.response(200)
        def status():
            """Get a status"""
            return Response(name)

    commands = tuple(click.Command(called, callback=lambda: click.echo(name)) for called in ("status", "users"))
    return Feature(name, requires="1.0", blueprints=blueprints, commands=commands)


def test_two_plugins_may_call_their_things_the_same(twins, command, other_app):
    client = other_app().test_client()
    for name in twins:
        for path in ("main", "tasks"):
            assert client.get(f"{API}/x/{name}/{path}").text == name
        for called in ("status", "users"):
            assert command("x", name, called).output == f"{name}\n"
    document = client.get(f"{API}/openapi.json").json
    ids = [
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
        if "operationId" in operation
    ]
    assert sorted(set(ids)) == sorted(ids)


def test_its_errors_have_pages_and_are_in_the_document(installed, other_app):
    app = other_app()
    caller = sign_in(app, UserFactory())
    problem = caller.post(PATH, json={"name": "Null"}).get_json(force=True)
    assert (problem["status"], problem["code"], problem["title"]) == (409, "sample.not_a_name", "This is no name")
    assert problem["type"].endswith("/docs/errors/sample.not_a_name")
    page = caller.get("/docs/errors/sample.not_a_name").text
    assert "Send the name of a person." in page
    assert f"POST {PATH}" in page
    operation = caller.get(f"{API}/openapi.json").json["paths"][PATH]["post"]
    assert "sample.not_a_name" in operation["x-error-codes"]
    assert operation["tags"] == ["Plugins"]


# what is refused at start


@pytest.fixture
def made(other_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[object], None]:
    """Installs a plugin called `broken` whose module is this object."""

    def make(module: object, points_to: str = "broken_plugin") -> None:
        folder = tmp_path / "broken-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[taskmanager.plugins]\nbroken = {points_to}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setitem(sys.modules, "broken_plugin", module)

    return make


def module(**contents: object) -> object:
    from types import ModuleType

    made = ModuleType("broken_plugin")
    vars(made).update(contents)
    return made


FIELD = FilterField("estimate_minutes", IntegerKind())
EXPANSION = Expansion("_id", False, dict, "tasks:read")
REFUSED = {
    "of another major version": (
        module(FEATURE=Feature("broken", requires="2.0")),
        r"the plugin 'broken' was made for version 2\.0 of the plugin interface; this release has 1\.1",
    ),
    "of a later minor version": (
        module(FEATURE=Feature("broken", requires="1.99")),
        r"was made for version 1\.99 of the plugin interface; this release has 1\.1: install one that fits",
    ),
    "without a version": (
        module(FEATURE=Feature("broken")),
        r"the plugin 'broken' does not say which version of the plugin interface it was made for",
    ),
    "with init_app": (
        module(init_app=lambda app: None),
        r"the plugin 'broken' has init_app\(app\) and no FEATURE: it was made for an earlier interface",
    ),
    "with nothing": (module(), r"the plugin 'broken' names no Feature"),
    "with another name": (
        module(FEATURE=Feature("whole", requires="1.0")),
        r"the plugin 'broken' is called 'whole' by its Feature",
    ),
    "with a name that is no text": (
        module(FEATURE=Feature(7, requires="1.0")),
        r"the plugin 'broken' is called 7 by its Feature",
    ),
}


def fails(app, settings):
    raise KeyError("no such extension")


class Nameless:
    """A channel whose name is no text."""

    name = None
    queue, seconds, threads, grouped, reaches, send = "low", 1.0, 0, False, set, print


# What a plugin contributes, and what the sentence says beside the name of the plugin.
MALFORMED = {
    "a number as version of the interface": ({"requires": 1.0}, "wrong in requires: expected a text"),
    "a version that is no text": ({"version": 1}, "wrong in version: expected a text, not 1"),
    "no service": ({"service": "kitchen"}, "wrong in service: expected one of user, task"),
    "a plain function as listener": ({"listeners": (print,)}, "wrong in listeners: expected Listener, not a builtin"),
    "a forgotten comma": ({"listeners": schedule.every}, r"wrong in listeners: expected a tuple, .* ends with a comma"),
    "a text in the place of a tuple": ({"scopes": "weather:read"}, "wrong in scopes: expected a tuple, not 'weather"),
    "a scope that is no text": ({"scopes": (1,)}, "wrong in scopes: expected a text, not 1"),
    "an empty scope": ({"scopes": ("",)}, "wrong in scopes: '' is no name of a scope"),
    "kinds in a tuple": ({"notification_kinds": ("a",)}, "wrong in notification_kinds: expected a mapping of names"),
    "a text as kind": ({"webhook_kinds": {"x": "oops"}}, r"wrong in webhook_kinds: expected an object .* not 'oops'"),
    "a number as name of a kind": ({"storages": {7: dict}}, "wrong in storages: 7 is no name of a file storage"),
    "a storage that cannot be made": ({"storages": {"x": 7}}, "wrong in storages: expected a function, not 7"),
    "no package of migrations": ({"migrations": ("no.such.package",)}, "'no.such.package' cannot be loaded"),
    "a module as package of migrations": ({"migrations": ("textwrap",)}, "'textwrap' is no package"),
    "a blueprint that is none": ({"blueprints": (Flask,)}, "wrong in blueprints: expected Blueprint, not a type"),
    "a function as command": ({"commands": (print,)}, "wrong in commands: expected Command"),
    "a table of permissions that is none": ({"permissions": (dict,)}, "permissions: expected a subclass of Action"),
    "a channel without a name": ({"channels": (Nameless(),)}, "wrong in channels: None is no name of a channel"),
    "a step without models": ({"purge_steps": (Step((), len),)}, "purge_steps: the name .* cannot be read: IndexError"),
    "settings that are none": ({"settings": dict}, "wrong in settings: expected a subclass of BaseSettings"),
    "init_app that is no function": ({"init_app": "start"}, "wrong in init_app: expected a function"),
    "init_app that fails": ({"init_app": fails}, "failed in init_app: KeyError: 'no such extension'"),
    **{
        f"a filter field {name!r}": ({"filter_fields": {name: FIELD}}, f"no filter field can be called '{name}'")
        for name in ("and", "null", "me", "custom_fields", "a b", "A", "7")
    },
    "an expansion 'a,b'": ({"expansions": {"a,b": EXPANSION}}, "no expansion can be called 'a,b'"),
}


@pytest.mark.parametrize(("things", "sentence"), MALFORMED.values(), ids=MALFORMED)
def test_one_that_is_malformed_is_refused_with_a_sentence(made, other_app, things, sentence):
    made(module(FEATURE=Feature("broken", **{"requires": "1.0"} | things)))
    with pytest.raises(Misconfigured, match=f"^the plugin 'broken' .*{sentence}"):
        other_app()


@pytest.mark.parametrize("name", ["status", "id", "title"])
def test_an_expansion_that_hides_a_field_of_tasks_is_refused(made, other_app, name):
    made(module(FEATURE=Feature("broken", requires="1.0", expansions={name: EXPANSION})))
    with pytest.raises(Misconfigured, match=f"the expansion '{name}' has the name of a field of tasks"):
        other_app()


def test_one_that_takes_over_a_listener_is_refused(made, other_app):
    made(module(FEATURE=Feature("broken", requires="1.0", jobs=(Job("notifications.tell", print),))))
    with pytest.raises(Misconfigured, match=r"the job 'notifications\.tell' of the feature 'broken' has the name of"):
        other_app()


@pytest.mark.parametrize(("plugin_module", "sentence"), REFUSED.values(), ids=REFUSED)
def test_one_that_does_not_fit_is_refused_with_a_sentence(made, other_app, plugin_module, sentence):
    made(plugin_module)
    with pytest.raises(Misconfigured, match=sentence):
        other_app()


def test_one_that_cannot_be_loaded_is_named(made, other_app):
    made(module(), points_to="nowhere")
    with pytest.raises(Misconfigured, match="the plugin 'broken' cannot be loaded"):
        other_app()


def test_one_that_takes_a_name_of_the_service_is_refused(made, other_app):
    made(module(FEATURE=Feature("broken", requires="1.0", scopes=("tasks:read",))))
    with pytest.raises(Misconfigured, match=r"the scope 'tasks:read' .* by the features 'tasks' and 'broken'"):
        other_app()


def test_its_name_may_be_the_object_itself(made, other_app):
    made(module(ITSELF=Feature("broken", requires="1.0")), points_to="broken_plugin:ITSELF")
    assert other_app()


def test_all_can_be_turned_off(installed, other_app: Callable[..., Flask]):
    app = other_app(plugins_enabled=False)
    assert app.test_client().post(PATH, json={"name": "Ada"}).status_code == 404
