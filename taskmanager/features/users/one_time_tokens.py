"""One-time tokens that are sent by mail: to confirm an address, set a new password, accept an invitation.

The row holds a nonce and never the token, so a reader of the database alone cannot use it. A worker writes the mail
later: it makes the token again from the row and the service's secret.
"""

from datetime import timedelta

from bson import ObjectId
from mongoengine import BinaryField, DateTimeField, Document, ObjectIdField, StringField

from taskmanager.core.clock import now
from taskmanager.core.errors import TokenInvalid
from taskmanager.core.security import signed_tokens

_PREFIX = "tc_"


class OneTimeToken(Document):
    """The right to do one thing once, until `expires_at`. The row is deleted some time after that."""

    meta = {"collection": "one_time_tokens", "db_alias": "users", "strict": False, "auto_create_index": False}

    purpose = StringField(required=True)
    subject_id = ObjectIdField(required=True)  # the account or the invitation that it is for
    email = StringField(max_length=254)  # the address that it proves
    nonce = BinaryField(required=True)
    expires_at = DateTimeField(required=True)
    spent_at = DateTimeField()

    def text(self) -> str:
        """Return the token as it is sent."""
        return signed_tokens.sign(_PREFIX, self.id, nonce=self.nonce)


def issue(
    purpose: str,
    subject_id: ObjectId,
    *,
    lifetime: timedelta,
    email: str | None = None,
    token_id: ObjectId | None = None,
) -> OneTimeToken:
    """Return a new token; earlier tokens of the same purpose for the same subject become invalid.

    With `token_id` the call is safe to repeat: the second time it returns the first token.
    """
    known = token_id and OneTimeToken.objects(id=token_id).first()
    if known:
        return known
    invalidate(purpose, subject_id)
    token = OneTimeToken(
        id=token_id or ObjectId(),
        purpose=purpose,
        subject_id=subject_id,
        email=email,
        nonce=signed_tokens.make_nonce(),
        expires_at=now() + lifetime,
    )
    return token.save(force_insert=True)


def invalidate(purpose: str, *subject_ids: ObjectId) -> None:
    """Invalidate the tokens of this purpose for these subjects."""
    OneTimeToken.objects(purpose=purpose, subject_id__in=subject_ids, spent_at=None).update(set__spent_at=now())


def invalidate_all(subject_id: ObjectId) -> int:
    """Invalidate all tokens for this subject. Return how many were valid."""
    valid = OneTimeToken.objects(subject_id=subject_id, spent_at=None, expires_at__gt=now())
    return int(valid.update(set__spent_at=now()))


def has_valid(purpose: str, subject_id: ObjectId) -> bool:
    """Return whether a token of this purpose for this subject is still valid."""
    valid = OneTimeToken.objects(purpose=purpose, subject_id=subject_id, spent_at=None, expires_at__gt=now())
    return valid.limit(1).first() is not None


def find_valid(token_id: ObjectId) -> OneTimeToken | None:
    """Return the token's row, for the mail that will contain it; None when it is no longer valid."""
    return OneTimeToken.objects(id=token_id, spent_at=None, expires_at__gt=now()).first()


def read(purpose: str, text: str) -> OneTimeToken | None:
    """Return the token's row without spending it; None when the token is not valid."""
    known = signed_tokens.verify(_PREFIX, text)
    token = (
        known and OneTimeToken.objects(id=known.ids[0], purpose=purpose, spent_at=None, expires_at__gt=now()).first()
    )
    return token if known and token and token.nonce == known.nonce else None


def spend(purpose: str, text: str) -> OneTimeToken:
    """Spend a token and return its row; of several calls at the same moment one succeeds.

    Raises TokenInvalid, the same for a token that is unknown, spent, expired or for another purpose.
    """
    known = signed_tokens.verify(_PREFIX, text)
    if not known:
        raise TokenInvalid
    unspent = OneTimeToken.objects(id=known.ids[0], purpose=purpose, spent_at=None, expires_at__gt=now())
    token = unspent.modify(new=True, set__spent_at=now())
    if not token or token.nonce != known.nonce:
        raise TokenInvalid
    return token
