"""Clients that are logged in."""

from flask import Flask
from flask.testing import FlaskClient

from taskmanager.features.users.models import User
from taskmanager.testing.factories.things import PASSWORD


def sign_in(app: Flask, user: User) -> FlaskClient:
    """Return a client of `app` that sends an access token of this user, which is `client.user`."""
    client = app.test_client()
    response = client.post("/api/v1/auth/login", json={"email": user.email, "password": PASSWORD})
    assert response.status_code == 200 and response.json, response.text
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {response.json['access_token']}"
    client.user = user  # type: ignore[attr-defined]
    return client
