"""The contract with plugins: what `CONTRIBUTING.md` promises them, shown with a complete one."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from flask import Flask

from taskmanager.core.clock import now
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.errors import Misconfigured
from taskmanager.core.events import log as events, schedule
from taskmanager.features.notifications.channels import base as channels
from taskmanager.features.notifications.models import Delivery
from tests.conftest import sign_in
from tests.factories import MembershipFactory, ProjectFactory, TaskFactory, UserFactory

PLUGIN = Path(__file__).parent / "sample_plugin"
PATH = "/api/v1/x/sample/greetings"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The plugin as it is after `pip install`: importable, with its entry point."""
    for module, register in ((events, "_listeners"), (channels, "_channels"), (schedule, "_periodic")):
        monkeypatch.setattr(module, register, dict(getattr(module, register)))
    monkeypatch.syspath_prepend(str(PLUGIN))
    yield
    sys.modules.pop("taskmanager_sample", None)


@pytest.fixture
def extended(installed: None, other_app: Callable[..., Flask]) -> Flask:
    """An application with the plugin."""
    return other_app()


@pytest.fixture
def plugin(extended: Flask) -> ModuleType:
    return sys.modules["taskmanager_sample"]


def test_its_route_works_with_its_setting(monkeypatch, installed, other_app):
    monkeypatch.setenv("TASKMANAGER_X_SAMPLE_GREETING", "Moin")
    caller = sign_in(other_app(), UserFactory())
    assert caller.post(PATH, json={"name": "Ada"}).json == {"text": "Moin, Ada!"}


def test_a_misspelled_setting_of_it_is_refused(monkeypatch, installed, other_app):
    with monkeypatch.context() as patch:
        patch.setenv("TASKMANAGER_X_SAMPLE_GRETING", "Moin")
        with pytest.raises(Misconfigured, match="did you mean TASKMANAGER_X_SAMPLE_GREETING"):
            other_app()


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
    document = extended.test_client().get("/api/v1/openapi.json").json
    operation = document["paths"][PATH]["post"]
    assert operation["summary"] == "Be greeted"
    assert "422" in operation["responses"]


def test_its_listener_hears_of_events(plugin, deliver):
    task = TaskFactory()
    deliver()
    assert plugin.made == [str(task.id)]


@pytest.fixture
def reader(extended, plugin):
    """Somebody who wants to be told of assignments on the plugin's channel, and nobody else's."""
    client = sign_in(extended, UserFactory())
    wanted = {"channels": {"blackboard": {"task.assigned": True}, "email": {"task.assigned": False}}}
    answer = client.patch("/api/v1/notifications/preferences", json=wanted, headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text
    assert answer.json["channels"]["blackboard"] == {
        kind: kind == "task.assigned" for kind in answer.json["channels"]["email"]
    }
    return client


def assigned(client):
    """A task that somebody else assigns to this person."""
    project = ProjectFactory()
    MembershipFactory(project=project, user=client.user)
    return TaskFactory(project=project, assignees=(client.user,))


def test_its_channel_tells_who_has_chosen_it(plugin, reader, deliver):
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


def test_its_periodic_job_runs(plugin, deliver):
    schedule.run_due()
    assert plugin.wiped == [0]


def test_a_wrong_setting_is_one_sentence_at_start(monkeypatch, installed, other_app):
    with monkeypatch.context() as patch, pytest.raises(Misconfigured, match="X_SAMPLE_GREETING") as refused:
        patch.setenv("TASKMANAGER_X_SAMPLE_GREETING", "much too long for a greeting")
        other_app()
    assert "sample" in refused.value.detail
    assert "much too long" not in refused.value.detail


def test_one_that_cannot_be_loaded_is_named(monkeypatch, tmp_path, other_app):
    (tmp_path / "broken-1.0.dist-info").mkdir()
    (tmp_path / "broken-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (tmp_path / "broken-1.0.dist-info" / "entry_points.txt").write_text("[taskmanager.plugins]\nbroken = nowhere\n")
    with monkeypatch.context() as patch, pytest.raises(Misconfigured, match="the plugin 'broken' cannot be loaded"):
        patch.syspath_prepend(str(tmp_path))
        other_app()


def test_all_can_be_turned_off(installed, other_app: Callable[..., Flask], settings: Settings):
    app = other_app(plugins_enabled=False)
    assert app.test_client().post(PATH, json={"name": "Ada"}).status_code == 404
