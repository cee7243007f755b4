"""Accounts and their sessions."""

from typing import Any

from mongoengine import BinaryField, DateTimeField, IntField, ListField, ObjectIdField, StringField

from taskmanager.core import zones
from taskmanager.core.clock import now
from taskmanager.core.storage.documents import Versioned
from taskmanager.features.users.querysets import ExpiringQuerySet, SessionQuerySet, UserQuerySet

# Why a session ended before its time.
ENDINGS = ("logout", "ended", "reuse", "password", "disabled", "forced", "deleted", "surplus")


class User(Versioned):
    """A person with an account. The address is kept in lower case: two spellings of one address are one person."""

    meta = {"collection": "users", "db_alias": "users", "queryset_class": UserQuerySet}

    email = StringField(required=True, max_length=254)
    name = StringField(required=True, max_length=200)
    timezone = StringField(required=True, default=zones.DEFAULT)
    password_hash = StringField(required=True)
    role = StringField(required=True, default="user", choices=("user", "admin"))
    kind = StringField(required=True, default="person", choices=("person", "service"))
    access_version = IntField(required=True, default=1)
    disabled_at = DateTimeField()
    deleted_at = DateTimeField()  # anonymous since: the row stays, because others' things name it
    email_verified_at = DateTimeField()
    search = ListField(StringField())  # what administrators find the account by, in lower case
    attachment_bytes = IntField(required=True, default=0)  # of what it uploaded
    recovered_at = DateTimeField()  # when it was last given back to its owner: see `holdings`
    admin_checks = IntField()  # written when another administrator steps down: see administration.keep_an_admin
    new_email = StringField(max_length=254)  # asked for, and not yet confirmed by all who must
    new_email_confirmed = ListField(StringField())  # by which: the "old" address, the "new" one

    def clean(self) -> None:
        """Check the whole before MongoEngine inserts it."""
        self.search = search_words(self.email, self.name)

    def derived(self, changes: dict[str, Any]) -> dict[str, Any]:
        """See Versioned: what the account is found by."""
        if not changes.keys() & {"email", "name"}:
            return {}
        return {"search": search_words(changes.get("email", self.email), changes.get("name", self.name))}


def search_words(email: str, name: str) -> list[str]:
    """Return the address, the whole name and each of its words, in lower case."""
    return list(dict.fromkeys([email, name.lower(), *name.lower().split()]))


class Session(Versioned):
    """One login on one device: a family of refresh tokens, of which only the newest generation is good."""

    meta = {"collection": "sessions", "db_alias": "users", "queryset_class": SessionQuerySet}

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
    network = StringField(max_length=64)  # what the address is counted as: see `core.networks`


class ApiToken(Versioned):
    """A part of what an account may do, for a program."""

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
    """The secret that an account's authenticator app shares with the service (RFC 6238), and the codes beside it."""

    meta = {"collection": "second_factors", "db_alias": "users"}

    user_id = ObjectIdField(required=True)
    secret = BinaryField(required=True)  # encrypted
    confirmed_at = DateTimeField()
    last_step = IntField(required=True, default=0)  # of the newest code that was used: none is good twice
    recovery_codes = ListField(StringField())  # hashed; one that is used is removed
    failures = IntField(required=True, default=0)
    failures_end_at = DateTimeField()  # when the count of failures begins anew


class Identity(Versioned):
    """Whom a login provider knows an account as; the provider's id stays when the address there changes."""

    meta = {"collection": "identities", "db_alias": "users"}

    user_id = ObjectIdField(required=True)
    issuer = StringField(required=True, max_length=500)
    subject = StringField(required=True, max_length=255)
