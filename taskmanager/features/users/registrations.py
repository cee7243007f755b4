"""Use cases of registration where the response must not reveal which addresses have accounts.

A request only stores the registration, with the hash of the password; a worker finds out whether there is an account.
So the response, and the work and time it takes, are the same for known and unknown addresses.
"""

from datetime import timedelta

from bson import ObjectId
from mongoengine import DateTimeField, Document, StringField

from taskmanager.core.clock import now
from taskmanager.core.events.log import record
from taskmanager.core.localization import languages
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.core.text import plain_address
from taskmanager.features.users import passwords, service as users
from taskmanager.features.users.events import RegistrationRepeated, RegistrationRequested
from taskmanager.features.users.models import User
from taskmanager.features.users.signup import policy

_LIFETIME = timedelta(days=1)  # a worker handles it within seconds


class PendingRegistration(Document):
    """A requested account. The row is deleted when a worker has made the account, or found that there is one."""

    meta = {"collection": "registrations", "db_alias": "users", "strict": False, "auto_create_index": False}

    email = StringField(required=True, max_length=254)
    name = StringField(required=True, max_length=200)
    password_hash = StringField(required=True)
    locale = StringField()
    expires_at = DateTimeField(required=True)


def request(*, email: str, password: str, name: str, locale: str = languages.DEFAULT) -> None:
    """Request an account; the user is notified by mail.

    Raises Forbidden (see `signup.policy.check`), Invalid (`password.too_common`).
    """
    email = plain_address(email)
    policy.check(email)
    passwords.check(password, location="body.password", email=email)
    hashed = passwords.make_hash(password)
    _record(PendingRegistration(email=email, name=name, password_hash=hashed, locale=locale))


@unit_of_work
def _record(registration: PendingRegistration) -> None:
    registration.id, registration.expires_at = ObjectId(), now() + _LIFETIME
    registration.save(force_insert=True)
    record(RegistrationRequested(registration.email, registration_id=registration.id))


@unit_of_work
def carry_out(registration_id: ObjectId) -> None:
    """Make a requested account, or record that the address was registered again. Safe to repeat."""
    requested = PendingRegistration.objects(id=registration_id).first()
    if requested is None:
        return
    requested.delete()
    known = User.objects(email=requested.email).first()
    if known is not None:
        record(RegistrationRepeated(requested.email, known))
    else:
        locale = languages.known(requested.locale)
        users.create(requested.email, requested.password_hash, requested.name, locale=locale)
