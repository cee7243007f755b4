"""The routes of this release, for operators."""

from flask import Flask

from taskmanager.api import service_guard
from taskmanager.core import registry

_OUTSIDE = "api"  # of the routes that no feature has


def routes(app: Flask) -> list[dict[str, str]]:
    """Return {method, rule, endpoint, feature, service} of each route of an application, by rule."""
    owners = {
        f"{prefix}{blueprint.name}": feature.name
        for feature in registry.current().features
        for blueprint in feature.blueprints
        for prefix in (f"x_{feature.name}_" if feature.is_plugin else "v1_",)
    }
    found = []
    for rule in app.url_map.iter_rules():
        feature = owners.get(rule.endpoint.partition(".")[0], _OUTSIDE)
        service = service_guard.service_of(app, rule.endpoint)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            row = {"method": method, "rule": rule.rule, "endpoint": rule.endpoint}
            found.append(row | {"feature": feature, "service": service})
    return sorted(found, key=lambda row: (row["rule"], row["method"]))
