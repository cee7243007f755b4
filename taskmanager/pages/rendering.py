"""Render pages: Jinja2 templates with the language of the reader, and headers that let a page do nothing else."""

import hashlib
import re
from functools import cache, partial
from importlib.resources import files
from typing import Any

import jinja2
from flask import Response
from markupsafe import Markup

from taskmanager.core import zones
from taskmanager.core.configuration import settings
from taskmanager.core.http.links import PAGES
from taskmanager.core.localization import languages
from taskmanager.features.comments.markdown import to_html
from taskmanager.features.projects import titles
from taskmanager.features.users import service as users
from taskmanager.pages import cookies
from taskmanager.web import answers
from taskmanager.web.urls import mounted

MAX_FORMATTED_CHARACTERS = 5_000  # at each GET; hostile texts take time that grows with the square of their length
STYLE = (files("taskmanager.pages") / "style.css").read_bytes()
STYLE_DIGEST = hashlib.blake2b(STYLE, digest_size=8).hexdigest()
_HEADING = re.compile(r"<(/?)h([1-6])>")
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",  # there are tokens in addresses
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}


def render(template: str, status: int = 200, **context: Any) -> Response:
    """Return a page with the name of the user who is logged in, if there is one."""
    actor = cookies.actor()
    profile = users.public_profiles([actor.user_id]).get(actor.user_id, {}) if actor else {}
    timezone = actor.timezone if actor else zones.DEFAULT
    times = {
        "moment": partial(languages.moment, timezone=timezone),
        "due": partial(languages.due_text, timezone=timezone),
    }
    return render_for(profile.get("name"), template, status, form_token=cookies.form_token, **times, **context)


def render_for(user_name: str | None, template: str, status: int = 200, **context: Any) -> Response:
    """Return a page without reading anything."""
    known = {"language": languages.current(), "user_name": user_name, "url": url, "field": cookies.FIELD}
    known |= {"service": settings.current().service_name}
    html = _templates().get_template(template).render(known | context)
    return secured(Response(html, status, content_type="text/html; charset=utf-8"))


def secured(response: Response) -> Response:
    """Return a response with the headers of all pages; no cache may store it."""
    response.headers.update(_HEADERS)
    response.headers["Content-Language"] = languages.current()
    response.vary.update(("Cookie", "Accept-Language"))
    return answers.unstored(response)


def url(path: str = "") -> str:
    """Return the path of a page as the browser knows it."""
    return mounted(cookies.area() + path)


def formatted(text: str) -> Markup:
    """Return Markdown as HTML, like that of a comment; a long text is shown as it was written."""
    if len(text) > MAX_FORMATTED_CHARACTERS:
        return Markup('<div class="written">{}</div>').format(text)
    return below_headings(to_html(text))


def below_headings(html: str) -> Markup:
    """Return sanitized HTML with its headings below those of the page, which has one of the first level."""
    return Markup(_HEADING.sub(lambda found: f"<{found[1]}h{min(int(found[2]) + 2, 6)}>", html))  # noqa: S704


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("taskmanager.pages"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        languages.gettext, languages.plural_form, newstyle=True
    )
    environment.filters |= {"formatted": formatted, "below_headings": below_headings}
    environment.globals |= {"role_name": titles.of_role, "priority_name": titles.of_priority}
    environment.globals["style"] = lambda: mounted(f"{PAGES}/assets/{STYLE_DIGEST}/style.css")
    return environment
