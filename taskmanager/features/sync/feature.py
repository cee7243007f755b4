"""Sync: copies of what a caller sees, for clients that work offline; and the live stream, which has its own process."""

from taskmanager.feature import Feature
from taskmanager.features.sync import errors, routes
from taskmanager.features.sync.writes import routes as writes

FEATURE = Feature("sync", errors=errors.CODES, blueprints=(routes.blp, writes.blp))
STREAM = Feature("stream", service="stream", blueprints=(routes.live_blp,))
