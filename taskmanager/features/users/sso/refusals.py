"""Why a login by a provider was refused, for operators: in the log, never in the answer, and without any secret."""

import base64
import json
import time
from typing import Any

import structlog
from joserfc.errors import JoseError

log = structlog.get_logger("taskmanager.oidc")

_SAID = ("iss", "aud", "azp", "iat", "nbf", "exp")  # claims of an ID token that tell what is wrong, and no person
_MAX_CHARACTERS = 200


def refused(reason: str, **more: Any) -> None:
    """Log a refusal: `reason` is a word that can be searched for."""
    log.warning("login by the provider refused", reason=reason, **more)


def explained(error: Exception, id_token: Any, *, issuer: str) -> None:
    """Log why an ID token, or the answer before it, was refused.

    Names the claim that is wrong, what the token says of issuer, audience and times, and the clock of this machine.
    """
    reason = str(getattr(error, "error", "") or type(error).__name__)[:_MAX_CHARACTERS]
    details = str(getattr(error, "description", "") or "")[:_MAX_CHARACTERS] if isinstance(error, JoseError) else ""
    claim = getattr(error, "claim", None)
    refused(reason, issuer=issuer, detail=details, claim=claim, clock=int(time.time()), **_said(id_token))


def _said(id_token: Any) -> dict[str, Any]:
    """Return what an ID token says, unchecked: it was refused."""
    try:
        body = str(id_token).split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return {f"token_{name}": str(claims[name])[:_MAX_CHARACTERS] for name in _SAID if name in claims}
    except (ValueError, LookupError, TypeError, RecursionError):
        return {}
