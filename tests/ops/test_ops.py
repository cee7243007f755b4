"""The pages for operators: who may open them, what they show, and what can be mended by them."""

import re
import socket
from datetime import timedelta

import pytest
from bson import ObjectId
from pydantic import SecretStr

from taskmanager.api import history
from taskmanager.core.clock import now
from taskmanager.core.configuration import settings as core_settings
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.errors import Unavailable
from taskmanager.core.events.log import Event
from taskmanager.core.telemetry import timings
from taskmanager.features.notifications.models import Delivery
from taskmanager.features.users.models import Session, User
from taskmanager.features.webhooks.models import Webhook
from taskmanager.ops import deliveries, figures, overview
from taskmanager.ops.blueprint import _MENU
from taskmanager.testing.factories import UserFactory
from taskmanager.testing.factories.things import PASSWORD
from tests.moments import from_now
from tests.pages.browsing import Browser

PAGES = [path for path, _ in _MENU]
CANARY = "canary-4f1c9e"


def delivery(user, **fields):
    given = {"state": "dead", "channel": "email", "kind": "task.assigned", "last_error": "ConnectionRefusedError"}
    return Delivery(event_id=ObjectId(), recipient_id=user.id, **(given | fields)).save()


@pytest.mark.parametrize("path", PAGES)
def test_only_administrators_open_a_page(enter, client, path):
    assert Browser(client).open(f"/ops{path}").path == "/ops/login"
    browser = enter(UserFactory())
    browser.open(f"/ops{path}")
    assert browser.status == 403 and "for administrators" in browser.text and "Now" not in browser.text
    browser = enter()
    assert browser.open(f"/ops{path}").status == 200 and browser.path == f"/ops{path}"


