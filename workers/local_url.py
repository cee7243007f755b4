"""Where a service on this machine is reached."""

from taskmanager.core.configuration.settings import Settings

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, never listened on


def local_url(settings: Settings) -> str:
    """Return the service's own address, from this machine: the public one may lead elsewhere."""
    host = _ANY.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
