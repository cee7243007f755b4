"""Version 1 of the API: its whole public surface in one list."""

from flask import Flask

from taskmanager.api.version import Version
from taskmanager.features.accounts.routes import blp as accounts
from taskmanager.features.attachments.routes import blp as attachments
from taskmanager.features.audit.routes import blp as audit
from taskmanager.features.bulk.routes import blp as bulk
from taskmanager.features.comments.routes import blp as comments
from taskmanager.features.insights.routes import blp as insights
from taskmanager.features.notifications.phones.routes import blp as phone
from taskmanager.features.notifications.routes import blp as notifications
from taskmanager.features.projects.invitations.routes import received as my_invitations, sent as invitations
from taskmanager.features.projects.labels.routes import field_blp, label_blp
from taskmanager.features.projects.members.routes import blp as ownership
from taskmanager.features.projects.routes import blp as projects
from taskmanager.features.projects.share_links.routes import links as share_links, visits
from taskmanager.features.projects.trash.routes import blp as project_trash
from taskmanager.features.quick_add.routes import blp as quick
from taskmanager.features.tasks.activity.routes import blp as activity
from taskmanager.features.tasks.placement.routes import blp as arranging
from taskmanager.features.tasks.recurrence.routes import blp as reminders
from taskmanager.features.tasks.relations.routes import blp as relations
from taskmanager.features.tasks.routes import blp as tasks
from taskmanager.features.tasks.workflow.routes import blp as statuses
from taskmanager.features.templates.routes import blp as copies
from taskmanager.features.trash.routes import blp as trash
from taskmanager.features.users.administration.routes import blp as administration
from taskmanager.features.users.recovery.routes import auth as recovery, me
from taskmanager.features.users.routes import auth, blp as users
from taskmanager.features.users.second_factor.routes import auth as second_step, me as totp
from taskmanager.features.users.sso.routes import auth as oidc
from taskmanager.features.users.tokens.routes import own as tokens, services
from taskmanager.features.views.routes import blp as views
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
