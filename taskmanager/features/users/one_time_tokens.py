"""One-time tokens that are sent by mail: to confirm an address, to set a new password, to take up an invitation.

The row holds a nonce and never the token, so that what is read from the database alone opens nothing; the mail is
written later, by a worker, which makes the token again from the row and the service's secret.
"""

from datetime import timedelta

from bson import ObjectId
from mongoengine import BinaryField, DateTimeField, Document, ObjectIdField, StringField

from taskmanager.core.clock import now
from taskmanager.core.errors import TokenInvalid
from taskmanager.core.security import signed_tokens

_PREFIX = "tc_"


class OneTimeToken(Document):
    """A right to do one thing once, for a while. It is deleted some time after it has expired."""

    meta = {"collection": "one_time_tokens", "db_alias": "users", "strict": False, "auto_create_index": False}

    purpose = StringField(required=True)
    subject_id = ObjectIdField(required=True)  # whom or what it is about: an account, an invitation
    email = StringField(max_length=254)  # the address it proves
    nonce = BinaryField(required=True)
    expires_at = DateTimeField(required=True)
    spent_at = DateTimeField()

    def text(self) -> str:
        """Return the token itself."""
        return signed_tokens.sign(_PREFIX, self.id, nonce=self.nonce)


def issue(
    purpose: str,
    subject_id: ObjectId,
    *,
    lifetime: timedelta,
    email: str | None = None,
    token_id: ObjectId | None = None,
) -> OneTimeToken:
    """Return a new token; earlier ones of the same purpose for the same subject are good no more.

    With `token_id`, a job that runs twice makes one token: the second time the first one is answered.
    """
    known = token_id and OneTimeToken.objects(id=token_id).first()
    if known:
        return known
    withdraw(purpose, subject_id)
    token = OneTimeToken(
        id=token_id or ObjectId(),
        purpose=purpose,
        subject_id=subject_id,
        email=email,
        nonce=signed_tokens.make_nonce(),
        expires_at=now() + lifetime,
    )
    return token.save(force_insert=True)


def withdraw(purpose: str, *subject_ids: ObjectId) -> None:
    """Spend the tokens of this purpose without their being used."""
    OneTimeToken.objects(purpose=purpose, subject_id__in=subject_ids, spent_at=None).update(set__spent_at=now())


def withdraw_all(subject_id: ObjectId) -> int:
    """Spend all tokens for this subject without their being used. Return how many were good."""
    good = OneTimeToken.objects(subject_id=subject_id, spent_at=None, expires_at__gt=now())
    return int(good.update(set__spent_at=now()))


def is_waiting(purpose: str, subject_id: ObjectId) -> bool:
    """Return whether a token of this purpose for this subject is still good."""
    good = OneTimeToken.objects(purpose=purpose, subject_id=subject_id, spent_at=None, expires_at__gt=now())
    return good.limit(1).first() is not None


def look_up(token_id: ObjectId) -> OneTimeToken | None:
    """Return the token's row, for the mail that is to carry it; None when it is good no more."""
    return OneTimeToken.objects(id=token_id, spent_at=None, expires_at__gt=now()).first()


def read(purpose: str, text: str) -> OneTimeToken | None:
    """Return the token, without using it up; None when it is not good."""
    known = signed_tokens.verify(_PREFIX, text)
    token = (
        known and OneTimeToken.objects(id=known.ids[0], purpose=purpose, spent_at=None, expires_at__gt=now()).first()
    )
    return token if known and token and token.nonce == known.nonce else None


def spend(purpose: str, text: str) -> OneTimeToken:
    """Use a token up; of several at the same moment one succeeds.

    Raises TokenInvalid, alike for one that is unknown, spent, expired or for another purpose.
    """
    known = signed_tokens.verify(_PREFIX, text)
    token = known and OneTimeToken.objects(
        id=known.ids[0], purpose=purpose, spent_at=None, expires_at__gt=now()
    ).modify(new=True, set__spent_at=now())
    if not token or token.nonce != known.nonce:
        raise TokenInvalid
    return token
