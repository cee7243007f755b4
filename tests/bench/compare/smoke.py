"""Each server gives the same answers, in the fields that are compared, or nothing is measured."""

from datetime import datetime
from typing import Any

import orjson

from taskmanager.features.tasks.models import PRIORITIES
from tests.bench.compare.endpoints import ENDPOINTS, Targets
from tests.bench.compare.servers import Server

COMPARED = ("id", "key", "project_id", "title", "status", "status_group", "priority", "label_ids", "assignee_ids")
COMPARED += ("reporter_id", "due", "estimate_minutes", "custom_fields", "created_at", "updated_at", "revision")
_WRITTEN = ("project_id", "status", "status_group", "priority", "label_ids")


class Different(Exception):
    """A server answers something else than ours."""


def compare(targets: Targets, ours: Server, other: Server) -> None:
    """Send one request of each endpoint to both. Raises Different."""
    for endpoint in ENDPOINTS:
        if other.name in endpoint.without:
            continue
        state = targets.changed
        found = []
        for server in (ours, other):
            targets.changed = state
            targets.random.seed(1)
            request = endpoint.build(targets, server, 1)[0]
            status, _, body = server.send(request)
            if status != endpoint.status:
                raise Different(f"{server.name}: {endpoint.name} is {status} and not {endpoint.status}: {body[:500]!r}")
            found.append(_comparable(endpoint.name, body, other.name == "eve"))
        if found[0] != found[1]:
            raise Different(f"{other.name} answers {endpoint.name} otherwise:\n{_difference(*found)}")


def _comparable(name: str, body: bytes, without_nulls: bool) -> Any:
    if not body:
        return None
    answer = orjson.loads(body)
    if name in ("stats", "facets"):
        rows = answer["by_status" if name == "stats" else "status"]
        return {row.get("_id") or row.get("status") or row.get("value"): row["count"] for row in rows}
    if name in ("post", "patch"):
        if "title" not in answer:  # Eve answers only its own fields
            return None if without_nulls else answer
        return None if without_nulls else {field: _value(answer, field) for field in _WRITTEN}
    items = answer.get("items", answer.get("_items"))
    shown = [answer] if items is None else items
    if items is not None and not items:
        raise Different(f"{name} has no items")
    return [{field: _value(item, field) for field in COMPARED} for item in shown]


def _value(item: dict[str, Any], field: str) -> Any:
    value = item.get(field, item.get("_id") if field == "id" else None)
    if field in ("created_at", "updated_at"):
        return datetime.fromisoformat(value)
    return PRIORITIES[value] if field == "priority" and isinstance(value, int) else value


def _difference(one: Any, other: Any) -> str:
    if not isinstance(one, list) or not isinstance(other, list):
        return f"{one}\n{other}"
    pairs = [f"{a}\n{b}" for a, b in zip(one, other, strict=False) if a != b]
    return pairs[0] if pairs else f"{len(one)} items and {len(other)}"
