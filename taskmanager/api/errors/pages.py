"""The pages about errors at `/docs/errors`: one for each code, which `type` of an error names, and their list."""

from importlib.resources import files
from typing import Any

import jinja2
import orjson
from flask import Response, abort
from markupsafe import Markup

from taskmanager.core.error_codes import ERROR_CODES, ErrorCode
from taskmanager.web.answers import cached
from taskmanager.web.openapi.components import example_of
from taskmanager.web.urls import mounted

_FOLDER = files("taskmanager.api") / "docs_page"
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def _with_code(text: str) -> Markup:
    """Return HTML of a text, in which what stands between backticks is code."""
    parts = [Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(text.split("`"))]
    return Markup("").join(parts)


def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (_FOLDER / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["with_code"] = _with_code
    return made


_ENVIRONMENT = _environment()


def index(style: str) -> Response:
    """Return the list of all codes, by status. `style` is the path of the style sheet."""
    codes = sorted(ERROR_CODES.values(), key=lambda code: (code.status, code.item, code.name))
    return _page("errors.html", style, codes=codes)


def page(name: str, style: str, operations: list[dict[str, str]]) -> Response:
    """Return the page of a code; `operations` are those that return it. Raises NotFound for an unknown code."""
    code: ErrorCode | None = ERROR_CODES.get(name)
    if code is None:
        abort(404)
    example = orjson.dumps(example_of(code), option=orjson.OPT_INDENT_2).decode()
    return _page("error.html", style, code=code, example=example, operations=operations)


def render(template: str, **values: Any) -> bytes:
    """Return the HTML of a template of `docs_page/`."""
    return _ENVIRONMENT.get_template(template).render(base=mounted("/docs"), **values).encode()


def _page(template: str, style: str, **values: Any) -> Response:
    response = cached(render(template, style=style, **values), "text/html; charset=utf-8", seconds=0)
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
