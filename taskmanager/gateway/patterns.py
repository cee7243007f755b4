"""Patterns of paths by which NGINX finds the service of a request, made of the routes that the features declare.

The routes form a tree of path segments. A pattern is needed only where the service changes on the way down, so that
a hundred and sixty routes become about twenty patterns, and new routes below them need no new pattern.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from taskmanager.core.errors import Misconfigured

_VARIABLE = "[^/]+"
_REST = ".*"  # a converter that takes slashes
_VARIABLES = {_VARIABLE, _REST}


@dataclass
class PathNode:
    """A path segment, and what is below it; `services` counts the routes that end here, by service."""

    children: dict[str, "PathNode"] = field(default_factory=dict)
    services: Counter[str] = field(default_factory=Counter)

    def counted(self) -> Counter[str]:
        """Return how many routes of each service are in this part of the tree."""
        return sum((child.counted() for child in self.children.values()), Counter(self.services))


def service_patterns(routes: Iterable[tuple[str, str]], default: str) -> list[tuple[str, str]]:
    """Return (pattern, service), most specific first, for routes as (rule of Flask, service).

    A pattern matches the path of its routes and everything below it; what no pattern matches belongs to `default`.
    Raises Misconfigured when two services have a route at one path, because a gateway cannot tell them apart.
    """
    root = PathNode()
    for rule, service in routes:
        node = root
        for segment in segments(rule):
            node = node.children.setdefault(segment, PathNode())
        node.services[service] += 1
        if len(node.services) > 1:
            raise Misconfigured(f"the services {' and '.join(sorted(node.services))} both have routes at {rule}")
    return list(_patterns(root, "", default))


def segments(rule: str) -> list[str]:
    """Return the patterns of the segments of a rule such as `/tasks/<objectid:task_id>`."""
    return [_segment(part) for part in rule.split("/")[1:]]


def exact_pattern(rule: str) -> str:
    """Return the pattern of the path of one route."""
    return "^/" + "/".join(segments(rule)) + "/?$"


def _segment(part: str) -> str:
    if not part.startswith("<"):
        return re.escape(part)
    return _REST if part.startswith("<path:") else _VARIABLE


def _patterns(node: PathNode, path: str, inherited: str) -> Iterator[tuple[str, str]]:
    """Yield the patterns below `path`: deeper ones first, and segments with a fixed text before variable ones."""
    service = _main_service(node) if path else inherited
    different = {name for name, child in node.children.items() if set(child.counted()) != {service}}
    if different & _VARIABLES:  # the pattern of a variable would also match the fixed texts beside it
        different |= node.children.keys()
    for name in sorted(different, key=lambda name: (name in _VARIABLES, name)):
        before = "" if different & _VARIABLES and name not in _VARIABLES else service
        yield from _patterns(node.children[name], f"{path}/{name}", before)
    if path and service != inherited:
        yield f"^{path}(?:/|$)", service


def _main_service(node: PathNode) -> str:
    """Return the service of the route that ends here, else that of most routes below."""
    return next(iter(node.services or dict(node.counted().most_common(1))))
