"""Sync: copies of what a caller sees, for clients that work offline."""

from taskmanager.feature import Feature
from taskmanager.features.sync import errors, routes

FEATURE = Feature("sync", errors=errors.CODES, blueprints=(routes.blp,))
