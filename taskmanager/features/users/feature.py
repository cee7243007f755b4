"""Accounts, their logins and tokens."""

from taskmanager.core.events.log import Listener
from taskmanager.feature import Feature, declared
from taskmanager.features.users import commands, listeners, routes
from taskmanager.features.users.administration import routes as administration
from taskmanager.features.users.errors.codes import CODES
from taskmanager.features.users.permissions import AdminAction
from taskmanager.features.users.recovery import routes as recovery
from taskmanager.features.users.second_factor import routes as second_factor
from taskmanager.features.users.sso import oidc, routes as sso
from taskmanager.features.users.tokens import routes as tokens

FEATURE = Feature(
    "users",
    errors=CODES,
    service="user",
    blueprints=(
        routes.auth,
        second_factor.auth,
        sso.auth,
        recovery.auth,
        routes.blp,
        recovery.me,
        second_factor.me,
        tokens.own,
        tokens.services,
        administration.blp,
    ),
    listeners=declared(Listener, listeners),
    commands=commands.COMMANDS,
    scopes=("profile:read", "profile:write"),
    permissions=(AdminAction,),
    init_app=oidc.init_app,
)
