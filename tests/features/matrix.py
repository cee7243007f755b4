"""Who may do what: every route of the service with what each kind of caller gets. `make matrix` prints it.

A route that is in no table fails the test beside this; so does one whose answers differ from it.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROLES = ("viewer", "commenter", "member", "manager", "owner")
WHO = ("anonymous", "stranger", *ROLES, "admin", "disabled", "expired", "other_project", "no_scope")
UNKNOWN_ID = "65f1c0ffee0123456789abcd"  # an id that nothing has


@dataclass(frozen=True)
class Route:
    """One route: how to ask for it, and what each caller gets."""

    expected: dict[str, int]
    path: str | None = None  # with the names of the scene in braces; the rule itself when there is nothing to fill in
    body: Any = None
    headers: dict[str, str] = field(default_factory=lambda: {"If-Match": "*"})


def public(status: int, body: Any = None, **more: Any) -> Route:
    """Everybody gets the same, whatever token they send."""
    return Route(dict.fromkeys(WHO, status), body=body, **more)


def own(status: int, body: Any = None, *, sessions_only: bool = True, one_project: bool = True, **more: Any) -> Route:
    """Who is logged in gets the same. API tokens: 403, unless they may have the scope, for one project too."""
    got = dict.fromkeys(WHO, status) | {"anonymous": 401, "disabled": 401, "expired": 401, "no_scope": 403}
    if sessions_only or not one_project:
        got["other_project"] = 403
    return Route(got, body=body, **more)


def project(least: str, status: int, path: str, body: Any = None, *, sessions_only: bool = False, **more: Any) -> Route:
    """A role in the project decides: unseen is 404, forbidden 403. Administrators are strangers here."""
    at = ROLES.index(least)
    got = {role: status if ROLES.index(role) >= at else 403 for role in ROLES}
    got |= dict.fromkeys(("stranger", "admin", "other_project"), 404) | {"no_scope": 403}
    got |= dict.fromkeys(("anonymous", "disabled", "expired"), 401)
    if sessions_only:
        got["other_project"] = 403
    return Route(got, path, body, **more)


def admin(status: int, body: Any = None, **more: Any) -> Route:
    """Administrators only, and never through an API token."""
    got = dict.fromkeys(WHO, 403) | {"admin": status} | dict.fromkeys(("anonymous", "disabled", "expired"), 401)
    return Route(got, body=body, **more)


AUTH, ME, V1 = "/api/v1/auth", "/api/v1/users/me", "/api/v1"
PASSWORD = "correct horse battery staple"
CREDENTIALS = {"email": "unknown@example.com", "password": "wrong words"}

TOKEN = {
    "name": "T",
    "scopes": ["tasks:read"],
    "expires_at": f"{datetime.now(UTC) + timedelta(days=9):%Y-%m-%dT%H:%M:%SZ}",
}
INVITATION = {"email": "guest@example.com", "role": "viewer"}
ONE = f"{V1}/projects/<project_id>"
SERVICE = f"{V1}/service-accounts/<account_id>"

HOOK = {"url": "https://8.8.8.8/hook", "events": ["*"]}
FIELD = {"key": "points", "name": "Points", "type": "number"}
WORKFLOW = {
    "statuses": [
        {"key": "open", "name": "Open", "group": "backlog"},
        {"key": "done", "name": "Done", "group": "done"},
    ]
}
_COPY = project("viewer", 201, "{project}/copy", {"key": "COPY", "name": "A copy"})

REMINDER = {"relative_to": "due", "minutes_before": 5}
# No one sees the reminders of others: this one is the owner's.
_REMINDER = project("owner", 200, "{task}/reminders/{reminder}")
_REMINDER = replace(_REMINDER, expected=_REMINDER.expected | dict.fromkeys(ROLES[:-1], 404))
_GONE = _REMINDER.expected | {"owner": 204}

COMMENT = f"{V1}/tasks/<task_id>/comments/<comment_id>"
ATTACHMENT = f"{V1}/tasks/<task_id>/attachments/<attachment_id>"


def only_owner(route: Route) -> Route:
    """The other roles may not: it is of the project's owner."""
    return replace(route, expected=route.expected | dict.fromkeys(ROLES[:-1], 403))


# The last administrator stays.
DELETION = Route(own(204).expected | {"admin": 409})

