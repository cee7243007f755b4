"""An account with thousands of everything recovers and leaves: the work of a transaction has a bound.

What counts is how many commands are sent and how many documents a transaction ends, not seconds.
"""

import secrets
from datetime import timedelta

import pytest
from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.events.log import Event
from taskmanager.features.accounts import service as accounts
from taskmanager.features.notifications.channels.base import Cancelled
from taskmanager.features.notifications.models import Delivery
from taskmanager.features.projects.members import account_deletion
from taskmanager.features.projects.models import Invitation, Membership, Project, ShareLink
from taskmanager.features.users import deletion as users_leaving, holdings
from taskmanager.features.users.administration import service as administration
from taskmanager.features.users.models import Session, User
from taskmanager.features.users.service import MAX_SESSIONS
from taskmanager.features.webhooks.delivery.channel import WebhookChannel
from taskmanager.features.webhooks.models import Webhook
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import MembershipFactory, ProjectFactory, UserFactory
from taskmanager.testing.factories.things import PASSWORD
from tests.problems import assert_problem

ME = "/api/v1/users/me"
NEW = "an entirely new password"
MAX_COMMANDS = 60  # of one recovery or deletion, however large the account is


def store(kind, rows):
    """Store documents that no service made: each of `rows` is its fields."""
    long_ago = now() - timedelta(days=1)
    common = {"revision": 1, "created_at": long_ago, "updated_at": long_ago}
    documents = [{"_id": ObjectId()} | common | row for row in rows]
    kind._get_collection().insert_many(documents)
    return [row["_id"] for row in documents]


def add_sessions(user, number):
    until = now() + timedelta(days=9)
    row = {
        "user_id": user.id,
        "seed": "s",
        "generation": 1,
        "token_hash": "h",
        "rotated_at": now(),
        "expires_at": until,
    }
    store(Session, [dict(row) for _ in range(number)])


def add_memberships(user, number):
    projects = [{"key": f"M{place}", "name": "Mine", "position": f"a{place}"} for place in range(number)]
    ids = store(Project, projects)
    store(Membership, [{"project_id": project_id, "user_id": user.id, "role": "owner"} for project_id in ids])
    return ids


def add_links(user, project_id, number):
    row = {"project_id": project_id, "created_by": user.id, "role": "viewer", "name": "L"}
    store(ShareLink, [row | {"nonce": secrets.token_bytes(16)} for _ in range(number)])


def add_webhooks(user, project_id, number):
    row = {"project_id": project_id, "owner_id": user.id, "url": "https://8.8.8.8/", "events": ["*"], "active": True}
    store(Webhook, [row | {"failures": 0, "secrets": []} for _ in range(number)])


def add_invitations(user, project_id, number):
    row = {"project_id": project_id, "invited_by": user.id, "role": "owner", "state": "pending"}
    rows = [row | {"email": f"i{n}@example.com", "expires_at": now() + timedelta(days=9)} for n in range(number)]
    store(Invitation, rows)


def recover(user):
    administration.reset_password(User.objects.one(user.id), NEW)


def test_five_thousand_sessions_and_a_thousand_memberships_recover_in_a_few_commands(app, commands):
    user = UserFactory()
    project_id, *_ = add_memberships(user, 1000)
    add_sessions(user, 5000)
    for add in (add_links, add_webhooks, add_invitations):
        add(user, project_id, 3 * holdings.MAX_STEP)
    session = sign_in(app, user)
    with commands.counted() as sent:
        recover(user)
    assert len(sent) <= MAX_COMMANDS
    assert Session.objects.live().count() == 0
    assert_problem(session.get(ME), 401, code="auth.session_ended")
    (changed,) = Event.objects(kind="user.password_changed")
    assert changed.data["ended"]["share_links"] == changed.data["ended"]["webhooks"] == 3 * holdings.MAX_STEP
    assert [event.data for event in Event.objects(kind="sessions.ended").order_by("seq")] == [
        {"because": "surplus", "number": 4501},
        {"because": "password", "number": MAX_SESSIONS},
    ]


@pytest.fixture
def small_steps(monkeypatch):
    """Let each transaction end three documents only."""
    for module in (holdings, users_leaving, account_deletion):
        monkeypatch.setattr(module, "MAX_STEP", 3)
    for name in ("projects.recovery", "webhooks.recovery", "notifications.recovery"):
        monkeypatch.setattr(f"taskmanager.features.{name}.MAX_STEP", 3)


