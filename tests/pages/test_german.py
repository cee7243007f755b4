"""The language of the account: mails, notifications and pages; before a login that of the browser."""

from taskmanager.features.users.models import User
from taskmanager.testing.factories import UserFactory
from taskmanager.testing.factories.things import PASSWORD
from taskmanager.testing.mailbox import text_of
from tests.pages.browsing import link_in
from tests.scene import patch

ME = "/api/v1/users/me"


def test_who_reads_german_gets_it_and_others_do_not(scene, browser, deliver, mail):
    german, other = scene.member(), scene.member()
    deliver()  # what is kept of their languages is English
    mail.empty()
    assert german.get(ME).json["locale"] == "en"
    changed = patch(german, ME, {"locale": "de", "timezone": "Europe/Berlin"})
    assert (changed.status_code, changed.json["locale"]) == (200, "de")
    title = "Quarterly https://evil.example/x"
    body = {"title": title, "due": "2026-12-24T18:00:00Z", "assignee_ids": [str(german.user.id), str(other.user.id)]}
    patch(scene.owner, scene.task_path, body)
    deliver()
    (message,) = mail.to(german.user.email)
    text, html = text_of(message), message.get_body(("html",)).get_content()
    assert message["Content-Language"] == "de"
    for part in (text, html):
        assert f"Hallo {german.user.name}," in part
        assert "Ihnen" in part and "zugewiesen" in part and "Aufgabe öffnen" in part
        assert "https://evil" not in part
    assert '<html lang="de">' in html
    assert "assigned" in text_of(mail.to(other.user.email)[0])
    assert any("zugewiesen" in item["text"] for item in german.get("/api/v1/notifications").json["items"])
    browser.open(link_in(message), headers={"Accept-Language": "fr"})
    assert "Mail address" in browser.text
    browser.send("Log in", email=german.user.email, password=PASSWORD)
    assert browser.headers["Content-Language"] == "de"
    assert "24.12.2026, 19:00 (Europe/Berlin)" in browser.text and "Aufgabe erledigen" in browser.text
    assert browser.open("/pages/tasks/65f1c0ffee0123456789abcd").status == 404
    assert "Diese Seite gibt es nicht" in browser.text


def test_a_browser_that_prefers_german_gets_it_and_so_does_the_new_account(browser, deliver, mail):
    prefers = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}
    browser.open("/pages/register", headers=prefers)
    fields = {"email": "ada@example.com", "name": "Ada", "password": "an entirely new password"}
    browser.send("Konto anlegen", headers=prefers, **fields)
    assert User.objects.get(email="ada@example.com").locale == "de"
    deliver()
    (message,) = mail.to("ada@example.com")
    assert message["Subject"] == "Bestätigen Sie Ihre Adresse"


def test_a_language_is_taken_in_capital_letters_and_not_where_the_browser_excludes_it(client):
    for wanted, language in (("DE-AT", "de"), ("fr, de;q=0", "en"), ("en;q=0, DE;q=0.1", "de")):
        for path in ("/pages/login", "/pages/nothing"):
            page = client.get(path, headers={"Accept": "text/html", "Accept-Language": wanted})
            assert page.headers["Content-Language"] == language, (wanted, path)


def test_an_unknown_language_is_refused(scene, client):
    assert patch(scene.owner, ME, {"locale": "xx"}).status_code == 422
    user = UserFactory()
    User.objects(id=user.id).update(set__locale="xx")  # of a release that had another one
    answer = client.post("/api/v1/auth/login", json={"email": user.email, "password": PASSWORD})
    assert answer.status_code == 200
