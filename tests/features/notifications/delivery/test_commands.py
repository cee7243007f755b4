"""`taskmanager deliveries …` lists, shows, replays and forgets what was given up."""

import re
from datetime import timedelta

import orjson
import pytest
from click.testing import CliRunner

from taskmanager.cli import Environment, group
from taskmanager.core.clock import now
from taskmanager.core.events import outbox
from taskmanager.core.events.log import Event
from taskmanager.features.notifications.models import Delivery
from tests.features.notifications.conftest import prefer


@pytest.fixture
def run(app):
    """Run a command; answers what it printed."""

    def run(*words, code=0):
        result = CliRunner().invoke(
            group, words, obj=Environment(lambda: None, lambda: None, lambda: None), input="y\n"
        )
        assert result.exit_code == code, result.output
        return result.output

    return run


@pytest.fixture
def dead(scene, assign, mail, deliver):
    """A mail to a user whom the mail server does not know."""
    member = scene.member()
    mail.unknown = {member.user.email}
    assign(member)
    deliver()
    mail.unknown = set()
    return Delivery.objects(state="dead").get()


def test_what_was_given_up_is_listed_and_shown(run, dead):
    line = run("deliveries", "list")
    assert str(dead.id) in line and "task.assigned" in line and "550" in line
    assert run("deliveries", "list", "--channel", "webhook") == ""
    shown = orjson.loads(run("deliveries", "show", str(dead.id)))
    assert (shown["state"], shown["recipient_id"]) == ("dead", str(dead.recipient_id))
    assert "no such" in run("deliveries", "show", "65f1c0ffee0123456789abcd", code=1)


@pytest.mark.parametrize("which", ["one", "all"])
def test_a_replay_sends_it(run, dead, which, deliver, mail):
    assert "1 scheduled to be sent again" in run("deliveries", "replay", str(dead.id) if which == "one" else "--all")
    deliver()
    assert len(mail.messages) == 1
    assert mail.messages[0]["Message-ID"].startswith(f"<{dead.id}.")


def test_what_is_being_tried_is_not_replayed(run, dead):
    dead.modify(set__state="pending")
    run("deliveries", "replay", str(dead.id), code=1)
    run("deliveries", "replay", code=2)


def test_a_purge_forgets_what_is_old(run, dead):
    assert "0 deleted" in run("deliveries", "purge")
    dead.modify(set__ended_at=now() - timedelta(days=31))
    assert "1 deleted" in run("deliveries", "purge")


def test_events_that_were_given_up_are_handed_out_again(run, scene, assign, mail, deliver):
    member = scene.member()
    assign(member)
    Event.objects(kind="task.updated").update(set__died_at=now(), unset__due_at=True)
    deliver()
    assert mail.messages == []
    assert "1 to be dispatched again" in run("events", "revive")
    deliver()
    assert len(mail.messages) == 1
    assert outbox.count_dead() == 0


def test_the_schedules_are_one_list(run):
    text = run("schedules")
    for name in ("tasks.reminders", "notifications.sweep", "tasks.trash", "outbox.watch"):
        assert f"{name} " in text
    for name in ("sessions", "idempotency_keys", "one_time_tokens", "deliveries"):
        assert re.search(rf"^{name} +by MongoDB", text, re.MULTILINE)


def test_a_digest_that_is_to_come_is_among_the_schedules(run, scene, deliver):
    assert "0 planned" in run("schedules")
    member = scene.member()
    prefer(member, level="all", digest="weekly")
    scene.owner.post(f"{scene.task_path}/comments", json={"text": "Hm"})
    deliver()
    (due,) = Delivery.objects(channel="email").scalar("due_at")
    assert f"1 planned  due {due:%Y-%m-%dT%H:%M}" in run("schedules")
