"""The audit log."""

from taskmanager.feature import Feature
from taskmanager.features.audit import routes
from taskmanager.features.audit.permissions import AuditAction

FEATURE = Feature("audit", service="user", blueprints=(routes.blp,), permissions=(AuditAction,))
