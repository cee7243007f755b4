"""Version 1 of the API: its whole public surface in one list."""

from flask import Flask

from taskmanager.api.version import Version
from taskmanager.features.accounts.routes import blp as accounts
from taskmanager.features.audit.routes import blp as audit
from taskmanager.features.notifications.phone_routes import blp as phone
from taskmanager.features.notifications.routes import blp as notifications
from taskmanager.features.projects.belonging_routes import field_blp, label_blp
from taskmanager.features.projects.invitation_routes import received as my_invitations
from taskmanager.features.projects.invitation_routes import sent as invitations
from taskmanager.features.projects.link_routes import links as share_links
from taskmanager.features.projects.link_routes import visits
from taskmanager.features.projects.ownership_routes import blp as ownership
from taskmanager.features.projects.routes import blp as projects
from taskmanager.features.projects.trash_routes import blp as project_trash
from taskmanager.features.tasks.activity_routes import blp as activity
from taskmanager.features.tasks.arranging_routes import blp as arranging
from taskmanager.features.tasks.attachment_routes import blp as attachments
from taskmanager.features.tasks.bulk_routes import blp as bulk
from taskmanager.features.tasks.comment_routes import blp as comments
from taskmanager.features.tasks.copy_routes import blp as copies
from taskmanager.features.tasks.insight_routes import blp as insights
from taskmanager.features.tasks.quick_routes import blp as quick
from taskmanager.features.tasks.recurring_routes import blp as reminders
from taskmanager.features.tasks.relation_routes import blp as relations
from taskmanager.features.tasks.routes import blp as tasks
from taskmanager.features.tasks.trash_routes import blp as trash
from taskmanager.features.tasks.view_routes import blp as views
from taskmanager.features.tasks.workflow_routes import blp as statuses
from taskmanager.features.users.admin_routes import blp as administration
from taskmanager.features.users.oidc_routes import auth as oidc
from taskmanager.features.users.recovery_routes import auth as recovery
from taskmanager.features.users.recovery_routes import me
from taskmanager.features.users.routes import auth
from taskmanager.features.users.routes import blp as users
from taskmanager.features.users.token_routes import own as tokens
from taskmanager.features.users.token_routes import services
from taskmanager.features.users.totp_routes import auth as second_step
from taskmanager.features.users.totp_routes import me as totp
from taskmanager.features.webhooks.routes import blp as webhooks

BLUEPRINTS = (
    auth,
    second_step,
    oidc,
    recovery,
    users,
    me,
    accounts,
    totp,
    tokens,
    services,
    administration,
    audit,
    projects,
    ownership,
    invitations,
    my_invitations,
    share_links,
    visits,
    label_blp,
    field_blp,
    statuses,
    copies,
    tasks,
    bulk,
    quick,
    comments,
    attachments,
    relations,
    reminders,
    arranging,
    views,
    insights,
    trash,
    project_trash,
    activity,
    notifications,
    phone,
    webhooks,
)

V1 = Version("v1", BLUEPRINTS, description="Task management: projects, tasks, members, notifications.")


def init_app(app: Flask) -> None:
    """Register version 1."""
    V1.init_app(app)
