"""See `taskmanager.testing.factories`."""

from taskmanager.testing.factories.things import *  # noqa: F403
