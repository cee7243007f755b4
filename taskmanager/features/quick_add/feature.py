"""Tasks created from a line of text."""

from taskmanager.feature import Feature
from taskmanager.features.quick_add import routes

FEATURE = Feature("quick_add", blueprints=(routes.blp,))
