"""Visitors of share links, beside accounts: nothing takes the one for the other."""

import pytest
from bson import ObjectId

from taskmanager.core.errors import Forbidden
from taskmanager.core.security.access import Actor, Visitor
from taskmanager.web import idempotency


def caller_of(app, actor, address):
    with app.test_request_context(environ_base={"REMOTE_ADDR": address}):
        return idempotency._caller(actor)


def test_a_visitor_has_no_user_id_to_be_mistaken_for_one():
    visitor = Visitor(link_id=ObjectId())
    with pytest.raises(Forbidden):
        _ = visitor.user_id
    with pytest.raises(AttributeError):
        _ = visitor.nothing


def test_a_visitor_may_only_what_they_is_given():
    assert not Visitor(link_id=ObjectId()).has_scope("tasks:read")
    assert not Visitor(link_id=ObjectId(), scopes=frozenset({"tasks:read"})).has_scope(None)


def test_keys_of_visitors_and_accounts_are_kept_apart(app):
    same = ObjectId()
    visitor, person = Visitor(link_id=same), Actor(same)
    callers = [
        caller_of(app, visitor, "10.0.0.1"),
        caller_of(app, visitor, "10.0.0.2"),
        caller_of(app, person, "10.0.0.1"),
        caller_of(app, Visitor(link_id=ObjectId()), "10.0.0.1"),
    ]
    assert len(set(callers)) == 4
