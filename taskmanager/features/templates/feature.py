"""Copies of projects and their tasks."""

from taskmanager.feature import Feature
from taskmanager.features.templates import errors, routes

FEATURE = Feature("templates", errors=errors.CODES, blueprints=(routes.blp,))
