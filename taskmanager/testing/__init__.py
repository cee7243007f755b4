"""The fixtures of the service's own tests, for tests of plugins: `pytest_plugins = ["taskmanager.testing"]`.

Needs an editable install of a checkout with the extra `testing`. No module of the service imports it, and it has no
entry point: a run of pytest uses it only when it names it. See docs/plugins.md.
"""

from taskmanager.testing.fixtures import (
    _empty,
    app,
    caller,
    client,
    contribute,
    deliver,
    mail,
    mail_server,
    other_app,
    prepare_app,
    project,
    pytest_configure_node,
    pytest_unconfigure,
    settings,
    user,
)

__all__ = [
    "_empty",
    "app",
    "caller",
    "client",
    "contribute",
    "deliver",
    "mail",
    "mail_server",
    "other_app",
    "prepare_app",
    "project",
    "pytest_configure_node",
    "pytest_unconfigure",
    "settings",
    "user",
]
