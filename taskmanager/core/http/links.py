"""The links that the service writes into mails, notifications, text messages and chat.

All of them are made here. They lead to the operator's front end where a pattern in the settings says so, else to the
service's own pages (`taskmanager/pages`).
"""

from urllib.parse import urlencode

from bson import ObjectId

from taskmanager.core.configuration import link_patterns, settings

PAGES = "/pages"  # the path of the service's own pages
OPS = "/ops"  # the path of the pages for operators


def task(task_id: ObjectId, *, key: str, project_id: ObjectId) -> str:
    """Return the link to a task."""
    return _link("task", f"/tasks/{task_id}", id=task_id, key=key, project_id=project_id)


def project(project_id: ObjectId) -> str:
    """Return the link to a project."""
    return _link("project", f"/projects/{project_id}", id=project_id)


def confirmation(token: str) -> str:
    """Return the link that confirms the address of an account."""
    return _link("confirm", _with_token("/confirm", token), token=token)


def address_change(token: str) -> str:
    """Return the link that confirms a change of address."""
    return _link("address_change", _with_token("/address-change", token), token=token)


def password_reset(token: str) -> str:
    """Return the link that sets a new password."""
    return _link("reset", _with_token("/reset", token), token=token)


def forgotten_password() -> str:
    """Return the link to the page that requests a mail to set a new password."""
    return page("/forgotten-password")


def invitation(invitation_id: ObjectId, token: str = "") -> str:
    """Return the link to an invitation; without a token, that of an account, which accepts after a login."""
    own = f"/invitations/{invitation_id}"
    pattern = settings.current().link_pattern("invitation")
    if not token and pattern and "id" not in link_patterns.names_in(pattern):
        return page(own)
    return _link("invitation", _with_token(own, token) if token else own, id=invitation_id, token=token)


def unsubscribing(token: str) -> str:
    """Return the link that asks whether to unsubscribe from mails of a kind."""
    return _link("unsubscribe", _with_token("/unsubscribe", token), token=token)


def one_click_unsubscribing(token: str) -> str:
    """Return the URL to which mail programs send a one-click "unsubscribe" (RFC 8058): always the API's."""
    return api(_with_token("/notifications/unsubscribe", token))


def api(path: str) -> str:
    """Return the absolute URL of a path of the API, version 1."""
    return f"{settings.current().base_url}/api/v1{path}"


def page(path: str = "") -> str:
    """Return the absolute URL of a page of the service."""
    return f"{settings.current().base_url}{PAGES}{path}"


def _link(name: str, own: str, **values: object) -> str:
    pattern = settings.current().link_pattern(name)
    return link_patterns.fill(pattern, values) if pattern else page(own)


def _with_token(path: str, token: str) -> str:
    return f"{path}?{urlencode({'token': token})}"
