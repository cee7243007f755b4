"""See `taskmanager.testing.factories`."""

from taskmanager.testing.factories.actors import *  # noqa: F403
