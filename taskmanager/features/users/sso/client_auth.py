"""Client authentication of this service at a login provider (RFC 6749, 2.3.1).

The standard form-encodes identifier and secret before Basic authentication; Authlib does not. Providers that follow the
standard would refuse a secret with `:`, `%`, `+` or a space.
"""

import base64
from collections.abc import Callable, MutableMapping
from typing import Any
from urllib.parse import quote_plus

_NAMES = {"basic": "client_secret_basic", "post": "client_secret_post"}
_SUPPORTED = "token_endpoint_auth_methods_supported"
# Adds the client's authentication to a request: (client, method, uri, headers, body) -> (uri, headers, body).
Authenticate = Callable[
    [Any, str, str, MutableMapping[str, str], str],
    tuple[str, MutableMapping[str, str], str],
]


def auth_method(setting: str, metadata: dict[str, Any]) -> str | Authenticate:
    """Return Authlib's `token_endpoint_auth_method` for the setting `auto`, `basic` or `post`.

    `metadata` is the provider's discovery document. If it names no methods, the provider accepts Basic (OpenID Connect
    Discovery 1.0, 3).
    """
    name = _NAMES.get(setting) or _supported(metadata.get(_SUPPORTED))
    return name if name == _NAMES["post"] else _basic


def _supported(names: object) -> str:
    known = names if isinstance(names, list) else []
    return _NAMES["post"] if _NAMES["post"] in known and _NAMES["basic"] not in known else _NAMES["basic"]


def _basic(
    client: Any, method: str, uri: str, headers: MutableMapping[str, str], body: str
) -> tuple[str, MutableMapping[str, str], str]:
    credentials = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret or '')}"
    headers["Authorization"] = "Basic " + base64.b64encode(credentials.encode()).decode()
    return uri, headers, body
