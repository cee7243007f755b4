"""Everything that names an account is classified: what becomes of it when the account is recovered."""

import pytest
from mongoengine import Document, ListField, ObjectIdField
from mongoengine.base import get_document

from taskmanager.features.accounts.holdings import HOLDINGS
from taskmanager.testing import indexes

# Fields with ids of other things than accounts.
NOT_ACCOUNTS = {
    "project_id",
    "task_id",
    "parent_id",
    "series_id",
    "next_task_id",
    "withdrawn_id",
    "label_ids",
    "content_id",
    "event_id",
    "from_id",
    "to_id",
    "leader_id",
    "read_until",
    "trashed_with",
    "purged_with",
    "id",
}


def documents() -> set[type[Document]]:
    """All document classes of the package that have a collection."""
    return {kind for kind in indexes.documents() if kind.__module__.startswith("taskmanager.")}


def holds_ids(field: object) -> bool:
    return isinstance(field, ObjectIdField) or (isinstance(field, ListField) and isinstance(field.field, ObjectIdField))


def test_every_field_that_may_name_an_account_is_in_the_list_of_holdings(app):
    named = {
        (kind.__name__, name)
        for kind in documents()
        for name, field in kind._fields.items()
        if holds_ids(field) and name not in NOT_ACCOUNTS
    }
    assert named == {(one.model.__name__, one.field) for one in HOLDINGS}


@pytest.mark.parametrize("holding", HOLDINGS, ids=lambda one: f"{one.model.__name__}.{one.field}")
def test_a_holding_is_a_field_and_says_why(holding):
    assert holding.field in get_document(holding.model.__name__)._fields
    assert holding.why
