"""How this service shows its secret to a login provider (RFC 6749, 2.3.1).

Authlib's Basic takes identifier and secret as they are. The standard form-encodes both first: a secret with `:`, `%`,
`+` or a space is refused by providers that read it as the standard says.
"""

import base64
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import quote_plus

_NAMES = {"basic": "client_secret_basic", "post": "client_secret_post"}
_SUPPORTED = "token_endpoint_auth_methods_supported"


def chosen(setting: str, metadata: dict[str, Any]) -> Any:
    """Return what Authlib takes as `token_endpoint_auth_method`, for `auto`, `basic` or `post`.

    `metadata` is what the provider says of itself; without a word about it, it takes Basic (OpenID Connect Discovery
    1.0, 3).
    """
    name = _NAMES.get(setting) or _supported(metadata.get(_SUPPORTED))
    return name if name == _NAMES["post"] else _basic


def _supported(names: Any) -> str:
    known = names if isinstance(names, list) else []
    return _NAMES["post"] if _NAMES["post"] in known and _NAMES["basic"] not in known else _NAMES["basic"]


def _basic(
    client: Any, method: str, uri: str, headers: MutableMapping[str, str], body: str
) -> tuple[str, MutableMapping[str, str], str]:
    words = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret or '')}"
    headers["Authorization"] = "Basic " + base64.b64encode(words.encode()).decode()
    return uri, headers, body
