"""Accounts and their sessions."""

from mongoengine import DateTimeField, IntField, ObjectIdField, StringField

from taskmanager.core.clock import now
from taskmanager.core.documents import Versioned
from taskmanager.features.users.querysets import SessionWords

# Why a session ended before its time.
ENDINGS = ("logout", "ended", "reuse", "password", "disabled", "forced", "deleted")


class User(Versioned):
    """A person with an account. The address is kept in lower case: two spellings of one address are one person."""

    meta = {"collection": "users", "db_alias": "users"}

    email = StringField(required=True, max_length=254)
    name = StringField(required=True, max_length=200)
    password_hash = StringField(required=True)
    role = StringField(required=True, default="user", choices=("user", "admin"))
    access_version = IntField(required=True, default=1)
    disabled_at = DateTimeField()
    email_verified_at = DateTimeField()


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
