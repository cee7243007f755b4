"""A provider of identities beside the service, and logins through it."""

from urllib.parse import urlsplit

import pytest
import requests
from pydantic import SecretStr

from tests.features.users.sso.provider import CLIENT_ID, CLIENT_SECRET, Provider

OIDC = "/api/v1/auth/oidc"


@pytest.fixture
def provider():
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture
def sso(other_app, provider, provider_seconds):
    """The application with this provider."""
    return other_app(
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret=SecretStr(CLIENT_SECRET),
        oidc_timeout_seconds=provider_seconds,
    )


@pytest.fixture
def provider_seconds():
    """How long the application waits for the provider: a busy machine is no provider that is down."""
    return 10


def begin(client):
    """Where the provider sends the browser back to."""
    answer = client.get(f"{OIDC}/login")
    assert answer.status_code == 302, answer.text
    back = requests.get(answer.headers["Location"], allow_redirects=False, timeout=60).headers["Location"]
    parts = urlsplit(back)
    return f"{parts.path}?{parts.query}"


def log_in(app):
    client = app.test_client()
    return client.get(begin(client))
