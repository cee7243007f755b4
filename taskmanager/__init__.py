"""Task Manager: a task-management backend with one event log behind every write."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

__version__ = "0.2.0"


def create_app() -> "Flask":
    """Return the application with the settings of the environment: for `flask --app taskmanager` and WSGI servers."""
    from taskmanager.entry import application

    return application()
