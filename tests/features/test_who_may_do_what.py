"""Every route of a project, by everybody: who does not see it gets 404, who may not do it gets 403."""

import pytest

# method, path of the scene, body → the least role that may
ROUTES = {
    "read project": ("GET", "{project}", None, "viewer"),
    "edit project": ("PATCH", "{project}", {"name": "Renamed"}, "manager"),
    "delete project": ("DELETE", "{project}", None, "owner"),
    "list members": ("GET", "{project}/members", None, "viewer"),
    "read member": ("GET", "{project}/members/{owner}", None, "viewer"),
    "add member": ("POST", "{project}/members", {"email": "new@example.com", "role": "viewer"}, "manager"),
    "change member": ("PATCH", "{project}/members/{viewer}", {"role": "commenter"}, "manager"),
    "remove member": ("DELETE", "{project}/members/{viewer}", None, "manager"),
    "create task": ("POST", "{project}/tasks", {"title": "New"}, "member"),
    "list tasks": ("GET", "{project}/tasks", None, "viewer"),
    "read task": ("GET", "{task}", None, "viewer"),
    "edit task": ("PATCH", "{task}", {"title": "Changed"}, "member"),
    "complete task": ("PUT", "{task}/completion", None, "member"),
    "reopen task": ("DELETE", "{task}/completion", None, "member"),
    "delete task": ("DELETE", "{task}", None, "member"),
}
ROLES = ("viewer", "commenter", "member", "manager", "owner")
PUBLIC = {
    "/api/v1/auth/register",
    "/api/v1/auth/login",
    "/api/v1/auth/refresh",
    "/api/v1/openapi.json",
    "/docs",
    "/docs/start.js",
    "/health/live",
    "/health/ready",
    "/.well-known/jwks.json",
}


@pytest.fixture
def ask(scene, caller):
    """Does what a row of ROUTES says, as somebody."""
    caller(email="new@example.com")
    viewer = scene.member("viewer")

    def ask(who: str, route: str):
        method, path, body, _ = ROUTES[route]
        path = path.format(
            project=scene.project_path, task=scene.task_path, owner=scene.owner.user.id, viewer=viewer.user.id
        )
        headers = {} if method in ("GET", "POST") else {"If-Match": "*"}
        return scene.who(who).open(path, method=method, json=body, headers=headers)

    return ask


@pytest.mark.parametrize("route", ROUTES)
def test_without_a_login_it_is_401(ask, route):
    assert ask("anonymous", route).status_code == 401


@pytest.mark.parametrize("route", ROUTES)
def test_for_a_stranger_it_is_not_there(ask, route):
    assert ask("stranger", route).status_code == 404


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("role", ROLES)
def test_for_a_member_the_role_decides(ask, route, role):
    answer = ask(role, route)
    allowed = ROLES.index(role) >= ROLES.index(ROUTES[route][3])
    assert answer.status_code in ((200, 201, 204) if allowed else (403,)), answer.text


def test_every_route_needs_a_login_unless_it_is_listed_here(app, client):
    """Closed by default: who adds a public route has to add it here."""
    for rule in app.url_map.iter_rules():
        path = rule.rule.split("<path:")[0].replace("<objectid:", "<")
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            target = "/".join("65f1c0ffee0123456789abcd" if part.startswith("<") else part for part in path.split("/"))
            answer = client.open(target, method=method, headers={"If-Match": "*"}, json={} if method != "GET" else None)
            expected = answer.status_code != 401 if rule.rule in PUBLIC or "/assets/" in rule.rule else True
            closed = answer.status_code == 401 or rule.rule in PUBLIC or "/assets/" in rule.rule
            assert closed and (expected or "login" in path or "refresh" in path), (method, rule.rule)
