"""The names of the installed plugins, without loading any: entry points in the group `taskmanager.plugins`."""

from importlib.metadata import EntryPoint, entry_points

GROUP = "taskmanager.plugins"


def installed() -> list[EntryPoint]:
    """Return the entry points of all plugins, in the order of their names."""
    return sorted(entry_points(group=GROUP), key=lambda point: point.name)
