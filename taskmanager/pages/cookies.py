"""The cookie of the pages: a signed value with the session of a login, and the token of its forms.

The pages for operators are an area with a cookie of its own. Browsers send each to its area only, and the API does not
read it. The session is that of any login: users find it in
the list of their sessions, and whatever ends it ends the login here.
"""

import hmac
import secrets
from dataclasses import dataclass
from typing import Any, cast

from bson import ObjectId
from flask import Response, g, request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from taskmanager.core.configuration import settings
from taskmanager.core.errors import Forbidden, Unauthenticated
from taskmanager.core.http.links import OPS, PAGES
from taskmanager.core.security.access import Actor
from taskmanager.web.authentication.actors import current_actor, use_claim
from taskmanager.web.authentication.credentials import Credential, CredentialClaim
from taskmanager.web.urls import mounted

FIELD = "form_token"  # of each form
_TRUSTED_SITES = ("same-origin", "none")  # Fetch Metadata: "none" is a request that no site caused


@dataclass(frozen=True)
class PageCookie:
    """The content of the cookie: the token of its forms and, after a login, the account and its session."""

    form_token: str
    user_id: str = ""
    session_id: str = ""

    def credential(self) -> Credential | None:
        """Return the session; None before a login."""
        return Credential(ObjectId(self.user_id), ObjectId(self.session_id)) if self.session_id else None


def area() -> str:
    """Return the path below which the page of this request lies: that of the pages for operators, or for all."""
    return OPS if is_below(OPS) else PAGES


def is_below(path: str) -> bool:
    """Return whether this request is for the path or one below it."""
    return request.path == path or request.path.startswith(f"{path}/")


def open_cookie() -> None:
    """Read the cookie of this request: its session is that of the request, whose Authorization header is ignored."""
    g.page_cookie = g.page_cookie_sent = found = _read(request.cookies.get(_name(), ""))
    use_claim(CredentialClaim(found.credential() if found else None))


def actor() -> Actor | None:
    """Return the actor who is logged in; None without a login, and for a session that has ended."""
    try:
        return current_actor()
    except Unauthenticated:
        return None


def form_token() -> str:
    """Return the token that each form of this browser contains; the first one sets the cookie."""
    if g.page_cookie is None:
        g.page_cookie = PageCookie(secrets.token_urlsafe(16))
    return cast(PageCookie, g.page_cookie).form_token


def check_form() -> None:
    """Raise Forbidden (`page.form_expired`) unless a page of this service sent the form, to this browser."""
    known = g.page_cookie and g.page_cookie.form_token
    same = bool(known) and hmac.compare_digest(request.form.get(FIELD, "").encode(), known.encode())
    if not same or request.headers.get("Sec-Fetch-Site", "none") not in _TRUSTED_SITES:
        raise Forbidden("This form has expired: open the page again.", code="page.form_expired")


def begin(user_id: ObjectId, session_id: ObjectId) -> None:
    """Log this browser in; forms from before have another token."""
    g.page_cookie = PageCookie(secrets.token_urlsafe(16), str(user_id), str(session_id))


def end() -> None:
    """Log this browser out."""
    g.page_cookie = None


def save(response: Response) -> Response:
    """Set or delete the cookie if it changed in this request."""
    if "page_cookie" not in g or g.page_cookie == g.page_cookie_sent:
        return response
    cookie, seconds = g.page_cookie, _seconds() if g.page_cookie else 0
    value = _signer().dumps(vars(cookie)) if cookie else ""
    place: dict[str, Any] = {"path": mounted(area()), "samesite": "Strict" if area() == OPS else "Lax"}
    response.set_cookie(_name(), value, max_age=seconds, secure=_is_secure(), httponly=True, **place)
    return response


def _name() -> str:
    return f"taskmanager_{area()[1:]}"


def _read(text: str) -> PageCookie | None:
    try:
        return PageCookie(**_signer().loads(text, max_age=_seconds()))
    except (BadSignature, TypeError):  # a later release may store other fields
        return None


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(settings.current().secret(), salt=f"taskmanager.{area()[1:]}")


def _seconds() -> int:
    return settings.current().page_session_hours * 3600


def _is_secure() -> bool:
    return request.is_secure or settings.current().base_url.startswith("https://")
