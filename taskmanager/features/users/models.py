"""Accounts and their sessions."""

from typing import Any

from mongoengine import BinaryField, DateTimeField, IntField, ListField, ObjectIdField, StringField

from taskmanager.core import zones
from taskmanager.core.clock import now
from taskmanager.core.localization import languages
from taskmanager.core.storage.documents import Versioned
from taskmanager.features.users.querysets import ExpiringQuerySet, SessionQuerySet, UserQuerySet

# Why a session ended before it expired.
ENDINGS = ("logout", "ended", "reuse", "password", "disabled", "forced", "deleted", "surplus")


class User(Versioned):
    """An account of a person or a program. The address is stored in lower case, so that one address has one account."""

    meta = {"collection": "users", "db_alias": "users", "queryset_class": UserQuerySet}

    email = StringField(required=True, max_length=254)
    name = StringField(required=True, max_length=200)
    timezone = StringField(required=True, default=zones.DEFAULT)
    locale = StringField(required=True, default=languages.DEFAULT)  # the language of mails, notifications and pages
    password_hash = StringField(required=True)
    role = StringField(required=True, default="user", choices=("user", "admin"))
    kind = StringField(required=True, default="person", choices=("person", "service"))
    access_version = IntField(required=True, default=1)
    disabled_at = DateTimeField()
    deleted_at = DateTimeField()  # when it was anonymised: the row stays, because content of others refers to it
    email_verified_at = DateTimeField()
    search = ListField(StringField())  # what administrators search for, in lower case
    attachment_bytes = IntField(required=True, default=0)  # of its uploads
    recovered_at = DateTimeField()  # when it was last recovered by its owner: see `holdings`
    admin_checks = IntField()  # written when another administrator loses the role: see administration.keep_an_admin
    new_email = StringField(max_length=254)  # requested, and not yet confirmed by all the addresses that must
    new_email_confirmed = ListField(StringField())  # the addresses that have confirmed: "old", "new"
    calendar_nonce = BinaryField()  # of the links to its calendars; unset: it has none
    calendar_at = DateTimeField()  # when they were issued

    def clean(self) -> None:
        """Set the search words before MongoEngine inserts the document."""
        self.search = search_words(self.email, self.name)

    def derived(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Return the search words for a changed address or name (see Versioned)."""
        if not changes.keys() & {"email", "name"}:
            return {}
        return {"search": search_words(changes.get("email", self.email), changes.get("name", self.name))}


def search_words(email: str, name: str) -> list[str]:
    """Return the address, the whole name and each of its words, in lower case."""
    return list(dict.fromkeys([email, name.lower(), *name.lower().split()]))


class Session(Versioned):
    """One login on one device: a family of refresh tokens, of which only the newest generation is valid."""

    meta = {"collection": "sessions", "db_alias": "users", "queryset_class": SessionQuerySet}
    shard_field = "user_id"

    user_id = ObjectIdField(required=True)
    seed = StringField(required=True)
    generation = IntField(required=True, default=1)
    token_hash = StringField(required=True)
    rotated_at = DateTimeField(required=True, default=now)
    expires_at = DateTimeField(required=True)
    ended_at = DateTimeField()
    ended_because = StringField(choices=ENDINGS)
    user_agent = StringField(max_length=400)
    address = StringField(max_length=64)
    network = StringField(max_length=64)  # the network of the address: see `core.security.networks`


class ApiToken(Versioned):
    """A token by which a program has part of the rights of an account."""

    meta = {"collection": "api_tokens", "db_alias": "users", "queryset_class": ExpiringQuerySet}

    user_id = ObjectIdField(required=True)
    name = StringField(required=True, max_length=200)
    token_hash = StringField(required=True)
    scopes = ListField(StringField(), required=True)
    project_id = ObjectIdField()
    expires_at = DateTimeField(required=True)
    last_used_at = DateTimeField()
    last_used_address = StringField(max_length=64)


class SecondFactor(Versioned):
    """The secret that an account's authenticator app shares with the service (RFC 6238), and the recovery codes."""

    meta = {"collection": "second_factors", "db_alias": "users"}

    user_id = ObjectIdField(required=True)
    secret = BinaryField(required=True)  # encrypted
    confirmed_at = DateTimeField()
    last_step = IntField(required=True, default=0)  # of the newest code that was used: no code works twice
    recovery_codes = ListField(StringField())  # hashes; a used code is removed
    failures = IntField(required=True, default=0)
    failures_end_at = DateTimeField()  # when the count of failures restarts


class Identity(Versioned):
    """The user of a login provider that an account is linked to; its subject stays when the address there changes."""

    meta = {"collection": "identities", "db_alias": "users"}

    user_id = ObjectIdField(required=True)
    issuer = StringField(required=True, max_length=500)
    subject = StringField(required=True, max_length=255)