def test_pages_of_deliveries_read_no_more_than_they_show(enter):
    """The newest first, each once, and by the index of their order: also when several have the same time."""
    user, moment = UserFactory(), now()
    times = [moment - timedelta(seconds=number // 3) for number in range(230)]
    rows = [
        {"event_id": ObjectId(), "recipient_id": user.id, "channel": "email", "kind": "task.assigned"} for _ in times
    ]
    rows = [row | {"state": "sent", "created_at": at} for row, at in zip(rows, times, strict=True)]
    Delivery._get_collection().insert_many(rows)
    query, shown, before = {"state": "sent", "channel": "", "q": ""}, [], ""
    while page := deliveries.chosen(query, before).to_list()[:100]:
        stats = deliveries.chosen(query, before).explain()["executionStats"]
        assert stats["totalKeysExamined"] <= 105 and stats["totalDocsExamined"] <= 105
        shown, before = shown + page, str(page[-1]["_id"])
    assert len({row["_id"] for row in shown}) == len(shown) == len(rows)
    assert [row["created_at"] for row in shown] == sorted((row["created_at"] for row in shown), reverse=True)
    assert enter().open("/ops/deliveries?state=sent").text.count("task.assigned") >= 100


def test_a_role_that_is_lost_ends_it(enter):
    user = UserFactory(role="admin")
    UserFactory(role="admin")
    browser = enter(user)
    assert browser.open("/ops/settings").status == 200
    from taskmanager.features.users.administration import service as administration

    administration.change_role(User.objects.get(id=user.id), "user")
    assert browser.open("/ops/settings").status == 403


def test_the_cookie_is_for_these_pages_alone(enter, client):
    browser = enter()
    cookie = browser.client.get_cookie("taskmanager_ops", path="/ops")
    assert (cookie.path, cookie.http_only, cookie.same_site) == ("/ops", True, "Strict")
    assert browser.open("/pages").path == "/pages/login"
    value = {"Cookie": f"taskmanager_pages={cookie.value}"}
    assert client.get("/pages", headers=value).status_code == 303  # a cookie of one area is none of the other
    assert client.get("/api/v1/users/me", headers={"Cookie": f"taskmanager_ops={cookie.value}"}).status_code == 401
    browser.open("/ops").send("Log out")
    assert browser.open("/ops").path == "/ops/login"


@pytest.mark.parametrize("path", ["/ops/deliveries/replay", "/ops/events/revive", "/ops/users/{}/disable"])
def test_a_form_of_another_site_does_nothing(enter, path):
    user, browser = UserFactory(), enter()
    dead = delivery(user)
    browser.open(path.format(user.id), method="POST", data={"id": str(dead.id), "form_token": "x" * 22})
    assert browser.status == 403
    assert Delivery.objects.get(id=dead.id).state == "dead" and User.objects.get(id=user.id).disabled_at is None


def test_each_page_has_headers_that_let_it_do_nothing_else(enter):
    browser = enter()
    for path in PAGES:
        headers = browser.open(f"/ops{path}").headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"] and headers["Cache-Control"] == "no-store"
        assert "<script" not in browser.source and " style=" not in browser.source
        assert "></th>" not in browser.source and "refresh" not in browser.source.partition("</head>")[0]


def test_only_what_changes_by_itself_can_be_kept_up_to_date(enter):
    browser = enter()
    for path in ("", "/queues", "/deliveries?state=sent", "/events", "/schedules"):
        assert "Keep this page up to date" in browser.open(f"/ops{path}").source
        browser.open(f"/ops{path}{'&' if '?' in path else '?'}live=on")
        policy = browser.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
        assert browser.source.count("<script") == 1 and f'href="/ops{path}">Hold this page' in browser.source
    browser.open("/ops/settings?live=on")
    assert "<script" not in browser.source and "up to date" not in browser.text


def test_the_first_screen_says_why_mails_do_not_arrive(enter, other_app):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    user = UserFactory()
    for number in range(3):
        delivery(user, state="pending", attempts=2, due_at=from_now(minutes=number), last_error="Connection refused")
    browser = enter(application=other_app(mail_url=f"smtp://127.0.0.1:{port}"))
    first = browser.source[: browser.source.index("The last hour")]
    assert "Something" in first and "All is well" not in first
    problem = re.findall(r"<li>.*?mail:response.*?</li>", first, re.DOTALL)[0]
    assert "does not respond: ConnectionRefusedError" in problem and "test-mail" in problem
    row = re.findall(r"<tr><td>.*?email.*?</tr>", first, re.DOTALL)[0]
    assert re.findall(r">\s*(tried again|3|Connection refused)\s*<", row) == ["tried again", "3", "Connection refused"]


def test_what_was_given_up_is_found_and_sent_again(enter, deliver):
    user, other = UserFactory(), UserFactory()
    dead = delivery(user, last_error="550 no such user")
    delivery(other)
    browser = enter().open("/ops/deliveries", query_string={"state": "dead", "q": user.email})
    assert "550 no such user" in browser.text and str(other.id) not in browser.text
    assert browser.send("Send again").path == "/ops/deliveries"
    assert Delivery.objects.get(id=dead.id).state == "pending" and str(dead.recipient_id) in browser.text
    every = "Send the given up ones again, 1,000 at most"
    Delivery.objects(id=dead.id).update(state="dead")
    browser.open("/ops/deliveries", query_string={"state": "dead", "q": user.email}).send(every)
    assert [one.recipient_id for one in Delivery.objects(state="dead")] == [other.id]
    browser.open("/ops/deliveries?state=dead").send(every)
    assert Delivery.objects(state="dead").count() == 0
    entries = Event.objects(kind="service.deliveries_replayed", audited=True).order_by("id")
    assert [(one.data["number"], one.data["query"]) for one in entries] == [
        (1, str(dead.id)),
        (1, user.email),
        (1, ""),
    ]


def test_deliveries_of_webhooks_are_found_by_the_address_of_the_owner(enter, scene):
    hook = Webhook(owner_id=scene.owner.user.id, project_id=scene.project.id).save(validate=False)
    Delivery(event_id=ObjectId(), recipient_id=hook.id, channel="webhook", state="dead").save()
    browser = enter().open("/ops/deliveries", query_string={"q": scene.owner.user.email})
    assert str(hook.id) in browser.text and f"/ops/users/{hook.id}" not in browser.source


def test_deliveries_that_wait_are_not_said_to_be_sent(enter, monkeypatch):
    delivery(UserFactory(), state="pending", attempts=0, last_error=None)
    browser = enter()
    assert "No delivery has failed; 1 are pending." in browser.open("/ops").text

    def too_slow():
        raise Unavailable

    monkeypatch.setattr(overview, "failing", too_slow)
    text = browser.open("/ops").text
    assert "could not be read in time" in text and "No delivery has failed" not in text


@pytest.mark.parametrize("query", ["q=no.one@example.com", "q=" + "0" * 24, "state=none", "before=x", "channel=%24ne"])
def test_a_search_for_what_is_not_there_finds_nothing(enter, query):
    delivery(UserFactory(), channel="email")
    assert enter().open(f"/ops/deliveries?{query}").status == 200


def test_a_search_for_letters_that_no_text_has_finds_nothing(enter):
    browser = enter()
    for path in ("users", "deliveries", "events", "audit"):
        assert browser.open(f"/ops/{path}?q=%00%1b").status == 200, path


def test_events_that_were_given_up_are_dispatched_again(enter, scene):
    event = Event.objects(stream=f"project:{scene.project.id}").first()
    Event.objects(id=event.id).update(died_at=now(), pending=["notifications.notify"], attempts=40)
    browser = enter().open("/ops/events")
    assert event.kind in browser.text and "notifications.notify" in browser.text
    browser.send("Dispatch all that were given up again")
    assert Event.objects.get(id=event.id).died_at is None and event.kind in browser.text
    found = browser.open("/ops/events", query_string={"show": "latest", "q": f"project:{scene.project.id}"})
    assert event.kind in found.text
    for path in ("/ops/events?show=latest", "/ops/space", "/ops/audit", "/ops/deliveries"):
        text = browser.open(path).text  # content of the projects of others is not for administrators
        assert scene.task.title not in text and scene.project.name not in text, path


def test_an_account_is_found_disabled_and_enabled(enter, caller):
    user = UserFactory(name="Grace Hopper")
    caller(user)
    browser = enter().open("/ops/users?q=hopper").follow(user.email)
    assert "Grace Hopper" in browser.text and "lives" in browser.text
    assert browser.send("End all sessions").status == 200
    assert Session.objects(user_id=user.id, ended_at=None).count() == 0
    browser.send("Disable the account")
    assert "disabled" in browser.text and User.objects.get(id=user.id).disabled_at is not None
    browser.send("Enable the account")
    assert User.objects.get(id=user.id).disabled_at is None
    browser.open("/ops/audit", query_string={"q": user.email, "kind": "user.disabled"})
    assert "user.disabled" in browser.text and "user.enabled" not in browser.text


def test_administrators_cannot_disable_themselves(enter):
    user = UserFactory(role="admin")
    browser = enter(user).open(f"/ops/users/{user.id}").send("Disable the account")
    assert browser.status == 409 and "yourself" in browser.text
    assert enter().open(f"/ops/users/{ObjectId()}").status == 404


def test_no_secret_is_shown_in_the_settings(enter, other_app):
    secrets = {
        name: SecretStr(CANARY) for name, field in Settings.model_fields.items() if field.annotation is SecretStr
    }
    urls = {
        "mail_url": f"smtp://ada:{CANARY}@mail.example.com:25",
        "sms_url": f"https://sms.example.com/{CANARY}",
        "chat_url": f"json://chat.example.com/{CANARY}",
    }
    changed = core_settings.current().model_copy(update=secrets | urls)
    for name in type(changed).model_fields:
        assert CANARY not in figures.shown(name, getattr(changed, name)), name
    page = enter().open("/ops/settings").text
    assert "TASKMANAGER_TRASH_DAYS" in page and figures.shown("mail_url", urls["mail_url"]) == (
        "smtp://mail.example.com:25"
    )
    assert core_settings.current().secret().decode() not in page


def test_of_settings_of_plugins_only_numbers_are_shown():
    for value in (CANARY, [CANARY], {"a": CANARY}, SecretStr(CANARY)):
        assert figures._of_plugin("webhook", value) == "hidden"
    assert [figures._of_plugin("size", value) for value in (5, True, None, "")] == ["5", "True", "None", "empty"]
    assert figures._of_plugin("token", 1234) == "hidden" and figures.shown("ratelimit_secret", "5/minute") == "5/minute"


def test_texts_of_others_are_text(enter):
    user = UserFactory(name="<b>Bobby</b>")
    delivery(user, last_error="<script>alert(1)</script>")
    browser = enter()
    for path in ("/ops", "/ops/deliveries", f"/ops/users/{user.id}", "/ops/users?q=<b>"):
        assert "<script" not in browser.open(path).source and "<b>" not in browser.source


def test_the_last_hour_is_drawn_from_what_processes_counted(enter, client):
    sampler = history.Sampler()
    for _ in range(5):
        client.get("/api/v1/info")
    sampler.write()
    minutes = [row for row in history.last_hour() if row.get("requests")]
    assert minutes == [] or minutes[-1]["requests"] >= 5  # the present minute is shown once it is over
    key = history._key(now() - timedelta(minutes=3))
    history._add(key, {"requests": 7, "errors": 2, "le:0.1": 6, "le:+Inf": 7})
    row = next(row for row in history.last_hour() if row.get("requests") == 7)
    assert row["p99_ms"] > 0
    browser = enter()
    assert re.search(r"Requests, a minute; at most \d", browser.source) and browser.source.count("<svg") == 6


def test_slow_queries_of_all_processes_are_shown(enter):
    timings.SLOW.append({"collection": "tasks", "command": "find", "duration_ms": 812.5, "shape": {"title": "?"},
                         "order": ["due_at"], "at": "2026-11-28T00:00:00.000Z"})  # fmt: skip
    history.Sampler().write()
    text = enter().open("/ops/slow").text
    assert "tasks" in text and "812 ms" in text and "due_at" in text


def test_forms_are_refused_in_maintenance_but_logins_and_their_ends_work(enter, caller):
    user, administrator = UserFactory(), caller(role="admin")
    administrator.put("/api/v1/maintenance")
    browser = enter().open(f"/ops/users/{user.id}")
    assert browser.send("Send a mail to set a new password").status == 503
    assert browser.open(f"/ops/users/{user.id}").send("Disable the account").status == 200
    assert User.objects.get(id=user.id).disabled_at and browser.send("Enable the account").status == 503
    assert browser.open(f"/ops/users/{user.id}").send("End all sessions").status == 200
    assert "service:maintenance" in browser.open("/ops").text


def test_a_login_leads_to_no_other_site(client):
    user = UserFactory(role="admin")
    for path in ("https://evil.example/", "/pages", "/opsx", "/ops/../docs", "//evil.example"):
        browser = Browser(client).open("/ops/login", query_string={"next": path})
        assert browser.send("Log in", email=user.email, password=PASSWORD).path == "/ops"
        browser.send("Log out")
