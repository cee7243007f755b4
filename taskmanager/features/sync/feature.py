"""Sync: copies of what a caller sees, for clients that work offline."""

from taskmanager.feature import Feature
from taskmanager.features.sync import routes

FEATURE = Feature("sync", blueprints=(routes.blp,))
