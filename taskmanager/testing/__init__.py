"""The fixtures that the service's own tests use, for tests of plugins: `pytest_plugins = ["taskmanager.testing"]`.

Needs an editable install of a checkout with the extra `testing`. Nothing of the service imports it, and no entry point
does: a run of pytest that does not name it knows nothing of it. See docs/plugins.md.
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
