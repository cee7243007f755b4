"""Logs why a login by a provider was refused, for operators: never in the response, and without secrets."""

import base64
import json
import time
from typing import Any

import structlog

log = structlog.get_logger("taskmanager.oidc")

_LOGGED_CLAIMS = (
    "iss",
    "aud",
    "azp",
    "iat",
    "nbf",
    "exp",
)  # claims that explain an error and are not personal
_MAX_CHARACTERS = 200


def log_refusal(reason: str, **fields: Any) -> None:
    """Log that a login was refused. `reason` is one word, for searches."""
    log.warning("login by the provider refused", reason=reason, **fields)


def log_error(error: Exception, id_token: str | None, *, issuer: str) -> None:
    """Log why an ID token, or the response before it, was refused.

    Logs the wrong claim, the token's issuer, audience and times, and the clock of this machine.
    """
    reason = str(getattr(error, "error", "") or type(error).__name__)[:_MAX_CHARACTERS]
    from joserfc.errors import JoseError  # only processes with a provider have it: see `oidc`

    details = str(getattr(error, "description", "") or "")[:_MAX_CHARACTERS] if isinstance(error, JoseError) else ""
    claim = getattr(error, "claim", None)
    log_refusal(reason, issuer=issuer, detail=details, claim=claim, clock=int(time.time()), **_logged_claims(id_token))


def _logged_claims(id_token: str | None) -> dict[str, Any]:
    """Return the claims in _LOGGED_CLAIMS of a refused ID token, not verified; {} if it cannot be read."""
    try:
        body = str(id_token).split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return {f"token_{name}": str(claims[name])[:_MAX_CHARACTERS] for name in _LOGGED_CLAIMS if name in claims}
    except (ValueError, LookupError, TypeError, RecursionError):
        return {}
