"""Clients that are logged in."""

from flask import Flask
from flask.testing import FlaskClient

from taskmanager.features.users.models import User
from taskmanager.features.users.sessions import service as sessions
from taskmanager.web.authentication.actors import issue


def sign_in(app: Flask, user: User) -> FlaskClient:
    """Return a client of `app` that sends an access token of this user, which is `client.user`.

    The session is what a login leaves. The request itself, which compares the password, is left out: it takes half of
    the time, and thousands of tests begin with it.
    """
    client = app.test_client()
    agent, address = client.environ_base["HTTP_USER_AGENT"], client.environ_base["REMOTE_ADDR"]
    started = sessions.start(user, user_agent=agent, address=address)
    with app.app_context():
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {issue(user.id, started.session.id)}"
    client.user = user  # type: ignore[attr-defined]
    return client
