"""Accounts and their sessions."""

from mongoengine import DateTimeField, IntField, ListField, ObjectIdField, StringField

from taskmanager.core.clock import now
from taskmanager.core.documents import Versioned
from taskmanager.features.users.querysets import ExpiringWords, SessionWords

# Why a session ended before its time.
ENDINGS = ("logout", "ended", "reuse", "password", "disabled", "forced", "deleted")


class User(Versioned):
    """A person with an account. The address is kept in lower case: two spellings of one address are one person."""

    meta = {"collection": "users", "db_alias": "users"}

    email = StringField(required=True, max_length=254)
    name = StringField(required=True, max_length=200)
    password_hash = StringField(required=True)
    role = StringField(required=True, default="user", choices=("user", "admin"))
    kind = StringField(required=True, default="person", choices=("person", "service"))
    access_version = IntField(required=True, default=1)
    disabled_at = DateTimeField()
    email_verified_at = DateTimeField()
    new_email = StringField(max_length=254)  # asked for, and not yet confirmed by all who must
    new_email_confirmed = ListField(StringField())  # by which: the "old" address, the "new" one


class Session(Versioned):
    """One login on one device: a family of refresh tokens, of which only the newest generation is good."""

    meta = {"collection": "sessions", "db_alias": "users", "queryset_class": SessionWords}

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


class ApiToken(Versioned):
    """A part of what an account may do, for a program."""

    meta = {"collection": "api_tokens", "db_alias": "users", "queryset_class": ExpiringWords}

    user_id = ObjectIdField(required=True)
    name = StringField(required=True, max_length=200)
    token_hash = StringField(required=True)
    scopes = ListField(StringField(), required=True)
    project_id = ObjectIdField()
    expires_at = DateTimeField(required=True)
    last_used_at = DateTimeField()
    last_used_address = StringField(max_length=64)