@pytest.mark.parametrize("proved", [False, True])
def test_all_ways_in_are_closed_before_the_last_of_them_is_ended(app, client, deliver, small_steps, proved):
    user = UserFactory()
    if not proved:
        User.objects(id=user.id).update(unset__email_verified_at=True)
    else:
        User.objects(id=user.id).update(set__email_verified_at=now() - timedelta(days=9))
    person = sign_in(app, user)
    project = ProjectFactory(owner=user)
    links = f"/api/v1/projects/{project.id}/share-links"
    made = [person.post(links, json={"role": "viewer", "name": f"L{n}"}).json for n in range(8)]
    add_webhooks(user, project.id, 8)
    add_invitations(user, project.id, 8)
    deliver()
    recover(user)
    assert 0 < ShareLink.objects(expires_at=None).count() < 8
    assert 0 < Webhook.objects(active=True).count() < 8
    for link in made:
        assert_problem(client.post("/api/v1/share-links/open", json={"token": link["token"]}), 401)
    hook = Webhook.objects(active=True).first()
    delivery = Delivery(recipient_id=hook.id, kind="task.created", channel="webhook", event_id=ObjectId())
    with pytest.raises(Cancelled, match="recovered"):
        WebhookChannel().send(type("Message", (), {"delivery": delivery})())
    own = client.post("/api/v1/auth/login", json={"email": user.email, "password": NEW}).json["access_token"]
    bearer = {"Authorization": f"Bearer {own}"}
    later = client.post(links, json={"role": "viewer", "name": "mine"}, headers=bearer).json
    deliver()
    assert [str(link.id) for link in ShareLink.objects(expires_at=None)] == [later["id"]]
    assert ShareLink.objects.count() == (9 if proved else 1)
    assert Webhook.objects(active=True).count() == Invitation.objects(state="pending").count() == 0
    assert Webhook.objects.count() == (8 if proved else 0)
    assert client.post("/api/v1/share-links/open", json={"token": later["token"]}).status_code == 200


def test_an_invitation_by_an_earlier_holder_is_no_way_in(app, caller, small_steps):
    user = UserFactory()
    project = ProjectFactory(owner=user)
    add_invitations(user, project.id, 8)
    recover(user)
    guest = caller(email=Invitation.objects(state="pending").first().email)
    (waiting,) = guest.get("/api/v1/invitations").json["items"]
    assert_problem(guest.post(f"/api/v1/invitations/{waiting['id']}/accept"), 404)


def test_a_thousand_memberships_end_in_a_few_commands(app, commands):
    user = UserFactory()
    ids = add_memberships(user, 1000)
    heir = UserFactory()
    for project_id in ids[:5]:
        store(Membership, [{"project_id": project_id, "user_id": heir.id, "role": "owner"}])
    add_sessions(user, 5000)
    person = sign_in(app, user)
    with commands.counted() as sent:
        assert person.delete(ME, headers={"If-Match": "*"}).status_code == 204
    assert len(sent) <= MAX_COMMANDS
    assert Membership.objects(user_id=user.id).count() == 0
    assert Project.objects(deleted_at=None).count() == 5
    for kind, number in (("member.removed", 1000), ("project.deleted", 995)):
        assert Event.objects(kind=kind).count() == number
    assert set(Event.objects(kind="member.removed").scalar("seq")) == {1}
    (gone,) = Event.objects(kind="user.deleted")
    assert len(gone.data["project_ids"]) == 1000


def test_the_rest_of_a_large_account_goes_by_and_by(app, deliver, small_steps):
    user = UserFactory(email="ada@example.com", name="Ada Lovelace")
    project, other = ProjectFactory(owner=user), UserFactory()
    MembershipFactory(project=project, user=other, role="owner")
    for _ in range(9):
        person = sign_in(app, user)
    app.test_client().post("/api/v1/auth/login", json={"email": user.email, "password": "wrong"})
    add_links(user, project.id, 8)
    add_invitations(user, project.id, 8)
    deliver()
    assert person.delete(ME, headers={"If-Match": "*"}).status_code == 204
    assert ShareLink.objects.count() == 5
    deliver()
    assert (Session.objects(user_id=user.id).count(), ShareLink.objects.count()) == (0, 0)
    assert Invitation.objects(state="pending").count() == 0
    stored = str(list(Event._get_collection().find({"kind": {"$ne": "user.deleted"}, "subject_id": user.id})))
    assert not [word for word in ("ada@", "Lovelace", "127.0.0.1") if word in stored]
    accounts.finish_deletion(user.id, [])  # may be repeated


def test_an_account_has_a_bound_of_live_sessions(app):
    user = UserFactory()
    add_sessions(user, MAX_SESSIONS + 20)
    answer = app.test_client().post("/api/v1/auth/login", json={"email": user.email, "password": PASSWORD})
    assert answer.status_code == 200
    assert Session.objects.live().count() == MAX_SESSIONS
    newest = {"Authorization": f"Bearer {answer.json['access_token']}"}
    assert app.test_client().get(ME, headers=newest).status_code == 200
