"""The URL of a service on this machine."""

from taskmanager.core.configuration.settings import Settings

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, never listened on


def local_url(settings: Settings) -> str:
    """Return the URL at which this machine reaches the service; the public URL may lead to another machine."""
    host = _ANY.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
