"""Every route by every kind of caller gets what `matrix.py` says."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
import time_machine

from taskmanager.features.users import service as users
from taskmanager.features.users.models import User
from taskmanager.features.users.tokens import service as api_tokens, service_accounts
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import MembershipFactory, ProjectFactory, TaskFactory, UserFactory
from taskmanager.testing.factories.actors import actor_of
from tests.features.files import attach
from tests.features.matrix import FIELD, HOOK, INVITATION, ME, REMINDER, REVISED, ROLES, TABLE, TOKEN, V1, WHO
from tests.scene import Scene


def token_client(scene, scopes, project_id=None):
    """A client with an API token of the project's owner."""
    data = {
        "name": "T",
        "scopes": scopes,
        "expires_at": datetime.now(UTC) + timedelta(days=1),
        "project_id": project_id,
    }
    _, token = api_tokens.create(data, actor=actor_of(scene.owner.user))
    client = scene.app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def disabled(scene):
    client = scene.member("owner")
    User.objects(id=client.user.id).update(set__disabled_at=client.user.created_at)
    users.raise_access_versions([client.user.id])
    return client


def expired(scene):
    user = UserFactory()
    MembershipFactory(project=scene.project, user=user, role="owner")
    with time_machine.travel(datetime.now(UTC) - timedelta(days=1)):
        return sign_in(scene.app, user)


def names_of(rule, app):
    path = re.sub(r"<[a-z]+:", "<", rule.rule)
    methods = rule.methods - {"HEAD", "OPTIONS"}
    return {f"{method} {path}" for method in methods}


def caller_of(scene, who, name):
    if who in ("anonymous", "stranger", *ROLES):
        return scene.who(who)
    if who == "admin":
        return sign_in(scene.app, UserFactory(role="admin"))
    if who == "other_project":
        other = ProjectFactory(owner=scene.owner.user)
        return token_client(scene, list(api_tokens.SCOPES), other.id)
    if who == "no_scope":
        needed = views(scene.app)[name]
        return token_client(scene, [scope for scope in api_tokens.SCOPES if scope != needed])
    return {"disabled": disabled, "expired": expired}[who](scene)


def views(app, what="scope"):
    """{name of a route: the scope it needs, or another of its declarations}"""
    found = {}
    for rule in app.url_map.iter_rules():
        for name in names_of(rule, app):
            view = app.view_functions[rule.endpoint]
            method = name.split(" ")[0].lower()
            if hasattr(view, "view_class"):  # flask-smorest makes one class of a rule's methods
                view = getattr(view.view_class, method)
            found[name] = getattr(view, what, None)
    return found


class Places(dict):
    """Paths and ids of a scene by their names in the table; what is not always there is made when it is asked for."""

    def __init__(self, scene):
        self.scene = scene

    def __missing__(self, name):
        path, owner = self.scene.project_path, self.scene.owner
        made = {
            "project": lambda: path,
            "task": lambda: self.scene.task_path,
            "task_id": lambda: self.scene.task.id,
            "key": lambda: self.scene.task.key,
            "trashed": self._trashed,
            "trashed_project": self._trashed_project,
            "bystander": lambda: self.scene.member("viewer").user.id,
            "invitation": lambda: owner.post(f"{path}/invitations", json=INVITATION).json["id"],
            "label": lambda: owner.post(f"{path}/labels", json={"name": "later"}).json["id"],
            "second": lambda: TaskFactory(project=self.scene.project).id,
            "relation": self._related,
            "reminder": lambda: owner.post(f"{self.scene.task_path}/reminders", json=REMINDER).json["id"],
            "comment": lambda: owner.post(f"{self.scene.task_path}/comments", json={"text": "x"}).json["id"],
            "attachment": lambda: attach(owner, self.scene.task_path).json["id"],
            "view": lambda: owner.post(f"{path}/views", json={"name": "Ours", "shared": True}).json["id"],
            "webhook": lambda: owner.post(f"{path}/webhooks", json=HOOK).json["id"],
            "delivery": lambda: owner.post(f"/api/v1/webhooks/{self['webhook']}/test").json["id"],
            "field": lambda: owner.post(f"{path}/custom-fields", json=FIELD | {"key": "size"}).json["id"],
            "session": lambda: owner.get(f"{ME}/sessions").json["items"][0]["id"],
            "token": lambda: owner.post(f"{ME}/tokens", json=TOKEN).json["id"],
            "own_view": lambda: owner.post(f"{V1}/views", json={"name": "Mine"}).json["id"],
            "account": lambda: str(service_accounts.create("Importer", actor=actor_of(self._admin())).id),
            "account_token": lambda: self._account_token(),
            "link": lambda: owner.post(f"{path}/share-links", json={"role": "viewer"}).json["id"],
        }
        self[name] = made[name]()
        return self[name]

    def _related(self):
        body = {"kind": "relates", "task_id": str(self["second"])}
        return self.scene.owner.post(f"{self.scene.task_path}/relations", json=body).json["id"]

    def _admin(self):
        return UserFactory(role="admin")

    def _account_token(self):
        path = f"{V1}/service-accounts/{self['account']}/tokens"
        return sign_in(self.scene.app, self._admin()).post(path, json=TOKEN).json["id"]

    def _trashed(self):
        assert self.scene.owner.delete(self.scene.task_path, headers={"If-Match": "*"}).status_code == 204
        return self.scene.task.id

    def _trashed_project(self):
        assert self.scene.owner.delete(self.scene.project_path, headers={"If-Match": "*"}).status_code == 204
        return self.scene.project.id

    def quoted(self, found):
        return orjson.dumps(str(self[found[1].decode()]))


