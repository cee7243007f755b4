"""`taskmanager web`: replaces itself by gunicorn, so that signals, such as USR2 for a restart in place, reach it."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Replace this process by `gunicorn -c python:config.gunicorn wsgi:app`."""
    gunicorn = str(Path(sys.executable).with_name("gunicorn"))
    os.execv(gunicorn, [gunicorn, "-c", "python:config.gunicorn", "wsgi:app"])  # noqa: S606 no shell is wanted
