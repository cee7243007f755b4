"""Time zones, by their names in the IANA database.

The names come from the package `tzdata` and not from the machine, so that every instance of the service knows the same
zones.
"""

from importlib import resources
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DEFAULT = "UTC"
NAMES = tuple(sorted(resources.files("tzdata").joinpath("zones").read_text("utf-8").split()))


def zone(name: str | None) -> ZoneInfo:
    """Return the zone of this name; UTC for None, and for a stored name that a later IANA database no longer has."""
    try:
        return ZoneInfo(name or DEFAULT)
    except ZoneInfoNotFoundError:
        return ZoneInfo(DEFAULT)
