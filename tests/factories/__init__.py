"""See `taskmanager.testing.factories`."""

from taskmanager.testing.factories import *  # noqa: F403
