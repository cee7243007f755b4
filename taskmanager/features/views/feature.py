"""Saved views of tasks."""

from taskmanager.feature import Feature
from taskmanager.features.tasks.permissions import ViewAction
from taskmanager.features.views import routes

FEATURE = Feature("views", blueprints=(routes.blp,), permissions=(ViewAction,))
