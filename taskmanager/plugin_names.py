"""The names of the installed plugins, without loading any: entry points in the group `taskmanager.plugins`."""

import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points

GROUP = "taskmanager.plugins"


def installed() -> list[EntryPoint]:
    """Return the entry points of all plugins, in the order of their names."""
    return list(_installed_in(tuple(sys.path)))


@cache
def _installed_in(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Read the files of all installed packages, some hundreds, once for each search path."""
    return tuple(sorted(entry_points(group=GROUP), key=lambda point: point.name))