READS = [name for name in TABLE if name.startswith("GET ")]
CHANGES = [name for name in TABLE if name not in READS]
COUNTED = {"POST /api/v1/auth/login"}  # refused logins are counted, and too many are refused in another way


class Crowd:
    """A scene that serves many routes, and one caller of each kind, because nothing that is asked changes anything."""

    def __init__(self, app):
        self.scene = Scene(app)
        self.places, self.callers, self.scopes = Places(self.scene), {}, views(app)

    def wrong(self, name, expected):
        """Yield the route with who gets another status than this."""
        for who, status in expected.items():
            got = send(self.scene, name, TABLE[name], self._caller(who, name), self.places).status_code
            if got != status:
                yield name, who, got, status

    def _caller(self, who, name):
        kind = (who, self.scopes[name] if who == "no_scope" else None)
        if kind not in self.callers:
            self.callers[kind] = caller_of(self.scene, who, name)
        return self.callers[kind]


def test_everybody_reads_what_the_table_says(app):
    crowd = Crowd(app)
    assert [fault for name in READS for fault in crowd.wrong(name, TABLE[name].expected)] == []


def test_everybody_is_refused_what_the_table_says(app):
    """Tasks in the trash come last, and then projects: the others need them where they were."""
    crowd, faults = Crowd(app), []
    places = {name: TABLE[name].path or "" for name in CHANGES if name not in COUNTED}
    for name in sorted(places, key=lambda name: ("{trashed_project}" in places[name], "{trashed}" in places[name])):
        refused = {who: status for who, status in TABLE[name].expected.items() if status >= 400}
        faults += crowd.wrong(name, refused)
    assert faults == []


ALONE = [(name, who) for name in CHANGES for who in WHO if TABLE[name].expected[who] < 400 or name in COUNTED]


@pytest.mark.parametrize(("name", "who"), ALONE)
def test_everybody_changes_what_the_table_says(scene, name, who):
    answer = ask(scene, name, who, Places(scene))
    assert answer.status_code == TABLE[name].expected[who], answer.text


PRECONDITIONS = {412: {"If-Match": '"999999"'}, 428: {}}  # a stale ETag, and none


@pytest.mark.parametrize("name", [name for name in CHANGES if not name.startswith("POST ")])
def test_what_needs_if_match_is_refused_without_the_present_revision(app, name):
    """Which routes do is their own declaration; the resource is there, and the caller may change it."""
    if not views(app, "conditional")[name]:
        pytest.skip("needs no If-Match")
    scene = Scene(app)
    places = Places(scene)
    for status, headers in PRECONDITIONS.items():
        route = replace(REVISED.get(name, TABLE[name]), headers=headers)
        who = next(who for who in ("owner", "admin") if route.expected[who] < 400)
        answer = send(scene, name, route, caller_of(scene, who, name), places)
        assert answer.status_code == status, answer.text


def ask(scene, name, who, places):
    """What a caller gets from a route."""
    return send(scene, name, TABLE[name], caller_of(scene, who, name), places)


def send(scene, name, route, caller, places):
    if not User.objects(email="other@example.com").first():
        UserFactory(email="other@example.com")
    method, rule = name.split(" ")
    path = (route.path or rule).format_map(places)
    body = route.body and orjson.loads(re.sub(rb'"\{(\w+)\}"', places.quoted, orjson.dumps(route.body)))
    headers = route.headers if method not in ("GET", "POST") else {}
    return caller.open(path, method=method, json=body, headers=headers)


def test_every_route_is_in_the_table(app):
    """All but files, and the pages for people, which take no token: tests/pages and tests/ops have who may see them."""
    known = {name for name in views(app) if "/assets/" not in name and " /pages" not in name and " /ops" not in name}
    assert known == set(TABLE), known ^ set(TABLE)
