"""Copies of projects and their tasks."""

from taskmanager.feature import Feature
from taskmanager.features.templates import routes

FEATURE = Feature("templates", blueprints=(routes.blp,))
