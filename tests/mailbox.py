"""See `taskmanager.testing.mailbox`."""

from taskmanager.testing.mailbox import *  # noqa: F403