# Who may not restore a task does not see it in the trash.
_PURGE = project("manager", 204, f"{V1}/trash/{{trashed}}")
_PURGE_PROJECT = project("owner", 204, f"{V1}/trash/projects/{{trashed_project}}")
SEEN_BY_OWNERS = Route(_PURGE_PROJECT.expected | dict.fromkeys(ROLES[:-1], 404), _PURGE_PROJECT.path)
UNSEEN_TO_VIEWERS = Route(_PURGE.expected | {"viewer": 404, "commenter": 404}, _PURGE.path)

TABLE: dict[str, Route] = {
    # --- outside of the version
    "GET /health/live": public(200),
    "GET /health/ready": public(200),
    "GET /health": admin(200),
    "GET /metrics": admin(200),
    "GET /.well-known/jwks.json": public(200),
    "GET /docs": public(200),
    "GET /docs/errors": public(200),
    "GET /docs/errors/<code>": replace(public(200), path="/docs/errors/not_found"),
    "GET /docs/guide/": public(200),
    "GET /docs/guide/<name>": replace(public(404), path="/docs/guide/no-such-page"),
    "GET /docs/openapi-3.0.json": public(200),
    f"GET {V1}/openapi.json": public(200),
    "GET /": public(200),
    f"GET {V1}": public(200),
    f"GET {V1}/info": public(200),
    # --- registration, login, recovery
    f"POST {AUTH}/register": public(201, {"email": "new@example.com", "password": "some ordinary words", "name": "N"}),
    f"POST {AUTH}/login": public(401, CREDENTIALS),
    f"GET {AUTH}/oidc": public(200),
    f"GET {AUTH}/oidc/login": public(404),
    f"GET {AUTH}/oidc/callback": public(404),
    f"POST {AUTH}/totp": public(401, {"ticket": "x", "code": "000000"}),
    f"POST {AUTH}/refresh": public(401, {"refresh_token": "x"}),
    f"POST {AUTH}/logout": own(204),
    f"POST {AUTH}/verify-email": public(404, {"token": "x"}),
    f"POST {AUTH}/verify-email/request": public(202, {"email": "unknown@example.com"}),
    f"POST {AUTH}/password-reset": public(202, {"email": "unknown@example.com"}),
    f"POST {AUTH}/password-reset/confirm": public(404, {"token": "x", "password": "some ordinary words"}),
    # --- one's own account
    f"GET {ME}": own(200, sessions_only=False),
    f"PATCH {ME}": own(200, {"name": "Renamed"}, sessions_only=False),
    f"DELETE {ME}": DELETION,
    f"GET {ME}/export": own(200),
    f"POST {ME}/password": own(204, {"current_password": PASSWORD, "new_password": "some ordinary words"}),
    f"POST {ME}/email": own(202, {"email": "moved@example.com", "password": PASSWORD}),
    f"POST {ME}/email/confirm": public(404, {"token": "x"}),
    f"GET {ME}/sessions": own(200),
    f"POST {ME}/sessions/end": own(204, {}),
    f"GET {ME}/sessions/<session_id>": own(404, path=f"{ME}/sessions/{UNKNOWN_ID}"),
    f"DELETE {ME}/sessions/<session_id>": own(404, path=f"{ME}/sessions/{UNKNOWN_ID}"),
    f"GET {ME}/totp": own(200),
    f"POST {ME}/totp": own(200, {"password": PASSWORD}),
    f"POST {ME}/totp/confirm": own(409, {"code": "000000"}),
    f"POST {ME}/totp/recovery-codes": own(409, {"code": "000000"}),
    f"POST {ME}/totp/disable": own(409, {"password": PASSWORD, "code": "000000"}),
    f"POST {ME}/tokens": own(201, TOKEN),
    f"GET {ME}/tokens": own(200),
    f"GET {ME}/tokens/<token_id>": own(404, path=f"{ME}/tokens/{UNKNOWN_ID}"),
    f"DELETE {ME}/tokens/<token_id>": own(404, path=f"{ME}/tokens/{UNKNOWN_ID}"),
    # --- administration
    f"POST {V1}/service-accounts": admin(201, {"name": "Importer"}),
    f"GET {V1}/service-accounts": admin(200),
    f"GET {SERVICE}": admin(404, path=f"{V1}/service-accounts/{UNKNOWN_ID}"),
    f"PATCH {SERVICE}": admin(404, {"name": "Renamed"}, path=f"{V1}/service-accounts/{UNKNOWN_ID}"),
    f"POST {SERVICE}/tokens": admin(404, TOKEN, path=f"{V1}/service-accounts/{UNKNOWN_ID}/tokens"),
    f"GET {SERVICE}/tokens": admin(404, path=f"{V1}/service-accounts/{UNKNOWN_ID}/tokens"),
    f"GET {SERVICE}/tokens/<token_id>": admin(404, path=f"{V1}/service-accounts/{UNKNOWN_ID}/tokens/{UNKNOWN_ID}"),
    f"DELETE {SERVICE}/tokens/<token_id>": admin(404, path=f"{V1}/service-accounts/{UNKNOWN_ID}/tokens/{UNKNOWN_ID}"),
    f"GET {V1}/users": admin(200),
    f"POST {V1}/users": admin(201, {"email": "made@example.com", "name": "Made"}),
    f"GET {V1}/users/<user_id>": admin(404, path=f"{V1}/users/{UNKNOWN_ID}"),
    f"PATCH {V1}/users/<user_id>": admin(404, {"role": "user"}, path=f"{V1}/users/{UNKNOWN_ID}"),
    f"POST {V1}/users/<user_id>/sessions/end": admin(404, path=f"{V1}/users/{UNKNOWN_ID}/sessions/end"),
    f"POST {V1}/users/<user_id>/password-reset": admin(404, path=f"{V1}/users/{UNKNOWN_ID}/password-reset"),
    f"GET {V1}/audit": admin(200),
    f"PUT {V1}/maintenance": admin(200, {}),
    f"DELETE {V1}/maintenance": admin(204),
    f"PUT {V1}/message-of-the-day": admin(200, {"text": "Hello."}),
    f"DELETE {V1}/message-of-the-day": admin(204),
    f"GET {V1}/audit/<event_id>": admin(404, path=f"{V1}/audit/{UNKNOWN_ID}"),
    f"GET {ME}/events": own(200),
    # --- notifications
    f"GET {V1}/notifications": own(200, sessions_only=False, one_project=False),
    f"GET {V1}/notifications/<notification_id>": own(
        404, sessions_only=False, one_project=False, path=f"{V1}/notifications/{UNKNOWN_ID}"
    ),
    f"PUT {V1}/notifications/<notification_id>/read": own(
        404, sessions_only=False, one_project=False, path=f"{V1}/notifications/{UNKNOWN_ID}/read"
    ),
    f"DELETE {V1}/notifications/<notification_id>/read": own(
        404, sessions_only=False, one_project=False, path=f"{V1}/notifications/{UNKNOWN_ID}/read"
    ),
    f"GET {V1}/notifications/read": own(200, sessions_only=False, one_project=False),
    f"PUT {V1}/notifications/read": own(200, {}, sessions_only=False, one_project=False),
    f"GET {V1}/notifications/preferences": own(200, sessions_only=False, one_project=False),
    f"PATCH {V1}/notifications/preferences": own(200, {"level": "all"}, sessions_only=False, one_project=False),
    f"GET {V1}/notifications/unsubscribe": public(303, path=f"{V1}/notifications/unsubscribe?token=x"),
    f"POST {V1}/notifications/unsubscribe": public(404, path=f"{V1}/notifications/unsubscribe?token=x"),
    f"GET {ONE}/notifications": project("viewer", 200, "{project}/notifications"),
    f"PATCH {ONE}/notifications": project("viewer", 200, "{project}/notifications", {"muted": True}),
    f"GET {V1}/notifications/phone": own(200),
    f"PUT {V1}/notifications/phone": own(409, {"number": "+491701234567"}),
    f"POST {V1}/notifications/phone/confirm": own(404, {"code": "000000"}),
    f"DELETE {V1}/notifications/phone": own(404),
    # --- webhooks: of one's own, then those of projects
    f"POST {V1}/webhooks": own(201, HOOK, sessions_only=False, one_project=False),
    f"GET {V1}/webhooks": own(200, sessions_only=False, one_project=False),
    f"POST {ONE}/webhooks": project("manager", 201, "{project}/webhooks", HOOK),
    f"GET {ONE}/webhooks": project("manager", 200, "{project}/webhooks"),
    f"GET {V1}/webhooks/<webhook_id>": project("manager", 200, f"{V1}/webhooks/{{webhook}}"),
    f"PATCH {V1}/webhooks/<webhook_id>": project("manager", 200, f"{V1}/webhooks/{{webhook}}", {"active": False}),
    f"DELETE {V1}/webhooks/<webhook_id>": project("manager", 204, f"{V1}/webhooks/{{webhook}}"),
    f"PUT {V1}/webhooks/<webhook_id>/secret": project("manager", 200, f"{V1}/webhooks/{{webhook}}/secret", {}),
    f"POST {V1}/webhooks/<webhook_id>/test": project("manager", 202, f"{V1}/webhooks/{{webhook}}/test"),
    f"GET {V1}/webhooks/<webhook_id>/deliveries": project("manager", 200, f"{V1}/webhooks/{{webhook}}/deliveries"),
    f"GET {V1}/webhooks/<webhook_id>/deliveries/<delivery_id>": project(
        "manager", 200, f"{V1}/webhooks/{{webhook}}/deliveries/{{delivery}}"
    ),
    f"POST {V1}/webhooks/<webhook_id>/deliveries/<delivery_id>/replay": project(
        "manager", 409, f"{V1}/webhooks/{{webhook}}/deliveries/{{delivery}}/replay"
    ),
    # --- projects
    f"GET {V1}/projects": own(200, sessions_only=False),
    f"POST {V1}/projects": own(201, {"key": "NEW", "name": "New"}, sessions_only=False, one_project=False),
    f"GET {V1}/projects/<project_id>": project("viewer", 200, "{project}"),
    f"PATCH {V1}/projects/<project_id>": project("manager", 200, "{project}", {"name": "Renamed"}),
    f"DELETE {V1}/projects/<project_id>": project("owner", 204, "{project}"),
    f"POST {ONE}/restore": project("owner", 200, "{project}/restore"),
    f"DELETE {V1}/trash/projects/<project_id>": SEEN_BY_OWNERS,
    f"GET {V1}/projects/<project_id>/members": project("viewer", 200, "{project}/members"),
    f"POST {V1}/projects/<project_id>/members": project(
        "manager", 202, "{project}/members", {"email": "other@example.com", "role": "viewer"}
    ),
    f"GET {V1}/projects/<project_id>/members/<user_id>": project("viewer", 200, "{project}/members/{bystander}"),
    f"PATCH {V1}/projects/<project_id>/members/<user_id>": project(
        "manager", 200, "{project}/members/{bystander}", {"role": "commenter"}
    ),
    f"DELETE {V1}/projects/<project_id>/members/<user_id>": project("manager", 204, "{project}/members/{bystander}"),
    f"GET {ONE}/permissions": project("viewer", 200, "{project}/permissions"),
    f"POST {ONE}/transfer": project("owner", 200, "{project}/transfer", {"user_id": "{bystander}"}, sessions_only=True),
    f"POST {ONE}/invitations": project("manager", 201, "{project}/invitations", INVITATION),
    f"GET {ONE}/invitations": project("manager", 200, "{project}/invitations"),
    f"GET {ONE}/invitations/<invitation_id>": project("manager", 200, "{project}/invitations/{invitation}"),
    f"DELETE {ONE}/invitations/<invitation_id>": project("manager", 204, "{project}/invitations/{invitation}"),
    f"POST {ONE}/share-links": project("manager", 201, "{project}/share-links", {"role": "viewer"}, sessions_only=True),
    f"GET {ONE}/share-links": project("manager", 200, "{project}/share-links", sessions_only=True),
    f"GET {ONE}/share-links/<link_id>": project("manager", 200, "{project}/share-links/{link}", sessions_only=True),
    f"PATCH {ONE}/share-links/<link_id>": project(
        "manager", 200, "{project}/share-links/{link}", {"role": "commenter"}, sessions_only=True
    ),
    f"DELETE {ONE}/share-links/<link_id>": project("manager", 204, "{project}/share-links/{link}", sessions_only=True),
    f"PUT {ONE}/archive": project("manager", 200, "{project}/archive"),
    f"DELETE {ONE}/archive": project("manager", 200, "{project}/archive"),
    f"PUT {ONE}/position": project("manager", 422, "{project}/position", {"after": UNKNOWN_ID}),
    f"POST {ONE}/copy": _COPY,
    f"GET {ONE}/statuses": project("viewer", 200, "{project}/statuses"),
    f"PUT {ONE}/statuses": project("manager", 200, "{project}/statuses", WORKFLOW),
    f"GET {ONE}/labels": project("viewer", 200, "{project}/labels"),
    f"POST {ONE}/labels": project("member", 201, "{project}/labels", {"name": "bug"}),
    f"GET {ONE}/labels/<label_id>": project("viewer", 200, "{project}/labels/{label}"),
    f"PATCH {ONE}/labels/<label_id>": project("member", 200, "{project}/labels/{label}", {"name": "x"}),
    f"DELETE {ONE}/labels/<label_id>": project("member", 204, "{project}/labels/{label}"),
    f"GET {ONE}/custom-fields": project("viewer", 200, "{project}/custom-fields"),
    f"POST {ONE}/custom-fields": project("manager", 201, "{project}/custom-fields", FIELD),
    f"GET {ONE}/custom-fields/<field_id>": project("viewer", 200, "{project}/custom-fields/{field}"),
    f"PATCH {ONE}/custom-fields/<field_id>": project("manager", 200, "{project}/custom-fields/{field}", {"name": "x"}),
    f"DELETE {ONE}/custom-fields/<field_id>": project("manager", 204, "{project}/custom-fields/{field}"),
    # --- invitations received, links opened
    f"GET {V1}/invitations": own(200),
    f"POST {V1}/invitations/<invitation_id>/accept": own(404, path=f"{V1}/invitations/{UNKNOWN_ID}/accept"),
    f"POST {V1}/invitations/<invitation_id>/refuse": own(404, path=f"{V1}/invitations/{UNKNOWN_ID}/refuse"),
    f"POST {V1}/invitations/accept": own(404, {"token": "x"}),
    f"POST {V1}/invitations/refuse": public(404, {"token": "x"}),
    f"POST {V1}/share-links/open": public(401, {"token": "tl_x"}),
    # --- tasks
    f"GET {V1}/tasks": own(200, sessions_only=False),
    f"GET {V1}/projects/<project_id>/tasks": project("viewer", 200, "{project}/tasks"),
    f"POST {V1}/projects/<project_id>/tasks": project("member", 201, "{project}/tasks", {"title": "New"}),
    f"GET {V1}/tasks/<task_id>": project("viewer", 200, "{task}"),
    f"GET {V1}/tasks/by-key/<key>": project("viewer", 200, f"{V1}/tasks/by-key/{{key}}"),
    f"POST {V1}/tasks/<task_id>/restore": project("member", 200, "{task}/restore"),
    f"GET {V1}/tasks/<task_id>/activity": project("viewer", 200, "{task}/activity"),
    # the caller's role decides for each operation: what they may not see is a 404
    f"POST {V1}/tasks/bulk": project(
        "member", 200, f"{V1}/tasks/bulk", {"operations": [{"op": "complete", "task_id": "{task_id}"}]}
    ),
    f"POST {V1}/tasks/quick": own(
        422, {"text": "Pay rent", "project_id": UNKNOWN_ID}, sessions_only=False, path=f"{V1}/tasks/quick"
    ),
    f"GET {V1}/tasks/<task_id>/comments": project("viewer", 200, "{task}/comments"),
    f"POST {V1}/tasks/<task_id>/comments": project("commenter", 201, "{task}/comments", {"text": "Fine"}),
    f"GET {COMMENT}": project("viewer", 200, "{task}/comments/{comment}"),
    f"PATCH {COMMENT}": only_owner(project("viewer", 200, "{task}/comments/{comment}", {"text": "x"})),
    f"DELETE {COMMENT}": project("manager", 204, "{task}/comments/{comment}"),
    f"GET {COMMENT}/history": project("viewer", 200, "{task}/comments/{comment}/history"),
    f"PUT {COMMENT}/reactions/<emoji>": project("commenter", 200, "{task}/comments/{comment}/reactions/+1"),
    f"DELETE {COMMENT}/reactions/<emoji>": project("commenter", 200, "{task}/comments/{comment}/reactions/+1"),
    f"GET {V1}/tasks/<task_id>/attachments": project("viewer", 200, "{task}/attachments"),
    # a body that is no form: who may not attach files is told so as late as what is wrong with it
    f"POST {V1}/tasks/<task_id>/attachments": own(415, {}, sessions_only=False, path="{task}/attachments"),
    f"GET {ATTACHMENT}": project("viewer", 200, "{task}/attachments/{attachment}"),
    f"DELETE {ATTACHMENT}": project("manager", 204, "{task}/attachments/{attachment}"),
    f"GET {ATTACHMENT}/content": project("viewer", 200, "{task}/attachments/{attachment}/content"),
    f"GET {V1}/tasks/<task_id>/occurrences": project("viewer", 200, "{task}/occurrences"),
    f"GET {V1}/tasks/<task_id>/reminders": project("viewer", 200, "{task}/reminders"),
    f"POST {V1}/tasks/<task_id>/reminders": project("viewer", 201, "{task}/reminders", REMINDER),
    f"GET {V1}/tasks/<task_id>/reminders/<reminder_id>": _REMINDER,
    f"PUT {V1}/tasks/<task_id>/reminders/<reminder_id>": replace(_REMINDER, body=REMINDER),
    f"DELETE {V1}/tasks/<task_id>/reminders/<reminder_id>": replace(_REMINDER, expected=_GONE),
    f"GET {V1}/tasks/<task_id>/subtasks": project("viewer", 200, "{task}/subtasks"),
    f"GET {V1}/tasks/<task_id>/relations": project("viewer", 200, "{task}/relations"),
    f"POST {V1}/tasks/<task_id>/relations": project(
        "member", 201, "{task}/relations", {"kind": "blocks", "task_id": "{second}"}
    ),
    f"GET {V1}/tasks/<task_id>/relations/<relation_id>": project("viewer", 200, "{task}/relations/{relation}"),
    f"DELETE {V1}/tasks/<task_id>/relations/<relation_id>": project("member", 204, "{task}/relations/{relation}"),
    f"PUT {V1}/tasks/<task_id>/position": project("member", 200, "{task}/position", {"at": "last"}),
    f"POST {V1}/tasks/<task_id>/move": project("member", 422, "{task}/move", {"project_id": UNKNOWN_ID}),
    f"GET {V1}/tasks/<task_id>/watchers": project("viewer", 200, "{task}/watchers"),
    f"PUT {V1}/tasks/<task_id>/watchers/<user_id>": project("member", 204, "{task}/watchers/{bystander}"),
    f"DELETE {V1}/tasks/<task_id>/watchers/<user_id>": project("member", 204, "{task}/watchers/{bystander}"),
    f"GET {V1}/sync": own(200, sessions_only=False),
    f"GET {V1}/stream": own(307, sessions_only=False),
    f"POST {V1}/sync/writes": own(
        200, {"writes": [{"mutation_id": "m", "method": "DELETE", "path": f"/tasks/{UNKNOWN_ID}"}]}, sessions_only=False
    ),
    f"GET {ME}/calendar": own(404),
    f"PUT {ME}/calendar": own(200),
    f"DELETE {ME}/calendar": own(204),
    f"GET {ME}/calendar.ics": public(404, path=f"{ME}/calendar.ics?token=x"),
    f"GET {V1}/projects/<project_id>/calendar": project("viewer", 404, "{project}/calendar", sessions_only=True),
    f"GET {V1}/projects/<project_id>/calendar.ics": public(
        404, path=f"{V1}/projects/{UNKNOWN_ID}/calendar.ics?token=x"
    ),
    f"POST {V1}/stream/tickets": own(201, sessions_only=False),
    f"GET {V1}/views": own(200, sessions_only=False),
    f"POST {V1}/views": own(201, {"name": "Mine"}, sessions_only=False),
    f"GET {V1}/views/<view_id>": own(404, sessions_only=False, path=f"{V1}/views/{UNKNOWN_ID}"),
    f"PATCH {V1}/views/<view_id>": own(404, {"name": "x"}, sessions_only=False, path=f"{V1}/views/{UNKNOWN_ID}"),
    f"DELETE {V1}/views/<view_id>": own(404, sessions_only=False, path=f"{V1}/views/{UNKNOWN_ID}"),
    f"GET {V1}/views/<view_id>/tasks": own(404, sessions_only=False, path=f"{V1}/views/{UNKNOWN_ID}/tasks"),
    f"GET {ONE}/views": project("viewer", 200, "{project}/views"),
    f"POST {ONE}/views": project("member", 201, "{project}/views", {"name": "Ours", "shared": True}),
    f"GET {ONE}/views/<view_id>": project("viewer", 200, "{project}/views/{view}"),
    f"PATCH {ONE}/views/<view_id>": project("manager", 200, "{project}/views/{view}", {"name": "x"}),
    f"DELETE {ONE}/views/<view_id>": project("manager", 204, "{project}/views/{view}"),
    f"GET {ONE}/views/<view_id>/tasks": project("viewer", 200, "{project}/views/{view}/tasks"),
    f"GET {ONE}/facets": project("viewer", 200, "{project}/facets"),
    f"GET {ONE}/stats": project("viewer", 200, "{project}/stats"),
    f"GET {V1}/tasks/facets": own(200, sessions_only=False),
    f"GET {V1}/tasks/stats": own(200, sessions_only=False),
    f"GET {V1}/search": own(200, sessions_only=False, path=f"{V1}/search?q=x"),
    f"GET {V1}/trash": own(200, sessions_only=False),
    f"DELETE {V1}/trash/<task_id>": UNSEEN_TO_VIEWERS,
    f"PATCH {V1}/tasks/<task_id>": project("member", 200, "{task}", {"title": "Changed"}),
    f"DELETE {V1}/tasks/<task_id>": project("member", 204, "{task}"),
    f"PUT {V1}/tasks/<task_id>/completion": project("member", 200, "{task}/completion"),
    f"DELETE {V1}/tasks/<task_id>/completion": project("member", 200, "{task}/completion"),
}


