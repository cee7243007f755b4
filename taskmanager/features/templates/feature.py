"""Copies of projects and tasks."""

from taskmanager.feature import Feature
from taskmanager.features.templates import routes

FEATURE = Feature("templates", blueprints=(routes.blp,))
