"""Sign webhook requests by the Standard Webhooks specification, version 1 (https://www.standardwebhooks.com).

A signature is `v1,` and the Base64 of HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`. During a rotation
there is one signature by each secret, so that the receiver can switch to the new one at any time.
"""

import base64
import hmac
import secrets
from datetime import datetime, timedelta
from typing import NotRequired, TypedDict

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.security.ciphers import cipher

PREFIX = "whsec_"
_BYTES, _MAX_SECRETS = 32, 5
_PURPOSE = "webhook"


class StoredSecret(TypedDict):
    """A secret as it is stored: encrypted, with the time at which it expires; the newest one has none."""

    secret: str
    until: NotRequired[datetime]


def make_secret() -> str:
    """Return a new secret in the form of the specification: `whsec_` and Base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def stored(secret: str) -> StoredSecret:
    """Return the stored form of a new secret."""
    return {"secret": cipher(_PURPOSE).encrypt(secret.encode()).decode()}


def rotated(known: list[StoredSecret], new: str, keep: timedelta) -> list[StoredSecret]:
    """Return the secrets after a rotation: the new one, and earlier ones that have not expired, at most _MAX_SECRETS.

    The one before expires after `keep`. After several rotations, for instance by a client that did not get the
    response, a receiver may have any of them.
    """
    if not keep:
        return [stored(new)]
    earlier = [entry for entry in known[1:] if entry["until"] > now()]
    previous: StoredSecret = {**known[0], "until": now() + keep}
    return [stored(new), previous, *earlier][:_MAX_SECRETS]


def message_id(delivery_id: ObjectId) -> str:
    """Return the `webhook-id`: the same at each attempt, so that receivers can recognise repetitions."""
    return f"msg_{delivery_id}"


def headers(delivery_id: ObjectId, body: bytes, known: list[StoredSecret]) -> dict[str, str]:
    """Return the three headers of the specification, with the present time."""
    name, moment = message_id(delivery_id), now()
    content = b".".join([name.encode(), str(int(moment.timestamp())).encode(), body])
    valid = [entry for entry in known if entry.get("until", moment) >= moment]
    signatures = [_sign(entry["secret"], content) for entry in valid]
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _sign(encrypted: str, content: bytes) -> str:
    secret = cipher(_PURPOSE).decrypt(encrypted.encode()).decode()
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()
