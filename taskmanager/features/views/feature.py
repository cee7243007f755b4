"""Saved views of tasks."""

from taskmanager.feature import Feature
from taskmanager.features.views import errors, routes
from taskmanager.features.views.permissions import ViewAction

FEATURE = Feature("views", errors=errors.CODES, blueprints=(routes.blp,), permissions=(ViewAction,))