def _of_owner(status: int, body: Any = None, *, path: str) -> Route:
    return Route({"owner": status}, path, body)


def _of_admin(status: int, body: Any = None, *, path: str) -> Route:
    return Route({"owner": 403, "admin": status}, path, body)


# What the table asks of things that no one has is asked here of things that are there: preconditions are of these.
REVISED: dict[str, Route] = {
    f"DELETE {ME}/sessions/<session_id>": _of_owner(204, path=f"{ME}/sessions/{{session}}"),
    f"DELETE {ME}/tokens/<token_id>": _of_owner(204, path=f"{ME}/tokens/{{token}}"),
    f"PATCH {V1}/views/<view_id>": _of_owner(200, {"name": "x"}, path=f"{V1}/views/{{own_view}}"),
    f"DELETE {V1}/views/<view_id>": _of_owner(204, path=f"{V1}/views/{{own_view}}"),
    f"PATCH {SERVICE}": _of_admin(200, {"name": "Renamed"}, path=f"{V1}/service-accounts/{{account}}"),
    f"DELETE {SERVICE}/tokens/<token_id>": _of_admin(
        204, path=f"{V1}/service-accounts/{{account}}/tokens/{{account_token}}"
    ),
    f"PATCH {V1}/users/<user_id>": _of_admin(200, {"role": "user"}, path=f"{V1}/users/{{bystander}}"),
}


def preconditioned() -> set[str]:
    """The routes that need If-Match, by the document that is made from their declarations."""
    document = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())
    return {
        f"{method.upper()} {_rule(path)}"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if method in ("patch", "put", "delete") and "428" in operation["responses"]
    }


def _rule(path: str) -> str:
    return re.sub(r"{(\w+)}", r"<\1>", path if path.startswith(V1) else V1 + path)


def lines() -> Iterable[str]:
    """The table as text."""
    wide = max(map(len, TABLE))
    conditional = preconditioned()
    yield " " * wide + "  " + " ".join(f"{who[:13]:>13}" for who in (*WHO, "stale ETag", "no If-Match"))
    for name, route in TABLE.items():
        got = [*(route.expected[who] for who in WHO), *((412, 428) if name in conditional else ("", ""))]
        yield f"{name:<{wide}}  " + " ".join(f"{status:>13}" for status in got)


if __name__ == "__main__":
    print("\n".join(lines()))
