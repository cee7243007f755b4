"""Saved views of tasks."""

from taskmanager.feature import Feature
from taskmanager.features.views import routes
from taskmanager.features.views.permissions import ViewAction

FEATURE = Feature("views", blueprints=(routes.blp,), permissions=(ViewAction,))
