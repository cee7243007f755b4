"""Every status that the API answers with in any test is one that its OpenAPI document tells of."""

import json
import re
from functools import cache
from pathlib import Path

from flask import Flask, Response, request

undocumented: set[str] = set()


def watch(app: Flask) -> Flask:
    """Note each answer of this application that its document does not tell of."""
    app.after_request(_note)
    return app


def _note(response: Response) -> Response:
    rule = request.url_rule
    method = "get" if request.method == "HEAD" else request.method.lower()
    known = rule and _operations(rule.rule).get(method)
    # 421 is for whoever goes round the gateway of services apart: clients of the API never see it
    if known and response.status_code not in (421, 500) and str(response.status_code) not in known:
        undocumented.add(f"{request.method} {rule} → {response.status_code}")
    return response


@cache
def _operations(rule: str) -> dict[str, set[str]]:
    return _statuses().get(re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule), {})


@cache
def _statuses() -> dict[str, dict[str, set[str]]]:
    """Read the document that is kept with the code: a test of its own compares it with what the code describes."""
    paths = json.loads((Path(__file__).parents[1] / "docs" / "openapi.json").read_text())["paths"].items()
    return {
        path: {method: set(operation["responses"]) for method, operation in item.items() if method != "parameters"}
        for path, item in paths
    }
