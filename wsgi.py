"""The WSGI application: `gunicorn -c config/gunicorn.py wsgi:app`."""

from config import logging
from config.settings import load
from taskmanager.app import create_app

settings = load()
logging.configure(settings)
app = create_app(settings)
