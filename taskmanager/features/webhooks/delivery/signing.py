"""Signatures by the Standard Webhooks specification, version 1 (https://www.standardwebhooks.com).

`v1,` and the Base64 of HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`. While a secret is being replaced
there is one signature by each, so that a receiver may take over the new one when it likes.
"""

import base64
import hmac
import secrets
from datetime import datetime, timedelta

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.security.ciphers import cipher

PREFIX = "whsec_"
_BYTES, _MAX_SECRETS = 32, 5
_PURPOSE = "webhook"


def make_secret() -> str:
    """Return a new secret, in the form in which receivers keep it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def stored(secret: str, until: datetime | None = None) -> dict[str, object]:
    """Return as the database keeps it: encrypted, with the moment from which it is not used any more."""
    return {"secret": cipher(_PURPOSE).encrypt(secret.encode()).decode()} | ({"until": until} if until else {})


def replaced(known: list[dict[str, object]], new: str, keep: timedelta) -> list[dict[str, object]]:
    """Return the secrets after a rotation: the new one, and those before for as long as they are kept, if any is.

    Of several rotations, say of a client that did not get the answer, receivers may know any.
    """
    if not keep:
        return [stored(new)]
    earlier = [entry for entry in known[1:] if entry["until"] > now()]  # type: ignore[operator]
    return [stored(new), {**known[0], "until": now() + keep}, *earlier][:_MAX_SECRETS]


def message_id(delivery_id: ObjectId) -> str:
    """Return `webhook-id`: the same at each attempt, so that receivers can tell repetitions."""
    return f"msg_{delivery_id}"


def headers(delivery_id: ObjectId, body: bytes, known: list[dict[str, object]]) -> dict[str, str]:
    """Return the three headers, made for this moment."""
    name, moment = message_id(delivery_id), now()
    content = b".".join([name.encode(), str(int(moment.timestamp())).encode(), body])
    good = [entry for entry in known if entry.get("until", moment) >= moment]  # type: ignore[operator]
    signatures = [_sign(str(entry["secret"]), content) for entry in good]
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _sign(encrypted: str, content: bytes) -> str:
    secret = cipher(_PURPOSE).decrypt(encrypted.encode()).decode()
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()
