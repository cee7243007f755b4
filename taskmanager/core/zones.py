"""Time zones, by their names in the IANA database.

Which names there are comes from the package `tzdata`, whatever the machine has, so that every instance of the service
knows the same ones.
"""

from importlib import resources
from zoneinfo import ZoneInfo

DEFAULT = "UTC"
NAMES = tuple(sorted(resources.files("tzdata").joinpath("zones").read_text("utf-8").split()))


def zone(name: str | None) -> ZoneInfo:
    """The zone of this name; UTC for None. Raises ZoneInfoNotFoundError."""
    return ZoneInfo(name or DEFAULT)
