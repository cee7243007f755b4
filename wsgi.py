"""The WSGI application: `gunicorn -c python:config.gunicorn wsgi:app`."""

from config import logging
from config.settings import load
from taskmanager import plugins
from taskmanager.app import create_app
from taskmanager.core.errors import TaskManagerError
from workers import fitness, telemetry

_FAILED_TO_BOOT = 3  # gunicorn's: it ends instead of starting the process again and again

try:
    settings = load()
    logging.configure(settings)
    app = create_app(settings)
    telemetry.start(settings, "web")
    plugins.report()
except TaskManagerError as error:
    fitness.refuse(error, _FAILED_TO_BOOT)
fitness.check(_FAILED_TO_BOOT)
