"""Tasks created from a line of text."""

from taskmanager.feature import Feature
from taskmanager.features.quick_add import errors, routes

FEATURE = Feature("quick_add", errors=errors.CODES, blueprints=(routes.blp,))
