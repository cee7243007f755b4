"""The ways in from outside: the command `taskmanager`, `python -m taskmanager`, and an application without arguments.

The outer ring (`config`, `workers`, `migrations`, `wsgi`) may import this package, never the other way round. In a
checkout it lies beside the package; in a wheel it is in the folder `outer` of the package, because names as general as
`config` do not belong into the site-packages of others. So its place is added to the path here, and its modules are
imported by name.
"""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

_PACKAGE = Path(__file__).resolve().parent
OUTER = _PACKAGE / "outer" if (_PACKAGE / "outer").is_dir() else _PACKAGE.parent


def find_outer_ring() -> None:
    """Make the outer ring importable, in this process and in those that it starts."""
    place, variable = str(OUTER), "PYTHONPATH"
    if place in sys.path:
        return
    sys.path.insert(0, place)
    os.environ[variable] = os.pathsep.join(filter(None, (place, os.environ.get(variable))))


def main() -> None:
    """Run the command `taskmanager`."""
    find_outer_ring()
    import_module("workers.cli").main(prog_name="taskmanager")


def application() -> "Flask":
    """Return the application with the settings of the environment.

    Servers that those do not name are the embedded ones of a running `make run`. Raises NoAppException with one
    sentence, which the command `flask` prints.
    """
    from flask.cli import NoAppException

    from taskmanager.core.errors import TaskManagerError

    find_outer_ring()
    try:
        settings = import_module("workers.effective_settings").effective_settings()
        import_module("config.logging").configure(settings)
        app: Flask = import_module("taskmanager.app").create_app(settings)
    except TaskManagerError as error:
        raise NoAppException(str(error.detail)) from None
    return app
