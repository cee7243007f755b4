"""`taskmanager web`: becomes gunicorn, so that signals and its restart in place (USR2) reach it as ever."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Run `gunicorn -c python:config.gunicorn wsgi:app` in the place of this process."""
    gunicorn = str(Path(sys.executable).with_name("gunicorn"))
    os.execv(gunicorn, [gunicorn, "-c", "python:config.gunicorn", "wsgi:app"])  # noqa: S606 no shell is wanted
